// What skein promises if a thread dies: the first of each program is killed.
import { OwnerDiedError } from "../../../threading/mod.ts";
import {
  Barrier,
  BrokenBarrierError,
  Condition,
  isTimeout,
  Lock,
  RLock,
  RwLock,
  Semaphore,
  sendable,
  SharedMap,
  SharedNumber,
} from "../../../threading/mod.ts";
import { Queue, ShutDown, SynchronousQueue } from "../../../queue/mod.ts";
import { selectSync } from "../../../queue/mod.ts";
import { Event } from "../../../threading/mod.ts";
import { assert, assertEquals } from "@std/assert";
import { type Program, programsFrom } from "./program.ts";

/** What this thread takes part in. */
let own: Objects | undefined;

const act = sendable(import.meta, function actDying() {
  own!.count.add(1);
});

export class Objects {
  static {
    sendable(import.meta, this);
  }
  lock = new Lock();
  rlock = new RLock();
  condition = new Condition();
  semaphore = new Semaphore(0);
  rwLock = new RwLock();
  event = new Event();
  barrier = new Barrier(2);
  acting = new Barrier(2, { action: act });
  map = new SharedMap<string, number>();
  queue = new Queue<number>();
  one = new Queue<number>(1);
  direct = new SynchronousQueue<number>();
  count = new SharedNumber(0);
  taken = new SharedNumber(0);
  inside = new SharedNumber(0);
}

const setup = sendable(import.meta, function setupDeaths() {
  return new Objects();
});

/** Does something, and once more when a lock that a dead thread held is mended. */
function survive<R>(lock: { recover(): void }, action: () => R): R {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof OwnerDiedError)) throw error;
    lock.recover();
    return action();
  }
}

/** Whether the lock can be had. */
function checkFree(lock: Lock | RLock): void {
  const again = survive(lock, () => lock.acquireNowait());
  assert(again !== undefined, "the lock is held by nobody");
  again.release();
}

const useLock = sendable(import.meta, function useLock({ lock }: Objects) {
  lock.acquireSync();
  lock.release();
});
const surviveLock = sendable(
  import.meta,
  function surviveLock({ lock, count }: Objects) {
    survive(lock, () => {
      lock.acquireSync();
      count.add(1);
      lock.release();
    });
  },
);
const lockIsFree = sendable(
  import.meta,
  function lockIsFree({ lock, count }: Objects) {
    assert(count.value >= 1);
    checkFree(lock);
  },
);

const useRLock = sendable(import.meta, function useRLock({ rlock }: Objects) {
  using _ = rlock.acquireSync();
  using __ = rlock.acquireSync();
});
const surviveRLock = sendable(
  import.meta,
  function surviveRLock({ rlock, count }: Objects) {
    survive(rlock, () => {
      using _ = rlock.acquireSync();
      using __ = rlock.acquireSync();
      count.add(1);
    });
  },
);
const rlockIsFree = sendable(
  import.meta,
  function rlockIsFree({ rlock, count }: Objects) {
    assert(count.value >= 1);
    checkFree(rlock);
  },
);

/** Waits until there is one, and takes it. */
function take({ condition, count }: Objects): void {
  using _ = condition.acquireSync();
  while (count.value === 0) condition.waitSync();
  count.value = count.value - 1;
}
const takeOne = sendable(import.meta, function takeOne(objects: Objects) {
  take(objects);
});
const surviveCondition = sendable(
  import.meta,
  function surviveCondition(objects: Objects) {
    survive(objects.condition, () => take(objects));
    objects.taken.add(1);
  },
);
/** Two, one after the other, each for one of those that wait. */
const giveTwo = sendable(import.meta, function giveTwo(objects: Objects) {
  const { condition, count } = objects;
  for (let i = 0; i < 2; i++) {
    survive(condition, () => {
      using _ = condition.acquireSync();
      count.value = count.value + 1;
      condition.notify();
    });
  }
});
const otherTook = sendable(
  import.meta,
  function otherTook({ taken }: Objects) {
    assertEquals(taken.value, 1);
  },
);

const acquirePermit = sendable(
  import.meta,
  function acquirePermit({ semaphore }: Objects) {
    semaphore.acquireSync();
  },
);
const acquireAnother = sendable(
  import.meta,
  function acquireAnother({ semaphore, taken }: Objects) {
    semaphore.acquireSync();
    taken.add(1);
  },
);
const releaseTwo = sendable(
  import.meta,
  function releaseTwo({ semaphore }: Objects) {
    semaphore.release();
    semaphore.release();
  },
);

