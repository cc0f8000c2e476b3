import type { ThreadPool } from "../../pool/mod.ts";
import {
  type Event,
  sendable,
  type SharedNumber,
} from "../../threading/mod.ts";

export const same = sendable(import.meta, (n: number) => n);

/** Keeps its thread busy, and gives back the milliseconds. */
export const spin = sendable(import.meta, function spin(ms: number): number {
  const end = performance.now() + ms;
  while (performance.now() < end);
  return ms;
});

/** The same, in the event loop from the second item on. */
export const spinLater = sendable(
  import.meta,
  (ms: number): number | Promise<number> =>
    ms === 0 ? 0 : Promise.resolve(ms).then(spin),
);

/** Counts its calls, and keeps its thread busy. */
export const count = sendable(
  import.meta,
  ([begun, ms]: readonly [SharedNumber, number]): number => {
    begun.add(1);
    return spin(ms);
  },
);

/** Maps over quick and slow items, in a thread of its own. */
export const maps = sendable(
  import.meta,
  function maps(pool: ThreadPool, count: number): void {
    for (const ms of [0, 2]) {
      for (const _ of pool.mapSync(spin, new Array(count).fill(ms)));
    }
  },
);

/** Maps over quick and slow items in a task of the same pool. */
export const mapsWithin = sendable(
  import.meta,
  async function mapsWithin(
    pool: ThreadPool,
    blocks: boolean,
    ready: Event,
  ): Promise<number[]> {
    for (const _ of pool.mapSync(spin, new Array(5000).fill(0)));
    // Of an iterator nobody knows how many items are left: one task has all.
    const items = Array.from({ length: 40 }, (_, i) => 2 + i / 1000).values();
    const seen: number[] = [];
    const see = (ms: number) => {
      if (seen.push(ms) === 1) ready.set();
    };
    if (blocks) { for (const ms of pool.mapSync(spin, items)) see(ms); }
    else for await (const ms of pool.map(spin, items)) see(ms);
    return seen;
  },
);
