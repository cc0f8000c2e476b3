/**
 * The queues with a limit, with tasks and an end.
 *
 * @module
 */

import { describe } from "./errors.ts";
import {
  blockingIterables,
  checkFunction,
  checkOptions,
  timeoutError,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import {
  addressOf,
  type CaseKind,
  doubles,
  Field,
  lock,
  pinUntil,
  unlock,
  waitPromise,
  waitSync,
  waitSyncTimeout,
  waitTimeout,
  Wake,
  words,
} from "../threading/_ground.ts";
import {
  commitRecord,
  draftRecord,
  readRecord,
} from "../threading/_threads.ts";
import { ThreadingError } from "../threading/errors.ts";
import type { SharedList } from "../threading/shared/list.ts";
import { registerEnds } from "./_ends.ts";
import {
  areOverridden,
  attachList,
  hooked,
  isCustom,
  listOf,
  markBuiltIn,
} from "./_engine/custom_list.ts";
import { endCustom } from "./_engine/custom_order.ts";
import { Order, PlaceShift, QueueField } from "./_engine/layout.ts";
import {
  Delivery,
  RECEIVE,
  receive,
  receiveNowait,
  receiveSync,
} from "./delivery.ts";
import { enter, leave, sizeOf } from "./_engine/ring.ts";
import { finishOne, joinProtocol, shutDown, tick } from "./_engine/waiters.ts";
import { RECEIVE_CASE, receiveCase } from "./_cases.ts";
import { Consumer, Producer } from "./ends.ts";
import {
  eachItem,
  eachItemSync,
  itemsOf,
  type QueueItems,
} from "./_engine/get_many.ts";
import {
  checkMaxsize,
  keepAlive,
  limitQueue,
  registerQueue,
  SimpleQueue,
} from "./simple_queue.ts";

const JOIN = "join a queue";
/** What {@linkcode Queue.shutdown} takes. */
export interface ShutDownOptions {
  /**
   * Whether the items that are still there are thrown away.
   *
   * @default {false}
   */
  immediate?: boolean;
}

/**
 * A first-in first-out queue, which may have a limit, that any thread reads and
 * writes directly. After `Queue` of Python's queue.
 *
 * It can be sent to any thread, in the arguments, in the fields and in the
 * results of threads, and in the items of queues: a request can carry the queue
 * for its reply. A reference that comes back to the queue through one of its own
 * items keeps it alive until the item is got.
 *
 * A subclass can decide on the order: it overrides `_put`, `_get` and `_qsize`,
 * which work on `this.queue`. It needs to be marked with `sendable`, as all
 * classes that more than one thread must know. Fields of its own stay in the
 * thread that made it; what threads share belongs into `this.queue`.
 *
 * @typeParam T The items.
 *
 * @example Two threads, ten items
 * ```ts
 * import { Queue } from "@skein/std/queue";
 * import { sendable, Thread } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const sum = sendable(import.meta, function sum(queue: Queue<number>) {
 *   let sum = 0;
 *   for (let item; (item = queue.getSync()) >= 0;) sum += item;
 *   return sum;
 * });
 *
 * Deno.test("two threads add up what they get", async () => {
 *   const queue = new Queue<number>();
 *   const args = [queue] as const;
 *   const threads = [1, 2].map(() => new Thread({ target: sum, args }));
 *   for (const thread of threads) thread.start();
 *   for (let i = 1; i <= 10; i++) queue.putSync(i);
 *   for (const _ of threads) queue.putSync(-1); // end of queue
 *   assertEquals(await threads[0].join() + await threads[1].join(), 55);
 * });
 * ```
 *
 * @example A stack
 * ```ts
 * import { Queue } from "@skein/std/queue";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * class Stack<T> extends Queue<T> {
 *   protected override _put(item: T) {
 *     // Insert at the beginning of the queue, not at the end.
 *     this.queue.insert(0, item);
 *   }
 * }
 * sendable(import.meta, Stack);
 *
 * const stack = new Stack<string>();
 * stack.putManySync(["first", "second"]);
 * assertEquals(stack.getSync(), "second");
 * ```
 */
export class Queue<T> extends SimpleQueue<T> {
  /**
   * Makes an empty queue.
   *
   * @param maxsize How many items there may be at once; 0 and below mean that
   * there is no limit but the size of the shared heap.
   * @throws {TypeError} If it is not a number.
   * @throws {RangeError} If it is not an integer.
   */
  constructor(maxsize = 0) {
    checkMaxsize(maxsize, new.target.name);
    super();
    const queue = addressOf(this);
    limitQueue(queue, maxsize);
    if (areOverridden(this)) {
      attachList(queue);
      this._init(maxsize);
    }
  }

  /** How many items there may be at once; 0 and below mean no limit. */
  get maxsize(): number {
    return doubles[addressOf(this) + QueueField.maxsize >> 1];
  }

  /**
   * Whether there is no room now. The answer may be out of date when it arrives.
   *
   * @returns `true` if a put would have to wait.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   * import { assert } from "@std/assert";
   *
   * const queue = new Queue<string>(1);
   * queue.putNowait("spam");
   * assert(queue.full());
   * ```
   */
  full(): boolean {
    const queue = addressOf(this);
    tick(queue);
    return sizeOf(queue) >= words[queue + QueueField.limit];
  }

  /**
   * Reports that an item that was got has been dealt with.
   *
   * @throws {ThreadingError} If it is called more often than there were items.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("spam");
   * queue.getNowait();
   * queue.taskDone();
   * queue.joinSync();
   * ```
   */
  taskDone(): void {
    const queue = addressOf(this);
    lock(queue + Field.mutex);
    const done = finishOne(queue);
    unlock(queue + Field.mutex);
    if (done) return;
    throw new ThreadingError(
      "Cannot report an item as done: taskDone() was called more often than items were put",
    );
  }

  /**
   * Receives the next item, and waits for one without blocking the thread. Unlike
   * one that was got, an item that was received goes back to the queue if it is
   * not acknowledged: see {@linkcode Delivery}.
   *
   * After a shutdown it goes on as long as there are items, or deliveries that
   * are out and may come back.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The delivery of the item.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down, is empty, and no delivery is
   * out.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("spam");
   * using delivery = await queue.receive();
   * console.log(delivery.item);
   * delivery.ack();
   * ```
   */
  async receive(options?: WaitOptions): Promise<Delivery<T>> {
    const timeout = waitTimeout(options, RECEIVE);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const queue = addressOf(this);
    const received = await pinUntil(
      queue,
      receive(this, queue, timeout, signal),
    );
    keepAlive(this);
    return new Delivery<T>(queue, received);
  }

  /**
   * Receives the next item, and blocks the thread until there is one, see
   * `receive`.
   *
   * @param options A timeout in milliseconds.
   * @returns The delivery of the item.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down, is empty, and no delivery is
   * out.
   * @throws {DeadlockError} If no other thread is left that could put one, or
   * if the item needs a module that this thread cannot load while it blocks;
   * then it stays in the queue.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("spam");
   * using delivery = queue.receiveSync();
   * console.log(delivery.item);
   * delivery.ack();
   * ```
   */
  receiveSync(options?: WaitSyncOptions): Delivery<T> {
    const timeout = waitSyncTimeout(options, RECEIVE);
    const queue = addressOf(this);
    return new Delivery<T>(queue, receiveSync(this, queue, timeout));
  }

  /**
   * Receives the next item if there is one, see `receive`.
   *
   * @returns The delivery of the item.
   * @throws {Empty} If there is none.
   * @throws {ShutDown} If the queue was shut down, is empty, and no delivery is
   * out.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("spam");
   * queue.receiveNowait().ack();
   * queue.joinSync();
   * ```
   */
  receiveNowait(): Delivery<T> {
    const queue = addressOf(this);
    return new Delivery<T>(queue, receiveNowait(this, queue));
  }

  /**
   * Waits until all items that were put have been got and reported as done,
   * without blocking the thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * await new Queue().join();
   * ```
   */
  async join(options?: WaitOptions): Promise<void> {
    const timeout = waitTimeout(options, JOIN);
    options?.signal?.throwIfAborted();
    await waitPromise(joinProtocol, addressOf(this), QueueField.joiners, {
      timeout,
      signal: options?.signal,
      timeoutError: () => timeoutError(JOIN, timeout),
    });
    keepAlive(this);
  }

  /**
   * Blocks the thread until all items that were put have been got and reported
   * as done.
   *
   * @param options A timeout in milliseconds.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {DeadlockError} If no other thread is left that could do it.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * new Queue().joinSync();
   * ```
   */
  joinSync(options?: WaitSyncOptions): void {
    const timeout = waitSyncTimeout(options, JOIN);
    const queue = addressOf(this);
    const { joiners } = QueueField;
    const end = waitSync(joinProtocol, queue, joiners, timeout, JOIN);
    if (end === Wake.waiting) throw timeoutError(JOIN, timeout);
  }

  /**
   * Ends the queue: puts throw {@linkcode ShutDown} from now on, those that wait
   * too; gets go on until it is empty, and then throw it.
   *
   * @param options With `immediate`, the items that are still there are thrown
   * away and count as done, so gets throw at once.
   * @throws What a hook throws; the queue has ended even so.
   *
   * @example
   * ```ts
   * import { Queue, ShutDown } from "@skein/std/queue";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("last");
   * queue.shutdown();
   * assertThrows(() => queue.putNowait("too late"), ShutDown);
   * assertEquals(queue.getNowait(), "last");
   * assertThrows(() => queue.getNowait(), ShutDown);
   * ```
   */
  shutdown(options?: ShutDownOptions): void {
    if (options !== undefined) {
      checkOptions(options, "shut down a queue", ["immediate"]);
    }
    const queue = addressOf(this);
    const immediate = options?.immediate ?? false;
    if (isCustom(queue)) {
      endCustom(hooked(this), immediate);
      return;
    }
    enter(queue);
    shutDown(queue, immediate);
    leave(queue);
  }

  /**
   * Gets the items in turn, until the queue is shut down and empty, and no
   * delivery is out that could come back.
   *
   * @returns An iterator that gets the items.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("spam");
   * queue.shutdown();
   * for await (const item of queue) console.log(item);
   * ```
   */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return eachItem<T>(this, Infinity, undefined);
  }

  /**
   * Gets the items in turn, and blocks the thread until there is one, until the
   * queue is shut down and empty, and no delivery is out that could come back.
   *
   * @returns An iterator that gets the items.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("spam");
   * queue.shutdown();
   * for (const item of queue) console.log(item);
   * ```
   */
  [Symbol.iterator](): Generator<T, void, void> {
    return eachItemSync<T>(this, Infinity);
  }

  /**
   * Iterates the items with options, until the queue is shut down and empty,
   * and no delivery is out that could come back.
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
   * import { Empty, Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("spam");
   * try {
   *   for (const item of queue.items({ timeout: 10 })) console.log(item);
   * } catch (error) {
   *   if (!(error instanceof Empty)) throw error;
   *   console.log("nothing has come for 10 ms");
   * }
   * ```
   */
  items(options?: WaitOptions): QueueItems<T> {
    return itemsOf<T>(this, options);
  }

  /**
   * Makes a producer of this queue: a handle with the methods that put. When
   * the last producer has closed, or its threads have ended, the queue is shut
   * down.
   *
   * @returns The producer, open.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {NotSendableError} If the class of the queue is not marked.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * {
   *   using producer = queue.producer();
   *   producer.putNowait("spam");
   * }
   * for (const item of queue) console.log(item); // and ends
   * ```
   */
  producer(): Producer<T> {
    return new Producer<T>(this);
  }

  /**
   * Makes a consumer of this queue: a handle with the methods that get. When
   * the last consumer has closed, or its threads have ended, every put throws
   * {@linkcode ShutDown}, also those that wait. The items stay.
   *
   * @returns The consumer, open. If the queue was shut down, it gets what is
   * left.
   * @throws {NotSendableError} If the class of the queue is not marked.
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
  consumer(): Consumer<T> {
    return new Consumer<T>(this);
  }

  /**
   * The items of a queue whose subclass overrides a hook. For the hooks only.
   *
   * @throws {ThreadingError} If the class of the queue overrides none.
   */
  protected get queue(): SharedList<T> {
    const queue = addressOf(this);
    if (isCustom(queue)) {
      return listOf(queue) as SharedList<T>;
    }
    throw new ThreadingError(
      `Cannot read the list of a queue: only a class that overrides _init, _put, _get or _qsize has one, received ${this.constructor.name}`,
    );
  }

  /**
   * Called once, when the queue is made; `this.queue` is empty. A hook.
   *
   * @param _maxsize What the constructor was given.
   */
  protected _init(_maxsize: number): void {}

  /**
   * Puts an item into `this.queue`. A hook; it runs while no other thread uses
   * the queue, must return at once and must not use the queue's other methods.
   * An error that it throws is thrown by the put, and what it, and the hooks
   * before it in the same put, did to `this.queue` is undone. So it is if its
   * thread is killed.
   *
   * An item that waits for room is put in by the thread that makes room, which
   * may run the hook for it. If the hook throws there, it runs once more in the
   * thread that puts the item.
   *
   * @param item A copy of the item.
   */
  protected _put(item: T): void {
    this.queue.push(item);
  }

  /**
   * Takes the next item out of `this.queue`, which is not empty. A hook, like
   * `_put`.
   *
   * @returns The item.
   */
  protected _get(): T {
    return this.queue.shift() as T;
  }

  /**
   * How many items are in `this.queue`. A hook, like `_put`.
   *
   * @returns The number of items.
   */
  protected _qsize(): number {
    return this.queue.length();
  }

  /** How `select` receives from it. @ignore */
  get [RECEIVE_CASE](): { readonly value?: Delivery<T> } {
    return receiveCase as CaseKind<Delivery<T>>;
  }
}

