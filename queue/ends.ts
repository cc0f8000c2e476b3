/**
 * The two ends of a queue as objects that close by themselves: producers, which
 * put, and consumers, which get.
 *
 * An end is a shared object. It refers to its queue by a record, so that a thread
 * that meets it gets the queue with its own class. The queue counts the ends that
 * are open, under its mutex. An end that nobody refers to any more closes as its
 * last thing (`SharedClass.leave`), in whichever thread comes to it first.
 *
 * @module
 */

import { blockingIterables } from "../_internal/check.ts";
import type { WaitOptions, WaitSyncOptions } from "../_internal/options.ts";
import {
  ADDRESS,
  addressOf,
  counted,
  createObject,
  discard,
  Field,
  load,
  lock,
  pinUntil,
  registerClass,
  SharedObject,
  tryLock,
  unlock,
  words,
} from "../threading/_ground.ts";
import {
  commitRecord,
  draftRecord,
  loadModulesOf,
  ModuleNotLoaded,
  readRecord,
  releaseRecord,
} from "../threading/_values.ts";
import { QueueField } from "./_engine/layout.ts";
import { close, leave } from "./_engine/ring.ts";
import { shutDown } from "./_engine/waiters.ts";
import type { Delivery } from "./delivery.ts";
import { explained, GET, PUT, putShutDown, ShutDown } from "./errors.ts";
import type { QueueItems } from "./iteration.ts";

/** The methods of a queue that its ends have. */
interface Both<T> extends SharedObject {
  readonly maxsize: number;
  put(item: T, options?: WaitOptions): Promise<void>;
  putSync(item: T, options?: WaitSyncOptions): void;
  putNowait(item: T): void;
  putMany(items: Iterable<T>, options?: WaitOptions): Promise<void>;
  putManySync(items: Iterable<T>, options?: WaitSyncOptions): void;
  putManyNowait(items: Iterable<T>): void;
  get(options?: WaitOptions): Promise<T>;
  getSync(options?: WaitSyncOptions): T;
  getNowait(): T;
  getMany(n: number, options?: WaitOptions): Promise<T[]>;
  getManySync(n: number, options?: WaitSyncOptions): T[];
  getManyNowait(n: number): T[];
  receive(options?: WaitOptions): Promise<Delivery<T>>;
  receiveSync(options?: WaitSyncOptions): Delivery<T>;
  receiveNowait(): Delivery<T>;
  drain(): T[];
  items(options?: WaitOptions): QueueItems<T>;
  taskDone(): void;
  qsize(): number;
  empty(): boolean;
  full(): boolean;
}

const EndField = {
  /** Whether it is open; changes under the queue's mutex. */
  open: Field.own,
  /** The queue, and the record of it. */
  queue: Field.own + 1,
  record: Field.own + 2,
  /** The queue's field that counts the ends of this kind. */
  count: Field.own + 3,
} as const;
const END_WORDS = Field.own + 4;

/** The queues of the ends that this thread has used. */
const queues = new WeakMap<SharedObject, Both<never>>();

/** Opens an end that this thread has just made. */
function openEnd<T>(handle: SharedObject, queue: Both<T>, count: number): void {
  const end = addressOf(handle);
  const address = addressOf(queue);
  const record = draftRecord(queue);
  lock(address + Field.mutex);
  const ended = count === QueueField.producers &&
    words[address + QueueField.shutDown] !== 0;
  if (!ended) {
    words[end + EndField.queue] = address;
    words[end + EndField.record] = record;
    words[end + EndField.count] = count;
    commitRecord(record);
    words[end + EndField.open] = 1;
    words[address + count]++;
  }
  unlock(address + Field.mutex);
  if (ended) {
    discard(record);
    throw putShutDown();
  }
  queues.set(handle, queue as Both<never>);
}

/** Closes an end. Behind the last one of its kind, nothing can be put any more. */
function closeEnd(end: number): void {
  if (load(end + EndField.open) === 0) return;
  const queue = words[end + EndField.queue];
  // If the queue is damaged, those who wait are told elsewhere.
  if (!tryLock(queue + Field.mutex)) return;
  close(queue);
  if (words[end + EndField.open] !== 0) {
    words[end + EndField.open] = 0;
    const left = --words[queue + words[end + EndField.count]];
    if (left === 0) shutDown(queue, false);
  }
  leave(queue);
}

/** The queue of an end that is open; `undefined` if its class is to be loaded. */
function queueOf<T>(handle: SharedObject, what: string): Both<T> | undefined {
  const end = addressOf(handle);
  if (load(end + EndField.open) === 0) {
    throw new ShutDown(
      `Cannot ${what}: this ${handle.constructor.name} was closed`,
    );
  }
  let queue = queues.get(handle) as Both<T> | undefined;
  // This thread may have freed its handle of the queue.
  if (queue !== undefined && queue[ADDRESS] === words[end + EndField.queue]) {
    return queue;
  }
  try {
    queue = readRecord(words[end + EndField.record]) as Both<T>;
  } catch (error) {
    if (error instanceof ModuleNotLoaded) return undefined;
    throw error;
  }
  queues.set(handle, queue as unknown as Both<never>);
  return queue;
}

