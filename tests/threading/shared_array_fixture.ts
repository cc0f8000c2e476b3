import { sendable } from "../../threading/_codec/sendable.ts";
import type { SharedArray } from "../../threading/shared/numbers.ts";

export const double = sendable(
  import.meta,
  function double(array: SharedArray<Float64Array>): SharedArray<Float64Array> {
    for (let i = 0; i < array.length; i++) array.view[i] *= 2;
    return array;
  },
);

export const increment = sendable(
  import.meta,
  function increment(array: SharedArray<Int32Array>, times: number): void {
    for (let i = 0; i < times; i++) Atomics.add(array.view, i & 3, 1);
  },
);