markBuiltIn(Queue.prototype);

registerQueue(import.meta, Queue);
registerEnds(import.meta, Producer, Consumer);
blockingIterables.push(Queue);

/**
 * A {@linkcode Queue} that gives what was put last: a stack. After `LifoQueue`
 * of Python's queue.
 *
 * @typeParam T The items.
 *
 * @example
 * ```ts
 * import { LifoQueue } from "@skein/std/queue";
 * import { assertEquals } from "@std/assert";
 *
 * const stack = new LifoQueue<string>();
 * stack.putManySync(["first", "second"]);
 * assertEquals(stack.getSync(), "second");
 * assertEquals(stack.getSync(), "first");
 * ```
 */
export class LifoQueue<T> extends Queue<T> {
  /**
   * Makes an empty stack.
   *
   * @param maxsize How many items there may be at once; 0 and below mean that
   * there is no limit but the size of the shared heap.
   * @throws {TypeError} If it is not a number.
   * @throws {RangeError} If it is not an integer.
   */
  constructor(maxsize = 0) {
    super(maxsize);
    const order = addressOf(this) + QueueField.order;
    if (words[order] === Order.fifo) words[order] = Order.lifo;
  }

  /**
   * Takes the last item out of `this.queue`. A hook, see {@linkcode Queue}.
   *
   * @returns The item.
   */
  protected override _get(): T {
    return this.queue.pop() as T;
  }
}

