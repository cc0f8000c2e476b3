import {
  type Condition,
  Event,
  type Lock,
  type RLock,
  type Semaphore,
  sendable,
  Thread,
} from "../../threading/mod.ts";
import { sleepFor } from "../../threading/_memory/wait.ts";

/** Gives back what it gets. */
export const echo = sendable(import.meta, function echo(value: unknown) {
  return value;
});

/** Holds a lock from `held` to `go`. */
export const hold = sendable(
  import.meta,
  function hold(lock: Lock | RLock | Condition, held: Event, go: Event) {
    lock.acquireSync();
    held.set();
    go.waitSync();
    lock.release();
  },
);

/** Starts a thread that holds a lock until `go` is set. */
export async function heldElsewhere(lock: Lock | RLock) {
  const held = new Event();
  const go = new Event();
  const thread = new Thread({ target: hold, args: [lock, held, go] });
  thread.start();
  await held.wait();
  const end = async () => {
    go.set();
    await thread.join();
  };
  return { thread, go, end };
}

/** Releases after some milliseconds. */
export const releaseAfter = sendable(
  import.meta,
  function releaseAfter(lock: Lock | Semaphore, ms: number) {
    sleepFor(ms);
    lock.release();
  },
);

/** Sets an event after some milliseconds. */
export const setAfter = sendable(
  import.meta,
  function setAfter(event: Event, ms: number) {
    sleepFor(ms);
    event.set();
  },
);

/** Takes a lock and releases it, so many times. */
export const takeTurns = sendable(
  import.meta,
  function takeTurns(lock: Lock | RLock | Semaphore, times: number) {
    for (let i = 0; i < times; i++) {
      using _ = lock.acquireSync();
    }
  },
);

/** Dies while it holds a lock. */
export const dieHolding = sendable(
  import.meta,
  function dieHolding(lock: Lock | RLock | Condition) {
    lock.acquireSync();
    throw new Error("died");
  },
);
