/**
 * The semaphores.
 *
 * @module
 */

import { shown } from "../../_internal/check.ts";
import { ThreadingError } from "../errors.ts";
import {
  add,
  compareExchange,
  Field,
  load,
  store,
  words,
} from "../_memory/heap.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import {
  timeoutError,
  timeoutOf,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/options.ts";
import {
  addressOf,
  createObject,
  registerClass,
  SharedObject,
} from "../_memory/shared_object.ts";
import { surrenderOf, waitPromise, waitSync } from "../_memory/wait.ts";
import {
  dequeue,
  firstOther,
  MAIN_QUEUE,
  Node,
  type Protocol,
  Wake,
  wake,
  wakeFirst,
} from "../_memory/wait_queue.ts";

const SemaphoreField = {
  /** Permits that are free. */
  value: Field.own,
  /** One more than a BoundedSemaphore may have, 0 in a Semaphore. */
  bound: Field.own + 1,
} as const;
const SEMAPHORE_WORDS = Field.own + 2;
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

/** Takes a permit if there is one. */
function takePermit(address: number): boolean {
  const at = address + SemaphoreField.value;
  for (let value = load(at); value > 0;) {
    const found = compareExchange(at, value, value - 1);
    if (found === value) return true;
    value = found;
  }
  return false;
}

/** Under the mutex: hands permits to those who wait, keeps the rest. */
function addPermits(address: number, n: number): void {
  let left = n;
  while (left > 0 && wakeFirst(address, MAIN_QUEUE, Wake.granted)) left--;
  const at = address + SemaphoreField.value;
  for (let value = load(at); left > 0;) {
    const found = compareExchange(at, value, value + left);
    if (found === value) return;
    value = found;
  }
}

/**
 * While somebody waits no permit is free: `release` hands permits to waiters
 * first, and a waiter looks for one under the mutex before it joins the queue.
 * But for tasks whose thread is blocked: what they were handed goes to others,
 * or is free until their thread goes on.
 */
const protocol: Protocol = {
  take(object) {
    return takePermit(object) ? Wake.granted : Wake.waiting;
  },
  decline(object, node) {
    lock(object + Field.mutex);
    if (words[node + Node.state] === Wake.granted) {
      words[node + Node.state] = Wake.retry;
      const next = firstOther(object);
      if (next === 0) {
        add(object + SemaphoreField.value, 1);
      } else {
        dequeue(next);
        wake(next, Wake.granted);
      }
    }
    unlock(object + Field.mutex);
  },
};

function abandon(object: number, _node: number, state: number): void {
  if (state !== Wake.granted) return;
  lock(object + Field.mutex);
  addPermits(object, 1);
  unlock(object + Field.mutex);
}

/**
 * A counter of permits: `acquire` takes one and waits if there is none,
 * `release` gives some back. Those who wait are served in order of arrival.
 * After `Semaphore` of Python's threading.
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
 *   // …
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
   * @throws {RangeError} If it is not an integer from 0 to 2³¹ - 2.
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
    if (!takePermit(address)) {
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
   * @throws {ThreadingError} If no other thread is left that could release it.
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
    const timeout = timeoutOf(options, what);
    if (takePermit(address)) return this;
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
    return takePermit(addressOf(this)) ? this : undefined;
  }

  /**
   * Gives permits back.
   *
   * @param n How many, an integer from 1.
   * @throws {TypeError} If `n` is not a number.
   * @throws {RangeError} If `n` is not an integer from 1.
   * @throws {ThreadingError} If there would be more than 2³¹ - 2, or, in a
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
    const fits = load(address + SemaphoreField.value) + n <= bound;
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
   * @throws {RangeError} If it is not an integer from 0 to 2³¹ - 2.
   */
  constructor(value = 1) {
    checkCount(value, "make a BoundedSemaphore", "value", 0);
    super(value);
    const address = addressOf(this);
    store(address + Field.kind, BOUNDED_KIND);
    store(address + SemaphoreField.bound, value + 1);
  }
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

const shared = { abandon, protocol };
const KIND = registerClass(import.meta, { constructor: Semaphore, ...shared });
const BOUNDED_KIND = registerClass(import.meta, {
  constructor: BoundedSemaphore,
  ...shared,
});
