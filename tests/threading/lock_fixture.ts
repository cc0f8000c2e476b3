import { type Lock, sendable } from "../../threading/mod.ts";

/** Begins to wait for a lock and ends. */
export const abandonWait = sendable(
  import.meta,
  async function abandonWait(lock: Lock) {
    lock.acquire();
    await Promise.resolve();
  },
);

/** Waits for one lock while it takes others, and dies with all of them. */
export const dieHoldingMany = sendable(
  import.meta,
  async function dieHoldingMany(gate: Lock, locks: Lock[]) {
    const waiting = gate.acquire();
    for (const lock of locks) lock.acquireSync();
    await waiting;
    throw new Error("died");
  },
);
