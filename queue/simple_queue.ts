/**
 * The queue without a limit.
 *
 * @module
 */

import { checkIterable, shown } from "../_internal/check.ts";
import {
  timeoutOf,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/options.ts";
import {
  addressOf,
  pinUntil,
  SharedObject,
} from "../threading/_memory/shared_object.ts";
import { sizeOf } from "./_ends.ts";
import * as getting from "./_get.ts";
import { getMany, getManyNowait, getManySync } from "./_get_many.ts";
import * as hooks from "./_custom_order.ts";
import { createQueue, keepAlive, registerQueue } from "./_kinds.ts";
import { checkCount, PUT } from "./_prepare.ts";
import * as putting from "./_put.ts";
import { putMany, putManyNowait, putManySync } from "./_put_many.ts";

/**
 * A first-in first-out queue of any length that any thread reads and writes
 * directly: no event loop stands in between, so a blocked thread stops nobody.
 * After `SimpleQueue` of Python's queue.
 *
 * An item arrives as a copy, as if by `structuredClone`, but skein's own
 * objects in it, queues included, are shared. Each item is got exactly once, and
 * those who wait are served in order of arrival.
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
    const timeout = timeoutOf(options, PUT);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const queue = addressOf(this);
    await (hooks.isCustom(queue)
      ? hooks.put(hooks.hooked(this), queue, [item], timeout, signal)
      : putting.put(queue, item, timeout, signal));
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
   * @throws {ThreadingError} If no other thread is left that could make room.
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
    const timeout = timeoutOf(options, PUT);
    const queue = addressOf(this);
    if (!hooks.isCustom(queue)) putting.putSync(queue, item, timeout);
    else hooks.putSync(hooks.hooked(this), queue, [item], timeout);
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
    const queue = addressOf(this);
    if (!hooks.isCustom(queue)) putting.putNowait(queue, item);
    else hooks.putNowait(hooks.hooked(this), queue, [item]);
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
    const timeout = timeoutOf(options, PUT);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const queue = addressOf(this);
    const list = listOf(items);
    if (!checkCount(queue, list.length)) return;
    await (hooks.isCustom(queue)
      ? hooks.put(hooks.hooked(this), queue, list, timeout, signal)
      : putMany(queue, list, timeout, signal));
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
   * @throws {ThreadingError} If no other thread is left that could make room.
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
    const timeout = timeoutOf(options, PUT);
    const queue = addressOf(this);
    const list = listOf(items);
    if (!checkCount(queue, list.length)) return;
    if (!hooks.isCustom(queue)) putManySync(queue, list, timeout);
    else hooks.putSync(hooks.hooked(this), queue, list, timeout);
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
    if (!hooks.isCustom(queue)) putManyNowait(queue, list);
    else hooks.putNowait(hooks.hooked(this), queue, list);
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
    const timeout = timeoutOf(options, getting.GET);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const queue = addressOf(this);
    const item = hooks.isCustom(queue)
      ? (await hooks.get(hooks.hooked(this), queue, 1, timeout, signal))[0]
      : await getting.get(queue, timeout, signal);
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
   * @throws {ThreadingError} If no other thread is left that could put one, or
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
    const timeout = timeoutOf(options, getting.GET);
    const queue = addressOf(this);
    const item = hooks.isCustom(queue)
      ? hooks.getSync(hooks.hooked(this), queue, 1, timeout)[0]
      : getting.getSync(queue, timeout);
    return item as T;
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
    const queue = addressOf(this);
    const item = hooks.isCustom(queue)
      ? hooks.getNowait(hooks.hooked(this), queue, 1)[0]
      : getting.getNowait(queue);
    return item as T;
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
    const timeout = timeoutOf(options, getting.GET);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const queue = addressOf(this);
    let items: unknown[];
    if (hooks.isCustom(queue)) {
      items = await hooks.get(hooks.hooked(this), queue, n, timeout, signal);
    } else {
      // It goes on with the queue after a wait.
      items = await pinUntil(queue, getMany(queue, n, timeout, signal));
    }
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
   * @throws {ThreadingError} If no other thread is left that could put one, or
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
    const timeout = timeoutOf(options, getting.GET);
    const queue = addressOf(this);
    if (hooks.isCustom(queue)) {
      return hooks.getSync(hooks.hooked(this), queue, n, timeout) as T[];
    }
    return getManySync(queue, n, timeout) as T[];
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
    const queue = addressOf(this);
    if (hooks.isCustom(queue)) {
      return hooks.getNowait(hooks.hooked(this), queue, n) as T[];
    }
    return getManyNowait(queue, n) as T[];
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
    return sizeOf(addressOf(this));
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

registerQueue(import.meta, SimpleQueue);

function listOf<T>(items: Iterable<T>): T[] {
  checkIterable(items, "put items", "items");
  return [...items];
}