markBuiltIn(LifoQueue.prototype);
registerQueue(import.meta, LifoQueue);

/** What a {@linkcode PriorityQueue} is made of. */
export interface PriorityQueueOptions<T> {
  /**
   * How many items there may be at once; 0 and below mean that there is no
   * limit but the size of the shared heap.
   *
   * @default {0}
   */
  maxsize?: number;
  /**
   * Says which of two items is lower, as for `Array.prototype.sort`. A function
   * marked with `sendable`: the thread that puts an item calls it, or the one
   * that makes room for it.
   */
  compare?: (a: T, b: T) => number;
}

/**
 * A {@linkcode Queue} that gives the lowest item, and among equal ones the one
 * that was put first. After `PriorityQueue` of Python's queue.
 *
 * Items are numbers, strings, or tuples of them, which are compared element by
 * element: the first one is the priority, and the rest may be what it is the
 * priority of. The comparison of two tuples ends where both have something
 * else: those are equal. Other items need a `compare`. Putting an item takes
 * logarithmic time, with a `compare` linear.
 *
 * @typeParam T The items.
 *
 * @example
 * ```ts
 * import { PriorityQueue } from "@skein/std/queue";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new PriorityQueue<[number, string]>();
 * queue.putSync([20, "second"]);
 * queue.putSync([10, "first"]);
 * queue.putSync([30, "third"]);
 * assertEquals(queue.getSync(), [10, "first"]);
 * ```
 *
 * @example The longest string first
 * ```ts
 * import { PriorityQueue } from "@skein/std/queue";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const longer = sendable(import.meta, function longer(a: string, b: string) {
 *   return b.length - a.length;
 * });
 *
 * const queue = new PriorityQueue<string>({ compare: longer });
 * queue.putManySync(["egg", "spam"]);
 * assertEquals(queue.getSync(), "spam");
 * ```
 */
