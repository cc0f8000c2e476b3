/**
 * Putting into a queue without hooks.
 *
 * @module
 */

import { load, words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import { Field } from "../threading/_memory/shared_class.ts";
import { giveBack } from "../threading/_memory/shared_object.ts";
import { waitPromise } from "../threading/_memory/wait_promise.ts";
import { waitSync } from "../threading/_memory/wait_sync.ts";
import { blockOfOffer, countOf, draftBlock } from "./_block.ts";
import { Full, ShutDown } from "./errors.ts";
import { QueueField } from "./_fields.ts";
import { mismatch } from "./_key.ts";
import { discardOffer, draftMessage, draftOffer, offer } from "./_offer.ts";
import { growTo, widen } from "./_places.ts";
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
  for (let spin = 0;;) {
    lock(queue + Field.mutex);
    const end = tryPut(queue);
    unlock(queue + Field.mutex);
    if (end === Put.done) return true;
    if (end === Put.full) {
      // Who waits is served first.
      if (load(queue + QueueField.putters) !== 0) return false;
      const limit = words[queue + QueueField.limit];
      const length = queue + QueueField.length;
      while (spin < spins && load(length) >= limit) spin++;
      if (spin >= spins) return false;
      spin++;
      continue;
    }
    try {
      prepare(queue, end, 1, offer.item);
    } catch (error) {
      discardOffer(offer.record, offer.entry);
      throw error;
    }
  }
}

/**
 * Makes what an attempt to put was found to need.
 *
 * @throws {HeapExhaustedError} If there is no room for it.
 * @throws Why the items cannot be put, if nothing helps.
 */
function prepare(
  queue: number,
  end: number,
  count: number,
  item: unknown,
): void {
  switch (end) {
    case Put.grow:
      return growTo(queue, words[queue + QueueField.length] + count);
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

/** Puts an item, and blocks until there is room. */
export function putSync(queue: number, item: unknown, timeout: number): void {
  draftOffer(queue, item);
  if (putOffer(queue, SPINS)) return;
  waitSyncToPut(queue, blockOfOffer(queue), timeout, item);
}

/** Puts an item if there is room. */
export function putNowait(queue: number, item: unknown): void {
  draftOffer(queue, item);
  if (putOffer(queue, 0)) return;
  discardOffer(offer.record, offer.entry);
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
  return waitToPut(queue, blockOfOffer(queue), timeout, signal, item);
}

/**
 * Puts the items of a block in if there is room for all.
 *
 * @returns Whether they are in; if not it is still this thread's.
 */
function putBlock(queue: number, block: number, items: unknown): boolean {
  for (;;) {
    lock(queue + Field.mutex);
    const end = tryPutBlock(queue, block);
    unlock(queue + Field.mutex);
    if (end === Put.done) return true;
    if (end === Put.full) return false;
    prepareBlock(queue, end, block, items);
  }
}

/** Like {@linkcode prepare}, and gives the block back if that throws. */
function prepareBlock(
  queue: number,
  end: number,
  block: number,
  items: unknown,
): void {
  try {
    prepare(queue, end, countOf(block), items);
  } catch (error) {
    giveBack(block);
    throw error;
  }
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
  if (putBlock(queue, block, items)) return;
  waitSyncToPut(queue, block, timeout, items);
}

/** Puts items together if there is room for all. */
export function putManyNowait(queue: number, items: readonly unknown[]): void {
  const count = items.length;
  if (count === 0) return;
  checkCount(queue, count);
  const block = draftBlock(queue, items);
  if (putBlock(queue, block, items)) return;
  giveBack(block);
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
  if (putBlock(queue, block, items)) return undefined;
  return waitToPut(queue, block, timeout, signal, items);
}

function announce(block: number): void {
  waiting.block = block;
  waiting.linked = false;
}

function waitSyncToPut(
  queue: number,
  block: number,
  timeout: number,
  item: unknown,
): void {
  for (;;) {
    announce(block);
    let end: number;
    try {
      end = waitSync(putProtocol, queue, QueueField.putters, timeout, PUT);
    } catch (error) {
      if (!waiting.linked) giveBack(block);
      throw error;
    }
    if (waiting.linked) {
      if (end === Put.done) return;
      throw end === Put.full ? full(queue, timeout) : failure(queue, end, item);
    }
    if (end === Put.done) return;
    prepareBlock(queue, end, block, item);
  }
}

async function waitToPut(
  queue: number,
  block: number,
  timeout: number,
  signal: AbortSignal | undefined,
  item: unknown,
): Promise<void> {
  for (;;) {
    announce(block);
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
      if (!linked) giveBack(block);
      throw error;
    }
    if (linked) {
      if (end === Put.done) return;
      throw failure(queue, end, item);
    }
    if (end === Put.done) return;
    prepareBlock(queue, end, block, item);
  }
}
