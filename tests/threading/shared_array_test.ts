import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  HeapExhaustedError,
  NotSendableError,
} from "../../threading/errors.ts";
import {
  SharedArray,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../threading/shared/numbers.ts";
import { SharedList } from "../../threading/shared/list.ts";
import { Thread } from "../../threading/thread.ts";
import { heapWords } from "./shared_support.ts";
import { double, increment } from "./shared_array_fixture.ts";

const TYPES = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

for (const type of TYPES) {
  Deno.test(`SharedArray holds a ${type.name}`, () => {
    const ctor = type as unknown as TypedArrayConstructor<TypedArray>;
    const isBig = type === BigInt64Array || type === BigUint64Array;
    const values = isBig ? [1n, 2n, 3n] : [1, 2, 3];
    const array = new SharedArray(ctor, 3);
    assert(array.view instanceof type);
    assertEquals(array.length, 3);
    assertEquals([...array.view].map(Number), [0, 0, 0]);
    const filled = new SharedArray(ctor, values);
    assertEquals([...filled.view], values);
    assertEquals(filled.view.byteOffset % 8, 0);
  });
}

Deno.test("SharedArray.view is the shared memory, always the same view", () => {
  const array = new SharedArray(Int32Array, [1, 2]);
  assertStrictEquals(array.view, array.view);
  assert(array.view.buffer instanceof SharedArrayBuffer);
  const view: Int32Array = array.view;
  assertEquals(view.length, 2);
});

Deno.test("SharedArray.view keeps the array, so that its memory stays", () => {
  const view = new SharedArray(Int32Array, 2).view;
  const [key] = Object.getOwnPropertySymbols(view);
  const owner = Reflect.get(view, key) as SharedArray<Int32Array>;
  assertStrictEquals(owner.view, view);
});

Deno.test("SharedArray of length 0", () => {
  const array = new SharedArray(Float64Array, 0);
  assertEquals(array.length, 0);
  assertEquals(array.view.length, 0);
});

Deno.test("SharedArray refuses what is not a typed array's constructor", () => {
  for (const wrong of [Array, DataView, SharedArrayBuffer, 5, undefined]) {
    assertThrows(
      () => new SharedArray(wrong as unknown as typeof Int8Array, 1),
      TypeError,
      "Cannot make a SharedArray",
    );
  }
});

Deno.test("SharedArray refuses a wrong length and changes nothing", () => {
  const before = heapWords();
  for (const wrong of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => new SharedArray(Int8Array, wrong), RangeError);
  }
  for (const wrong of ["1", undefined, 1n]) {
    assertThrows(
      () => new SharedArray(Int8Array, wrong as unknown as number),
      TypeError,
    );
  }
  for (const huge of [2 ** 31, 2 ** 32, 2 ** 40, 2 ** 52]) {
    assertThrows(() => new SharedArray(Float64Array, huge), HeapExhaustedError);
  }
  assertEquals(heapWords(), before);
});

Deno.test("SharedArray is shared with a thread, and back", () => {
  const array = new SharedArray(Float64Array, [1, 2.5]);
  const thread = new Thread({ target: double, args: [array] });
  thread.start();
  assertStrictEquals(thread.joinSync(), array);
  assertEquals([...array.view], [2, 5]);
});

Deno.test("SharedArray.view works with Atomics in several threads", () => {
  const array = new SharedArray(Int32Array, 4);
  const threads = [1, 2, 3].map(() =>
    new Thread({ target: increment, args: [array, 10_000] })
  );
  threads.forEach((thread) => thread.start());
  threads.forEach((thread) => thread.joinSync());
  assertEquals([...array.view], [7500, 7500, 7500, 7500]);
});

Deno.test("SharedArray.view itself is not sent", () => {
  const list = new SharedList<unknown>();
  const array = new SharedArray(Int32Array, 1);
  assertThrows(() => list.push(array.view), NotSendableError, "SharedArray");
});

Deno.test("SharedArray.free() gives the memory back", () => {
  new SharedArray(Int8Array, 1).free();
  const before = heapWords();
  for (let i = 0; i < 1000; i++) new SharedArray(Int32Array, 100_000).free();
  assertEquals(heapWords(), before);
});
