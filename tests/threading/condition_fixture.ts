import {
  type Condition,
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
