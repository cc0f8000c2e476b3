import type { Future, ThreadPool } from "../../pool/mod.ts";
import {
  type Event,
  sendable,
  type SharedNumber,
} from "../../threading/mod.ts";

export const nothing = sendable(import.meta, function nothing() {});

export const waitFor = sendable(import.meta, (event: Event) => {
  event.waitSync();
});

export const count = sendable(
  import.meta,
  (calls: SharedNumber) => calls.add(1),
);

/** Submits from a thread of its own. */
export const submitSome = sendable(
  import.meta,
  function submitSome(
    pool: ThreadPool,
    n: number,
    calls: SharedNumber,
  ): Future<number>[] {
    return Array.from({ length: n }, () => pool.submitNowait(count, [calls]));
  },
);

export const submitUntil = sendable(
  import.meta,
  function submitUntil(pool: ThreadPool, end: Event): void {
    while (!end.isSet()) pool.submitSync(nothing).free();
  },
);

/** Submits tasks from a task, and leaves them to themselves. */
export const spread = sendable(
  import.meta,
  function spread(pool: ThreadPool, n: number, calls: SharedNumber): void {
    for (let i = 0; i < n; i++) pool.submitNowait(count, [calls]).free();
  },
);
