import {
  Barrier,
  checkCancelled,
  Condition,
  currentThread,
  Event,
  InterpreterLock,
  Lock,
  mainThread,
  RLock,
  RwLock,
  Semaphore,
  sendable,
  SharedList,
  SharedMap,
  shield,
  sleepSync,
  Thread,
} from "../../threading/mod.ts";

/** What the threads of these tests wait for; nobody lets them go on. */
export class Place {
  static {
    sendable(import.meta, this);
  }
  /** Set by a thread that is about to wait. */
  ready = new Event();
  /** What the threads tell. */
  log = new SharedList<unknown>();
  /** Held by the thread of the test. */
  lock = new Lock();
  rlock = new RLock();
  gil = new InterpreterLock();
  rwLock = new RwLock();
  semaphore = new Semaphore(0);
  event = new Event();
  barrier = new Barrier(2);
  condition = new Condition();
  reentrant = new Condition(new RLock());
  /** The value of `key` is being made. */
  map = new SharedMap<string, number>();
  thread: Thread = mainThread();
}

type Wait = (place: Place) => unknown;

/** Waits that end by being cancelled only, in both forms. */
export const waits: Record<string, Wait> = {
  "Lock.acquireSync": ({ lock }) => lock.acquireSync(),
  "Lock.acquire": ({ lock }) => lock.acquire(),
  "Lock.runSync": ({ lock }) => lock.runSync(() => {}),
  "Lock.run": ({ lock }) => lock.run(() => {}),
  "RLock.acquireSync": ({ rlock }) => rlock.acquireSync(),
  "RLock.acquire": ({ rlock }) => rlock.acquire(),
  "InterpreterLock.acquireSync": ({ gil }) => gil.acquireSync(),
  "InterpreterLock.acquire": ({ gil }) => gil.acquire(),
  "RwLock.acquireReadSync": ({ rwLock }) => rwLock.acquireReadSync(),
  "RwLock.acquireRead": ({ rwLock }) => rwLock.acquireRead(),
  "RwLock.acquireWriteSync": ({ rwLock }) => rwLock.acquireWriteSync(),
  "RwLock.acquireWrite": ({ rwLock }) => rwLock.acquireWrite(),
  "Semaphore.acquireManySync": ({ semaphore }) => semaphore.acquireManySync(2),
  "Semaphore.acquireMany": ({ semaphore }) => semaphore.acquireMany(2),
  "Semaphore.acquireSync": ({ semaphore }) => semaphore.acquireSync(),
  "Semaphore.acquire": ({ semaphore }) => semaphore.acquire(),
  "Event.waitSync": ({ event }) => event.waitSync(),
  "Event.wait": ({ event }) => event.wait(),
  "Event.waitSync with a timeout": ({ event }) =>
    event.waitSync({ timeout: 600_000 }),
  "Event.wait with a timeout": ({ event }) => event.wait({ timeout: 600_000 }),
  "Barrier.waitSync": ({ barrier }) => barrier.waitSync(),
  "Barrier.wait": ({ barrier }) => barrier.wait(),
  "Condition.waitSync": ({ condition }) => {
    using _ = condition.acquireSync();
    condition.waitSync();
  },
  "Condition.wait": async ({ condition }) => {
    using _ = await condition.acquire();
    await condition.wait();
  },
  "Condition.waitForSync": ({ condition }) => {
    using _ = condition.acquireSync();
    condition.waitForSync(() => false, { timeout: 600_000 });
  },
  "Condition.waitFor": async ({ condition }) => {
    using _ = await condition.acquire();
    await condition.waitFor(() => false);
  },
  "Condition.waitSync with an RLock": ({ reentrant }) => {
    using _ = reentrant.acquireSync();
    using __ = reentrant.acquireSync();
    reentrant.waitSync();
  },
  "Condition.wait with an RLock": async ({ reentrant }) => {
    using _ = await reentrant.acquire();
    using __ = await reentrant.acquire();
    await reentrant.wait();
  },
  "SharedMap.getOrCreateSync": ({ map }) => map.getOrCreateSync("key", () => 1),
  "SharedMap.getOrCreate": ({ map }) => map.getOrCreate("key", () => 1),
  "SharedMap.updateSync": ({ map }) => map.updateSync("key", () => 1),
  "SharedMap.update": ({ map }) => map.update("key", () => 1),
  "Thread.joinSync": ({ thread }) => thread.joinSync(),
  "Thread.join": ({ thread }) => thread.join(),
  "sleepSync": () => sleepSync(600_000),
};