const awaitEvent = sendable(
  import.meta,
  function awaitEventDying({ event }: Objects) {
    event.waitSync();
  },
);
const awaitAfter = sendable(
  import.meta,
  function awaitEventAfter({ event, taken }: Objects) {
    event.waitSync();
    taken.add(1);
  },
);
/** Also if another one died in the middle of it. */
const setEvent = sendable(
  import.meta,
  function setEventDying({ event }: Objects) {
    event.set();
  },
);
const eventIsSet = sendable(
  import.meta,
  function eventIsSetAfter({ event, taken }: Objects) {
    assertEquals([event.isSet(), taken.value], [true, 1]);
    event.clear();
    assertEquals(event.isSet(), false);
  },
);

/**
 * Meets the other, or gives up before the round is complete. From then on nobody
 * can, and whoever died in the action has to be noticed.
 */
function meetInTime(barrier: Barrier, { taken }: Objects): void {
  try {
    barrier.waitSync({ timeout: 1000 });
    taken.add(1);
  } catch (error) {
    assert(isTimeout(error) || error instanceof BrokenBarrierError);
  }
}
const meet = sendable(import.meta, function meetDying(objects: Objects) {
  meetInTime(objects.barrier, objects);
});
const meetAfter = sendable(import.meta, function meetAfter(objects: Objects) {
  meetInTime(objects.barrier, objects);
});
/** A party that gave up, or died, is none, and breaks nothing. */
const isUnharmed = sendable(
  import.meta,
  function isUnharmed({ barrier, taken }: Objects) {
    assert(taken.value <= 2);
    assertEquals([barrier.broken(), barrier.nWaiting()], [false, 0]);
  },
);

const meetActing = sendable(
  import.meta,
  function meetActingDying(objects: Objects) {
    own = objects;
    meetInTime(objects.acting, objects);
  },
);
const meetActingAfter = sendable(
  import.meta,
  function meetActingAfter(objects: Objects) {
    own = objects;
    meetInTime(objects.acting, objects);
  },
);
const actedOrBroken = sendable(
  import.meta,
  function actedOrBroken({ acting, count, taken }: Objects) {
    assertEquals(acting.nWaiting(), 0);
    assert(count.value === 1 || taken.value === 0);
    acting.reset();
    assertEquals(acting.broken(), false);
  },
);

const write = sendable(import.meta, function write({ rwLock }: Objects) {
  using _ = rwLock.acquireWriteSync();
});
const read = sendable(import.meta, function readDying({ rwLock }: Objects) {
  using _ = rwLock.acquireReadSync();
});
const writeAfter = sendable(
  import.meta,
  function writeAfter({ rwLock, taken }: Objects) {
    using _ = survive(rwLock, () => rwLock.acquireWriteSync());
    taken.add(1);
  },
);
/** A reader that dies poisons nothing. */
const writeUnharmed = sendable(
  import.meta,
  function writeUnharmed({ rwLock, taken }: Objects) {
    using _ = rwLock.acquireWriteSync();
    taken.add(1);
  },
);
const rwIsFree = sendable(
  import.meta,
  function rwIsFree({ rwLock, taken }: Objects) {
    assertEquals(taken.value, 1);
    using guard = survive(rwLock, () => rwLock.acquireWriteNowait());
    assert(guard !== undefined);
    assertEquals(rwLock.readers(), 0);
  },
);

const create = sendable(
  import.meta,
  function createDying({ map, count }: Objects) {
    map.getOrCreateSync("key", () => count.add(1));
  },
);
const createAfter = sendable(
  import.meta,
  function createAfter({ map, count, taken }: Objects) {
    taken.value = map.getOrCreateSync("key", () => count.add(1));
  },
);
const created = sendable(
  import.meta,
  function createdAfter({ map, count, taken }: Objects) {
    assertEquals([map.get("key"), map.size()], [taken.value, 1]);
    // Twice only if the first one died before its value was there.
    assert(count.value === taken.value);
  },
);
const update = sendable(
  import.meta,
  function updateDying({ map }: Objects) {
    map.updateSync("key", (old = 0) => old + 1);
  },
);
const updateAfter = sendable(
  import.meta,
  function updateAfter({ map, taken }: Objects) {
    taken.value = map.updateSync("key", (old = 0) => old + 1);
  },
);
const updated = sendable(
  import.meta,
  function updatedAfter({ map, taken }: Objects) {
    const value = map.get("key")!;
    assert(value === taken.value || value === taken.value + 1);
    assert(value <= 2);
  },
);

