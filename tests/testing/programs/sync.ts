// What skein's locks, and the like, promise in every order of their steps.
import {
  Barrier,
  BrokenBarrierError,
  Condition,
  Event,
  isTimeout,
  Lock,
  RLock,
  RwLock,
  Semaphore,
  sendable,
  SharedNumber,
} from "../../../threading/mod.ts";
import { assert, assertEquals } from "@std/assert";
import { type Program, programsFrom } from "./program.ts";

export class Objects {
  static {
    sendable(import.meta, this);
  }
  lock = new Lock();
  rlock = new RLock();
  condition = new Condition();
  semaphore = new Semaphore(1);
  two = new Semaphore(2);
  event = new Event();
  barrier = new Barrier(2);
  rwLock = new RwLock();
  count = new SharedNumber(0);
  inside = new SharedNumber(0);
  woken = new SharedNumber(0);
}

const setup = sendable(import.meta, function setupSync() {
  return new Objects();
});

/** Fails if another thread is inside. */
function exclusively({ inside, count }: Objects, action = () => {}): void {
  assertEquals(inside.add(1), 1);
  count.value = count.value + 1;
  action();
  inside.add(-1);
}

const lockPair = sendable(import.meta, function lockPair(objects: Objects) {
  objects.lock.acquireSync();
  exclusively(objects);
  objects.lock.release();
});

const lockPairAsync = sendable(
  import.meta,
  async function lockPairAsync(objects: Objects) {
    await objects.lock.acquire();
    exclusively(objects);
    objects.lock.release();
  },
);

const lockTwice = sendable(import.meta, function lockTwice(objects: Objects) {
  lockPair(objects);
  lockPair(objects);
});

const lockInTime = sendable(
  import.meta,
  function lockInTime(objects: Objects) {
    try {
      objects.lock.acquireSync({ timeout: 5 });
    } catch (error) {
      assert(isTimeout(error));
      objects.woken.add(1);
      return;
    }
    exclusively(objects);
    objects.lock.release();
  },
);

const lockNowait = sendable(
  import.meta,
  function lockNowait(objects: Objects) {
    if (objects.lock.acquireNowait() === undefined) {
      objects.woken.add(1);
      return;
    }
    exclusively(objects);
    objects.lock.release();
  },
);

const recursive = sendable(import.meta, function recursive(objects: Objects) {
  using _ = objects.rlock.acquireSync();
  using __ = objects.rlock.acquireSync();
  exclusively(objects);
});

const wait = sendable(
  import.meta,
  function wait({ condition, count, woken }: Objects) {
    using _ = condition.acquireSync();
    while (count.value === 0) condition.waitSync();
    woken.add(1);
  },
);

const waitAsync = sendable(
  import.meta,
  async function waitAsync({ condition, count, woken }: Objects) {
    await condition.acquire();
    while (count.value === 0) await condition.wait();
    woken.add(1);
    condition.release();
  },
);

const notify = sendable(
  import.meta,
  function notify({ condition, count }: Objects) {
    using _ = condition.acquireSync();
    count.value = 1;
    condition.notify();
  },
);

const notifyAll = sendable(
  import.meta,
  function notifyAll({ condition, count }: Objects) {
    using _ = condition.acquireSync();
    count.value = 1;
    condition.notifyAll();
  },
);

/** Takes one, or gives up: then the notify is another one's. */
const takeInTime = sendable(
  import.meta,
  function takeInTime({ condition, count, woken }: Objects) {
    using _ = condition.acquireSync();
    while (count.value === 0) {
      try {
        condition.waitSync({ timeout: 5 });
      } catch (error) {
        assert(isTimeout(error));
        return;
      }
    }
    count.value = count.value - 1;
    woken.add(1);
  },
);

const take = sendable(
  import.meta,
  function take({ condition, count, woken }: Objects) {
    using _ = condition.acquireSync();
    while (count.value === 0) condition.waitSync();
    count.value = count.value - 1;
    woken.add(1);
  },
);

const giveTwo = sendable(
  import.meta,
  function giveTwo({ condition, count }: Objects) {
    for (let i = 0; i < 2; i++) {
      using _ = condition.acquireSync();
      count.value = count.value + 1;
      condition.notify();
    }
  },
);

const permit = sendable(import.meta, function permit(objects: Objects) {
  using _ = objects.semaphore.acquireSync();
  exclusively(objects);
});

const permitInTime = sendable(
  import.meta,
  function permitInTime(objects: Objects) {
    try {
      objects.semaphore.acquireSync({ timeout: 5 });
    } catch (error) {
      assert(isTimeout(error));
      objects.woken.add(1);
      return;
    }
    exclusively(objects);
    objects.semaphore.release();
  },
);

const permitAsync = sendable(
  import.meta,
  async function permitAsync(objects: Objects) {
    await objects.semaphore.acquire();
    exclusively(objects);
    objects.semaphore.release();
  },
);

const twoPermits = sendable(
  import.meta,
  function twoPermits({ two, inside, count }: Objects) {
    using _ = two.acquireManySync(2);
    assertEquals(inside.add(2), 2);
    count.add(1);
    inside.add(-2);
  },
);

const onePermit = sendable(
  import.meta,
  function onePermit({ two, inside, count }: Objects) {
    using _ = two.acquireSync();
    assert(inside.add(1) <= 2);
    count.add(1);
    inside.add(-1);
  },
);

const waitForEvent = sendable(
  import.meta,
  function waitForEvent({ event, woken }: Objects) {
    event.waitSync();
    woken.add(1);
  },
);

