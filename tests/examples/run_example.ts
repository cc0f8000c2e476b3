import { assertEquals } from "@std/assert";

/**
 * Runs an example as `deno task example NAME` does.
 *
 * @param name Its name.
 * @returns The lines it prints, without the heading.
 */
export async function runExample(name: string): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args: ["run", "-P=example", "main.ts", name],
    cwd: new URL("../../examples/", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stderr));
  const [heading, ...lines] = decoder.decode(stdout).trimEnd().split("\n");
  assertEquals(heading, `--- ${name}`);
  return lines;
}

/**
 * Reads lines of one form.
 *
 * @param lines The lines.
 * @param form What each must look like.
 * @returns What the groups of the form found in each.
 */
export function parse(lines: string[], form: RegExp): string[][] {
  return lines.map((line) => {
    const match = form.exec(line);
    if (match === null) throw new Error(`Unexpected line: ${line}`);
    return match.slice(1);
  });
}
