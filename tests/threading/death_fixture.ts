import {
  type Lock,
  sendable,
  type SharedArray,
  type Thread,
} from "../../threading/mod.ts";
import { sleepFor } from "../../threading/_memory/wait.ts";

/** How a thread can end, each while it holds `lock`. */
const ends: Record<string, () => unknown> = {
  return: () => "returned",
  "return a promise": () => Promise.resolve("returned"),
  throw: () => {
    throw new RangeError("thrown");
  },
  reject: () => Promise.reject(new RangeError("rejected")),
  "an error in a timer": () => {
    setTimeout(() => {
      throw new RangeError("in a timer");
    }, 5);
    return new Promise(() => {});
  },
  "an error in a microtask": () => {
    queueMicrotask(() => {
      throw new RangeError("in a microtask");
    });
    return new Promise(() => {});
  },
  "an unhandled rejection": () => {
    Promise.reject(new RangeError("unhandled"));
    return new Promise(() => {});
  },
  "Deno.exit": () => Deno.exit(3),
  // deno-lint-ignore no-process-global
  "process.exit": () => process.exit(3),
  close: () => {
    close();
    sleepFor(100);
    return new Promise(() => {});
  },
  "Deno.exit in a timer": () => {
    setTimeout(() => Deno.exit(3), 5);
    return new Promise(() => {});
  },
  "a stack overflow": () => {
    const deeper = (n: number): number => deeper(n + 1) + 1;
    return deeper(0);
  },
};

/** Takes a lock and ends. */
export const end = sendable(
  import.meta,
  function end(lock: Lock, how: string): unknown {
    lock.acquireSync();
    return ends[how]();
  },
);

/** What a thread can be doing when it is killed. */
const stays: Record<string, (held: Lock) => unknown> = {
  "a busy loop": () => {
    for (;;);
  },
  "a busy loop that allocates": () => {
    for (let list: number[] = [];; list = [list.length]);
  },
  "a sleep": () => sleepFor(60_000),
  "a lock": (held) => held.acquireSync(),
  "a lock in the promise form": (held) => held.acquire(),
  "its event loop": () => new Promise(() => {}),
  "a timer": () => new Promise((resolve) => setTimeout(resolve, 60_000)),
  "Atomics.wait": () => {
    const word = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(word, 0, 0);
  },
  "a catch-all": () => {
    for (;;) {
      try {
        sleepFor(60_000);
      } catch { /* goes on */ }
    }
  },
};

/** Takes a lock, lets go of another, and stays. */
export const stay = sendable(
  import.meta,
  async function stay(lock: Lock, ready: Lock, held: Lock, where: string) {
    lock.acquireSync();
    ready.release();
    await stays[where](held);
  },
);

/** Blocks until another thread has ended. */
export const joinIt = sendable(
  import.meta,
  function joinIt(lock: Lock, ready: Lock, thread: Thread) {
    lock.acquireSync();
    ready.release();
    thread.joinSync();
  },
);

/** Does nothing for long. */
export const sleeper = sendable(import.meta, function sleeper() {
  sleepFor(60_000);
});

/** Gives back what it gets. */
export const echo = sendable(import.meta, function echo(value: unknown) {
  return value;
});

/** Takes all the memory it can get. */
export const devour = sendable(import.meta, function devour(lock: Lock) {
  lock.acquireSync();
  const list: number[][] = [];
  for (;;) list.push(new Array(100_000).fill(Math.random()));
});

/** Counts, in steps of some milliseconds that nothing interrupts. */
export const runOn = sendable(
  import.meta,
  function runOn(count: SharedArray<Int32Array>) {
    const { view } = count;
    const large = new Uint8Array(2 ** 27);
    // V8 ends a thread where a function begins.
    const end = () => {};
    for (;; end()) {
      large.fill(1);
      view[0]++;
    }
  },
);

/** Fails in a microtask when a timer is due that takes a lock. */
export const failWithTimer = sendable(
  import.meta,
  function failWithTimer(lock: Lock) {
    setTimeout(() => lock.acquireSync(), 1);
    queueMicrotask(() => {
      const end = performance.now() + 10;
      while (performance.now() < end);
      throw new RangeError("in a microtask");
    });
    return new Promise(() => {});
  },
);
