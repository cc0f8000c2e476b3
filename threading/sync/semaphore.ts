/**
 * The semaphores.
 *
 * @module
 */

import {
  shown,
  timeoutError,
  timeoutOfSync,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/check.ts";
import { ThreadingError } from "../errors.ts";
import {
  add,
  compareExchange,
  exchange,
  Field,
  load,
  store,
  words,
} from "../_memory/heap.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import {
  counted,
  lookAtWaiters,
  registerClass,
} from "../_memory/shared_class.ts";
import {
  addressOf,
  createObject,
  SharedObject,
} from "../_memory/shared_object.ts";
import { surrenderOf, waitPromise, waitSync } from "../_memory/wait.ts";
import { staying } from "../_codec/writer.ts";
import {
  dequeue,
  firstOf,
  firstOther,
  MAIN_QUEUE,
  Node,
  type Protocol,
  Wake,
  wake,
} from "../_memory/wait_queue.ts";

const SemaphoreField = {
  /** Permits that are free. */
  value: Field.own,
  /** One more than a BoundedSemaphore may have, 0 in a Semaphore. */
  bound: Field.own + 1,
  /** Permits kept for the first in the queue, who needs more than there are. */
  reserved: Field.own + 2,
} as const;
const SEMAPHORE_WORDS = Field.own + 3;
const MAX_VALUE = 2 ** 31 - 2;
const ACQUIRE = "acquire a Semaphore";

/** What a thread does with a semaphore, for messages. */
function acquireOf(address: number): string {
  return isBounded(address) ? "acquire a BoundedSemaphore" : ACQUIRE;
}

function releaseOf(address: number): string {
  return `release a ${isBounded(address) ? "BoundedSemaphore" : "Semaphore"}`;
}

function isBounded(address: number): boolean {
  return words[address + SemaphoreField.bound] !== 0;
}

/** Takes `n` permits if they are free. */
function takePermits(address: number, n: number): boolean {
  const at = address + SemaphoreField.value;
  for (let value = load(at); value >= n;) {
    const found = compareExchange(at, value, value - n);
    if (found === value) return true;
    value = found;
  }
  return false;
}

// Waiters are served in order of arrival, however many permits they need. While
// somebody waits no permit is free: `release` hands permits to waiters, and
// what is not enough for the first of them is reserved. So nobody gets past the
// queue without the mutex, and whoever takes the mutex sees the queue.
//
// Tasks whose thread is blocked are an exception: what they were handed goes to
// others, or is free until their thread goes on. Then they are first again.
//
// Who wakes whom: permits are added, and a waiter leaves, under the mutex only,
// and each such section serves the queue. A waiter looks at the permits in the
// section in which it joins. No wake-up is lost.

/** In a node: how many permits it needs. */
const NEEDS = Node.value;
/** Flag of a node: it had been served, and could not go on. */
const SERVED = 1 << 8;

/** Under the mutex: hands permits to the waiters, keeps the rest. */
function addPermits(address: number, n: number, skipOwn = false): void {
  const next = () => skipOwn ? firstOther(address) : firstOf(address);
  let left = n + words[address + SemaphoreField.reserved];
  let node = next();
  if (node !== 0) left += exchange(address + SemaphoreField.value, 0);
  for (; node !== 0 && words[node + NEEDS] <= left; node = next()) {
    left -= words[node + NEEDS];
    dequeue(node);
    wake(node, Wake.granted);
  }
  words[address + SemaphoreField.reserved] = node === 0 ? 0 : left;
  if (node === 0) add(address + SemaphoreField.value, left);
}

/** Under the mutex: takes permits for a node, or reserves the free ones. */
function takeOrReserve(address: number, node: number, n: number): number {
  words[node + NEEDS] = n;
  const queued = firstOf(address) !== 0;
  if (queued && words[node + Node.flags] & SERVED) {
    // What was reserved since is for those behind it.
    const there = exchange(address + SemaphoreField.value, 0) +
      words[address + SemaphoreField.reserved];
    const left = there < n ? there : there - n;
    words[address + SemaphoreField.reserved] = left;
    if (there < n) return Wake.waiting;
    addPermits(address, 0);
    return Wake.granted;
  }
  // If somebody is in the queue, they are tasks of blocked threads.
  if (takePermits(address, n)) return Wake.granted;
  words[address + SemaphoreField.reserved] += exchange(
    address + SemaphoreField.value,
    0,
  );
  return Wake.waiting;
}

