// The rows of the threading suite with skein.
// Run: deno run -A threading.ts ROW; prints {"name", "ns"}.
import {
  Condition,
  DeadlockError,
  Event,
  Lock,
  RLock,
  RwLock,
  Semaphore,
  SharedArray,
  SharedMap,
  sleepSync,
  span,
  startTrace,
  Thread,
  threadStates,
} from "../../threading/mod.ts";
import {
  compareExchange,
  load,
  store,
  words as heap,
} from "../../threading/_memory/heap.ts";
import {
  Region,
  Ring,
  ringWords,
  TRACE_REGION,
  TRACING,
} from "../../threading/_memory/trace.ts";
import { main, perCall } from "../_measure.ts";
import * as work from "./threading_workers.ts";

/**
 * Runs two threads, and awaits them: a main thread that blocked would be given a
 * sentinel after a while, whose start would be measured with them.
 */
function both(
  first: Thread<number>,
  second: Thread<number>,
): Promise<[number, number]> {
  first.start();
  second.start();
  return Promise.all([first.join(), second.join()]);
}

function lockPair(): number {
  const lock = new Lock();
  return perCall(20_000, (turns) => {
    for (let i = 0; i < turns; i++) {
      lock.acquireSync();
      lock.release();
    }
  });
}

function lockUsing(): number {
  const lock = new Lock();
  return perCall(20_000, (turns) => {
    for (let i = 0; i < turns; i++) {
      using _ = lock.acquireSync();
    }
  });
}

function rwRead(): number {
  const lock = new RwLock();
  return perCall(20_000, (turns) => {
    for (let i = 0; i < turns; i++) lock.acquireReadSync().release();
  });
}

async function rwReaders(): Promise<number> {
  const lock = new RwLock();
  const words = new SharedArray(Int32Array, 32);
  const threads = Array.from(
    { length: work.READERS },
    () => new Thread({ target: work.readTogether, args: [lock, words] }),
  );
  for (const thread of threads) thread.start();
  const took = await Promise.all(threads.map((thread) => thread.join()));
  return Math.max(...took) / (work.READERS * work.INCREMENTS);
}

/** From the call that closes the circle to its error. */
async function deadlock(): Promise<number> {
  const mine = new RLock().acquireSync();
  const other = new RLock();
  const ready = new Event();
  const thread = new Thread({
    target: work.holdAndWait,
    args: [other, mine, ready],
  });
  thread.start();
  await ready.wait();
  const close = () => {
    try {
      other.acquireSync();
    } catch (error) {
      if (error instanceof DeadlockError) return;
      throw error;
    }
    throw new Error("Cannot measure: no deadlock, received a lock");
  };
  // Until the other one sleeps.
  while (threadStates()[1].waitsFor !== mine);
  const took = perCall(20, (turns) => {
    for (let i = 0; i < turns; i++) close();
  });
  mine.release();
  await thread.join();
  return took;
}

async function increment(): Promise<number> {
  const { increment: target, COUNTER, INCREMENTS, WARM_INCREMENTS } = work;
  const lock = new Lock();
  const words = new SharedArray(Int32Array, 32);
  const took = await both(
    new Thread({ target, args: [0, lock, words] }),
    new Thread({ target, args: [1, lock, words] }),
  );
  const count = words.view[COUNTER];
  if (count !== 2 * (INCREMENTS + WARM_INCREMENTS)) {
    throw new Error(`Cannot measure: increments lost, received ${count}`);
  }
  return Math.max(...took) / (2 * INCREMENTS);
}

function startAndJoin(): void {
  const thread = new Thread({ target: work.nothing });
  thread.start();
  thread.joinSync();
}

function startJoin(): number {
  return perCall(10, (turns) => {
    for (let i = 0; i < turns; i++) startAndJoin();
  });
}

const KEYS = Array.from({ length: 64 }, (_, i) => `key${i}`);

function aMap() {
  const map = new SharedMap<string, number>();
  for (const [i, key] of KEYS.entries()) map.set(key, i);
  return map;
}

function mapGet(): number {
  const map = aMap();
  let sum = 0;
  const ns = perCall(5000, (turns) => {
    for (let i = 0; i < turns; i++) sum += map.get(KEYS[i & 63])!;
  });
  if (sum === 0) throw new Error(`Cannot measure: nothing got, received 0`);
  return ns;
}

function mapSet(): number {
  const map = aMap();
  return perCall(5000, (turns) => {
    for (let i = 0; i < turns; i++) map.set(KEYS[i & 63], i);
  });
}

async function condition(): Promise<number> {
  const args = [new Condition(), new SharedArray(Int32Array, 1)] as const;
  const target = work.playCondition;
  const [took] = await both(
    new Thread({ target, args: [0, ...args] }),
    new Thread({ target, args: [1, ...args] }),
  );
  return took / work.TRIPS;
}

