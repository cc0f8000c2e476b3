import type { ThreadPool } from "../../pool/mod.ts";
import {
  type Event,
  sendable,
  type SharedNumber,
} from "../../threading/mod.ts";
import { spin, spinLater } from "./map_fixture.ts";

export const same = sendable(import.meta, (n: number) => n);

export { spin, spinLater };

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
