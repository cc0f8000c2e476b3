/**
 * The contents of arrays, maps and sets.
 *
 * @module
 */

import { open, writeValue } from "./encode.ts";
import { entry, within } from "./refusal.ts";
import { ABSENT, DEFERRED, MAP, MAX_DEPTH, SET } from "./tags.ts";
import type { Writer } from "./writer.ts";

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

// Getters of what is in a collection may change it while it is written: what
// travels is what was in it at the start.

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
