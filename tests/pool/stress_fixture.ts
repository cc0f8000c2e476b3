import type { Future, ThreadPool } from "../../pool/mod.ts";
import {
  checkCancelled,
  currentThread,
  type Event,
  sendable,
  sleepSync,
} from "../../threading/mod.ts";

export const quick = sendable(import.meta, (n: number) => n + 1);

export const object = sendable(
  import.meta,
  (n: number) => ({ n, list: [n, { n }] }),
);

export const sleepy = sendable(import.meta, (ms: number) => {
  sleepSync(ms);
  return ms;
});

export const awaits = sendable(import.meta, async function awaits(ms: number) {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ms;
});

export const fails = sendable(import.meta, function fails(n: number) {
  throw new RangeError(`failed ${n}`);
});

export const dies = sendable(import.meta, function dies() {
  currentThread().terminate();
});

export const computes = sendable(import.meta, function computes() {
  const end = performance.now() + 20;
  while (performance.now() < end) checkCancelled();
});

export const waits = sendable(import.meta, (event: Event) => {
  event.waitSync({ timeout: 30_000 });
});

export const divides = sendable(
  import.meta,
  function divides(pool: ThreadPool, depth: number): number {
    if (depth === 0) return 1;
    const left = pool.submitNowait(divides, [pool, depth - 1]);
    const right = divides(pool, depth - 1);
    return left.resultSync() + right;
  },
);

export const dividesLater = sendable(
  import.meta,
  async function dividesLater(
    pool: ThreadPool,
    depth: number,
  ): Promise<number> {
    if (depth === 0) return 1;
    const left = await pool.submit(dividesLater, [pool, depth - 1]);
    const right = await dividesLater(pool, depth - 1);
    return await left.result() + right;
  },
);

/** Submits from a thread of its own, and leaves some futures unasked. */
export const submits = sendable(
  import.meta,
  async function submits(pool: ThreadPool, n: number): Promise<number> {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      try {
        const future: Future<number> = i % 2
          ? pool.submitSync(quick, [i])
          : await pool.submit(quick, [i]);
        if (i % 3 === 0) sum += await future.result();
        else if (i % 3 === 1) sum += future.resultSync();
        future.free();
      } catch {
        // The pool was shut down, the task cancelled, or its worker died.
      }
    }
    return sum;
  },
);
