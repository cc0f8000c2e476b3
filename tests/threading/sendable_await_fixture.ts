// Imported by sendable_test.ts only; cannot be loaded without waiting.
import { sendable } from "../../threading/_codec/sendable.ts";

await new Promise((resolve) => setTimeout(resolve, 1));

export const slow = sendable(import.meta, function slow() {
  return "slow";
});
