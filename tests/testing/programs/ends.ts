// What begins and ends while others are at it: the ends of queues, handles that
// are freed, locks that are handed over, futures.
import {
  Barrier,
  Lock,
  sendable,
  SharedMap,
  SharedNumber,
  sleepSync,
} from "../../../threading/mod.ts";
import {
  Queue,
  selectSync,
  ShutDown,
  SynchronousQueue,
} from "../../../queue/mod.ts";
import { assert, assertEquals } from "@std/assert";
import { type Program, programsFrom } from "./program.ts";

export class Objects {
  static {
    sendable(import.meta, this);
  }
  queue = new Queue<number>();
  one = new Queue<number>(1);
  direct = new SynchronousQueue<number>();
  lock = new Lock();
  barrier = new Barrier(2);
  map = new SharedMap<string, SharedNumber>();
  sum = new SharedNumber(0);
  ended = new SharedNumber(0);
}

const setup = sendable(import.meta, function setupEnds() {
  return new Objects();
});

/** Its own producer is not the last: the setup's is, until it is closed. */
class Line {
  static {
    sendable(import.meta, this);
  }
  queue = new Queue<number>();
  one = new Queue<number>(1);
  producers = [this.queue.producer(), this.queue.producer()];
  consumer = this.one.consumer();
  sum = new SharedNumber(0);
  ended = new SharedNumber(0);
}

const setupLine = sendable(import.meta, function setupLine() {
  return new Line();
});

const produceFirst = sendable(
  import.meta,
  function produceFirst({ producers: [producer] }: Line) {
    producer.putSync(1);
    producer.close();
  },
);
const produceSecond = sendable(
  import.meta,
  function produceSecond({ producers: [, producer] }: Line) {
    producer.putSync(2);
    producer.close();
  },
);
const consumeAll = sendable(
  import.meta,
  function consumeAll({ queue, sum, ended }: Line) {
    for (const item of queue) sum.add(item);
    ended.add(1);
  },
);
const consumeAllAsync = sendable(
  import.meta,
  async function consumeAllAsync({ queue, sum, ended }: Line) {
    for await (const item of queue) sum.add(item);
    ended.add(1);
  },
);
const consumedAll = sendable(
  import.meta,
  function consumedAll({ sum, ended }: Line) {
    assertEquals([sum.value, ended.value], [3, 1]);
  },
);
const closeBoth = sendable(
  import.meta,
  function closeBoth({ producers: [first, second] }: Line) {
    first.close();
    second.close();
  },
);
const getUntilShutDown = sendable(
  import.meta,
  function getUntilShutDown({ queue, ended }: Line) {
    try {
      queue.getSync();
    } catch (error) {
      assert(error instanceof ShutDown);
      ended.add(1);
    }
  },
);
const bothTold = sendable(import.meta, function bothTold({ ended }: Line) {
  assertEquals(ended.value, 2);
});
/** Makes a producer while the last one may be closed. */
const produceLate = sendable(
  import.meta,
  function produceLate({ queue }: Line) {
    try {
      using producer = queue.producer();
      producer.putSync(3);
    } catch (error) {
      assert(error instanceof ShutDown);
    }
  },
);
const countAll = sendable(
  import.meta,
  function countAll({ queue, sum, ended }: Line) {
    for (const item of queue) sum.add(item);
    ended.add(queue.qsize() + 1);
  },
);
const noneOrThree = sendable(
  import.meta,
  function noneOrThree({ sum, ended }: Line) {
    assert(sum.value === 0 || sum.value === 3);
    assertEquals(ended.value, 1);
  },
);

const getAndClose = sendable(
  import.meta,
  function getAndClose({ consumer, sum }: Line) {
    sum.add(consumer.getSync());
    consumer.close();
  },
);
const putUntilShutDown = sendable(
  import.meta,
  function putUntilShutDown({ one, ended }: Line) {
    try {
      for (;;) one.putSync(1);
    } catch (error) {
      assert(error instanceof ShutDown);
      ended.add(1);
    }
  },
);
const gotAndEnded = sendable(
  import.meta,
  function gotAndEnded({ one, sum, ended }: Line) {
    assertEquals([sum.value, ended.value], [1, 1]);
    assert(one.qsize() <= 1);
  },
);

/** Holds the lock for long: a thread that waits gets it handed over. */
const holdForLong = sendable(
  import.meta,
  function holdForLong({ lock, sum }: Objects) {
    for (let i = 0; i < 2; i++) {
      lock.acquireSync();
      sleepSync(5);
      sum.value = sum.value + 1;
      lock.release();
    }
  },
);
const lockOften = sendable(
  import.meta,
  function lockOften({ lock, sum }: Objects) {
    for (let i = 0; i < 2; i++) {
      lock.acquireSync();
      sum.value = sum.value + 1;
      lock.release();
    }
  },
);
const lockInTime = sendable(
  import.meta,
  function lockInTimeOfLong({ lock, sum, ended }: Objects) {
    try {
      lock.acquireSync({ timeout: 3 });
      sum.value = sum.value + 1;
      lock.release();
    } catch (error) {
      assertEquals((error as Error).name, "TimeoutError");
      ended.add(1);
    }
  },
);
const four = sendable(import.meta, function four({ lock, sum }: Objects) {
  assertEquals([sum.value, lock.locked()], [4, false]);
});
const threeInTime = sendable(
  import.meta,
  function threeInTime({ lock, sum, ended }: Objects) {
    assertEquals([sum.value + ended.value, lock.locked()], [3, false]);
  },
);

