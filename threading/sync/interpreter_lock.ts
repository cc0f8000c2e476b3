/**
 * The interpreter lock: a lock that is handed over in order of arrival.
 *
 * @module
 */

import {
  checkFunction,
  shown,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/check.ts";
import { DeadlockError, ThreadingError } from "../errors.ts";
import {
  abandonLock,
  attend,
  checkEnd,
  isLost,
  lockProtocol,
  lose,
  passOn,
  refuseSelfDeadlock,
  releaseSlow,
  takeNowait,
  waitForLock,
} from "./lock.ts";
import {
  destroyLock,
  holdersOfLock,
  isFree,
  LOCK_WORDS,
  LockField,
  lookAtLock,
  note,
  PROMISE,
  recoverLock,
  setForm,
  takeIdle,
  WAITERS,
} from "./lock_word.ts";
import {
  compareExchange,
  Field,
  load,
  ownerWord,
  self,
  words,
} from "../_memory/heap.ts";
import { registerClass } from "../_memory/shared_class.ts";
import {
  ADDRESS,
  addressOf,
  createObject,
  pinUntil,
  SharedObject,
} from "../_memory/shared_object.ts";
import {
  acquireFor,
  endFlow,
  type FlowLock,
  isHolder,
  recognizeTask,
} from "./rlock.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import {
  dequeue,
  enqueue,
  firstOf,
  MAIN_QUEUE,
  Node,
  NodeFlag,
  type Protocol,
  Wake,
} from "../_memory/wait_queue.ts";
import { checkInterrupted, runSheltered } from "../_memory/scope.ts";
import {
  finishSync,
  OWN_NODE,
  prepareOwnNode,
  waitSyncTimeout,
} from "../_memory/wait.ts";

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
   * @throws {DeadlockError} If the wait could never end: this thread holds the
   * lock, whoever holds it waits for this thread, or every thread waits.
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
    const timeout = waitSyncTimeout(options, ACQUIRE);
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
   *   // ...
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
    const address = held(this, "allow threads at");
    checkInterrupted();
    return callAside(address, fn, ACQUIRE);
  }

  /** Releases the lock, at the end of the block that `using` is in. */
  get [Symbol.dispose](): () => void {
    // `using` reads this when the block begins: time to recognize the task.
    recognizeTask(this[ADDRESS]);
    return endBlock;
  }
}

function endBlock(this: InterpreterLock): void {
  if (!isLost(this)) this.release();
}

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

// Taking turns at a lock word: what an InterpreterLock does differently from a
// Lock. Every waiter asks to be handed the lock, so it is never free while
// somebody waits, and everybody gets it in order of arrival.
//
// While a thread blocks, its own promise-form waiters stand aside, in a queue of
// their own: they could not run, so what was handed to them would never be
// passed on. They come back to the end of the line.

/** Words of an InterpreterLock. */
const TurnField = {
  /** First and last node of those that stand aside, of all threads. */
  aside: LOCK_WORDS,
  asideLast: LOCK_WORDS + 1,
  /** Every how many checks the lock is handed over. */
  interval: LOCK_WORDS + 2,
  /** Checks left until then; the holder counts. */
  left: LOCK_WORDS + 3,
} as const;
/** Size of an InterpreterLock in words. */
const TURN_WORDS = LOCK_WORDS + 4;

/** How to wait for an InterpreterLock. */
const turnProtocol: Protocol = {
  take(object, node) {
    const end = lockProtocol.take(object, node);
    if (end === Wake.waiting) words[node + Node.flags] |= NodeFlag.handOver;
    return end;
  },
  withdraw: lockProtocol.withdraw,
  undo: lockProtocol.undo,
};

/**
 * Takes the lock in the blocking form, and waits in line for it.
 *
 * @param object The lock.
 * @param timeout Milliseconds.
 * @param what For messages.
 * @throws As `acquireSync` does.
 */
function takeTurn(object: number, timeout: number, what: string): void {
  note(object);
  if (takeIdle(object, ownerWord)) return;
  refuseSelfDeadlock(object, what);
  if ((load(object + LockField.word) & ~WAITERS) === ownerWord) {
    throw new DeadlockError(
      `Cannot ${what}: this thread holds it, and would wait for itself`,
    );
  }
  checkEnd(waitInLine(object, timeout, what), object, timeout, what);
}

function waitInLine(object: number, timeout: number, what: string): number {
  prepareOwnNode();
  lock(object + Field.mutex);
  const end = turnProtocol.take(object, OWN_NODE);
  if (end === Wake.waiting) {
    move(object, MAIN_QUEUE, TurnField.aside);
    enqueue(object, MAIN_QUEUE, OWN_NODE);
  }
  unlock(object + Field.mutex);
  if (end !== Wake.waiting) return end;
  const deadline = performance.now() + timeout;
  try {
    return finishSync(turnProtocol, OWN_NODE, deadline, what);
  } finally {
    comeBack(object);
  }
}

