/**
 * How a put and a get wait, and what becomes of what they leave behind.
 *
 * A put that waits leaves its items with its node, and a get that waits is
 * handed an item there, see `_serve.ts`. What a node has belongs to the queue: if
 * the thread is killed or gives up, the items of a put go with it, and an item
 * that was handed over goes back to where it was.
 *
 * @module
 */

import { COUNTED, removeDraft } from "../threading/_memory/draft.ts";
import { words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import { Field } from "../threading/_memory/shared_class.ts";
import { releaseReference } from "../threading/_memory/shared_object.ts";
import { self, Slot } from "../threading/_memory/slot.ts";
import {
  dequeue,
  firstOf,
  firstOther,
  Node,
  type Protocol,
  Wake,
  wakeAll,
} from "../threading/_memory/wait_queue.ts";
import { linkBlock } from "./_block.ts";
import { NO_NUMBER } from "./_cell.ts";
import { close, enter, leave, open } from "./_ends.ts";
import { Order, QueueField, ShutDownMode } from "./_fields.ts";
import { growTo, hasPlaces } from "./_places.ts";
import {
  admitPutters,
  availableIn,
  endOf,
  endPutter,
  feedGetters,
  feedOthers,
  isClaimed,
  NodeItem,
  nudge,
  Put,
  releaseClaim,
  WaitFlag,
} from "./_serve.ts";
import {
  putBack,
  releaseItems,
  releasePlace,
  takeCell,
  taken,
  takeOut,
} from "./_take.ts";
import { countThrownAway, releaseJoiners } from "./_tasks.ts";
import { tryPutBlock } from "./_try_put.ts";

/** It never is a message. */
const NO_MESSAGE = 0;

/** The block that is about to wait, and whether it belongs to a node now. */
export const waiting = { block: 0, linked: false };

/** Under the mutex: after a wait ended before it got anything. */
function withdraw(queue: number, node: number): void {
  if (words[node + Node.queue] !== QueueField.putters) return;
  releaseReference(words[node + NodeItem.block]);
  passTurn(queue);
}

/** A put that gave up may have kept smaller ones behind it from going in. */
function passTurn(queue: number): void {
  if (words[queue + QueueField.order] === Order.custom) {
    nudge(queue, firstOf(queue, QueueField.putters));
  } else {
    admitPutters(queue);
    open(queue);
  }
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
    if (words[node + Node.flags] & WaitFlag.handed) {
      words[node + Node.flags] &= ~WaitFlag.handed;
      got.value = takeCell(node + NodeItem.cell, NO_MESSAGE, 0);
    } else {
      close(queue);
      if (isClaimed(node)) releaseClaim(queue, node);
      if (availableIn(queue) <= 0) {
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
  decline,
};

/**
 * Lets others have what a task of this thread was woken for, since the thread
 * blocks.
 */
export function decline(queue: number, node: number): void {
  if (words[node + Node.state] !== Wake.retry) return;
  const flags = words[node + Node.flags];
  if (flags & WaitFlag.handed) {
    returnHanded(queue, self, feedOthers);
  } else if (flags & WaitFlag.claimed) {
    lock(queue + Field.mutex);
    releaseClaim(queue, node);
    feedOthers(queue);
    unlock(queue + Field.mutex);
  } else if (flags & WaitFlag.nudged) {
    lock(queue + Field.mutex);
    nudge(queue, firstOther(queue, QueueField.putters));
    unlock(queue + Field.mutex);
  }
}

/** Passes on what a dead thread's node was given and did not take. */
export function abandon(queue: number, node: number, state: number): void {
  if (state !== Wake.retry) return;
  if (words[node + Node.queue] === QueueField.putters) {
    abandonPut(queue, node);
  } else if (words[node + Node.flags] & WaitFlag.handed) {
    const slot = words[node + Node.slot];
    if (!returnHanded(queue, slot, feedGetters)) loseHanded(queue, slot);
  } else if (isClaimed(node)) {
    lock(queue + Field.mutex);
    releaseClaim(queue, node);
    feedGetters(queue);
    unlock(queue + Field.mutex);
  }
}

/** The same for a put at a queue with hooks, which was to put its items in. */
function abandonPut(queue: number, node: number): void {
  lock(queue + Field.mutex);
  if (endOf(node) === undefined) {
    if (words[node + Node.flags] & WaitFlag.nudged) dequeue(node);
    releaseReference(words[node + NodeItem.block]);
    passTurn(queue);
  }
  unlock(queue + Field.mutex);
}

/**
 * Puts back what a thread's nodes were handed, in the order in which it was
 * there.
 *
 * @param queue The queue.
 * @param slot The slot of the thread: this one's, or that of a dead one.
 * @param feed Gives it to others, under the mutex.
 * @returns `false` if there is no room for it, and the nodes still have it.
 */
function returnHanded(
  queue: number,
  slot: number,
  feed: (queue: number) => void,
): boolean {
  for (;;) {
    enter(queue);
    const count = countHanded(queue, slot);
    if (count === 0 || isDropping(queue) || hasPlaces(queue, count)) break;
    const needed = words[queue + QueueField.length] + count;
    leave(queue);
    try {
      growTo(queue, needed);
    } catch {
      return false;
    }
  }
  eachHanded(queue, slot, isDropping(queue) ? dropHanded : putBackHanded);
  feed(queue);
  leave(queue);
  return true;
}

/** When the heap is full: what a dead thread's nodes were handed is lost. */
function loseHanded(queue: number, slot: number): void {
  lock(queue + Field.mutex);
  eachHanded(queue, slot, dropHanded);
  unlock(queue + Field.mutex);
}

function countHanded(queue: number, slot: number): number {
  let count = 0;
  eachHanded(queue, slot, () => count++);
  return count;
}

/**
 * Under the mutex: for each node of a thread that was handed an item, in the
 * order in which they go back. A thread's nodes are listed with the last one
 * first, as a ring takes them back; a stack takes the first one first. The node
 * of its blocking wait came last; while the thread lives it takes what it gets.
 */
function eachHanded(
  queue: number,
  slot: number,
  visit: (queue: number, node: number) => void,
): void {
  const visitHanded = (node: number) => {
    const isHanded = words[node + Node.object] === queue &&
      words[node + Node.queue] === QueueField.getters &&
      words[node + Node.state] === Wake.retry &&
      words[node + Node.flags] & WaitFlag.handed;
    if (isHanded) visit(queue, node);
  };
  const own = slot + Slot.node;
  const first = words[slot + Slot.nodes];
  if (words[queue + QueueField.order] === Order.fifo) {
    if (slot !== self) visitHanded(own);
    for (let node = first; node !== 0; node = words[node + Node.listNext]) {
      visitHanded(node);
    }
    return;
  }
  let last = first;
  while (last !== 0 && words[last + Node.listNext] !== 0) {
    last = words[last + Node.listNext];
  }
  for (let node = last; node !== 0; node = words[node + Node.listPrevious]) {
    visitHanded(node);
    if (node === first) break;
  }
  if (slot !== self) visitHanded(own);
}

function putBackHanded(queue: number, node: number): void {
  const cell = node + NodeItem.cell;
  words[node + Node.flags] &= ~WaitFlag.handed;
  putBack(queue, words[cell], words[cell + 1]);
}

function dropHanded(queue: number, node: number): void {
  words[node + Node.flags] &= ~WaitFlag.handed;
  releasePlace(node + NodeItem.cell, false);
  countThrownAway(queue, 1);
  releaseJoiners(queue);
}

/** Under the mutex: whether what comes back is thrown away. */
function isDropping(queue: number): boolean {
  return words[queue + QueueField.shutDown] === ShutDownMode.immediate;
}

/**
 * Puts back what is in {@linkcode taken}, and was taken out and could not be
 * read. Not under the mutex.
 *
 * @returns Whether it is back; if not, the heap is full, and it is still this
 * thread's.
 */
export function returnTaken(queue: number): boolean {
  const { record, entry, beginning, sequence } = taken;
  for (;;) {
    enter(queue);
    if (hasPlaces(queue, 1) || isDropping(queue)) break;
    const needed = words[queue + QueueField.length] + 1;
    leave(queue);
    try {
      growTo(queue, needed);
    } catch {
      Object.assign(taken, { record, entry, beginning, sequence });
      return false;
    }
  }
  if (isDropping(queue)) {
    countThrownAway(queue, 1);
    releaseJoiners(queue);
    leave(queue);
    return false;
  }
  Object.assign(taken, { entry, beginning, sequence });
  putBack(queue, record, NO_NUMBER);
  removeDraft(record | COUNTED);
  if (entry !== 0) removeDraft(entry);
  feedGetters(queue);
  leave(queue);
  return true;
}

/** Under the mutex: ends a queue. */
export function shutDown(queue: number, immediate: boolean): void {
  const mode = immediate ? ShutDownMode.immediate : ShutDownMode.drains;
  words[queue + QueueField.shutDown] = Math.max(
    mode,
    words[queue + QueueField.shutDown],
  );
  if (immediate) {
    if (words[queue + QueueField.order] !== Order.custom) {
      countThrownAway(queue, words[queue + QueueField.length]);
      releaseItems(queue);
    }
    words[queue + QueueField.reserved] = 0;
    releaseJoiners(queue);
  }
  for (;;) {
    const node = firstOf(queue, QueueField.putters);
    if (node === 0) break;
    endPutter(node, Wake.refused);
  }
  wakeAll(queue, QueueField.getters, Wake.retry);
}
