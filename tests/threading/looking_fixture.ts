import {
  type Event,
  Lock,
  sendable,
  type SharedNumber,
} from "../../threading/mod.ts";

/** A lock with fields of its own, one of which is itself. */
export class Door extends Lock {
  static {
    sendable(import.meta, this);
  }
  number = 42;
  self = this;
}

/** Takes a lock and lets go of it until it is told to stop. */
export const takeTurnsUntil = sendable(
  import.meta,
  function takeTurnsUntil(lock: Lock, stop: Event) {
    while (!stop.isSet()) {
      lock.acquireSync();
      lock.release();
    }
  },
);

/** How this thread sees a value. */
export const inspectHere = sendable(
  import.meta,
  function inspectHere(value: unknown) {
    return Deno.inspect(value);
  },
);

/** Shows a lock without an end. */
export const inspectForEver = sendable(
  import.meta,
  function inspectForEver(lock: Lock, count: SharedNumber) {
    for (;;) {
      Deno.inspect(lock);
      count.add(1);
    }
  },
);
