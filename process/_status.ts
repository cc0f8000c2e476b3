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

/** The name of the signal that ended a process of this status, if one did. */
export function signalOf(status: number): string | undefined {
  if (status >= 0) return undefined;
  return Object.keys(NUMBERS).find((name) => NUMBERS[name] === -status);
}

/** The number of SIGPIPE. */
export const SIGPIPE = NUMBERS.SIGPIPE;
