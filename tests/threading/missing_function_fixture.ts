import { isMain } from "../../threading/_memory/heap.ts";
import { sendable } from "../../threading/mod.ts";

/** Marked in the main thread only. */
export const elusive: () => void = isMain
  ? sendable(import.meta, function elusive() {})
  : () => {};
