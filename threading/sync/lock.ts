/**
 * The lock: a word that names its owner, and a queue of waiters.
 *
 * @module
 */

import {
  checkFunction,
  checkNotThenable,
  timeoutError,
  timeoutOfSync,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/check.ts";
import { DeadlockError, OwnerDiedError, ThreadingError } from "../errors.ts";
import {
  compareExchange,
  Field,
  load,
  ownerWord,
  self,
  slotIndex,
  store,
  tid,
  words,
} from "../_memory/heap.ts";
import { registerClass } from "../_memory/shared_class.ts";
import {
  ADDRESS,
  addressOf,
  createObject,
  objectAt,
  SharedObject,
} from "../_memory/shared_object.ts";
import {
  dequeue,
  firstOf,
  isOwnTask,
  isUnseen,
  MAIN_QUEUE,
  Node,
  NodeFlag,
  type Protocol,
  Wake,
  wake,
  wakeAll,
  wakeFirst,
} from "../_memory/wait_queue.ts";
import {
  type Surrender,
  surrenderOf,
  waitPromise,
  waitSync,
} from "../_memory/wait.ts";
import {
  destroyLock,
  holdersOfLent,
  isFree,
  isPoisoned,
  LOCK_WORDS,
  LockField,
  lookAtLock,
  note,
  ownerDied,
  ownerOf,
  POISONED,
  PROMISE,
  recoverLock,
  takeFree,
  takeIdle,
  tracedBit,
  traceTaken,
  WAITERS,
  wordOf,
} from "./lock_word.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import { noteReleased, TRACING } from "../_memory/trace.ts";

const ACQUIRE = "acquire a Lock";
/** Longer looking keeps the lock's word from the cache of its owner. */
const SPINS = 10;

/**
 * A lock: one thread at a time holds it, the others wait. After `Lock` of
 * Python's threading.
 *
 * It may be released by another thread than the one that took it, and is not
 * reentrant: a thread that takes it again waits for somebody to release it. A
 * thread that dies abnormally while it holds the lock poisons it: `acquire`
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
    if (!takeIdle(address, ownerWord | PROMISE)) {
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
   * @throws {DeadlockError} If the wait could never end: an async task of this
   * thread holds the lock, whoever holds it waits for this thread, or every
   * thread waits.
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
   *   // ...
   * } finally {
   *   lock.release();
   * }
   * ```
   */
  acquireSync(options?: WaitSyncOptions): this {
    const address = this[ADDRESS];
    note(address);
    if (options !== undefined || !takeIdle(address, ownerWord)) {
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
   * import { Lock } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * assertEquals(await lock.run(() => 42), 42);
   * ```
   */
  async run<T>(
    fn: () => T | PromiseLike<T>,
    options?: WaitOptions,
  ): Promise<T> {
    checkFunction(fn, "run with a Lock held", "fn");
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
   * import { Lock } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * assertEquals(lock.runSync(() => 42), 42);
   * ```
   */
  runSync<T>(
    fn: () => T extends PromiseLike<unknown> ? never : T,
    options?: WaitSyncOptions,
  ): T {
    checkFunction(fn, "run with a Lock held", "fn");
    this.acquireSync(options);
    try {
      const result = fn();
      checkNotThenable(result, "run with a Lock held");
      return result;
    } finally {
      if (!isLost(this)) this.release();
    }
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
    if (!isLost(this)) this.release();
  }
}

/** For each lock, how many blocks of this thread have lost it. */
const lost = new WeakMap<object, number>();
let someLost = false;

/**
 * Passes on an error of taking a lock again that was given back for a while, in a
 * `using` block: if its next holder died, the block no longer has it. Its end
 * releases nothing then, since the lock may be another thread's by that time.
 *
 * @param error The error.
 * @param address The lock.
 * @param blocks How many blocks had it.
 */
export function lose(error: unknown, address: number, blocks = 1): never {
  if (error instanceof OwnerDiedError) {
    const lock = objectAt(address);
    lost.set(lock, (lost.get(lock) ?? 0) + blocks);
    someLost = true;
  }
  throw error;
}

/** Whether the block that ends has lost its lock. */
export function isLost(lock: SharedObject): boolean {
  if (!someLost) return false;
  const blocks = lost.get(lock) ?? 0;
  // It may have taken it anew.
  if (blocks === 0 || ownerOf(load(lock[ADDRESS] + LockField.word)) === tid) {
    return false;
  }
  if (blocks === 1) lost.delete(lock);
  else lost.set(lock, blocks - 1);
  return true;
}

function acquireSlow(owner: Lock, options: WaitSyncOptions | undefined): void {
  const timeout = timeoutOfSync(options, ACQUIRE);
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

// What the forms of `acquire` of Lock, RLock and InterpreterLock have in common:
// all that comes when the lock is not free.

/**
 * Takes a lock if it is free, in the blocking form.
 *
 * @returns Whether it was free.
 * @throws {OwnerDiedError} If its owner died.
 */
export function takeNowait(address: number, what: string): boolean {
  note(address);
  if (takeFree(address, ownerWord)) return true;
  if (isPoisoned(address)) throw ownerDied(address, what);
  return false;
}

/**
 * Waits for a lock that has been noted, in the promise form.
 *
 * @param protocol How to wait for it.
 * @param address The lock.
 * @param surrender When to give up.
 * @param what For messages.
 * @param origin The condition that was waited for before, or 0.
 */
export async function waitForLock(
  protocol: Protocol,
  address: number,
  surrender: Surrender,
  what: string,
  origin = 0,
): Promise<void> {
  // Other locks may have taken its place in the table meanwhile.
  const noteAgain = () => note(address);
  const end = await waitPromise(
    protocol,
    address,
    MAIN_QUEUE,
    surrender,
    noteAgain,
    origin,
  );
  if (end === Wake.refused) throw ownerDied(address, what);
}

/** Throws what a blocking wait that ended so must throw, if it failed. */
export function checkEnd(
  end: number,
  address: number,
  timeout: number,
  what: string,
): void {
  if (end === Wake.refused) throw ownerDied(address, what);
  if (end === Wake.waiting) throw timeoutError(what, timeout);
}

/**
 * To be called before this thread blocks for a lock.
 *
 * @throws {ThreadingError} If its own async code holds it.
 */
export function refuseSelfDeadlock(address: number, what: string): void {
  const word = load(address + LockField.word);
  if (ownerOf(word) !== tid || !(word & PROMISE)) return;
  lock(address + Field.mutex);
  const isPassedOn = isUnseen(address);
  unlock(address + Field.mutex);
  // What a task was given just now, this thread passes on when it blocks.
  if (isPassedOn) return;
  throw new DeadlockError(
    `Cannot ${what}: an async task of this thread holds it and could never release it while the thread is blocked; use the promise form`,
  );
}

// Waiting for a lock word, see `lock_word.ts`.
//
// Who wakes whom: a release of a word that has `WAITERS` takes the first node out
// of the queue, frees the word, and wakes that waiter to try again. A waiter sets
// `WAITERS` under the mutex before it joins the queue, while the word names an
// owner. The owner's compare-exchange then fails, so the owner goes through the
// mutex, too, and finds the node. `WAITERS` stays set as long as there is a
// queue, also in a free word, and each new holder keeps it: it inherits the
// obligation to wake the next waiter.
//
// A free lock goes to the first thread that takes it, even if others are in the
// queue: that makes a contended lock fast. A woken waiter that finds the lock
// taken again goes back to the head of the queue. Once it has waited for
// `PATIENCE_MS`, the lock is handed over to it directly, so nobody starves.
//
// A woken waiter may be unable to go on: it died, or its thread blocks. Then the
// next waiter is woken in its place, unless the lock has been taken meanwhile,
// see also `wait_queue.ts`.

const PATIENCE_MS = 1;

/** How to wait for a lock. */
export const lockProtocol: Protocol = {
  // Most likely the lock is taken again before a waiter that was awake could
  // get at it; each such try costs the owner a slow release. While a waiter
  // sleeps the owner takes the lock and releases it undisturbed.
  spins: 0,
  take(object, node) {
    const at = object + LockField.word;
    for (;;) {
      const word = load(at);
      if (word === POISONED) return Wake.refused;
      if (isFree(word)) {
        // Other locks may have taken its place in the table since the last time.
        note(object);
        const waiters = firstOf(object) === 0 ? tracedBit() : WAITERS;
        if (compareExchange(at, word, wordOf(node) | waiters) === word) {
          traceTaken(object, wordOf(node));
          return Wake.granted;
        }
      } else if (addWaiters(at, word)) {
        const waited = (performance.now() | 0) - words[node + Node.since];
        if (waited >= PATIENCE_MS) {
          words[node + Node.flags] |= NodeFlag.handOver;
        }
        return Wake.waiting;
      }
    }
  },
  takeFast(object, node) {
    return takeFree(object, wordOf(node));
  },
  undo(object, node, state) {
    abandonLock(object, node, state);
    return state !== Wake.refused;
  },
  withdraw(object) {
    if (firstOf(object) !== 0 || tracedBit() !== 0) return;
    const at = object + LockField.word;
    for (;;) {
      const word = load(at);
      if (word < 0 || !(word & WAITERS)) return;
      if (compareExchange(at, word, word & ~WAITERS) === word) return;
    }
  },
  decline(object, node) {
    for (let stuck = node; stuck !== 0;) {
      lock(object + Field.mutex);
      const next = firstOf(object);
      const isStuck = next !== 0 && isOwnTask(next);
      if (undoWake(object, stuck, words[stuck + Node.state])) {
        words[stuck + Node.state] = Wake.retry;
      }
      stuck = isStuck && firstOf(object) !== next ? next : 0;
      unlock(object + Field.mutex);
    }
  },
};

/** Marks a held word; false if it has changed meanwhile. */
function addWaiters(at: number, word: number): boolean {
  return (word & WAITERS) !== 0 ||
    compareExchange(at, word, word | WAITERS) === word;
}

/**
 * Releases a held lock that has, or may have, waiters.
 *
 * @returns Whether it was held.
 */
export function releaseSlow(object: number): boolean {
  lock(object + Field.mutex);
  const owner = ownerOf(load(object + LockField.word));
  if (owner !== 0) {
    if (owner !== tid) words[object + LockField.strayed] = 1;
    passOn(object);
  }
  unlock(object + Field.mutex);
  return owner !== 0;
}

/**
 * Frees a held lock for the next in the queue, or hands it over. In the critical
 * section.
 */
export function passOn(object: number): void {
  const at = object + LockField.word;
  const first = firstOf(object);
  if (words[TRACING] !== 0) noteReleased(object, ownerOf(load(at)));
  if (first === 0) {
    store(at, 0);
    return;
  }
  dequeue(first);
  const waiters = firstOf(object) === 0 ? 0 : WAITERS;
  if (words[first + Node.flags] & NodeFlag.handOver) {
    traceTaken(object, wordOf(first));
    store(at, wordOf(first) | waiters | tracedBit());
    wake(first, Wake.granted);
  } else {
    store(at, waiters);
    wake(first, Wake.retry);
  }
}

/** The owner's word in a worker that runs no thread, and cleans up. */
const NOBODY = slotIndex(self) << 2;

/**
 * Sees to it that nodes that have just been moved into the queue are not
 * overlooked. In the critical section.
 */
export function attend(object: number): void {
  const at = object + LockField.word;
  for (;;) {
    const word = load(at);
    if (word === POISONED) {
      wakeAll(object, MAIN_QUEUE, Wake.refused);
      return;
    }
    if (isFree(word)) {
      // Taken first: others may be about to take it without the mutex.
      if (compareExchange(at, word, ownerWord || NOBODY) === word) {
        passOn(object);
        return;
      }
    } else if (addWaiters(at, word)) {
      return;
    }
  }
}

/** Undoes what a dead thread's node was given. */
export function abandonLock(object: number, node: number, state: number): void {
  lock(object + Field.mutex);
  undoWake(object, node, state);
  unlock(object + Field.mutex);
}

/**
 * Lets the next in the queue have what a node was woken for. In the critical
 * section.
 *
 * @returns Whether the node had been handed the lock, which it no longer has.
 */
function undoWake(object: number, node: number, state: number): boolean {
  const word = load(object + LockField.word);
  if (state === Wake.granted && (word & ~WAITERS) === wordOf(node)) {
    passOn(object);
    return true;
  }
  // The word stays as it is: somebody may be taking the free lock at this moment.
  if (isFree(word)) wakeFirst(object, MAIN_QUEUE, Wake.retry);
  return false;
}

const KIND = registerClass(import.meta, {
  constructor: Lock,
  destroy: destroyLock,
  look: lookAtLock,
  holders: holdersOfLent,
  lent: true,
  abandon: abandonLock,
  protocol: lockProtocol,
});
