/**
 * Putting items into the places of a queue and taking them out, whatever its
 * order. What changes a queue is to be called under its mutex.
 *
 * @module
 */

import {
  allocate,
  deallocate,
  discard,
} from "../threading/_memory/allocator.ts";
import { addDraft, removeDraft } from "../threading/_memory/draft.ts";
import { doubles, words } from "../threading/_memory/heap.ts";
import {
  commitRecord,
  refersToNothing,
  releaseRecord,
  takeRecord,
} from "../threading/_memory/record.ts";
import {
  CELL_WORDS,
  copyCell,
  draftItem,
  inlineIn,
  recordIn,
  writeCell,
} from "./_cell.ts";
import { Order, QueueField } from "./_fields.ts";
import { draftEntry, insertSlot, removeLowest, SlotField } from "./_heap.ts";
import { KeyKind, keyOf } from "./_key.ts";
import { cellAt, dropPlaces, placeWords } from "./_places.ts";

/** An item that is to be put: itself, its drafts, its key. */
export const offer = {
  item: undefined as unknown,
  record: 0,
  kind: 0,
  beginning: 0,
  entry: 0,
};

/**
 * Makes {@linkcode offer} ready. Not under the mutex.
 *
 * @throws {TypeError} If it cannot be compared.
 * @throws {NotSendableError} If it cannot be sent.
 * @throws {HeapExhaustedError} If there is no room.
 */
export function draftOffer(queue: number, item: unknown): void {
  if (words[queue + QueueField.order] !== Order.priority) {
    // Encoding may run code of the user's, which may put something.
    const record = draftItem(item);
    offer.item = item;
    offer.record = record;
    offer.entry = 0;
    return;
  }
  const record = draftItem(item);
  let entry = 0;
  try {
    const key = keyOf(item);
    offer.kind = key.kind;
    offer.beginning = key.beginning;
    if (key.kind !== KeyKind.number) entry = draftEntry(item, record, key);
  } catch (error) {
    if (record !== 0) discard(record);
    throw error;
  }
  offer.item = item;
  offer.record = record;
  offer.entry = entry;
}

/** Gives back the drafts of an offer. Not under the mutex. */
export function discardOffer(record: number, entry: number): void {
  if (entry !== 0) discard(entry);
  if (record !== 0) discard(record);
}

function nextSequence(queue: number): number {
  const sequence = words[queue + QueueField.sequence];
  words[queue + QueueField.sequence] = sequence + 1;
  return sequence;
}

/** Whether items of that kind of key may join those that are there. */
export function isKindRight(queue: number, kind: number): boolean {
  return words[queue + QueueField.order] !== Order.priority ||
    words[queue + QueueField.length] === 0 ||
    words[queue + QueueField.keyKind] === kind;
}

/**
 * With a free place: puts the offer in.
 *
 * @returns Whether it is in; if not, it cannot be compared.
 */
export function insertOffer(queue: number): boolean {
  const { record } = offer;
  if (words[queue + QueueField.order] !== Order.priority) {
    const length = words[queue + QueueField.length];
    writeCell(cellAt(queue, length), offer.item, record);
    words[queue + QueueField.length] = length + 1;
  } else {
    const { beginning, entry, kind } = offer;
    if (!isKindRight(queue, kind)) return false;
    const sequence = nextSequence(queue);
    if (!insertSlot(queue, beginning, entry, sequence, false)) return false;
    words[queue + QueueField.keyKind] = kind;
    if (entry !== 0) removeDraft(entry);
  }
  if (record !== 0) commitRecord(record);
  return true;
}

/**
 * A block with items that are to be put together. In a priority queue it has a
 * slot for each, with the kind of the key in the place of the sequence number.
 */
export function draftBlock(queue: number, items: readonly unknown[]): number {
  const size = placeWords(queue);
  const block = allocate(items.length * size);
  let done = 0;
  try {
    for (; done < items.length; done++) {
      draftOffer(queue, items[done]);
      writeOffer(queue, block + done * size);
    }
  } catch (error) {
    discardBlock(queue, block, done);
    throw error;
  }
  return block;
}

/** Writes the offer into a place of a block. */
export function writeOffer(queue: number, place: number): void {
  if (words[queue + QueueField.order] !== Order.priority) {
    writeCell(place, offer.item, offer.record);
    return;
  }
  doubles[place + SlotField.beginning >> 1] = offer.beginning;
  words[place + SlotField.entry] = offer.entry;
  words[place + SlotField.sequence] = offer.kind;
}

