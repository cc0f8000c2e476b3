/**
 * The two ends of a ring, open and closed.
 *
 * While nobody waits at a first-in first-out queue its ends are open: who puts
 * takes the mutex of the tail alone (`_tail.ts`), who gets that of the head
 * (`_head.ts`), and each looks how far the other end is only when it does not
 * know of an item, or of a free place. This is the queue with two locks of
 * Michael and Scott, in a ring. An index is written after the words of its item
 * were, and both atomically for the other end: who sees that there is an item,
 * or a free place, finds it ready.
 *
 * Everything else (waiting, growing, ending, other orders) has the queue for
 * itself: it takes the queue's mutex and closes the ends, by a mark that is
 * looked at by all who have taken an end's mutex, and by waiting until whoever
 * came before the mark is through. They stay closed while somebody waits, so
 * all who could serve a waiter come here, and no wake-up is lost: a waiter looks
 * and joins its wait queue in one section of the queue's mutex, behind the mark.
 *
 * @module
 */

import { doubles, load, store, words } from "../threading/_memory/heap.ts";
import {
  lock,
  lockInner,
  unlock,
  unlockInner,
} from "../threading/_memory/mutex.ts";
import { Field } from "../threading/_memory/shared_class.ts";
import { Order, QueueField } from "./_fields.ts";

/**
 * No index grows beyond this: then the ends are closed and opened again, and the
 * indices begin anew.
 */
export const MAX_INDEX = 2 ** 30;

/** What `opening` is, modulo 4: 1 is open, 2 is about to be closed. */
const CLOSED = 0;

/**
 * Whether the ends are open. To be asked under the mutex of the queue or of one
 * of the ends; under the latter they stay open then.
 */
export function areOpen(queue: number): boolean {
  // Atomic: what the ends were opened with is to be seen, too.
  return (load(queue + QueueField.opening) & 1) !== 0;
}

/** Takes the queue's mutex and closes the ends. */
export function enter(queue: number): void {
  lock(queue + Field.mutex);
  close(queue);
}

/** Opens the ends if that may be, and releases the queue's mutex. */
export function leave(queue: number): void {
  open(queue);
  unlock(queue + Field.mutex);
}

/** Under the queue's mutex: closes the ends. */
export function close(queue: number): void {
  if (!areOpen(queue)) return;
  const closing = words[queue + QueueField.opening] + 1;
  store(queue + QueueField.opening, closing);
  pass(queue + QueueField.tailMutex);
  pass(queue + QueueField.headMutex);
  const head = words[queue + QueueField.head];
  const tail = words[queue + QueueField.tail];
  words[queue + QueueField.first] = head &
    words[queue + QueueField.capacity] - 1;
  words[queue + QueueField.length] = tail - head;
  doubles[queue + QueueField.unfinished >> 1] += putSinceOpened(queue, tail);
  store(queue + QueueField.opening, closing + 2);
}

function pass(mutex: number): void {
  lockInner(mutex);
  unlockInner(mutex);
}

/** Under the queue's mutex: opens the ends if nothing is to be minded there. */
export function open(queue: number): void {
  const busy = words[queue + QueueField.getters] |
    words[queue + QueueField.putters] | words[queue + QueueField.shutDown] |
    words[queue + QueueField.order] ^ Order.fifo;
  if (busy !== 0 || words[queue + QueueField.capacity] === 0) return;
  if (areOpen(queue)) return;
  const head = words[queue + QueueField.first];
  const tail = head + words[queue + QueueField.length];
  words[queue + QueueField.head] = head;
  words[queue + QueueField.seenHead] = head;
  words[queue + QueueField.tail] = tail;
  words[queue + QueueField.seenTail] = tail;
  words[queue + QueueField.openedAt] = tail;
  store(queue + QueueField.opening, words[queue + QueueField.opening] + 1);
}

function putSinceOpened(queue: number, tail: number): number {
  return tail - words[queue + QueueField.openedAt];
}

/** Under the queue's mutex: items that were put and not reported as done. */
export function unfinishedIn(queue: number): number {
  const counted = doubles[queue + QueueField.unfinished >> 1];
  if (!areOpen(queue)) return counted;
  return counted + putSinceOpened(queue, load(queue + QueueField.tail));
}

/** How many items a queue has at the moment; takes no mutex. */
export function sizeOf(queue: number): number {
  for (;;) {
    const opening = load(queue + QueueField.opening);
    let size: number;
    // While they are being closed the length is still to be written.
    if ((opening & 3) !== CLOSED) {
      // In this order it is not negative; items may have passed in between.
      const head = load(queue + QueueField.head);
      const tail = load(queue + QueueField.tail);
      size = Math.min(tail - head, words[queue + QueueField.limit]);
    } else {
      size = Math.max(
        0,
        load(queue + QueueField.length) - load(queue + QueueField.reserved),
      );
    }
    if (load(queue + QueueField.opening) === opening) return size;
  }
}