export class PriorityQueue<T> extends Queue<T> {
  /**
   * Makes an empty queue.
   *
   * @param options The limit, or an object with it and a `compare`.
   * @throws {TypeError} If the limit is not a number, or `compare` is not a
   * function.
   * @throws {RangeError} If the limit is not an integer.
   * @throws {NotSendableError} If `compare` is not marked.
   */
  constructor(options: number | PriorityQueueOptions<T> = 0) {
    if (typeof options === "object") {
      checkOptions(options, "make a PriorityQueue", ["maxsize", "compare"]);
    }
    const { maxsize = 0, compare } = typeof options === "object"
      ? options
      : { maxsize: options };
    if (compare !== undefined) {
      checkFunction(compare, "make a PriorityQueue", "compare");
    }
    checkMaxsize(maxsize, new.target.name);
    const record = compare === undefined ? 0 : draftRecord(compare);
    super(maxsize);
    const queue = addressOf(this);
    const isHooked = isCustom(queue);
    if (record !== 0) {
      lock(queue + Field.mutex);
      words[queue + QueueField.compare] = record;
      commitRecord(record);
      unlock(queue + Field.mutex);
      if (!isHooked) attachList(queue);
    } else if (!isHooked) {
      words[queue + QueueField.order] = Order.priority;
      words[queue + QueueField.placeShift] = PlaceShift.slot;
    }
  }