/** Takes what another thread may take out and free. */
const useStored = sendable(
  import.meta,
  function useStored({ map, sum }: Objects) {
    const stored = map.get("key");
    if (stored === undefined) return;
    sum.add(stored.add(1));
    stored.free();
  },
);
const storeAndDelete = sendable(
  import.meta,
  function storeAndDelete({ map }: Objects) {
    const stored = new SharedNumber(1);
    map.set("key", stored);
    stored.free();
    map.delete("key");
  },
);
const sendAndFree = sendable(
  import.meta,
  function sendAndFree({ queue }: { queue: Queue<unknown> }) {
    const lock = new Lock();
    queue.putSync(lock);
    lock.free();
  },
);
const getAndFree = sendable(
  import.meta,
  function getAndFree({ queue }: { queue: Queue<unknown> }) {
    const lock = queue.getSync() as Lock;
    lock.acquireSync();
    lock.release();
    lock.free();
  },
);
/** Frees its handle while the other one waits. */
const wakeAndFree = sendable(
  import.meta,
  function wakeAndFree({ barrier }: Objects) {
    barrier.waitSync();
    barrier.free();
  },
);

const handOver = sendable(
  import.meta,
  function handOverInEnds({ direct }: Objects) {
    direct.putSync(1);
  },
);
const takeTwo = sendable(
  import.meta,
  function takeTwo({ direct, sum }: Objects) {
    sum.add(direct.getSync());
    sum.add(direct.getSync());
  },
);
const selectPut = sendable(
  import.meta,
  function selectPut({ one, direct, sum }: Objects) {
    sum.add(selectSync([[one, 1], [direct, 2]]).index * 10);
  },
);
const takeEither = sendable(
  import.meta,
  function takeEither({ one, direct, sum }: Objects) {
    sum.add(selectSync([one, direct]).value as number);
  },
);
const tookBoth = sendable(
  import.meta,
  function tookBoth({ sum, direct }: Objects) {
    assertEquals([sum.value, direct.qsize()], [2, 0]);
  },
);
const tookTheSame = sendable(
  import.meta,
  function tookTheSame({ sum, one }: Objects) {
    assert(sum.value === 1 || sum.value === 12, `${sum.value}`);
    assertEquals(one.qsize(), 0);
  },
);
const shutDown = sendable(
  import.meta,
  function shutDownInEnds({ direct }: Objects) {
    direct.shutdown();
  },
);
const takeOrEnd = sendable(
  import.meta,
  function takeOrEnd({ direct, sum }: Objects) {
    try {
      sum.add(direct.getSync());
    } catch (error) {
      assert(error instanceof ShutDown);
    }
  },
);
const handOverOrEnd = sendable(
  import.meta,
  function handOverOrEnd({ direct, ended }: Objects) {
    try {
      direct.putSync(1);
      ended.add(1);
    } catch (error) {
      assert(error instanceof ShutDown);
    }
  },
);
const asManyTaken = sendable(
  import.meta,
  function asManyTaken({ sum, ended }: Objects) {
    assertEquals(sum.value, ended.value);
  },
);

const program = programsFrom(setup);
const ofEnds = programsFrom(setupLine);

export const programs: Program[] = [
  ofEnds(
    "producers",
    1,
    [produceFirst, produceSecond, consumeAll],
    consumedAll,
  ),
  ofEnds(
    "producers, in promise form",
    1,
    [produceFirst, produceSecond, consumeAllAsync],
    consumedAll,
  ),
  ofEnds(
    "producers, the last one closed",
    1,
    [closeBoth, getUntilShutDown, getUntilShutDown],
    bothTold,
  ),
  ofEnds(
    "producers, one that comes late",
    1,
    [closeBoth, produceLate, countAll],
    noneOrThree,
  ),
  ofEnds("consumers", 2, [getAndClose, putUntilShutDown], gotAndEnded),
  program("Lock, handed over", 2, [holdForLong, lockOften], four),
  program("Lock, not in time", 2, [holdForLong, lockInTime], threeInTime),
  program("free, a stored number", 2, [useStored, storeAndDelete]),
  program("free, a lock in a queue", 2, [sendAndFree, getAndFree]),
  program("free, beside a waiter", 2, [wakeAndFree, wakeAndFree]),
  program(
    "SynchronousQueue, two that put",
    1,
    [handOver, handOver, takeTwo],
    tookBoth,
  ),
  program(
    "SynchronousQueue, shut down",
    1,
    [takeOrEnd, handOverOrEnd, shutDown],
    asManyTaken,
  ),
  program("select, put and get", 2, [selectPut, takeEither], tookTheSame),
];
