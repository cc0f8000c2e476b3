/**
 * A list that threads share.
 *
 * @module
 */

import { checkInteger, checkIterable } from "../../_internal/check.ts";
import { Field, load, words } from "../_memory/heap.ts";
import { counted, registerClass } from "../_memory/shared_class.ts";
import {
  addressOf,
  createObject,
  SharedObject,
} from "../_memory/shared_object.ts";
import {
  allocate,
  deallocate,
  discard,
  removeDraft,
} from "../_memory/allocator.ts";
import { lock, unlock } from "../_memory/mutex.ts";
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
} from "../_codec/record.ts";

/**
 * A list that every thread sees and may change: a JavaScript array in spirit,
 * with Python's `insert`.
 *
 * Each method is one indivisible step. Items are stored as copies and come out
 * as copies, as if sent to another thread; skein's own objects in them are
 * shared. Changing a copy does not change the list: {@linkcode set} does. A list
 * that is part of its own items is freed only after `clear()`.
 *
 * Adding and taking at both ends takes the same time however long the list is.
 * Nothing here waits; for waiting until there is something, use a queue.
 *
 * @typeParam T The items.
 *
 * @example
 * ```ts
 * import { SharedList } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const list = new SharedList(["b", "c"]);
 * list.insert(0, "a");
 * list.push("d");
 * assertEquals(list.shift(), "a");
 * assertEquals(list.pop(), "d");
 * assertEquals(list.toArray(), ["b", "c"]);
 * ```
 */
export class SharedList<T> extends SharedObject {
  /**
   * Makes a list.
   *
   * @param items What is in it at first.
   * @throws {TypeError} If they cannot be iterated.
   * @throws {NotSendableError} If an item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   */
  constructor(items?: Iterable<T>) {
    if (items !== undefined) checkIterable(items, "make a SharedList", "items");
    super(createObject(KIND, RING_WORDS));
    if (items !== undefined) { for (const item of items) this.push(item); }
  }

  /**
   * How many items there are now.
   *
   * @returns The number of items.
   *
   * @example
   * ```ts
   * import { SharedList } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new SharedList([1, 2]).length(), 2);
   * ```
   */
  length(): number {
    return load(addressOf(this) + RingField.length);
  }

  /**
   * The item at an index; a negative index counts from the end.
   *
   * @param index The index, an integer.
   * @returns A copy of the item, or `undefined` if there is none.
   * @throws {TypeError} If the index is not a number.
   * @throws {RangeError} If the index is not an integer.
   *
   * @example
   * ```ts
   * import { SharedList } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const list = new SharedList([1, 2, 3]);
   * assertEquals([list.at(0), list.at(-1), list.at(3)], [1, 3, undefined]);
   * ```
   */
  at(index: number): T | undefined {
    checkIndex(index, "read");
    const value = readAt(addressOf(this), index);
    return value === ABSENT ? undefined : value as T;
  }

  /**
   * Puts another item at an index; a negative index counts from the end.
   *
   * @param index The index, an integer.
   * @param item The item.
   * @throws {TypeError} If the index is not a number.
   * @throws {RangeError} If the index is not an integer, or there is no item.
   * @throws {NotSendableError} If the item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   *
   * @example
   * ```ts
   * import { SharedList } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const list = new SharedList([1, 2]);
   * list.set(-1, 3);
   * assertEquals(list.toArray(), [1, 3]);
   * ```
   */
  set(index: number, item: T): void {
    checkIndex(index, "set an item of");
    if (!replaceAt(addressOf(this), index, item)) {
      throw outOfRange(index, "set an item of");
    }
  }

  /**
   * Adds items at the end.
   *
   * @param items The items. All are added, in one step, or none.
   * @returns How many items there are then.
   * @throws {NotSendableError} If an item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   *
   * @example
   * ```ts
   * import { SharedList } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new SharedList([1]).push(2, 3), 3);
   * ```
   */
  push(...items: T[]): number {
    return append(addressOf(this), items);
  }

  /**
   * Takes the last item.
   *
   * @returns The item, or `undefined` if the list is empty.
   *
   * @example
   * ```ts
   * import { SharedList } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new SharedList([1, 2]).pop(), 2);
   * ```
   */
  pop(): T | undefined {
    const value = takeAt(addressOf(this), -1);
    return value === ABSENT ? undefined : value as T;
  }

