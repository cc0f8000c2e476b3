/**
 * A number that threads share.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import { addDouble, Field, loadDouble, storeDouble } from "./_memory/heap.ts";
import {
  addressOf,
  createObject,
  registerClass,
  SharedObject,
} from "./_memory/shared_object.ts";

/** The double: at an even word, as atomic operations need it. */
const VALUE = Field.own;
const NUMBER_WORDS = Field.own + 2;

/**
 * A number that every thread sees and may change.
 *
 * Reading, writing and {@linkcode add} are each one indivisible step. What
 * takes several, such as reading it and writing what follows from it, needs a
 * `Lock` around it.
 *
 * @example Count from several tasks or threads
 * ```ts
 * import { SharedNumber } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const counter = new SharedNumber();
 * counter.add();
 * assertEquals(counter.add(2), 3);
 * assertEquals(counter.value, 3);
 * ```
 */
export class SharedNumber extends SharedObject {
  /**
   * Makes a shared number.
   *
   * @param value What it is at first.
   * @throws {TypeError} If that is not a number.
   * @throws {HeapExhaustedError} If the shared heap is full.
   */
  constructor(value = 0) {
    checkNumber(value, "make a SharedNumber");
    const address = createObject(KIND, NUMBER_WORDS);
    storeDouble(address + VALUE, value);
    super(address);
  }

  /**
   * The number, as it is now.
   *
   * @returns The number.
   *
   * @example
   * ```ts
   * import { SharedNumber } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const number = new SharedNumber(1);
   * number.value = 0.5;
   * assertEquals(number.value, 0.5);
   * ```
   */
  get value(): number {
    return loadDouble(addressOf(this) + VALUE);
  }

  /**
   * Makes it another number.
   *
   * @param value The number.
   * @throws {TypeError} If it is not a number.
   */
  set value(value: number) {
    checkNumber(value, "set a SharedNumber");
    storeDouble(addressOf(this) + VALUE, value);
  }

  /**
   * Adds to it in one step: additions of several threads are never lost.
   *
   * @param n How much.
   * @returns The sum.
   * @throws {TypeError} If `n` is not a number.
   *
   * @example
   * ```ts
   * import { SharedNumber } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const number = new SharedNumber(40);
   * assertEquals(number.add(2), 42);
   * assertEquals(number.add(-2), 40);
   * ```
   */
  add(n = 1): number {
    checkNumber(n, "add to a SharedNumber");
    return addDouble(addressOf(this) + VALUE, n);
  }
}

function checkNumber(value: unknown, what: string): void {
  if (typeof value === "number") return;
  throw new TypeError(
    `Cannot ${what}: it takes a number, received ${shown(value)}`,
  );
}

const KIND = registerClass(import.meta, { constructor: SharedNumber });
