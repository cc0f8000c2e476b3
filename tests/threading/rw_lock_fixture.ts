import {
  type Barrier,
  type Event,
  type RwLock,
  sendable,
  type SharedArray,
  type SharedNumber,
  sleepSync,
} from "../../threading/mod.ts";
import { randomFrom } from "./shared_support.ts";

/** Has a lock from `held` to `go`. */
export const holdRw = sendable(
  import.meta,
  function holdRw(lock: RwLock, writes: boolean, held: Event, go: Event) {
    using _ = writes ? lock.acquireWriteSync() : lock.acquireReadSync();
    held.set();
    go.waitSync();
  },
);

/** Has a lock in the promise form, and leaves it to its end. */
export const leave = sendable(
  import.meta,
  async function leave(lock: RwLock, writes: boolean, fails: boolean) {
    if (writes) await lock.acquireWrite();
    else await lock.acquireRead();
    if (fails) throw new Error("died");
  },
);

/** Has a lock and computes until it is killed. */
export const spinHolding = sendable(
  import.meta,
  function spinHolding(lock: RwLock, writes: boolean, held: Event) {
    if (writes) lock.acquireWriteSync();
    else lock.acquireReadSync();
    held.set();
    for (;;);
  },
);

/** Takes a lock, tells when, and lets go of it. */
export const pass = sendable(
  import.meta,
  function pass(
    lock: RwLock,
    writes: boolean,
    order: SharedArray<Int32Array>,
    me: number,
  ) {
    using _ = writes ? lock.acquireWriteSync() : lock.acquireReadSync();
    order.view[Atomics.add(order.view, 0, 1) + 1] = me;
    sleepSync(5);
  },
);

/** Reads or writes until it is told to stop, and counts how often. */
export const insist = sendable(
  import.meta,
  function insist(
    lock: RwLock,
    writes: boolean,
    stop: Event,
    { view }: SharedArray<Int32Array>,
    me: number,
  ) {
    for (; !stop.isSet(); view[me]++) {
      using _ = writes ? lock.acquireWriteSync() : lock.acquireReadSync();
      for (let spin = 0; spin < 50; spin++);
    }
  },
);

/** How {@linkcode insistAs} takes the lock. */
export type Manner = "blocking" | "promise" | "downgrade" | "mixed";

/** Does what `insist` does in one manner; a writer may go on as a reader. */
export const insistAs = sendable(
  import.meta,
  async function insistAs(
    lock: RwLock,
    writes: boolean,
    all: Barrier,
    stop: Event,
    { view }: SharedArray<Int32Array>,
    me: number,
    manner: Manner,
  ) {
    await all.wait();
    const work = () => {
      for (let spin = 0; spin < 200; spin++);
    };
    for (; !stop.isSet(); Atomics.add(view, me, 1)) {
      const awaits = manner === "promise" ||
        (manner === "mixed" && (me + view[me]) % 2 === 0);
      if (writes) {
        using guard = awaits
          ? await lock.acquireWrite()
          : lock.acquireWriteSync();
        work();
        if (
          manner === "downgrade" || (manner === "mixed" && view[me] % 3 === 0)
        ) {
          guard.downgrade();
          work();
        }
      } else {
        using _ = awaits ? await lock.acquireRead() : lock.acquireReadSync();
        work();
      }
    }
  },
);

/** Waits to read in a task, and blocks to write. */
export const blockBehindTask = sendable(
  import.meta,
  async function blockBehindTask(lock: RwLock, waits: Event) {
    const reading = lock.acquireRead().then((guard) => guard.release());
    const writing = lock.acquireWrite().then((guard) => guard.release());
    waits.set();
    lock.acquireWriteSync().release();
    await reading;
    await writing;
    return "done";
  },
);

/** Waits until it is killed, behind whoever has the lock. */
export const waitFor = sendable(
  import.meta,
  async function waitFor(lock: RwLock, promise: boolean, waits: Event) {
    waits.set();
    if (!promise) lock.acquireWriteSync();
    const waiting = [lock.acquireRead(), lock.acquireWrite()];
    await Promise.all(waiting);
  },
);

/** Words: how many write, how many read, two that are equal while nobody writes. */
export const mix = sendable(
  import.meta,
  async function mix(
    lock: RwLock,
    words: SharedArray<Int32Array>,
    done: SharedNumber,
    seed: number,
    times: number,
  ) {
    const random = randomFrom(seed);
    const { view } = words;
    const options = () =>
      random(4) === 0 ? { timeout: (1 + random(8)) / 10 } : undefined;
    const reading = () => {
      Atomics.add(view, 1, 1);
      const wrong = Atomics.load(view, 0) !== 0 || view[2] !== view[3];
      for (let spin = random(50); spin > 0; spin--);
      Atomics.sub(view, 1, 1);
      if (wrong) throw new Error("a writer is there");
    };
    const writing = () => {
      const others = Atomics.add(view, 0, 1) + Atomics.load(view, 1);
      view[2]++;
      for (let spin = random(50); spin > 0; spin--);
      view[3]++;
      Atomics.sub(view, 0, 1);
      if (others !== 0) throw new Error(`${others} others are there`);
    };
    for (let i = 0; i < times; i++) {
      try {
        if (random(3) > 0) {
          using _ = random(2) === 0
            ? lock.acquireReadSync(options())
            : await lock.acquireRead(options());
          reading();
        } else {
          using guard = random(2) === 0
            ? lock.acquireWriteSync(options())
            : await lock.acquireWrite(options());
          writing();
          if (random(3) === 0) {
            guard.downgrade();
            reading();
          }
        }
        done.add(1);
      } catch (error) {
        if ((error as Error).name !== "TimeoutError") throw error;
      }
    }
  },
);

/** Takes and releases without an end, to be killed at any moment. */
export const churn = sendable(
  import.meta,
  function churn(lock: RwLock, writes: boolean, begun: Event) {
    for (;;) {
      const guard = writes
        ? lock.acquireWriteSync()
        : lock.acquireReadSync({ timeout: 1000 });
      begun.set();
      guard.release();
    }
  },
);
