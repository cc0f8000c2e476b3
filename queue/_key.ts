/**
 * Keys: what a priority queue compares, in a form that needs no decoding.
 *
 * The beginning of a key is a double, which decides most comparisons: the
 * number itself, or the first characters of a text. The rest are words, for
 * each element of a tuple its tag and then
 *
 *     number   the two words of the double
 *     text     its length, then two code units in a word
 *     tuple    its elements and an end
 *     opaque   nothing: what cannot be compared, where the comparison ends
 *
 * @module
 */

import { words } from "../threading/_memory/heap.ts";

/** What a key belongs to. Keys of different kinds cannot be compared. */
export const KeyKind = {
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
/** A longer array goes when the next key is made. */
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

function incomparable(why: string, item: unknown): TypeError {
  return new TypeError(
    `Cannot put an item: ${why} a number nor a text nor a tuple of them, so it has no priority, received ${
      describe(item)
    }`,
  );
}

function numberOf(value: number, item: unknown): number {
  if (!Number.isNaN(value)) return value;
  throw new TypeError(
    `Cannot put an item: NaN cannot be compared, received ${describe(item)}`,
  );
}

/** The error of an item that cannot be compared with one in the queue. */
export function mismatch(item: unknown): TypeError {
  return new TypeError(
    `Cannot put an item: it cannot be compared with the items in the queue, received ${
      describe(item)
    }`,
  );
}

function describe(item: unknown): string {
  return Deno.inspect(item, { depth: 1, strAbbreviateSize: 40 });
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
export const INCOMPARABLE = NaN;

/**
 * Compares what follows the beginnings of two keys that are equal.
 *
 * @param a Address of the first one's words.
 * @param aEnd The address behind them.
 * @param b Address of the second one's.
 * @param bEnd The address behind them.
 * @param total Whether what cannot be compared has an order all the same.
 * @returns Below, above or equal to 0, or `INCOMPARABLE`.
 */
export function compareRests(
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
      return INCOMPARABLE;
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
