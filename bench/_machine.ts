import { cpus } from "node:os";
import { output, Skipped } from "./_programs.ts";

const TOOLS: Record<string, readonly string[]> = {
  cc: ["cc", "--version"],
  java: ["java", "--version"],
  node: ["node", "--version"],
  python: ["python3", "--version"],
};

/**
 * Says on what the numbers were measured.
 *
 * @returns A Markdown list.
 */
export async function machine(): Promise<string> {
  const processors = cpus();
  const lines = [
    `- ${new Date().toISOString().slice(0, 10)}`,
    `- ${processors[0]?.model.trim()}, ${processors.length} cores; ` +
    `${Deno.build.os} ${Deno.osRelease()}, ${Deno.build.arch}`,
    `- deno ${Deno.version.deno}, v8 ${Deno.version.v8}`,
  ];
  for (const [name, command] of Object.entries(TOOLS)) {
    lines.push(`- ${name}: ${await version(command)}`);
  }
  return lines.join("\n");
}

async function version(command: readonly string[]): Promise<string> {
  try {
    const line = (await output(command)).split("\n")[0];
    // Where there is no node, Deno takes its place.
    return line.startsWith("deno") ? "not installed" : line;
  } catch (error) {
    if (error instanceof Skipped) return "not installed";
    throw error;
  }
}
