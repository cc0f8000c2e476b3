/**
 * The queue that gives the lowest item.
 *
 * @module
 */

import { checkFunction, checkOptions } from "../_internal/check.ts";
import { words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import {
  commitRecord,
  draftRecord,
  readRecord,
} from "../threading/_memory/record.ts";
import { Field } from "../threading/_memory/shared_class.ts";
import { addressOf } from "../threading/_memory/shared_object.ts";
import { compareItems } from "./_compare_items.ts";
import { Order, PlaceShift, QueueField } from "./_fields.ts";
import { attachList, isCustom, markBuiltIn } from "./_custom_order.ts";
import { checkMaxsize, registerQueue } from "./_kinds.ts";
import { Queue } from "./queue.ts";

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
