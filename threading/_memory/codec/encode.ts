/**
 * Encoding: a value becomes bytes that any thread of the process can decode.
 *
 * What arrives is what structured cloning would make of the value, except
 * that shared objects and marked functions and classes arrive as themselves,
 * that instances of marked classes keep their class, and that errors keep more
 * of what they were.
 *
 * @module
 */

import { isProxy } from "node:util/types";
import { encoding, type SharedObject } from "../shared_object.ts";
import { writeShared } from "./encode_shared.ts";
import { writeBuiltIn } from "./encode_built_in.ts";
import { writeElements } from "./encode_collection.ts";
import { writeFields } from "./encode_shape.ts";
import { isClass, Refusal, within } from "./refusal.ts";
import { sendableId } from "./registry.ts";
import {
  ARRAY,
  BIGINT,
  BIGINT64,
  DEFERRED,
  FALSE,
  FLOAT64,
  INT32,
  MAX_DEPTH,
  NULL,
  REFERENCE,
  SENDABLE,
  SHAPE,
  SHORT_ARRAY,
  SMALL_INT,
  SPARSE_ARRAY,
  TRUE,
  UNDEFINED,
} from "./tags.ts";
import { type Root, Writer } from "./writer.ts";

/** What `encode` made; valid until this thread's next call of `encode`. */
export interface Encoded {
  /** Scratch memory, which starts with the message. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same memory. */
  readonly words: Int32Array<ArrayBuffer>;
  /** The length of the message in bytes. */
  readonly length: number;
  /** The distinct shared objects in the message, in order of appearance. */
  readonly references: SharedObject[];
  /** The distinct ids of marked functions and classes in the message. */
  readonly sendables: number[];
}

/** A writer for each call of `encode` that is under way, and free ones. */
const writers: Writer[] = [];

/**
 * Encodes a value.
 *
 * @param value The value.
 * @param root What it is, which is what messages call it. Of the key of a map,
 * the bytes depend on nothing but which key it is.
 * @returns The message, in scratch memory that the next call overwrites.
 * @throws {NotSendableError} If something in the value cannot be sent.
 */
export function encode(value: unknown, root: Root = "value"): Encoded {
  // Reading a value can run getters, which can send values, too.
  const w = writers[encoding.depth] ??= new Writer();
  encoding.depth++;
  try {
    w.begin();
    w.root = root;
    writeValue(w, value);
    if (w.deferred.length > 0) writeDeferred(w);
    w.end();
    return w;
  } catch (error) {
    w.begin();
    throw explain(error, value, root);
  } finally {
    encoding.depth--;
  }
}

/** What the caller gets for `error`; errors of getters pass unchanged. */
function explain(error: unknown, value: unknown, root: string): unknown {
  if (error instanceof Refusal) return error.toError(root);
  if (
    error instanceof RangeError &&
    error.message === "Maximum call stack size exceeded"
  ) {
    return new Refusal("the stack is too small to encode it", value)
      .toError(root);
  }
  return error;
}

/** Writes the contents of what is nested too deeply to be recursed into. */
function writeDeferred(w: Writer): void {
  try {
    // The list grows while it is walked.
    for (let i = 0; i < w.deferred.length; i++) {
      const { object, keys, write } = w.deferred[i];
      w.depth = 0;
      w.reserve();
      write(w, object, keys);
    }
  } catch (error) {
    throw within("…", error);
  }
}

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
    throw new Refusal(
      isClass(value)
        ? "a class travels by its name, so put " +
          "`static { sendable(import.meta, this); }` into it"
        : "a function travels by its name, so mark it where its module " +
          "defines it: `const name = sendable(import.meta, function name…)`",
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
  } else if (!writeShared(w, object, prototype)) {
    writeBuiltIn(w, object, prototype);
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
    if (length < 32 && !deferred) w.byte(SHORT_ARRAY + length);
    else w.tagged(ARRAY, length);
    open(w, array, keys, writeElements);
  } else {
    w.tagged(SPARSE_ARRAY, length);
    open(w, array, keys, writeFields);
  }
}

/** Writes the contents of an object: what follows its head. */
export type WriteContents = (
  w: Writer,
  object: object,
  keys: string[],
) => void;

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