  /**
   * Takes the first item.
   *
   * @returns The item, or `undefined` if the list is empty.
   *
   * @example
   * ```ts
   * import { SharedList } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new SharedList([1, 2]).shift(), 1);
   * ```
   */
  shift(): T | undefined {
    const value = takeAt(addressOf(this), 0);
    return value === ABSENT ? undefined : value as T;
  }

  /**
   * Adds an item before the one at an index. As in Python, a negative index
   * counts from the end, one beyond the last item means the end, and one
   * before the first the beginning.
   *
   * @param index The index, an integer.
   * @param item The item.
   * @throws {TypeError} If the index is not a number.
   * @throws {RangeError} If the index is not an integer.
   * @throws {NotSendableError} If the item cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   *
   * @example
   * ```ts
   * import { SharedList } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const list = new SharedList(["a", "c"]);
   * list.insert(1, "b");
   * list.insert(99, "d");
   * assertEquals(list.toArray(), ["a", "b", "c", "d"]);
   * ```
   */
  insert(index: number, item: T): void {
    checkIndex(index, "insert into");
    insertBefore(addressOf(this), index, item);
  }

  /**
   * Takes the item at an index; a negative index counts from the end.
   *
   * @param index The index, an integer.
   * @returns The item.
   * @throws {TypeError} If the index is not a number.
   * @throws {RangeError} If the index is not an integer, or there is no item.
   *
   * @example
   * ```ts
   * import { SharedList } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const list = new SharedList(["a", "b", "c"]);
   * assertEquals(list.removeAt(1), "b");
   * assertEquals(list.toArray(), ["a", "c"]);
   * ```
   */
  removeAt(index: number): T {
    checkIndex(index, "remove from");
    const value = takeAt(addressOf(this), index);
    if (value === ABSENT) throw outOfRange(index, "remove from");
    return value as T;
  }

  /**
   * Takes all items out.
   *
   * @example
   * ```ts
   * import { SharedList } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const list = new SharedList([1, 2]);
   * list.clear();
   * assertEquals(list.length(), 0);
   * ```
   */
  clear(): void {
    clearItems(addressOf(this));
  }

  /**
   * The items as they are at one moment.
   *
   * @returns An array with a copy of each item.
   * @throws {HeapExhaustedError} If the shared heap is full.
   *
   * @example
   * ```ts
   * import { SharedList } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new SharedList([1, 2]).toArray(), [1, 2]);
   * ```
   */
  toArray(): T[] {
    const snapshot = new SharedList<T>();
    try {
      linkAllInto(addressOf(snapshot), addressOf(this));
      return readAll(addressOf(snapshot)) as T[];
    } finally {
      snapshot.free();
    }
  }

  /**
   * The items in order. Like an array's iterator it goes by index: what other
   * threads insert or remove before it shifts what comes next.
   *
   * @returns An iterator of copies of the items.
   *
   * @example
   * ```ts
   * import { SharedList } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals([...new SharedList([1, 2])], [1, 2]);
   * ```
   */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let i = 0; i < this.length(); i++) yield this.at(i) as T;
  }
}

function checkIndex(index: unknown, what: string): void {
  checkInteger(index, `${what} a SharedList`, "the index");
}

function outOfRange(index: number, what: string): RangeError {
  return new RangeError(
    `Cannot ${what} a SharedList: no item is at the index, received ${index}`,
  );
}

const KIND = registerClass(import.meta, {
  constructor: SharedList,
  destroy: destroyRing,
  look: (list) => [counted(words[list + RingField.length], "item")],
});

// The inside of a SharedList, and of the `queue` of a subclassed queue: a ring of
// records that grows, so that adding and taking at both ends takes the same time
// however long the list is.
//
// The fields change under the object's mutex only. Places are counted from the
// first record, which lies at `first` in the block `items`; `capacity` is a
// power of two, or 0 while there is no block.

/** The words of a list. */
export const RingField = {
  /** The block of record addresses. */
  items: Field.own,
  capacity: Field.own + 1,
  first: Field.own + 2,
  length: Field.own + 3,
} as const;
/** Size of a list in words. */
export const RING_WORDS = Field.own + 4;

const FIRST_CAPACITY = 8;
/** An empty list gives a larger block back. */
const KEPT_CAPACITY = 1024;

