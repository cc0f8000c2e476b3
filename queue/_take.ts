/**
 * Taking items out of the places of a queue, whatever its order, and reading
 * them. What changes a queue is to be called under its mutex.
 *
 * @module
 */

import { deallocate } from "../threading/_memory/allocator.ts";
import { addDraft } from "../threading/_memory/draft.ts";
import { doubles, words } from "../threading/_memory/heap.ts";
import {
  refersToNothing,
  releaseRecord,
  takeRecord,
} from "../threading/_memory/record.ts";
import { bareIn, isNumberIn, messageLengthIn, recordIn } from "./_cell.ts";
import { Order, QueueField } from "./_fields.ts";
import {
  insertSlot,
  messageOfEntry,
  removeLowest,
  SlotField,
} from "./_heap.ts";
import { receive } from "./_message.ts";
import { cellAt, dropPlaces, messageOf } from "./_places.ts";

/**
 * What was taken out last and is still to be read: a record, with the entry it
 * had if it may have to be put back, or a message. And what puts it back.
 */
export const taken = {
  record: 0,
  length: 0,
  entry: 0,
  beginning: 0,
  sequence: 0,
};

/** Stands for an item that is still to be read. */
export const UNREAD: unique symbol = Symbol("unread");

/** Takes the next place out of a queue that is not empty. */
export function removeNext(queue: number): number {
  const order = words[queue + QueueField.order];
  if (order === Order.priority) return removeLowest(queue);
  const length = words[queue + QueueField.length] - 1;
  words[queue + QueueField.length] = length;
  if (order === Order.lifo) return cellAt(queue, length);
  const cell = cellAt(queue, 0);
  words[queue + QueueField.first] = words[queue + QueueField.first] + 1 &
    words[queue + QueueField.capacity] - 1;
  return cell;
}

/**
 * Takes the next item out of a queue that is not empty.
 *
 * @param queue The queue.
 * @param n Where a message is to be kept.
 * @returns The item, or `UNREAD` if {@linkcode taken} has it.
 */
export function takeOut(queue: number, n = 0): unknown {
  const place = removeNext(queue);
  if (words[queue + QueueField.order] !== Order.priority) {
    return takeCell(place, messageOf(place), n);
  }
  const entry = words[place + SlotField.entry];
  if (entry === 0) return doubles[place + SlotField.beginning >> 1];
  const value = takeCell(entry, messageOfEntry(entry), n);
  if (taken.record === 0 || refersToNothing(taken.record)) {
    deallocate(entry);
  } else {
    taken.entry = entry;
    taken.beginning = doubles[place + SlotField.beginning >> 1];
    taken.sequence = words[place + SlotField.sequence];
    addDraft(entry);
  }
  return value;
}

/** Takes the item of a cell that was taken out, with its message, if any. */
export function takeCell(cell: number, message: number, n: number): unknown {
  if (isNumberIn(cell)) return doubles[cell >> 1];
  const length = messageLengthIn(cell);
  taken.length = length;
  taken.record = 0;
  taken.entry = 0;
  if (length !== 0) {
    receive(message, length, n);
    return UNREAD;
  }
  const record = recordIn(cell);
  if (record === 0) return bareIn(cell);
  taken.record = record;
  takeRecord(record);
  return UNREAD;
}

/**
 * With a free place: puts an item back where it was taken from. In a ring this
 * is the item of a cell with these words, in a heap the one in `taken`.
 */
export function putBack(queue: number, low: number, high: number): void {
  const order = words[queue + QueueField.order];
  const length = words[queue + QueueField.length];
  if (order === Order.priority) {
    const { beginning, entry, sequence } = taken;
    insertSlot(queue, beginning, entry, sequence, true);
    return;
  }
  if (order === Order.fifo) {
    words[queue + QueueField.first] = words[queue + QueueField.first] - 1 &
      words[queue + QueueField.capacity] - 1;
  }
  words[queue + QueueField.length] = length + 1;
  const cell = cellAt(queue, order === Order.fifo ? 0 : length);
  words[cell] = low;
  words[cell + 1] = high;
}

/** Gives back all items. */
export function releaseItems(queue: number): void {
  const isHeap = words[queue + QueueField.order] === Order.priority;
  while (words[queue + QueueField.length] > 0) {
    releasePlace(removeNext(queue), isHeap);
  }
  dropPlaces(queue);
}

/** Gives back the item of a slot of a heap, or of a cell. */
export function releasePlace(place: number, isSlot: boolean): void {
  const entry = isSlot ? words[place + SlotField.entry] : 0;
  const cell = isSlot ? entry : place;
  const record = cell === 0 ? 0 : recordIn(cell);
  if (record !== 0) releaseRecord(record);
  if (entry !== 0) deallocate(entry);
}
