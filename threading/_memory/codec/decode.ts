/**
 * Decoding: the message becomes a value again. Nothing in the value refers to
 * the memory of the message.
 *
 * @module
 */

import {
  classOf,
  classUrl,
  objectAt,
  objectAtAs,
  type SharedObject,
  takesFields,
} from "../shared_object.ts";
import {
  finishInstance,
  makeError,
  readBuiltIn,
  readErrorParts,
  readInstance,
} from "./decode_built_in.ts";
import { readFields } from "./decode_shape.ts";
import { loadModuleSync, loadSendableSync } from "./load.ts";
import { Reader } from "./reader.ts";
import {
  ABSENT,
  ARRAY,
  BIGINT,
  BIGINT64,
  BUILT_IN_INSTANCE,
  DEFERRED,
  ERROR,
  FALSE,
  FLOAT64,
  INSTANCE,
  INT32,
  KEYED,
  MAP,
  NEW_SHAPE,
  NULL,
  RECENT_SHAPE,
  REFERENCE,
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
  TRUE,
  UNDEFINED,
} from "./tags.ts";

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
export function readValue(r: Reader, tag: number): unknown {
  if (tag >= SMALL_INT) {
    if (tag < SHORT_TEXT) return tag - SMALL_INT;
    if (tag < RECENT_SHAPE) return r.ascii(tag - SHORT_TEXT);
    if (tag < SHORT_ARRAY) return readPlain(r, tag);
    const array = r.add([]);
    readElements(r, array, tag - SHORT_ARRAY);
    return array;
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
