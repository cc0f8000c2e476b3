import {
  type Condition,
  type Event,
  sendable,
  type SharedNumber,
} from "../../threading/mod.ts";

/** Counts down in turn with a thread of the other parity. */
export const decrement = sendable(
  import.meta,
  async function decrement(
    condition: Condition,
    left: SharedNumber,
    parity: number,
    form: string,
  ) {
    const mine = () => left.value === 0 || left.value % 2 === parity;
    for (;;) {
      using _ = form === "promise"
        ? await condition.acquire()
        : condition.acquireSync();
      if (form === "promise") await condition.waitFor(mine);
      else condition.waitForSync(mine);
      if (left.value === 0) return;
      left.value -= 1;
      condition.notifyAll();
    }
  },
);

/** Notifies and ends with the lock held. */
export const notifyAndKeep = sendable(
  import.meta,
  function notifyAndKeep(condition: Condition) {
    condition.acquireSync();
    condition.notify();
  },
);

/** Waits once, in a form, and counts that it was notified. */
export const waitOnce = sendable(
  import.meta,
  async function waitOnce(
    condition: Condition,
    form: string,
    notified: SharedNumber,
  ) {
    if (form === "promise") {
      using _ = await condition.acquire();
      await condition.wait();
      notified.add(1);
    } else {
      using _ = condition.acquireSync();
      condition.waitSync();
      notified.add(1);
    }
  },
);

/** Begins to wait and ends a little later, with the wait under way. */
export const waitAndEnd = sendable(
  import.meta,
  async function waitAndEnd(condition: Condition, go: Event) {
    const wait = async () => {
      using _ = await condition.acquire();
      await condition.wait();
    };
    wait().catch(() => {});
    await go.wait();
  },
);

/** Blocks while a task of it waits; that one waits until it is notified, too. */
export const blockAndWait = sendable(
  import.meta,
  async function blockAndWait(
    condition: Condition,
    blocksAt: Condition | Event,
  ): Promise<string> {
    const task = (async () => {
      using _ = await condition.acquire();
      await condition.wait({ timeout: 60_000 });
    })();
    // The task has begun to wait when it has released the lock.
    await condition.acquire();
    condition.release();
    if ("isSet" in blocksAt) blocksAt.waitSync({ timeout: 20_000 });
    else {
      using _ = blocksAt.acquireSync();
      blocksAt.waitSync({ timeout: 20_000 });
    }
    await task;
    return "both";
  },
);

/** Waits in a form and then sets an event. */
export const waitAndSet = sendable(
  import.meta,
  async function waitAndSet(condition: Condition, form: string, event: Event) {
    using _ = await condition.acquire();
    if (form === "promise") await condition.wait({ timeout: 20_000 });
    else condition.waitSync({ timeout: 20_000 });
    event.set();
  },
);

/** Ends a wait of another thread, and dies with the lock that it waits for. */
export const notifyAndDie = sendable(
  import.meta,
  function notifyAndDie(condition: Condition) {
    condition.acquireSync();
    condition.notify();
    throw new Error("died");
  },
);
