/**
 * Serving those who wait for a queue, in order of arrival, under its mutex with
 * the ends closed. Whoever puts an item in, takes one out or gives up a wait
 * serves the others before it releases the mutex, so no wake-up is lost.
 *
 * An item that is put into a ring while somebody waits to get is handed over: it
 * goes to the node of the first one, which is woken to read it. In a priority
 * queue and in a queue with hooks the item stays, but is reserved: whoever was
 * woken takes the next item there is by then, and the others leave it one.
 *
 * Items that wait for room go in as soon as there is some, even if the thread
 * that put them is busy. In a queue with hooks that takes code of the user's,
 * which cannot run here: see `_custom_order.ts`.
 *
 * @module
 */

import { words } from "../threading/_memory/heap.ts";
import { releaseReference } from "../threading/_memory/shared_object.ts";
import {
  dequeue,
  firstOf,
  firstOther,
  Node,
  Wake,
  wake,
} from "../threading/_memory/wait_queue.ts";
import { countOf, insertBlock } from "./_block.ts";
import { copyCell } from "./_cell.ts";
import { Order, QueueField } from "./_fields.ts";
import { hasPlaces } from "./_places.ts";
import { removeNext } from "./_take.ts";
import { countPut } from "./_tasks.ts";

/** How an attempt to put ended, with the numbers of `Wake`. */
export const Put = {
  full: Wake.waiting,
  done: Wake.granted,
  shutDown: Wake.refused,
  /** More places are needed. */
  grow: 4,
  /** As many places as the limit allows are needed, so that it can wait. */
  growToLimit: 5,
  /** The item cannot be compared. */
  mismatch: 6,
  /** Wide places are needed, for a message. */
  widen: 7,
  /** A record is needed: somebody waits, whose node cannot have a message. */
  record: 8,
  /** It takes the queue's mutex to tell, see `_tail.ts`. */
  closed: 9,
  /** It may be possible by now: try again. */
  again: 10,
  /** A hook threw. */
  failed: 11,
} as const;

/** Flags of a node, above those of the ground. */
export const WaitFlag = {
  /** A getter was handed an item, which its node has. */
  handed: 1 << 8,
  /** An item is reserved for a getter. */
  claimed: 1 << 9,
  /** A putter was woken to put its items in, and is still in line. */
  nudged: 1 << 10,
  /** A woken node's wait has ended, as the bits from `END_SHIFT` on tell. */
  ended: 1 << 11,
} as const;
const END_SHIFT = 12;

/**
 * Where a node has what it was handed (two words, as a cell), or the block of
 * what it puts.
 */
export const NodeItem = { cell: Node.value, block: Node.value };

/** Under the mutex: whether items are handed over to those who wait for them. */
function handsOver(queue: number): boolean {
  return words[queue + QueueField.order] <= Order.lifo;
}

/** Under the mutex: how many items there are that are not reserved. */
export function availableIn(queue: number): number {
  return words[queue + QueueField.length] - words[queue + QueueField.reserved];
}

/** Under the mutex: whether the limit leaves room for so many items. */
export function hasRoom(queue: number, count: number): boolean {
  return availableIn(queue) <= words[queue + QueueField.limit] - count;
}

/** After items were put in: gives them to those who wait. */
export function feedGetters(queue: number): void {
  while (feed(queue, firstOf(queue, QueueField.getters)));
}

/** The same for those that are not as stuck as this thread's tasks. */
export function feedOthers(queue: number): void {
  while (feed(queue, firstOther(queue, QueueField.getters)));
}

/** Gives a getter an item, or wakes it to take one; false if that cannot be. */
function feed(queue: number, node: number): boolean {
  if (node === 0 || availableIn(queue) <= 0) return false;
  dequeue(node);
  if (handsOver(queue)) {
    copyCell(node + NodeItem.cell, removeNext(queue));
    words[node + Node.flags] |= WaitFlag.handed;
  } else {
    words[node + Node.flags] |= WaitFlag.claimed;
    words[queue + QueueField.reserved]++;
  }
  wake(node, Wake.retry);
  return true;
}

/** Under the mutex: whether an item is reserved for a node. */
export function isClaimed(node: number): boolean {
  return (words[node + Node.flags] & WaitFlag.claimed) !== 0;
}

/** Under the mutex: the item that is reserved for a node is for anybody. */
export function releaseClaim(queue: number, node: number): void {
  words[node + Node.flags] &= ~WaitFlag.claimed;
  const reserved = words[queue + QueueField.reserved];
  words[queue + QueueField.reserved] = Math.max(0, reserved - 1);
}

/** After items were taken out: puts in those that wait for room. */
export function admitPutters(queue: number): void {
  for (;;) {
    const node = firstOf(queue, QueueField.putters);
    if (node === 0) return;
    const block = words[node + NodeItem.block];
    const count = countOf(block);
    if (!hasRoom(queue, count) || !hasPlaces(queue, count)) return;
    dequeue(node);
    const done = insertBlock(queue, block);
    releaseReference(block);
    wake(node, done ? Put.done : Put.mismatch);
    if (!done) continue;
    countPut(queue, count);
    if (firstOf(queue, QueueField.getters) !== 0) feedGetters(queue);
  }
}

/**
 * Under the mutex of a queue with hooks: wakes a putter to put in the items of
 * those who wait, if there is room for the first ones. It stays in line, so that
 * nobody overtakes it, and any other thread may be faster than it.
 */
export function nudge(queue: number, node: number): void {
  if (node === 0 || words[node + Node.flags] & WaitFlag.nudged) return;
  const first = firstOf(queue, QueueField.putters);
  if (!hasRoom(queue, countOf(words[first + NodeItem.block]))) return;
  words[node + Node.flags] |= WaitFlag.nudged;
  wake(node, Wake.retry);
}

/** Under the mutex: ends the wait of a putter that is in line. */
export function endPutter(node: number, end: number): void {
  dequeue(node);
  releaseReference(words[node + NodeItem.block]);
  if (words[node + Node.flags] & WaitFlag.nudged) endWoken(node, end);
  else wake(node, end);
}

/** Under the mutex: ends the wait of a node that was woken to retry. */
export function endWoken(node: number, end: number): void {
  words[node + Node.flags] |= WaitFlag.ended | end << END_SHIFT;
}

/** Under the mutex: how the wait of a node ended that was woken, if it did. */
export function endOf(node: number): number | undefined {
  const flags = words[node + Node.flags];
  return flags & WaitFlag.ended ? flags >> END_SHIFT : undefined;
}