  /**
   * Inserts an item into `this.queue`, which is sorted. A hook, see
   * {@linkcode Queue}.
   *
   * @param item The item.
   */
  protected override _put(item: T): void {
    const list = this.queue;
    const compare = compareOf(this);
    let low = 0;
    let high = list.length();
    if (high === 0) compare(item, item); // throws if it has no priority
    while (low < high) {
      const middle = (low + high) >> 1;
      const order: unknown = compare(item, list.at(middle) as T);
      if (typeof order !== "number" || Number.isNaN(order)) {
        throw new TypeError(
          `Cannot put an item: compare must return a number, received ${
            String(order)
          }`,
        );
      }
      if (order < 0) high = middle;
      else low = middle + 1;
    }
    list.insert(low, item);
  }
}

type Compare<T> = (a: T, b: T) => number;

/** What was read from the queues with a `compare` in this thread. */
const compares = new WeakMap<object, Compare<never>>();

function compareOf<T>(handle: PriorityQueue<T>): Compare<T> {
  const record = words[addressOf(handle) + QueueField.compare];
  if (record === 0) return compareItems;
  let compare = compares.get(handle);
  if (compare === undefined) {
    compare = readRecord(record) as Compare<never>;
    compares.set(handle, compare);
  }
  return compare as unknown as Compare<T>;
}

markBuiltIn(PriorityQueue.prototype);
registerQueue(import.meta, PriorityQueue);

/**
 * Compares two items.
 *
 * @returns Below 0 if the first is lower, above 0 if the second is.
 * @throws {TypeError} If they cannot be compared.
 */
export function compareItems(a: unknown, b: unknown): number {
  const order = compareElements(a, b);
  if (order !== undefined) return order;
  throw new TypeError(
    `Cannot put an item: it cannot be compared, received ${describe(a)} and ${
      describe(b)
    }`,
  );
}

/** `undefined` if they cannot be compared. */
function compareElements(a: unknown, b: unknown): number | undefined {
  if (typeof a === "number" && typeof b === "number") {
    if (Number.isNaN(a) || Number.isNaN(b)) return undefined;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (typeof a === "string" && typeof b === "string") {
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (Array.isArray(a) && Array.isArray(b)) return compareTuples(a, b);
  return undefined;
}

function compareTuples(a: unknown[], b: unknown[]): number | undefined {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    if (i > 0 && isOpaque(a[i]) && isOpaque(b[i])) return 0;
    const order = compareElements(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function isOpaque(value: unknown): boolean {
  return typeof value !== "number" && typeof value !== "string" &&
    !Array.isArray(value);
}
