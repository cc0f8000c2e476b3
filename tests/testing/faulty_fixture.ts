// Small programs with a fault that an order of the steps brings about.
import {
  Condition,
  Event,
  Lock,
  sendable,
  SharedList,
  SharedMap,
  SharedNumber,
  sleepSync,
  startTrace,
} from "../../threading/mod.ts";
import { assertEquals } from "@std/assert";

/** What two threads count in, with locks that they may take. */
export class Shared {
  static {
    sendable(import.meta, this);
  }
  a = new Lock();
  b = new Lock();
  count = new SharedNumber(0);
  items = new SharedMap<string, number>();
}

export const makeShared = sendable(import.meta, function makeShared() {
  return new Shared();
});

export const countUnlocked = sendable(
  import.meta,
  function countUnlocked({ count }: Shared) {
    count.value = count.value + 1;
  },
);

export const countLocked = sendable(
  import.meta,
  function countLocked({ a, count }: Shared) {
    using _ = a.acquireSync();
    count.value = count.value + 1;
  },
);

export const countLockedAsync = sendable(
  import.meta,
  async function countLockedAsync({ a, count }: Shared) {
    using _ = await a.acquire();
    count.value = count.value + 1;
  },
);

export const countedTwo = sendable(
  import.meta,
  function countedTwo({ count }: Shared) {
    assertEquals(count.value, 2);
  },
);

/** The chapter's getitem: what is not there is made, perhaps twice. */
export const getitem = sendable(
  import.meta,
  function getitem({ items, count }: Shared) {
    if (!items.has("key")) items.set("key", count.add(1));
  },
);

export const madeOnce = sendable(
  import.meta,
  function madeOnce({ count }: Shared) {
    assertEquals(count.value, 1);
  },
);

export const firstAThenB = sendable(
  import.meta,
  function firstAThenB({ a, b }: Shared) {
    using _ = a.acquireSync();
    using __ = b.acquireSync();
  },
);

export const firstBThenA = sendable(
  import.meta,
  function firstBThenA({ a, b }: Shared) {
    using _ = b.acquireSync();
    using __ = a.acquireSync();
  },
);

/** Spins until another thread has counted, which none does. */
export const spin = sendable(import.meta, function spin({ count }: Shared) {
  while (count.value === 0);
});

/** Spins until another thread has counted. */
export const count = sendable(import.meta, function count({ count }: Shared) {
  count.add(1);
});

export const waitBriefly = sendable(
  import.meta,
  function waitBriefly({ a, count }: Shared) {
    try {
      a.acquireSync({ timeout: 1000 });
    } catch {
      count.add(1);
      return;
    }
    a.release();
  },
);

export const holdForLong = sendable(
  import.meta,
  function holdForLong({ a }: Shared) {
    using _ = a.acquireSync();
    sleepSync(1_000_000);
  },
);

export const timedOut = sendable(
  import.meta,
  function timedOut({ count }: Shared) {
    assertEquals(count.value, 0);
  },
);

/** A mailbox that is looked into before it is waited for. */
export class Mailbox {
  static {
    sendable(import.meta, this);
  }
  letters = new SharedNumber(0);
  arrived = new Condition();
  event = new Event();
}

export const makeMailbox = sendable(import.meta, function makeMailbox() {
  return new Mailbox();
});

export const send = sendable(
  import.meta,
  function send({ letters, arrived }: Mailbox) {
    using _ = arrived.acquireSync();
    letters.value = 1;
    arrived.notify();
  },
);

/** Looks, and only then takes the lock and waits. */
export const lookThenWait = sendable(
  import.meta,
  function lookThenWait({ letters, arrived }: Mailbox) {
    if (letters.value > 0) return;
    using _ = arrived.acquireSync();
    arrived.waitSync();
  },
);

/** Looks with the lock. */
export const waitForLetter = sendable(
  import.meta,
  function waitForLetter({ letters, arrived }: Mailbox) {
    using _ = arrived.acquireSync();
    while (letters.value === 0) arrived.waitSync();
  },
);

/** Takes for granted that the other one begins within a second. */
export const expectInTime = sendable(
  import.meta,
  function expectInTime({ letters, event }: Mailbox) {
    try {
      event.waitSync({ timeout: 1000 });
    } catch {
      assertEquals(letters.value, 1);
    }
  },
);

export const sendLater = sendable(
  import.meta,
  function sendLater({ letters, event }: Mailbox) {
    letters.value = 1;
    event.set();
  },
);

/** A bounded buffer with one Condition, where two are needed. */
export class Buffer {
  static {
    sendable(import.meta, this);
  }
  items = new SharedList<number>();
  changed = new Condition();
}

export const makeBuffer = sendable(import.meta, function makeBuffer() {
  return new Buffer();
});

export const putOne = sendable(
  import.meta,
  function putOne({ items, changed }: Buffer) {
    using _ = changed.acquireSync();
    while (items.length() === 1) changed.waitSync();
    items.push(1);
    changed.notify();
  },
);

export const putTwo = sendable(
  import.meta,
  function putTwo(buffer: Buffer) {
    putOne(buffer);
    putOne(buffer);
  },
);

export const getOne = sendable(
  import.meta,
  function getOne({ items, changed }: Buffer) {
    using _ = changed.acquireSync();
    while (items.length() === 0) changed.waitSync();
    items.pop();
    changed.notify();
  },
);

/** Keeps a handle that only this run was to have. */
const kept: Lock[] = [];
export const makeOne = sendable(import.meta, function makeOne() {
  return {};
});
export const makeAndKeep = sendable(import.meta, function makeAndKeep() {
  kept.push(new Lock());
});

export const traceItself = sendable(import.meta, function traceItself() {
  startTrace({ path: "/tmp/never-written.json" });
});
