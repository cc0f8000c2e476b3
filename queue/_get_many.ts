/**
 * Getting several items at once from a queue without hooks.
 *
 * @module
 */

import { doubles, store, words } from "../threading/_memory/heap.ts";
import { unlock } from "../threading/_memory/mutex.ts";
import { readRecord, refersToNothing } from "../threading/_memory/record.ts";
import { isNumberIn } from "./_cell.ts";
import { enter, leave } from "./_ends.ts";
import { QueueField } from "./_fields.ts";
import { drop, enterHead, explained, get, getNowait, getSync } from "./_get.ts";
import { isWastefulAtHead, lookAtTail } from "./_head.ts";
import { MAX_RECEIVED, readReceived } from "./_message.ts";
import { isWasteful, messageOf, shrink } from "./_places.ts";
import { admitPutters, availableIn } from "./_serve.ts";
import { takeCell, taken, takeOut, UNREAD } from "./_take.ts";
import { returnTaken } from "./_waiting.ts";

/** Gets from 1 to `n` items, and blocks until there is one. */
export function getManySync(
  queue: number,
  n: number,
  timeout: number,
): unknown[] {
  const items = getAvailable(queue, n, []);
  if (items.length > 0) return items;
  return getAvailable(queue, n, [getSync(queue, timeout)]);
}

/** Gets from 1 to `n` items if there are any. */
export function getManyNowait(queue: number, n: number): unknown[] {
  const items = getAvailable(queue, n, []);
  return items.length > 0 ? items : [getNowait(queue)];
}

/** Gets from 1 to `n` items without blocking the thread. */
export async function getMany(
  queue: number,
  n: number,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<unknown[]> {
  const items = getAvailable(queue, n, []);
  if (items.length > 0) return items;
  return getAvailable(queue, n, [await get(queue, timeout, signal)]);
}

/** What was taken and is still to be read, see `taken`. */
interface Unread {
  record: number;
  length: number;
  entry: number;
  beginning: number;
  sequence: number;
  /** Its place in the result. */
  index: number;
}

/**
 * Gets items that are there until it has `n`. One that cannot be read goes back
 * and ends it: the next get tells why.
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
 * Reads the nth of what is unread.
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
  const { record, length, entry, index } = item;
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
 * @returns What is to be read, in order.
 */
function takeRound(queue: number, n: number, items: unknown[]): Unread[] {
  const unread: Unread[] = [];
  let wasteful: boolean;
  if (enterHead(queue)) {
    takeOpen(queue, n, items, unread);
    wasteful = isWastefulAtHead(queue);
    unlock(queue + QueueField.headMutex);
  } else {
    enter(queue);
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
  while (items.length < n && availableIn(queue) > 0) {
    if (!note(takeOut(queue, unread.length), items, unread)) break;
  }
  if (words[queue + QueueField.putters] !== 0) admitPutters(queue);
}

/** Notes an item of a round; returns whether the round goes on. */
function note(value: unknown, items: unknown[], unread: Unread[]): boolean {
  if (value === UNREAD) unread.push({ ...taken, index: items.length });
  items.push(value);
  if (value !== UNREAD) return true;
  return unread.length < MAX_RECEIVED &&
    (taken.record === 0 || refersToNothing(taken.record));
}
