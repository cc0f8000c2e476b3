/**
 * The built-in classes, and classes of the user.
 *
 * @module
 */

import { readValue } from "./decode.ts";
import { readFields } from "./decode_shape.ts";
import { loadSendableSync } from "./load.ts";
import { readPlatform } from "./platform.ts";
import type { Reader } from "./reader.ts";
import {
  BOXED,
  BUFFER,
  BUILT_IN_INSTANCE,
  DATE,
  DOM_EXCEPTION,
  ERROR,
  ERROR_PARTS,
  ERRORS,
  REGEXP,
  RESIZABLE_BUFFER,
  TRACKING,
  VIEW,
  VIEWS,
} from "./tags.ts";

/** Reads what has one of the rarer tags. */
export function readBuiltIn(r: Reader, tag: number): unknown {
  switch (tag) {
    case VIEW:
      return readView(r);
    case BUFFER:
      return readBuffer(r);
    case RESIZABLE_BUFFER:
      return readResizable(r);
    case DATE:
      return r.add(new Date(r.float64()));
    case REGEXP:
      return r.add(new RegExp(r.string(), r.string()));
    case BOXED:
      return r.add(Object(readValue(r, r.byte())));
    case ERROR:
      return readError(r);
    case DOM_EXCEPTION:
      return readDomException(r);
    case BUILT_IN_INSTANCE:
      return readBuiltInInstance(r);
    default:
      return readPlatform(r, tag);
  }
}

/** An instance of the class that is named next, without its fields. */
export function readInstance(r: Reader): object {
  return Object.create(loadSendableSync(r.uint32()).value.prototype);
}

function readBuiltInInstance(r: Reader): object {
  const { prototype } = loadSendableSync(r.uint32()).value;
  const object = readValue(r, r.byte()) as object;
  finishInstance(r, object, prototype);
  return object;
}

/** Makes a built-in an instance of the class of `prototype`, with its fields. */
export function finishInstance(
  r: Reader,
  object: object,
  prototype: object,
): void {
  Object.setPrototypeOf(object, prototype);
  readFields(r, r.byte(), object as Record<string, unknown>, prototype);
}

function readBuffer(r: Reader): ArrayBuffer {
  const length = r.uint32();
  r.align();
  return r.add(r.raw(length).buffer);
}

function readResizable(r: Reader): ArrayBuffer {
  const length = r.uint32();
  const maxByteLength = r.uint32();
  const buffer = new ArrayBuffer(length, { maxByteLength });
  r.align();
  new Uint8Array(buffer).set(r.bytes.subarray(r.at, r.at += length));
  return r.add(buffer);
}

function readView(r: Reader): ArrayBufferView {
  const View = VIEWS[r.byte()] as Uint8ArrayConstructor;
  const buffer = readValue(r, r.byte()) as ArrayBuffer;
  const offset = r.uint32();
  const length = r.uint32();
  return r.add(
    new View(buffer, offset, length === TRACKING ? undefined : length),
  );
}

function readError(r: Reader): Error {
  const error = r.add(makeError(r.byte()));
  readErrorParts(r, error);
  return error;
}

/** Reads all of an error but its kind. */
export function readErrorParts(r: Reader, error: Error): void {
  const mask = r.byte();
  for (let part = 0; part < ERROR_PARTS.length; part++) {
    if ((mask & 1 << part) === 0) continue;
    const name = ERROR_PARTS[part];
    const value = readValue(r, r.byte());
    // The stack is an accessor, which structured cloning keeps too.
    if (name === "stack") error.stack = value as string;
    else hide(error, name, value);
  }
  const fields = error as unknown as Record<string, unknown>;
  readFields(r, r.byte(), fields, Object.getPrototypeOf(error));
}

/** An error of the kind, with no own property but its stack. */
export function makeError(kind: number): Error {
  const error = new Error();
  const { prototype } = ERRORS[kind];
  if (prototype !== Error.prototype) Object.setPrototypeOf(error, prototype);
  return error;
}

/** Makes an own property that is not enumerable. */
function hide(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, {
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

function readDomException(r: Reader): DOMException {
  const name = r.string();
  const exception = r.add(new DOMException(r.string(), name));
  const stack = readValue(r, r.byte());
  if (stack !== undefined) exception.stack = stack;
  return exception;
}
