/**
 * Parcels: items that were received, and what they are while they are not in the
 * queue's own places.
 *
 * A parcel is a node with a few more words. While its item is out, the node is in
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
  birth,
  clockOffset,
  dequeue,
  doubles,
  enqueue,
  enqueueFirst,
  Field,
  firstOf,
  listNode,
  Node,
  NODE_WORDS,
  Wake,
  words,
} from "../../threading/_ground.ts";
import {
  CELL_WORDS,
  messageLengthIn,
  messageWords,
  Order,
  QueueField,
  WaitFlag,
} from "./layout.ts";
import { compareSlots, SLOT_WORDS } from "./priority_heap.ts";

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
export function adopt(queue: number, parcel: number): void {
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
