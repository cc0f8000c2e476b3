/**
 * The errors of queues, with the names of the chapter's.
 *
 * @module
 */

import { sendable } from "../threading/sendable.ts";

/**
 * There was nothing to get, at once or before the timeout passed.
 *
 * @example
 * ```ts
 * import { Empty, Queue } from "@skein/std/queue";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => new Queue().getNowait(), Empty);
 * ```
 */
export class Empty extends Error {
  static {
    sendable(import.meta, this);
  }
  /** The name of the class. */
  override name = "Empty";
}

/**
 * There was no room to put an item, at once or before the timeout passed.
 *
 * @example
 * ```ts
 * import { Full, Queue } from "@skein/std/queue";
 * import { assertThrows } from "@std/assert";
 *
 * const queue = new Queue<string>(1);
 * queue.putNowait("first");
 * assertThrows(() => queue.putNowait("second"), Full);
 * ```
 */
export class Full extends Error {
  static {
    sendable(import.meta, this);
  }
  /** The name of the class. */
  override name = "Full";
}

/**
 * The queue was shut down: nothing can be put any more, or everything has been
 * got.
 *
 * @example
 * ```ts
 * import { Queue, ShutDown } from "@skein/std/queue";
 * import { assertThrows } from "@std/assert";
 *
 * const queue = new Queue<string>();
 * queue.shutdown();
 * assertThrows(() => queue.putNowait("late"), ShutDown);
 * ```
 */
export class ShutDown extends Error {
  static {
    sendable(import.meta, this);
  }
  /** The name of the class. */
  override name = "ShutDown";
}
