/**
 * Putting into a queue without hooks.
 *
 * @module
 */

import { allocate, discard } from "../threading/_memory/allocator.ts";
import { load, words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import { Field } from "../threading/_memory/shared_object.ts";
import { waitPromise, waitSync } from "../threading/_memory/wait_queue.ts";
import { Full, ShutDown } from "./errors.ts";
import { QueueField } from "./_fields.ts";
import { mismatch } from "./_key.ts";
import { growTo, placeWords } from "./_places.ts";
import {
  discardBlock,
  discardOffer,
  draftBlock,
  draftOffer,
  offer,
  writeOffer,
} from "./_store.ts";
import { Put, putProtocol, tryPut, tryPutBlock, waiting } from "./_waiting.ts";

/** What is done, for messages. */
export const PUT = "put an item";

/** So often a thread looks for room before it sleeps. */
const SPINS = 1000;

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

function failure(queue: number, end: number, item: unknown): Error {
  if (end === Put.shutDown) return putShutDown();
  return end === Put.mismatch ? mismatch(item) : full(queue);
}

/**
 * Puts the offer in, or finds that there is no room. It spins for a moment
 * where it could wait.
 *
 * @returns Whether it is in; if not it is still a draft.
 */
function putOffer(queue: number, spins: number): boolean {
  const { record, entry, item } = offer;
  for (let spin = 0;;) {
    lock(queue + Field.mutex);
    const end = tryPut(queue);
    const needed = words[queue + QueueField.length] + 1;
    unlock(queue + Field.mutex);
    if (end === Put.done) return true;
    if (end === Put.full) {
      const limit = words[queue + QueueField.limit];
      const at = queue + QueueField.length;
      while (spin < spins && load(at) >= limit) spin++;
      if (spin >= spins) return false;
      spin++;
    } else if (end === Put.grow) {
      try {
        growTo(queue, needed);
      } catch (error) {
        discardOffer(record, entry);
        throw error;
      }
    } else {
      discardOffer(record, entry);
      throw failure(queue, end, item);
    }
  }
}

/** A block of the offer alone; gives the offer back if there is no room. */
function blockOfOffer(queue: number): number {
  const { record, entry } = offer;
  try {
    const block = allocate(placeWords(queue));
    writeOffer(queue, block);
    return block;
  } catch (error) {
    discardOffer(record, entry);
    throw error;
  }
}

/** Puts an item, and blocks until there is room. */
export function putSync(queue: number, item: unknown, timeout: number): void {
  draftOffer(queue, item);
  if (putOffer(queue, SPINS)) return;
  waitSyncToPut(queue, blockOfOffer(queue), 1, timeout, item);
}

/** Puts an item if there is room. */
export function putNowait(queue: number, item: unknown): void {
  draftOffer(queue, item);
  const { record, entry } = offer;
  if (putOffer(queue, 0)) return;
  discardOffer(record, entry);
  throw full(queue);
}

/** Puts an item; a promise if that must wait. */
export function put(
  queue: number,
  item: unknown,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<void> | undefined {
  draftOffer(queue, item);
  if (putOffer(queue, 0)) return undefined;
  return waitToPut(queue, blockOfOffer(queue), 1, timeout, signal, item);
}

/** Puts the items of a block in if there is room for all. */
function putBlock(queue: number, block: number, count: number): boolean {
  for (;;) {
    lock(queue + Field.mutex);
    const end = tryPutBlock(queue, block, count);
    const needed = words[queue + QueueField.length] + count;
    unlock(queue + Field.mutex);
    if (end === Put.full) return false;
    settle(queue, block, count, end, needed, undefined);
    if (end === Put.done) return true;
  }
}

/** Deals with the end of an attempt that left the block a draft. */
function settle(
  queue: number,
  block: number,
  count: number,
  end: number,
  needed: number,
  item: unknown,
): void {
  if (end === Put.done) return discard(block);
  try {
    if (end === Put.grow) return growTo(queue, needed);
    if (end === Put.growToLimit) {
      return growTo(queue, words[queue + QueueField.limit]);
    }
  } catch (error) {
    discardBlock(queue, block, count);
    throw error;
  }
  discardBlock(queue, block, count);
  throw failure(queue, end, item);
}

function checkCount(queue: number, count: number): void {
  const limit = words[queue + QueueField.limit];
  if (count <= limit) return;
  throw new RangeError(
    `Cannot put items: they go in together, so there must not be more than the queue's maxsize of ${limit}, received ${count}`,
  );
}

/** Puts items together, and blocks until there is room for all. */
export function putManySync(
  queue: number,
  items: readonly unknown[],
  timeout: number,
): void {
  const count = items.length;
  if (count === 0) return;
  checkCount(queue, count);
  const block = draftBlock(queue, items);
  if (putBlock(queue, block, count)) return;
  waitSyncToPut(queue, block, count, timeout, items);
}

/** Puts items together if there is room for all. */
export function putManyNowait(queue: number, items: readonly unknown[]): void {
  const count = items.length;
  if (count === 0) return;
  checkCount(queue, count);
  const block = draftBlock(queue, items);
  if (putBlock(queue, block, count)) return;
  discardBlock(queue, block, count);
  throw full(queue);
}

/** Puts items together; a promise if that must wait. */
export function putMany(
  queue: number,
  items: readonly unknown[],
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<void> | undefined {
  const count = items.length;
  if (count === 0) return undefined;
  checkCount(queue, count);
  const block = draftBlock(queue, items);
  if (putBlock(queue, block, count)) return undefined;
  return waitToPut(queue, block, count, timeout, signal, items);
}

function announce(block: number, count: number): void {
  waiting.block = block;
  waiting.count = count;
  waiting.linked = false;
}

function waitSyncToPut(
  queue: number,
  block: number,
  count: number,
  timeout: number,
  item: unknown,
): void {
  for (;;) {
    announce(block, count);
    let end: number;
    try {
      end = waitSync(putProtocol, queue, QueueField.putters, timeout, PUT);
    } catch (error) {
      if (!waiting.linked) discardBlock(queue, block, count);
      throw error;
    }
    if (waiting.linked) {
      if (end === Put.done) return;
      throw end === Put.full ? full(queue, timeout) : failure(queue, end, item);
    }
    const needed = words[queue + QueueField.length] + count;
    settle(queue, block, count, end, needed, item);
    if (end === Put.done) return;
  }
}

async function waitToPut(
  queue: number,
  block: number,
  count: number,
  timeout: number,
  signal: AbortSignal | undefined,
  item: unknown,
): Promise<void> {
  for (;;) {
    announce(block, count);
    let linked = false;
    let end: number;
    try {
      const ending = waitPromise(putProtocol, queue, QueueField.putters, {
        timeout,
        signal,
        timeoutError: () => full(queue, timeout),
      });
      linked = waiting.linked;
      end = await ending;
    } catch (error) {
      if (!linked) discardBlock(queue, block, count);
      throw error;
    }
    if (linked) {
      if (end === Put.done) return;
      throw failure(queue, end, item);
    }
    const needed = words[queue + QueueField.length] + count;
    settle(queue, block, count, end, needed, item);
    if (end === Put.done) return;
  }
}