/**
 * Hands the lock, which this thread holds, to the first thread in line, if
 * there is one, and waits for the next turn.
 *
 * @param object The lock.
 * @param what For messages.
 * @throws As `check` does.
 */
function yieldTurn(object: number, what: string): void {
  const hold = holdOf(object);
  prepareOwnNode();
  words[OWN_NODE + Node.flags] |= NodeFlag.handOver;
  lock(object + Field.mutex);
  move(object, MAIN_QUEUE, TurnField.aside);
  const others = firstOf(object) !== 0;
  if (others) {
    enqueue(object, MAIN_QUEUE, OWN_NODE);
    suspend(object);
  }
  unlock(object + Field.mutex);
  try {
    if (!others) return;
    const end = runSheltered(() =>
      finishSync(turnProtocol, OWN_NODE, Infinity, what)
    );
    checkEnd(end, object, Infinity, what);
    resume(object, hold);
  } catch (error) {
    lose(error, object);
  } finally {
    comeBack(object);
  }
}

/**
 * Calls a function without the lock, which this thread holds, and takes it again
 * when that has ended. Meanwhile the thread may block.
 *
 * @param object The lock.
 * @param fn The function.
 * @param what For messages.
 * @returns What the function returned; its promise is settled when the lock has
 * been taken again.
 */
function callAside<T>(object: number, fn: () => T, what: string): T {
  const hold = holdOf(object);
  lock(object + Field.mutex);
  move(object, MAIN_QUEUE, TurnField.aside);
  suspend(object);
  unlock(object + Field.mutex);
  let result: T;
  let isAsync = false;
  try {
    result = fn();
    isAsync = isPromise(result);
  } finally {
    try {
      if (!isAsync) {
        runSheltered(() => takeTurn(object, Infinity, what));
        resume(object, hold);
      }
    } catch (error) {
      lose(error, object);
    } finally {
      comeBack(object);
    }
  }
  if (!isAsync) return result;
  return pinUntil(object, takeAfter(object, hold, result, what)) as T;
}

/** Takes the lock again when a promise is settled, and passes that on. */
async function takeAfter(
  object: number,
  hold: Hold,
  promise: unknown,
  what: string,
): Promise<unknown> {
  try {
    return await promise;
  } finally {
    note(object);
    if (!takeIdle(object, ownerWord | PROMISE)) {
      try {
        await waitForLock(turnProtocol, object, FOR_EVER, what);
      } catch (error) {
        lose(error, object);
      }
    }
    resume(object, { ...hold, promise: true });
  }
}

const FOR_EVER = {
  timeout: Infinity,
  timeoutError: () => undefined,
  sheltered: true,
};

/** How this thread holds the lock. */
interface Hold {
  /** Whether it was taken in the promise form. */
  promise: boolean;
  /** The async flow that it belongs to. */
  flow: number;
}

function holdOf(object: number): Hold {
  return {
    promise: (load(object + LockField.word) & PROMISE) !== 0,
    flow: words[object + LockField.flow],
  };
}

/** In the critical section: releases the lock for a while. */
function suspend(object: number): void {
  words[object + LockField.count] = 0;
  words[object + LockField.flow] = 0;
  passOn(object);
}

/** Restores how the lock was held, which this thread has again in some form. */
function resume(object: number, { promise, flow }: Hold): void {
  words[object + LockField.count] = 1;
  words[object + LockField.flow] = flow;
  setForm(object, promise);
}

function isPromise(value: unknown): boolean {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then ===
    "function";
}

/** Puts those of this thread that stand aside back in line. */
function comeBack(object: number): void {
  if (words[object + TurnField.aside] === 0) return;
  lock(object + Field.mutex);
  if (move(object, TurnField.aside, MAIN_QUEUE)) attend(object);
  unlock(object + Field.mutex);
}

/** Moves the nodes of this thread's promise-form waits to another queue. */
function move(object: number, from: number, to: number): boolean {
  let moved = false;
  for (let node = firstOf(object, from); node !== 0;) {
    const next = words[node + Node.next];
    if (words[node + Node.slot] === self) {
      dequeue(node);
      enqueue(object, to, node);
      moved = true;
    }
    node = next;
  }
  return moved;
}

const TURNS: FlowLock = {
  protocol: turnProtocol,
  what: ACQUIRE,
  reentrant: false,
  takesFree: false,
};

const KIND = registerClass(import.meta, {
  constructor: InterpreterLock,
  destroy: destroyLock,
  look: lookAtLock,
  holders: holdersOfLock,
  abandon: abandonLock,
  reentrant: true, // only its owner can release it
  protocol: lockProtocol,
});
