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

import { words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import { Field } from "../threading/_memory/shared_class.ts";
import { releaseReference } from "../threading/_memory/shared_object.ts";
import {
  dequeue,
  firstOf,
  Node,
  type Protocol,
  Wake,
  wake,
  wakeAll,
} from "../threading/_memory/wait_queue.ts";
import { linkBlock } from "./_block.ts";
import { close, enter, leave, open } from "./_ends.ts";
import { Order, QueueField } from "./_fields.ts";
import { growTo, hasPlaces } from "./_places.ts";
import {
  admitPutters,
  feedGetters,
  feedOthers,
  HANDED,
  NodeItem,
  Put,
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
