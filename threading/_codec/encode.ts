/**
 * Encoding: a value becomes bytes that any thread of the process can decode.
 *
 * What arrives is what structured cloning would make of the value, except
 * that shared objects and marked functions and classes arrive as themselves,
 * that instances of marked classes keep their class, and that errors keep more
 * of what they were.
 *
 * `encode_values.ts` writes the most common values; here are the entry and all
 * other objects: shared ones, instances of built-in classes and of the user's.
 *
 * @module
 */

import { types } from "../../_internal/built_in.ts";
import {
  open,
  writeArray,
  writeFields,
  writeMap,
  writeSet,
  writeValue,
} from "./encode_values.ts";
import {
  isTrackingShared,
  platformBaseOf,
  platformOf,
  writeKept,
} from "./platform.ts";
import {
  classNameOf,
  constructorOf,
  isOfPlatform,
  Refusal,
  type Root,
  staying,
  within,
  Writer,
} from "./writer.ts";
import { introduce, otherOwner, whyOfOther } from "./copies.ts";
import { sendableEntry, sendableId } from "./sendable.ts";
import {
  BOXED,
  BUFFER,
  BUILT_IN_INSTANCE,
  DATE,
  DEFERRED,
  DOM_EXCEPTION,
  ERROR,
  ERROR_PARTS,
  ERRORS,
  INSTANCE,
  KEYED,
  MAX_DEPTH,
  REFERENCE,
  REGEXP,
  RESIZABLE_BUFFER,
  SHAPE,
  SHARED,
  SHARED_FIELDS,
  SHARED_INSTANCE,
  TRACKING,
  VIEW,
  VIEWS,
} from "./format.ts";
import { classOf } from "../_memory/shared_class.ts";
import { addressOf, encoding, SharedObject } from "../_memory/shared_object.ts";

/** Writes the built-in part of `object`, below the classes of the user. */
type WriteBuiltIn = (w: Writer, object: object, marked: boolean) => void;

/** The prototypes of built-in classes: their instances are of no other. */
const exact = new Set<object>([
  ...[Array, Map, Set, Date, RegExp, ArrayBuffer, DOMException],
  ...[Number, String, Boolean, BigInt],
  ...VIEWS,
  ...ERRORS,
].map((constructor) => constructor.prototype));

/** The part of `object` that a built-in constructor made, if there is one. */
function builtInOf(object: object): WriteBuiltIn | undefined {
  if (ArrayBuffer.isView(object)) return writeView as WriteBuiltIn;
  if (types().isArrayBuffer(object)) return writeBuffer as WriteBuiltIn;
  if (types().isMap(object)) return writeMap;
  if (types().isSet(object)) return writeSet;
  if (types().isDate(object)) return writeDate as WriteBuiltIn;
  if (types().isRegExp(object)) return writeRegExp as WriteBuiltIn;
  if (Array.isArray(object)) return writeArray as WriteBuiltIn;
  if (object instanceof DOMException) return writeDomException as WriteBuiltIn;
  if (types().isNativeError(object)) return writeError as WriteBuiltIn;
  if (types().isBoxedPrimitive(object)) return writeBoxed;
  return undefined;
}

/** Writes an object that is not plain, not an array and not shared. */
function writeBuiltIn(
  w: Writer,
  object: object,
  prototype: object | null,
): void {
  const builtIn = builtInOf(object);
  if (builtIn !== undefined && prototype !== null && exact.has(prototype)) {
    return builtIn(w, object, false);
  }
  const constructor = constructorOf(prototype);
  const id = constructor && sendableId(constructor);
  if (id !== undefined) {
    return writeInstance(w, object, id, builtIn ?? platformBaseOf(object));
  }
  if (builtIn === undefined) {
    const platform = platformOf(object, constructor);
    if (platform !== undefined) return platform(w, object, writeValue);
  }
  if (types().isNativeError(object) || object instanceof DOMException) {
    // Every error can travel, if need be without its class.
    return builtIn!(w, object, false);
  }
  if (
    constructor !== undefined &&
    // Such as node's Buffer, which arrives as a Uint8Array.
    (builtIn === undefined || !isOfPlatform(constructor))
  ) {
    refuseInstance(object, constructor);
  }
  if (
    object instanceof Iterator || types().isGeneratorObject(object) ||
    types().isModuleNamespaceObject(object)
  ) {
    throw new Refusal(
      "iterators, generators and modules live in one thread only, " +
        "send what they hold",
      object,
    );
  }
  if (builtIn !== undefined) return builtIn(w, object, false);
  w.identities.add(object);
  if (w.depth >= MAX_DEPTH) w.raw(Uint8Array.of(DEFERRED, SHAPE));
  open(w, object, Object.keys(object), writeFields);
}

