/**
 * Decoding: the message becomes a value again. Nothing in the value refers to
 * the memory of the message.
 *
 * @module
 */

import { classOf, classUrl } from "../_memory/shared_class.ts";
import {
  objectAt,
  objectAtAs,
  type SharedObject,
  takesFields,
} from "../_memory/shared_object.ts";
import { loadModuleSync, loadSendableSync } from "./sendable.ts";
import { readPlatform } from "./platform.ts";
import {
  ABSENT,
  ARRAY,
  BIGINT,
  BIGINT64,
  BOXED,
  BUFFER,
  BUILT_IN_INSTANCE,
  DATE,
  type DecodedShape,
  DEFERRED,
  DOM_EXCEPTION,
  ERROR,
  ERROR_PARTS,
  ERRORS,
  FALSE,
  FLOAT64,
  INSTANCE,
  INT32,
  KEYED,
  MAP,
  MAX_SHAPE_BYTES,
  MAX_SHORT_ARRAY,
  NEW_SHAPE,
  NULL,
  Reader,
  RECENT_SHAPE,
  REFERENCE,
  REGEXP,
  RESIZABLE_BUFFER,
  SENDABLE,
  SET,
  SHAPE,
  SHARED,
  SHARED_FIELDS,
  SHARED_INSTANCE,
  SHORT_ARRAY,
  SHORT_TEXT,
  SMALL_INT,
  SPARSE_ARRAY,
  TRACKING,
  TRUE,
  UNDEFINED,
  VIEW,
  VIEWS,
} from "./format.ts";

/** A reader for each call of `decode` that can be under way at once. */
const readers: Reader[] = [];

/** How many calls are under way: loading a module runs code of the user's. */
let active = 0;

/**
 * Decodes a message.
 *
 * @param bytes Memory, shared or not, that nobody writes to meanwhile.
 * @param start Where the message starts.
 * @param end Where it ends, or later.
 * @returns The value.
 * @throws {ModuleNotLoaded} If it needs a module that this thread has not
 * loaded and cannot load without waiting.
 * @throws {ThreadingError} If a module does not mark what was sent.
 */
export function decode(bytes: Uint8Array, start: number, end: number): unknown {
  const r = readers[active] ??= new Reader();
  active++;
  try {
    r.begin(bytes, start);
    const value = readValue(r, r.byte());
    // The list grows while it is walked.
    for (let i = 0; i < r.deferred.length; i++) {
      const { object, count, read } = r.deferred[i];
      read(r, object, count);
    }
    if (r.at > end) {
      throw new RangeError(
        `Cannot decode a message of ${end - start} bytes: received ${
          r.at - start
        }`,
      );
    }
    return value;
  } finally {
    active--;
    r.end();
  }
}

/** Reads a value whose tag was `tag`. */
function readValue(r: Reader, tag: number): unknown {
  if (tag >= SMALL_INT) {
    if (tag < SHORT_TEXT) return tag - SMALL_INT;
    if (tag < RECENT_SHAPE) return r.ascii(tag - SHORT_TEXT);
    if (tag < SHORT_ARRAY) return readPlain(r, tag);
    return readShortArray(r, tag - SHORT_ARRAY);
  }
  switch (tag) {
    case NEW_SHAPE:
    case SHAPE:
    case KEYED:
      return readPlain(r, tag);
    case INT32:
      return r.int32();
    case FLOAT64:
      return r.float64();
    case UNDEFINED:
      return undefined;
    case NULL:
      return null;
    case FALSE:
      return false;
    case TRUE:
      return true;
    case BIGINT64:
      return r.bigInt64();
    case BIGINT:
      return readBigInt(r);
    case REFERENCE:
      return r.objects[r.uint32()];
    case ARRAY: {
      const array = r.add([]);
      readElements(r, array, r.uint32());
      return array;
    }
    case SPARSE_ARRAY: {
      const array = r.add(new Array(r.uint32()));
      readFields(r, r.byte(), array, Array.prototype);
      return array;
    }
    case MAP: {
      const map = r.add(new Map());
      readEntries(r, map);
      return map;
    }
    case SET: {
      const set = r.add(new Set());
      readMembers(r, set);
      return set;
    }
    case SENDABLE:
      return loadSendableSync(r.uint32()).value;
    case INSTANCE: {
      const object = r.add(readInstance(r));
      readContents(r, object);
      return object;
    }
    case SHARED:
      return r.add(sharedAt(r.uint32()));
    case SHARED_INSTANCE:
      return r.add(sharedInstance(r));
    case SHARED_FIELDS: {
      const handle = r.add(sharedInstance(r));
      readContents(r, takesFields(handle) ? handle : {});
      return handle;
    }
    case DEFERRED:
      return readDeferred(r);
    default:
      return tag <= REFERENCE ? r.text(tag) : readBuiltIn(r, tag);
  }
}

