import { assertEquals, assertMatch } from "@std/assert";
import { unixTest as test } from "../platform.ts";
import { quote, run, runSync } from "../../process/mod.ts";

const MOD = new URL("../../process/mod.ts", import.meta.url).href;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** A command line for the shell: a program that copies with a bar. */
function copying(source: string): string {
  const code = `import { pipeline, progressBar } from "${MOD}";
    const copy = pipeline("cat; sleep 0.25").to("null")
      .with({ onProgress: await progressBar("copying") });
    for (let i = 0; i < 2; i++) await copy.from(${source}).run();
    await copy.from("x").with({ check: false }).run();`;
  const words = ["deno", "eval", "--no-check", `--config=${CONFIG}`, code];
  return words.map(quote).join(" ");
}

/** What arrives on a terminal, line by line, each as it is last drawn. */
async function onTerminal(line: string): Promise<string[]> {
  const { stdout } = await run(`script -qec ${quote(line)} /dev/null`);
  // deno-lint-ignore no-control-regex
  const drawn = stdout.replaceAll(/\x1b(\[[?\d;]*[A-Za-z]|[78])/g, "\r");
  return drawn.split("\n").map((line) =>
    line.split("\r").findLast((part) => part !== "") ?? ""
  );
}

const ready = runSync("command -v script", { check: false }).status === 0;

test({
  name: "progressBar() draws on a terminal" +
    (ready ? "" : " (skipped: script is not installed)"),
  ignore: !ready,
  fn: async () => {
    const [first, second] = await onTerminal(
      copying("new Uint8Array(1_500_000)"),
    );
    for (const line of [first, second]) {
      assertMatch(line, /^copying =+ 100% \| 1\.5 MB of 1\.5 MB \| \S+$/);
    }
    const [unknown] = await onTerminal(copying('["spam"]'));
    assertMatch(unknown, /^copying 4 B \| \d+s$/);
  },
});

test({
  name: "progressBar() draws what map of a ThreadPool reports" +
    (ready ? "" : " (skipped: script is not installed)"),
  ignore: !ready,
  fn: async () => {
    const program = new URL("map_bar_program.ts", import.meta.url).pathname;
    const words = ["deno", "run", "-A", "--no-check", program];
    const [known, blocked, unknown] = await onTerminal(
      words.map(quote).join(" "),
    );
    for (const line of [known, blocked]) {
      assertMatch(line, /^squares =+ 100% \| 30 of 30 \| \S+$/);
    }
    assertMatch(unknown, /^squares 30 \| \d+s$/);
  },
});

test("progressBar() writes nothing elsewhere", async () => {
  const { stdout, stderr } = await run(copying("new Uint8Array(9)"));
  assertEquals([stdout, stderr], ["", ""]);
});