/** Calls of waiting forms that need not wait, and throw all the same. */
export const ready: Record<string, Wait> = {
  "InterpreterLock.acquireSync": () => new InterpreterLock().acquireSync(),
  "InterpreterLock.acquire": () => new InterpreterLock().acquire(),
  "InterpreterLock.allowThreads": () => {
    const gil = new InterpreterLock();
    shield(() => gil.acquireSync());
    gil.allowThreads(() => {});
  },
  "Event.waitSync": () => {
    const event = new Event();
    event.set();
    event.waitSync();
  },
  "Event.wait": () => {
    const event = new Event();
    event.set();
    return event.wait();
  },
  "Barrier.waitSync": () => new Barrier(1).waitSync(),
  "Barrier.wait": () => new Barrier(1).wait(),
  "Condition.waitForSync": () =>
    new Condition().acquireSync().waitForSync(() => true),
  "Condition.waitFor": () => new Condition().acquireSync().waitFor(() => true),
  "SharedMap.getOrCreateSync": () =>
    new SharedMap([["key", 1]]).getOrCreateSync("key", () => 1),
  "SharedMap.getOrCreate": () =>
    new SharedMap([["key", 1]]).getOrCreate("key", () => 1),
  "SharedMap.updateSync": () =>
    new SharedMap<string, number>().updateSync("key", () => 1),
  "SharedMap.update": () =>
    new SharedMap<string, number>().update("key", () => 1),
  "Thread.joinSync": ({ thread }) => thread.joinSync(),
  "Thread.join": ({ thread }) => thread.join(),
  "sleepSync": () => sleepSync(0),
  "checkCancelled": () => checkCancelled(),
  "a shield that is over": () => {
    shield(() => sleepSync(0));
    checkCancelled();
  },
};

/** Calls that go on as ever in a thread that was cancelled. */
export const free: Record<string, Wait> = {
  "Lock.acquireSync": () => new Lock().acquireSync().release(),
  "Lock.acquire": async () => (await new Lock().acquire()).release(),
  "Lock.acquireSync with a timeout": () =>
    new Lock().acquireSync({ timeout: 1000 }).release(),
  "Lock.runSync": () => new Lock().runSync(() => {}),
  "RLock.acquireSync": () => {
    const lock = new RLock();
    lock.acquireSync().acquireSync().release();
    lock.release();
  },
  "RLock.acquire": async () => (await new RLock().acquire()).release(),
  "Semaphore.acquireSync": () => new Semaphore().acquireSync().release(),
  "Semaphore.acquire": async () => (await new Semaphore().acquire()).release(),
  "Condition.acquireSync": () => {
    using condition = new Condition().acquireSync();
    condition.notifyAll();
  },
  "acquireNowait": () => new InterpreterLock().acquireNowait()!.release(),
  "Event.set": () => new Event().set(),
  "SharedMap.set": () => new SharedMap<string, number>().set("key", 1),
  "Barrier.abort": () => new Barrier(1).abort(),
};

export const wait = sendable(
  import.meta,
  function wait(place: Place, name: string): unknown {
    place.ready.set();
    return waits[name](place);
  },
);

/** Waits until it has been cancelled, in the way it is told to. */
function untilCancelled(): void {
  while (!currentThread().signal.aborted);
}

/** Makes a call when it has been cancelled. */
export const callLate = sendable(
  import.meta,
  async function callLate(
    place: Place,
    table: "ready" | "free",
    name: string,
  ): Promise<string> {
    place.ready.set();
    untilCancelled();
    await (table === "ready" ? ready : free)[name](place);
    return "went on";
  },
);

