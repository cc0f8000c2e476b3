import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

/** A program of the README and the output that stands below it. */
const PROGRAM = /^```ts ignore\n(.*?)^```\n\n^```text\n(.*?)^```$/gms;

const readme = Deno.readTextFileSync(new URL("README.md", ROOT));

Deno.test("README: its programs print what stands below them", async () => {
  const programs = [...readme.matchAll(PROGRAM)];
  assert(programs.length > 0);
  for (const [, program, output] of programs) {
    assertEquals(await run(program), output);
  }
});

Deno.test("README: no program stands without its output", () => {
  const ignored = readme.match(/^```ts ignore$/gm) ?? [];
  assertEquals(ignored.length, [...readme.matchAll(PROGRAM)].length);
});

/** What a program prints that is run from a file of its own. */
async function run(program: string): Promise<string> {
  const path = await Deno.makeTempFile({ dir: "/tmp", suffix: ".ts" });
  const config = `--config=${new URL("deno.json", ROOT).pathname}`;
  try {
    await Deno.writeTextFile(path, program);
    // Not with `deno run --check`, which lets each worker check all of it again.
    await deno("check", config, path);
    return await deno(
      "run",
      "--no-prompt",
      // Deno demands it for modules that workers import.
      `--allow-read=${ROOT.pathname},${path}`,
      config,
      path,
    );
  } finally {
    await Deno.remove(path);
  }
}

async function deno(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stderr));
  return decoder.decode(stdout);
}
