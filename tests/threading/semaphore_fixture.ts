import {
  type Event,
  type Semaphore,
  sendable,
  type SharedNumber,
} from "../../threading/mod.ts";
import { randomFrom } from "./shared_support.ts";

/** Waits for two permits in a task and then blocks for one; in which order? */
export const blockBehindMany = sendable(
  import.meta,
  async function blockBehindMany(semaphore: Semaphore, waits: Event) {
    const order: string[] = [];
    const task = semaphore.acquireMany(2).then((permits) => {
      order.push("task");
      permits.release();
    });
    waits.set();
    const permits = semaphore.acquireManySync(1);
    order.push("blocked");
    permits.release();
    await task;
    return order;
  },
);

/** Takes up to five permits in either form; never are more than five out. */
export const mixMany = sendable(
  import.meta,
  async function mixMany(
    semaphore: Semaphore,
    used: SharedNumber,
    seed: number,
    times: number,
  ) {
    const random = randomFrom(seed);
    for (let i = 0; i < times; i++) {
      const n = 1 + random(5);
      const timeout = random(4) === 0 ? (1 + random(8)) / 10 : undefined;
      try {
        using _ = random(2) === 0
          ? semaphore.acquireManySync(n, { timeout })
          : await semaphore.acquireMany(n, { timeout });
        const out = used.add(n);
        used.add(-n);
        if (out > 5) throw new Error(`${out} are out`);
      } catch (error) {
        if ((error as Error).name !== "TimeoutError") throw error;
      }
    }
  },
);
