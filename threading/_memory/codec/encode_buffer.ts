/**
 * Buffers and the views on them. As in structured cloning the whole buffer
 * travels with a view on it, and views on one buffer share the copy.
 *
 * @module
 */

import { Refusal } from "./refusal.ts";
import {
  BUFFER,
  REFERENCE,
  RESIZABLE_BUFFER,
  TRACKING,
  VIEW,
  VIEWS,
} from "./tags.ts";
import type { Writer } from "./writer.ts";

/** Writes a buffer, of whatever class, without its class. */
export function writeBuffer(w: Writer, buffer: ArrayBuffer): void {
  if (buffer.detached) {
    throw new Refusal("it is detached: its bytes were transferred", buffer);
  }
  w.identities.add(buffer);
  const bytes = new Uint8Array(buffer);
  w.tagged(buffer.resizable ? RESIZABLE_BUFFER : BUFFER, bytes.length);
  if (buffer.resizable) w.uint32(buffer.maxByteLength);
  w.align();
  w.raw(bytes);
}

const kinds = new Map(VIEWS.map(({ name }, index) => [name, index]));

const kindOfTyped = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!;

/** Writes a view, of whatever class, without its class. */
export function writeView(w: Writer, view: ArrayBufferView): void {
  const buffer = view.buffer;
  if (buffer instanceof SharedArrayBuffer) {
    throw new Refusal("raw shared memory is not sent, use SharedArray", view);
  }
  if (isOutOfBounds(view)) {
    throw new Refusal("it is out of bounds: its buffer has shrunk", view);
  }
  const kind = kinds.get(kindOfTyped.call(view) ?? "DataView")!;
  w.byte(VIEW);
  w.byte(kind);
  const number = w.identities.find(buffer);
  if (number >= 0) w.tagged(REFERENCE, number);
  else writeBuffer(w, buffer);
  w.identities.add(view);
  w.reserve();
  w.uint32(view.byteOffset);
  w.uint32(isTracking(view) ? TRACKING : lengthOf(view));
}

function lengthOf(view: ArrayBufferView): number {
  return view instanceof DataView
    ? view.byteLength
    : (view as Uint8Array).length;
}

function isOutOfBounds(view: ArrayBufferView): boolean {
  if (!(view.buffer as ArrayBuffer).resizable) return false;
  try {
    // Both throw for a view out of bounds.
    if (view instanceof DataView) view.byteLength;
    else (view as Uint8Array).keys();
    return false;
  } catch {
    return true;
  }
}

/** Whether the view's length follows its buffer's. */
function isTracking(view: ArrayBufferView): boolean {
  const buffer = view.buffer as ArrayBuffer;
  if (!buffer.resizable) return false;
  // Nothing tells it but a change of size, so a copy changes its size. Empty
  // views at the end of a buffer that is full count as fixed.
  const copy = structuredClone(view);
  const size = lengthOf(copy);
  const copied = copy.buffer as ArrayBuffer;
  try {
    copied.resize(size > 0 ? copy.byteOffset : copied.maxByteLength);
    return !isOutOfBounds(copy) && lengthOf(copy) !== size;
  } catch {
    return false;
  }
}