const waitForEventAsync = sendable(
  import.meta,
  async function waitForEventAsync({ event, woken }: Objects) {
    await event.wait();
    woken.add(1);
  },
);

const setEvent = sendable(import.meta, function setEvent({ event }: Objects) {
  event.set();
});

const meet = sendable(
  import.meta,
  function meet({ barrier, count, woken }: Objects) {
    count.add(1);
    const index = barrier.waitSync();
    assertEquals(count.value, 2);
    woken.add(1 + index);
  },
);

const meetInTime = sendable(
  import.meta,
  function meetInTime({ barrier, woken }: Objects) {
    try {
      barrier.waitSync({ timeout: 5 });
      woken.add(1);
    } catch (error) {
      assert(isTimeout(error) || error instanceof BrokenBarrierError);
      woken.add(-1);
    }
  },
);

const read = sendable(
  import.meta,
  function read({ rwLock, inside, woken }: Objects) {
    using _ = rwLock.acquireReadSync();
    assertEquals(inside.value, 0);
    woken.add(1);
  },
);

const write = sendable(import.meta, function write(objects: Objects) {
  using _ = objects.rwLock.acquireWriteSync();
  exclusively(objects);
});

const downgrade = sendable(
  import.meta,
  function downgrade(objects: Objects) {
    using guard = objects.rwLock.acquireWriteSync();
    exclusively(objects);
    using _ = guard.downgrade();
    assertEquals(objects.inside.value, 0);
  },
);

const freed = sendable(import.meta, function freed(objects: Objects) {
  const { lock } = objects;
  lock.acquireSync();
  exclusively(objects);
  lock.release();
  lock.free();
});

function counted(n: number, woken = 0) {
  return { n, woken };
}

function checkThat(
  { count, woken, lock, inside }: Objects,
  expected: { n: number; woken: number },
): void {
  const found = { n: count.value, woken: woken.value };
  assertEquals(found, expected);
  assertEquals([inside.value, lock.locked()], [0, false]);
}

const two = sendable(import.meta, function two(objects: Objects) {
  checkThat(objects, counted(2));
});
const three = sendable(import.meta, function three(objects: Objects) {
  checkThat(objects, counted(3));
});
const oneWoken = sendable(import.meta, function oneWoken(objects: Objects) {
  checkThat(objects, counted(1, 1));
});
const twoWoken = sendable(import.meta, function twoWoken(objects: Objects) {
  checkThat(objects, counted(1, 2));
});
const noneLeft = sendable(
  import.meta,
  function noneLeft({ count, woken }: Objects) {
    assertEquals(count.value + woken.value, 2);
  },
);
const allThree = sendable(
  import.meta,
  function allThree({ count, woken }: Objects) {
    assertEquals(count.value + woken.value, 3);
  },
);
const eventSet = sendable(
  import.meta,
  function eventSet(objects: Objects) {
    checkThat(objects, counted(0, 2));
  },
);
const met = sendable(import.meta, function met(objects: Objects) {
  // The indices are 0 and 1.
  checkThat(objects, counted(2, 3));
});
const bothOrNone = sendable(
  import.meta,
  function bothOrNone({ woken }: Objects) {
    assertEquals(Math.abs(woken.value), 2);
  },
);
const readAndWritten = sendable(
  import.meta,
  function readAndWritten(objects: Objects) {
    checkThat(objects, counted(1, 2));
    assertEquals(objects.rwLock.readers(), 0);
    assertEquals(objects.rwLock.locked(), false);
  },
);

const program = programsFrom(setup);

export const programs: Program[] = [
  program("Lock", 3, [lockPair, lockPair], two),
  program("Lock, again and again", 2, [lockTwice, lockPair], three),
  program("Lock, of three", 2, [lockPair, lockPair, lockPair], three),
  program("Lock, in promise form", 2, [lockPairAsync, lockPair], two),
  program("Lock, with a timeout", 2, [lockInTime, lockPair], noneLeft),
  program(
    "Lock, timeout of three",
    1,
    [lockInTime, lockPair, lockPair],
    allThree,
  ),
  program("Lock, without waiting", 2, [lockNowait, lockPair], noneLeft),
  program("Lock, freed", 2, [freed, freed], two),
  program("RLock", 2, [recursive, recursive], two),
  program("Condition", 2, [wait, notify], oneWoken),
  program("Condition, in promise form", 2, [waitAsync, notify], oneWoken),
  program("Condition, all", 1, [wait, wait, notifyAll], twoWoken),
  program(
    "Condition, with a timeout",
    1,
    [takeInTime, take, giveTwo],
    noneLeft,
  ),
  program("Semaphore", 3, [permit, permit], two),
  program("Semaphore, with a timeout", 2, [permitInTime, permit], noneLeft),
  program("Semaphore, in promise form", 2, [permitAsync, permit], two),
  program("Semaphore, several", 1, [twoPermits, onePermit, onePermit], three),
  program("Event", 1, [waitForEvent, waitForEvent, setEvent], eventSet),
  program("Event, in promise form", 1, [
    waitForEventAsync,
    waitForEvent,
    setEvent,
  ], eventSet),
  program("Barrier", 2, [meet, meet], met),
  program("Barrier, with a timeout", 2, [meetInTime, meetInTime], bothOrNone),
  program("RwLock", 1, [read, read, write], readAndWritten),
  program("RwLock, downgrade", 1, [downgrade, read, read], readAndWritten),
  program("one permit at a time", 2, [permit, permit, permit], three),
];