function readPlain(r: Reader, tag: number): unknown {
  const object = r.add({});
  readFields(r, tag, object, Object.prototype);
  return object;
}

function readBigInt(r: Reader): bigint {
  const negative = r.byte() === 1;
  const magnitude = BigInt(`0x${r.string()}`);
  return negative ? -magnitude : magnitude;
}

/** This thread's handle of a shared object; may need the module of its class. */
function sharedAt(address: number): unknown {
  if (classOf(address) === undefined) loadModuleSync(classUrl(address));
  return objectAt(address);
}

/** The same of a marked subclass, whose fields may follow. */
function sharedInstance(r: Reader): SharedObject {
  const address = r.uint32();
  return objectAtAs(address, loadSendableSync(r.uint32()).value);
}

function readDeferred(r: Reader): unknown {
  const tag = r.byte();
  switch (tag) {
    case SHAPE:
      return later(r, {}, 0, readContents);
    case ARRAY:
      return later(r, [], r.uint32(), readElements);
    case SPARSE_ARRAY:
      return later(r, new Array(r.uint32()), 0, readContents);
    case MAP:
      return later(r, new Map(), 0, readEntries);
    case SET:
      return later(r, new Set(), 0, readMembers);
    case INSTANCE:
      return later(r, readInstance(r), 0, readContents);
    case ERROR:
      return later(r, makeError(r.byte()), 0, readErrorParts);
    case BUILT_IN_INSTANCE: {
      const { prototype } = loadSendableSync(r.uint32()).value;
      const object = readValue(r, r.byte()) as object;
      // After the contents of the built-in part, which are left for later, too:
      // they are read by its own methods, not by those of the class.
      const read = () => finishInstance(r, object, prototype);
      r.deferred.push({ object, count: 0, read });
      return object;
    }
    case SHARED_FIELDS: {
      const handle = r.add(sharedInstance(r));
      const object = takesFields(handle) ? handle : {};
      r.deferred.push({ object, count: 0, read: readContents });
      return handle;
    }
    default:
      throw new RangeError(`Cannot decode contents: received the tag ${tag}`);
  }
}

function later(
  r: Reader,
  object: object,
  count: number,
  // deno-lint-ignore no-explicit-any
  read: (r: Reader, object: any, count: number) => void,
): unknown {
  r.deferred.push({ object, count, read });
  return r.add(object);
}

function readContents(r: Reader, object: Record<string, unknown>): void {
  readFields(r, r.byte(), object, Object.getPrototypeOf(object));
}

/**
 * Arrays to copy: a copy is exactly as long as it must be, where an array that
 * grows has room for 17 elements.
 */
const shortArrays: unknown[][] = [[]];
while (shortArrays.length <= MAX_SHORT_ARRAY) {
  shortArrays.push([...shortArrays.at(-1)!, 0]);
}

function readShortArray(r: Reader, size: number): unknown[] {
  const array = r.add(shortArrays[size].slice());
  for (let i = 0; i < size; i++) {
    const tag = r.byte();
    if (tag === ABSENT) delete array[i];
    else array[i] = readValue(r, tag);
  }
  return array;
}

function readElements(r: Reader, array: unknown[], count: number): void {
  for (let i = 0; i < count; i++) {
    const tag = r.byte();
    if (tag === ABSENT) array.length++;
    else array.push(readValue(r, tag));
  }
}

function readEntries(r: Reader, map: Map<unknown, unknown>): void {
  for (let count = r.uint32(); count > 0; count--) {
    const key = readValue(r, r.byte());
    map.set(key, readValue(r, r.byte()));
  }
}

function readMembers(r: Reader, set: Set<unknown>): void {
  for (let count = r.uint32(); count > 0; count--) {
    set.add(readValue(r, r.byte()));
  }
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
  r.shapes[r.shapeCount++] = shape;
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
function readFields(
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

/** Reads a value that has one of the rarer tags. */
function readBuiltIn(r: Reader, tag: number): unknown {
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
      return readPlatform(r, tag, readValue);
  }
}

/** An instance of the class that is named next, without its fields. */
function readInstance(r: Reader): object {
  return Object.create(loadSendableSync(r.uint32()).value.prototype);
}

function readBuiltInInstance(r: Reader): object {
  const { prototype } = loadSendableSync(r.uint32()).value;
  const object = readValue(r, r.byte()) as object;
  finishInstance(r, object, prototype);
  return object;
}

/** Makes a built-in an instance of the class of `prototype`, with its fields. */
function finishInstance(
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
function readErrorParts(r: Reader, error: Error): void {
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
function makeError(kind: number): Error {
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
