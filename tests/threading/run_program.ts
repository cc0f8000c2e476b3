/** What a program printed and how it ended. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
  /** Milliseconds it ran. */
  ms: number;
}

/**
 * Runs a program in a Deno of its own; one that hangs is killed.
 *
 * @param args What follows `deno`.
 * @param options Of `Deno.Command`.
 */
export async function runDeno(
  args: string[],
  options: Deno.CommandOptions = {},
): Promise<Outcome> {
  const start = performance.now();
  const output = await new Deno.Command("deno", {
    signal: AbortSignal.timeout(60_000),
    stdin: "null",
    ...options,
    args,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...options.env },
  }).output();
  const ms = performance.now() - start;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    code: output.code,
    stdout: text(output.stdout),
    stderr: text(output.stderr),
    ms,
  };
}

/** The path of a fixture beside the tests. */
export function fixture(name: string): string {
  return new URL(name, import.meta.url).pathname;
}
