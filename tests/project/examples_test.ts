import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { EXAMPLES, fileOf } from "../../examples/main.ts";

const FOLDER = new URL("../../examples/", import.meta.url);

async function runMain(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args: ["run", "-P=example", "main.ts", ...args],
    cwd: FOLDER,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

Deno.test("examples lists what there is when a name is unknown", async () => {
  const { code, stdout, stderr } = await runMain("nothing-like-it");
  assertEquals(code, 1);
  assertEquals(stdout, "");
  assertStringIncludes(stderr, 'received "nothing-like-it"');
  for (const { name } of EXAMPLES) assertStringIncludes(stderr, `  ${name}\n`);
});

Deno.test("examples are the files of the folder", () => {
  const files = [...Deno.readDirSync(FOLDER)]
    .map(({ name }) => name)
    .filter((name) => name.endsWith(".ts") && name !== "main.ts")
    // Modules that examples share start with an underscore.
    .filter((name) => !name.startsWith("_"));
  assertEquals(files.sort(), EXAMPLES.map(fileOf).sort());
});

Deno.test("examples run one by name, under a heading", async () => {
  const { code, stdout, stderr } = await runMain(EXAMPLES[0].name);
  assertEquals(code, 0, stderr);
  assert(stdout.startsWith(`--- ${EXAMPLES[0].name}\n`), stdout);
});