/** What comes in time, one after the other, as the digits of a number. */
function drain(queue: { getSync(options: { timeout: number }): number }) {
  let items = 0;
  for (;;) {
    try {
      items = items * 10 + queue.getSync({ timeout: 1000 });
    } catch (error) {
      if (isTimeout(error)) return items;
      throw error;
    }
  }
}
const putTwo = sendable(import.meta, function putTwoDying({ one }: Objects) {
  one.putSync(1);
  one.putSync(2);
});
const getAll = sendable(
  import.meta,
  function getAllAfter({ one, taken }: Objects) {
    taken.value = drain(one);
  },
);
const prefix = sendable(
  import.meta,
  function gotPrefix({ one, taken }: Objects) {
    // The timeout may have passed early: the rest is still there.
    let items = taken.value;
    while (one.qsize() > 0) items = items * 10 + one.getNowait();
    assert([0, 1, 12].includes(items), `${items}`);
    one.putNowait(3);
    assertEquals([one.qsize(), one.getNowait()], [1, 3]);
  },
);
const getOne = sendable(import.meta, function getOneDying({ one }: Objects) {
  one.getSync();
});
const putBoth = sendable(import.meta, function putBothAfter({ one }: Objects) {
  one.putSync(1);
  one.putSync(2);
});
const getAnother = sendable(
  import.meta,
  function getAnotherAfter({ one, taken }: Objects) {
    taken.value = one.getSync();
  },
);
const gotOne = sendable(
  import.meta,
  function gotOneAfter({ one, taken }: Objects) {
    const got = taken.value;
    assert(got === 1 || got === 2);
    // The dead one had at most one of them.
    assert(one.qsize() <= 1);
    if (one.qsize() === 1) assertEquals(got + one.getNowait(), 3);
    one.putNowait(3);
    assertEquals([one.qsize(), one.getNowait()], [1, 3]);
  },
);

const receiveAndAck = sendable(
  import.meta,
  function receiveAndAck({ queue }: Objects) {
    queue.receiveSync().ack();
  },
);
const receiveAndNak = sendable(
  import.meta,
  function receiveAndNakDying({ queue }: Objects) {
    queue.receiveSync().nak();
  },
);
const putOne = sendable(
  import.meta,
  function putOneAfter({ queue }: Objects) {
    queue.putSync(1);
  },
);
/** What came back is there; without one, all was done. */
const doneOnce = sendable(
  import.meta,
  function doneOnce({ queue }: Objects) {
    const left = queue.qsize();
    assert(left <= 1);
    if (left === 1) {
      using delivery = queue.receiveNowait();
      assertEquals(delivery.item, 1);
      delivery.ack();
    }
    queue.joinSync({ timeout: 1000 });
  },
);
const isBack = sendable(
  import.meta,
  function isBack({ queue }: Objects) {
    queue.receiveNowait().ack();
    queue.joinSync({ timeout: 1000 });
  },
);
/** The item is another one's when the first one dies with it. */
const receiveAfter = sendable(
  import.meta,
  function receiveAfter({ queue, taken }: Objects) {
    queue.receiveSync().ack();
    taken.add(1);
  },
);
const putTwoItems = sendable(
  import.meta,
  function putTwoItemsAfter({ queue }: Objects) {
    queue.putSync(1);
    queue.putSync(1);
  },
);
const bothDone = sendable(
  import.meta,
  function bothDone(objects: Objects) {
    assertEquals(objects.taken.value, 1);
    doneOnce(objects);
  },
);

const handOver = sendable(
  import.meta,
  function handOverDying({ direct }: Objects) {
    direct.putSync(1);
  },
);
const takeInTime = sendable(
  import.meta,
  function takeInTime({ direct, taken }: Objects) {
    taken.value = drain(direct);
  },
);
const atMostOnce = sendable(
  import.meta,
  function atMostOnce({ taken, direct }: Objects) {
    assert(taken.value <= 1);
    assertEquals(direct.qsize(), 0);
  },
);

