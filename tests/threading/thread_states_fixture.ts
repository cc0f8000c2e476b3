import {
  type Event,
  type Lock,
  type Semaphore,
  sendable,
} from "../../threading/mod.ts";
import {
  sleepSync,
  type ThreadState,
  threadStates,
} from "../../threading/current_thread.ts";

/** Holds a lock while it waits for an event. */
export const holdAndWait = sendable(
  import.meta,
  function holdAndWait(lock: Lock, event: Event) {
    using _ = lock.acquireSync();
    event.waitSync();
  },
);

export const waitForLock = sendable(
  import.meta,
  function waitForLock(lock: Lock) {
    using _ = lock.acquireSync();
  },
);

export const spin = sendable(import.meta, function spin(ready: Semaphore) {
  ready.release();
  for (;;);
});

export const doze = sendable(import.meta, function doze(ready: Semaphore) {
  ready.release();
  sleepSync(60_000);
});

export const statesOfAll = sendable(
  import.meta,
  function statesOfAll(): ThreadState[] {
    return threadStates();
  },
);

/** Takes a lock and lets go of it as fast as it can. */
export const flicker = sendable(
  import.meta,
  function flicker(lock: Lock, times: number) {
    for (let i = 0; i < times; i++) {
      using _ = lock.acquireSync();
    }
  },
);
