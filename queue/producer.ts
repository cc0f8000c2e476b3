/**
 * The end of a queue at which items are put.
 *
 * @module
 */

import type { WaitOptions, WaitSyncOptions } from "../_internal/options.ts";
import { ADDRESS, addressOf, SharedObject } from "../threading/_ground.ts";
import {
  callLater,
  closeEnd,
  createEnd,
  disposeEnd,
  openNewEnd,
  queueNow,
} from "./_ends.ts";
import { QueueField } from "./_engine/layout.ts";
import { PUT } from "./errors.ts";

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
