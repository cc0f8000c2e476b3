/** Starts a case of program.ts in a process of its own, without permissions. */
export function start(
  name: string,
  ...permissions: string[]
): Deno.ChildProcess {
  return new Deno.Command("deno", {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      ...permissions,
      new URL("program.ts", import.meta.url).pathname,
      name,
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** How a process ended and what it wrote. */
export interface Ending {
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
  /** Milliseconds that it took, its start included. */
  took: number;
}

/** Runs a case of program.ts to its end. */
export async function run(
  name: string,
  ...permissions: string[]
): Promise<Ending> {
  const begin = performance.now();
  const child = start(name, ...permissions);
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  const { code, signal, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  return {
    code,
    signal,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
    took: performance.now() - begin,
  };
}
