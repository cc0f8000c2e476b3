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
  type Thread,
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
