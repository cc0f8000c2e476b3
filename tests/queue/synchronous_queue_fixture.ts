import type { SynchronousQueue } from "../../queue/mod.ts";
import {
  type Event,
  sendable,
  type SharedNumber,
} from "../../threading/mod.ts";

/** What is handed over; large enough to need a record. */
export interface Job {
  n: number;
  text?: string;
}

/** Puts jobs with these numbers. */
export const putAll = sendable(
  import.meta,
  async function putAll(
    queue: SynchronousQueue<Job>,
    first: number,
    count: number,
    tasks: number,
  ): Promise<void> {
    const text = "x".repeat(80);
    if (tasks === 0) {
      for (let n = first; n < first + count; n++) queue.putSync({ n, text });
      return;
    }
    let next = first;
    await Promise.all(Array.from({ length: tasks }, async () => {
      while (next < first + count) await queue.put({ n: next++, text });
    }));
  },
);

/** Gets until the end. */
export const getAll = sendable(
  import.meta,
  async function getAll(
    queue: SynchronousQueue<Job>,
    tasks: number,
  ): Promise<number[]> {
    const got: number[] = [];
    if (tasks === 0) {
      for (const { n } of queue) got.push(n);
      return got;
    }
    await Promise.all(Array.from({ length: tasks }, async () => {
      for await (const { n } of queue) got.push(n);
    }));
    return got;
  },
);

/** Puts one item in the blocking form. */
export const putOne = sendable(
  import.meta,
  function putOne(queue: SynchronousQueue<Job>, n: number): void {
    queue.putSync({ n });
  },
);

/** Gets one item in the blocking form. */
export const getOne = sendable(
  import.meta,
  function getOne(queue: SynchronousQueue<Job>): number {
    return queue.getSync().n;
  },
);

/** Waits with two tasks, and does not return to the event loop. */
export const stall = sendable(
  import.meta,
  async function stall(
    queue: SynchronousQueue<Job>,
    waiting: Event,
    end: SharedNumber,
  ): Promise<void> {
    const gets = [queue.get(), queue.get()];
    waiting.set();
    while (end.value === 0);
    await Promise.all(gets);
  },
);
