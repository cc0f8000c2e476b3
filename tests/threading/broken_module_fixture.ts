import { isMain } from "../../threading/_memory/heap.ts";
import { sendable } from "../../threading/mod.ts";

if (!isMain) throw new SyntaxError("this module fails in threads");

export const unreachable = sendable(import.meta, function unreachable() {});
