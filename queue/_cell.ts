/**
 * Cells: two words that hold an item.
 *
 * A number lies there as a double. Everything else is marked by a high word
 * that no number has: the low one is then the address of a record, the length
 * of a message (see `_message.ts`), or stands for one of the few values that
 * need neither.
 *
 * @module
 */

import { doubles, words } from "../threading/_memory/heap.ts";

/** Size of a cell in words. */
export const CELL_WORDS = 2;

/** The high words of some NaNs; the one that is written is another. */
export const NO_NUMBER = -1;
const MESSAGE = -2;
const NAN = 0x7ff8_0000;

const CONSTANTS = [undefined, null, false, true];

/** Whether an item fits into a cell as it is. */
export function isBare(item: unknown): boolean {
  switch (typeof item) {
    case "number":
    case "undefined":
    case "boolean":
      return true;
    default:
      return item === null;
  }
}

/** Writes an item that is bare. */
export function writeBare(cell: number, item: unknown): void {
  if (typeof item === "number") {
    doubles[cell >> 1] = item;
    // A NaN may have any bits.
    if (item !== item) words[cell + 1] = NAN;
    return;
  }
  words[cell] = item === undefined ? 0 : item === null ? 1 : item ? 3 : 2;
  words[cell + 1] = NO_NUMBER;
}

/** Writes the address of an item's record. */
export function writeRecord(cell: number, record: number): void {
  words[cell] = record;
  words[cell + 1] = NO_NUMBER;
}

/** Writes the length of an item's message in bytes. */
export function writeMessageLength(cell: number, length: number): void {
  words[cell] = length;
  words[cell + 1] = MESSAGE;
}

/** Copies a cell. */
export function copyCell(to: number, from: number): void {
  words[to] = words[from];
  words[to + 1] = words[from + 1];
}

/** Whether a cell holds a number, the quickest of all to take. */
export function isNumberIn(cell: number): boolean {
  const high = words[cell + 1];
  return high !== NO_NUMBER && high !== MESSAGE;
}

/** The record in a cell, or 0 if it has none. */
export function recordIn(cell: number): number {
  const low = words[cell];
  return words[cell + 1] === NO_NUMBER && low >>> 0 >= CONSTANTS.length
    ? low
    : 0;
}

/** The length of a cell's message in bytes, or 0 if it has none. */
export function messageLengthIn(cell: number): number {
  return words[cell + 1] === MESSAGE ? words[cell] : 0;
}

/** The item in a cell with neither. */
export function bareIn(cell: number): unknown {
  return words[cell + 1] === NO_NUMBER
    ? CONSTANTS[words[cell]]
    : doubles[cell >> 1];
}
