// What the threads of threading.ts run.
import {
  type Condition,
  Event,
  type Lock,
  type RLock,
  type RwLock,
  type Semaphore,
  sendable,
  type SharedArray,
} from "../../threading/mod.ts";
import { pin } from "../_pin.ts";

/** Increments in each of the two threads that are timed. */
export const INCREMENTS = 1_000_000;
/** Increments in each before that. */
export const WARM_INCREMENTS = 500_000;
// A function's best code is only entered when it is called anew: many calls.
const CHUNK = 10_000;
/** Round trips that are timed. */
export const TRIPS = 4000;
const WARM_TRIPS = 400;

/** Words of the array that two threads share; on cache lines of their own. */
export const COUNTER = 0;
/** How many threads have arrived. */
export const ARRIVED = 16;

/** The trivial thread. */
export const nothing = sendable(import.meta, function nothing(): void {});

function increments(lock: Lock, words: Int32Array, times: number): void {
  for (let i = 0; i < times; i++) {
    lock.acquireSync();
    words[COUNTER]++;
    lock.release();
  }
}

/** Increments under a lock; both threads start together. */
export const increment = sendable(
  import.meta,
  function increment(
    me: number,
    lock: Lock,
    shared: SharedArray<Int32Array>,
  ): number {
    pin(me);
    const words = shared.view;
    for (let i = 0; i < WARM_INCREMENTS; i += CHUNK) {
      increments(lock, words, CHUNK);
    }
    Atomics.add(words, ARRIVED, 1);
    while (Atomics.load(words, ARRIVED) < 2);
    const start = performance.now();
    for (let i = 0; i < INCREMENTS; i += CHUNK) increments(lock, words, CHUNK);
    return (performance.now() - start) * 1e6;
  },
);

/** Holds a lock, and waits for another one. */
export const holdAndWait = sendable(
  import.meta,
  function holdAndWait(own: RLock, other: RLock, ready: Event): void {
    own.acquireSync();
    ready.set();
    other.acquireSync();
    other.release();
    own.release();
  },
);

/** How many threads read at once. */
export const READERS = 4;

function reads(lock: RwLock, times: number): void {
  for (let i = 0; i < times; i++) lock.acquireReadSync().release();
}

/** Reads under a lock beside others; all start together. */
export const readTogether = sendable(
  import.meta,
  function readTogether(
    lock: RwLock,
    shared: SharedArray<Int32Array>,
  ): number {
    const words = shared.view;
    for (let i = 0; i < WARM_INCREMENTS; i += CHUNK) reads(lock, CHUNK);
    Atomics.add(words, ARRIVED, 1);
    while (Atomics.load(words, ARRIVED) < READERS);
    const start = performance.now();
    for (let i = 0; i < INCREMENTS; i += CHUNK) reads(lock, CHUNK);
    return (performance.now() - start) * 1e6;
  },
);

/** Times the turns of one of two players. */
function play(me: number, turn: () => void): number {
  pin(me);
  let start = 0;
  for (let i = -WARM_TRIPS; i < TRIPS; i++) {
    if (i === 0) start = performance.now();
    turn();
  }
  return (performance.now() - start) * 1e6;
}

/** Hands a turn to and fro with a condition. */
export const playCondition = sendable(
  import.meta,
  function playCondition(
    me: number,
    condition: Condition,
    shared: SharedArray<Int32Array>,
  ): number {
    const words = shared.view;
    return play(me, () => {
      condition.acquireSync();
      while (words[0] !== me) condition.waitSync();
      words[0] = 1 - me;
      condition.notify();
      condition.release();
    });
  },
);

/** Hands a turn to and fro with an event for each player. */
export const playEvent = sendable(
  import.meta,
  function playEvent(me: number, mine: Event, other: Event): number {
    return play(me, () => {
      mine.waitSync();
      mine.clear();
      other.set();
    });
  },
);

/** Waits until it is cancelled, and says so where it catches that. */
export const catchCancel = sendable(
  import.meta,
  function catchCancel(ready: Event, shared: SharedArray<Int32Array>): void {
    const words = shared.view;
    ready.set();
    try {
      new Event().waitSync();
    } catch {
      Atomics.add(words, 0, 1);
      Atomics.notify(words, 0);
    }
  },
);

/** Hands a turn to and fro with a semaphore for each player. */
export const playSemaphore = sendable(
  import.meta,
  function playSemaphore(
    me: number,
    mine: Semaphore,
    other: Semaphore,
  ): number {
    return play(me, () => {
      mine.acquireSync();
      other.release();
    });
  },
);
