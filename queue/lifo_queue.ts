/**
 * The last-in first-out queue.
 *
 * @module
 */

import { words } from "../threading/_memory/heap.ts";
import { addressOf } from "../threading/_memory/shared_object.ts";
import { Order, QueueField } from "./_fields.ts";
import { markBuiltIn } from "./_custom_order.ts";
import { registerQueue } from "./_kinds.ts";
import { Queue } from "./queue.ts";

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
