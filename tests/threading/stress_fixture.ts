import {
  type Barrier,
  type Condition,
  type Event,
  type Lock,
  type RLock,
  type Semaphore,
  sendable,
  type SharedArray,
} from "../../threading/mod.ts";
import { randomFrom } from "./shared_support.ts";

/** How one thread of a stress test goes about it. */
export interface Part {
  /** Its place among the threads, from 0. */
  index: number;
  /** Whether it waits in the promise form. */
  promise: boolean;
  /** How often it does what is tested. */
  times: number;
  seed: number;
  /** Words that all threads share, what each means says the test. */
  words: SharedArray<Int32Array>;
}

type Random = (below: number) => number;

/**
 * One wait in four is of little patience, but of some: without any, `waitFor`
 * never lets go of its lock, and to repeat it would keep all others out.
 */
function patience(random: Random): { timeout: number } | undefined {
  return random(4) === 0 ? { timeout: (1 + random(8)) / 10 } : undefined;
}

/** Repeats what may run out of time until it does not. */
async function insist<T>(wait: () => T | Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await wait();
    } catch (error) {
      if ((error as Error).name !== "TimeoutError") throw error;
    }
  }
}

/** Blocking code must not await: another task could come between. */
function insistSync<T>(wait: () => T): T {
  for (;;) {
    try {
      return wait();
    } catch (error) {
      if ((error as Error).name !== "TimeoutError") throw error;
    }
  }
}

/** Adds 1 in two steps, which only exclusion makes safe. */
function increment(view: Int32Array, random: Random): void {
  const before = view[0];
  for (let spin = random(30); spin > 0; spin--) view[1] = spin;
  view[0] = before + 1;
}

/** Words: a counter that the lock guards, and room to spend time in. */
export const exclude = sendable(
  import.meta,
  async function exclude(
    lock: Lock | RLock,
    { promise, times, seed, words }: Part,
  ) {
    const random = randomFrom(seed);
    const { view } = words;
    const again = "owned" in lock;
    const task = async (options?: { timeout: number }) => {
      using _ = await lock.acquire(options);
      if (random(4) === 0) await null;
      using __ = again ? await lock.acquire() : undefined;
      increment(view, random);
    };
    for (let i = 0; i < times; i++) {
      const options = patience(random);
      if (promise) {
        await insist(() => task(options));
      } else {
        using _ = (random(8) === 0 && lock.acquireNowait()) ||
          insistSync(() => lock.acquireSync(options));
        using __ = again ? lock.acquireSync() : undefined;
        increment(view, random);
      }
    }
  },
);

/** Several tasks of one thread take turns with each other and all others. */
export const excludeTasks = sendable(
  import.meta,
  async function excludeTasks(lock: Lock | RLock, part: Part) {
    const tasks = [0, 1, 2].map((task) =>
      exclude(lock, { ...part, seed: part.seed + task })
    );
    await Promise.all(tasks);
  },
);

/** Words: items in the buffer, items made, items taken. */
export const buffer = sendable(
  import.meta,
  async function buffer(
    notEmpty: Condition,
    notFull: Condition,
    capacity: number,
    { index, promise, times, seed, words }: Part,
  ) {
    const random = randomFrom(seed);
    const { view } = words;
    const produces = index % 4 < 2;
    const own = produces ? notFull : notEmpty;
    const other = produces ? notEmpty : notFull;
    const ready = produces ? () => view[0] < capacity : () => view[0] > 0;
    for (let i = 0; i < times; i++) {
      using _ = promise ? await own.acquire() : own.acquireSync();
      const options = patience(random);
      if (promise) await insist(() => own.waitFor(ready, options));
      else insistSync(() => own.waitForSync(ready, options));
      view[0] += produces ? 1 : -1;
      view[produces ? 1 : 2]++;
      if (view[0] < 0 || view[0] > capacity) {
        throw new Error(`${view[0]} items`);
      }
      other.notify();
    }
  },
);

/** Words: threads that have a permit. */
export const share = sendable(
  import.meta,
  async function share(
    semaphore: Semaphore,
    permits: number,
    { promise, times, seed, words }: Part,
  ) {
    const random = randomFrom(seed);
    const { view } = words;
    for (let i = 0; i < times; i++) {
      const options = patience(random);
      if (promise) await insist(() => semaphore.acquire(options));
      else insistSync(() => semaphore.acquireSync(options));
      const inside = Atomics.add(view, 0, 1) + 1;
      if (inside > permits) throw new Error(`${inside} of ${permits} permits`);
      if (promise && random(4) === 0) await null;
      Atomics.sub(view, 0, 1);
      semaphore.release();
    }
  },
);

/**
 * One thread sets an event for all others, the last of which sets one for it.
 * Words: threads that have been woken in this round.
 */
export const signal = sendable(
  import.meta,
  async function signal(
    events: Event[],
    done: Event,
    others: number,
    { index, promise, times, seed, words }: Part,
  ) {
    const random = randomFrom(seed);
    const { view } = words;
    const wait = async (event: Event) => {
      const options = patience(random);
      if (promise) await insist(() => event.wait(options));
      else insistSync(() => event.waitSync(options));
    };
    for (let round = 0; round < times; round++) {
      const event = events[round % events.length];
      if (index > 0) {
        await wait(event);
        if (Atomics.add(view, 0, 1) === others - 1) done.set();
      } else {
        Atomics.store(view, 0, 0);
        done.clear();
        events[(round + 1) % events.length].clear();
        event.set();
        await wait(done);
        if (view[0] !== others) throw new Error(`${view[0]} were woken`);
      }
    }
  },
);

/** Words: arrivals, runs of the action. Returns the sum of its places. */
export const gather = sendable(
  import.meta,
  async function gather(
    barrier: Barrier,
    { promise, times, seed, words }: Part,
  ) {
    const random = randomFrom(seed);
    const { view } = words;
    const { parties } = barrier;
    let places = 0;
    for (let round = 1; round <= times; round++) {
      const options = patience(random);
      Atomics.add(view, 0, 1);
      places += promise
        ? await insist(() => barrier.wait(options))
        : insistSync(() => barrier.waitSync(options));
      const arrivals = Atomics.load(view, 0);
      if (arrivals < round * parties || arrivals >= (round + 1) * parties) {
        throw new Error(`${arrivals} arrivals in round ${round}`);
      }
    }
    return places;
  },
);
