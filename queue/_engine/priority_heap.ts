/**
 * The order of a priority queue: keys that are compared without decoding, in a
 * binary heap of slots, with the lowest at the root. Equal ones keep the order in
 * which they were put.
 *
 *     slot + 0    the beginning of the key, a double
 *     slot + 2    the entry, or 0 if the item is the number that the key is
 *     slot + 3    the sequence number
 *
 *     entry + 0   the cell of the item
 *     entry + 2   the number of words of the rest of the key
 *     entry + 3   these, then the item's message, if it has one
 *
 * The beginning of a key decides most comparisons: it is the number itself, or
 * the first characters of a text. The rest are words, for each element of a
 * tuple its tag and then
 *
 *     number   the two words of the double
 *     text     its length, then two code units in a word
 *     tuple    its elements and an end
 *     opaque   nothing: what cannot be compared, where the comparison ends
 *
 * @module
 */

import { allocate, doubles, words } from "../../threading/_ground.ts";
import type { Encoded } from "../../threading/_threads.ts";
import { describe, incomparable } from "../errors.ts";
import {
  messageWords,
  PlaceShift,
  QueueField,
  writeMessage,
  writeMessageLength,
  writeRecord,
} from "./layout.ts";

/** What a key belongs to. Keys of different kinds cannot be compared. */
const KeyKind = {
  number: 1,
  text: 2,
  numberFirst: 3,
  textFirst: 4,
  tupleFirst: 5,
} as const;

/** Tags of elements; a shorter tuple is lower. */
const Tag = { end: 1, number: 2, text: 3, tuple: 4, opaque: 5 } as const;

/** A text has so many units in the beginning of its key. */
const UNITS_IN_BEGINNING = 3;
/** One more than there are code units, since a text may end. */
const UNIT_VALUES = 0x1_0001;

const units = new Uint16Array(words.buffer);
const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

/** The key that was made last, before it lies on the heap. */
export const key = {
  kind: 0,
  beginning: 0,
  /** The first `length` words are the rest. */
  rest: [] as number[],
  length: 0,
};
/** An array that has grown longer than this is dropped. */
const KEPT_LENGTH = 1024;

function push(word: number): void {
  key.rest[key.length++] = word;
}

/**
 * Makes the {@linkcode key} of an item.
 *
 * @param item A number, a text or a tuple that begins with one.
 * @throws {TypeError} If the item cannot be compared with any other.
 */
export function makeKey(item: unknown): void {
  if (key.rest.length > KEPT_LENGTH) key.rest = [];
  key.length = 0;
  if (typeof item === "number") {
    begin(KeyKind.number, numberOf(item, item));
  } else if (typeof item === "string") {
    begin(KeyKind.text, beginningOf(item));
    if (item.length > UNITS_IN_BEGINNING) writeText(item);
  } else if (Array.isArray(item)) {
    const first: unknown = item[0];
    if (typeof first === "number") {
      begin(KeyKind.numberFirst, numberOf(first, item));
      writeElements(item, 1);
    } else if (typeof first === "string") {
      begin(KeyKind.textFirst, beginningOf(first));
      writeElements(item, 0);
    } else if (Array.isArray(first)) {
      begin(KeyKind.tupleFirst, 0);
      writeElements(item, 0);
    } else {
      throw incomparable("its first element is neither", item);
    }
  } else {
    throw incomparable("it is neither", item);
  }
}

function begin(kind: number, beginning: number): void {
  key.kind = kind;
  key.beginning = beginning;
}

function numberOf(value: number, item: unknown): number {
  if (!Number.isNaN(value)) return value;
  throw new TypeError(
    `Cannot put an item: NaN cannot be compared, received ${describe(item)}`,
  );
}

function beginningOf(text: string): number {
  let value = 0;
  for (let i = 0; i < UNITS_IN_BEGINNING; i++) {
    const unit = i < text.length ? text.charCodeAt(i) + 1 : 0;
    value = value * UNIT_VALUES + unit;
  }
  return value;
}

function writeElements(tuple: unknown[], start: number): boolean {
  for (let i = start; i < tuple.length; i++) {
    const element = tuple[i];
    if (typeof element === "number") {
      double[0] = numberOf(element, tuple);
      push(Tag.number);
      push(halves[0]);
      push(halves[1]);
    } else if (typeof element === "string") {
      writeText(element);
    } else if (Array.isArray(element)) {
      push(Tag.tuple);
      if (!writeElements(element, 0)) return false;
      push(Tag.end);
    } else {
      push(Tag.opaque);
      return false;
    }
  }
  return true;
}

function writeText(text: string): void {
  push(Tag.text);
  push(text.length);
  for (let i = 0; i < text.length; i += 2) {
    const second = i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
    push(text.charCodeAt(i) | second << 16);
  }
}

/** What {@linkcode compareRests} returns for what cannot be compared. */
const UNORDERED = NaN;

/**
 * Compares what follows the beginnings of two keys that are equal.
 *
 * @param a Address of the first one's words.
 * @param aEnd The address behind them.
 * @param b Address of the second one's.
 * @param bEnd The address behind them.
 * @param total Whether to order even what cannot be compared.
 * @returns Below, above or equal to 0, or `UNORDERED`.
 */
function compareRests(
  a: number,
  aEnd: number,
  b: number,
  bEnd: number,
  total: boolean,
): number {
  for (;;) {
    const tag = a < aEnd ? words[a] : Tag.end;
    const other = b < bEnd ? words[b] : Tag.end;
    if (tag !== other) {
      if (total || tag === Tag.end || other === Tag.end) return tag - other;
      return UNORDERED;
    }
    if (tag === Tag.opaque || a >= aEnd) return 0;
    a++;
    b++;
    if (tag === Tag.number) {
      const order = doubleAt(a) - doubleAt(b);
      if (order !== 0 && !Number.isNaN(order)) return order;
      a += 2;
      b += 2;
    } else if (tag === Tag.text) {
      const order = compareTexts(a, b);
      if (order !== 0) return order;
      const size = 1 + (words[a] + 1 >> 1);
      a += size;
      b += size;
    }
  }
}

/** A double that need not be aligned. */
function doubleAt(address: number): number {
  halves[0] = words[address];
  halves[1] = words[address + 1];
  return double[0];
}

function compareTexts(a: number, b: number): number {
  const length = words[a];
  const other = words[b];
  const common = Math.min(length, other);
  const start = (a + 1) * 2;
  const otherStart = (b + 1) * 2;
  for (let i = 0; i < common; i++) {
    const order = units[start + i] - units[otherStart + i];
    if (order !== 0) return order;
  }
  return length - other;
}

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
export function compareSlots(a: number, b: number, total: boolean): number {
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
  // Sequence numbers wrap around.
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
 * @param total Whether to order even what cannot be compared.
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
  // Find the place before moving anything: comparing may fail.
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
  // Counted from 1, the parent of n is n >> 1. The slots on the path from the
  // last place up to the item moved down for it, and move up again.
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
  // The last slot belongs near the leaves. So it is cheaper to move the hole from
  // the root down to a leaf and the slot up from there than to compare the slot
  // at each level on the way down.
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