/** Writes an instance of a marked class. */
function writeInstance(
  w: Writer,
  object: object,
  id: number,
  builtIn: WriteBuiltIn | undefined,
): void {
  w.sendable(id);
  if (builtIn === undefined) {
    w.identities.add(object);
    if (w.depth >= MAX_DEPTH) w.byte(DEFERRED);
    w.tagged(INSTANCE, id);
    open(w, object, Object.keys(object), writeFields);
    return;
  }
  if (w.depth >= MAX_DEPTH) w.byte(DEFERRED);
  w.tagged(BUILT_IN_INSTANCE, id);
  builtIn(w, object, true);
  w.reserve();
  open(w, object, fieldsOf(object), writeFields);
}

introduce((value) =>
  value instanceof SharedObject ||
  sendableEntry(typeof value === "function" ? value : value.constructor) !==
    undefined
);

/** The own fields that are not written with the built-in part. */
function fieldsOf(object: object): string[] {
  if (Array.isArray(object)) return [];
  const keys = Object.keys(object);
  return ArrayBuffer.isView(object) || types().isBoxedPrimitive(object)
    ? keys.filter((key) => !/^\d+$/.test(key))
    : keys;
}

/** Throws for an instance of a class that is not marked. */
function refuseInstance(
  object: object,
  // deno-lint-ignore ban-types
  constructor: Function,
): never {
  const name = classNameOf(object);
  const why = staying.get(constructor);
  if (why !== undefined) throw new Refusal(why, object);
  const other = otherOwner(object);
  if (other !== undefined) throw new Refusal(whyOfOther(other), object);
  throw new Refusal(
    isOfPlatform(constructor)
      ? `a class of the platform like ${name} has its state in one thread ` +
        "only, send what it holds"
      : `its class is not marked, put ` +
        `\`static { sendable(import.meta, this); }\` into class ${name}`,
    object,
  );
}

function writeDate(w: Writer, date: Date): void {
  w.identities.add(date);
  w.byte(DATE);
  w.float64(Date.prototype.getTime.call(date));
}

function writeRegExp(w: Writer, regExp: RegExp): void {
  w.identities.add(regExp);
  w.byte(REGEXP);
  w.text(regExp.source);
  w.text(regExp.flags);
}

function writeBoxed(w: Writer, object: object): void {
  w.identities.add(object);
  w.byte(BOXED);
  writeValue(w, unbox(object));
}

const valueOfs = [Number, String, Boolean, BigInt, Symbol].map(
  ({ prototype }) => prototype.valueOf as (this: unknown) => unknown,
);

/** The primitive in a wrapper object, whatever its `valueOf` is. */
function unbox(object: object): unknown {
  for (const valueOf of valueOfs) {
    try {
      return valueOf.call(object);
    } catch {
      // Of another kind.
    }
  }
  throw new Refusal("it is of no known kind", object);
}

// Buffers and the views on them. As in structured cloning the whole buffer
// travels with a view on it, and views on one buffer share what arrives of it:
// a copy, or the same memory if it is a `SharedArrayBuffer`.