/** The record of the item at a place, or 0. */
function recordOf(queue: number, place: number): number {
  if (words[queue + QueueField.order] !== Order.priority) {
    return recordIn(place);
  }
  const entry = words[place + SlotField.entry];
  return entry === 0 ? 0 : recordIn(entry);
}

/** The entry of the item at a place, or 0. */
function entryOf(queue: number, place: number): number {
  return words[queue + QueueField.order] === Order.priority
    ? words[place + SlotField.entry]
    : 0;
}

/** Gives back a block of drafts. Not under the mutex. */
export function discardBlock(
  queue: number,
  block: number,
  count: number,
): void {
  const size = placeWords(queue);
  for (let i = 0; i < count; i++) {
    const place = block + i * size;
    discardOffer(recordOf(queue, place), entryOf(queue, place));
  }
  discard(block);
}

/** Whether the items of a block can be compared with those that are there. */
export function isBlockRight(
  queue: number,
  block: number,
  count: number,
): boolean {
  if (words[queue + QueueField.order] !== Order.priority) return true;
  const kind = words[block + SlotField.sequence];
  const size = placeWords(queue);
  for (let i = 1; i < count; i++) {
    if (words[block + i * size + SlotField.sequence] !== kind) return false;
  }
  return isKindRight(queue, kind);
}

/** Makes the drafts of a block the queue's. */
export function commitBlock(
  queue: number,
  block: number,
  count: number,
): void {
  const size = placeWords(queue);
  for (let i = 0; i < count; i++) {
    const place = block + i * size;
    const record = recordOf(queue, place);
    const entry = entryOf(queue, place);
    if (record !== 0) commitRecord(record);
    if (entry !== 0) removeDraft(entry);
  }
}

/** With places for them: puts the committed items of a block in. */
export function insertBlock(
  queue: number,
  block: number,
  count: number,
): void {
  const priority = words[queue + QueueField.order] === Order.priority;
  for (let i = 0; i < count; i++) {
    if (priority) {
      const slot = block + i * placeWords(queue);
      words[queue + QueueField.keyKind] = words[slot + SlotField.sequence];
      insertSlot(
        queue,
        doubles[slot + SlotField.beginning >> 1],
        words[slot + SlotField.entry],
        nextSequence(queue),
        true,
      );
    } else {
      const length = words[queue + QueueField.length];
      copyCell(cellAt(queue, length), block + i * CELL_WORDS);
      words[queue + QueueField.length] = length + 1;
    }
  }
}

/** Gives back a committed block with its items. */
export function releaseBlock(
  queue: number,
  block: number,
  count: number,
): void {
  const size = placeWords(queue);
  for (let i = 0; i < count; i++) releasePlace(queue, block + i * size);
  deallocate(block);
}

function releasePlace(queue: number, place: number): void {
  const record = recordOf(queue, place);
  const entry = entryOf(queue, place);
  if (record !== 0) releaseRecord(record);
  if (entry !== 0) deallocate(entry);
}

/** What was taken out last: its drafts, and what puts it back. */
export const taken = { record: 0, entry: 0, beginning: 0, sequence: 0 };

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
 * @returns The item, if `taken.record` is 0.
 */
export function takeOut(queue: number): unknown {
  const place = removeNext(queue);
  if (words[queue + QueueField.order] !== Order.priority) {
    return takeCell(place);
  }
  const entry = words[place + SlotField.entry];
  taken.beginning = doubles[place + SlotField.beginning >> 1];
  if (entry === 0) {
    taken.record = 0;
    taken.entry = 0;
    return taken.beginning;
  }
  const value = takeCell(entry);
  const { record } = taken;
  if (record === 0 || refersToNothing(record)) {
    deallocate(entry);
  } else {
    taken.entry = entry;
    taken.sequence = words[place + SlotField.sequence];
    addDraft(entry);
  }
  return value;
}

/** Takes the item of a cell that was taken out. */
export function takeCell(cell: number): unknown {
  const record = recordIn(cell);
  taken.record = record;
  taken.entry = 0;
  if (record === 0) return inlineIn(cell);
  takeRecord(record);
  return undefined;
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
  while (words[queue + QueueField.length] > 0) {
    releasePlace(queue, removeNext(queue));
  }
  dropPlaces(queue);
}
