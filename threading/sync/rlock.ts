/**
 * The reentrant lock: how often its owner has taken it, and how one async task
 * is told from another.
 *
 * @module
 */

import {
  checkFunction,
  checkNotThenable,
  timeoutOfSync,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/check.ts";
import {
  compareExchange,
  load,
  ownerWord,
  tid,
  words,
} from "../_memory/heap.ts";
import { registerClass } from "../_memory/shared_class.ts";
import {
  ADDRESS,
  addressOf,
  createObject,
  SharedObject,
} from "../_memory/shared_object.ts";
import { MAIN_QUEUE, type Protocol } from "../_memory/wait_queue.ts";
import { checkInterrupted } from "../_memory/scope.ts";
import {
  onThreadEnd,
  type Surrender,
  surrenderOf,
  waitSync,
} from "../_memory/wait.ts";
import {
  abandonLock,
  checkEnd,
  isLost,
  lockProtocol,
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
  ownerOf,
  PROMISE,
  recoverLock,
  takeFree,
  takeIdle,
  WAITERS,
} from "./lock_word.ts";
import { ThreadingError } from "../errors.ts";
import type { AsyncLocalStorage } from "node:async_hooks";
import { builtIn } from "../../_internal/built_in.ts";

/**
 * A reentrant lock: its owner may take it again, and it is free when it has
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
   * @throws {DeadlockError} If the wait could never end: an async task of this
   * thread holds the lock, whoever holds it waits for this thread, or every
   * thread waits.
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
    const timeout = timeoutOfSync(options, ACQUIRE);
    const address = addressOf(this);
    if (takeAgain(address)) return this;
    note(address);
    if (!takeIdle(address, ownerWord)) {
      refuseSelfDeadlock(address, ACQUIRE);
      const end = waitSync(lockProtocol, address, MAIN_QUEUE, timeout, ACQUIRE);
      checkEnd(end, address, timeout, ACQUIRE);
    }
    begin(address, blockingFlow);
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
    begin(address, blockingFlow);
    return this;
  }

  /**
   * Calls a function with the lock held, and releases it at the end, also if the
   * function throws. The lock of an async function is held until its promise is
   * settled.
   *
   * @param fn The function.
   * @param options `timeout` in milliseconds and an `AbortSignal`, for the wait.
   * @returns What the function returns.
   * @throws {TypeError} If `fn` is not a function.
   * @throws {DOMException} A `TimeoutError` if the time is up.
   * @throws {OwnerDiedError} If the thread that held the lock died.
   *
   * @example
   * ```ts
   * import { RLock } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * assertEquals(await lock.run(() => 42), 42);
   * ```
   */
  async run<T>(
    fn: () => T | PromiseLike<T>,
    options?: WaitOptions,
  ): Promise<T> {
    checkFunction(fn, "run with an RLock held", "fn");
    using _ = await this.acquire(options);
    return await fn();
  }

  /**
   * Calls a function with the lock held, and releases it at the end, also if the
   * function throws. It costs about as much as to acquire and release the lock,
   * where `using` costs some 300 ns more.
   *
   * @param fn The function, which must not return a promise: see `run`.
   * @param options `timeout` in milliseconds, for the wait.
   * @returns What the function returns.
   * @throws {TypeError} If `fn` is not a function, or returns a promise (or
   * another thenable).
   * @throws {DOMException} A `TimeoutError` if the time is up.
   * @throws {OwnerDiedError} If the thread that held the lock died.
   *
   * @example
   * ```ts
   * import { RLock } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * assertEquals(lock.runSync(() => 42), 42);
   * ```
   */
  runSync<T>(
    fn: () => T extends PromiseLike<unknown> ? never : T,
    options?: WaitSyncOptions,
  ): T {
    checkFunction(fn, "run with an RLock held", "fn");
    this.acquireSync(options);
    try {
      const result = fn();
      checkNotThenable(result, "run with an RLock held");
      return result;
    } finally {
      if (!isLost(this)) this.release();
    }
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
   * promise form, this async task, as well as that can be told.
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
  if (!isLost(this)) releaseOnce(addressOf(this), true);
}

// Reentry: how often the owner of an RLock has taken it, and who that is. An
// InterpreterLock, which is taken once, has the same words for its owner.
//
// The words `count` and `flow` of a lock belong to whoever holds it. They are 0
// whenever it is free, and as long as a task that it was handed over to has not
// been told so.

/** For messages. */
const ACQUIRE = "acquire an RLock";

/** A kind of lock that belongs to an async flow. */
export interface FlowLock {
  /** How to wait for it. */
  protocol: Protocol;
  /** For messages. */
  what: string;
  /** Whether its flow may take it again. */
  reentrant: boolean;
  /** Whether code that was cancelled still takes it if it is free. */
  takesFree: boolean;
}

const RLOCK: FlowLock = {
  protocol: lockProtocol,
  what: ACQUIRE,
  reentrant: true,
  takesFree: true,
};

/**
 * Takes a lock in the promise form.
 *
 * @param lock The lock.
 * @param options As for `acquire`.
 * @param value What the promise resolves to.
 * @param kind An RLock by default.
 */
export function acquireFor<T>(
  lock: SharedObject,
  options: WaitOptions | undefined,
  value: T,
  kind: FlowLock = RLOCK,
): Promise<T> {
  // Not an async function: the caller must await the promise of `resumeIn`.
  try {
    const surrender = surrenderOf(options, kind.what);
    if (!kind.takesFree) checkInterrupted();
    const address = addressOf(lock);
    if (kind.reentrant && takeAgainInFlow(address)) {
      return resumeIn(words[address + LockField.flow], value);
    }
    note(address);
    if (takeFree(address, ownerWord | PROMISE)) {
      return resumeIn(beginInFlow(address), value);
    }
    return resumeOnceIn(waitInFlow(address, surrender, kind), value);
  } catch (error) {
    return Promise.reject(error);
  }
}

async function waitInFlow(
  address: number,
  surrender: Surrender,
  { protocol, what }: FlowLock,
): Promise<number> {
  await waitForLock(protocol, address, surrender, what);
  return beginInFlow(address);
}

function beginInFlow(address: number): number {
  const flow = beginFlow();
  begin(address, flow);
  return flow;
}

/**
 * The flow of code that takes locks in the blocking form: 0, or a negative number
 * for a task that a blocked thread runs meanwhile.
 */
let blockingFlow = 0;
let lastBlockingFlow = 0;

/**
 * Runs a function as a flow of its own: it does not own the RLocks that this
 * thread holds in the blocking form.
 */
export function runAsFlow<T>(fn: () => T): T {
  const before = blockingFlow;
  lastBlockingFlow = lastBlockingFlow - 1 | 0x8000_0000;
  blockingFlow = lastBlockingFlow;
  try {
    return fn();
  } finally {
    blockingFlow = before;
  }
}

/** Notes that the caller has just got the lock, in whichever flow. */
function begin(address: number, flow: number): void {
  words[address + LockField.count] = 1;
  words[address + LockField.flow] = flow;
}

/** Takes the lock once more if this thread or this async task holds it. */
function takeAgain(address: number): boolean {
  const word = load(address + LockField.word);
  if ((word & ~WAITERS) === ownerWord) {
    if (words[address + LockField.flow] !== blockingFlow) return false;
    words[address + LockField.count]++;
    return true;
  }
  return (word & PROMISE) !== 0 && takeAgainInFlow(address);
}

function takeAgainInFlow(address: number): boolean {
  const word = load(address + LockField.word);
  if (ownerOf(word) !== tid || !(word & PROMISE)) return false;
  if (!isInFlow(words[address + LockField.flow])) return false;
  words[address + LockField.count]++;
  return true;
}

/**
 * Whether the caller holds the lock. A task that could not be recognized may be
 * the holder: it is believed, as the code that started it would be.
 */
export function isHolder(address: number): boolean {
  const word = load(address + LockField.word);
  if (ownerOf(word) !== tid) return false;
  if (!(word & PROMISE)) {
    return words[address + LockField.flow] === blockingFlow;
  }
  return words[address + LockField.count] > 0 &&
    mayBeInFlow(words[address + LockField.flow]);
}

/** A `using` block begins that has the lock: its async task is the holder's. */
export function recognizeTask(address: number): void {
  const word = load(address + LockField.word);
  const isHeld = ownerOf(word) === tid && (word & PROMISE) !== 0;
  beginBlock(isHeld ? words[address + LockField.flow] : 0);
}

/**
 * Releases a lock once.
 *
 * @param address The lock.
 * @param isBlock Whether that ends a `using` block.
 * @throws {ThreadingError} If the caller does not hold it.
 */
export function releaseOnce(address: number, isBlock: boolean): void {
  if (!isHolder(address)) {
    throw new ThreadingError(
      "Cannot release an RLock: it is not held by this thread and async task",
    );
  }
  const left = --words[address + LockField.count];
  const flow = words[address + LockField.flow];
  if (flow > 0) endOne(flow, isBlock, left);
  if (left > 0) return;
  words[address + LockField.flow] = 0;
  const word = ownerWord | (load(address + LockField.word) & PROMISE);
  if (compareExchange(address + LockField.word, word, 0) !== word) {
    releaseSlow(address);
  }
}

onThreadEnd(endAllFlows);

// Async flows: telling one async task of a thread from another.
//
// `acquire()` of an RLock must know whether its caller is the task that holds
// the lock. JavaScript has no tasks, only contexts that are inherited
// (`AsyncLocalStorage`), and a context set by a callee stays with the caller
// until that awaits something: after
//
//     const a = task();      // acquires in its synchronous beginning
//     await somethingElse(); // this code has the context now, too
//     const b = task();      // and so would this task
//
// `b` would be taken for `a`, and both would hold the lock. So a flow is marked
// where only the task itself can be: in the continuation of `await acquire()`,
// which runs in a job of its own. Nothing can be run at its very start; but for
// as long as that job runs, whichever of an RLock's methods is called (`using`
// reads `[Symbol.dispose]` at once) marks the context for good.
//
// The job ends before a caller goes on that got the lock by way of a function of
// its own, `return await lock.acquire()`. So a `using` block that has the lock
// marks its context, too, unless another one has it already.
//
// A `using` block ends before its function returns. So for as long as there is
// one, its task and what that started hold the lock, and nobody else does: no
// other context may release it. Without one the holder may be a caller of the
// function that took the lock, which has no mark. It cannot be told from any
// other task, so whoever releases the lock then is believed; but taking it again
// waits, as for any other task. Mutual exclusion comes first.
//
// A flow lasts from one `acquire()` to its `release()` and no longer: tasks that
// are started later by code that once held the lock are no longer one. A
// context lists all flows that it is in.

let storage: AsyncLocalStorage<readonly number[]> | undefined;
/** The flows under way, with the number of `using` blocks that have the lock. */
const blocks = new Map<number, number>();
let lastFlow = 0;
/** The flow whose continuation runs in this job, 0 if none. */
let resumed = 0;

/** Begins a flow; returns its number, not 0. */
function beginFlow(): number {
  do lastFlow = (lastFlow + 1) & 0x3fff_ffff; while (
    lastFlow === 0 || blocks.has(lastFlow)
  );
  blocks.set(lastFlow, 0);
  return lastFlow;
}

/** Ends a flow. */
export function endFlow(flow: number): void {
  blocks.delete(flow);
}

/** Ends all flows: the thread that they belong to has ended. */
function endAllFlows(): void {
  blocks.clear();
}

/** The flows that this code belongs to for certain. */
function currentFlows(): readonly number[] {
  const known = storage?.getStore() ?? [];
  if (!blocks.has(resumed) || known.includes(resumed)) return known;
  return enter(resumed, known);
}

/** Marks the context with one more flow. */
function enter(flow: number, known: readonly number[]): readonly number[] {
  storage ??= new (builtIn("node:async_hooks").AsyncLocalStorage)();
  const flows = [...known.filter((flow) => blocks.has(flow)), flow];
  storage.enterWith(flows);
  return flows;
}

/** A `using` block begins that has the lock of a flow. */
function beginBlock(flow: number): void {
  const known = currentFlows();
  const count = blocks.get(flow);
  if (count === undefined) return;
  const isIn = known.includes(flow);
  if (!isIn && count > 0) return;
  if (!isIn) enter(flow, known);
  blocks.set(flow, count + 1);
}

/**
 * The lock of a flow is released once.
 *
 * @param flow The flow.
 * @param isBlock Whether that ends a `using` block.
 * @param left How often the flow still has the lock.
 */
function endOne(flow: number, isBlock: boolean, left: number): void {
  const count = blocks.get(flow);
  if (left === 0) endFlow(flow);
  else if (count) {
    // Blocks that released it before their end, or were none, are over as well.
    blocks.set(flow, Math.min(isBlock ? count - 1 : count, left));
  }
}

/** Whether this code belongs to the flow for certain. */
function isInFlow(flow: number): boolean {
  return currentFlows().includes(flow);
}

/** Whether this code may belong to the flow. */
function mayBeInFlow(flow: number): boolean {
  return currentFlows().includes(flow) || !blocks.get(flow);
}

/**
 * A promise whose continuation belongs to a flow. Since it is not a plain one,
 * `await` calls its `then` with a function that queues the continuation, which
 * so comes to stand between the two other jobs.
 */
class FlowPromise<T> extends Promise<T> {
  flow = 0;

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (typeof onFulfilled !== "function") {
      return super.then(onFulfilled, onRejected);
    }
    return super.then((value) => {
      const enter = () => void (resumed = this.flow);
      const leave = () => void (resumed = 0);
      queueMicrotask(enter);
      enter();
      try {
        return onFulfilled(value);
      } finally {
        leave();
        queueMicrotask(leave);
      }
    }, onRejected);
  }
}

/**
 * A promise that is resolved already, whose continuation belongs to the flow.
 *
 * @param flow The flow.
 * @param value What the promise resolves to.
 */
function resumeIn<T>(flow: number, value: T): Promise<T> {
  const promise = new FlowPromise<T>((resolve) => resolve(value));
  promise.flow = flow;
  return promise;
}

/**
 * Like {@linkcode resumeIn}, for a flow that has yet to begin.
 *
 * @param begun Resolves to the flow.
 * @param value What the promise resolves to.
 */
function resumeOnceIn<T>(begun: Promise<number>, value: T): Promise<T> {
  const promise = new FlowPromise<T>((resolve, reject) => {
    begun.then((flow) => {
      promise.flow = flow;
      resolve(value);
    }).catch(reject);
  });
  return promise;
}

const KIND = registerClass(import.meta, {
  constructor: RLock,
  destroy: destroyLock,
  look: lookAtLock,
  holders: holdersOfLock,
  abandon: abandonLock,
  protocol: lockProtocol,
  reentrant: true,
});
