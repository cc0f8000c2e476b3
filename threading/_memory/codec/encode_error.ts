/**
 * Errors. They keep their built-in class, name, message, stack, cause and
 * whatever of their own data can travel, so that every error can be told of in
 * another thread.
 *
 * @module
 */

import { open, writeValue } from "./encode.ts";
import { Refusal, within } from "./refusal.ts";
import {
  DEFERRED,
  DOM_EXCEPTION,
  ERROR,
  ERROR_PARTS,
  ERRORS,
  KEYED,
  MAX_DEPTH,
} from "./tags.ts";
import type { Writer } from "./writer.ts";

const NO_KEYS: string[] = [];

/**
 * Writes an error without its class. A `marked` one gives its own fields to
 * the caller to write, and its class gives the name.
 */
export function writeError(w: Writer, error: Error, marked: boolean): void {
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
export function writeDomException(w: Writer, exception: DOMException): void {
  w.identities.add(exception);
  w.byte(DOM_EXCEPTION);
  w.text(exception.name);
  w.text(exception.message);
  writeValue(w, exception.stack);
}