/** Writes a buffer, of whatever class, without its class. */
function writeBuffer(w: Writer, buffer: ArrayBuffer): void {
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
function writeView(w: Writer, view: ArrayBufferView): void {
  const buffer = view.buffer;
  if (isOutOfBounds(view)) {
    throw new Refusal("it is out of bounds: its buffer has shrunk", view);
  }
  const kind = kinds.get(kindOfTyped.call(view) ?? "DataView")!;
  w.byte(VIEW);
  w.byte(kind);
  const number = w.identities.find(buffer);
  if (number >= 0) w.tagged(REFERENCE, number);
  else if (buffer instanceof SharedArrayBuffer) writeKept(w, buffer);
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
  const { buffer } = view;
  if (buffer instanceof SharedArrayBuffer) {
    return buffer.growable && isTrackingShared(view);
  }
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

// Errors. They keep their built-in class, name, message, stack, cause and
// whatever of their own data can travel, so that every error can be told of in
// another thread.

const NO_KEYS: string[] = [];

/**
 * Writes an error without its class. A `marked` one gives its own fields to
 * the caller to write, and its class gives the name.
 */
function writeError(w: Writer, error: Error, marked: boolean): void {
  w.identities.add(error);
  if (w.depth >= MAX_DEPTH) w.byte(DEFERRED);
  w.byte(ERROR);
  w.byte(kindOf(error));
  open(w, error, NO_KEYS, marked ? writeMarkedParts : writeUnmarkedParts);
}

function writeMarkedParts(w: Writer, error: object): void {
  writeParts(w, error as Error, true);
}

function writeUnmarkedParts(w: Writer, error: object): void {
  writeParts(w, error as Error, false);
}

function writeParts(w: Writer, error: Error, marked: boolean): void {
  const kind = kindOf(error);
  const maskAt = w.length;
  w.byte(0);
  let mask = 0;
  let part = 0;
  try {
    for (; part < ERROR_PARTS.length; part++) {
      const name = ERROR_PARTS[part];
      if (!hasPart(error, name, kind, marked)) continue;
      mask |= 1 << part;
      writeValue(w, (error as unknown as Record<string, unknown>)[name]);
    }
  } catch (thrown) {
    throw within(`.${ERROR_PARTS[part]}`, thrown);
  }
  w.bytes[maskAt] = mask;
  writeExtras(w, error, marked);
}

/** The built-in class nearest to that of `error`. */
function kindOf(error: Error): number {
  let prototype = Object.getPrototypeOf(error);
  while (prototype !== null) {
    const kind = ERRORS.findIndex((known) => known.prototype === prototype);
    if (kind >= 0) return kind;
    prototype = Object.getPrototypeOf(prototype);
  }
  return 0;
}

function hasPart(
  error: Error,
  part: typeof ERROR_PARTS[number],
  kind: number,
  marked: boolean,
): boolean {
  switch (part) {
    case "name":
      return (marked
        ? Object.hasOwn(error, "name")
        : error.name !== ERRORS[kind].prototype.name) &&
        typeof error.name === "string";
    case "message":
      return (Object.hasOwn(error, "message") ||
        (!marked && error.message !== "")) &&
        typeof error.message === "string";
    case "stack":
      return typeof error.stack === "string";
    default:
      // An enumerable one is an ordinary field.
      return Object.getOwnPropertyDescriptor(error, part)?.enumerable === false;
  }
}

const PARTS: readonly string[] = ERROR_PARTS;

/** Writes the fields of an error that can be sent; the others stay behind. */
function writeExtras(w: Writer, error: Error, marked: boolean): void {
  w.reserve();
  const countAt = w.length + 1;
  w.tagged(KEYED, 0);
  if (marked) return;
  let count = 0;
  for (const key of Object.keys(error)) {
    if (key === "name" || key === "message" || key === "stack") continue;
    const descriptor = Object.getOwnPropertyDescriptor(error, key);
    if (descriptor === undefined || !("value" in descriptor)) continue;
    const mark = w.mark();
    try {
      w.reserve();
      w.text(key);
      writeValue(w, descriptor.value);
      count++;
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      if (PARTS.includes(key)) throw within(`.${key}`, thrown);
      w.rollBack(mark);
    }
  }
  w.view.setUint32(countAt, count, true);
}

/** Writes a DOMException. */
function writeDomException(w: Writer, exception: DOMException): void {
  w.identities.add(exception);
  w.byte(DOM_EXCEPTION);
  w.text(exception.name);
  w.text(exception.message);
  writeValue(w, exception.stack);
}

// Shared objects, which travel by their address.

/**
 * Writes `object`, whose prototype is `prototype`, if it is a shared object.
 * A marked subclass is named, so that the receiver's handle is of it too, and
 * the fields that it adds are copied. Those of skein's own classes are symbols,
 * which stay behind.
 */
function writeShared(
  w: Writer,
  object: object,
  prototype: object | null,
): boolean {
  if (!(object instanceof SharedObject)) return false;
  const address = addressOf(object);
  const constructor = constructorOf(prototype);
  const id = constructor && sendableId(constructor);
  if (id === undefined && classOf(address)?.constructor !== constructor) {
    refuseInstance(object, constructor ?? object.constructor);
  }
  w.identities.add(object);
  w.references.push(object);
  if (id === undefined) {
    w.tagged(SHARED, address);
    return true;
  }
  w.sendable(id);
  const keys = Object.keys(object);
  if (keys.length === 0) {
    w.tagged(SHARED_INSTANCE, address);
    w.uint32(id);
    return true;
  }
  if (w.root === "key") {
    throw new Refusal(
      `a key is found by its identity, so the fields of a ${
        classNameOf(object)
      } cannot travel with it; use one without fields, or its name`,
      object,
    );
  }
  if (w.depth >= MAX_DEPTH) w.byte(DEFERRED);
  w.tagged(SHARED_FIELDS, address);
  w.uint32(id);
  open(w, object, keys, writeFields);
  return true;
}

/** Writes an object that is not plain and not an array. */
function writeOther(w: Writer, object: object, prototype: object | null): void {
  if (!writeShared(w, object, prototype)) writeBuiltIn(w, object, prototype);
}

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
  const w = writers[encoding.depth] ??= new Writer(writeOther);
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

/** Writes the contents of objects that are nested too deeply for recursion. */
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
    throw within("\u2026", error);
  }
}
