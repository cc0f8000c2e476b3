/**
 * Serving those who wait for a queue, under its mutex with the ends closed: an
 * item that is put while somebody waits to get goes to the node of the first
 * one, which is woken to take it over; items that wait for room go in as soon as
 * there is some, even if the thread that put them is busy.
 *
 * In a ring nobody waits to get while there are items. In a priority queue those
 * who wait are woken to take the lowest item there is by then.
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
} as const;

/** A getter's node has been handed an item; a flag of the node. */
export const HANDED = 1 << 8;
/**
 * Where a node has what it was handed (two words, as a cell), or the block of
 * what it puts.
 */
export const NodeItem = { cell: Node.value, block: Node.value };

/** After items were put in: gives them to those who wait. */
export function feedGetters(queue: number, inserted: number): void {
  let left = words[queue + QueueField.order] === Order.priority
    ? inserted
    : Infinity;
  while (left-- > 0 && feed(queue, firstOf(queue, QueueField.getters)));
}

/** Gives a getter an item, or wakes it to take one; false if that cannot be. */
function feed(queue: number, node: number): boolean {
  if (node === 0 || words[queue + QueueField.length] === 0) return false;
  dequeue(node);
  if (words[queue + QueueField.order] !== Order.priority) {
    copyCell(node + NodeItem.cell, removeNext(queue));
    words[node + Node.flags] |= HANDED;
  }
  wake(node, Wake.retry);
  return true;
}

/** The same for the first that is not as stuck as this thread's tasks. */
export function feedOthers(queue: number): void {
  feed(queue, firstOther(queue, QueueField.getters));
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
    if (firstOf(queue, QueueField.getters) !== 0) feedGetters(queue, count);
  }
}

/** Under the mutex: whether the limit leaves room for so many items. */
export function hasRoom(queue: number, count: number): boolean {
  return words[queue + QueueField.length] <=
    words[queue + QueueField.limit] - count;
}
