import { delay } from "@std/async";
import {
  type Barrier,
  type Condition,
  DeadlockError,
  type Event,
  type InterpreterLock,
  type Lock,
  type RLock,
  type RwLock,
  sendable,
  type SharedArray,
  type SharedMap,
  sleepSync,
  type Thread,
} from "../../threading/mod.ts";
import { runSync } from "../../process/mod.ts";
import { randomFrom } from "./shared_support.ts";

/** What a wait that must end said: `""`, or the message of a DeadlockError. */
export function attempt(wait: () => void): string {
  try {
    wait();
    return "";
  } catch (error) {
    if (error instanceof DeadlockError) return error.message;
    throw error;
  }
}

type Takeable = Lock | RLock | InterpreterLock;

/** Takes its lock, and when all have theirs the next one's. */
export const takeNext = sendable(
  import.meta,
  function takeNext(own: Takeable, next: Takeable, all: Barrier) {
    using _ = own.acquireSync();
    all.waitSync();
    return attempt(() => {
      next.acquireSync();
      next.release();
    });
  },
);

/** Takes its lock, and when all have theirs joins a thread. */
export const takeAndJoin = sendable(
  import.meta,
  function takeAndJoin(own: Takeable, thread: Thread, all: Barrier) {
    using _ = own.acquireSync();
    all.waitSync();
    return attempt(() => thread.joinSync());
  },
);

/** Waits for a lock when all have theirs. */
export const take = sendable(
  import.meta,
  function take(lock: Takeable, all: Barrier) {
    all.waitSync();
    return attempt(() => {
      lock.acquireSync();
      lock.release();
    });
  },
);

/** Has a lock, and waits at a condition without one of its own. */
export const waitHolding = sendable(
  import.meta,
  function waitHolding(own: RLock, condition: Condition, waits: Event) {
    using _ = own.acquireSync();
    return attempt(() => {
      condition.acquireSync();
      waits.set();
      condition.waitSync();
      condition.release();
    });
  },
);

/** Wakes who waits at a condition, and keeps its lock while it takes another. */
export const notifyHolding = sendable(
  import.meta,
  function notifyHolding(other: RLock, condition: Condition) {
    using _ = condition.acquireSync();
    condition.notify();
    return attempt(() => {
      other.acquireSync();
      other.release();
    });
  },
);

/** Each has the lock for reading and wants it for writing. */
export const upgrade = sendable(
  import.meta,
  function upgrade(own: RwLock, other: RwLock, all: Barrier) {
    using _ = own.acquireReadSync();
    all.waitSync();
    return attempt(() => other.acquireWriteSync().release());
  },
);

/** Reads again while a writer waits for it. */
export const readAgain = sendable(
  import.meta,
  function readAgain(lock: RwLock, all: Barrier) {
    using _ = lock.acquireReadSync();
    all.waitSync();
    while (true) {
      using reader = lock.acquireReadNowait();
      if (reader === undefined) break;
      sleepSync(1);
    }
    return attempt(() => lock.acquireReadSync().release());
  },
);

/** Waits to write. */
export const write = sendable(
  import.meta,
  function write(lock: RwLock, all: Barrier) {
    all.waitSync();
    return attempt(() => lock.acquireWriteSync().release());
  },
);

/** Makes the value of a key out of that of another one. */
export const makeOf = sendable(
  import.meta,
  function makeOf(
    map: SharedMap<string, string>,
    key: string,
    other: string,
    all: Barrier,
  ) {
    return map.getOrCreateSync(key, () => {
      all.waitSync();
      return attempt(() => map.getOrCreateSync(other, () => "made"));
    });
  },
);

/** Holds a lock in a task that will release it, and waits for another one. */
export const awaitNext = sendable(
  import.meta,
  async function awaitNext(
    own: Lock | RLock,
    next: Lock | RLock,
    all: Barrier,
  ) {
    await own.acquire();
    const released = delay(50).then(() => own.release());
    await all.wait();
    await next.acquire();
    next.release();
    await released;
    return "";
  },
);

/** Holds a lock in a task, and blocks with a timeout for another one. */
export const blockForAWhile = sendable(
  import.meta,
  async function blockForAWhile(own: Takeable, next: Takeable, all: Barrier) {
    await all.wait();
    own.acquireSync();
    await all.wait();
    const message = attempt(() => {
      try {
        next.acquireSync({ timeout: 100 });
        next.release();
      } catch (error) {
        if ((error as Error).name !== "TimeoutError") throw error;
      }
    });
    own.release();
    return message;
  },
);

/** Releases a lock that others took, as a signal. */
export const signalLater = sendable(
  import.meta,
  function signalLater(ms: number, ...locks: Lock[]) {
    sleepSync(ms);
    for (const lock of locks) lock.release();
  },
);

