// A program that stands in for this one.
import { sendSignal } from "./_kill.ts";
import { spawn, type SpawnOptions } from "./_spawn.ts";
import { endOf } from "./_command/result.ts";

/** What is passed on. SIGUSR1 is missing: in Deno it starts the inspector. */
const SIGNALS: readonly Deno.Signal[] = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGTERM",
  "SIGUSR2",
  "SIGALRM",
  "SIGCONT",
  "SIGWINCH",
];

/** What a terminal sends to all programs on it, the new one among them. */
const BY_TERMINAL: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT", "SIGWINCH"];

/**
 * Starts a program and passes on to it the signals that this one gets, until it
 * has ended.
 *
 * @param argv The program and its arguments.
 * @param options Where it runs, with which streams.
 * @returns Its status.
 */
export async function standIn(
  argv: readonly string[],
  options: SpawnOptions,
): Promise<number> {
  const atTerminal = Deno.stdin.isTerminal();
  let child: Deno.ChildProcess | undefined;
  // Listened to before the program starts, so that none is lost.
  const listeners = SIGNALS.map((signal) => {
    const pass = () => {
      if (atTerminal && BY_TERMINAL.includes(signal)) return;
      // If it has ended, so does this program in a moment.
      if (child !== undefined) sendSignal(child, signal);
    };
    Deno.addSignalListener(signal, pass);
    return () => Deno.removeSignalListener(signal, pass);
  });
  try {
    child = spawn(argv, options);
    return await endOf(child);
  } finally {
    for (const remove of listeners) remove();
  }
}
