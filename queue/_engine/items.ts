/**
 * Items on their way into a queue and out of it, in the queue's order.
 *
 * What a put needs is allocated before it takes the mutex: the record and key of
 * an item are drafts of its thread. Several items, and one that has to wait for
 * room, lie in a block (`blocks.ts`).
 *
 * What changes a queue here is called under its mutex, with the ends closed.
 *
 * @module
 */

import {
  add,
  addDraft,
  deallocate,
  dequeue,
  discard,
  doubles,
  firstOf,
  removeDraft,
  words,
} from "../../threading/_ground.ts";
import {
  commitRecord,
  decode,
  draftEncoded,
  encode,
  type Encoded,
  refersToNothing,
  releaseRecord,
} from "../../threading/_values.ts";
import {
  copyCell,
  isBare,
  isMessage,
  messageOf,
  NodeItem,
  offer,
  Order,
  parcelIn,
  QueueField,
  recordIn,
  takeCell,
  taken,
  UNREAD,
  writeOffer,
  writeParcel,
} from "./layout.ts";
import { adopt, nextParcel, Parcel, unlinkParcel } from "./parcels.ts";
import {
  draftEntry,
  INCOMPARABLE,
  insertSlot,
  key,
  makeKey,
  messageOfEntry,
  removeLowest,
  SlotField,
} from "./priority_heap.ts";
import { cellAt, dropPlaces } from "./ring.ts";

/**
 * Makes {@linkcode offer} ready. Not under the mutex.
 *
 * @throws {TypeError} If it cannot be compared.
 * @throws {NotSendableError} If it cannot be sent.
 * @throws {HeapExhaustedError} If there is no room.
 */
export function draftOffer(queue: number, item: unknown): void {
  if (words[queue + QueueField.order] === Order.priority) {
    draftWithKey(item);
    return;
  }
  let message: Encoded | undefined;
  let record = 0;
  if (!isBare(item)) {
    // This may run getters, which may put something themselves.
    message = encode(item);
    if (!isMessage(message)) {
      record = draftEncoded(message);
      message = undefined;
    }
  }
  offerRecord(item, record);
  offer.message = message;
}

/** Makes a record, or an item without one, the offer of a queue without keys. */
export function offerRecord(item: unknown, record: number): void {
  offer.item = item;
  offer.record = record;
  offer.message = undefined;
  offer.kind = 0;
  offer.entry = 0;
}

/** How often this thread has begun to make an offer with a key. */
let turns = 0;

function draftWithKey(item: unknown): void {
  const turn = ++turns;
  let record = 0;
  let entry = 0;
  if (typeof item === "number") {
    makeKey(item);
  } else {
    let encoded = encode(item);
    if (turn === turns) {
      makeKey(item);
      // One of the tuple itself has put something in place of the message.
      if (turn !== turns) encoded = encode(item);
    }
    if (turn !== turns) {
      // A getter in the item has put something else. A copy has no getters.
      draftWithKey(decode(encoded.bytes, 0, encoded.length));
      return;
    }
    if (isMessage(encoded)) {
      entry = draftEntry(0, encoded);
    } else {
      record = draftEncoded(encoded);
      entry = entryOf(record);
    }
  }
  offer.item = item;
  offer.record = record;
  offer.message = undefined;
  offer.kind = key.kind;
  offer.beginning = key.beginning;
  offer.entry = entry;
}

function entryOf(record: number): number {
  try {
    return draftEntry(record, undefined);
  } catch (error) {
    discard(record);
    throw error;
  }
}

/** Turns the message of the offer into a record, which can lie anywhere. */
export function draftMessage(): void {
  if (offer.message === undefined) return;
  offer.record = draftEncoded(offer.message);
  offer.message = undefined;
}

/** Gives back the drafts of an offer. Not under the mutex. */
export function discardOffer(record: number, entry: number): void {
  if (entry !== 0) discard(entry);
  if (record !== 0) discard(record);
}

/** Number of the next item in a heap. */
export function nextSequence(queue: number): number {
  const sequence = words[queue + QueueField.sequence];
  words[queue + QueueField.sequence] = sequence + 1;
  return sequence;
}

/** Whether an item with that kind of key can be compared with those in it. */
export function isKindRight(queue: number, kind: number): boolean {
  return words[queue + QueueField.order] !== Order.priority ||
    (words[queue + QueueField.length] === 0 &&
      words[queue + QueueField.returned] === 0) ||
    words[queue + QueueField.keyKind] === kind;
}

/**
 * Puts the offer in. There must be a free place, a wide one for a message.
 *
 * @returns Whether it is in; if not, it cannot be compared.
 */
export function insertOffer(queue: number): boolean {
  const { record } = offer;
  if (words[queue + QueueField.order] !== Order.priority) {
    const length = words[queue + QueueField.length];
    writeOffer(cellAt(queue, length));
    words[queue + QueueField.length] = length + 1;
  } else {
    const { beginning, entry, kind } = offer;
    if (!isKindRight(queue, kind)) return false;
    const sequence = nextSequence(queue);
    const at = insertSlot(queue, beginning, entry, sequence, false);
    if (at === INCOMPARABLE) return false;
    words[queue + QueueField.keyKind] = kind;
    if (entry !== 0) removeDraft(entry);
  }
  if (record !== 0) commitRecord(record);
  return true;
}

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
 * @param n Where to keep a message.
 * @returns The item, or `UNREAD` if {@linkcode taken} has it.
 */
