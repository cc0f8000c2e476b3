// The options that every wait takes, checked.

import { checkDuration, timeoutError } from "../_internal/options.ts";

/**
 * Checks a number of milliseconds.
 *
 * @param duration The number; `undefined` and `Infinity` mean for ever.
 * @param what What is to be done, for messages: `run a command`.
 * @param name What the number is called.
 * @returns The number.
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is negative, NaN or too large for a timer.
 */
export function durationOf(
  duration: unknown,
  what: string,
  name = "timeout",
): number {
  if (duration === undefined || duration === Infinity) return Infinity;
  checkDuration(duration, what, name);
  return duration;
}

/**
 * Waits for a promise for a limited time. The promise goes on after that.
 *
 * @throws {DOMException} `TimeoutError`, if the time passes first.
 */
export async function within<T>(
  promise: Promise<T>,
  { timeout, signal }: { timeout: number; signal?: AbortSignal },
  what: string,
): Promise<T> {
  signal?.throwIfAborted();
  if (timeout === Infinity && signal === undefined) return await promise;
  const { promise: end, reject } = Promise.withResolvers<never>();
  const timer = timeout === Infinity
    ? undefined
    : setTimeout(() => reject(timeoutError(what, timeout)), timeout);
  const abort = () => reject(signal!.reason);
  signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
