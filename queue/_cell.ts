/**
 * Cells: two words that hold an item.
 *
 * A number lies there as a double. Everything else is marked by a high word
 * that no number has: the low one is then the address of a record, or stands
 * for one of the few values that need none.
 *
 * @module
 */

import { doubles, words } from "../threading/_memory/heap.ts";
import { draftRecord } from "../threading/_memory/record.ts";

/** Size of a cell in words. */
export const CELL_WORDS = 2;

/** The high word of some NaNs; the one that is written is another. */
export const NO_NUMBER = -1;
const NAN = 0x7ff8_0000;

const INLINE = [undefined, null, false, true];

/**
 * Encodes an item, unless it fits into a cell.
 *
 * @param item The item.
 * @returns Its record, a draft of this thread, or 0 if it needs none.
 * @throws {NotSendableError} If it cannot be sent.
 * @throws {HeapExhaustedError} If there is no room.
 */
export function draftItem(item: unknown): number {
  switch (typeof item) {
    case "number":
    case "undefined":
    case "boolean":
      return 0;
    default:
      return item === null ? 0 : draftRecord(item);
  }
}

/** Writes an item with what {@linkcode draftItem} made of it into a cell. */
export function writeCell(cell: number, item: unknown, record: number): void {
  if (record === 0 && typeof item === "number") {
    doubles[cell >> 1] = item;
    // A NaN may have any bits.
    if (item !== item) words[cell + 1] = NAN;
    return;
  }
  words[cell] = record !== 0
    ? record
    : item === undefined
    ? 0
    : item === null
    ? 1
    : item
    ? 3
    : 2;
  words[cell + 1] = NO_NUMBER;
}

/** Copies a cell. */
export function copyCell(to: number, from: number): void {
  words[to] = words[from];
  words[to + 1] = words[from + 1];
}

/** The record in a cell, or 0 if it has none. */
export function recordIn(cell: number): number {
  const low = words[cell];
  return words[cell + 1] === NO_NUMBER && low >>> 0 >= INLINE.length ? low : 0;
}

/** The item in a cell without a record. */
export function inlineIn(cell: number): unknown {
  return words[cell + 1] === NO_NUMBER
    ? INLINE[words[cell]]
    : doubles[cell >> 1];
}
