/**
 * The lock.
 *
 * @module
 */

import { ThreadingError } from "./errors.ts";
import { compareExchange, load, ownerWord } from "./_memory/heap.ts";
import {
  timeoutOf,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/options.ts";
import {
  ADDRESS,
  addressOf,
  createObject,
  registerClass,
  SharedObject,
} from "./_memory/shared_object.ts";
import { MAIN_QUEUE } from "./_memory/wait_queue.ts";
import { surrenderOf, waitSync } from "./_memory/wait.ts";
import {
  checkEnd,
  refuseSelfDeadlock,
  takeNowait,
  waitForLock,
} from "./_lock_acquire.ts";
import { abandonLock, lockProtocol, releaseSlow } from "./_lock_queue.ts";
import {
  destroyLock,
  isFree,
  LOCK_WORDS,
  LockField,
  note,
  PROMISE,
  recoverLock,
  takeFree,
} from "./_lock_word.ts";

const ACQUIRE = "acquire a Lock";
/** Longer looking keeps the lock's word from the cache of its owner. */
const SPINS = 10;

/**
 * A lock: one thread at a time holds it, the others wait. After `Lock` of
 * Python's threading.
 *
 * It may be released by another thread than the one that took it, and is not
 * reentrant: who holds it and takes it again waits for somebody to release it.
 * A thread that dies abnormally while it holds the lock poisons it: `acquire`
 * then throws {@linkcode OwnerDiedError} until {@linkcode recover}. A lock that
 * is held when its thread returns stays locked.
 *
 * A free lock goes to whoever asks first; a thread that has waited for more
 * than a millisecond gets it handed over, so nobody starves.
 *
 * @example Guard a section
 * ```ts
 * import { Lock } from "@skein/std/threading";
 * import { assert } from "@std/assert";
 *
 * const lock = new Lock();
 * {
 *   using _ = lock.acquireSync();
 *   assert(lock.locked());
 * }
 * assert(!lock.locked());
 * ```
 */
export class Lock extends SharedObject {
  /** Makes a free lock. */
  constructor() {
    super(createObject(KIND, LOCK_WORDS));
  }

  /**
   * Takes the lock, and waits for it without blocking the thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The lock, to be released, or disposed of by `using`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {OwnerDiedError} If the thread that held the lock died.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Lock } from "@skein/std/threading";
   *
   * const lock = new Lock();
   * using _ = await lock.acquire({ timeout: 1000 });
   * ```
   */
  async acquire(options?: WaitOptions): Promise<this> {
    const surrender = surrenderOf(options, ACQUIRE);
    const address = addressOf(this);
    note(address);
    const at = address + LockField.word;
    if (compareExchange(at, 0, ownerWord | PROMISE) !== 0) {
      await waitForLock(lockProtocol, address, surrender, ACQUIRE);
    }
    return this;
  }

  /**
   * Takes the lock, and blocks the thread until it is free.
   *
   * @param options A timeout in milliseconds.
   * @returns The lock, to be released, or disposed of by `using`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {OwnerDiedError} If the thread that held the lock died.
   * @throws {ThreadingError} If the wait could never end: an async task of this
   * thread holds the lock, or no other thread is left to release it.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Lock } from "@skein/std/threading";
   *
   * const lock = new Lock();
   * lock.acquireSync();
   * try {
   *   // …
   * } finally {
   *   lock.release();
   * }
   * ```
   */
  acquireSync(options?: WaitSyncOptions): this {
    const address = this[ADDRESS];
    note(address);
    if (
      options !== undefined ||
      compareExchange(address + LockField.word, 0, ownerWord) !== 0
    ) {
      acquireSlow(this, options);
    }
    return this;
  }

  /**
   * Takes the lock if it is free.
   *
   * @returns The lock, or `undefined` if it is held.
   * @throws {OwnerDiedError} If the thread that held the lock died.
   *
   * @example
   * ```ts
   * import { Lock } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * lock.acquireSync();
   * assertEquals(lock.acquireNowait(), undefined);
   * ```
   */
  acquireNowait(): this | undefined {
    return takeNowait(addressOf(this), ACQUIRE) ? this : undefined;
  }

  /**
   * Releases the lock, whoever took it.
   *
   * @throws {ThreadingError} If it is not held.
   *
   * @example
   * ```ts
   * import { Lock } from "@skein/std/threading";
   *
   * const lock = new Lock().acquireSync();
   * lock.release();
   * ```
   */
  release(): void {
    const address = this[ADDRESS];
    if (
      compareExchange(address + LockField.word, ownerWord, 0) !== ownerWord &&
      !releaseSlow(addressOf(this))
    ) {
      throw new ThreadingError("Cannot release a Lock: it is not held");
    }
  }

  /**
   * Whether the lock is held, or poisoned. The answer may be out of date when
   * it arrives.
   *
   * @returns `true` if an `acquire` would not get it now.
   *
   * @example
   * ```ts
   * import { Lock } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * assert(!new Lock().locked());
   * ```
   */
  locked(): boolean {
    return !isFree(load(addressOf(this) + LockField.word));
  }

  /**
   * Makes a lock usable again whose owner died, free to be taken. To be called
   * when what it guards has been repaired; does nothing with any other lock.
   *
   * @example
   * ```ts
   * import { Lock } from "@skein/std/threading";
   *
   * new Lock().recover();
   * ```
   */
  recover(): void {
    recoverLock(addressOf(this));
  }

  /** Releases the lock, at the end of the block that `using` is in. */
  [Symbol.dispose](): void {
    this.release();
  }
}

function acquireSlow(owner: Lock, options: WaitSyncOptions | undefined): void {
  const timeout = timeoutOf(options, ACQUIRE);
  const address = addressOf(owner);
  const at = address + LockField.word;
  for (let spin = 0; spin < SPINS; spin++) {
    // Only looks until the lock seems free: writing would slow its owner down.
    if (isFree(load(at)) && takeFree(address, ownerWord)) return;
  }
  refuseSelfDeadlock(address, ACQUIRE);
  const end = waitSync(lockProtocol, address, MAIN_QUEUE, timeout, ACQUIRE);
  checkEnd(end, address, timeout, ACQUIRE);
}

const KIND = registerClass(import.meta, {
  constructor: Lock,
  destroy: destroyLock,
  abandon: abandonLock,
  protocol: lockProtocol,
});
