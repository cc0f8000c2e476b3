/**
 * The interpreter lock.
 *
 * @module
 */

import { checkFunction, shown } from "../_internal/check.ts";
import { ThreadingError } from "./errors.ts";
import { takeNowait } from "./_lock_acquire.ts";
import { abandonLock, lockProtocol, releaseSlow } from "./_lock_queue.ts";
import {
  destroyLock,
  isFree,
  LockField,
  recoverLock,
  WAITERS,
} from "./_lock_word.ts";
import { compareExchange, load, ownerWord, words } from "./_memory/heap.ts";
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
import { endFlow } from "./_flow.ts";
import {
  acquireFor,
  type FlowLock,
  isHolder,
  recognizeTask,
} from "./_reentry.ts";
import {
  callAside,
  takeTurn,
  TURN_WORDS,
  TurnField,
  turnProtocol,
  yieldTurn,
} from "./_turns.ts";

const ACQUIRE = "acquire an InterpreterLock";
const DEFAULT_INTERVAL = 100;
const MAX_INTERVAL = 2 ** 31 - 1;

/**
 * A lock like the one that Python's interpreter has: of the threads that take
 * part, one runs at a time. The holder calls `check` every now and then, and at
 * every n-th check another thread that waits gets its turn. Around whatever
 * takes a while without touching what the lock guards, `allowThreads` lets the
 * others run.
 *
 * Threads take part by choice: send the lock to each and acquire it there. They
 * get it in order of arrival, and it is handed over: a thread that releases it
 * and asks again gets in line.
 *
 * Only the thread that took it releases it, and, if it was taken in the promise
 * form, the async task, as with an `RLock`. One that ends while it holds the
 * lock, in whatever way, poisons it: `acquire` then throws
 * {@linkcode OwnerDiedError} until {@linkcode recover}.
 *
 * @example
 * ```ts
 * import {
 *   InterpreterLock,
 *   sendable,
 *   SharedArray,
 *   Thread,
 * } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const count = sendable(
 *   import.meta,
 *   function count(gil: InterpreterLock, totals: SharedArray<Float64Array>) {
 *     using _ = gil.acquireSync();
 *     for (let i = 0; i < 1000; i++) {
 *       totals.view[0] += 1; // no other thread is at it
 *       gil.check();
 *     }
 *   },
 * );
 *
 * Deno.test("InterpreterLock", async () => {
 *   const gil = new InterpreterLock();
 *   const totals = new SharedArray(Float64Array, 1);
 *   const threads = [1, 2].map(() =>
 *     new Thread({ target: count, args: [gil, totals] })
 *   );
 *   for (const thread of threads) thread.start();
 *   for (const thread of threads) await thread.join();
 *   assertEquals(totals.view[0], 2000);
 * });
 * ```
 */
export class InterpreterLock extends SharedObject {
  /** Makes a free lock that is handed over every 100 checks. */
  constructor() {
    super(createInterpreterLock());
  }

  /**
   * Takes the lock, and waits for it without blocking the thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The lock, to be released, or disposed of by `using`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {OwnerDiedError} If the thread that held the lock ended.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { InterpreterLock } from "@skein/std/threading";
   *
   * const gil = new InterpreterLock();
   * using _ = await gil.acquire({ timeout: 1000 });
   * ```
   */
  acquire(options?: WaitOptions): Promise<this> {
    return acquireFor(this, options, this, TURNS);
  }

  /**
   * Takes the lock, and blocks the thread until it is its turn.
   *
   * @param options A timeout in milliseconds.
   * @returns The lock, to be released, or disposed of by `using`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {OwnerDiedError} If the thread that held the lock ended.
   * @throws {ThreadingError} If the wait could never end: this thread holds the
   * lock, or no other thread is left to release it.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { InterpreterLock } from "@skein/std/threading";
   *
   * const gil = new InterpreterLock();
   * using _ = gil.acquireSync();
   * ```
   */
  acquireSync(options?: WaitSyncOptions): this {
    const timeout = timeoutOf(options, ACQUIRE);
    takeTurn(addressOf(this), timeout, ACQUIRE);
    return this;
  }

  /**
   * Takes the lock if it is free.
   *
   * @returns The lock, or `undefined` if it is held.
   * @throws {OwnerDiedError} If the thread that held the lock ended.
   *
   * @example
   * ```ts
   * import { InterpreterLock } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const gil = new InterpreterLock().acquireSync();
   * assertEquals(gil.acquireNowait(), undefined);
   * ```
   */
  acquireNowait(): this | undefined {
    return takeNowait(addressOf(this), ACQUIRE) ? this : undefined;
  }

  /**
   * Releases the lock; the first thread in line gets it.
   *
   * @throws {ThreadingError} If the caller does not hold it.
   *
   * @example
   * ```ts
   * import { InterpreterLock } from "@skein/std/threading";
   *
   * const gil = new InterpreterLock().acquireSync();
   * gil.release();
   * ```
   */
  release(): void {
    const address = held(this, "release");
    const flow = words[address + LockField.flow];
    if (flow !== 0) {
      endFlow(flow);
      words[address + LockField.flow] = 0;
    }
    const at = address + LockField.word;
    if (compareExchange(at, ownerWord, 0) !== ownerWord) releaseSlow(address);
  }

