/** Runs cases of program.ts, each in a process of its own. */

/** The name of a case, or that and its arguments. */
export type Case = string | [name: string, ...args: string[]];

/** The command that runs a case. */
export function commandOf(which: Case, ...permissions: string[]): string[] {
  return [
    "deno",
    "run",
    "--no-prompt",
    "--no-check",
    ...permissions,
    new URL("program.ts", import.meta.url).pathname,
    ...typeof which === "string" ? [which] : which,
  ];
}

/** Starts a case, without permissions. */
export function start(
  which: Case,
  ...permissions: string[]
): Deno.ChildProcess {
  return spawn(commandOf(which, ...permissions));
}

function spawn([command, ...args]: string[]): Deno.ChildProcess {
  return new Deno.Command(command, {
    args,
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

/** Runs a case to its end. */
export async function run(
  which: Case,
  ...permissions: string[]
): Promise<Ending> {
  return await finish(start(which, ...permissions));
}

/** Runs a case to its end as a shell starts it that ignores some signals. */
export async function runIgnoring(
  signals: string,
  which: Case,
  ...permissions: string[]
): Promise<Ending> {
  const script = `trap '' ${signals}; exec "$@"`;
  const command = commandOf(which, ...permissions);
  return await finish(spawn(["sh", "-c", script, "sh", ...command]));
}

async function finish(child: Deno.ChildProcess): Promise<Ending> {
  const begin = performance.now();
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
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

/**
 * Starts a case and sends it signals from outside, from its first line on.
 *
 * @param signals The signals, each when the case has said that it has heard the
 * one before: of two at once, the kernel makes one.
 */
export async function interrupted(
  which: Case,
  signals: Deno.Signal[],
  ...permissions: string[]
): Promise<{ code: number; signal: Deno.Signal | null; stdout: string }> {
  const child = start(which, ...permissions);
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
  const stderr = child.stderr.cancel();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let stdout = "";
  const readUntil = async (text: string) => {
    while (!stdout.includes(text)) {
      const { value } = await reader.read();
      if (value === undefined) return;
      stdout += value;
    }
  };
  await readUntil("\n");
  for (const [i, signal] of signals.entries()) {
    if (i > 0) await readUntil("heard\n");
    try {
      child.kill(signal);
    } catch (error) {
      // It has ended by the one before.
      if (!(error instanceof TypeError)) throw error;
    }
  }
  for (let next; (next = await reader.read()).value !== undefined;) {
    stdout += next.value;
  }
  await stderr;
  const { code, signal } = await child.status;
  clearTimeout(timer);
  // Of the last one it may have come to say so.
  return { code, signal, stdout: stdout.replace("heard\n", "") };
}
