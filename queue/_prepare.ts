/**
 * What an attempt to put was found to need, and why it fails.
 *
 * @module
 */

import { load, words } from "../threading/_memory/heap.ts";
import { sizeOf } from "./_ends.ts";
import { Full, ShutDown } from "./errors.ts";
import { QueueField } from "./_fields.ts";
import { mismatch } from "./_key.ts";
import { draftMessage } from "./_offer.ts";
import { growTo, widen } from "./_places.ts";
import { Put } from "./_serve.ts";

/** What is done, for messages. */
export const PUT = "put an item";

/** The error of a put into a full queue. */
export function full(queue: number, timeout?: number): Full {
  const limit = words[queue + QueueField.limit];
  const state = `the queue is full with its maxsize of ${limit}`;
  return new Full(
    `Cannot ${PUT}: ${state}${
      timeout === undefined ? "" : `, and ${timeout} ms have passed`
    }`,
  );
}

/** The error of a put into a queue that was shut down. */
export function putShutDown(): ShutDown {
  return new ShutDown(`Cannot ${PUT}: the queue was shut down`);
}

/** Why items cannot be put, after an attempt that ended so. */
export function failure(queue: number, end: number, item: unknown): Error {
  if (end === Put.shutDown) return putShutDown();
  return end === Put.mismatch ? mismatch(item) : full(queue);
}

/**
 * Makes what an attempt to put was found to need.
 *
 * @throws {HeapExhaustedError} If there is no room for it.
 * @throws Why the items cannot be put, if nothing helps.
 */
export function prepare(
  queue: number,
  end: number,
  count: number,
  item: unknown,
): void {
  switch (end) {
    case Put.grow:
      return growTo(
        queue,
        sizeOf(queue) + words[queue + QueueField.reserved] + count,
      );
    case Put.growToLimit:
      return growTo(queue, words[queue + QueueField.limit]);
    case Put.widen:
      return widen(queue);
    case Put.record:
      return draftMessage();
    default:
      throw failure(queue, end, item);
  }
}

/**
 * Checks how many items are to be put together.
 *
 * @returns Whether there are any.
 * @throws {ShutDown} If there are none, and the queue was shut down: any number
 * of items is refused then.
 * @throws {RangeError} If they could never be in the queue together.
 */
export function checkCount(queue: number, count: number): boolean {
  if (count === 0 && load(queue + QueueField.shutDown) !== 0) {
    throw putShutDown();
  }
  const limit = words[queue + QueueField.limit];
  if (count <= limit) return count > 0;
  throw new RangeError(
    `Cannot put items: they go in together, so there must not be more than the queue's maxsize of ${limit}, received ${count}`,
  );
}