async function event(): Promise<number> {
  const [mine, other] = [new Event(), new Event()];
  mine.set();
  const target = work.playEvent;
  const [took] = await both(
    new Thread({ target, args: [0, mine, other] }),
    new Thread({ target, args: [1, other, mine] }),
  );
  return took / work.TRIPS;
}

/** From the call of `cancel` until the `catch` of the blocked thread answers. */
function cancel(): number {
  const ready = new Event();
  const shared = new SharedArray(Int32Array, 1);
  const words = shared.view;
  const took: number[] = [];
  for (let turn = -50; turn < 400; turn++) {
    const thread = new Thread({
      target: work.catchCancel,
      args: [ready, shared],
    });
    thread.start();
    ready.waitSync();
    ready.clear();
    // It has said so before it blocks.
    sleepSync(1);
    const before = Atomics.load(words, 0);
    const start = performance.now();
    thread.cancel();
    Atomics.wait(words, 0, before);
    if (turn >= 0) took.push(performance.now() - start);
    thread.joinSync();
  }
  return took.sort((a, b) => a - b)[took.length >> 1] * 1e6;
}

async function semaphore(): Promise<number> {
  const [mine, other] = [new Semaphore(1), new Semaphore(0)];
  const target = work.playSemaphore;
  const [took] = await both(
    new Thread({ target, args: [0, mine, other] }),
    new Thread({ target, args: [1, other, mine] }),
  );
  return took / work.TRIPS;
}

/**
 * What the look at the trace costs a lock that is free: its fast path with the
 * look, less the same without, turn by turn.
 */
function traceOff(): number {
  const word = new SharedArray(Int32Array, 1).view.byteOffset >> 2;
  const looking = (turns: number) => {
    for (let i = 0; i < turns; i++) {
      if (heap[TRACING] !== 0) throw new Error("Cannot measure: traced");
      if (compareExchange(word, 0, 1) === 0) store(word, 0);
    }
  };
  const blind = (turns: number) => {
    for (let i = 0; i < turns; i++) {
      if (compareExchange(word, 0, 1) === 0) store(word, 0);
    }
  };
  const differences = Array.from(
    { length: 5 },
    () => perCall(20_000, looking) - perCall(20_000, blind),
  );
  // What is nothing within the noise is told as next to nothing.
  return Math.max(0.01, differences.sort((a, b) => a - b)[2]);
}

/** Waits until what was recorded has been written, but for these waits. */
function awaitWriter(): void {
  const region = heap[TRACE_REGION];
  const words = ringWords(heap[region + Region.cells]);
  const isWritten = (i: number) => {
    const ring = region + Region.first + i * words;
    return (load(ring + Ring.head) - load(ring + Ring.tail) | 0) < 100;
  };
  for (let i = 0; i < heap[region + Region.rings]; i++) {
    while (!isWritten(i)) sleepSync(5);
  }
}

/** A call that is traced, at a pace at which nothing is left out. */
function traced(call: () => void): number {
  const path = Deno.makeTempFileSync({ suffix: ".json" });
  const burst = (turns: number) => {
    const start = performance.now();
    for (let i = 0; i < turns; i++) call();
    return (performance.now() - start) * 1e6 / turns;
  };
  const trace = startTrace({ path });
  const took: number[] = [];
  for (let run = -20; run < 51; run++) {
    awaitWriter();
    const ns = burst(1000);
    if (run >= 0) took.push(ns);
  }
  const { lost } = trace.stop();
  Deno.removeSync(path);
  if (lost > 0) {
    throw new Error(`Cannot measure: events left out, received ${lost}`);
  }
  return took.sort((a, b) => a - b)[took.length >> 1];
}

/** One of the two events of a hold: that the lock was taken, or released. */
function traceLock(): number {
  const lock = new Lock();
  return traced(() => {
    lock.acquireSync();
    lock.release();
  }) / 2;
}

/** One of the two moments of a span: its beginning, or its end. */
function traceSpan(): number {
  const nothing = () => {};
  return traced(() => span("nothing", nothing)) / 2;
}

if (import.meta.main) {
  await main({
    "lock-pair": lockPair,
    "lock-using": lockUsing,
    "deadlock": deadlock,
    "rw-read": rwRead,
    "rw-readers": rwReaders,
    "increment": increment,
    "start-join": startJoin,
    "map-get": mapGet,
    "map-set": mapSet,
    condition,
    event,
    cancel,
    semaphore,
    "trace-off": traceOff,
    "trace-lock": traceLock,
    "trace-span": traceSpan,
  });
}
