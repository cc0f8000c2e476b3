// The threads of the queue suite. Consumers return nanoseconds an item.
import type { Queue, SynchronousQueue } from "../../queue/mod.ts";
import { sendable } from "../../threading/mod.ts";

/**
 * So many items each thread handles first: the compiler's threads are slow while
 * the cores are busy with these.
 */
export const WARM = 300_000;
export const BATCH = 64;
export const TRIPS = 5000;
const WARM_TRIPS = 2000;

/** What is put: a number, a small object or 64 KiB. */
export function itemOf(kind: string): unknown {
  if (kind === "object") {
    return { id: 7, name: "spam", priority: 3, tags: ["a", "b"] };
  }
  return kind === "bytes" ? new Uint8Array(65_536) : 7;
}

export const produce = sendable(
  import.meta,
  function produce(queue: Queue<unknown>, kind: string, count: number): void {
    const item = itemOf(kind);
    for (let i = 0; i < count; i++) queue.putSync(item);
  },
);

export const consume = sendable(
  import.meta,
  function consume(
    queue: Queue<unknown>,
    warm: number,
    count: number,
  ): number {
    for (let i = 0; i < warm; i++) queue.getSync();
    const start = performance.now();
    for (let i = 0; i < count; i++) queue.getSync();
    return (performance.now() - start) * 1e6 / count;
  },
);

export const produceMany = sendable(
  import.meta,
  function produceMany(queue: Queue<number>, count: number): void {
    const items = Array.from({ length: BATCH }, (_, i) => i);
    for (let i = 0; i < count; i += BATCH) queue.putManySync(items);
  },
);

export const consumeMany = sendable(
  import.meta,
  function consumeMany(
    queue: Queue<number>,
    warm: number,
    count: number,
  ): number {
    for (let i = 0; i < warm;) i += queue.getManySync(BATCH).length;
    const start = performance.now();
    for (let i = 0; i < count;) i += queue.getManySync(BATCH).length;
    return (performance.now() - start) * 1e6 / count;
  },
);

export const play = sendable(
  import.meta,
  function play(
    me: number,
    mine: Queue<number> | SynchronousQueue<number>,
    other: Queue<number> | SynchronousQueue<number>,
  ): number {
    let start = 0;
    for (let i = -WARM_TRIPS; i < TRIPS; i++) {
      if (i === 0) start = performance.now();
      if (me === 0) other.putSync(i);
      mine.getSync();
      if (me === 1) other.putSync(i);
    }
    return (performance.now() - start) * 1e6 / TRIPS;
  },
);
