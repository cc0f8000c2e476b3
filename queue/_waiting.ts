/**
 * Who waits for a queue, and how what happens to it lets them go on.
 *
 * A put that waits leaves its items with its node: whoever makes room for them
 * puts them in, so they are there at once even if the thread that put them is
 * busy. Likewise an item that is put while somebody waits to get goes to the
 * node of the first one, which is woken to take it over. What a node has
 * belongs to the queue: if the thread is killed or gives up, the items of a put
 * go with it, and an item that was handed over goes back to where it was.
 *
 * In a ring nobody waits to get while there are items. In a priority queue those
 * who wait are woken to take the lowest item there is by then.
 *
 * @module
 */

import { words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import { Field } from "../threading/_memory/shared_class.ts";
import { releaseReference } from "../threading/_memory/shared_object.ts";
import {
  dequeue,
  firstOf,
  firstOther,
  Node,
  type Protocol,
  Wake,
  wake,
  wakeAll,
} from "../threading/_memory/wait_queue.ts";
import { countOf, insertBlock, isBlockRight, linkBlock } from "./_block.ts";
import { copyCell } from "./_cell.ts";
import { close, enter, leave, open } from "./_ends.ts";
import { Order, QueueField } from "./_fields.ts";
import { insertOffer, offer } from "./_offer.ts";
import { growTo, hasPlaces, isWide } from "./_places.ts";
import {
  putBack,
  releaseItems,
  releasePlace,
  removeNext,
  takeCell,
  taken,
  takeOut,
} from "./_take.ts";
import { countPut, countThrownAway, releaseJoiners } from "./_tasks.ts";

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
} as const;

/** A getter's node has been handed an item; a flag of the node. */
const HANDED = 4;
/** It never is a message. */
const NO_MESSAGE = 0;

/**
 * Where a node has what it was handed (two words, as a cell), or the block of
 * what it puts.
 */
const NodeItem = { cell: Node.value, block: Node.value };

