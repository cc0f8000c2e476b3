/**
 * Numbers that threads share: a single one, and typed arrays of them.
 *
 * @module
 */

import { shown } from "../../_internal/check.ts";
import {
  addDouble,
  Field,
  loadDouble,
  memory,
  storeDouble,
  words,
} from "../_memory/heap.ts";
import { registerClass } from "../_memory/shared_class.ts";
import {
  addressOf,
  createObject,
  SharedObject,
} from "../_memory/shared_object.ts";
import { VIEWS } from "../_codec/format.ts";

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
    const address = createObject(NUMBER_KIND, NUMBER_WORDS);
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

const NUMBER_KIND = registerClass(import.meta, {
  constructor: SharedNumber,
  look: (number) => [String(loadDouble(number + VALUE))],
});

// A typed array that threads share.

/** A typed array on memory that may be shared. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float16Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/**
 * The constructor of a typed array, such as `Float64Array`.
 *
 * @typeParam T The typed array.
 */
export interface TypedArrayConstructor<T extends TypedArray> {
  /** What its instances inherit from. */
  readonly prototype: T;
  /** The size of an element. */
  readonly BYTES_PER_ELEMENT: number;
}

const ArrayField = {
  /** Number of elements, unsigned. */
  length: Field.own,
  /** Place of the constructor in `VIEWS`. */
  type: Field.own + 1,
  /** The elements: at an even word, so 8-byte aligned. */
  elements: Field.own + 2,
} as const;

const MAKE = "make a SharedArray";
const VIEW: unique symbol = Symbol("view");
/** On the view: the array whose memory it shows. */
const OWNER: unique symbol = Symbol("owner");

/**
 * A typed array whose elements lie on the shared heap: every thread reads and
 * writes the same memory, with no copy in between.
 *
 * {@linkcode view} is that memory as an ordinary typed array. Elements are not
 * guarded: use `Atomics` on an integer view, or a `Lock`, where threads write
 * what others read.
 *
 * The memory lives for as long as this object or its `view` is in use. What is
 * derived from the view, by `subarray` or from its `buffer`, does not keep it:
 * hold on to the SharedArray meanwhile. After `free()` neither may be used any
 * more, since the memory may belong to something else by then.
 *
 * @typeParam T The typed array.
 *
 * @example
 * ```ts
 * import { SharedArray } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const samples = new SharedArray(Float64Array, 3);
 * samples.view[0] = 0.5;
 * assertEquals([...samples.view], [0.5, 0, 0]);
 * ```
 *
 * @example Begin with values
 * ```ts
 * import { SharedArray } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const primes = new SharedArray(Int32Array, [2, 3, 5, 7]);
 * assertEquals(primes.length, 4);
 * ```
 */
export class SharedArray<T extends TypedArray = TypedArray>
  extends SharedObject {
  /** @ignore */
  declare [VIEW]: T | undefined;

  /**
   * Makes an array.
   *
   * @param type The typed array's constructor, such as `Float64Array`.
   * @param lengthOrValues How many elements, all 0, or what they are at first.
   * @throws {TypeError} If the type is not the constructor of a typed array, or
   * the length is not a number.
   * @throws {RangeError} If the length is not an integer from 0.
   * @throws {HeapExhaustedError} If the shared heap has not so much room.
   */
  constructor(
    type: TypedArrayConstructor<T>,
    lengthOrValues: number | Iterable<T[number]>,
  ) {
    const index = VIEWS.indexOf(type as unknown as typeof VIEWS[number]);
    if (index < 0 || VIEWS[index] === DataView) {
      throw new TypeError(
        `Cannot ${MAKE}: the type must be the constructor of a typed array, received ${
          describe(type)
        }`,
      );
    }
    const values = typeof lengthOrValues === "object"
      ? [...lengthOrValues]
      : undefined;
    const length = values?.length ?? lengthOrValues as number;
    checkLength(length);
    const size = Math.ceil(length * type.BYTES_PER_ELEMENT / 4);
    const address = createObject(ARRAY_KIND, ArrayField.elements + size);
    words[address + ArrayField.length] = length;
    words[address + ArrayField.type] = index;
    super(address);
    values?.forEach((value, i) => this.view[i] = value);
  }

  /**
   * The number of elements; it never changes.
   *
   * @returns The number of elements.
   *
   * @example
   * ```ts
   * import { SharedArray } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new SharedArray(Uint8Array, 8).length, 8);
   * ```
   */
  get length(): number {
    return words[addressOf(this) + ArrayField.length] >>> 0;
  }

  /**
   * The elements: a typed array on the shared memory itself, always the same
   * one.
   *
   * @returns The typed array.
   *
   * @example
   * ```ts
   * import { SharedArray } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const flags = new SharedArray(Int32Array, 4);
   * Atomics.store(flags.view, 2, 1);
   * assertEquals(flags.view[2], 1);
   * ```
   */
  get view(): T {
    const address = addressOf(this);
    return this[VIEW] ??= createView<T>(this, address);
  }
}

function createView<T extends TypedArray>(
  owner: SharedArray<T>,
  address: number,
): T {
  const type = VIEWS[words[address + ArrayField.type]] as unknown as new (
    buffer: ArrayBufferLike,
    start: number,
    length: number,
  ) => T;
  const start = (address + ArrayField.elements) * 4;
  const view = new type(memory.buffer, start, owner.length);
  Object.defineProperty(view, OWNER, { value: owner });
  return view;
}

function checkLength(length: unknown): asserts length is number {
  if (typeof length !== "number") {
    throw new TypeError(
      `Cannot ${MAKE}: it takes a length or the values, received ${
        describe(length)
      }`,
    );
  }
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new RangeError(
      `Cannot ${MAKE}: the length must be an integer from 0, received ${length}`,
    );
  }
}

function describe(value: unknown): string {
  return typeof value === "function" ? value.name : String(value);
}

const ARRAY_KIND = registerClass(import.meta, {
  constructor: SharedArray,
  look(array) {
    const { name } = VIEWS[words[array + ArrayField.type]] ?? {};
    return [`${name} of ${words[array + ArrayField.length] >>> 0}`];
  },
});