  /**
   * Whether the lock is held, or poisoned. The answer may be out of date when
   * it arrives.
   *
   * @returns `true` if an `acquire` would not get it now.
   *
   * @example
   * ```ts
   * import { InterpreterLock } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * assert(!new InterpreterLock().locked());
   * ```
   */
  locked(): boolean {
    return !isFree(load(addressOf(this) + LockField.word));
  }

  /**
   * Makes a lock usable again whose holder ended, free to be taken. To be
   * called when what it guards has been repaired; does nothing with any other.
   *
   * @example
   * ```ts
   * import { InterpreterLock } from "@skein/std/threading";
   *
   * new InterpreterLock().recover();
   * ```
   */
  recover(): void {
    recoverLock(addressOf(this));
  }

  /**
   * Counts, and at every n-th call hands the lock to the first thread in line,
   * if there is one, and blocks until it is this thread's turn again. Any other
   * call costs a few nanoseconds, so it fits into a loop.
   *
   * Async tasks of this thread that wait for the lock get no turn here: they
   * could not run before the caller is done.
   *
   * @throws {ThreadingError} If the caller does not hold the lock.
   * @throws {OwnerDiedError} If a thread ended during its turn.
   *
   * @example
   * ```ts
   * import { InterpreterLock } from "@skein/std/threading";
   *
   * const gil = new InterpreterLock();
   * using _ = gil.acquireSync();
   * for (let i = 0; i < 1000; i++) {
   *   // …
   *   gil.check();
   * }
   * ```
   */
  check(): void {
    const address = held(this, "check");
    if (--words[address + TurnField.left] > 0) return;
    words[address + TurnField.left] = words[address + TurnField.interval];
    if (load(address + LockField.word) & WAITERS) yieldTurn(address, ACQUIRE);
  }

  /**
   * Every how many checks the lock is handed over.
   *
   * @returns The number, 100 at first.
   *
   * @example
   * ```ts
   * import { InterpreterLock } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new InterpreterLock().getCheckInterval(), 100);
   * ```
   */
  getCheckInterval(): number {
    return load(addressOf(this) + TurnField.interval);
  }

  /**
   * Sets every how many checks the lock is handed over, for all threads. After
   * `sys.setcheckinterval` of Python 2.
   *
   * @param n The number: the lower, the more often threads take turns.
   * @throws {TypeError} If it is not a number.
   * @throws {RangeError} If it is not an integer above 0.
   *
   * @example
   * ```ts
   * import { InterpreterLock } from "@skein/std/threading";
   *
   * const gil = new InterpreterLock();
   * gil.setCheckInterval(10);
   * ```
   */
  setCheckInterval(n: number): void {
    if (typeof n !== "number") {
      throw new TypeError(
        `Cannot set the check interval: n must be a number, received ${
          shown(n)
        }`,
      );
    }
    if (!Number.isInteger(n) || n < 1 || n > MAX_INTERVAL) {
      throw new RangeError(
        `Cannot set the check interval: n must be an integer between 1 and ${MAX_INTERVAL}, received ${n}`,
      );
    }
    const address = addressOf(this);
    words[address + TurnField.interval] = n;
    words[address + TurnField.left] = n;
  }

  /**
   * Lets other threads run while a function does: releases the lock, calls the
   * function, and takes the lock again when that has returned or thrown, or
   * when its promise is settled. After `Py_BEGIN_ALLOW_THREADS` of Python.
   *
   * @typeParam T What the function returns.
   * @param fn The function; what the lock guards is not to be touched in it.
   * @returns What the function returned; its promise is settled when the lock
   * has been taken again.
   * @throws {ThreadingError} If the caller does not hold the lock.
   * @throws {TypeError} If `fn` is not a function.
   * @throws {OwnerDiedError} If a thread ended during its turn. What the
   * function throws.
   *
   * @example
   * ```ts
   * import { InterpreterLock, sleepSync } from "@skein/std/threading";
   *
   * const gil = new InterpreterLock();
   * using _ = gil.acquireSync();
   * gil.allowThreads(() => sleepSync(10));
   * await gil.allowThreads(() => Deno.lstat(".").catch(() => {}));
   * ```
   */
  allowThreads<T>(fn: () => T): T {
    checkFunction(fn, "allow threads", "fn");
    return callAside(held(this, "allow threads at"), fn, ACQUIRE);
  }

  /** Releases the lock, at the end of the block that `using` is in. */
  get [Symbol.dispose](): () => void {
    // `using` reads this when the block begins: time to recognize the task.
    recognizeTask(this[ADDRESS]);
    return InterpreterLock.prototype.release;
  }
}

const TURNS: FlowLock = {
  protocol: turnProtocol,
  what: ACQUIRE,
  reentrant: false,
};

const KIND = registerClass(import.meta, {
  constructor: InterpreterLock,
  destroy: destroyLock,
  abandon: abandonLock,
  reentrant: true, // only its owner can release it
  protocol: lockProtocol,
});

function createInterpreterLock(): number {
  const address = createObject(KIND, TURN_WORDS);
  words[address + TurnField.interval] = DEFAULT_INTERVAL;
  words[address + TurnField.left] = DEFAULT_INTERVAL;
  return address;
}

/** The address of a lock that the caller holds. */
function held(gil: InterpreterLock, what: string): number {
  const address = addressOf(gil);
  if (!isHolder(address)) {
    throw new ThreadingError(
      `Cannot ${what} an InterpreterLock: this thread does not hold it, or another async task of it does`,
    );
  }
  return address;
}
