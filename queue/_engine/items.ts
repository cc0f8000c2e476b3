/**
 * Items on their way into a queue and out of it, in the queue's order.
 *
 * What a put needs is allocated before it takes the mutex: the record and key of
 * an item are drafts of its thread. Several items, and one that has to wait for
 * room, lie in a block (`blocks.ts`).
 *
 * What changes a queue here is called under its mutex, with the ends closed.
 *
 * An item that was received is in a parcel while it is not in the queue's own
 * places, a node with a few more words. While its item is out, the node is in
 * the list of the thread that has it (`deliveries.ts`). When the item comes back,
 * the node itself goes into a line of the queue: nothing is allocated, so an item
 * always can come back, however full the queue or the heap is.
 *
 *     parcel + deliveries   how often it was received
 *     parcel + place        the item, as it lies in the queue: a cell with its
 *                           message, or the slot of a priority queue
 *     parcel + due          when it comes back, by the process' clock
 *     parcel + below        of a stack, how many items there were below it
 *     parcel + serial       orders those that one thread received
 *
 * The line `returned` begins with the item that is next of those that came back:
 *
 *     first-in first-out    the one that came back last; all come before the ring
 *     stack                 the same, but what was put later comes before it
 *     priority queue        the lowest; the first of line and heap is next
 *     hooks                 as in a ring; all come before what `_get` gives
 *
 * All of it under the queue's mutex with the ends closed. They stay closed while
 * there are parcels in the lines.
 *
 * @module
 */

import {
  add,
  addDraft,
  birth,
  clockOffset,
  deallocate,
  dequeue,
  discard,
  doubles,
  enqueue,
  enqueueFirst,
  Field,
  firstOf,
  listNode,
  Node,
  NODE_WORDS,
  removeDraft,
  Wake,
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
} from "../../threading/_threads.ts";
import {
  CELL_WORDS,
  copyCell,
  isBare,
  isMessage,
  messageLengthIn,
  messageOf,
  messageWords,
  NodeItem,
  offer,
  Order,
  parcelIn,
  QueueField,
  recordIn,
  takeCell,
  taken,
  UNREAD,
  WaitFlag,
  writeOffer,
  writeParcel,
} from "./layout.ts";
import {
  compareSlots,
  draftEntry,
  INCOMPARABLE,
  insertSlot,
  key,
  makeKey,
  messageOfEntry,
  removeLowest,
  SLOT_WORDS,
  SlotField,
} from "./priority_heap.ts";
import { cellAt, dropPlaces } from "./ring.ts";

/** The words of a parcel, behind those of a node. */
export const Parcel = {
  deliveries: NODE_WORDS,
  /** At an even word, with room for a wide cell. */
  place: NODE_WORDS + 1,
  due: NODE_WORDS + 17,
  below: NODE_WORDS + 19,
  serial: NODE_WORDS + 20,
} as const;
/** Size of a parcel in words. */
export const PARCEL_WORDS = NODE_WORDS + 21;

/** Copies an item from one place to another, with its message. */
export function copyPlace(queue: number, to: number, from: number): void {
  let count = CELL_WORDS;
  if (words[queue + QueueField.order] === Order.priority) {
    count = SLOT_WORDS;
  } else {
    const length = messageLengthIn(from);
    if (length !== 0) count += messageWords(length);
  }
  for (let i = 0; i < count; i++) words[to + i] = words[from + i];
}

/** The parcel whose item is the next of the queue, or 0. */
export function nextParcel(queue: number): number {
  const parcel = firstOf(queue, QueueField.returned);
  if (parcel === 0) return 0;
  const length = words[queue + QueueField.length];
  switch (words[queue + QueueField.order]) {
    case Order.lifo:
      return length <= words[parcel + Parcel.below] ? parcel : 0;
    case Order.priority:
      return length === 0 || isLower(parcel, words[queue + QueueField.places])
        ? parcel
        : 0;
    default:
      return parcel;
  }
}

function isLower(parcel: number, slot: number): boolean {
  return compareSlots(parcel + Parcel.place, slot, true) < 0;
}

/** Puts the item of a parcel that is in no line back to where it was. */
export function returnParcel(queue: number, parcel: number): void {
  words[queue + QueueField.returnedCount]++;
  words[parcel + Parcel.below] = words[queue + QueueField.length];
  if (words[queue + QueueField.order] !== Order.priority) {
    enqueueFirst(queue, QueueField.returned, parcel);
    return;
  }
  // Those that come back in the order in which they were received go to the end.
  const last = words[queue + QueueField.returned + 1];
  const place = parcel + Parcel.place;
  let next = 0;
  if (last !== 0 && !isLower(last, place)) {
    next = firstOf(queue, QueueField.returned);
    while (isLower(next, place)) next = words[next + Node.next];
  }
  insertBefore(queue, QueueField.returned, parcel, next);
}

/** Takes a parcel out of the line of those that came back. */
export function unlinkParcel(queue: number, parcel: number): void {
  words[queue + QueueField.returnedCount]--;
  dequeue(parcel);
}

let lastSerial = 0;

/** In the section that fills a parcel: it is this thread's delivery from now on. */
export function own(queue: number, parcel: number): void {
  words[parcel + Node.queue] = QueueField.getters;
  words[parcel + Node.state] = Wake.granted;
  words[parcel + Node.flags] = WaitFlag.delivered;
  words[parcel + Parcel.serial] = ++lastSerial;
  add(queue + Field.references, 1);
  add(queue + QueueField.out, 1);
  words[parcel + Node.object] = queue;
}

/**
 * Under the mutex: makes a parcel that is in no line and no list this thread's
 * delivery.
 */
function adopt(queue: number, parcel: number): void {
  listNode(parcel);
  words[parcel + Parcel.deliveries]++;
  own(queue, parcel);
}

/** Lets a parcel that is in no line come back in so many milliseconds. */
export function delayParcel(queue: number, parcel: number, ms: number): void {
  const due = processNow() + ms;
  doubles[parcel + Parcel.due >> 1] = due;
  let next = firstOf(queue, QueueField.delayed);
  while (next !== 0 && doubles[next + Parcel.due >> 1] <= due) {
    next = words[next + Node.next];
  }
  insertBefore(queue, QueueField.delayed, parcel, next);
}

/** In how many milliseconds the next parcel comes back; `Infinity` if none. */
export function untilDue(queue: number): number {
  const parcel = firstOf(queue, QueueField.delayed);
  if (parcel === 0) return Infinity;
  return doubles[parcel + Parcel.due >> 1] - processNow();
}

const offset = birth === undefined ? 0 : clockOffset(birth.clock);

/** Milliseconds by the clock of the main thread, in whichever thread. */
function processNow(): number {
  return performance.now() + offset;
}

/** Puts a node before another one of a line; at the end if that is 0. */
function insertBefore(
  queue: number,
  line: number,
  node: number,
  next: number,
): void {
  if (next === 0) return enqueue(queue, line, node);
  const previous = words[next + Node.previous];
  if (previous === 0) return enqueueFirst(queue, line, node);
  words[node + Node.object] = queue;
  words[node + Node.queue] = line;
  words[node + Node.previous] = previous;
  words[node + Node.next] = next;
  words[previous + Node.next] = node;
  words[next + Node.previous] = node;
}

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
