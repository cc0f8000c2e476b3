/**
 * The options that every wait takes.
 *
 * @module
 */

import { checkOptions, checkSignal, shown } from "./check.ts";

/**
 * The longest timeout that a wait accepts, in milliseconds (about 24.8 days,
 * the range of a timer). `Infinity` and `undefined` mean for ever.
 *
 * @example
 * ```ts
 * import { Event, TIMEOUT_MAX } from "@skein/std/threading";
 * import { assertThrows } from "@std/assert";
 *
 * const event = new Event();
 * assertThrows(() => event.waitSync({ timeout: TIMEOUT_MAX + 1 }), RangeError);
 * ```
 */
export const TIMEOUT_MAX = 2_147_483_647;

/** What the blocking form of a wait takes. */
export interface WaitSyncOptions {
  /**
   * Milliseconds after which the wait gives up, at most `TIMEOUT_MAX`.
   *
   * @default {Infinity}
   */
  timeout?: number;
}

/** What the promise form of a wait takes. */
export interface WaitOptions extends WaitSyncOptions {
  /** Ends the wait when it is aborted; the wait rejects with its reason. */
  signal?: AbortSignal;
}

const WAIT_OPTIONS = ["timeout", "signal"];

/**
 * The timeout of the options, in milliseconds.
 *
 * @param options The options of a wait.
 * @param what What is being waited for, for messages: `acquire a Lock`.
 * @returns The timeout, `Infinity` if there is none.
 * @throws {TypeError} If it is not a number, or the options are of a wrong type,
 * or there is one that does not exist.
 * @throws {RangeError} If it is negative, NaN or above `TIMEOUT_MAX`.
 */
export function timeoutOf(
  options: WaitOptions | undefined,
  what: string,
): number {
  if (options === undefined) return Infinity;
  checkOptions(options, what, WAIT_OPTIONS);
  checkSignal(options.signal, what);
  return durationOf(options.timeout, what, "timeout");
}

/**
 * A duration in milliseconds that may be missing.
 *
 * @returns The duration; for `undefined` and `Infinity`, `Infinity`.
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is negative, NaN or above `TIMEOUT_MAX`.
 */
export function durationOf(
  duration: unknown,
  what: string,
  name: string,
): number {
  if (duration === undefined || duration === Infinity) return Infinity;
  checkDuration(duration, what, name);
  return duration;
}

/**
 * Checks a duration in milliseconds.
 *
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is negative, NaN or above `TIMEOUT_MAX`.
 */
export function checkDuration(
  duration: unknown,
  what: string,
  name: string,
): asserts duration is number {
  if (typeof duration !== "number") {
    throw new TypeError(
      `Cannot ${what}: ${name} must be a number of milliseconds, received ${
        shown(duration)
      }`,
    );
  }
  if (!(duration >= 0 && duration <= TIMEOUT_MAX)) {
    throw new RangeError(
      `Cannot ${what}: ${name} must be between 0 and ${TIMEOUT_MAX} milliseconds, received ${duration}`,
    );
  }
}

/** The error of a wait whose time ran out. */
export function timeoutError(what: string, timeout: number): DOMException {
  return new DOMException(
    `Cannot ${what}: ${timeout} ms have passed`,
    "TimeoutError",
  );
}
