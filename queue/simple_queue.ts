/**
 * The queue without a limit, and how the classes of queues are made known.
 *
 * @module
 */

import {
  checkInteger,
  checkIterable,
  shown,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import {
  ADDRESS,
  addressOf,
  CASE,
  type CaseKind,
  counted,
  CountedThings,
  createObject,
  doubles,
  Field,
  lookAtWaiters,
  pinUntil,
  registerClass,
  releaseReference,
  SharedObject,
  waitSyncTimeout,
  waitTimeout,
  words,
} from "../threading/_ground.ts";
import { releaseRecord } from "../threading/_threads.ts";
import { destroyJournal } from "./_engine/custom_list.ts";
import { abandon } from "./_engine/deliveries.ts";
import { get, getNowait, getProtocol, getSync } from "./_engine/get.ts";
import { getMany, getManyNowait, getManySync } from "./_engine/get_many.ts";
import { releaseItems, releaseParcels } from "./_engine/items.ts";
import {
  Order,
  PlaceShift,
  QUEUE_WORDS,
  QueueField,
  UNLIMITED,
} from "./_engine/layout.ts";
import {
  checkCount,
  put,
  putMany,
  putManyNowait,
  putManySync,
  putNowait,
  putSync,
} from "./_engine/put.ts";
import { close, sizeOf } from "./_engine/ring.ts";
import { tick } from "./_engine/waiters.ts";
import { getCase, PUT_CASE, putCase } from "./_cases.ts";
import { Empty, GET, PUT, ShutDown } from "./errors.ts";

/**
 * A first-in first-out queue of any length that any thread reads and writes
 * directly: no event loop stands in between, so a blocked thread stops nobody.
 * After `SimpleQueue` of Python's queue.
 *
 * An item arrives as a copy, as if by `structuredClone`, but skein's own
 * objects in it, queues included, are shared. Each item is got exactly once,
 * and waiters are served in order of arrival.
 *
 * @typeParam T The items.
 *
 * @example
 * ```ts
 * import { SimpleQueue } from "@skein/std/queue";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new SimpleQueue<string>();
 * queue.putSync("spam");
 * assertEquals(queue.getSync(), "spam");
 * ```
 */
export class SimpleQueue<T> extends SharedObject {
  /** Makes an empty queue. */
  constructor() {
    super(createQueue(new.target));
  }

  /**
   * Puts an item, and waits for room without blocking the thread.
   *
   * The item is copied at once: what is changed in it later does not arrive.
   *
   * @param item The item.
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {Full} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {NotSendableError} If the item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number, or the queue is a
   * priority queue and the item cannot be compared.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   *
   * await new SimpleQueue<string>().put("spam", { timeout: 1000 });
   * ```
   */
  async put(item: T, options?: WaitOptions): Promise<void> {
    const timeout = waitTimeout(options, PUT);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const queue = addressOf(this);
    await put(this, queue, item, timeout, signal);
    keepAlive(this);
  }

  /**
   * Puts an item, and blocks the thread until there is room.
   *
   * @param item The item.
   * @param options A timeout in milliseconds.
   * @throws {Full} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {NotSendableError} If the item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   * @throws {DeadlockError} If no other thread is left that could make room.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number, or the queue is a
   * priority queue and the item cannot be compared.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   *
   * new SimpleQueue<string>().putSync("spam");
   * ```
   */
  putSync(item: T, options?: WaitSyncOptions): void {
    const timeout = waitSyncTimeout(options, PUT);
    const queue = addressOf(this);
    putSync(this, queue, item, timeout);
  }

  /**
   * Puts an item if there is room.
   *
   * @param item The item.
   * @throws {Full} If there is none.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {NotSendableError} If the item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   * @throws {TypeError} If the queue is a priority queue and the item cannot be
   * compared.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   *
   * new SimpleQueue<string>().putNowait("spam");
   * ```
   */
  putNowait(item: T): void {
    putNowait(this, addressOf(this), item);
  }

  /**
   * Puts items in order, all together, and waits for room for all of them
   * without blocking the thread. That is cheaper than to put one by one.
   *
   * @param items The items, not more than the queue's `maxsize`.
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {Full} If the timeout passes first; nothing has been put.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {NotSendableError} If an item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   * @throws {RangeError} If there are more items than the `maxsize`, or the
   * timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number, or the queue is a
   * priority queue and an item cannot be compared.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   *
   * await new SimpleQueue<number>().putMany([1, 2, 3]);
   * ```
   */
  async putMany(items: Iterable<T>, options?: WaitOptions): Promise<void> {
    const timeout = waitTimeout(options, PUT);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const queue = addressOf(this);
    const list = listOf(items);
    if (!checkCount(queue, list.length)) return;
    await putMany(this, queue, list, timeout, signal);
    keepAlive(this);
  }

  /**
   * Puts items in order, all together, and blocks the thread until there is
   * room for all of them.
   *
   * @param items The items, not more than the queue's `maxsize`.
   * @param options A timeout in milliseconds.
   * @throws {Full} If the timeout passes first; nothing has been put.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {NotSendableError} If an item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   * @throws {DeadlockError} If no other thread is left that could make room.
   * @throws {RangeError} If there are more items than the `maxsize`, or the
   * timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number, or the queue is a
   * priority queue and an item cannot be compared.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   *
   * new SimpleQueue<number>().putManySync([1, 2, 3]);
   * ```
   */
  putManySync(items: Iterable<T>, options?: WaitSyncOptions): void {
    const timeout = waitSyncTimeout(options, PUT);
    const queue = addressOf(this);
    const list = listOf(items);
    if (!checkCount(queue, list.length)) return;
    putManySync(this, queue, list, timeout);
  }

  /**
   * Puts items in order, all together, if there is room for all of them.
   *
   * @param items The items, not more than the queue's `maxsize`.
   * @throws {Full} If there is not enough room; nothing has been put.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {NotSendableError} If an item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   * @throws {RangeError} If there are more items than the `maxsize`.
   * @throws {TypeError} If the queue is a priority queue and an item cannot be
   * compared.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   *
   * new SimpleQueue<number>().putManyNowait([1, 2, 3]);
   * ```
   */
  putManyNowait(items: Iterable<T>): void {
    const queue = addressOf(this);
    const list = listOf(items);
    if (!checkCount(queue, list.length)) return;
    putManyNowait(this, queue, list);
  }

  /**
   * Gets the next item, and waits for one without blocking the thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The item.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down and is empty.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new SimpleQueue<string>();
   * const item = queue.get();
   * queue.putNowait("spam");
   * assertEquals(await item, "spam");
   * ```
   */
  async get(options?: WaitOptions): Promise<T> {
    const timeout = waitTimeout(options, GET);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const queue = addressOf(this);
    const item = await get(this, queue, timeout, signal);
    keepAlive(this);
    return item as T;
  }

  /**
   * Gets the next item, and blocks the thread until there is one.
   *
   * @param options A timeout in milliseconds.
   * @returns The item.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down and is empty.
   * @throws {DeadlockError} If no other thread is left that could put one, or
   * if the item needs a module that this thread cannot load while it blocks;
   * then it stays in the queue.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Empty, SimpleQueue } from "@skein/std/queue";
   * import { assertThrows } from "@std/assert";
   *
   * const queue = new SimpleQueue<string>();
   * assertThrows(() => queue.getSync({ timeout: 10 }), Empty);
   * ```
   */
  getSync(options?: WaitSyncOptions): T {
    const timeout = waitSyncTimeout(options, GET);
    return getSync(this, addressOf(this), timeout) as T;
  }

  /**
   * Gets the next item if there is one.
   *
   * @returns The item.
   * @throws {Empty} If there is none.
   * @throws {ShutDown} If the queue was shut down and is empty.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new SimpleQueue<string>();
   * queue.putNowait("spam");
   * assertEquals(queue.getNowait(), "spam");
   * ```
   */
  getNowait(): T {
    return getNowait(this, addressOf(this)) as T;
  }

  /**
   * Waits for an item without blocking the thread, and gets it with those that
   * are there behind it.
   *
   * @param n The most items it gets, an integer from 1, or `Infinity`.
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns From 1 to `n` items.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down and is empty.
   * @throws {RangeError} If `n` is neither an integer from 1 nor `Infinity`, or
   * the timeout is negative, NaN or too large.
   * @throws {TypeError} If `n` or the timeout is not a number.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new SimpleQueue<number>();
   * queue.putManyNowait([1, 2, 3]);
   * assertEquals(await queue.getMany(2), [1, 2]);
   * ```
   */
  async getMany(n: number, options?: WaitOptions): Promise<T[]> {
    checkNumber(n);
    const timeout = waitTimeout(options, GET);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const queue = addressOf(this);
    // It goes on with the queue after a wait.
    const items = await pinUntil(
      queue,
      getMany(this, queue, n, timeout, signal),
    );
    keepAlive(this);
    return items as T[];
  }

  /**
   * Blocks the thread until there is an item, and gets it with those that are
   * there behind it.
   *
   * @param n The most items it gets, an integer from 1, or `Infinity`.
   * @param options A timeout in milliseconds.
   * @returns From 1 to `n` items.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down and is empty.
   * @throws {DeadlockError} If no other thread is left that could put one, or
   * if the item needs a module that this thread cannot load while it blocks.
   * @throws {RangeError} If `n` is neither an integer from 1 nor `Infinity`, or
   * the timeout is negative, NaN or too large.
   * @throws {TypeError} If `n` or the timeout is not a number.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new SimpleQueue<number>();
   * queue.putManyNowait([1, 2, 3]);
   * assertEquals(queue.getManySync(10), [1, 2, 3]);
   * ```
   */
  getManySync(n: number, options?: WaitSyncOptions): T[] {
    checkNumber(n);
    const timeout = waitSyncTimeout(options, GET);
    return getManySync(this, addressOf(this), n, timeout) as T[];
  }

  /**
   * Gets the items that are there.
   *
   * @param n The most items it gets, an integer from 1, or `Infinity`.
   * @returns From 1 to `n` items.
   * @throws {Empty} If there is none.
   * @throws {ShutDown} If the queue was shut down and is empty.
   * @throws {RangeError} If `n` is neither an integer from 1 nor `Infinity`.
   * @throws {TypeError} If `n` is not a number.
   *
   * @example
   * ```ts
   * import { Empty, SimpleQueue } from "@skein/std/queue";
   * import { assertThrows } from "@std/assert";
   *
   * assertThrows(() => new SimpleQueue().getManyNowait(10), Empty);
   * ```
   */
  getManyNowait(n: number): T[] {
    checkNumber(n);
    return getManyNowait(this, addressOf(this), n) as T[];
  }

  /**
   * Gets the items that are there now. They count as got.
   *
   * @returns The items, in the queue's order; none if there is none, or the queue
   * was shut down.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new SimpleQueue<number>();
   * queue.putManyNowait([1, 2, 3]);
   * assertEquals(queue.drain(), [1, 2, 3]);
   * assertEquals(queue.drain(), []);
   * ```
   */
  drain(): T[] {
    const queue = addressOf(this);
    const items: unknown[] = [];
    tick(queue);
    // Not more than there are now: somebody may put as fast as they are got.
    const most = sizeOf(queue);
    try {
      while (items.length < most) {
        items.push(...getManyNowait(this, queue, most - items.length));
      }
    } catch (error) {
      const isOver = error instanceof Empty || error instanceof ShutDown;
      // What cannot be got stays, and what was got must not be lost.
      if (!isOver && items.length === 0) throw error;
    }
    return items as T[];
  }

  /**
   * How many items there are now. The answer may be out of date when it arrives.
   * It can exceed a `maxsize` for a while: an item that was handed to a thread
   * that could not take it (it was killed, say) goes back to where it was.
   *
   * @returns The number of items.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new SimpleQueue().qsize(), 0);
   * ```
   */
  qsize(): number {
    const queue = addressOf(this);
    tick(queue);
    return sizeOf(queue);
  }

  /**
   * Whether there is no item now. The answer may be out of date when it arrives.
   *
   * @returns `true` if `qsize()` is 0.
   *
   * @example
   * ```ts
   * import { SimpleQueue } from "@skein/std/queue";
   * import { assert } from "@std/assert";
   *
   * assert(new SimpleQueue().empty());
   * ```
   */
  empty(): boolean {
    return this.qsize() === 0;
  }

  /** How `select` gets from it. @ignore */
  get [CASE](): { readonly value?: T } {
    return getCase as CaseKind<T>;
  }

  /** How `select` puts into it. @ignore */
  get [PUT_CASE](): { accepts?(item: T): void } {
    return putCase;
  }
}

function checkNumber(n: unknown): void {
  const what = "get items";
  if (typeof n !== "number") {
    throw new TypeError(
      `Cannot ${what}: n must be a number, received ${shown(n)}`,
    );
  }
  if (n >= 1 && (Number.isInteger(n) || n === Infinity)) return;
  throw new RangeError(
    `Cannot ${what}: n must be an integer from 1 or Infinity, received ${n}`,
  );
}

function listOf<T>(items: Iterable<T>): T[] {
  checkIterable(items, "put items", "items");
  return [...items];
}

// deno-lint-ignore ban-types
const kinds = new Map<Function, number>();

/** Makes a class of queues known. */
export function registerQueue(
  meta: ImportMeta,
  // deno-lint-ignore ban-types
  constructor: Function & { prototype: SharedObject },
): void {
  const kind = registerClass(meta, {
    constructor,
    destroy,
    abandon,
    protocol: getProtocol,
    look,
    counter: COUNTER,
  });
  kinds.set(constructor, kind);
}

/** Where a queue without hooks says how many items it has. */
const COUNTER = {
  what: CountedThings.items,
  length: QueueField.length,
  opening: QueueField.opening,
  head: QueueField.head,
  tail: QueueField.tail,
};

/** What there is to see of a queue. */
function look(queue: number): string[] {
  const maxsize = doubles[queue + QueueField.maxsize >> 1];
  const size = sizeOf(queue);
  const out = words[queue + QueueField.out];
  return [
    maxsize > 0 ? `${size} of ${maxsize} items` : counted(size, "item"),
    ...out > 0 ? [`${out} out`] : [],
    ...words[queue + QueueField.shutDown] !== 0 ? ["shut down"] : [],
    ...lookAtWaiters(queue, QueueField.getters, "waiting to get"),
    ...lookAtWaiters(queue, QueueField.putters, "waiting to put"),
  ];
}

/** Makes a queue of the class that `constructor` is or extends. */
// deno-lint-ignore ban-types
export function createQueue(constructor: Function): number {
  let known = constructor;
  while (!kinds.has(known)) known = Object.getPrototypeOf(known);
  const queue = createObject(kinds.get(known)!, QUEUE_WORDS);
  words[queue + QueueField.limit] = UNLIMITED;
  words[queue + QueueField.placeShift] = PlaceShift.cell;
  return queue;
}

/**
 * Checks the limit of a queue.
 *
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is not an integer.
 */
export function checkMaxsize(maxsize: unknown, what: string): number {
  checkInteger(maxsize, `make a ${what}`, "maxsize");
  return maxsize;
}

/** Limits the size of a queue that no other thread knows. */
export function limitQueue(queue: number, maxsize: number): void {
  doubles[queue + QueueField.maxsize >> 1] = maxsize;
  if (maxsize > 0) {
    words[queue + QueueField.limit] = Math.min(maxsize, UNLIMITED);
  }
}

/**
 * What a thread waits for must not be collected meanwhile: its handle is used
 * once more when the wait is over.
 */
export function keepAlive(queue: SharedObject): void {
  void queue[ADDRESS];
}

function destroy(queue: number): void {
  // A damaged queue may own anything, so its contents are leaked on purpose.
  if (words[queue + Field.damaged] !== 0) return;
  if (words[queue + QueueField.order] !== Order.custom) {
    close(queue);
    releaseParcels(queue);
    releaseItems(queue);
    return;
  }
  releaseParcels(queue);
  for (const field of [QueueField.list, QueueField.lock]) {
    const part = words[queue + field];
    if (part !== 0) releaseReference(part);
  }
  destroyJournal(queue);
  const compare = words[queue + QueueField.compare];
  if (compare !== 0) releaseRecord(compare);
}

registerQueue(import.meta, SimpleQueue);
