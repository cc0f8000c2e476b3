import { type Future, ThreadPool } from "../../pool/mod.ts";
import {
  currentThread,
  type Event,
  exit,
  Lock,
  sendable,
  type SharedNumber,
  sleepSync,
} from "../../threading/mod.ts";
import { Queue } from "../../queue/mod.ts";

export const add = sendable(import.meta, (a: number, b: number) => a + b);

export const same = sendable(import.meta, (value: unknown) => value);

export const nothing = sendable(import.meta, function nothing() {});

export const boom = sendable(import.meta, function boom() {
  throw new RangeError("boom", { cause: "the cause" });
});

export class Custom extends Error {
  static {
    sendable(import.meta, this);
  }
  override name = "Custom";
  code = 7;
}

export const custom = sendable(import.meta, function custom() {
  throw new Custom("custom");
});

export const boomLater = sendable(
  import.meta,
  async function boomLater() {
    await new Promise((resolve) => setTimeout(resolve, 1));
    throw new RangeError("later");
  },
);

export const later = sendable(
  import.meta,
  async function later<T>(ms: number, value: T): Promise<T> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return value;
  },
);

export const nap = sendable(import.meta, (ms: number) => sleepSync(ms));

export const waitFor = sendable(import.meta, (event: Event) => {
  event.waitSync();
  return currentThread().name;
});

export const count = sendable(
  import.meta,
  (calls: SharedNumber, n = 1) => calls.add(n),
);

export const unsendable = sendable(import.meta, () => () => {});

export const spin = sendable(import.meta, function spin() {
  for (;;);
});

export const kill = sendable(import.meta, function kill() {
  currentThread().terminate();
});

export const leaveDeno = sendable(import.meta, () => Deno.exit(3));

export const leaveThread = sendable(import.meta, () => exit());

export const closeWorker = sendable(import.meta, () => close());

export const stray = sendable(import.meta, function stray() {
  Promise.reject(new Error("stray"));
});

export const strayTimer = sendable(import.meta, async function strayTimer() {
  setTimeout(() => {
    throw new Error("stray timer");
  }, 1);
  await new Promise((resolve) => setTimeout(resolve, 60_000));
});

export const killTwice = sendable(
  import.meta,
  function killTwice(runs: SharedNumber) {
    if (runs.add(1) < 3) currentThread().terminate();
    return runs.value;
  },
);

export const throwCounting = sendable(
  import.meta,
  function throwCounting(runs: SharedNumber) {
    runs.add(1);
    throw new RangeError("thrown");
  },
);

export const holdAndDie = sendable(import.meta, (lock: Lock) => {
  lock.acquireSync();
  currentThread().terminate();
});

export const exhaust = sendable(import.meta, function exhaust() {
  const all: number[][] = [];
  for (;;) all.push(new Array(100_000).fill(Math.random()));
});

export const initialize = sendable(
  import.meta,
  function initialize(calls: SharedNumber, ready: Queue<string>) {
    calls.add(1);
    ready.putSync(currentThread().name);
  },
);

export const badInit = sendable(import.meta, function badInit() {
  throw new RangeError("no init");
});

export const dyingInit = sendable(import.meta, function dyingInit() {
  currentThread().terminate();
});

export const threadName = sendable(import.meta, () => currentThread().name);

/** Submits tasks from a thread, and gives their sum. */
export const submitMany = sendable(
  import.meta,
  async function submitMany(pool: ThreadPool, n: number): Promise<number> {
    const futures: Future<number>[] = [];
    for (let i = 0; i < n; i++) futures.push(await pool.submit(add, [i, 1]));
    let sum = 0;
    for (const future of futures) sum += await future.result();
    return sum;
  },
);

export const submitManySync = sendable(
  import.meta,
  function submitManySync(pool: ThreadPool, n: number): number {
    const futures: Future<number>[] = [];
    for (let i = 0; i < n; i++) futures.push(pool.submitSync(add, [i, 1]));
    return futures.reduce((sum, future) => sum + future.resultSync(), 0);
  },
);

/** Puts what other threads have submitted into a queue's result. */
export const awaitFrom = sendable(
  import.meta,
  function awaitFrom(futures: Queue<Future<number>>): number {
    return futures.getSync().resultSync();
  },
);

export const shares = sendable(import.meta, function shares() {
  const queue = new Queue<number>();
  queue.putSync(42);
  return { lock: new Lock(), queue, list: [queue] };
});

export const openPool = sendable(
  import.meta,
  function openPool(back: Queue<ThreadPool>): number {
    const pool = new ThreadPool({ size: 1, name: "ThePool" });
    back.putSync(pool);
    return pool.runSync(add, [20, 22]);
  },
);

export const large = sendable(
  import.meta,
  (bytes: number) => new Uint8Array(bytes),
);

/** Does not end by itself, and lets its submitter know that it runs. */
export const signalAndSpin = sendable(
  import.meta,
  function signalAndSpin(event: Event) {
    event.set();
    for (;;);
  },
);

export const shutDownInside = sendable(
  import.meta,
  (pool: ThreadPool) => pool.shutdownSync(),
);
