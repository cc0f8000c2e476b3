/**
 * What the promise form of a wait makes of its options.
 *
 * @module
 */

import {
  timeoutError,
  timeoutOf,
  type WaitOptions,
} from "../_internal/options.ts";
import type { Surrender } from "./_memory/wait_promise.ts";

/**
 * When the wait is to be given up.
 *
 * @param options The options.
 * @param what What is being waited for, for messages: `acquire a Lock`.
 * @throws {TypeError} If the timeout is not a number.
 * @throws {RangeError} If it is negative, NaN or above `TIMEOUT_MAX`.
 * @throws The signal's reason, if that is aborted.
 */
export function surrenderOf(
  options: WaitOptions | undefined,
  what: string,
): Surrender {
  const timeout = timeoutOf(options, what);
  const signal = options?.signal;
  signal?.throwIfAborted();
  return { timeout, signal, timeoutError: () => timeoutError(what, timeout) };
}
