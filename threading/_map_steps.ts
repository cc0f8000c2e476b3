/**
 * What a SharedMap does in one step: each of these takes the mutex once.
 *
 * @module
 */

import { discard } from "./_memory/allocator.ts";
import { Field, words } from "./_memory/heap.ts";
import { lock, unlock } from "./_memory/mutex.ts";
import {
  draftRecord,
  glance,
  readShared,
  shareRecord,
  UNREAD,
} from "./_codec/record.ts";
import {
  encodeKey,
  Entry,
  entryAfter,
  find,
  hashOf,
  lockEntry,
  putValue,
  removeAllValues,
  removeValue,
  serialOf,
} from "./_map_table.ts";

/** What {@linkcode lookUp} returns for a key that is not there. */
export const ABSENT: unique symbol = Symbol("absent");

/** The value of a key. */
export function lookUp(map: number, key: unknown): unknown {
  let value: unknown = ABSENT;
  let record = 0;
  const entry = lockFound(map, key);
  if (entry !== 0) {
    record = words[entry + Entry.value];
    value = glance(record);
    if (value === UNREAD) shareRecord(record);
  }
  unlock(map + Field.mutex);
  return value === UNREAD ? readShared(record) : value;
}

/** Whether a key has a value. */
export function hasKey(map: number, key: unknown): boolean {
  const entry = lockFound(map, key);
  unlock(map + Field.mutex);
  return entry !== 0;
}

/** Takes a key out; false if it was not there. */
export function deleteKey(map: number, key: unknown): boolean {
  const entry = lockFound(map, key);
  if (entry !== 0) removeValue(map, entry);
  unlock(map + Field.mutex);
  return entry !== 0;
}

/** Takes the mutex, and finds the entry of a key that has a value, or 0. */
function lockFound(map: number, key: unknown): number {
  const encoded = encodeKey(key);
  const hash = hashOf(encoded);
  lock(map + Field.mutex);
  const entry = find(map, hash, encoded);
  return entry !== 0 && words[entry + Entry.value] !== 0 ? entry : 0;
}

/** Gives a key a value. */
export function setKey(map: number, key: unknown, value: unknown): void {
  const record = draftRecord(value);
  let entry: number;
  try {
    const encoded = encodeKey(key);
    entry = lockEntry(map, hashOf(encoded), encoded);
  } catch (error) {
    discard(record);
    throw error;
  }
  putValue(map, entry, record);
  unlock(map + Field.mutex);
}

/** Takes all keys out. */
export function clearKeys(map: number): void {
  lock(map + Field.mutex);
  removeAllValues(map);
  unlock(map + Field.mutex);
}

/** A place in the order of insertion: before the first entry, at first. */
export interface Place {
  /** Where the entry is, or was. */
  entry: number;
  hash: number;
  serial: number;
}

/** Moves a place on; returns the key and value there, if there are any more. */
export function readNext(
  map: number,
  place: Place,
): [unknown, unknown] | undefined {
  let key: unknown;
  let value: unknown;
  let keyRecord = 0;
  let valueRecord = 0;
  lock(map + Field.mutex);
  const entry = entryAfter(map, place.entry, place.hash, place.serial);
  if (entry !== 0) {
    place.entry = entry;
    place.hash = words[entry + Entry.hash];
    place.serial = serialOf(entry);
    keyRecord = words[entry + Entry.key];
    valueRecord = words[entry + Entry.value];
    key = glance(keyRecord);
    value = glance(valueRecord);
    if (key === UNREAD) shareRecord(keyRecord);
    if (value === UNREAD) shareRecord(valueRecord);
  }
  unlock(map + Field.mutex);
  if (entry === 0) return undefined;
  try {
    if (key === UNREAD) key = readShared(keyRecord);
  } finally {
    if (value === UNREAD) value = readShared(valueRecord);
  }
  return [key, value];
}