const protocol: Protocol = {
  take: (object, node) => takeOrReserve(object, node, 1),
  withdraw: (object) => addPermits(object, 0),
  // Two threads that take turns answer within some microseconds, in less than a
  // sleep costs.
  spins: 2000,
  undo(object, node, state) {
    abandon(object, node, state);
    return true;
  },
  decline(object, node) {
    lock(object + Field.mutex);
    if (words[node + Node.state] === Wake.granted) {
      words[node + Node.state] = Wake.retry;
      words[node + Node.flags] |= SERVED;
      addPermits(object, words[node + NEEDS], true);
    }
    unlock(object + Field.mutex);
  },
};

/** How to wait for `n` permits. */
function protocolOf(n: number): Protocol {
  if (n === 1) return protocol;
  return {
    ...protocol,
    take: (object, node) => takeOrReserve(object, node, n),
  };
}

function abandon(object: number, node: number, state: number): void {
  if (state !== Wake.granted) return;
  lock(object + Field.mutex);
  addPermits(object, words[node + NEEDS]);
  unlock(object + Field.mutex);
}

/**
 * Permits that `acquireMany` of a semaphore has taken, until they are given back.
 * They belong to the thread that took them, and cannot be sent.
 *
 * @example
 * ```ts
 * import { type Permits, Semaphore } from "@skein/std/threading";
 *
 * const permits: Permits = new Semaphore(4).acquireManySync(3);
 * permits.release();
 * ```
 */
export interface Permits {
  /**
   * Gives all of them back. A second call does nothing.
   *
   * @throws {ThreadingError} If this thread's handle of the semaphore was freed.
   */
  release(): void;
  /** Gives them back, at the end of the block that `using` is in. */
  [Symbol.dispose](): void;
}

class TakenPermits implements Permits {
  #semaphore: Semaphore | undefined;
  readonly #n: number;

  constructor(semaphore: Semaphore, n: number) {
    this.#semaphore = semaphore;
    this.#n = n;
  }

