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
