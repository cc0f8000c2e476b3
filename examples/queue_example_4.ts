/**
 * A stack, as a subclass that inserts at the beginning: last in, first out. (The
 * one that comes with the module is `LifoQueue`.)
 *
 * Prints:
 *
 *     third
 *     second
 *     first
 *
 * @module
 */

import { Empty, Queue } from "@skein/std/queue";
import { sendable } from "@skein/std/threading";

/** Thread-safe stack. */
export class Stack<T> extends Queue<T> {
  static {
    sendable(import.meta, this);
  }

  protected override _put(item: T): void {
    // Insert at the beginning of the queue, not at the end.
    this.queue.insert(0, item);
  }

  // Method aliases.
  push(item: T): void {
    this.putSync(item);
  }
  pop(): T {
    return this.getSync();
  }
  popNowait(): T {
    return this.getNowait();
  }
}

if (import.meta.main) {
  const stack = new Stack<string>(0);

  // Push items on stack.
  stack.push("first");
  stack.push("second");
  stack.push("third");

  // Print stack contents.
  try {
    for (;;) console.log(stack.popNowait());
  } catch (error) {
    if (!(error instanceof Empty)) throw error;
  }
}
