// What is explored in the rows of the testing suite.
import {
  Condition,
  Lock,
  sendable,
  SharedNumber,
} from "../../threading/mod.ts";

export class Shared {
  static {
    sendable(import.meta, this);
  }
  lock = new Lock();
  changed = new Condition(this.lock);
  count = new SharedNumber(0);
}

export const setup = sendable(import.meta, function setup() {
  return new Shared();
});

export const count = sendable(import.meta, function count({ lock }: Shared) {
  lock.acquireSync();
  lock.release();
});

export const wait = sendable(
  import.meta,
  function wait({ changed, count }: Shared) {
    using _ = changed.acquireSync();
    while (count.value === 0) changed.waitSync();
  },
);

export const notify = sendable(
  import.meta,
  function notify({ changed, count }: Shared) {
    using _ = changed.acquireSync();
    count.value = 1;
    changed.notify();
  },
);
