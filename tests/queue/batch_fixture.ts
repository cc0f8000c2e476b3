import type { Queue } from "../../queue/mod.ts";
import { sendable } from "../../threading/mod.ts";

/** What one of the producers puts; they differ in who made them. */
export interface Made {
  by: number;
  n: number;
  text: string;
}

/** Puts `count` items in batches of every size up to nine. */
export const produceBatches = sendable(
  import.meta,
  function produceBatches(
    queue: Queue<Made | number>,
    by: number,
    count: number,
  ): void {
    for (let n = 0, size = by; n < count; size = size % 9 + 1) {
      const batch: (Made | number)[] = [];
      for (let i = 0; i < size && n < count; i++, n++) {
        // Most fit into the ring, some need a record.
        batch.push({ by, n, text: "spam".repeat(n % 50 === 0 ? 30 : 3) });
      }
      // Numbers travel with them.
      queue.putManySync([-1, ...batch]);
    }
  },
);

/** Gets until the queue ends; returns what came, without the numbers. */
export const consumeBatches = sendable(
  import.meta,
  function consumeBatches(queue: Queue<Made | number>): string[] {
    const got: string[] = [];
    for (const item of queue) {
      if (typeof item === "number") continue;
      if (item.text.length !== (item.n % 50 === 0 ? 120 : 12)) {
        throw new Error(`Cannot go on: received ${JSON.stringify(item)}`);
      }
      got.push(`${item.by} ${item.n}`);
    }
    return got;
  },
);
