/**
 * Getting several items, in all forms: a batch of those that are there, after a
 * wait for the first, or one after the other by iterating.
 *
 * A batch is taken in rounds, as many items as can be taken before one must be
 * read.
 *
 * @module
 */

import {
  ADDRESS,
  addressOf,
  checkInterrupted,
  doubles,
  type SharedObject,
  store,
  unlock,
  words,
} from "../../threading/_ground.ts";
import { readRecord, refersToNothing } from "../../threading/_threads.ts";
import { timeoutOf, type WaitOptions } from "../../_internal/check.ts";
import { explained, ShutDown } from "../errors.ts";
import { hooked, isCustom } from "./custom_list.ts";
import { readDelivery, settle, undoDelivery } from "./deliveries.ts";
import {
  afterTaking,
  drop,
  enterClosed,
  enterHead,
  get,
  getCustom,
  getCustomNowait,
  getCustomSync,
  getOne,
  getOneNowait,
  getOneSync,
  getSync,
} from "./get.ts";
import { takeOut } from "./items.ts";
import {
  isNumberIn,
  MAX_RECEIVED,
  messageOf,
  QueueField,
  readReceived,
  takeCell,
  taken,
  UNREAD,
} from "./layout.ts";
import {
  isWasteful,
  isWastefulAtHead,
  leave,
  lookAtTail,
  shrink,
} from "./ring.ts";
import { returnTaken, spareIn } from "./waiters.ts";

/** Gets from 1 to `n` items, and blocks until there is one. */
export function getManySync(
  handle: SharedObject,
  queue: number,
  n: number,
  timeout: number,
): unknown[] {
  if (isCustom(queue)) return getCustomSync(hooked(handle), queue, n, timeout);
  const items = getAvailable(queue, n, []);
  if (items.length > 0) return items;
  return getAvailable(queue, n, [getOneSync(queue, timeout)]);
}

/** Gets from 1 to `n` items if there are any. */
export function getManyNowait(
  handle: SharedObject,
  queue: number,
  n: number,
): unknown[] {
  if (isCustom(queue)) return getCustomNowait(hooked(handle), queue, n);
  const items = getAvailable(queue, n, []);
  return items.length > 0 ? items : [getOneNowait(queue)];
}