/** Waits for a while in a way that the main thread chooses, and says how it went. */
export const report = sendable(
  import.meta,
  function report(place: Place): string {
    place.ready.set();
    try {
      place.event.waitSync();
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
    return "went on";
  },
);

/** Cancels itself. */
export const cancelSelf = sendable(
  import.meta,
  function cancelSelf(place: Place): void {
    currentThread().cancel(new RangeError("myself"));
    currentThread().cancel(new TypeError("again"));
    place.log.push("goes on");
    place.event.waitSync();
  },
);

/** Ends with the reason of a thread that was never cancelled, or with another. */
export const rethrow = sendable(
  import.meta,
  function rethrow(place: Place): void {
    place.ready.set();
    try {
      place.event.waitSync();
    } catch {
      throw new TypeError("another one");
    }
  },
);

/** Computes until it notices. */
export const compute = sendable(
  import.meta,
  function compute(place: Place, how: "check" | "signal" | "never"): number {
    place.ready.set();
    for (let n = 0;; n++) {
      if (how === "check") checkCancelled();
      if (how === "signal" && currentThread().signal.aborted) {
        currentThread().signal.throwIfAborted();
      }
    }
  },
);

/** Computes until it is asked to return what it makes of it, without a wait. */
export const goOn = sendable(import.meta, function goOn(place: Place) {
  place.ready.set();
  let steps = 0;
  while (!place.event.isSet()) steps++;
  return steps;
});

/** Holds five locks by `using` and one without, and waits. */
export const holdSix = sendable(
  import.meta,
  function holdSix(locks: Lock[], bare: Lock | RLock, place: Place) {
    bare.acquireSync();
    using _0 = locks[0].acquireSync();
    using _1 = locks[1].acquireSync();
    using _2 = locks[2].acquireSync();
    using _3 = locks[3].acquireSync();
    using _4 = locks[4].acquireSync();
    place.ready.set();
    place.event.waitSync();
  },
);

/** Holds five locks and waits. */
export const hold = sendable(
  import.meta,
  async function hold(
    locks: [Lock, RLock, Lock, Condition, Semaphore],
    place: Place,
    how: "using" | "await using" | "bare",
  ): Promise<void> {
    if (how === "bare") {
      locks[0].acquireSync();
      place.ready.set();
      place.event.waitSync();
    } else if (how === "using") {
      using _0 = locks[0].acquireSync();
      using _1 = locks[1].acquireSync();
      using _2 = locks[2].acquireSync();
      using _3 = locks[3].acquireSync();
      using _4 = locks[4].acquireSync();
      place.ready.set();
      place.event.waitSync();
    } else {
      using _0 = await locks[0].acquire();
      using _1 = await locks[1].acquire();
      using _2 = await locks[2].acquire();
      using _3 = await locks[3].acquire();
      using _4 = await locks[4].acquire();
      place.ready.set();
      await place.event.wait();
    }
  },
);

/** Makes the value of a key, and waits meanwhile. */
export const make = sendable(
  import.meta,
  async function make(place: Place, sync: boolean): Promise<number> {
    const { map, event, ready } = place;
    if (sync) {
      return map.getOrCreateSync("made", () => {
        ready.set();
        event.waitSync();
        return 1;
      });
    }
    return await map.getOrCreate("made", async () => {
      ready.set();
      await event.wait();
      return 1;
    });
  },
);

/** Cleans up in shields. */
export const shielded = sendable(
  import.meta,
  async function shielded(place: Place): Promise<string> {
    const { event, log, ready } = place;
    try {
      ready.set();
      shield(() => {
        shield(() => event.waitSync());
        event.waitSync();
        checkCancelled();
      });
      log.push("sync");
      await shield(async () => {
        await shield(() => event.wait());
        await event.wait();
        sleepSync(1);
      });
      log.push("async");
    } catch (error) {
      log.push(String(error));
    }
    checkCancelled();
    return "not cancelled";
  },
);

/** Lets the lock go around a wait, and says whether it has it again. */
export const aside = sendable(
  import.meta,
  function aside(place: Place): void {
    const { gil, event, ready, log } = place;
    shield(() => gil.acquireSync());
    ready.set();
    try {
      gil.allowThreads(() => event.waitSync());
    } finally {
      log.push(gil.locked());
      gil.release();
    }
  },
);

/** Waits for notifications, and says when it has one. */
export const notified = sendable(
  import.meta,
  function notified(place: Place): string {
    const { condition, log } = place;
    using _ = condition.acquireSync();
    log.push("waits");
    condition.waitSync();
    return "notified";
  },
);

/** The signal of another thread. */
export const readSignal = sendable(
  import.meta,
  function readSignal(thread: Thread): string {
    try {
      return String(thread.signal);
    } catch (error) {
      return (error as Error).name;
    }
  },
);

/** Hears of it as an event, in an event loop that is idle. */
export const listen = sendable(
  import.meta,
  async function listen(place: Place): Promise<string> {
    const { signal } = currentThread();
    const heard = new Promise<string>((resolve) =>
      signal.addEventListener("abort", () => resolve(String(signal.reason)))
    );
    const timer = setTimeout(() => {}, 600_000);
    place.ready.set();
    try {
      return await heard;
    } finally {
      clearTimeout(timer);
    }
  },
);

/** Cancels another thread with a grace, and ends, or blocks. */
export const cancelOther = sendable(
  import.meta,
  function cancelOther(thread: Thread, place: Place, blocks: boolean): void {
    thread.cancel(new RangeError("grace"), { grace: 50 });
    if (blocks) place.event.waitSync();
  },
);

/** Waits in a shield, for ever. */
export const stay = sendable(
  import.meta,
  function stay(place: Place): void {
    place.ready.set();
    shield(() => place.event.waitSync());
  },
);

/** A subclass, whose fields come back. */
export class Worker extends Thread<void> {
  static {
    sendable(import.meta, this);
  }
  steps = 0;
  constructor(private place: Place, options?: { signal?: AbortSignal }) {
    super(options);
  }
  override run(): void {
    this.steps++;
    this.place.ready.set();
    this.place.event.waitSync();
    this.steps++;
  }
}

/** An error of a class of this program's. */
export class Stop extends Error {
  static {
    sendable(import.meta, this);
  }
  override name = "Stop";
  code = 7;
}
