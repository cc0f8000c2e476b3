/**
 * The two ends of a queue: {@linkcode Producer}, where items are put, and
 * {@linkcode Consumer}, where they are got. How they close is in `_ends.ts`.
 *
 * @module
 */

import {
  blockingIterables,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import { ADDRESS, addressOf, SharedObject } from "../threading/_ground.ts";
import {
  callLater,
  closeEnd,
  createEnd,
  disposeEnd,
  openNewEnd,
  queueNow,
  whileOpen,
  whileOpenSync,
} from "./_ends.ts";
import { QueueField } from "./_engine/layout.ts";
import { GET, PUT } from "./errors.ts";
import type { Delivery } from "./delivery.ts";
import type { QueueItems } from "./_engine/get_many.ts";

/**
 * The end of a queue at which items are put; {@linkcode Queue.producer} makes
 * it. When the last producer of a queue has closed, the queue is shut down:
 * gets and iterations end when it is empty.
 *
 * A producer closes by `close()` or at the end of the block of a `using`, in
 * any thread, or when no living thread has a handle of it and no stored value
 * refers to it. So a queue ends even if its producers are killed. For that,
 * give each thread a producer of its own: it makes one itself, or gets one from
 * a thread that then calls `free()`, since every handle keeps the producer
 * open. Several threads may share one producer; the first `close()` closes it
 * for all of them.
 *
 * @typeParam T The items.
 *
 * @example
 * ```ts
 * import { type Producer, Queue } from "@skein/std/queue";
 * import { sendable, Thread } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const count = sendable(
 *   import.meta,
 *   function count(queue: Queue<number>) {
 *     using producer = queue.producer();
 *     for (let n = 1; n <= 3; n++) producer.putSync(n);
 *   },
 * );
 *
 * Deno.test("the queue ends with its producers", async () => {
 *   const queue = new Queue<number>();
 *   const own = queue.producer(); // until all threads have theirs
 *   const threads = [1, 2].map(() =>
 *     new Thread({ target: count, args: [queue] })
 *   );
 *   for (const thread of threads) thread.start();
 *   for (const thread of threads) await thread.join();
 *   own.close();
 *   let sum = 0;
 *   for await (const n of queue) sum += n;
 *   assertEquals(sum, 12);
 * });
 * ```
 */
export class Producer<T> extends SharedObject {
  /** @ignore */
  constructor(queue: object) {
    super(createEnd(Producer));
    openNewEnd(this, queue, QueueField.producers);
  }

  /** How many items there may be at once; 0 and below mean no limit. */
  get maxsize(): number {
    return queueNow<T>(this, "read maxsize").maxsize;
  }

  /**
   * Puts an item, as `put` of the queue does.
   *
   * @param item The item.
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {Full} If the timeout passes first.
   * @throws {ShutDown} If the producer was closed, or the queue was shut down.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * using producer = new Queue<string>().producer();
   * await producer.put("spam");
   * ```
   */
  put(item: T, options?: WaitOptions): Promise<void> {
    return callLater<T, void>(this, PUT, (queue) => queue.put(item, options));
  }

  /**
   * Puts an item, as `putSync` of the queue does.
   *
   * @param item The item.
   * @param options A timeout in milliseconds.
   * @throws {Full} If the timeout passes first.
   * @throws {ShutDown} If the producer was closed, or the queue was shut down.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * using producer = new Queue<string>().producer();
   * producer.putSync("spam");
   * ```
   */
  putSync(item: T, options?: WaitSyncOptions): void {
    queueNow<T>(this, PUT).putSync(item, options);
    void this[ADDRESS];
  }

  /**
   * Puts an item if there is room, as `putNowait` of the queue does.
   *
   * @param item The item.
   * @throws {Full} If there is none.
   * @throws {ShutDown} If the producer was closed, or the queue was shut down.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * using producer = new Queue<string>().producer();
   * producer.putNowait("spam");
   * ```
   */
  putNowait(item: T): void {
    queueNow<T>(this, PUT).putNowait(item);
  }

  /**
   * Puts items together, as `putMany` of the queue does.
   *
   * @param items The items.
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {Full} If the timeout passes first.
   * @throws {ShutDown} If the producer was closed, or the queue was shut down.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * using producer = new Queue<string>().producer();
   * await producer.putMany(["spam", "egg"]);
   * ```
   */
  putMany(items: Iterable<T>, options?: WaitOptions): Promise<void> {
    return callLater<T, void>(
      this,
      PUT,
      (queue) => queue.putMany(items, options),
    );
  }

  /**
   * Puts items together, as `putManySync` of the queue does.
   *
   * @param items The items.
   * @param options A timeout in milliseconds.
   * @throws {Full} If the timeout passes first.
   * @throws {ShutDown} If the producer was closed, or the queue was shut down.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * using producer = new Queue<string>().producer();
   * producer.putManySync(["spam", "egg"]);
   * ```
   */
  putManySync(items: Iterable<T>, options?: WaitSyncOptions): void {
    queueNow<T>(this, PUT).putManySync(items, options);
    void this[ADDRESS];
  }

  /**
   * Puts items together if there is room for all, as `putManyNowait` of the queue
   * does.
   *
   * @param items The items.
   * @throws {Full} If there is none.
   * @throws {ShutDown} If the producer was closed, or the queue was shut down.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * using producer = new Queue<string>().producer();
   * producer.putManyNowait(["spam", "egg"]);
   * ```
   */
  putManyNowait(items: Iterable<T>): void {
    queueNow<T>(this, PUT).putManyNowait(items);
  }

  /**
   * How many items there are now.
   *
   * @returns Their number, which may be out of date when it arrives.
   * @throws {ShutDown} If the producer was closed.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   * import { assertEquals } from "@std/assert";
   *
   * using producer = new Queue<string>().producer();
   * producer.putNowait("spam");
   * assertEquals(producer.qsize(), 1);
   * ```
   */
  qsize(): number {
    return queueNow<T>(this, "count items").qsize();
  }

  /**
   * Whether there is no room now.
   *
   * @returns `true` if a put would have to wait.
   * @throws {ShutDown} If the producer was closed.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   * import { assert } from "@std/assert";
   *
   * using producer = new Queue<string>(1).producer();
   * producer.putNowait("spam");
   * assert(producer.full());
   * ```
   */
  full(): boolean {
    return queueNow<T>(this, "count items").full();
  }

  /**
   * Closes the producer, for all threads that have it. After the last one the
   * queue is shut down, and puts that still wait throw `ShutDown`. A second
   * call does nothing.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * const producer = queue.producer();
   * producer.putNowait("spam");
   * producer.close();
   * for (const item of queue) console.log(item);
   * ```
   */
  close(): void {
    closeEnd(addressOf(this));
  }

  /** Closes the producer, unless this thread's handle was given back. */
  [Symbol.dispose](): void {
    disposeEnd(this);
  }
}

/**
 * The end of a queue at which items are got; {@linkcode Queue.consumer} makes it.
 * When the last consumer of a queue has closed, nothing can be put any more: each
 * put throws {@linkcode ShutDown}, also those that wait. The items stay, and can
 * still be got.
 *
 * A consumer closes as a {@linkcode Producer} does. So producers find out that
 * all their consumers have died. A supervisor that starts new ones in their
 * place holds a consumer of its own meanwhile.
 *
 * @typeParam T The items.
 *
 * @example
 * ```ts
 * import { Queue, ShutDown } from "@skein/std/queue";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const queue = new Queue<string>();
 * {
 *   using consumer = queue.consumer();
 *   queue.putManyNowait(["spam", "egg"]);
 *   assertEquals(consumer.getNowait(), "spam");
 * }
 * assertThrows(() => queue.putNowait("too late"), ShutDown);
 * assertEquals(queue.getNowait(), "egg");
 * ```
 */
export class Consumer<T> extends SharedObject {
  /** @ignore */
  constructor(queue: object) {
    super(createEnd(Consumer));
    openNewEnd(this, queue, QueueField.consumers);
  }

  /**
   * Gets the next item, as `get` of the queue does.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The item.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the consumer was closed, or the queue was shut down and
   * is empty.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.putNowait("spam");
   * console.log(await consumer.get());
   * ```
   */
  get(options?: WaitOptions): Promise<T> {
    return callLater<T, T>(this, GET, (queue) => queue.get(options));
  }

  /**
   * Gets the next item, as `getSync` of the queue does.
   *
   * @param options A timeout in milliseconds.
   * @returns The item.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the consumer was closed, or the queue was shut down and
   * is empty.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.putNowait("spam");
   * console.log(consumer.getSync());
   * ```
   */
  getSync(options?: WaitSyncOptions): T {
    const item = queueNow<T>(this, GET).getSync(options);
    void this[ADDRESS];
    return item;
  }

  /**
   * Gets the next item if there is one, as `getNowait` of the queue does.
   *
   * @returns The item.
   * @throws {Empty} If there is none.
   * @throws {ShutDown} If the consumer was closed, or the queue was shut down and
   * is empty.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.putNowait("spam");
   * console.log(consumer.getNowait());
   * ```
   */
  getNowait(): T {
    return queueNow<T>(this, GET).getNowait();
  }

  /**
   * Gets from 1 to `n` items, as `getMany` of the queue does.
   *
   * @param n The most items it gets, an integer from 1, or `Infinity`.
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The items.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the consumer was closed, or the queue was shut down and
   * is empty.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.putManyNowait(["spam", "egg"]);
   * console.log(await consumer.getMany(10));
   * ```
   */
  getMany(n: number, options?: WaitOptions): Promise<T[]> {
    return callLater<T, T[]>(this, GET, (queue) => queue.getMany(n, options));
  }

  /**
   * Gets from 1 to `n` items, as `getManySync` of the queue does.
   *
   * @param n The most items it gets, an integer from 1, or `Infinity`.
   * @param options A timeout in milliseconds.
   * @returns The items.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the consumer was closed, or the queue was shut down and
   * is empty.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.putManyNowait(["spam", "egg"]);
   * console.log(consumer.getManySync(10));
   * ```
   */
  getManySync(n: number, options?: WaitSyncOptions): T[] {
    const items = queueNow<T>(this, GET).getManySync(n, options);
    void this[ADDRESS];
    return items;
  }

  /**
   * Gets from 1 to `n` items if there are any, as `getManyNowait` of the queue
   * does.
   *
   * @param n The most items it gets, an integer from 1, or `Infinity`.
   * @returns The items.
   * @throws {Empty} If there is none.
   * @throws {ShutDown} If the consumer was closed, or the queue was shut down and
   * is empty.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.putManyNowait(["spam", "egg"]);
   * console.log(consumer.getManyNowait(10));
   * ```
   */
  getManyNowait(n: number): T[] {
    return queueNow<T>(this, GET).getManyNowait(n);
  }

  /**
   * Receives the next item, as `receive` of the queue does.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The delivery of the item.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the consumer was closed, or the queue was shut down, is
   * empty, and no delivery is out.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.putNowait("spam");
   * (await consumer.receive()).ack();
   * ```
   */
  receive(options?: WaitOptions): Promise<Delivery<T>> {
    return callLater<T, Delivery<T>>(
      this,
      GET,
      (queue) => queue.receive(options),
    );
  }

  /**
   * Receives the next item, as `receiveSync` of the queue does.
   *
   * @param options A timeout in milliseconds.
   * @returns The delivery of the item.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the consumer was closed, or the queue was shut down, is
   * empty, and no delivery is out.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.putNowait("spam");
   * consumer.receiveSync().ack();
   * ```
   */
  receiveSync(options?: WaitSyncOptions): Delivery<T> {
    const delivery = queueNow<T>(this, GET).receiveSync(options);
    void this[ADDRESS];
    return delivery;
  }

  /**
   * Receives the next item if there is one, as `receiveNowait` of the queue does.
   *
   * @returns The delivery of the item.
   * @throws {Empty} If there is none.
   * @throws {ShutDown} If the consumer was closed, or the queue was shut down, is
   * empty, and no delivery is out.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.putNowait("spam");
   * consumer.receiveNowait().ack();
   * ```
   */
  receiveNowait(): Delivery<T> {
    return queueNow<T>(this, GET).receiveNowait();
  }

  /**
   * Gets all items that are there now, as `drain` of the queue does.
   *
   * @returns The items; none if there are none.
   * @throws {ShutDown} If the consumer was closed.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * using consumer = new Queue<string>().consumer();
   * console.log(consumer.drain());
   * ```
   */
  drain(): T[] {
    return queueNow<T>(this, GET).drain();
  }

  /**
   * Reports that an item that was got has been dealt with, as `taskDone` of the
   * queue does.
   *
   * @throws {ThreadingError} If it is called more often than there were items.
   * @throws {ShutDown} If the consumer was closed.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.putNowait("spam");
   * consumer.getNowait();
   * consumer.taskDone();
   * ```
   */
  taskDone(): void {
    queueNow<T>(this, "report an item as done").taskDone();
  }

  /**
   * How many items there are now.
   *
   * @returns Their number, which may be out of date when it arrives.
   * @throws {ShutDown} If the consumer was closed.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   * import { assertEquals } from "@std/assert";
   *
   * using consumer = new Queue<string>().consumer();
   * assertEquals(consumer.qsize(), 0);
   * ```
   */
  qsize(): number {
    return queueNow<T>(this, "count items").qsize();
  }

  /**
   * Whether there is no item now.
   *
   * @returns `true` if `qsize()` is 0.
   * @throws {ShutDown} If the consumer was closed.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   * import { assert } from "@std/assert";
   *
   * using consumer = new Queue<string>().consumer();
   * assert(consumer.empty());
   * ```
   */
  empty(): boolean {
    return queueNow<T>(this, "count items").empty();
  }

  /**
   * Iterates the items, as `items` of the queue does, until the consumer is
   * closed.
   *
   * @param options A timeout in milliseconds for each item, and a signal that ends
   * the wait, for the promise form only.
   * @returns An iterable for `for await` and `for`.
   * @throws {ShutDown} If the consumer was closed.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.shutdown();
   * for (const item of consumer.items({ timeout: 10 })) console.log(item);
   * ```
   */
  items(options?: WaitOptions): QueueItems<T> {
    const items = queueNow<T>(this, GET).items(options);
    return {
      [Symbol.asyncIterator]: () => whileOpen(this, items),
      [Symbol.iterator]: () => whileOpenSync(this, items),
    };
  }

  /**
   * Gets one item after the other, until the queue is shut down and empty and no
   * delivery is out, or the consumer is closed.
   *
   * @returns An iterator that gets the items.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.shutdown();
   * for await (const item of consumer) console.log(item);
   * ```
   */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return this.items()[Symbol.asyncIterator]();
  }

  /**
   * The same in the blocking form.
   *
   * @returns An iterator that gets the items.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * using consumer = queue.consumer();
   * queue.shutdown();
   * for (const item of consumer) console.log(item);
   * ```
   */
  [Symbol.iterator](): Generator<T, void, void> {
    return this.items()[Symbol.iterator]();
  }

  /**
   * Closes the consumer, for all threads that have it. After the last one,
   * nothing can be put into the queue any more. A second call does nothing.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * new Queue<string>().consumer().close();
   * ```
   */
  close(): void {
    closeEnd(addressOf(this));
  }

  /** Closes the consumer, unless this thread's handle was given back. */
  [Symbol.dispose](): void {
    disposeEnd(this);
  }
}

blockingIterables.push(Consumer);
