// Imported by sendable_test.ts only through `decode`.
import { sendable } from "../../threading/_codec/sendable.ts";

export class Late {
  static {
    sendable(import.meta, this);
  }
  value = 1;
}

(globalThis as { lateModules?: number }).lateModules =
  ((globalThis as { lateModules?: number }).lateModules ?? 0) + 1;
