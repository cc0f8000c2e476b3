/**
 * The condition variable, and how a wait gives its lock up and gets it back.
 *
 * @module
 */

import {
  checkFunction,
  shown,
  timeoutError,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/check.ts";
import { ThreadingError } from "../errors.ts";
import {
  add,
  Field,
  FREED,
  load,
  ownerWord,
  tid,
  words,
} from "../_memory/heap.ts";
import { lock, lockInner, unlock, unlockInner } from "../_memory/mutex.ts";
import {
  classOf,
  lookAtWaiters,
  registerClass,
} from "../_memory/shared_class.ts";
import {
  ADDRESS,
  addressOf,
  createObject,
  objectAt,
  pinUntil,
  releaseReference,
  SharedObject,
} from "../_memory/shared_object.ts";
import {
  attend,
  checkEnd,
  isLost,
  Lock,
  lockProtocol,
  lose,
  releaseSlow,
  waitForLock,
} from "./lock.ts";
import { acquireFor, releaseOnce, RLock } from "./rlock.ts";
import {
  checkInterrupted,
  isInterrupted,
  runSheltered,
} from "../_memory/scope.ts";
import {
  finishSync,
  OWN_NODE,
  prepareOwnNode,
  type Surrender,
  waitEntered,
  waitSurrender,
  waitSync,
  waitSyncTimeout,
  waitTimeout,
} from "../_memory/wait.ts";
import {
  dequeue,
  enqueue,
  enqueueFirst,
  firstOf,
  firstOther,
  MAIN_QUEUE,
  Node,
  type Protocol,
  Wake,
  wake,
} from "../_memory/wait_queue.ts";
import {
  LockField,
  note,
  ownerOf,
  PROMISE,
  setForm,
  takeFree,
} from "./lock_word.ts";

const LOCK: unique symbol = Symbol("lock");

/**
 * A condition variable: threads that hold its lock wait until another thread
 * notifies them that what they wait for may have come about. After `Condition`
 * of Python's threading.
 *
 * `wait` releases the lock, sleeps until it is notified, and takes the lock
 * again before it returns or throws. A notified thread goes to the lock's own
 * queue and sleeps on until the notifier releases it: one wake-up, not two.
 *
 * @example Hand over a value
 * ```ts
 * import { Condition } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const condition = new Condition();
 * const values: number[] = [];
 * async function consume() {
 *   using _ = await condition.acquire();
 *   await condition.waitFor(() => values.length > 0);
 *   return values.shift();
 * }
 * async function produce(value: number) {
 *   using _ = await condition.acquire();
 *   values.push(value);
 *   condition.notify();
 * }
 * const [got] = await Promise.all([consume(), produce(7)]);
 * assertEquals(got, 7);
 * ```
 */
export class Condition extends SharedObject {
  /** The lock's handle in this thread. @ignore */
  declare [LOCK]: Lock | RLock | undefined;

  /**
   * Makes a condition.
   *
   * @param lock The lock; several conditions may have the same. By default a
   * new `RLock`.
   * @throws {TypeError} If it is neither a Lock nor an RLock.
   */
  constructor(lock: Lock | RLock = new RLock()) {
    if (!(lock instanceof Lock || lock instanceof RLock)) {
      throw new TypeError(
        `Cannot make a Condition: lock must be a Lock or an RLock, received ${
          shown(lock)
        }`,
      );
    }
    const lockAddress = addressOf(lock);
    super(createObject(KIND, CONDITION_WORDS));
    attachLock(addressOf(this), lockAddress);
    this[LOCK] = lock;
  }

  /**
   * Takes the lock, and waits for it without blocking the thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The condition, to be released, or disposed of by `using`.
   * @throws As `acquire` of the lock does.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   *
   * using _ = await new Condition().acquire();
   * ```
   */
  acquire(options?: WaitOptions): Promise<this> {
    // Not an async function: the async flow would be lost, see `rlock.ts`.
    try {
      const lock = lockOf(this);
      const acquired = lock instanceof RLock
        ? acquireFor(lock, options, this)
        : lock.acquire(options).then(() => this);
      // The lock may have no other handle than the condition's.
      return pinUntil(addressOf(this), acquired);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Takes the lock, and blocks the thread until it is free.
   *
   * @param options A timeout in milliseconds.
   * @returns The condition, to be released, or disposed of by `using`.
   * @throws As `acquireSync` of the lock does.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   *
   * using _ = new Condition().acquireSync();
   * ```
   */
  acquireSync(options?: WaitSyncOptions): this {
    lockOf(this).acquireSync(options);
    return this;
  }

  /**
   * Takes the lock if it is free.
   *
   * @returns The condition, or `undefined` if the lock is held.
   * @throws As `acquireNowait` of the lock does.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   *
   * using _ = new Condition().acquireNowait();
   * ```
   */
  acquireNowait(): this | undefined {
    return lockOf(this).acquireNowait() && this;
  }

  /**
   * Releases the lock.
   *
   * @throws {ThreadingError} If it is not held.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   *
   * new Condition().acquireSync().release();
   * ```
   */
  release(): void {
    lockOf(this).release();
  }

  /**
   * Whether the lock is held. The answer may be out of date when it arrives.
   *
   * @returns As `locked` of the lock does.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * assert(!new Condition().locked());
   * ```
   */
  locked(): boolean {
    return lockOf(this).locked();
  }

  /**
   * Makes the lock usable again whose owner died.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   *
   * new Condition().recover();
   * ```
   */
  recover(): void {
    lockOf(this).recover();
  }

  /**
   * Releases the lock, waits until it is notified, and takes the lock again,
   * without blocking the thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait. The
   * lock is taken again in any case.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {ThreadingError} If this thread does not hold the lock.
   * @throws {OwnerDiedError} If a thread died that held the lock meanwhile.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   *
   * const condition = new Condition();
   * setTimeout(async () => {
   *   using _ = await condition.acquire();
   *   condition.notify();
   * }, 10);
   * using _ = await condition.acquire();
   * await condition.wait();
   * ```
   */
  async wait(options?: WaitOptions): Promise<void> {
    const surrender = waitSurrender(options, WAIT);
    const hold = requireHold(this, WAIT);
    const address = addressOf(this);
    await pinUntil(address, waitNotified(address, hold, surrender));
  }

  /**
   * Releases the lock, blocks the thread until it is notified, and takes the
   * lock again.
   *
   * @param options A timeout in milliseconds. The lock is taken again in any
   * case.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {ThreadingError} If this thread does not hold the lock, or no other
   * thread is left that could notify it.
   * @throws {OwnerDiedError} If a thread died that held the lock meanwhile.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   * import { assertThrows } from "@std/assert";
   *
   * using condition = new Condition().acquireSync();
   * assertThrows(() => condition.waitSync({ timeout: 5 }), DOMException);
   * ```
   */
  waitSync(options?: WaitSyncOptions): void {
    const timeout = waitSyncTimeout(options, WAIT);
    const hold = requireHold(this, WAIT);
    waitNotifiedSync(addressOf(this), hold, timeout);
  }

  /**
   * Waits until the predicate holds, without blocking the thread: looks at
   * once, and again after each notification.
   *
   * @typeParam T What the predicate returns.
   * @param predicate Called with the lock held.
   * @param options A timeout in milliseconds for the whole, a signal that ends
   * the wait.
   * @returns What the predicate returned at last, something truthy.
   * @throws {TypeError} If the predicate is not a function.
   * @throws As {@linkcode Condition.wait} does; what the predicate throws.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   *
   * using condition = await new Condition().acquire();
   * await condition.waitFor(() => true);
   * ```
   */
  async waitFor<T>(
    predicate: () => T | PromiseLike<T>,
    options?: WaitOptions,
  ): Promise<T> {
    const timeout = waitTimeout(options, WAIT);
    options?.signal?.throwIfAborted();
    checkFunction(predicate, WAIT, "predicate");
    requireHold(this, WAIT);
    const end = performance.now() + timeout;
    for (;;) {
      const value = await predicate();
      if (value) return value;
      const left = timeLeft(end, timeout);
      try {
        await this.wait({ ...options, timeout: left });
      } catch (error) {
        // Time has passed: the predicate has the last word.
        const isOver = options?.signal?.aborted || isInterrupted();
        if (isOver || !isTimeout(error)) throw error;
      }
    }
  }

  /**
   * Blocks the thread until the predicate holds: looks at once, and again after
   * each notification.
   *
   * @typeParam T What the predicate returns.
   * @param predicate Called with the lock held.
   * @param options A timeout in milliseconds for the whole.
   * @returns What the predicate returned at last, something truthy.
   * @throws {TypeError} If the predicate is not a function.
   * @throws As {@linkcode Condition.waitSync} does; what the predicate throws.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   *
   * using condition = new Condition().acquireSync();
   * condition.waitForSync(() => true);
   * ```
   */
  waitForSync<T>(predicate: () => T, options?: WaitSyncOptions): T {
    const timeout = waitSyncTimeout(options, WAIT);
    checkFunction(predicate, WAIT, "predicate");
    requireHold(this, WAIT);
    const end = performance.now() + timeout;
    for (;;) {
      const value = predicate();
      if (value) return value;
      const left = timeLeft(end, timeout);
      try {
        this.waitSync({ timeout: left });
      } catch (error) {
        // Time has passed: the predicate has the last word.
        if (isInterrupted() || !isTimeout(error)) throw error;
      }
    }
  }

  /**
   * Lets threads go on that wait, those first that have waited longest. They
   * get the lock when the caller releases it.
   *
   * @param n How many, an integer from 0.
   * @throws {ThreadingError} If this thread does not hold the lock.
   * @throws {TypeError} If `n` is not a number.
   * @throws {RangeError} If `n` is not an integer from 0.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   *
   * using condition = new Condition().acquireSync();
   * condition.notify(2);
   * ```
   */
  notify(n = 1): void {
    const what = "notify a Condition";
    if (typeof n !== "number") {
      throw new TypeError(
        `Cannot ${what}: n must be a number, received ${shown(n)}`,
      );
    }
    if (!(Number.isInteger(n) || n === Infinity) || n < 0) {
      throw new RangeError(
        `Cannot ${what}: n must be an integer from 0, received ${n}`,
      );
    }
    requireHold(this, what);
    notifyFirst(addressOf(this), n);
  }

  /**
   * Lets all threads go on that wait.
   *
   * @throws {ThreadingError} If this thread does not hold the lock.
   *
   * @example
   * ```ts
   * import { Condition } from "@skein/std/threading";
   *
   * using condition = new Condition().acquireSync();
   * condition.notifyAll();
   * ```
   */
  notifyAll(): void {
    this.notify(Infinity);
  }

  /** Releases the lock, at the end of the block that `using` is in. */
  get [Symbol.dispose](): () => void {
    // Read when the block begins: an RLock recognizes the async task by that.
    lockOf(this)[Symbol.dispose];
    return endBlock;
  }
}

function endBlock(this: Condition): void {
  const lock = lockOf(this);
  if (isLost(lock)) return;
  if (lock instanceof RLock) releaseOnce(addressOf(lock), true);
  else lock.release();
}

function lockOf(condition: Condition): Lock | RLock {
  const address = condition[ADDRESS];
  // A damaged condition has the same lock as before, to be released.
  if (address === FREED) addressOf(condition);
  const lockAddress = words[address + ConditionField.lock];
  // None yet in this thread, or one that has been freed.
  if (condition[LOCK]?.[ADDRESS] !== lockAddress) {
    condition[LOCK] = objectAt(lockAddress) as Lock | RLock;
  }
  return condition[LOCK]!;
}

function attachLock(address: number, lockAddress: number): void {
  lock(address + Field.mutex);
  add(lockAddress + Field.references, 1);
  words[address + ConditionField.lock] = lockAddress;
  unlock(address + Field.mutex);
}

function requireHold(condition: Condition, what: string): Hold {
  const lock = lockOf(condition);
  const hold = holdOf(addressOf(lock));
  if (hold !== undefined && (lock instanceof Lock || lock.owned())) return hold;
  throw new ThreadingError(
    `Cannot ${what}: this thread does not hold its lock; acquire it first`,
  );
}

/** What is left of a timeout until its end; throws if nothing is. */
function timeLeft(end: number, timeout: number): number {
  const left = end - performance.now();
  if (left <= 0) throw timeoutError(WAIT, timeout);
  return left;
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}

// Waiting for a Condition.
//
// Who wakes whom: a waiter joins the condition's queue while it holds the lock,
// and only then releases it. A notifier holds the lock, too, so it finds
// everybody in the queue who began to wait before: no notification is lost. It
// moves the nodes to the lock's queue, where whoever releases the lock wakes
// them one by one, see `lock.ts`: woken at once they would only sleep on,
// waiting for the lock.
//
// A waiter that gives up leaves the condition's queue, under its mutex. If its
// node is in the lock's queue by then, it has been notified, and waits on until
// it has the lock: a notification never goes to one that times out.
//
// The notification of a waiter whose thread ends before it has the lock goes to
// the next one: whoever cleans up after the thread notifies in its place. So does
// that of a task whose thread blocks: the task cannot go on, and the thread may
// be blocked until another waiter does. The task then waits on, first in line.
//
// However a wait ends, the lock is then held as it was before: in the same form,
// by the same async flow, and as many times.

/** The words of a condition. */
const ConditionField = {
  /** The lock; the condition has a reference to it. */
  lock: Field.own,
} as const;
/** Size of a condition in words. */
const CONDITION_WORDS = Field.own + 1;

/** For messages. */
const WAIT = "wait for a Condition";

/**
 * How often a waiter looks before it sleeps: for some microseconds, less than a
 * sleep costs. Whoever notifies it has three mutexes to take first, so it takes
 * longer than elsewhere.
 */
const SPINS = 2000;

/** Nobody gets what nobody notified: a waiter enters the queue by itself. */
const conditionProtocol: Protocol = {
  take: () => Wake.waiting,
  spins: SPINS,
};

/** How a thread holds a lock. */
interface Hold {
  /** The lock. */
  object: number;
  /** Whether it was taken in the promise form. */
  promise: boolean;
  /** What an RLock has noted. */
  count: number;
  flow: number;
}

/** How this thread holds a lock, `undefined` if it does not. */
function holdOf(object: number): Hold | undefined {
  const word = load(object + LockField.word);
  if (ownerOf(word) !== tid) return undefined;
  return {
    object,
    promise: (word & PROMISE) !== 0,
    count: words[object + LockField.count],
    flow: words[object + LockField.flow],
  };
}

/** Releases the lock however often it was taken. */
function suspend({ object }: Hold): void {
  words[object + LockField.count] = 0;
  words[object + LockField.flow] = 0;
  releaseSlow(object);
}

/** Restores how the lock was held, which this thread has again in some form. */
function resume({ object, promise, count, flow }: Hold): void {
  words[object + LockField.count] = count;
  words[object + LockField.flow] = flow;
  setForm(object, promise);
}

/** Waits in the promise form until it is notified. */
async function waitNotified(
  address: number,
  hold: Hold,
  surrender: Surrender,
): Promise<void> {
  // Until it has released the lock it has it.
  let end: number = Wake.granted;
  let seized = false;
  let origin = 0;
  const release = (node: number) => {
    enter(address, node);
    suspend(hold);
    end = Wake.waiting;
  };
  // At once, not when the promise is continued: a thread that blocks or dies
  // until then would have swallowed the wake-up of the next in the lock's queue.
  const seize = (node: number) => {
    note(hold.object);
    origin = words[node + Node.origin];
    seized = words[node + Node.state] === Wake.retry &&
      takeFree(hold.object, ownerWord | PROMISE);
  };
  try {
    end = await waitEntered(
      conditionProtocol,
      address,
      MAIN_QUEUE,
      surrender,
      release,
      seize,
    );
  } finally {
    if (end !== Wake.granted && !seized) await takeAgain(hold, origin);
    resume(hold);
  }
  passOnIfCancelled(address);
}

/**
 * A wait that was notified and has the lock: if it has been cancelled meanwhile,
 * the notification is for another one.
 *
 * @throws The reason, if it has.
 */
function passOnIfCancelled(address: number): void {
  if (isInterrupted()) notifyFirst(address, 1);
  checkInterrupted();
}

async function takeAgain(
  { object, count }: Hold,
  origin: number,
): Promise<void> {
  note(object);
  try {
    await waitForLock(lockProtocol, object, FOR_EVER, WAIT, origin);
  } catch (error) {
    lose(error, object, count || 1);
  }
}

const FOR_EVER: Surrender = {
  timeout: Infinity,
  timeoutError: () => undefined,
  sheltered: true,
};

/** Waits in the blocking form until it is notified. */
function waitNotifiedSync(
  address: number,
  hold: Hold,
  timeout: number,
): void {
  const deadline = performance.now() + timeout;
  prepareOwnNode();
  enter(address, OWN_NODE);
  suspend(hold);
  let end: number = Wake.waiting;
  try {
    end = finishSync(conditionProtocol, OWN_NODE, deadline, WAIT);
  } finally {
    if (end !== Wake.granted) takeAgainSync(hold);
    words[OWN_NODE + Node.origin] = 0;
    resume(hold);
  }
  if (end === Wake.waiting) throw timeoutError(WAIT, timeout);
  passOnIfCancelled(address);
}

function takeAgainSync({ object, count }: Hold): void {
  note(object);
  if (takeFree(object, ownerWord)) {
    words[OWN_NODE + Node.object] = 0;
  } else {
    const end = runSheltered(() =>
      waitSync(lockProtocol, object, MAIN_QUEUE, Infinity, WAIT)
    );
    try {
      checkEnd(end, object, Infinity, WAIT);
    } catch (error) {
      lose(error, object, count || 1);
    }
  }
}

function enter(address: number, node: number): void {
  lock(address + Field.mutex);
  enqueue(address, MAIN_QUEUE, node);
  unlock(address + Field.mutex);
}

/** Notifies the first `n` that wait. The caller holds the lock. */
function notifyFirst(address: number, n: number): void {
  if (firstOf(address) === 0) return;
  const object = words[address + ConditionField.lock];
  lock(address + Field.mutex);
  const isUsable = lockInner(object + Field.mutex);
  for (let left = n; left > 0 && firstOf(address) !== 0; left--) {
    notifyNode(address, firstOf(address), isUsable);
  }
  if (isUsable && firstOf(object) !== 0) attend(object);
  unlockInner(object + Field.mutex);
  unlock(address + Field.mutex);
}

/** Under both mutexes: notifies one that waits. */
function notifyNode(address: number, node: number, isUsable: boolean): void {
  dequeue(node);
  if (!isUsable) {
    // They find out when they take the lock again.
    wake(node, Wake.damaged);
    return;
  }
  words[node + Node.origin] = address;
  enqueue(words[address + ConditionField.lock], MAIN_QUEUE, node);
}

/** Lets another waiter have what a task of this thread was notified of. */
function takeBack(address: number, node: number): boolean {
  const object = words[address + ConditionField.lock];
  lock(address + Field.mutex);
  const next = firstOther(address);
  if (next !== 0) {
    words[node + Node.origin] = 0;
    words[node + Node.state] = Wake.waiting;
    enqueueFirst(address, MAIN_QUEUE, node);
    const isUsable = lockInner(object + Field.mutex);
    notifyNode(address, next, isUsable);
    if (isUsable) attend(object);
    unlockInner(object + Field.mutex);
  }
  unlock(address + Field.mutex);
  return next !== 0;
}

const KIND = registerClass(import.meta, {
  constructor: Condition,
  protocol: conditionProtocol,
  look(address) {
    const inner = words[address + ConditionField.lock];
    const held = inner === 0 ? [] : classOf(inner)?.look?.(inner) ?? [];
    const to = "waiting to be notified";
    return [...held, ...lookAtWaiters(address, MAIN_QUEUE, to)];
  },
  replace: (address) => notifyFirst(address, 1),
  takeBack,
  destroy(address) {
    const lockAddress = words[address + ConditionField.lock];
    if (lockAddress !== 0) releaseReference(lockAddress);
  },
});
