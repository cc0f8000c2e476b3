/**
 * The places of a priority queue: a binary heap of slots, the lowest at the
 * root, and among equal ones the one that was put first.
 *
 *     slot + 0    the beginning of the key, a double
 *     slot + 2    the entry, or 0 if the item is the number that the key is
 *     slot + 3    the sequence number
 *
 *     entry + 0   the cell of the item
 *     entry + 2   the number of words of the rest of the key
 *     entry + 3   these, then the item's message, if it has one
 *
 * @module
 */

import { allocate } from "../threading/_memory/allocator.ts";
import type { Encoded } from "../threading/_memory/codec/encode.ts";
import { doubles, words } from "../threading/_memory/heap.ts";
import { writeMessageLength, writeRecord } from "./_cell.ts";
import { PlaceShift, QueueField } from "./_fields.ts";
import { compareRests, key } from "./_key.ts";
import { messageWords, writeMessage } from "./_message.ts";

/** The words of a slot. */
export const SlotField = { beginning: 0, entry: 2, sequence: 3 } as const;
/** Size of a slot in words. */
export const SLOT_WORDS = 1 << PlaceShift.slot;
const EntryField = { cell: 0, length: 2, rest: 3 } as const;

/**
 * Makes the entry of the item whose key was made last, a draft of this thread.
 *
 * @param record The item's record, or 0.
 * @param message The item's message, if it has no record.
 * @throws {HeapExhaustedError} If there is no room.
 */
export function draftEntry(
  record: number,
  message: Encoded | undefined,
): number {
  const { rest, length } = key;
  const size = message === undefined ? 0 : messageWords(message.length);
  const entry = allocate(EntryField.rest + length + size);
  words[entry + EntryField.length] = length;
  for (let i = 0; i < length; i++) words[entry + EntryField.rest + i] = rest[i];
  if (message === undefined) {
    writeRecord(entry + EntryField.cell, record);
  } else {
    writeMessageLength(entry + EntryField.cell, message.length);
    writeMessage(messageOfEntry(entry), message);
  }
  return entry;
}

/** Where an entry has its message. */
export function messageOfEntry(entry: number): number {
  return entry + EntryField.rest + words[entry + EntryField.length];
}

/** Below 0 if the first slot comes before the second. */
function compareSlots(a: number, b: number, total: boolean): number {
  const first = doubles[a >> 1];
  const second = doubles[b >> 1];
  if (first !== second) return first < second ? -1 : 1;
  const entry = words[a + SlotField.entry];
  const other = words[b + SlotField.entry];
  if (entry !== 0 && other !== 0) {
    const rest = entry + EntryField.rest;
    const otherRest = other + EntryField.rest;
    const order = compareRests(
      rest,
      rest + words[entry + EntryField.length],
      otherRest,
      otherRest + words[other + EntryField.length],
      total,
    );
    if (order !== 0) return order;
  }
  // The numbers go round.
  return words[a + SlotField.sequence] - words[b + SlotField.sequence] | 0;
}

function copySlot(to: number, from: number): void {
  for (let i = 0; i < SLOT_WORDS; i++) words[to + i] = words[from + i];
}

function slotAt(places: number, index: number): number {
  return places + index * SLOT_WORDS;
}

/** The slot that moves while the others make way for it. */
const moving = new Int32Array(SLOT_WORDS);

function lift(slot: number): void {
  for (let i = 0; i < SLOT_WORDS; i++) moving[i] = words[slot + i];
}

function drop(slot: number): void {
  for (let i = 0; i < SLOT_WORDS; i++) words[slot + i] = moving[i];
}

/** What {@linkcode insertSlot} returns if the item cannot be compared. */
export const INCOMPARABLE = -1;

/**
 * Under the mutex, with a free place: puts an item in.
 *
 * @param queue The queue.
 * @param beginning The beginning of the item's key.
 * @param entry The entry, or 0.
 * @param sequence Its sequence number.
 * @param total Whether what cannot be compared has an order all the same.
 * @returns The index where it is then, or `INCOMPARABLE` and it is not in.
 */
export function insertSlot(
  queue: number,
  beginning: number,
  entry: number,
  sequence: number,
  total: boolean,
): number {
  const places = words[queue + QueueField.places];
  const length = words[queue + QueueField.length];
  const slot = slotAt(places, length);
  doubles[slot + SlotField.beginning >> 1] = beginning;
  words[slot + SlotField.entry] = entry;
  words[slot + SlotField.sequence] = sequence;
  // First find out, then move: nothing changes if it cannot be compared.
  let target = length;
  while (target > 0) {
    const parent = target - 1 >> 1;
    const order = compareSlots(slot, slotAt(places, parent), total);
    if (Number.isNaN(order)) return INCOMPARABLE;
    if (order >= 0) break;
    target = parent;
  }
  words[queue + QueueField.length] = length + 1;
  if (target === length) return target;
  lift(slot);
  for (let hole = length; hole !== target;) {
    const parent = hole - 1 >> 1;
    copySlot(slotAt(places, hole), slotAt(places, parent));
    hole = parent;
  }
  drop(slotAt(places, target));
  return target;
}

/**
 * Under the mutex: takes the item out that was put in last, before anything
 * else has changed.
 *
 * @param queue The queue.
 * @param target What {@linkcode insertSlot} returned.
 */
export function undoInsert(queue: number, target: number): void {
  const places = words[queue + QueueField.places];
  const length = words[queue + QueueField.length] - 1;
  words[queue + QueueField.length] = length;
  // Counted from 1, the parent of n is n >> 1: what lies between the two made
  // way for the item, and goes back.
  const levels = Math.clz32(target + 1) - Math.clz32(length + 1);
  let hole = target;
  for (let level = levels - 1; level >= 0; level--) {
    const next = (length + 1 >> level) - 1;
    copySlot(slotAt(places, hole), slotAt(places, next));
    hole = next;
  }
}

/**
 * Under the mutex: takes the lowest slot out of a heap that is not empty.
 *
 * @returns Its address, valid in this critical section.
 */
export function removeLowest(queue: number): number {
  const places = words[queue + QueueField.places];
  const length = words[queue + QueueField.length] - 1;
  words[queue + QueueField.length] = length;
  const last = slotAt(places, length);
  if (length === 0) return last;
  lift(places);
  // The last one belongs near the leaves, so it is cheaper to let the hole at
  // the root sink to a leaf, and the last one rise from there, than to compare
  // it on the way down.
  let hole = 0;
  for (let child = 1; child < length; child = 2 * hole + 1) {
    if (
      child + 1 < length &&
      compareSlots(slotAt(places, child + 1), slotAt(places, child), true) < 0
    ) child++;
    copySlot(slotAt(places, hole), slotAt(places, child));
    hole = child;
  }
  while (hole > 0) {
    const parent = hole - 1 >> 1;
    if (compareSlots(last, slotAt(places, parent), true) >= 0) break;
    copySlot(slotAt(places, hole), slotAt(places, parent));
    hole = parent;
  }
  copySlot(slotAt(places, hole), last);
  drop(last);
  return last;
}