/** The word that holds the record at a place. */
export function wordAt(list: number, place: number): number {
  const at = words[list + RingField.first] + place;
  return words[list + RingField.items] +
    (at & words[list + RingField.capacity] - 1);
}

/**
 * Makes room for `count` more records in a list, and takes its mutex.
 *
 * @throws {HeapExhaustedError} If there is no room; the mutex is not taken then.
 */
export function lockWithRoom(list: number, count: number): void {
  for (;;) {
    lock(list + Field.mutex);
    const needed = words[list + RingField.length] + count;
    if (needed <= words[list + RingField.capacity]) return;
    unlock(list + Field.mutex);
    grow(list, needed);
  }
}

function grow(list: number, needed: number): void {
  let capacity = FIRST_CAPACITY;
  while (capacity < needed) capacity *= 2;
  const items = allocate(capacity);
  lock(list + Field.mutex);
  const old = words[list + RingField.items];
  const grows = capacity > words[list + RingField.capacity];
  if (grows) {
    const length = words[list + RingField.length];
    for (let i = 0; i < length; i++) words[items + i] = words[wordAt(list, i)];
    words[list + RingField.items] = items;
    words[list + RingField.capacity] = capacity;
    words[list + RingField.first] = 0;
    removeDraft(items);
    if (old !== 0) deallocate(old);
  }
  unlock(list + Field.mutex);
  if (!grows) discard(items);
}

/** Under the mutex, with room: puts a record at a place from 0 to length. */
export function insertAt(list: number, place: number, record: number): void {
  const length = words[list + RingField.length];
  if (place === length) {
    words[wordAt(list, place)] = record;
  } else if (place < length >> 1) {
    words[list + RingField.first] = words[list + RingField.first] - 1 &
      words[list + RingField.capacity] - 1;
    for (let i = 0; i < place; i++) {
      words[wordAt(list, i)] = words[wordAt(list, i + 1)];
    }
    words[wordAt(list, place)] = record;
  } else {
    for (let i = length; i > place; i--) {
      words[wordAt(list, i)] = words[wordAt(list, i - 1)];
    }
    words[wordAt(list, place)] = record;
  }
  words[list + RingField.length] = length + 1;
}

/** Under the mutex: takes the record out that is at a place. */
function removeFrom(list: number, place: number): void {
  removeKeeping(list, place);
  if (words[list + RingField.length] === 0) shrinkEmpty(list);
}

/**
 * The same, and keeps the storage as large as it is: the record can be put back
 * without an allocation, which might fail.
 */
export function removeKeeping(list: number, place: number): void {
  const length = words[list + RingField.length] - 1;
  if (place <= length >> 1) {
    for (let i = place; i > 0; i--) {
      words[wordAt(list, i)] = words[wordAt(list, i - 1)];
    }
    words[list + RingField.first] = words[list + RingField.first] + 1 &
      words[list + RingField.capacity] - 1;
  } else {
    for (let i = place; i < length; i++) {
      words[wordAt(list, i)] = words[wordAt(list, i + 1)];
    }
  }
  words[list + RingField.length] = length;
}

/** Whether the block of a list is larger than an empty one keeps. */
export function isLarge(list: number): boolean {
  return words[list + RingField.capacity] > KEPT_CAPACITY;
}

/** Under the mutex: an empty list gives back a large block. */
export function shrinkEmpty(list: number): void {
  if (isLarge(list)) giveBackItems(list);
}

/** Under the mutex: takes all records out and gives them back. */
function removeAll(list: number): void {
  const length = words[list + RingField.length];
  for (let i = 0; i < length; i++) releaseRecord(words[wordAt(list, i)]);
  words[list + RingField.length] = 0;
  shrinkEmpty(list);
}

function giveBackItems(list: number): void {
  deallocate(words[list + RingField.items]);
  words[list + RingField.items] = 0;
  words[list + RingField.capacity] = 0;
  words[list + RingField.first] = 0;
}

/** Under the mutex: the place that an index means, or -1. */
export function placeOf(list: number, index: number): number {
  const length = words[list + RingField.length];
  const place = index < 0 ? index + length : index;
  return place >= 0 && place < length ? place : -1;
}

/** Gives back what a list owns. */
export function destroyRing(list: number): void {
  removeAll(list);
  if (words[list + RingField.items] !== 0) giveBackItems(list);
}

// What a SharedList does in one step: each of these takes the mutex, changes or
// looks, and lets go of it.

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
