/**
 * The errors of queues, with the names of the chapter's, and what their messages
 * say.
 *
 * @module
 */

import { inspect } from "../_internal/runtime.ts";
import { ModuleNotLoaded, sendableOwn } from "../threading/_threads.ts";
import { timeoutError } from "../_internal/check.ts";
import { ThreadingError } from "../threading/errors.ts";

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
    sendableOwn(import.meta, this);
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
    sendableOwn(import.meta, this);
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
    sendableOwn(import.meta, this);
  }
  /** The name of the class. */
  override name = "ShutDown";
}

/** What is done, for messages. */
export const GET = "get an item";

/** The error of a get from an empty queue. */
export function empty(timeout?: number): Empty {
  return new Empty(
    `Cannot ${GET}: the queue is empty${
      timeout === undefined ? "" : `, and ${timeout} ms have passed`
    }`,
    causeOf(GET, timeout),
  );
}

/** What says of an error, in whichever thread, that a timeout has passed. */
function causeOf(
  what: string,
  timeout: number | undefined,
): ErrorOptions | undefined {
  if (timeout === undefined) return undefined;
  return { cause: timeoutError(what, timeout) };
}

/** The error of a get from a queue that was shut down and is empty. */
export function getShutDown(): ShutDown {
  return new ShutDown(`Cannot ${GET}: the queue was shut down and is empty`);
}

/** What is done, for messages. */
export const PUT = "put an item";

/** The error of a put into a full queue. */
export function full(limit: number, timeout?: number): Full {
  const state = limit === 0
    ? "nobody waits to get it"
    : `the queue is full with its maxsize of ${limit}`;
  return new Full(
    `Cannot ${PUT}: ${state}${
      timeout === undefined ? "" : `, and ${timeout} ms have passed`
    }`,
    causeOf(PUT, timeout),
  );
}

/** The error of a put into a queue that was shut down. */
export function putShutDown(): ShutDown {
  return new ShutDown(`Cannot ${PUT}: the queue was shut down`);
}

/** What the caller gets for an error of reading an item. */
export function explained(error: unknown, what = GET): unknown {
  if (!(error instanceof ModuleNotLoaded)) return error;
  return new ThreadingError(
    `Cannot ${what}: it needs a module that this thread can only load while it does not block, so import it first or use the promise form, received ${error.url}`,
    { cause: error.cause },
  );
}

/** The error of an item that cannot be compared with one in the queue. */
export function mismatch(item: unknown): TypeError {
  return new TypeError(
    `Cannot put an item: it cannot be compared with the items in the queue, received ${
      describe(item)
    }`,
  );
}

/** How an item is shown in a message. */
export function describe(item: unknown): string {
  return inspect(item);
}

/** The error of an item that cannot be compared with any other. */
export function incomparable(why: string, item: unknown): TypeError {
  return new TypeError(
    `Cannot put an item: ${why} a number nor a text nor a tuple of them, so it has no priority, received ${
      describe(item)
    }`,
  );
}
