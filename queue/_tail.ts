/**
 * Putting at the open end of a ring, see `_ends.ts`.
 *
 * @module
 */

import { load, store, words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import { commitRecord } from "../threading/_memory/record.ts";
import { isBare, writeBare } from "./_cell.ts";
import { areOpen, MAX_INDEX } from "./_ends.ts";
import { QueueField } from "./_fields.ts";
import { offer, writeOffer } from "./_offer.ts";
import { cellOf, isWide } from "./_places.ts";
import { Put } from "./_serve.ts";

/**
 * Under the tail's mutex: `done` if there is room for so many items, `full`, or
 * `closed`.
 */
function lookForRoom(queue: number, count: number): number {
  if (!areOpen(queue)) return Put.closed;
  const end = words[queue + QueueField.tail] + count;
  if (end > MAX_INDEX) return Put.closed;
  const capacity = words[queue + QueueField.capacity];
  const limit = words[queue + QueueField.limit];
  const room = Math.min(capacity, limit);
  if (end - words[queue + QueueField.seenHead] <= room) return Put.done;
  const head = load(queue + QueueField.head);
  words[queue + QueueField.seenHead] = head;
  if (end - head <= room) return Put.done;
  return end - head > limit ? Put.full : Put.closed;
}

/** Puts the offer of a queue without keys in, if that takes nothing else. */
export function putOfferAtTail(queue: number): number {
  lock(queue + QueueField.tailMutex);
  let end: number = lookForRoom(queue, 1);
  if (end === Put.done) {
    if (offer.message === undefined || isWide(queue)) {
      const tail = words[queue + QueueField.tail];
      writeOffer(cellOf(queue, tail));
      if (offer.record !== 0) commitRecord(offer.record);
      store(queue + QueueField.tail, tail + 1);
    } else {
      end = Put.closed;
    }
  }
  unlock(queue + QueueField.tailMutex);
  return end;
}

/** Puts items in together that are all bare, if that takes nothing else. */
export function putBareAtTail(
  queue: number,
  items: readonly unknown[],
): number {
  const count = items.length;
  lock(queue + QueueField.tailMutex);
  const end = lookForRoom(queue, count);
  if (end === Put.done) {
    const places = words[queue + QueueField.places];
    const last = words[queue + QueueField.capacity] - 1;
    const shift = words[queue + QueueField.placeShift];
    const tail = words[queue + QueueField.tail];
    for (let i = 0; i < count; i++) {
      writeBare(places + ((tail + i & last) << shift), items[i]);
    }
    store(queue + QueueField.tail, tail + count);
  }
  unlock(queue + QueueField.tailMutex);
  return end;
}

/** Whether all items can be put as they are. */
export function areBare(items: readonly unknown[]): boolean {
  for (let i = 0; i < items.length; i++) {
    if (!isBare(items[i])) return false;
  }
  return true;
}
