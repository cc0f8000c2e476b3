/**
 * Iterating the items of a queue, in both forms.
 *
 * @module
 */

import { timeoutOf, type WaitOptions } from "../_internal/options.ts";
import {
  addressOf,
  checkInterrupted,
  type SharedObject,
} from "../threading/_ground.ts";
import { get, getSync } from "./_engine/get.ts";
import { ShutDown } from "./errors.ts";
import { keepAlive } from "./simple_queue.ts";

const ITERATE = "iterate the items of a queue";

/** What {@linkcode Queue.items} gives: what `for` and `for await` iterate. */
export interface QueueItems<T> {
  /** Gets the items in the promise form. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void>;
  /** Gets the items in the blocking form. */
  [Symbol.iterator](): Generator<T, void, void>;
}

/** The items of a queue, one after the other, in the promise form. */
export async function* eachItem<T>(
  handle: SharedObject,
  timeout: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, void> {
  for (;;) {
    let item: T;
    signal?.throwIfAborted();
    checkInterrupted();
    try {
      const queue = addressOf(handle);
      item = await get(handle, queue, timeout, signal, true) as T;
      keepAlive(handle);
    } catch (error) {
      if (error instanceof ShutDown) return;
      throw error;
    }
    yield item;
  }
}

/** The same in the blocking form. */
export function* eachItemSync<T>(
  handle: SharedObject,
  timeout: number,
): Generator<T, void, void> {
  for (;;) {
    let item: T;
    checkInterrupted();
    try {
      item = getSync(handle, addressOf(handle), timeout, true) as T;
    } catch (error) {
      if (error instanceof ShutDown) return;
      throw error;
    }
    yield item;
  }
}

/** What iterates the items of a queue, with options, in both forms. */
export function itemsOf<T>(
  handle: SharedObject,
  options: WaitOptions | undefined,
): QueueItems<T> {
  const timeout = timeoutOf(options, ITERATE);
  const signal = options?.signal;
  addressOf(handle);
  return {
    [Symbol.asyncIterator]: () => eachItem<T>(handle, timeout, signal),
    [Symbol.iterator]: () => {
      if (signal === undefined) return eachItemSync<T>(handle, timeout);
      throw new TypeError(
        `Cannot ${ITERATE}: a signal cannot end a wait that blocks the thread, use for await, received an AbortSignal`,
      );
    },
  };
}