export function takeOut(queue: number, n = 0): unknown {
  const parcel = nextParcel(queue);
  if (parcel !== 0) {
    unlinkParcel(queue, parcel);
    return takeParcel(queue, parcel);
  }
  const place = removeNext(queue);
  return words[queue + QueueField.order] === Order.priority
    ? takeSlot(
      doubles[place + SlotField.beginning >> 1],
      words[place + SlotField.entry],
      words[place + SlotField.sequence],
      n,
    )
    : takeCell(place, messageOf(place), n);
}

/** Takes a parcel that is in no line; the caller reads and settles it. */
function takeParcel(queue: number, parcel: number): unknown {
  adopt(queue, parcel);
  taken.parcel = parcel;
  return UNREAD;
}

function takeSlot(
  beginning: number,
  entry: number,
  sequence: number,
  n: number,
): unknown {
  if (entry === 0) return beginning;
  const value = takeCell(entry, messageOfEntry(entry), n);
  if (taken.record === 0 || refersToNothing(taken.record)) {
    deallocate(entry);
  } else {
    taken.entry = entry;
    taken.beginning = beginning;
    taken.sequence = sequence;
    addDraft(entry);
  }
  return value;
}

/** Gives the next item of a queue that is not empty to a node in no line. */
export function moveToNode(queue: number, node: number): void {
  const parcel = nextParcel(queue);
  if (parcel !== 0) {
    unlinkParcel(queue, parcel);
    writeParcel(node + NodeItem.cell, parcel);
    return;
  }
  const place = removeNext(queue);
  copyCell(node + NodeItem.cell, place);
  if (words[queue + QueueField.order] !== Order.priority) return;
  words[node + NodeItem.entry] = words[place + SlotField.entry];
  words[node + NodeItem.sequence] = words[place + SlotField.sequence];
}

/** What a node was handed is never a message in a cell. */
const NO_MESSAGE = 0;

/** Takes what a node was handed, like {@linkcode takeOut}. */
export function takeFromNode(queue: number, node: number): unknown {
  const cell = node + NodeItem.cell;
  const parcel = parcelIn(cell);
  if (parcel !== 0) return takeParcel(queue, parcel);
  return words[queue + QueueField.order] === Order.priority
    ? takeSlot(
      doubles[cell >> 1],
      words[node + NodeItem.entry],
      words[node + NodeItem.sequence],
      0,
    )
    : takeCell(cell, NO_MESSAGE, 0);
}

/** Copies what a node was handed, which is no parcel, to a place. */
export function copyFromNode(queue: number, to: number, node: number): void {
  copyCell(to, node + NodeItem.cell);
  if (words[queue + QueueField.order] !== Order.priority) return;
  words[to + SlotField.entry] = words[node + NodeItem.entry];
  words[to + SlotField.sequence] = words[node + NodeItem.sequence];
}

/** Puts what a node was handed, which is no parcel, back, with a free place. */
export function putBackFromNode(queue: number, node: number): void {
  const cell = node + NodeItem.cell;
  taken.beginning = doubles[cell >> 1];
  taken.entry = words[node + NodeItem.entry];
  taken.sequence = words[node + NodeItem.sequence];
  putBack(queue, words[cell], words[cell + 1]);
}

/** Gives back the item that a node was handed. */
export function releaseFromNode(queue: number, node: number): void {
  const isSlot = words[queue + QueueField.order] === Order.priority;
  const parcel = parcelIn(node + NodeItem.cell);
  if (parcel !== 0) {
    releasePlace(parcel + Parcel.place, isSlot);
    deallocate(parcel);
  } else if (isSlot) {
    releaseEntry(words[node + NodeItem.entry]);
  } else {
    releasePlace(node + NodeItem.cell, false);
  }
}

/**
 * Puts an item back where it was taken from. There must be a free place. In a
 * ring or a stack it is the item of a cell with these two words, in a heap the
 * one in `taken`.
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

/** Gives back the items that came back, or will; returns how many there were. */
export function releaseParcels(queue: number): number {
  const isHeap = words[queue + QueueField.order] === Order.priority;
  let count = 0;
  for (const line of [QueueField.returned, QueueField.delayed]) {
    for (let parcel; (parcel = firstOf(queue, line)) !== 0; count++) {
      dequeue(parcel);
      if (line === QueueField.delayed) add(queue + QueueField.out, -1);
      releasePlace(parcel + Parcel.place, isHeap);
      deallocate(parcel);
    }
  }
  words[queue + QueueField.returnedCount] = 0;
  return count;
}

/** Gives back the item of a slot of a heap, or of a cell. */
export function releasePlace(place: number, isSlot: boolean): void {
  if (isSlot) {
    releaseEntry(words[place + SlotField.entry]);
    return;
  }
  const record = recordIn(place);
  if (record !== 0) releaseRecord(record);
}

function releaseEntry(entry: number): void {
  if (entry === 0) return;
  releasePlace(entry, false);
  deallocate(entry);
}
