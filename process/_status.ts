// The number that says how a process ended, and the names of signals.
import { constants } from "node:os";

const NUMBERS = constants.signals as Readonly<Record<string, number>>;

/**
 * The status of a process: its exit status, or minus the signal's number.
 *
 * @param status What Deno says.
 * @returns A number from -64 to 255.
 */
export function statusOf(status: Deno.CommandStatus): number {
  if (status.signal === null) return status.code;
  return -(NUMBERS[status.signal] ?? status.code - 128);
}

/**
 * The status of a process, from what a call of Deno's threw that tells how it
 * ended: Deno has no name for real-time signals, and fails at them.
 *
 * @param error What the call threw.
 * @returns Minus the number of the signal.
 * @throws The error, if it is another one.
 */
export function statusOfError(error: unknown): number {
  const [, number] = error instanceof TypeError
    ? /^Invalid signal: (\d+)$/.exec(error.message) ?? []
    : [];
  if (number === undefined) throw error;
  return -Number(number);
}

/** The status of a process, once it has ended. */
export async function endOf(child: Deno.ChildProcess): Promise<number> {
  try {
    return statusOf(await child.status);
  } catch (error) {
    return statusOfError(error);
  }
}

/** The name of the signal that ended a process of this status, if one did. */
export function signalOf(status: number): string | undefined {
  if (status >= 0) return undefined;
  return Object.keys(NUMBERS).find((name) => NUMBERS[name] === -status);
}

/** The number of SIGPIPE. */
export const SIGPIPE = NUMBERS.SIGPIPE;
