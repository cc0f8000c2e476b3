/**
 * The reentrant lock.
 *
 * @module
 */

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
import { waitSync } from "./_memory/wait.ts";
import { checkEnd, refuseSelfDeadlock, takeNowait } from "./_lock_acquire.ts";
import { abandonLock, lockProtocol } from "./_lock_queue.ts";
import {
  destroyLock,
  isFree,
  LOCK_WORDS,
  LockField,
  note,
  recoverLock,
} from "./_lock_word.ts";
import {
  ACQUIRE,
  acquireFor,
  begin,
  isHolder,
  recognizeTask,
  releaseOnce,
  takeAgain,
} from "./_reentry.ts";

/**
 * A reentrant lock: who holds it may take it again, and it is free when it has
 * been released as often. After `RLock` of Python's threading.
 *
 * Taken in the blocking form it belongs to the thread. Taken in the promise
 * form it belongs to the async flow: two async tasks of one thread never hold
 * it together. Hold it with `using`:
 *
 *     using _ = await lock.acquire();
 *     await load();
 *     using __ = await lock.acquire(); // the same task: no wait
 *
 * Then the task, the functions it calls and the tasks it starts meanwhile hold
 * the lock, and no other task can release it or take it again. A task that has
 * no `using` block, and calls no method of an RLock before it awaits anything
 * else, cannot be told from others: any task of the thread can release the lock
 * for it, and it waits when it takes the lock again, as any other task.
 *
 * Only the owner can release it. A thread that ends in whatever way while it
 * holds the lock poisons it, see {@linkcode RLock.recover}.
 *
 * @example A method that calls another
 * ```ts
 * import { RLock } from "@skein/std/threading";
 *
 * class Account {
 *   #lock = new RLock();
 *   balance = 0;
 *   deposit(amount: number) {
 *     using _ = this.#lock.acquireSync();
 *     this.balance += amount;
 *   }
 *   payInterest() {
 *     using _ = this.#lock.acquireSync();
 *     this.deposit(this.balance * 0.02);
 *   }
 * }
 * new Account().payInterest();
 * ```
 */
export class RLock extends SharedObject {
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
   * import { RLock } from "@skein/std/threading";
   *
   * const lock = new RLock();
   * using _ = await lock.acquire();
   * using __ = await lock.acquire();
   * ```
   */
  acquire(options?: WaitOptions): Promise<this> {
    return acquireFor(this, options, this);
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
   * import { RLock } from "@skein/std/threading";
   *
   * const lock = new RLock();
   * using _ = lock.acquireSync();
   * using __ = lock.acquireSync();
   * ```
   */
  acquireSync(options?: WaitSyncOptions): this {
    const timeout = timeoutOf(options, ACQUIRE);
    const address = addressOf(this);
    if (takeAgain(address)) return this;
    note(address);
    if (compareExchange(address + LockField.word, 0, ownerWord) !== 0) {
      refuseSelfDeadlock(address, ACQUIRE);
      const end = waitSync(lockProtocol, address, MAIN_QUEUE, timeout, ACQUIRE);
      checkEnd(end, address, timeout, ACQUIRE);
    }
    begin(address, 0);
    return this;
  }

  /**
   * Takes the lock if it is free or held by the caller.
   *
   * @returns The lock, or `undefined` if another holds it.
   * @throws {OwnerDiedError} If the thread that held the lock died.
   *
   * @example
   * ```ts
   * import { RLock } from "@skein/std/threading";
   * import { assertStrictEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * lock.acquireSync();
   * assertStrictEquals(lock.acquireNowait(), lock);
   * ```
   */
  acquireNowait(): this | undefined {
    const address = addressOf(this);
    if (takeAgain(address)) return this;
    if (!takeNowait(address, ACQUIRE)) return undefined;
    begin(address, 0);
    return this;
  }

  /**
   * Releases the lock once; it is free when it has been released as often as it
   * was taken.
   *
   * @throws {ThreadingError} If the caller does not hold it.
   *
   * @example
   * ```ts
   * import { RLock } from "@skein/std/threading";
   *
   * const lock = new RLock().acquireSync();
   * lock.release();
   * ```
   */
  release(): void {
    releaseOnce(addressOf(this), false);
  }

  /**
   * Whether the lock is held, or poisoned. The answer may be out of date when
   * it arrives.
   *
   * @returns `true` if another thread would not get it now.
   *
   * @example
   * ```ts
   * import { RLock } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * assert(!new RLock().locked());
   * ```
   */
  locked(): boolean {
    return !isFree(load(addressOf(this) + LockField.word));
  }

  /**
   * Whether the caller holds the lock: this thread, or, if it was taken in the
   * promise form, this async task as far as it can be told.
   *
   * @returns `true` between `acquire` and the last `release`.
   *
   * @example
   * ```ts
   * import { RLock } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * using lock = new RLock().acquireSync();
   * assert(lock.owned());
   * ```
   */
  owned(): boolean {
    return isHolder(addressOf(this));
  }

  /**
   * Makes a lock usable again whose owner ended without releasing it, free to
   * be taken. To be called when what it guards has been repaired; does nothing
   * with any other lock.
   *
   * @example
   * ```ts
   * import { RLock } from "@skein/std/threading";
   *
   * new RLock().recover();
   * ```
   */
  recover(): void {
    recoverLock(addressOf(this));
  }

  /** Releases the lock, at the end of the block that `using` is in. */
  get [Symbol.dispose](): () => void {
    // `using` reads this when the block begins: time to recognize the task.
    recognizeTask(this[ADDRESS]);
    return endBlock;
  }
}

function endBlock(this: RLock): void {
  releaseOnce(addressOf(this), true);
}

const KIND = registerClass(import.meta, {
  constructor: RLock,
  destroy: destroyLock,
  abandon: abandonLock,
  protocol: lockProtocol,
  reentrant: true,
});
