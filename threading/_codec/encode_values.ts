/**
 * Encoding what most messages consist of: primitive values, functions, plain
 * objects, arrays, maps and sets. All other objects go by `Writer.writeOther`
 * to `encode.ts`.
 *
 * Objects of one making have the same keys in the same order, a shape. A
 * message holds the keys of a shape once, as a block of bytes by which the
 * decoder finds the strings it made of them before.
 *
 * @module
 */

import {
  entry,
  isClass,
  isProxy,
  property,
  Refusal,
  type Shape,
  within,
  type WriteContents,
  type Writer,
} from "./writer.ts";
import { otherOwner, whyOfOther } from "./copies.ts";
import { sendableId } from "./sendable.ts";
import {
  ABSENT,
  ARRAY,
  BIGINT,
  BIGINT64,
  DEFERRED,
  FALSE,
  FLOAT64,
  INT32,
  KEYED,
  MAP,
  MAX_DEPTH,
  MAX_SHAPE_BYTES,
  MAX_SHAPE_KEYS,
  MAX_SHORT_ARRAY,
  NEW_SHAPE,
  NULL,
  RECENT_SHAPE,
  REFERENCE,
  SENDABLE,
  SET,
  SHAPE,
  SHORT_ARRAY,
  SMALL_INT,
  SPARSE_ARRAY,
  TRUE,
  UNDEFINED,
} from "./format.ts";

/** Writes any value. */
export function writeValue(w: Writer, value: unknown): void {
  w.reserve();
  switch (typeof value) {
    case "string":
      return w.text(value);
    case "number":
      return writeNumber(w, value);
    case "object":
      return value === null ? w.byte(NULL) : writeObject(w, value);
    case "boolean":
      return w.byte(value ? TRUE : FALSE);
    case "undefined":
      return w.byte(UNDEFINED);
    case "bigint":
      return writeBigInt(w, value);
    case "function":
      return writeFunction(w, value);
    default:
      throw new Refusal("a symbol exists in one thread only", value);
  }
}

function writeNumber(w: Writer, value: number): void {
  const int = value | 0;
  if (int !== value || (int === 0 && 1 / value < 0)) {
    w.byte(FLOAT64);
    w.float64(value);
  } else if (int >= 0 && int < 64) {
    w.byte(SMALL_INT + int);
  } else {
    w.tagged(INT32, int);
  }
}

function writeBigInt(w: Writer, value: bigint): void {
  if (BigInt.asIntN(64, value) === value) {
    w.byte(BIGINT64);
    w.view.setBigInt64(w.length, value, true);
    w.length += 8;
  } else {
    w.byte(BIGINT);
    w.byte(value < 0n ? 1 : 0);
    w.text((value < 0n ? -value : value).toString(16));
  }
}

// deno-lint-ignore ban-types
function writeFunction(w: Writer, value: Function): void {
  const id = sendableId(value);
  if (id === undefined) {
    const other = otherOwner(value);
    if (other !== undefined) throw new Refusal(whyOfOther(other), value);
    throw new Refusal(
      isClass(value)
        ? "a class travels by its name, so put " +
          "`static { sendable(import.meta, this); }` into it"
        : "a function travels by its name, so mark it where its module " +
          "defines it: `const name = sendable(import.meta, function name\u2026)`",
      value,
    );
  }
  w.sendable(id);
  w.tagged(SENDABLE, id);
}

function writeObject(w: Writer, object: object): void {
  const number = w.identities.find(object);
  if (number >= 0) return w.tagged(REFERENCE, number);
  if (isProxy(object)) {
    throw new Refusal("a Proxy cannot be copied, send its target", object);
  }
  const prototype = Object.getPrototypeOf(object);
  if (prototype === Object.prototype) {
    w.identities.add(object);
    if (w.depth >= MAX_DEPTH) w.raw(DEFERRED_OBJECT);
    open(w, object, Object.keys(object), writeFields);
  } else if (prototype === Array.prototype && Array.isArray(object)) {
    writeArray(w, object);
  } else {
    w.writeOther(w, object, prototype);
  }
}

const DEFERRED_OBJECT = Uint8Array.of(DEFERRED, SHAPE);

/** Writes an array, of whatever class, without its class. */
export function writeArray(w: Writer, array: unknown[]): void {
  w.identities.add(array);
  const keys = Object.keys(array);
  const length = array.length;
  const deferred = w.depth >= MAX_DEPTH;
  if (deferred) w.byte(DEFERRED);
  // Indices come first among the keys and in order. So if the key at the last
  // place is the last index, no element is missing before it, and if there are
  // no more keys, nothing else is there.
  if (
    keys.length === length &&
    (length === 0 || keys[length - 1] === String(length - 1))
  ) {
    if (length <= MAX_SHORT_ARRAY && !deferred) w.byte(SHORT_ARRAY + length);
    else w.tagged(ARRAY, length);
    open(w, array, keys, writeElements);
  } else {
    w.tagged(SPARSE_ARRAY, length);
    open(w, array, keys, writeFields);
  }
}

/**
 * Writes the contents of `object` here, or later if they would be nested too
 * deeply here. The caller wrote `DEFERRED` before the head in the latter case.
 */
export function open(
  w: Writer,
  object: object,
  keys: string[],
  write: WriteContents,
): void {
  if (w.depth < MAX_DEPTH) {
    w.depth++;
    write(w, object, keys);
    w.depth--;
  } else {
    w.deferred.push({ object, keys, write });
  }
}

// Fields: the names and values of an object's properties.
//
// Objects of one making have the same keys in the same order, a shape. A
// message holds the keys of a shape once, as a block of bytes by which the
// decoder finds the strings it made of them before.