/** After items were put in: gives them to those who wait. */
function feedGetters(queue: number, inserted: number): void {
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
function feedOthers(queue: number): void {
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

function hasRoom(queue: number, count: number): boolean {
  return words[queue + QueueField.length] <=
    words[queue + QueueField.limit] - count;
}

/** Under the mutex: puts the offer in, if that can be done now. */
export function tryPut(queue: number): number {
  if (words[queue + QueueField.shutDown] !== 0) return Put.shutDown;
  if (!hasRoom(queue, 1) || words[queue + QueueField.putters] !== 0) {
    return Put.full;
  }
  if (offer.message !== undefined) {
    if (words[queue + QueueField.getters] !== 0) return Put.record;
    if (!isWide(queue)) return Put.widen;
  }
  if (!hasPlaces(queue, 1)) return Put.grow;
  if (!insertOffer(queue)) return Put.mismatch;
  countPut(queue, 1);
  if (words[queue + QueueField.getters] !== 0) feedGetters(queue, 1);
  return Put.done;
}

/** Under the mutex: puts a block of this thread in, if that can be done now. */
export function tryPutBlock(queue: number, block: number): number {
  if (words[queue + QueueField.shutDown] !== 0) return Put.shutDown;
  if (!isBlockRight(queue, block)) return Put.mismatch;
  const count = countOf(block);
  if (!hasRoom(queue, count) || words[queue + QueueField.putters] !== 0) {
    return Put.full;
  }
  if (!hasPlaces(queue, count)) return Put.grow;
  if (!insertBlock(queue, block)) return Put.mismatch;
  linkBlock(block);
  releaseReference(block);
  countPut(queue, count);
  if (words[queue + QueueField.getters] !== 0) feedGetters(queue, count);
  return Put.done;
}

/** The block that is about to wait, and whether it belongs to a node now. */
export const waiting = { block: 0, linked: false };

/** What a dead or tired thread's node had. */
function withdraw(queue: number, node: number): void {
  if (words[node + Node.queue] !== QueueField.putters) return;
  if (words[queue + QueueField.order] === Order.hooks) return;
  releaseReference(words[node + NodeItem.block]);
  // It may have kept smaller ones behind it from going in.
  admitPutters(queue);
  open(queue);
}

/** How a put waits; what it puts is in {@linkcode waiting}. */
export const putProtocol: Protocol = {
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

/** What a get that waited has got; its drafts are in `taken`. */
export const got: { value: unknown; fresh: boolean } = {
  value: undefined,
  fresh: false,
};

/** How a get waits; what it gets is in {@linkcode got}. */
export const getProtocol: Protocol = {
  take(queue, node) {
    if (words[node + Node.flags] & HANDED) {
      words[node + Node.flags] &= ~HANDED;
      got.value = takeCell(node + NodeItem.cell, NO_MESSAGE, 0);
    } else {
      close(queue);
      if (words[queue + QueueField.length] === 0) {
        return words[queue + QueueField.shutDown] !== 0
          ? Wake.refused
          : Wake.waiting;
      }
      got.value = takeOut(queue);
      admitPutters(queue);
      open(queue);
    }
    got.fresh = true;
    return Wake.granted;
  },
  withdraw,
  decline(queue, node) {
    const isGetter = words[node + Node.queue] === QueueField.getters;
    if (isGetter && words[node + Node.state] === Wake.retry) {
      passOn(queue, node, feedOthers);
    }
  },
};

/** Passes on what a dead thread's node was given and did not take. */
export function abandon(queue: number, node: number, state: number): void {
  if (state !== Wake.retry) return;
  if (passOn(queue, node, feedFirst)) return;
  lock(queue + Field.mutex);
  releasePlace(node + NodeItem.cell, false);
  unlock(queue + Field.mutex);
}

function feedFirst(queue: number): void {
  feedGetters(queue, 1);
}

/**
 * Gives others what a node was woken for that has not taken it.
 *
 * @param feedNext Gives it to one of them, under the mutex.
 * @returns `false` if the node has an item, and there is no room to put it back.
 */
function passOn(
  queue: number,
  node: number,
  feedNext: (queue: number) => void,
): boolean {
  if (words[queue + QueueField.order] === Order.hooks) return true;
  if (words[node + Node.flags] & HANDED) {
    const cell = node + NodeItem.cell;
    return returnItem(queue, words[cell], words[cell + 1], () => {
      words[node + Node.flags] &= ~HANDED;
    }, feedNext);
  }
  enter(queue);
  feedNext(queue);
  leave(queue);
  return true;
}

/**
 * Puts an item back that was taken. Not under the mutex.
 *
 * @param queue The queue.
 * @param low The low word of its cell.
 * @param high The high word.
 * @param settle Called under the mutex when it is back.
 * @param feedNext Gives it to one who waits.
 * @returns Whether it is back; if not, the heap is full.
 */
export function returnItem(
  queue: number,
  low: number,
  high: number,
  settle: () => void,
  feedNext: (queue: number) => void = feedFirst,
): boolean {
  const { entry, beginning, sequence } = taken;
  for (;;) {
    enter(queue);
    if (hasPlaces(queue, 1)) break;
    const needed = words[queue + QueueField.length] + 1;
    leave(queue);
    try {
      growTo(queue, needed);
    } catch {
      return false;
    }
  }
  taken.entry = entry;
  taken.beginning = beginning;
  taken.sequence = sequence;
  putBack(queue, low, high);
  settle();
  feedNext(queue);
  leave(queue);
  return true;
}

/** Under the mutex: ends a queue without hooks. */
export function shutDown(queue: number, immediate: boolean): void {
  words[queue + QueueField.shutDown] = 1;
  if (immediate) {
    countThrownAway(queue, words[queue + QueueField.length]);
    releaseItems(queue);
    releaseJoiners(queue);
  }
  for (;;) {
    const node = firstOf(queue, QueueField.putters);
    if (node === 0) break;
    dequeue(node);
    releaseReference(words[node + NodeItem.block]);
    wake(node, Wake.refused);
  }
  wakeAll(queue, QueueField.getters, Wake.retry);
}
