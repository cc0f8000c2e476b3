import {
  type Event,
  type RwLock,
  sendable,
  type SharedMap,
  type SharedNumber,
  type SharedObject,
  sleepSync,
  threadStates,
} from "../../threading/mod.ts";
import { type Queue, select, selectSync } from "../../queue/mod.ts";

function awaitTrue(test: () => boolean): void {
  const until = performance.now() + 30_000;
  while (!test()) {
    if (performance.now() > until) throw new Error("Nobody waits");
    sleepSync(1);
  }
}

/** Waits until so many wait for an object. */
export function awaitWaiting(object: object, count = 1): void {
  awaitTrue(() => Deno.inspect(object).includes(`${count} waiting`));
}

/** Waits until the main thread is blocked for an object. */
function awaitMain(object: SharedObject): void {
  awaitTrue(() => threadStates()[0].waitsFor === object);
}

/** Reads with two guards until it is told, or killed. */
export const read = sendable(
  import.meta,
  function read(lock: RwLock, ready: Event, end: Event) {
    using _ = lock.acquireReadSync();
    using __ = lock.acquireReadSync();
    ready.set();
    end.waitSync();
  },
);

/** Writes once, and says before that it is about to. */
export const write = sendable(
  import.meta,
  function write(lock: RwLock, ready: Event) {
    ready.set();
    lock.acquireWriteSync().release();
  },
);

/** Makes the value of a key, until the main thread waits for that. */
export const make = sendable(
  import.meta,
  function make(map: SharedMap<string, number>, ready: Event) {
    return map.getOrCreateSync("key", () => {
      ready.set();
      awaitMain(map);
      return 1;
    });
  },
);

/** Receives so many items, keeps them, and is killed or returns. */
export const receive = sendable(
  import.meta,
  function receive(queue: Queue<number>, count: number, ready: Event) {
    const kept = Array.from({ length: count }, () => queue.receiveSync());
    ready.set();
    return kept.length;
  },
);

/** Computes until it is killed. */
export const spin = sendable(
  import.meta,
  function spin(ready: Event, steps: SharedNumber) {
    ready.set();
    for (;;) steps.add(1);
  },
);

/** Waits in the promise form. */
export const wait = sendable(
  import.meta,
  async function wait(ready: Event, event: Event) {
    const waited = event.wait();
    ready.set();
    await waited;
  },
);

/** Waits for one of several things, which never comes. */
export const selectOf = sendable(
  import.meta,
  async function selectOf(ready: Event, never: Event) {
    const selected = select([never]);
    ready.set();
    await selected;
  },
);

/** The same, blocked. */
export const selectSyncOf = sendable(
  import.meta,
  function selectSyncOf(ready: Event, never: Event) {
    ready.set();
    selectSync([never]);
  },
);

/** Sets an event when somebody waits for it. */
export const set = sendable(
  import.meta,
  function set(event: Event) {
    awaitWaiting(event);
    event.set();
  },
);

export const fail = sendable(import.meta, function fail() {
  throw new Error("as it should");
});
