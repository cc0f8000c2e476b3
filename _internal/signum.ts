/**
 * Signals by number and by name.
 *
 * @module
 */

import { builtIn } from "./built_in.ts";
import { shown } from "./check.ts";
import { signalNumbers } from "./platform.ts";

/** A signal, by its number on this platform or by its name. */
export type Signum = number | Deno.Signal;

/** The numbers of this platform's signals, by name. */
export const NUMBERS: Readonly<Record<string, number>> = Object.freeze({
  ...signalNumbers() ?? builtIn("node:os").constants.signals,
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
