/**
 * Fields: the names and values of an object's properties. See `encode_shape.ts`.
 *
 * @module
 */

import { readValue } from "./decode.ts";
import type { Reader } from "./reader.ts";
import {
  ABSENT,
  KEYED,
  MAX_SHAPE_BYTES,
  NEW_SHAPE,
  RECENT_SHAPE,
  SHAPE,
} from "./tags.ts";

/** A list of keys and the bytes it was made from. */
export interface DecodedShape {
  readonly block: Uint8Array;
  readonly keys: string[];
  /**
   * The prototype for whose objects `assignable` was found out: whether an
   * assignment to any of the keys makes an own property.
   */
  prototype: object | null;
  assignable: boolean;
}

/** The shapes met last, at the places that their encoder chose. */
const shapes: (DecodedShape | undefined)[] = new Array(256).fill(undefined);

function readShape(r: Reader): DecodedShape {
  const slot = r.byte();
  const count = r.byte();
  const size = r.byte();
  let shape = shapes[slot];
  if (
    shape === undefined || shape.keys.length !== count ||
    !isNext(r, shape.block, size)
  ) {
    shape = makeShape(r, count, size);
    shapes[slot] = shape;
  }
  r.at += size;
  r.shapes.push(shape);
  return shape;
}

/** Whether the next `size` bytes are those of `block`. */
function isNext(r: Reader, block: Uint8Array, size: number): boolean {
  if (block.length !== size) return false;
  const { bytes, at } = r;
  for (let i = 0; i < size; i++) {
    if (bytes[at + i] !== block[i]) return false;
  }
  return true;
}

function makeShape(r: Reader, count: number, size: number): DecodedShape {
  if (size > MAX_SHAPE_BYTES) {
    throw new RangeError(`Cannot decode a shape: received ${size} bytes`);
  }
  const start = r.at;
  const block = r.raw(size);
  r.at = start;
  const keys: string[] = [];
  for (let i = 0; i < count; i++) keys.push(r.ascii(r.byte()));
  r.at = start;
  return { block, keys, prototype: null, assignable: false };
}

/** Finds out whether objects of `prototype` can be filled by assignment. */
function examine(shape: DecodedShape, prototype: object): void {
  shape.prototype = prototype;
  shape.assignable = !shape.keys.some((key) => key in prototype);
}

/** Reads the fields of `object`, whose prototype is `prototype`. */
export function readFields(
  r: Reader,
  tag: number,
  object: Record<string, unknown>,
  prototype: object,
): void {
  let shape: DecodedShape;
  if (tag >= RECENT_SHAPE) shape = r.shapes[tag - RECENT_SHAPE];
  else if (tag === NEW_SHAPE) shape = readShape(r);
  else if (tag === SHAPE) shape = r.shapes[r.byte() | r.byte() << 8];
  else if (tag === KEYED) return readKeyed(r, object);
  else throw new RangeError(`Cannot decode fields: received the tag ${tag}`);
  const keys = shape.keys;
  if (shape.prototype !== prototype) examine(shape, prototype);
  const assignable = shape.assignable;
  for (let i = 0; i < keys.length; i++) {
    const next = r.byte();
    if (next === ABSENT) continue;
    const value = readValue(r, next);
    if (assignable) object[keys[i]] = value;
    else define(object, keys[i], value);
  }
}

function readKeyed(r: Reader, object: Record<string, unknown>): void {
  for (let count = r.uint32(); count > 0; count--) {
    const key = r.string();
    const next = r.byte();
    if (next === ABSENT) continue;
    const value = readValue(r, next);
    if (key in object) define(object, key, value);
    else object[key] = value;
  }
}

/** Makes an own property, whatever setters the prototypes have. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
