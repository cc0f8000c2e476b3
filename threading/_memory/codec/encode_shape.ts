/**
 * Fields: the names and values of an object's properties.
 *
 * Objects of one making have the same keys in the same order, a shape. A
 * message holds the keys of a shape once, as a block of bytes by which the
 * decoder finds the strings it made of them before.
 *
 * @module
 */

import { writeValue } from "./encode.ts";
import { property, within } from "./refusal.ts";
import {
  ABSENT,
  KEYED,
  MAX_SHAPE_BYTES,
  MAX_SHAPE_KEYS,
  NEW_SHAPE,
  RECENT_SHAPE,
  SHAPE,
} from "./tags.ts";
import type { Writer } from "./writer.ts";

/** A list of keys and its encoding. */
export interface Shape {
  readonly keys: string[];
  readonly block: Uint8Array<ArrayBuffer>;
  /** Its place in the caches of both sides. */
  readonly slot: number;
  /** The stamp of the last message that it was in, and its number there. */
  stamp: number;
  number: number;
}

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