/** Gets from 1 to `n` items without blocking the thread. */
export async function getMany(
  handle: SharedObject,
  queue: number,
  n: number,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<unknown[]> {
  if (isCustom(queue)) {
    return await getCustom(hooked(handle), queue, n, timeout, signal);
  }
  const items = getAvailable(queue, n, []);
  if (items.length > 0) return items;
  return getAvailable(queue, n, [await getOne(queue, timeout, signal)]);
}

/** A copy of `taken`. */
interface Unread {
  parcel: number;
  record: number;
  length: number;
  entry: number;
  beginning: number;
  sequence: number;
  /** Its place in the result. */
  index: number;
}

/**
 * Gets up to `n` items without waiting. If one cannot be read, it goes back and
 * is the next; the next get throws the error.
 */
function getAvailable(queue: number, n: number, items: unknown[]): unknown[] {
  while (items.length < n) {
    const before = items.length;
    const unread = takeRound(queue, n, items);
    if (items.length === before) break;
    for (let i = 0; i < unread.length; i++) {
      if (read(queue, unread[i], i, items)) continue;
      // It is the last one of its round.
      items.pop();
      return items;
    }
  }
  return items;
}

/**
 * Reads the nth unread item.
 *
 * @returns `false` if it cannot be read and is back in the queue.
 * @throws Why it cannot be read, if the heap is too full to take it back and
 * there are no other items that would be lost.
 */
function read(
  queue: number,
  item: Unread,
  n: number,
  items: unknown[],
): boolean {
  const { parcel, record, length, entry, index } = item;
  if (parcel !== 0) {
    try {
      items[index] = readDelivery(queue, parcel);
    } catch {
      undoDelivery(queue, parcel);
      return false;
    }
    settle(queue, parcel, false);
    return true;
  }
  if (length !== 0) {
    items[index] = readReceived(n, length);
    return true;
  }
  try {
    items[index] = readRecord(record);
  } catch (error) {
    Object.assign(taken, item);
    if (returnTaken(queue)) return false;
    drop(record, entry);
    if (items.length === 1) throw explained(error);
    return false;
  }
  drop(record, entry);
  return true;
}

/**
 * Takes items until there are `n`, the queue is empty, or some must be read
 * first; one that refers to something is the last of its round, since reading
 * it may fail.
 *
 * @returns The unread items, in order.
 */
function takeRound(queue: number, n: number, items: unknown[]): Unread[] {
  const unread: Unread[] = [];
  let wasteful: boolean;
  if (enterHead(queue)) {
    takeOpen(queue, n, items, unread);
    wasteful = isWastefulAtHead(queue);
    unlock(queue + QueueField.headMutex);
  } else {
    enterClosed(queue);
    takeClosed(queue, n, items, unread);
    wasteful = isWasteful(queue);
    leave(queue);
  }
  if (wasteful) shrink(queue);
  return unread;
}

function takeOpen(
  queue: number,
  n: number,
  items: unknown[],
  unread: Unread[],
): void {
  const places = words[queue + QueueField.places];
  const last = words[queue + QueueField.capacity] - 1;
  const shift = words[queue + QueueField.placeShift];
  let head = words[queue + QueueField.head];
  const end = Math.min(lookAtTail(queue), head + n - items.length);
  while (head < end) {
    const cell = places + ((head++ & last) << shift);
    if (isNumberIn(cell)) {
      items.push(doubles[cell >> 1]);
      continue;
    }
    const value = takeCell(cell, messageOf(cell), unread.length);
    if (!note(value, items, unread)) break;
  }
  store(queue + QueueField.head, head);
}

function takeClosed(
  queue: number,
  n: number,
  items: unknown[],
  unread: Unread[],
): void {
  const most = Math.min(n, items.length + spareIn(queue));
  while (items.length < most) {
    if (!note(takeOut(queue, unread.length), items, unread)) break;
  }
  afterTaking(queue);
}

/** Adds an item to a round; returns whether the round goes on. */
function note(value: unknown, items: unknown[], unread: Unread[]): boolean {
  if (value === UNREAD) unread.push({ ...taken, index: items.length });
  items.push(value);
  if (value !== UNREAD) return true;
  return unread.length < MAX_RECEIVED && taken.parcel === 0 &&
    (taken.record === 0 || refersToNothing(taken.record));
}

const ITERATE = "iterate the items of a queue";

/** What {@linkcode Queue.items} gives: what `for` and `for await` iterate. */
export interface QueueItems<T> {
  /** Gets the items in the promise form. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void>;
  /** Gets the items in the blocking form. */
  [Symbol.iterator](): Generator<T, void, void>;
}

type Items<T> = AsyncGenerator<T, void, void>;

/**
 * Has `return()` end the wait for an item that is under way. Otherwise that comes
 * first, and takes an item for which nobody asks any more.
 */
export function endingWait<T>(items: Items<T>, endWait: () => void): Items<T> {
  const end = items.return;
  items.return = (value) => {
    endWait();
    return end.call(items, value);
  };
  return items;
}

/** The items of a queue, one after the other, in the promise form. */
export function eachItem<T>(
  handle: SharedObject,
  timeout: number,
  signal: AbortSignal | undefined,
): Items<T> {
  const ending = new AbortController();
  const either = signal === undefined
    ? ending.signal
    : AbortSignal.any([signal, ending.signal]);
  return endingWait(
    eachUntil(handle, timeout, either, ending.signal),
    () => ending.abort(),
  );
}

async function* eachUntil<T>(
  handle: SharedObject,
  timeout: number,
  signal: AbortSignal,
  ending: AbortSignal,
): Items<T> {
  for (;;) {
    let item: T;
    signal.throwIfAborted();
    checkInterrupted();
    try {
      const queue = addressOf(handle);
      item = await get(handle, queue, timeout, signal, true) as T;
      // The handle must not be collected as garbage meanwhile.
      void handle[ADDRESS];
    } catch (error) {
      if (error instanceof ShutDown || ending.aborted) return;
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
