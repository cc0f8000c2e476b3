/**
 * Putting items, in all forms.
 *
 * The fast path puts one item in at the open tail of a ring. The slow path has
 * the queue's mutex. If there is no room, the items wait in a block, and whoever
 * makes room puts them in and wakes the put (`waiters.ts`). A queue with hooks
 * runs them in a transaction instead (`custom_order.ts`) and waits the same way.
 *
 * @module
 */

import {
  blockOfOffer,
  countOf,
  draftBlock,
  insertBlock,
  isBlockRight,
  linkBlock,
} from "./blocks.ts";
import * as custom from "./custom_order.ts";
import {
  giveBack,
  load,
  type Protocol,
  releaseReference,
  type SharedObject,
  waitPromise,
  waitSync,
  Wake,
  words,
} from "../../threading/_ground.ts";
import { explained, full, mismatch, PUT, putShutDown } from "../errors.ts";
import { type Hooked, hooked, isCustom } from "./custom_list.ts";
import {
  discardOffer,
  draftMessage,
  draftOffer,
  insertOffer,
} from "./items.ts";
import {
  type Batch,
  encodeBatch,
  limitOf,
  NO_ROOM,
  NodeItem,
  offer,
  Put,
  QueueField,
} from "./layout.ts";
import {
  areBare,
  close,
  enter,
  growTo,
  hasPlaces,
  isWide,
  leave,
  LOOKS,
  mayBeOpen,
  open,
  pause,
  putBareAtTail,
  putBatchAtTail,
  putNumberAtTail,
  putOfferAtTail,
  sizeOf,
  widen,
} from "./ring.ts";
import {
  countPut,
  feedGetters,
  mayPut,
  secureGetter,
  withdraw,
} from "./waiters.ts";

/**
 * Puts the offer in, or finds that there is no room.
 *
 * @returns Whether it is in; if not it is still a draft.
 */
export function putOffer(queue: number): boolean {
  for (;;) {
    const end = tryOffer(queue);
    if (end === Put.done) return true;
    if (end === Put.full) return false;
    // The message of an error shows the item, which may run code of the user's
    // that makes another offer.
    const { item, record, entry } = offer;
    try {
      prepare(queue, end, 1, item);
    } catch (error) {
      discardOffer(record, entry);
      throw error;
    }
  }
}

/**
 * Spins until a quarter of the queue is free, or gives up soon. Stopping at one
 * free cell would make two threads wait for each other at every single item. Does
 * not spin if others wait: they come first.
 *
 * @param queue The queue, which was full.
 * @param count How many items need room.
 * @param attempt Puts them if it can.
 * @returns Whether they are in.
 */
export function spinForRoom(
  queue: number,
  count: number,
  attempt: () => boolean,
): boolean {
  const limit = words[queue + QueueField.limit];
  // Where there is never room, whoever gets looks for those who wait.
  if (limit === NO_ROOM) return false;
  const most = limit - count;
  const enough = Math.min(most, limit - (limit >> 2));
  for (let looks = 0; load(queue + QueueField.putters) === 0;) {
    for (; looks < LOOKS && sizeOf(queue) > enough; looks++) pause();
    if (sizeOf(queue) <= most && attempt()) return true;
    if (looks++ >= LOOKS) break;
  }
  return false;
}

/** Puts the offer in, if that can be done now. */
function tryOffer(queue: number): number {
  if (mayBeOpen(queue)) {
    const end = putOfferAtTail(queue);
    if (end !== Put.closed) return end;
  }
  enter(queue);
  const end = tryPut(queue);
  leave(queue);
  return end;
}

/** Puts an item, and blocks until there is room. */
export function putSync(
  handle: SharedObject,
  queue: number,
  item: unknown,
  timeout: number,
): void {
  if (typeof item === "number" && putNumberAtTail(queue, item)) return;
  if (isCustom(queue)) {
    return putCustomSync(hooked(handle), queue, [item], timeout);
  }
  draftOffer(queue, item);
  if (putOffer(queue) || spinForRoom(queue, 1, () => putOffer(queue))) return;
  waitSyncToPut(queue, blockOfOffer(queue), timeout, item);
}

/** Puts an item if there is room. */
export function putNowait(
  handle: SharedObject,
  queue: number,
  item: unknown,
): void {
  if (typeof item === "number" && putNumberAtTail(queue, item)) return;
  if (isCustom(queue)) return putCustomNowait(hooked(handle), queue, [item]);
  draftOffer(queue, item);
  if (putOffer(queue)) return;
  discardOffer(offer.record, offer.entry);
  throw full(limitOf(queue));
}

