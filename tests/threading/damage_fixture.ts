// Waits at every object that can be waited for, in both forms.
import {
  Barrier,
  Condition,
  currentThread,
  Event,
  InterpreterLock,
  Lock,
  RLock,
  Semaphore,
  sendable,
  SharedMap,
  sleepSync,
  Thread,
} from "../../threading/mod.ts";
import { delay } from "@std/async";
import { Queue } from "../../queue/mod.ts";
import { lock } from "../../threading/_memory/mutex.ts";
import {
  compareExchange,
  Field,
  MAX_SLOTS,
  Slot,
  slotAt,
  words,
} from "../../threading/_memory/heap.ts";
import { ADDRESS } from "../../threading/_memory/shared_object.ts";
import { reap } from "../../threading/_runtime/reaper.ts";

/**
 * Leaves a section as a worker does that runs out of memory in it. A thread that
 * has just joined a queue of the object may still be in the section in which it
 * did so: that one must be over first.
 */
export function dieInSection(mutex: number): void {
  const slot = slotAt(MAX_SLOTS - 1);
  words[slot + Slot.ground] = mutex;
  while (compareExchange(mutex, 0, slot) !== 0);
  reap(slot, new Error("out of memory"));
  words[slot + Slot.dying] = 0;
}

/**
 * Enters a critical section and leaves it by an error, as one does that runs out
 * of stack in there.
 */
function leaveSection(object: Lock): void {
  try {
    lock(object[ADDRESS] + Field.mutex);
    throw new RangeError("Maximum call stack size exceeded");
  } catch {
    // The thread goes on, as one can after a RangeError.
  }
}

/** What threads do after they have left a critical section in the middle. */
export const afterwards = {
  useAnother: sendable(import.meta, function useAnother(object: Lock) {
    leaveSection(object);
    new Lock().acquireSync().release();
    new Event().waitSync({ timeout: 60_000 });
  }),
  useItAgain: sendable(import.meta, function useItAgain(object: Lock) {
    leaveSection(object);
    try {
      object.recover();
    } catch {
      new Event().waitSync({ timeout: 60_000 });
    }
  }),
  sleep: sendable(import.meta, function sleep(object: Lock) {
    leaveSection(object);
    sleepSync(60_000);
  }),
  awaitSomething: sendable(
    import.meta,
    async function awaitSomething(object: Lock) {
      await Promise.resolve();
      leaveSection(object);
      await delay(60_000);
    },
  ),
  end: sendable(import.meta, leaveSection),
  throwError: sendable(import.meta, function throwError(object: Lock) {
    leaveSection(object);
    throw new Error("it cannot go on");
  }),
};

/** A wait that nothing ends, in both forms. */
export interface Way {
  /** Makes what is waited for; what it needs to be waited for is done. */
  make(): Target;
  wait(target: Target): Promise<unknown>;
  waitSync(target: Target): unknown;
}

// deno-lint-ignore no-explicit-any
type Target = any;

function full(): Queue<number> {
  const queue = new Queue<number>(2);
  queue.putManySync([0, 0]);
  return queue;
}

export const sleepForEver = sendable(
  import.meta,
  function sleepForEver() {
    new Event().waitSync();
  },
);

function started(): Thread {
  const thread = new Thread({ target: sleepForEver, daemon: true });
  thread.start();
  return thread;
}