/** The same where nothing can be awaited. */
function queueNow<T>(handle: SharedObject, what: string): Both<T> {
  const queue = queueOf<T>(handle, what);
  if (queue !== undefined) return queue;
  try {
    return readRecord(words[handle[ADDRESS] + EndField.record]) as Both<T>;
  } catch (error) {
    throw explained(error, what);
  }
}

/** Calls a queue's promise form. The end stays open for want of handles meanwhile. */
async function callLater<T, R>(
  handle: SharedObject,
  what: string,
  call: (queue: Both<T>) => Promise<R>,
): Promise<R> {
  const queue = queueOf<T>(handle, what);
  const end = addressOf(handle);
  const calling = queue === undefined
    ? loadModulesOf(words[end + EndField.record])!.then(() =>
      call(queueNow(handle, what))
    )
    : call(queue);
  const result = await pinUntil(end, calling);
  // Its handle must not be collected as garbage before.
  void handle[ADDRESS];
  return result;
}

/**
 * The end of a queue at which items are put; {@linkcode Queue.producer} makes it.
 * When the last producer of a queue has closed, the queue is shut down: whoever
 * gets or iterates ends when it is empty.
 *
 * A producer closes by `close()` or at the end of the block of a `using`, in any
 * thread, or when no living thread has a handle of it and no stored value refers
 * to it. So a queue ends even if its producers are killed. For that each thread
 * is to have a producer of its own, which it makes itself or gets from one that
 * then calls `free()`: a handle that lies about keeps it open. One that several
 * threads have is one producer, which the first `close()` closes for all of them.
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
    super(createObject(kinds.producer, END_WORDS));
    start(this, queue, QueueField.producers);
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
   * Closes the producer, for all threads that have it. Behind the last one of the
   * queue, the queue is shut down, and puts that still wait throw `ShutDown`. On
   * one that was closed it does nothing.
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
    dispose(this);
  }
}

/**
 * The end of a queue at which items are got; {@linkcode Queue.consumer} makes it.
 * When the last consumer of a queue has closed, nothing can be put any more: each
 * put throws {@linkcode ShutDown}, also those that wait. The items stay, and can
 * still be got.
 *
 * A consumer closes as a {@linkcode Producer} does. So producers find out that
 * all their consumers have died. Who starts new ones in their place holds a
 * consumer of its own meanwhile.
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
    super(createObject(kinds.consumer, END_WORDS));
    start(this, queue, QueueField.consumers);
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
   * What gets one item after the other, as `items` of the queue does, until the
   * consumer is closed.
   *
   * @param options A timeout in milliseconds for each item, and a signal that ends
   * the wait, for the promise form only.
   * @returns What `for await` and `for` iterate.
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
   * Closes the consumer, for all threads that have it. Behind the last one of the
   * queue, nothing can be put into it any more. On one that was closed it does
   * nothing.
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
    dispose(this);
  }
}

blockingIterables.push(Consumer);

const kinds = { producer: 0, consumer: 0 };

/**
 * Makes the ends known, as of the module of the queues: a thread that meets an
 * end needs the queue's class, too.
 */
export function registerEnds(meta: ImportMeta): void {
  const shared = { leave: closeEnd, destroy, look };
  kinds.producer = registerClass(meta, { constructor: Producer, ...shared });
  kinds.consumer = registerClass(meta, { constructor: Consumer, ...shared });
}

function start(handle: SharedObject, queue: object, count: number): void {
  try {
    openEnd(handle, queue as Both<unknown>, count);
  } catch (error) {
    handle.free();
    throw error;
  }
}

function dispose(handle: SharedObject): void {
  // With the handle, this thread gave up its part in the end.
  const end = handle[ADDRESS];
  if (words[end + Field.damaged] === 0) closeEnd(end);
}

async function* whileOpen<T>(
  handle: SharedObject,
  items: QueueItems<T>,
): AsyncGenerator<T, void, void> {
  for await (const item of items) {
    yield item;
    if (isClosed(handle)) return;
  }
  void handle[ADDRESS];
}

function* whileOpenSync<T>(
  handle: SharedObject,
  items: QueueItems<T>,
): Generator<T, void, void> {
  for (const item of items) {
    yield item;
    if (isClosed(handle)) return;
  }
  void handle[ADDRESS];
}

function isClosed(handle: SharedObject): boolean {
  return load(addressOf(handle) + EndField.open) === 0;
}

/** What there is to see of an end. */
function look(end: number): string[] {
  if (words[end + EndField.open] === 0) return ["closed"];
  const queue = words[end + EndField.queue];
  const count = words[queue + words[end + EndField.count]];
  return [`one of ${counted(count, "open end")}`];
}

function destroy(end: number): void {
  const record = words[end + EndField.record];
  if (record !== 0) releaseRecord(record);
}