/** Puts an item without blocking the thread; returns a promise if it waits. */
export function put(
  handle: SharedObject,
  queue: number,
  item: unknown,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<void> | undefined {
  if (typeof item === "number" && putNumberAtTail(queue, item)) {
    return undefined;
  }
  if (isCustom(queue)) {
    return putCustom(hooked(handle), queue, [item], timeout, signal);
  }
  draftOffer(queue, item);
  if (putOffer(queue)) return undefined;
  return waitToPut(queue, blockOfOffer(queue), timeout, signal, item);
}

/** Items on the short way into an open ring, in which no one needs a record. */
class Tail {
  readonly #bare: boolean;
  /** What is encoded of them, if any must be. */
  readonly #batch: Batch | undefined;

  constructor(readonly queue: number, readonly items: readonly unknown[]) {
    this.#bare = areBare(items);
    if (!this.#bare && mayBeOpen(queue)) this.#batch = encodeBatch(items);
  }

  /** Puts them in at the tail, if that is all it takes; returns a `Put`. */
  put(): number {
    const { queue, items } = this;
    if (!mayBeOpen(queue)) return Put.closed;
    if (this.#bare) return putBareAtTail(queue, items);
    const batch = this.#batch;
    if (batch === undefined || batch.other !== undefined) return Put.closed;
    if (!isWide(queue)) widen(queue);
    return putBatchAtTail(queue, batch, items);
  }

  /** Makes a block of them. */
  draftBlock(): number {
    return draftBlock(this.queue, this.items, this.#batch);
  }
}

/** Puts items together, and blocks until there is room for all. */
export function putManySync(
  handle: SharedObject,
  queue: number,
  items: readonly unknown[],
  timeout: number,
): void {
  if (isCustom(queue)) {
    return putCustomSync(hooked(handle), queue, items, timeout);
  }
  const tail = new Tail(queue, items);
  const end = tail.put();
  if (end === Put.done) return;
  if (end === Put.full) {
    const attempt = () => tail.put() === Put.done;
    if (spinForRoom(queue, items.length, attempt)) return;
  }
  const block = tail.draftBlock();
  if (putBlock(queue, block, items)) return;
  waitSyncToPut(queue, block, timeout, items);
}

/** Puts items together if there is room for all. */
export function putManyNowait(
  handle: SharedObject,
  queue: number,
  items: readonly unknown[],
): void {
  if (isCustom(queue)) return putCustomNowait(hooked(handle), queue, items);
  const tail = new Tail(queue, items);
  if (tail.put() === Put.done) return;
  const block = tail.draftBlock();
  if (putBlock(queue, block, items)) return;
  giveBack(block);
  throw full(limitOf(queue));
}

/** Puts items without blocking the thread; returns a promise if it waits. */
export function putMany(
  handle: SharedObject,
  queue: number,
  items: readonly unknown[],
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<void> | undefined {
  if (isCustom(queue)) {
    return putCustom(hooked(handle), queue, items, timeout, signal);
  }
  const tail = new Tail(queue, items);
  if (tail.put() === Put.done) return undefined;
  const block = tail.draftBlock();
  if (putBlock(queue, block, items)) return undefined;
  return waitToPut(queue, block, timeout, signal, items);
}

/**
 * Puts the items of a block in if there is room for all.
 *
 * @returns Whether they are in; if not it is still this thread's.
 */
export function putBlock(
  queue: number,
  block: number,
  items: unknown,
): boolean {
  for (;;) {
    enter(queue);
    const end = tryPutBlock(queue, block);
    leave(queue);
    if (end === Put.done) return true;
    if (end === Put.full) return false;
    prepareBlock(queue, end, block, items);
  }
}

/** Like {@linkcode prepare}, and gives the block back if that throws. */
export function prepareBlock(
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

function announce(block: number): void {
  waiting.block = block;
  waiting.linked = false;
}

/**
 * Blocks until the items of a block are in.
 *
 * @param item The item or items, for messages.
 */
export function waitSyncToPut(
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
      throw end === Put.full
        ? full(limitOf(queue), timeout)
        : failure(queue, end, item);
    }
    if (end === Put.done) return;
    prepareBlock(queue, end, block, item);
  }
}

/** The same, without blocking the thread. */
export async function waitToPut(
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
        timeoutError: () => full(limitOf(queue), timeout),
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

/** The block that is about to wait, and whether it belongs to a node now. */
const waiting = { block: 0, linked: false };

/** How a put waits; what it puts is in {@linkcode waiting}. */
const putProtocol: Protocol = {
  take(queue, node) {
    const { block } = waiting;
    close(queue);
    const end = tryPutBlock(queue, block);
    if (end !== Put.full) {
      open(queue);
      return end;
    }
    if (words[queue + QueueField.capacity] < words[queue + QueueField.limit]) {
      open(queue);
      return Put.growToLimit;
    }
    linkBlock(block);
    words[node + NodeItem.block] = block;
    waiting.linked = true;
    return Wake.waiting;
  },
  withdraw,
};

/** Puts the offer in, if that can be done now. */
export function tryPut(queue: number): number {
  if (words[queue + QueueField.shutDown] !== 0) return Put.shutDown;
  if (!mayPut(queue, 1)) return Put.full;
  if (offer.message !== undefined) {
    if (words[queue + QueueField.getters] !== 0) return Put.record;
    if (!isWide(queue)) return Put.widen;
  }
  if (!hasPlaces(queue, 1)) return Put.grow;
  if (!secureGetter(queue)) return Put.full;
  if (!insertOffer(queue)) return Put.mismatch;
  countPut(queue, 1);
  if (words[queue + QueueField.getters] !== 0) feedGetters(queue);
  return Put.done;
}

/** Puts a block of this thread in, if that can be done now. */
export function tryPutBlock(queue: number, block: number): number {
  if (words[queue + QueueField.shutDown] !== 0) return Put.shutDown;
  if (!isBlockRight(queue, block)) return Put.mismatch;
  const count = countOf(block);
  if (!mayPut(queue, count)) return Put.full;
  if (!hasPlaces(queue, count)) return Put.grow;
  if (!secureGetter(queue)) return Put.full;
  if (!insertBlock(queue, block)) return Put.mismatch;
  linkBlock(block);
  releaseReference(block);
  countPut(queue, count);
  if (words[queue + QueueField.getters] !== 0) feedGetters(queue);
  return Put.done;
}

/** The error of an attempt to put that ended so. */
export function failure(queue: number, end: number, item: unknown): Error {
  if (end === Put.shutDown) return putShutDown();
  return end === Put.mismatch ? mismatch(item) : full(limitOf(queue));
}

/**
 * Allocates what an attempt to put needs.
 *
 * @throws {HeapExhaustedError} If there is no room for it.
 * @throws The error of the put, if no allocation helps.
 */
export function prepare(
  queue: number,
  end: number,
  count: number,
  item: unknown,
): void {
  switch (end) {
    case Put.grow:
      return growTo(queue, sizeOf(queue) + count);
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
 * Checks the number of items of one put.
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

/** Puts items together, and blocks until there is room for all. */
function putCustomSync(
  handle: Hooked,
  queue: number,
  items: readonly unknown[],
  timeout: number,
): void {
  const deadline = custom.deadlineOf(timeout);
  try {
    const copies = items.map(custom.copyOf);
    while (!custom.tryPut(handle, queue, copies)) {
      const wait = new custom.PutWait(
        handle,
        copies,
        draftBlock(queue, copies),
      );
      let end: number = Put.failed;
      try {
        end = custom.waitBlocked(
          wait,
          queue,
          QueueField.putters,
          deadline,
          PUT,
        );
      } finally {
        if (!wait.linked) giveBack(wait.block);
      }
      if (end === Put.done) return;
      if (end === Put.again) continue;
      throw end === Put.full
        ? full(limitOf(queue), timeout)
        : custom.putError(end, wait);
    }
  } catch (error) {
    throw explained(error, PUT);
  }
}

/** Puts items together if there is room for all. */
function putCustomNowait(
  handle: Hooked,
  queue: number,
  items: readonly unknown[],
): void {
  try {
    if (!custom.tryPut(handle, queue, items.map(custom.copyOf))) {
      throw full(limitOf(queue));
    }
  } catch (error) {
    throw explained(error, PUT);
  }
}

/** Puts items together without blocking the thread. */
async function putCustom(
  handle: Hooked,
  queue: number,
  items: readonly unknown[],
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = custom.deadlineOf(timeout);
  const copies = items.map(custom.copyOf);
  for (;;) {
    try {
      if (custom.tryPut(handle, queue, copies)) return;
    } catch (error) {
      await custom.loadModuleOf(error);
      continue;
    }
    // No waiting in between: the order of arrival is that of the calls.
    const wait = new custom.PutWait(handle, copies, draftBlock(queue, copies));
    let end: number = Put.failed;
    try {
      end = await waitPromise(wait, queue, QueueField.putters, {
        timeout: custom.leftUntil(deadline),
        signal,
        timeoutError: () => full(limitOf(queue), timeout),
      });
    } finally {
      if (!wait.linked) giveBack(wait.block);
    }
    if (end === Put.done) return;
    if (end !== Put.again) {
      await custom.loadModuleOf(custom.putError(end, wait));
    }
  }
}