export const ways: Record<string, Way> = {
  "Lock.acquire": {
    make: () => new Lock().acquireSync(),
    wait: (lock) => lock.acquire(),
    waitSync: (lock) => lock.acquireSync(),
  },
  "RLock.acquire": {
    make: () => new RLock().acquireSync(),
    wait: (lock) => lock.acquire(),
    waitSync: (lock) => lock.acquireSync(),
  },
  "InterpreterLock.acquire": {
    make: () => new InterpreterLock().acquireSync(),
    wait: (lock) => lock.acquire(),
    waitSync: (lock) => lock.acquireSync(),
  },
  "Condition.acquire": {
    make: () => new Condition().acquireSync(),
    wait: (condition) => condition.acquire(),
    waitSync: (condition) => condition.acquireSync(),
  },
  "Condition.wait": {
    make: () => new Condition(),
    async wait(condition) {
      using _ = await condition.acquire();
      await condition.wait();
    },
    waitSync(condition) {
      using _ = condition.acquireSync();
      condition.waitSync();
    },
  },
  "Condition.waitFor": {
    make: () => new Condition(),
    async wait(condition) {
      using _ = await condition.acquire();
      await condition.waitFor(() => false);
    },
    waitSync(condition) {
      using _ = condition.acquireSync();
      condition.waitForSync(() => false);
    },
  },
  "Semaphore.acquire": {
    make: () => new Semaphore(0),
    wait: (semaphore) => semaphore.acquire(),
    waitSync: (semaphore) => semaphore.acquireSync(),
  },
  "Event.wait": {
    make: () => new Event(),
    wait: (event) => event.wait(),
    waitSync: (event) => event.waitSync(),
  },
  "Barrier.wait": {
    make: () => new Barrier(9),
    wait: (barrier) => barrier.wait(),
    waitSync: (barrier) => barrier.waitSync(),
  },
  "SharedMap.getOrCreate": {
    make() {
      const map = new SharedMap<string, number>();
      map.getOrCreate("key", () => new Promise<number>(() => {}));
      return map;
    },
    wait: (map) => map.getOrCreate("key", () => 1),
    waitSync: (map) => map.getOrCreateSync("key", () => 1),
  },
  "Thread.join": {
    make: started,
    wait: (thread) => thread.join(),
    waitSync: (thread) => thread.joinSync(),
  },
  "Queue.get": {
    make: () => new Queue<number>(),
    wait: (queue) => queue.get(),
    waitSync: (queue) => queue.getSync(),
  },
  "Queue.getMany": {
    make: () => new Queue<number>(),
    wait: (queue) => queue.getMany(3),
    waitSync: (queue) => queue.getManySync(3),
  },
  "Queue.put": {
    make: full,
    wait: (queue) => queue.put(1),
    waitSync: (queue) => queue.putSync(1),
  },
  "Queue.putMany": {
    make: full,
    wait: (queue) => queue.putMany([1, 2]),
    waitSync: (queue) => queue.putManySync([1, 2]),
  },
  "Queue.join": {
    make: full,
    wait: (queue) => queue.join(),
    waitSync: (queue) => queue.joinSync(),
  },
};

/** Waits in the blocking form; returns the message of what that throws. */
export const waitBlocked = sendable(
  import.meta,
  function waitBlocked(name: string, target: Target): string {
    try {
      ways[name].waitSync(target);
      return "no error";
    } catch (error) {
      return String(error);
    }
  },
);

/** The same in the promise form. */
export const waitInLoop = sendable(
  import.meta,
  async function waitInLoop(name: string, target: Target): Promise<string> {
    try {
      await ways[name].wait(target);
      return "no error";
    } catch (error) {
      return String(error);
    }
  },
);

/** Ends while a wait of its own is under way; returns which worker that was. */
export const leaveWaiting = sendable(
  import.meta,
  async function leaveWaiting(name: string): Promise<number | undefined> {
    const way = ways[name];
    // One that goes with the thread, and one that another thread holds, too.
    way.wait(way.make()).catch(() => {});
    way.wait(way.make()).catch(() => {});
    await Promise.resolve();
    return currentThread().nativeId;
  },
);

/** Uses new objects of the same kind, which may lie where the others were. */
export const useAnew = sendable(
  import.meta,
  function useAnew(name: string) {
    // To start a thread takes longer than to make anything else.
    const length = name === "Thread.join" ? 1 : 50;
    const targets = Array.from({ length }, () => ways[name].make());
    let outcome = "fine";
    try {
      for (const target of targets) target.free();
    } catch (error) {
      outcome = String(error);
    }
    return { id: currentThread().nativeId, outcome };
  },
);
