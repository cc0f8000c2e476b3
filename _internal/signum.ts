/**
 * Signals by number and by name.
 *
 * @module
 */

import { builtIn } from "./built_in.ts";
import { shown } from "./check.ts";

/** A signal, by its number on this platform or by its name. */
export type Signum = number | Deno.Signal;

/** Those of Linux, since loading `node:os` takes some milliseconds. */
const LINUX: Record<string, number> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGIOT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPOLL: 29,
  SIGPWR: 30,
  SIGSYS: 31,
  SIGUNUSED: 31,
};

function numbersHere(): Record<string, number> {
  if (Deno.build.os === "linux") return LINUX;
  return builtIn("node:os").constants.signals;
}

/** The numbers of this platform's signals, by name. */
export const NUMBERS: Readonly<Record<string, number>> = Object.freeze({
  ...numbersHere(),
});

const numbers = new Map(Object.entries(NUMBERS));

/** The first of a number's names is its usual one: SIGABRT, not SIGIOT. */
const names = new Map(
  [...numbers].reverse().map(([name, number]) => [number, name as Deno.Signal]),
);

/**
 * The number of a signal.
 *
 * @param signum Its number or name.
 * @param what What is being done with it, for messages: `raise a signal`.
 * @returns The number.
 * @throws {TypeError} If it is neither a number nor a string.
 * @throws {RangeError} If this platform has no such signal.
 */
export function numberOf(signum: unknown, what: string): number {
  if (typeof signum === "string") {
    const number = numbers.get(signum);
    if (number !== undefined) return number;
  } else if (typeof signum !== "number") {
    throw new TypeError(
      `Cannot ${what}: a signal is a number or a name, received ${
        shown(signum)
      }`,
    );
  } else if (names.has(signum)) {
    return signum;
  }
  throw new RangeError(
    `Cannot ${what}: ${Deno.build.os} has no such signal, received ${
      JSON.stringify(signum)
    }`,
  );
}

/** The usual name of a signal that {@linkcode numberOf} has returned. */
export function nameOf(number: number): Deno.Signal {
  return names.get(number)!;
}
