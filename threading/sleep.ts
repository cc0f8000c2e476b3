/**
 * Sleeping.
 *
 * @module
 */

import { self, Slot, tid, words } from "./_memory/heap.ts";
import { checkDuration } from "../_internal/options.ts";
import { sleepFor } from "./_memory/wait.ts";

/**
 * Blocks this thread for a while; the others go on. After `time.sleep` of
 * Python, in milliseconds.
 *
 * The thread can be terminated meanwhile. Its event loop stands still: use
 * `delay` of `@std/async` in code that others share a thread with.
 *
 * @param ms Milliseconds, at most `TIMEOUT_MAX`.
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is negative, NaN or too large.
 *
 * @example
 * ```ts
 * import { sleepSync } from "@skein/std/threading";
 * import { assert } from "@std/assert";
 *
 * const start = performance.now();
 * sleepSync(20);
 * assert(performance.now() - start >= 19);
 * ```
 */
export function sleepSync(ms: number): void {
  checkDuration(ms, "sleep", "ms");
  // Asleep, by its own choice and for no object: see `threadStates`.
  words[self + Slot.waitsFor] = -tid;
  sleepFor(ms);
  words[self + Slot.waitsFor] = 0;
}
