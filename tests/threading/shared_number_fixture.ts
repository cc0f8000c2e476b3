import { sendable } from "../../threading/_codec/sendable.ts";
import type { SharedNumber } from "../../threading/shared/numbers.ts";

export const addMany = sendable(
  import.meta,
  function addMany(number: SharedNumber, times: number, n: number): void {
    for (let i = 0; i < times; i++) number.add(n);
  },
);
