/**
 * Everything that is an object but not a plain one, an array or shared:
 * the built-in classes, and classes of the user.
 *
 * @module
 */

import {
  isArrayBuffer,
  isBoxedPrimitive,
  isDate,
  isGeneratorObject,
  isMap,
  isModuleNamespaceObject,
  isNativeError,
  isRegExp,
  isSet,
} from "node:util/types";
import { open, writeArray, writeValue } from "./encode.ts";
import { writeBuffer, writeView } from "./encode_buffer.ts";
import { writeMap, writeSet } from "./encode_collection.ts";
import { writeDomException, writeError } from "./encode_error.ts";
import { writeFields } from "./encode_shape.ts";
import { platformOf, writeBlob } from "./platform.ts";
import {
  classNameOf,
  constructorOf,
  isOfPlatform,
  Refusal,
} from "./refusal.ts";
import { sendableId } from "./registry.ts";
import {
  BOXED,
  BUILT_IN_INSTANCE,
  DATE,
  DEFERRED,
  ERRORS,
  INSTANCE,
  MAX_DEPTH,
  REGEXP,
  SHAPE,
  VIEWS,
} from "./tags.ts";
import type { Writer } from "./writer.ts";

/** Writes what is built into `object`, below the classes of the user. */
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
  if (isArrayBuffer(object)) return writeBuffer as WriteBuiltIn;
  if (isMap(object)) return writeMap;
  if (isSet(object)) return writeSet;
  if (isDate(object)) return writeDate as WriteBuiltIn;
  if (isRegExp(object)) return writeRegExp as WriteBuiltIn;
  if (Array.isArray(object)) return writeArray as WriteBuiltIn;
  if (object instanceof DOMException) return writeDomException as WriteBuiltIn;
  if (isNativeError(object)) return writeError as WriteBuiltIn;
  if (isBoxedPrimitive(object)) return writeBoxed;
  return undefined;
}

/** Writes an object that is not plain, not an array and not shared. */
export function writeBuiltIn(
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
    const isBlob = builtIn === undefined && object instanceof Blob;
    return writeInstance(w, object, id, isBlob ? writeBlob : builtIn);
  }
  if (builtIn === undefined) {
    const platform = platformOf(object, constructor);
    if (platform !== undefined) return platform(w, object, writeValue);
  }
  if (isNativeError(object) || object instanceof DOMException) {
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
    object instanceof Iterator || isGeneratorObject(object) ||
    isModuleNamespaceObject(object)
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

/** The own fields that are not written with the built-in part. */
function fieldsOf(object: object): string[] {
  if (Array.isArray(object)) return [];
  const keys = Object.keys(object);
  return ArrayBuffer.isView(object) || isBoxedPrimitive(object)
    ? keys.filter((key) => !/^\d+$/.test(key))
    : keys;
}

/** Throws for an instance of a class that is not marked. */
export function refuseInstance(
  object: object,
  // deno-lint-ignore ban-types
  constructor: Function,
): never {
  const name = classNameOf(object);
  if (
    object instanceof SharedArrayBuffer || object instanceof WebAssembly.Memory
  ) {
    throw new Refusal("raw shared memory is not sent, use SharedArray", object);
  }
  if (object instanceof WebAssembly.Module) {
    throw new Refusal(
      "a compiled module is not sent, send its bytes and compile them there",
      object,
    );
  }
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
