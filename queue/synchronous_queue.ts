/**
 * The queue without room.
 *
 * @module
 */

import {
  blockingIterables,
  checkOptions,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import {
  addressOf,
  CASE,
  type CaseKind,
  SharedObject,
  waitSyncTimeout,
  waitTimeout,
  words,
} from "../threading/_ground.ts";
import { get, getNowait, getSync } from "./_engine/get.ts";
import { NO_ROOM, QueueField } from "./_engine/layout.ts";
import { put, putNowait, putSync } from "./_engine/put.ts";
import { enter, growTo, leave } from "./_engine/ring.ts";
import { shutDown } from "./_engine/waiters.ts";
import { getCase, PUT_CASE, putCase } from "./_cases.ts";
import { GET, PUT } from "./errors.ts";
import {
  eachItem,
  eachItemSync,
  itemsOf,
  type QueueItems,
} from "./_engine/get_many.ts";
import type { ShutDownOptions } from "./queue.ts";
import { createQueue, keepAlive, registerQueue } from "./simple_queue.ts";

/**
 * A queue that has no room: a put ends when its item is taken, so producer and
 * consumer meet at every item. After Java's `SynchronousQueue` and Go's
 * unbuffered channels.
 *
 * Waiters are served in order of arrival. A put that gives up leaves nothing
 * behind. An item that was handed to a thread that is killed before it takes it
 * goes to the next get.
 *
 * @typeParam T The items.
 *
 * @example
 * ```ts
 * import { SynchronousQueue } from "@skein/std/queue";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new SynchronousQueue<string>();
 * const item = queue.get();
 * await queue.put("spam"); // ends now, since somebody waits
 * assertEquals(await item, "spam");
 * ```
 */
export class SynchronousQueue<T> extends SharedObject {
  /** Makes a queue at which nobody waits. */
  constructor() {
    super(createQueue(new.target));
    const queue = addressOf(this);
    words[queue + QueueField.limit] = NO_ROOM;
    // The place in which an item lies on its way from a put to a get.
    growTo(queue, 1);
  }

  /**
   * Puts an item, and waits until it is taken without blocking the thread.
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
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { SynchronousQueue } from "@skein/std/queue";
   *
   * const queue = new SynchronousQueue<string>();
   * const put = queue.put("spam");
   * console.log(queue.getSync());
   * await put;
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
   * Puts an item, and blocks the thread until it is taken.
   *
   * @param item The item.
   * @param options A timeout in milliseconds.
   * @throws {Full} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {NotSendableError} If the item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   * @throws {DeadlockError} If no other thread is left that could take it.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { SynchronousQueue } from "@skein/std/queue";
   *
   * const queue = new SynchronousQueue<string>();
   * const item = queue.get();
   * queue.putSync("spam");
   * console.log(await item);
   * ```
   */
  putSync(item: T, options?: WaitSyncOptions): void {
    const timeout = waitSyncTimeout(options, PUT);
    putSync(this, addressOf(this), item, timeout);
  }

  /**
   * Puts an item if somebody waits for one.
   *
   * @param item The item.
   * @throws {Full} If nobody does.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {NotSendableError} If the item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   *
   * @example
   * ```ts
   * import { Full, SynchronousQueue } from "@skein/std/queue";
   * import { assertThrows } from "@std/assert";
   *
   * assertThrows(() => new SynchronousQueue().putNowait("spam"), Full);
   * ```
   */
  putNowait(item: T): void {
    putNowait(this, addressOf(this), item);
  }

  /**
   * Takes the item of the next put, and waits for one without blocking the
   * thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The item.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { SynchronousQueue } from "@skein/std/queue";
   *
   * const queue = new SynchronousQueue<string>();
   * const item = queue.get();
   * queue.putNowait("spam");
   * console.log(await item);
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
   * Takes the item of the next put, and blocks the thread until there is one.
   *
   * @param options A timeout in milliseconds.
   * @returns The item.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {DeadlockError} If no other thread is left that could put one, or if
   * the item needs a module that this thread cannot load while it blocks; then
   * the next get finds it.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Empty, SynchronousQueue } from "@skein/std/queue";
   * import { assertThrows } from "@std/assert";
   *
   * const queue = new SynchronousQueue<string>();
   * assertThrows(() => queue.getSync({ timeout: 10 }), Empty);
   * ```
   */
  getSync(options?: WaitSyncOptions): T {
    const timeout = waitSyncTimeout(options, GET);
    return getSync(this, addressOf(this), timeout) as T;
  }

  /**
   * Takes the item of a put that waits.
   *
   * @returns The item.
   * @throws {Empty} If none waits.
   * @throws {ShutDown} If the queue was shut down.
   *
   * @example
   * ```ts
   * import { Empty, SynchronousQueue } from "@skein/std/queue";
   * import { assertThrows } from "@std/assert";
   *
   * assertThrows(() => new SynchronousQueue().getNowait(), Empty);
   * ```
   */
  getNowait(): T {
    return getNowait(this, addressOf(this)) as T;
  }

  /**
   * How many items there are: always none.
   *
   * @returns 0.
   *
   * @example
   * ```ts
   * import { SynchronousQueue } from "@skein/std/queue";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new SynchronousQueue().qsize(), 0);
   * ```
   */
  qsize(): number {
    addressOf(this);
    return 0;
  }

  /**
   * Whether there is no item.
   *
   * @returns `true`.
   *
   * @example
   * ```ts
   * import { SynchronousQueue } from "@skein/std/queue";
   * import { assert } from "@std/assert";
   *
   * assert(new SynchronousQueue().empty());
   * ```
   */
  empty(): boolean {
    addressOf(this);
    return true;
  }

  /**
   * Whether there is no room.
   *
   * @returns `true`.
   *
   * @example
   * ```ts
   * import { SynchronousQueue } from "@skein/std/queue";
   * import { assert } from "@std/assert";
   *
   * assert(new SynchronousQueue().full());
   * ```
   */
  full(): boolean {
    addressOf(this);
    return true;
  }

  /**
   * Ends the queue: puts and gets throw {@linkcode ShutDown} from now on, those
   * that wait too.
   *
   * @param options With `immediate`, what was handed to a thread that was killed
   * before it could take it is thrown away.
   *
   * @example
   * ```ts
   * import { ShutDown, SynchronousQueue } from "@skein/std/queue";
   * import { assertThrows } from "@std/assert";
   *
   * const queue = new SynchronousQueue<string>();
   * queue.shutdown();
   * assertThrows(() => queue.getSync(), ShutDown);
   * ```
   */
  shutdown(options?: ShutDownOptions): void {
    if (options !== undefined) {
      checkOptions(options, "shut down a queue", ["immediate"]);
    }
    const queue = addressOf(this);
    enter(queue);
    shutDown(queue, options?.immediate ?? false);
    leave(queue);
  }

  /**
   * Takes the items in turn, until the queue is shut down.
   *
   * @returns An iterator that gets the items.
   *
   * @example
   * ```ts
   * import { SynchronousQueue } from "@skein/std/queue";
   *
   * const queue = new SynchronousQueue<string>();
   * queue.put("spam").then(() => queue.shutdown());
   * for await (const item of queue) console.log(item);
   * ```
   */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return eachItem<T>(this, Infinity, undefined);
  }

  /**
   * Takes the items in turn, and blocks the thread until there is one, until
   * the queue is shut down.
   *
   * @returns An iterator that gets the items.
   *
   * @example
   * ```ts
   * import { SynchronousQueue } from "@skein/std/queue";
   *
   * const queue = new SynchronousQueue<string>();
   * queue.shutdown();
   * for (const item of queue) console.log(item);
   * ```
   */
  [Symbol.iterator](): Generator<T, void, void> {
    return eachItemSync<T>(this, Infinity);
  }

  /**
   * Iterates the items with options, until the queue is shut down.
   *
   * @param options A timeout in milliseconds for each item, after which
   * {@linkcode Empty} is thrown, and a signal that ends the wait, for the promise
   * form only.
   * @returns An iterable for `for await` and `for`.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number, or if `for` iterates
   * and a signal was given.
   *
   * @example
   * ```ts
   * import { Empty, SynchronousQueue } from "@skein/std/queue";
   * import { assertThrows } from "@std/assert";
   *
   * const queue = new SynchronousQueue<string>();
   * assertThrows(() => [...queue.items({ timeout: 10 })], Empty);
   * ```
   */
  items(options?: WaitOptions): QueueItems<T> {
    return itemsOf<T>(this, options);
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

registerQueue(import.meta, SynchronousQueue);
blockingIterables.push(SynchronousQueue);