const produce = sendable(
  import.meta,
  function produceDying({ queue, event }: Objects) {
    const producer = queue.producer();
    event.set();
    producer.putSync(1);
    producer.close();
  },
);
/** Its producer gone, the queue ends. */
const consume = sendable(
  import.meta,
  function consumeAfter({ queue, event, taken }: Objects) {
    try {
      event.waitSync({ timeout: 1000 });
    } catch (error) {
      if (isTimeout(error)) return;
      throw error;
    }
    for (const item of queue) taken.add(item);
    try {
      queue.putNowait(1);
    } catch (error) {
      assert(error instanceof ShutDown);
      return;
    }
    throw new Error("the queue has no producer, and is open");
  },
);
const consumedAtMostOne = sendable(
  import.meta,
  function consumedAtMostOne({ taken }: Objects) {
    assert(taken.value <= 1);
  },
);
const consumeAndDie = sendable(
  import.meta,
  function consumeAndDie({ one, event }: Objects) {
    const consumer = one.consumer();
    event.set();
    consumer.getSync();
    consumer.close();
  },
);
/** Nobody left to get anything, the put ends. */
const produceAfter = sendable(
  import.meta,
  function produceAfter({ one, event }: Objects) {
    try {
      event.waitSync({ timeout: 1000 });
    } catch (error) {
      if (isTimeout(error)) return;
      throw error;
    }
    try {
      for (;;) one.putSync(1);
    } catch (error) {
      assert(error instanceof ShutDown);
    }
  },
);

const selectAndDie = sendable(
  import.meta,
  function selectAndDie({ one, queue }: Objects) {
    selectSync([one, queue]);
  },
);
const putIntoBoth = sendable(
  import.meta,
  function putIntoBoth({ one, queue }: Objects) {
    one.putSync(1);
    queue.putSync(2);
  },
);
const oneAtMostGone = sendable(
  import.meta,
  function oneAtMostGone({ one, queue }: Objects) {
    assert(one.qsize() + queue.qsize() >= 1);
    if (one.qsize() === 1) assertEquals(one.getNowait(), 1);
    if (queue.qsize() === 1) assertEquals(queue.getNowait(), 2);
    one.putNowait(1);
    queue.putNowait(1);
  },
);

const program = programsFrom(setup);

/** The first thread dies. */
export const deaths: Program[] = [
  program("Lock", 1, [useLock, surviveLock], lockIsFree),
  program("Lock, of three", 0, [useLock, surviveLock, surviveLock], lockIsFree),
  program("RLock", 1, [useRLock, surviveRLock], rlockIsFree),
  program("Condition", 0, [takeOne, surviveCondition, giveTwo], otherTook),
  program(
    "Semaphore",
    0,
    [acquirePermit, acquireAnother, releaseTwo],
    otherTook,
  ),
  program("Event", 0, [awaitEvent, awaitAfter, setEvent], eventIsSet),
  program("Event, set", 0, [setEvent, awaitAfter, setEvent], eventIsSet),
  program("Barrier", 1, [meet, meetAfter], isUnharmed),
  program(
    "Barrier, with an action",
    1,
    [meetActing, meetActingAfter],
    actedOrBroken,
  ),
  program("RwLock, a writer", 1, [write, writeAfter], rwIsFree),
  program("RwLock, a reader", 1, [read, writeUnharmed], rwIsFree),
  program("SharedMap.getOrCreateSync", 1, [create, createAfter], created),
  program("SharedMap.updateSync", 1, [update, updateAfter], updated),
  program("Queue, put", 0, [putTwo, getAll], prefix),
  program("Queue, get", 0, [getOne, putBoth, getAnother], gotOne),
  program("Queue, ack", 1, [receiveAndAck, putOne], doneOnce),
  program("Queue, nak", 1, [receiveAndNak, putOne], isBack),
  program(
    "Queue, of a dead one",
    0,
    [receiveAndAck, receiveAfter, putTwoItems],
    bothDone,
  ),
  program("Queue, its producer", 0, [produce, consume], consumedAtMostOne),
  program("Queue, its consumer", 0, [consumeAndDie, produceAfter]),
  program("SynchronousQueue", 0, [handOver, takeInTime], atMostOnce),
  program("select", 0, [selectAndDie, putIntoBoth], oneAtMostGone),
];