const SLOTS = 256;
const shapes: (Shape | undefined)[] = new Array(SLOTS).fill(undefined);

/** The shape of the last object: the next one's is often the same. */
let recent: Shape | undefined;

/** Where the shape of `keys` belongs in the caches. */
function slotOf(keys: string[]): number {
  let hash = keys.length;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    const end = key.length - 1;
    hash = Math.imul(hash, 31) + end * 7 + key.charCodeAt(0) * 3 +
        key.charCodeAt(end) | 0;
  }
  return (hash ^ hash >>> 8) & (SLOTS - 1);
}

function sameKeys(a: string[], b: string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}

/** The shape of `keys`, undefined when they are too many, long or foreign. */
function shapeOf(keys: string[]): Shape | undefined {
  if (recent !== undefined && sameKeys(recent.keys, keys)) return recent;
  const slot = slotOf(keys);
  const known = shapes[slot];
  if (known !== undefined && sameKeys(known.keys, keys)) {
    recent = known;
    return known;
  }
  return makeShape(keys, slot);
}

function makeShape(keys: string[], slot: number): Shape | undefined {
  if (keys.length === 0) return undefined;
  const block: number[] = [];
  for (const key of keys) {
    if (block.length + key.length >= MAX_SHAPE_BYTES) return undefined;
    block.push(key.length);
    for (let i = 0; i < key.length; i++) {
      const code = key.charCodeAt(i);
      if (code > 0x7f) return undefined;
      block.push(code);
    }
  }
  const shape = {
    keys,
    block: Uint8Array.from(block),
    slot,
    stamp: 0,
    number: 0,
  };
  shapes[slot] = shape;
  recent = shape;
  return shape;
}

/**
 * Writes the fields named `keys` of `object` into reserved room, and more.
 */
export function writeFields(w: Writer, object: object, keys: string[]): void {
  const count = keys.length;
  const shape = count > MAX_SHAPE_KEYS ? undefined : shapeOf(keys);
  if (shape === undefined) return writeKeyed(w, object, keys);
  if (shape.stamp !== w.stamp) {
    if (w.shapes > 0xffff) return writeKeyed(w, object, keys);
    w.number(shape);
    const { block, slot } = shape;
    w.byte(NEW_SHAPE);
    w.byte(slot);
    w.byte(count);
    w.byte(block.length);
    const { bytes, length } = w;
    for (let i = 0; i < block.length; i++) bytes[length + i] = block[i];
    w.length = length + block.length;
  } else if (shape.number < 32) {
    w.byte(RECENT_SHAPE + shape.number);
  } else {
    w.byte(SHAPE);
    w.byte(shape.number);
    w.byte(shape.number >>> 8);
  }
  let i = 0;
  try {
    for (; i < count; i++) writeField(w, object, keys[i]);
  } catch (error) {
    throw within(property(keys[i]), error);
  }
}

function writeKeyed(w: Writer, object: object, keys: string[]): void {
  w.tagged(KEYED, keys.length);
  let i = 0;
  try {
    for (; i < keys.length; i++) {
      w.reserve();
      w.text(keys[i]);
      writeField(w, object, keys[i]);
    }
  } catch (error) {
    throw within(property(keys[i]), error);
  }
}

function writeField(w: Writer, object: object, key: string): void {
  const value = (object as Record<string, unknown>)[key];
  if (value === undefined && !Object.hasOwn(object, key)) {
    w.reserve();
    w.byte(ABSENT);
  } else {
    writeValue(w, value);
  }
}

// The contents of arrays, maps and sets.

const NO_KEYS: string[] = [];

/** Writes as many elements as there are `keys`. */
export function writeElements(w: Writer, array: object, keys: string[]): void {
  const elements = array as unknown[];
  let i = 0;
  try {
    for (; i < keys.length; i++) {
      const value = elements[i];
      if (value === undefined && !Object.hasOwn(elements, i)) {
        w.reserve();
        w.byte(ABSENT);
      } else {
        writeValue(w, value);
      }
    }
  } catch (error) {
    throw within(`[${i}]`, error);
  }
}

/** Writes a map, of whatever class, without its class. */
export function writeMap(w: Writer, map: object): void {
  w.identities.add(map);
  if (w.depth >= MAX_DEPTH) w.byte(DEFERRED);
  w.byte(MAP);
  open(w, map, NO_KEYS, writeEntries);
}

/** Writes a set, of whatever class, without its class. */
export function writeSet(w: Writer, set: object): void {
  w.identities.add(set);
  if (w.depth >= MAX_DEPTH) w.byte(DEFERRED);
  w.byte(SET);
  open(w, set, NO_KEYS, writeMembers);
}

// Getters of items may change their collection while it is written. The items
// that were in it at the start travel.

function writeEntries(w: Writer, map: object): void {
  const keys = [...Map.prototype.keys.call(map)];
  const values = [...Map.prototype.values.call(map)];
  w.uint32(keys.length);
  let i = 0;
  let inKey = true;
  try {
    for (; i < keys.length; i++) {
      inKey = true;
      writeValue(w, keys[i]);
      inKey = false;
      writeValue(w, values[i]);
    }
  } catch (error) {
    throw within(inKey ? `.keys()[${i}]` : entry(keys[i], i), error);
  }
}

function writeMembers(w: Writer, set: object): void {
  const values = [...Set.prototype.values.call(set)];
  w.uint32(values.length);
  let i = 0;
  try {
    for (; i < values.length; i++) writeValue(w, values[i]);
  } catch (error) {
    throw within(`.values()[${i}]`, error);
  }
}
