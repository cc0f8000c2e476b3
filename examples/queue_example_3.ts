/**
 * A priority queue, as a subclass that inserts items in order. (The one that
 * comes with the module, `PriorityQueue`, does the same faster.)
 *
 * Prints the lowest priority first:
 *
 *     [ 10, "first" ]
 *     [ 20, "second" ]
 *     [ 30, "third" ]
 *
 * @module
 */

import { Empty, Queue } from "@skein/std/queue";
import { sendable } from "@skein/std/threading";

/** Thread-safe priority queue. */
export class PriorityQueue<T extends [number, ...unknown[]]> extends Queue<T> {
  static {
    sendable(import.meta, this);
  }

  protected override _put(item: T): void {
    // Insert in order.
    let place = this.queue.length();
    while (place > 0 && this.queue.at(place - 1)![0] > item[0]) place--;
    this.queue.insert(place, item);
  }
}

if (import.meta.main) {
  const queue = new PriorityQueue<[number, string]>(0);

  // Add items out of order.
  queue.putSync([20, "second"]);
  queue.putSync([10, "first"]);
  queue.putSync([30, "third"]);

  // Print queue contents.
  try {
    for (;;) console.log(queue.getNowait());
  } catch (error) {
    if (!(error instanceof Empty)) throw error;
  }
}
