/**
 * A list that threads share.
 *
 * @module
 */

import { checkInteger, checkIterable } from "../../_internal/check.ts";
import { load, words } from "../_memory/heap.ts";
import { counted } from "../_memory/looking.ts";
import {
  addressOf,
  createObject,
  registerClass,
  SharedObject,
} from "../_memory/shared_object.ts";
import {
  ABSENT,
  append,
  clearItems,
  destroyRing,
  insertBefore,
  linkAllInto,
  readAll,
  readAt,
  replaceAt,
  RING_WORDS,
  RingField,
  takeAt,
} from "./list_storage.ts";

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
