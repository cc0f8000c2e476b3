import { currentTask, type Future, type ThreadPool } from "../../pool/mod.ts";
import {
  checkCancelled,
  type Event,
  type Lock,
  RLock,
  sendable,
  type SharedNumber,
  sleepSync,
} from "../../threading/mod.ts";
import type { Queue } from "../../queue/mod.ts";

export const depthSync = sendable(
  import.meta,
  function depthSync(pool: ThreadPool, n: number): number {
    if (n === 0) return 0;
    return 1 + pool.submitNowait(depthSync, [pool, n - 1]).resultSync();
  },
);

export const depthRunSync = sendable(
  import.meta,
  function depthRunSync(pool: ThreadPool, n: number): number {
    return n === 0 ? 0 : 1 + pool.runSync(depthRunSync, [pool, n - 1]);
  },
);

export const depth = sendable(
  import.meta,
  async function depth(pool: ThreadPool, n: number): Promise<number> {
    if (n === 0) return 0;
    return 1 + await pool.submitNowait(depth, [pool, n - 1]).result();
  },
);

export const fib = sendable(
  import.meta,
  function fib(pool: ThreadPool, n: number, level: number): number {
    if (level === 0) return plainFib(n);
    const first = pool.submitNowait(fib, [pool, n - 1, level - 1]);
    const second = fib(pool, n - 2, level - 1);
    return first.resultSync() + second;
  },
);

export function plainFib(n: number): number {
  return n < 2 ? n : plainFib(n - 1) + plainFib(n - 2);
}

export const quicksort = sendable(
  import.meta,
  async function quicksort(
    pool: ThreadPool,
    items: number[],
  ): Promise<number[]> {
    if (items.length <= 10) return items.sort((a, b) => a - b);
    const [pivot, ...rest] = items;
    const low = await pool.submit(quicksort, [
      pool,
      rest.filter((n) => n < pivot),
    ]);
    const high = await quicksort(pool, rest.filter((n) => n >= pivot));
    return [...await low.result(), pivot, ...high];
  },
);

const lock = new RLock();

export const ownsLock = sendable(
  import.meta,
  (mine: RLock) => [mine.owned(), mine.acquireNowait() !== undefined],
);

/** Whether a helped task owns the RLock of the one that helps. */
export const waitWithLock = sendable(
  import.meta,
  function waitWithLock(pool: ThreadPool): unknown {
    using _ = lock.acquireSync();
    const inner = pool.runSync(ownsLock, [lock]);
    return [inner, lock.owned()];
  },
);

export const note = sendable(
  import.meta,
  (order: Queue<string>, name: string) => order.putSync(name),
);

/** A stranger is pending while this one waits for its own task. */
export const waitForOwn = sendable(
  import.meta,
  function waitForOwn(
    pool: ThreadPool,
    order: Queue<string>,
    go: Event,
  ): void {
    go.waitSync();
    const own = pool.submitNowait(note, [order, "own"]);
    own.resultSync();
    order.putSync("waiter");
  },
);

export const asyncOwn = sendable(import.meta, async function asyncOwn() {
  await Promise.resolve();
});

export const waitForAsync = sendable(
  import.meta,
  (pool: ThreadPool) => pool.submitNowait(asyncOwn).resultSync(),
);

export const fillAndRun = sendable(
  import.meta,
  function fillAndRun(pool: ThreadPool, count: SharedNumber): number {
    const futures: Future<number>[] = [];
    for (let i = 0; i < 10; i++) {
      futures.push(pool.submitSync(bump, [count]));
    }
    return futures.reduce((sum, future) => sum + future.resultSync(), 0);
  },
);

export const bump = sendable(
  import.meta,
  (count: SharedNumber) => count.add(1),
);

export const computeUntilCancelled = sendable(
  import.meta,
  function computeUntilCancelled(begun?: Event): void {
    begun?.set();
    for (;;) checkCancelled();
  },
);

export const acquire = sendable(
  import.meta,
  function acquire(lock: Lock, begun: Event): void {
    begun.set();
    lock.acquireSync();
  },
);

export const awaitSignal = sendable(
  import.meta,
  async function awaitSignal(begun: Event): Promise<string> {
    const { signal } = currentTask()!;
    begun.set();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return `cleaned up: ${signal.reason.message}`;
  },
);

export const sleepLong = sendable(import.meta, function sleepLong() {
  sleepSync(60_000);
});

export const spinForEver = sendable(
  import.meta,
  function spinForEver(begun?: Event) {
    begun?.set();
    for (;;);
  },
);

/** Cancelled while it helps: the helped task goes on. */
export const cancelledHelper = sendable(
  import.meta,
  function cancelledHelper(
    pool: ThreadPool,
    begun: Event,
    go: Event,
    done: SharedNumber,
  ): void {
    pool.runSync(helpedSlowly, [begun, go, done]);
    checkCancelled();
  },
);

export const helpedSlowly = sendable(
  import.meta,
  function helpedSlowly(begun: Event, go: Event, done: SharedNumber): void {
    begun.set();
    go.waitSync();
    checkCancelled();
    done.value = 1;
  },
);
