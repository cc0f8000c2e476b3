import {
  type Condition,
  type Event,
  type InterpreterLock,
  type Lock,
  type RLock,
  type Semaphore,
  sendable,
  type SharedMap,
} from "../../threading/mod.ts";
import { sleepSync } from "../../threading/current_thread.ts";

/** Blocks for what is like a lock while tasks of its own stand in line before it. */
export const blockBehindTasks = sendable(
  import.meta,
  async function blockBehindTasks(
    lock: Lock | RLock | InterpreterLock | Semaphore,
    inLine: Event,
  ): Promise<string[]> {
    const order: string[] = [];
    const task = async () => {
      using _ = await lock.acquire();
      order.push("task");
    };
    const tasks = [task(), task(), task()];
    inLine.set();
    lock.acquireSync();
    order.push("sync");
    lock.release();
    await Promise.all(tasks);
    return order;
  },
);

/** Begins to wait for a lock and returns when it has been given it. */
export const leaveBeforeItsTurn = sendable(
  import.meta,
  function leaveBeforeItsTurn(
    lock: InterpreterLock,
    inLine: Event,
    given: Event,
  ) {
    lock.acquire();
    inLine.set();
    // Not a wait: that would pass the lock on.
    while (!given.isSet());
  },
);

/** Waits to be notified, with the lock, which it releases. */
export const awaitNotice = sendable(
  import.meta,
  function awaitNotice(condition: Condition, waits: Event) {
    condition.acquireSync();
    waits.set();
    condition.waitSync();
    condition.release();
  },
);

/** Notifies a task of its own and others, and leaves the task no time. */
export const notifyAndSpin = sendable(
  import.meta,
  async function notifyAndSpin(
    condition: Condition,
    waits: Event,
    go: Event,
    spins: Event,
  ) {
    await condition.acquire();
    condition.wait();
    waits.set();
    await go.wait();
    condition.acquireSync();
    condition.notifyAll();
    condition.release();
    queueMicrotask(() => {
      spins.set();
      for (;;);
    });
  },
);

/** Takes its time to make a value. */
export const updateSlowly = sendable(
  import.meta,
  function updateSlowly(map: SharedMap<string, number>, begun: Event) {
    map.updateSync("key", (n = 0) => {
      begun.set();
      sleepSync(50);
      return n + 1;
    });
  },
);
