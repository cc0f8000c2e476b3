/**
 * What a SharedList does in one step: each of these takes the mutex, changes or
 * looks, and lets go of it.
 *
 * @module
 */

import { discard } from "./_memory/allocator.ts";
import { Field, load, words } from "./_memory/heap.ts";
import { lock, unlock } from "./_memory/mutex.ts";
import {
  addOwner,
  commitRecord,
  draftRecord,
  dropRecord,
  glance,
  readRecord,
  readShared,
  refersToNothing,
  releaseRecord,
  shareRecord,
  takeRecord,
  UNREAD,
} from "./_codec/record.ts";
import {
  insertAt,
  lockWithRoom,
  placeOf,
  removeAll,
  removeFrom,
  RingField,
  wordAt,
} from "./_list_ring.ts";

/** What stands for an item where none is. */
export const ABSENT: unique symbol = Symbol("absent");

/** The item at an index. */
export function readAt(list: number, index: number): unknown {
  let value: unknown = ABSENT;
  let record = 0;
  lock(list + Field.mutex);
  const place = placeOf(list, index);
  if (place >= 0) {
    record = words[wordAt(list, place)];
    value = glance(record);
    if (value === UNREAD) shareRecord(record);
  }
  unlock(list + Field.mutex);
  return value === UNREAD ? readShared(record) : value;
}

/** Puts another item at an index; false if none is there. */
export function replaceAt(list: number, index: number, item: unknown): boolean {
  const record = draftRecord(item);
  lock(list + Field.mutex);
  const place = placeOf(list, index);
  if (place >= 0) {
    const word = wordAt(list, place);
    const old = words[word];
    words[word] = record;
    commitRecord(record);
    releaseRecord(old);
  }
  unlock(list + Field.mutex);
  if (place < 0) discard(record);
  return place >= 0;
}

/** Adds items at the end; returns how many there are then. */
export function append(list: number, items: readonly unknown[]): number {
  const records: number[] = [];
  try {
    for (const item of items) records.push(draftRecord(item));
    lockWithRoom(list, records.length);
  } catch (error) {
    records.forEach(discard);
    throw error;
  }
  for (const record of records) {
    insertAt(list, words[list + RingField.length], record);
    commitRecord(record);
  }
  const length = words[list + RingField.length];
  unlock(list + Field.mutex);
  return length;
}

/** Adds an item before the one at an index, or at the nearer end. */
export function insertBefore(
  list: number,
  index: number,
  item: unknown,
): void {
  const record = draftRecord(item);
  try {
    lockWithRoom(list, 1);
  } catch (error) {
    discard(record);
    throw error;
  }
  const length = words[list + RingField.length];
  const place = index < 0
    ? Math.max(index + length, 0)
    : Math.min(index, length);
  insertAt(list, place, record);
  commitRecord(record);
  unlock(list + Field.mutex);
}

/** Takes all items out. */
export function clearItems(list: number): void {
  lock(list + Field.mutex);
  removeAll(list);
  unlock(list + Field.mutex);
}

/**
 * Takes the item at an index. An item that refers to something is read before
 * it is taken, since that may fail: its module may not be loaded in this
 * thread.
 */
export function takeAt(list: number, index: number): unknown {
  let shared = 0;
  let read: unknown;
  try {
    for (;;) {
      lock(list + Field.mutex);
      const place = placeOf(list, index);
      if (place < 0) {
        unlock(list + Field.mutex);
        return ABSENT;
      }
      const record = words[wordAt(list, place)];
      const isRead = record === shared;
      let value = isRead ? read : glance(record);
      if (isRead || refersToNothing(record)) {
        removeFrom(list, place);
        if (value === UNREAD) takeRecord(record);
        else releaseRecord(record);
        unlock(list + Field.mutex);
        if (value === UNREAD) value = readShared(record);
        return value;
      }
      shareRecord(record);
      unlock(list + Field.mutex);
      if (shared !== 0) dropRecord(shared);
      shared = record;
      read = readRecord(record);
    }
  } finally {
    if (shared !== 0) dropRecord(shared);
  }
}

/** Links all records of a list into an empty one that no other thread knows. */
export function linkAllInto(empty: number, list: number): void {
  for (;;) {
    const length = load(list + RingField.length);
    lockWithRoom(empty, length);
    unlock(empty + Field.mutex);
    lock(list + Field.mutex);
    const now = words[list + RingField.length];
    const fits = now <= words[empty + RingField.capacity];
    for (let i = 0; fits && i < now; i++) {
      const record = words[wordAt(list, i)];
      addOwner(record);
      words[wordAt(empty, i)] = record;
    }
    if (fits) words[empty + RingField.length] = now;
    unlock(list + Field.mutex);
    if (fits) return;
  }
}

/** The items of a list that no other thread changes. */
export function readAll(list: number): unknown[] {
  const items: unknown[] = [];
  const length = words[list + RingField.length];
  for (let i = 0; i < length; i++) {
    items.push(readRecord(words[wordAt(list, i)]));
  }
  return items;
}