  release(): void {
    this.#semaphore?.release(this.#n);
    this.#semaphore = undefined;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

staying.set(
  TakenPermits,
  "permits of a Semaphore belong to the thread that took them, " +
    "send the semaphore and release them there",
);

/**
 * A counter of permits: `acquire` takes one and waits if there is none,
 * `release` gives some back. Waiters are served in order of arrival. After
 * `Semaphore` of Python's threading.
 *
 * A permit belongs to nobody: any thread may give it back, and one that a dead
 * thread had is lost.
 *
 * @example At most two at a time
 * ```ts
 * import { Semaphore } from "@skein/std/threading";
 *
 * const semaphore = new Semaphore(2);
 * async function download(_url: string) {
 *   using _ = await semaphore.acquire();
 *   // ...
 * }
 * await Promise.all(["a", "b", "c"].map(download));
 * ```
 */
export class Semaphore extends SharedObject {
  /**
   * Makes a semaphore.
   *
   * @param value The number of permits at first, an integer from 0.
   * @throws {TypeError} If the value is not a number.
   * @throws {RangeError} If it is not an integer from 0 to 2^3^1 - 2.
   */
  constructor(value = 1) {
    checkCount(value, "make a Semaphore", "value", 0);
    const address = createObject(KIND, SEMAPHORE_WORDS);
    words[address + SemaphoreField.value] = value;
    super(address);
  }

  /**
   * Takes a permit, and waits for one without blocking the thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The semaphore, to be released, or disposed of by `using`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@skein/std/threading";
   *
   * using _ = await new Semaphore().acquire();
   * ```
   */
  async acquire(options?: WaitOptions): Promise<this> {
    const address = addressOf(this);
    const surrender = surrenderOf(options, acquireOf(address));
    if (!takePermits(address, 1)) {
      await waitPromise(protocol, address, MAIN_QUEUE, surrender);
    }
    return this;
  }

  /**
   * Takes a permit, and blocks the thread until there is one.
   *
   * @param options A timeout in milliseconds.
   * @returns The semaphore, to be released, or disposed of by `using`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {DeadlockError} If no other thread is left that could release it.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@skein/std/threading";
   *
   * using _ = new Semaphore(3).acquireSync();
   * ```
   */
  acquireSync(options?: WaitSyncOptions): this {
    const address = addressOf(this);
    const what = acquireOf(address);
    const timeout = timeoutOfSync(options, what);
    if (takePermits(address, 1)) return this;
    const end = waitSync(protocol, address, MAIN_QUEUE, timeout, what);
    if (end === Wake.waiting) throw timeoutError(what, timeout);
    return this;
  }

  /**
   * Takes a permit if there is one.
   *
   * @returns The semaphore, or `undefined` if there is none.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new Semaphore(0).acquireNowait(), undefined);
   * ```
   */
  acquireNowait(): this | undefined {
    return takePermits(addressOf(this), 1) ? this : undefined;
  }

  /**
   * Takes several permits at once, and waits for them without blocking the
   * thread. In order of arrival: who needs fewer does not get past who needs
   * more and came first.
   *
   * @param n How many, an integer from 1.
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns A guard that gives all of them back, by `using` or `release()`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {RangeError} If `n` is not an integer from 1, or more than a
   * `BoundedSemaphore` has at its start. If the timeout is negative, NaN or too
   * large.
   * @throws {TypeError} If `n` or the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@skein/std/threading";
   *
   * const megabytes = new Semaphore(512);
   * using _ = await megabytes.acquireMany(200);
   * ```
   */
  async acquireMany(n: number, options?: WaitOptions): Promise<Permits> {
    const address = addressOf(this);
    const what = acquireOf(address);
    checkMany(address, n, what);
    const surrender = surrenderOf(options, what);
    const permits = new TakenPermits(this, n);
    if (!takePermits(address, n)) {
      await waitPromise(protocolOf(n), address, MAIN_QUEUE, surrender);
    }
    return permits;
  }

  /**
   * Takes several permits at once, and blocks the thread until they are there.
   * In order of arrival, as {@linkcode acquireMany}.
   *
   * @param n How many, an integer from 1.
   * @param options A timeout in milliseconds.
   * @returns A guard that gives all of them back, by `using` or `release()`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {DeadlockError} If no other thread is left that could release them.
   * @throws {RangeError} If `n` is not an integer from 1, or more than a
   * `BoundedSemaphore` has at its start. If the timeout is negative, NaN or too
   * large.
   * @throws {TypeError} If `n` or the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const semaphore = new Semaphore(3);
   * {
   *   using _ = semaphore.acquireManySync(3);
   *   assertEquals(semaphore.acquireNowait(), undefined);
   * }
   * semaphore.acquireSync();
   * ```
   */
  acquireManySync(n: number, options?: WaitSyncOptions): Permits {
    const address = addressOf(this);
    const what = acquireOf(address);
    checkMany(address, n, what);
    const timeout = timeoutOfSync(options, what);
    const permits = new TakenPermits(this, n);
    if (takePermits(address, n)) return permits;
    const end = waitSync(protocolOf(n), address, MAIN_QUEUE, timeout, what);
    if (end === Wake.waiting) throw timeoutError(what, timeout);
    return permits;
  }

  /**
   * Takes several permits at once if they are there.
   *
   * @param n How many, an integer from 1.
   * @returns A guard that gives all of them back, or `undefined`.
   * @throws {RangeError} If `n` is not an integer from 1, or more than a
   * `BoundedSemaphore` has at its start.
   * @throws {TypeError} If `n` is not a number.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new Semaphore(2).acquireManyNowait(3), undefined);
   * ```
   */
  acquireManyNowait(n: number): Permits | undefined {
    const address = addressOf(this);
    checkMany(address, n, acquireOf(address));
    const permits = new TakenPermits(this, n);
    return takePermits(address, n) ? permits : undefined;
  }

  /**
   * Gives permits back.
   *
   * @param n How many, an integer from 1.
   * @throws {TypeError} If `n` is not a number.
   * @throws {RangeError} If `n` is not an integer from 1.
   * @throws {ThreadingError} If there would be more than 2^3^1 - 2, or, in a
   * `BoundedSemaphore`, more than at its start.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@skein/std/threading";
   *
   * new Semaphore(0).release(2);
   * ```
   */
  release(n = 1): void {
    const address = addressOf(this);
    checkCount(n, releaseOf(address), "n", 1);
    lock(address + Field.mutex);
    const bounded = words[address + SemaphoreField.bound];
    const bound = bounded === 0 ? MAX_VALUE : bounded - 1;
    // Permits that go to waiters count too: they were taken before.
    const there = load(address + SemaphoreField.value) +
      words[address + SemaphoreField.reserved];
    const fits = there + n <= bound;
    if (fits) addPermits(address, n);
    unlock(address + Field.mutex);
    if (fits) return;
    throw new ThreadingError(
      `Cannot ${
        releaseOf(address)
      }: it would have more than ${bound} permits, received ${n}`,
    );
  }

  /**
   * Whether no permit is free. The answer may be out of date when it arrives.
   *
   * @returns `true` if an `acquire` would have to wait.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * assert(new Semaphore(0).locked());
   * ```
   */
  locked(): boolean {
    return load(addressOf(this) + SemaphoreField.value) === 0;
  }

  /** Gives one permit back, at the end of the block that `using` is in. */
  [Symbol.dispose](): void {
    this.release();
  }
}

/**
 * A semaphore that refuses to have more permits than at its start: giving back
 * what was never taken is an error. After `BoundedSemaphore` of Python's
 * threading.
 *
 * @example
 * ```ts
 * import { BoundedSemaphore, ThreadingError } from "@skein/std/threading";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => new BoundedSemaphore(2).release(), ThreadingError);
 * ```
 */
export class BoundedSemaphore extends Semaphore {
  /**
   * Makes a semaphore.
   *
   * @param value The number of permits at first and at most, an integer from 0.
   * @throws {TypeError} If the value is not a number.
   * @throws {RangeError} If it is not an integer from 0 to 2^3^1 - 2.
   */
  constructor(value = 1) {
    checkCount(value, "make a BoundedSemaphore", "value", 0);
    super(value);
    const address = addressOf(this);
    store(address + Field.kind, BOUNDED_KIND);
    store(address + SemaphoreField.bound, value + 1);
  }
}

/** Checks how many permits are asked for at once. */
function checkMany(address: number, n: unknown, what: string): void {
  checkCount(n, what, "n", 1);
  const bound = words[address + SemaphoreField.bound] - 1;
  if (bound < 0 || (n as number) <= bound) return;
  throw new RangeError(
    `Cannot ${what}: n must be at most ${bound}, which it has at its start, received ${n}`,
  );
}

function checkCount(
  count: unknown,
  what: string,
  name: string,
  least: number,
): void {
  if (typeof count !== "number") {
    throw new TypeError(
      `Cannot ${what}: ${name} must be an integer, received ${shown(count)}`,
    );
  }
  if (!Number.isInteger(count) || count < least || count > MAX_VALUE) {
    throw new RangeError(
      `Cannot ${what}: ${name} must be an integer from ${least} to ${MAX_VALUE}, received ${count}`,
    );
  }
}

function look(address: number): string[] {
  const value = load(address + SemaphoreField.value);
  const bound = words[address + SemaphoreField.bound];
  const free = bound === 0
    ? counted(value, "permit")
    : `${value} of ${counted(bound - 1, "permit")}`;
  return [free, ...lookAtWaiters(address)];
}

const shared = { abandon, protocol, look };
const KIND = registerClass(import.meta, { constructor: Semaphore, ...shared });
const BOUNDED_KIND = registerClass(import.meta, {
  constructor: BoundedSemaphore,
  ...shared,
});