/** Waits for its turn and gives the turn to the other one. */
export const pingPong = sendable(
  import.meta,
  function pingPong(mine: Lock, others: Lock, times: number) {
    return attempt(() => {
      for (let i = 0; i < times; i++) {
        mine.acquireSync();
        others.release();
      }
    });
  },
);

/** Waits for an event, or for one that is never set. */
export const waitForEvent = sendable(
  import.meta,
  function waitForEvent(event: Event) {
    event.waitSync();
  },
);

/** Takes a lock and releases it. */
export const takeOne = sendable(
  import.meta,
  function takeOne(lock: RLock, begun: Event) {
    begun.set();
    return attempt(() => lock.acquireSync().release());
  },
);

/** Blocks for a child process. */
export const runChild = sendable(import.meta, function runChild() {
  return runSync("sleep 0.3; echo done").stdout;
});

/** Sets an event after a sleep. */
export const setLater = sendable(
  import.meta,
  function setLater(event: Event) {
    sleepSync(100);
    event.set();
  },
);

/** Sets an event from a timer. */
export const setFromLoop = sendable(
  import.meta,
  async function setFromLoop(event: Event) {
    await delay(100);
    event.set();
  },
);

/**
 * Takes two locks at a time, so many times, in their order or in any; tries again
 * after a DeadlockError. Returns how many there were.
 */
export const takeTwo = sendable(
  import.meta,
  function takeTwo(
    locks: (Lock | RLock)[],
    rwLocks: RwLock[],
    held: SharedArray<Int32Array>,
    ordered: boolean,
    seed: number,
    times: number,
  ) {
    const random = randomFrom(seed);
    const count = locks.length + rwLocks.length;
    /** Takes the lock at a place; readers do not count as holders. */
    const take = (place: number) => {
      const writes = place < locks.length || random(2) === 0;
      const lock = place < locks.length
        ? locks[place].acquireSync()
        : writes
        ? rwLocks[place - locks.length].acquireWriteSync()
        : rwLocks[place - locks.length].acquireReadSync();
      if (writes && Atomics.add(held.view, place, 1) !== 0) {
        throw new Error(`two have lock ${place}`);
      }
      return () => {
        if (writes) Atomics.sub(held.view, place, 1);
        lock.release();
      };
    };
    let found = 0;
    for (let i = 0; i < times; i++) {
      const one = random(count);
      const two = (one + 1 + random(count - 1)) % count;
      const release = take(ordered ? Math.min(one, two) : one);
      try {
        take(ordered ? Math.max(one, two) : two)();
      } catch (error) {
        if (!(error instanceof DeadlockError)) throw error;
        found++;
      } finally {
        release();
      }
    }
    return found;
  },
);

/** Has one lock, if it is given one, and waits for another one. */
export const waitForNext = sendable(
  import.meta,
  function waitForNext(next: RLock, own: RLock | undefined) {
    own?.acquireSync();
    const message = attempt(() => next.acquireSync().release());
    own?.release();
    return message;
  },
);

/**
 * Takes locks, one or two in their order, with no timeout, in the blocking form;
 * meanwhile tasks wait for some, which they give back at once. None of that can
 * go round in a circle.
 */
export const handOver = sendable(
  import.meta,
  async function handOver(
    locks: (Lock | RLock | InterpreterLock)[],
    rwLocks: RwLock[],
    seed: number,
    ms: number,
  ) {
    const random = randomFrom(seed);
    const count = locks.length + rwLocks.length;
    const takeSync = (place: number) => {
      if (place < locks.length) return locks[place].acquireSync();
      const lock = rwLocks[place - locks.length];
      return random(3) === 0 ? lock.acquireWriteSync() : lock.acquireReadSync();
    };
    const passThrough = async (place: number) => {
      if (place < locks.length) {
        const lock = locks[place];
        await lock.acquire();
        lock.release();
      } else {
        const lock = rwLocks[place - locks.length];
        const guard = random(3) === 0
          ? await lock.acquireWrite()
          : await lock.acquireRead();
        guard.release();
      }
    };
    let tasks: Promise<void>[] = [];
    let taken = 0;
    const end = performance.now() + ms;
    while (performance.now() < end) {
      for (let i = random(3); i > 0; i--) {
        tasks.push(passThrough(random(count)));
      }
      // Those that were not kept waiting have released it by then.
      await delay(0);
      for (let i = random(10); i >= 0; i--) {
        const one = random(count);
        const first = takeSync(one);
        if (one < count - 1 && random(2) === 0) {
          takeSync(one + 1 + random(count - one - 1)).release();
        }
        first.release();
        taken++;
      }
      if (tasks.length > 5) {
        await Promise.all(tasks);
        tasks = [];
      }
    }
    await Promise.all(tasks);
    return taken;
  },
);
