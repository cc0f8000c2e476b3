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

const README = Deno.readTextFileSync(new URL("README.md", FOLDER));

Deno.test("examples stand in their README, in the order in which they run", () => {
  const names = EXAMPLES.map(({ name }) => name);
  const rows = [...README.matchAll(/^\| \[`([\w-]+)`\]/gm)];
  assertEquals(rows.map(([, name]) => name), names);
  const headings = [...README.matchAll(/^## ([a-z\d-]+)$/gm)];
  assertEquals(headings.map(([, name]) => name), names);
});

Deno.test("examples are quoted in their README as they are", () => {
  for (const example of EXAMPLES) {
    const [, section] = README.split(`\n## ${example.name}\n`);
    const code = /^```ts ignore\n(.*?)^```$/ms.exec(section.split("\n## ")[0]);
    const text = Deno.readTextFileSync(new URL(fileOf(example), FOLDER));
    const lines = new Set(text.split("\n").map((line) => line.trim()));
    for (const line of code?.[1].trim().split("\n") ?? []) {
      assert(lines.has(line.trim()), `${example.name}: ${line}`);
    }
  }
});
