/**
 * The places of a priority queue: a binary heap of slots, the lowest at the
 * root, and among equal ones the one that was put first.
 *
 *     slot + 0    the beginning of the key, a double
 *     slot + 2    the entry, or 0 if the item is the number that the key is
 *     slot + 3    the sequence number
 *
 *     entry + 0   the cell of the item
 *     entry + 2   the number of words of the rest of the key, then these
 *
 * @module
 */

import { allocate } from "../threading/_memory/allocator.ts";
import { doubles, words } from "../threading/_memory/heap.ts";
import { writeCell } from "./_cell.ts";
import { QueueField } from "./_fields.ts";
import { compareRests, type Key } from "./_key.ts";
import { SLOT_WORDS } from "./_places.ts";

/** The words of a slot. */
export const SlotField = { beginning: 0, entry: 2, sequence: 3 } as const;
const EntryField = { cell: 0, length: 2, rest: 3 } as const;

/**
 * Makes the entry of an item, a draft of this thread.
 *
 * @throws {HeapExhaustedError} If there is no room.
 */
export function draftEntry(item: unknown, record: number, key: Key): number {
  const { rest } = key;
  const entry = allocate(EntryField.rest + rest.length);
  writeCell(entry + EntryField.cell, item, record);
  words[entry + EntryField.length] = rest.length;
  for (let i = 0; i < rest.length; i++) {
    words[entry + EntryField.rest + i] = rest[i];
  }
  return entry;
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

/**
 * Under the mutex, with a free place: puts an item in.
 *
 * @param queue The queue.
 * @param beginning The beginning of the item's key.
 * @param entry The entry, or 0.
 * @param sequence Its sequence number.
 * @param total Whether what cannot be compared has an order all the same.
 * @returns Whether it is in; if not, it cannot be compared.
 */
export function insertSlot(
  queue: number,
  beginning: number,
  entry: number,
  sequence: number,
  total: boolean,
): boolean {
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
    if (Number.isNaN(order)) return false;
    if (order >= 0) break;
    target = parent;
  }
  words[queue + QueueField.length] = length + 1;
  if (target === length) return true;
  lift(slot);
  for (let hole = length; hole !== target;) {
    const parent = hole - 1 >> 1;
    copySlot(slotAt(places, hole), slotAt(places, parent));
    hole = parent;
  }
  drop(slotAt(places, target));
  return true;
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
  // The last one goes down from the root; then its place takes the lowest.
  lift(places);
  let hole = 0;
  for (;;) {
    let child = 2 * hole + 1;
    if (child >= length) break;
    if (
      child + 1 < length &&
      compareSlots(slotAt(places, child + 1), slotAt(places, child), true) < 0
    ) child++;
    if (compareSlots(last, slotAt(places, child), true) <= 0) break;
    copySlot(slotAt(places, hole), slotAt(places, child));
    hole = child;
  }
  copySlot(slotAt(places, hole), last);
  drop(last);
  return last;
}
