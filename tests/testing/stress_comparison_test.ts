// What 60 seconds of the stress tests find of the faults that exploring finds.
// With SKEIN_EXPLORE=1 only: it takes half an hour.
import { assert } from "@std/assert";
import { type Mutant, mutantNames, readMutant, withCopy } from "./mutant.ts";

const SECONDS = 60;
const ROOT = new URL("../../", import.meta.url);
const ignore = Deno.env.get("SKEIN_EXPLORE") === undefined;
/** Said of what is left out. */
const LEFT_OUT = ignore ? " (skipped: it takes long, SKEIN_EXPLORE=1)" : "";

/** The stress test of what a mutant is a fault of. */
function stressTestOf({ file, kills }: Mutant): string {
  if (file.startsWith("pool/")) return "tests/pool/stress_test.ts";
  if (file.startsWith("queue/")) {
    return `tests/queue/${kills ? "delivery" : "stress"}_test.ts`;
  }
  return `tests/threading/${kills ? "storm" : "stress"}_test.ts`;
}

/** Runs a stress test once; whether it passed, `undefined` if it did not end. */
async function passes(
  folder: URL,
  file: string,
  seed: number,
  ms: number,
): Promise<boolean | undefined> {
  for (const name of ["deno.json", "deno.lock"]) {
    Deno.copyFileSync(new URL(name, ROOT), new URL(name, folder));
  }
  const signal = AbortSignal.timeout(ms);
  const { success } = await new Deno.Command("deno", {
    args: ["test", "-P", "--no-check", file],
    cwd: folder,
    env: { SKEIN_SEED: String(seed) },
    stdout: "null",
    stderr: "null",
    signal,
  }).output();
  return signal.aborted ? undefined : success;
}

const COPIED = ["tests/pool", "tests/queue", "tests/threading", "vendor"];
/** How long a stress test takes without a fault. */
const usual = new Map<string, number>();

for (const name of mutantNames) {
  const title = name.replace(/\.patch$/, "");
  Deno.test({
    name: `stress tests, ${SECONDS} s of them: ${title}${LEFT_OUT}`,
    ignore,
    async fn() {
      const mutant = readMutant(name);
      const file = stressTestOf(mutant);
      if (!usual.has(file)) {
        const begun = performance.now();
        assert(
          await withCopy(
            undefined,
            COPIED,
            (folder) => passes(folder, file, 1, 300_000),
          ),
          `${file} fails without a fault`,
        );
        usual.set(file, performance.now() - begun);
      }
      await withCopy(mutant, COPIED, async (folder) => {
        const begun = performance.now();
        const seconds = () => Math.round((performance.now() - begun) / 1000);
        for (let seed = 1; seconds() < SECONDS; seed++) {
          const passed = await passes(folder, file, seed, usual.get(file)! * 5);
          if (passed) continue;
          const how = passed === undefined ? "hangs" : "fails";
          return console.log(`${title}: ${file} ${how}, ${seconds()} s`);
        }
        console.log(`${title}: ${file} finds nothing`);
      });
    },
  });
}
