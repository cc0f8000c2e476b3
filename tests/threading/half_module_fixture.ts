import { isMain } from "../../threading/_memory/heap.ts";
import { sendable } from "../../threading/mod.ts";

export const half = sendable(import.meta, function half() {
  return "ran";
});

if (!isMain) throw new SyntaxError("this module fails behind its mark");
