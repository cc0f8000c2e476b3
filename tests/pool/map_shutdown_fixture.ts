import type { ThreadPool } from "../../pool/mod.ts";
import { sendable, type SharedNumber } from "../../threading/mod.ts";

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
