/**
 * The errors of threading. Every error of this module that is not a wrong
 * argument (`TypeError`, `RangeError`), a passed timeout (`DOMException` named
 * `TimeoutError`) or a missing permission (`Deno.errors.NotCapable`) is one of
 * these.
 *
 * @module
 */

/**
 * Something was done with a thread or a lock that its state does not allow:
 * releasing what is not held, starting twice, joining before the start,
 * joining oneself, waiting for what can never happen.
 *
 * @example
 * ```ts
 * import { Lock, ThreadingError } from "@skein/std/threading";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => new Lock().release(), ThreadingError);
 * ```
 */
export class ThreadingError extends Error {
  /** The name of the class. */
  override name = "ThreadingError";
}

/**
 * A barrier was broken: `abort` was called, its action threw, or it was reset
 * while threads waited.
 *
 * @example
 * ```ts
 * import { Barrier, BrokenBarrierError } from "@skein/std/threading";
 * import { assertThrows } from "@std/assert";
 *
 * const barrier = new Barrier(2);
 * barrier.abort();
 * assertThrows(() => barrier.waitSync(), BrokenBarrierError);
 * ```
 */
export class BrokenBarrierError extends ThreadingError {
  /** The name of the class. */
  override name = "BrokenBarrierError";
}

/**
 * A blocking wait that could never end: whoever could end it waits, step by step,
 * for this very thread, or every thread waits. The message draws it, a line for
 * each thread: what it holds, and what it waits for. What the thread holds it
 * still holds; nothing has changed by the call.
 *
 * It is thrown to the thread that closes the circle, not to those that wait in it
 * already. See `examples/deadlock.ts`.
 *
 * @example
 * ```ts
 * import { DeadlockError, Event } from "@skein/std/threading";
 * import { assertThrows } from "@std/assert";
 *
 * // There is no other thread that could set it.
 * assertThrows(() => new Event().waitSync(), DeadlockError);
 * ```
 */
export class DeadlockError extends ThreadingError {
  /** The name of the class. */
  override name = "DeadlockError";
}

/**
 * The thread that held the lock died without releasing it, so what the lock
 * guards may be half-changed. Repair it, then call `recover()` on the lock.
 *
 * @example
 * ```ts
 * import { OwnerDiedError } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new OwnerDiedError("Thread-1 died").name, "OwnerDiedError");
 * ```
 */
export class OwnerDiedError extends ThreadingError {
  /** The name of the class. */
  override name = "OwnerDiedError";
}

/**
 * A value cannot be sent to another thread. The message says where in the
 * value it sits and what to do about it.
 *
 * @example
 * ```ts
 * import { NotSendableError, SharedList } from "@skein/std/threading";
 * import { assertThrows } from "@std/assert";
 *
 * const list = new SharedList<unknown>();
 * assertThrows(() => list.push(() => {}), NotSendableError);
 * ```
 */
export class NotSendableError extends ThreadingError {
  /** The name of the class. */
  override name = "NotSendableError";
}

/**
 * The shared heap is full. The call that threw it changed nothing, and
 * everything goes on working once something is freed.
 *
 * @example
 * ```ts
 * import { HeapExhaustedError, SharedArray } from "@skein/std/threading";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => new SharedArray(Float64Array, 2 ** 40), HeapExhaustedError);
 * ```
 */
export class HeapExhaustedError extends ThreadingError {
  /** The name of the class. */
  override name = "HeapExhaustedError";
}

/** Errors of other names whose cause says that a timeout has passed. */
const TIMEOUTS = ["Empty", "Full"];

/**
 * Whether an error says that the timeout of a wait has passed: a `TimeoutError`,
 * also that of `AbortSignal.timeout`, or the `Empty` or `Full` of a queue, if it
 * was a timeout that they end.
 *
 * @param error What was thrown, here or in another thread.
 * @returns `true` if it does.
 *
 * @example
 * ```ts
 * import { Event, isTimeout } from "@skein/std/threading";
 * import { assert } from "@std/assert";
 *
 * try {
 *   new Event().waitSync({ timeout: 10 });
 * } catch (error) {
 *   assert(isTimeout(error));
 * }
 * ```
 */
export function isTimeout(error: unknown): boolean {
  if (isTimeoutError(error)) return true;
  return error instanceof Error && TIMEOUTS.includes(error.name) &&
    isTimeoutError(error.cause);
}

function isTimeoutError(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}
