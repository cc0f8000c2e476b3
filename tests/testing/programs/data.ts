// What maps and queues promise in every order of their steps.
import {
  Event,
  isTimeout,
  sendable,
  SharedList,
  SharedMap,
  SharedNumber,
} from "../../../threading/mod.ts";
import {
  LifoQueue,
  PriorityQueue,
  Queue,
  receiving,
  selectSync,
  ShutDown,
  SimpleQueue,
  SynchronousQueue,
} from "../../../queue/mod.ts";
import { assert, assertEquals } from "@std/assert";
import { type Program, programsFrom } from "./program.ts";

export class Objects {
  static {
    sendable(import.meta, this);
  }
  map = new SharedMap<string, number>();
  list = new SharedList<number>();
  made = new SharedNumber(0);
  sum = new SharedNumber(0);
  event = new Event();
  one = new Queue<number>(1);
  queue = new Queue<number>();
  lifo = new LifoQueue<number>(1);
  priority = new PriorityQueue<number>(1);
  simple = new SimpleQueue<number>();
  direct = new SynchronousQueue<number>();
}

const setup = sendable(import.meta, function setupData() {
  return new Objects();
});

const getOrCreate = sendable(
  import.meta,
  function getOrCreate({ map, made, sum }: Objects) {
    sum.add(map.getOrCreateSync("key", () => made.add(1)));
  },
);
const createdOnce = sendable(
  import.meta,
  function createdOnce({ made, sum }: Objects) {
    assertEquals([made.value, sum.value], [1, 2]);
  },
);

const update = sendable(import.meta, function update({ map }: Objects) {
  map.updateSync("key", (n = 0) => n + 1);
});
const updatedTwice = sendable(
  import.meta,
  function updatedTwice({ map }: Objects) {
    assertEquals(map.get("key"), 2);
  },
);

const setIfAbsent = sendable(
  import.meta,
  function setIfAbsent({ map, made }: Objects) {
    if (map.setIfAbsent("key", 1)) made.add(1);
  },
);
const setOnce = sendable(import.meta, function setOnce({ made }: Objects) {
  assertEquals(made.value, 1);
});

const push = sendable(import.meta, function push({ list }: Objects) {
  list.push(1, 2);
});
const pushed = sendable(import.meta, function pushed({ list }: Objects) {
  assertEquals([...list], [1, 2, 1, 2]);
});

const putOne = sendable(import.meta, function putOneItem({ one }: Objects) {
  one.putSync(1);
});
const putTwo = sendable(import.meta, function putTwoItems({ one }: Objects) {
  one.putSync(1);
  one.putSync(2);
});
const getOne = sendable(
  import.meta,
  function getOneItem({ one, sum }: Objects) {
    sum.add(one.getSync());
  },
);
const getTwo = sendable(
  import.meta,
  function getTwoItems({ one, sum }: Objects) {
    assertEquals(one.getSync(), 1);
    assertEquals(one.getSync(), 2);
    sum.add(3);
  },
);
const getTwice = sendable(
  import.meta,
  function getTwice(objects: Objects) {
    getOne(objects);
    getOne(objects);
  },
);
/** The first item makes the ring, the second goes into it. */
const putIntoRing = sendable(
  import.meta,
  function putIntoRing({ queue }: Objects) {
    queue.putSync(1);
    queue.putSync(2);
  },
);
const getFromRing = sendable(
  import.meta,
  function getFromRing({ queue }: Objects) {
    assertEquals([queue.getSync(), queue.getSync()], [1, 2]);
  },
);
const getOneAsync = sendable(
  import.meta,
  async function getOneItemAsync({ one, sum }: Objects) {
    sum.add(await one.get());
  },
);
const getInTime = sendable(
  import.meta,
  function getInTime({ one, sum }: Objects) {
    try {
      sum.add(one.getSync({ timeout: 5 }));
    } catch (error) {
      assert(isTimeout(error));
      sum.add(one.getSync());
    }
  },
);
const shutDown = sendable(import.meta, function shutDown({ one }: Objects) {
  one.shutdown();
});
const getUntilEnd = sendable(
  import.meta,
  function getUntilEnd({ one, sum }: Objects) {
    try {
      for (;;) sum.add(one.getSync());
    } catch (error) {
      assert(error instanceof ShutDown);
    }
  },
);
const putThenShutDown = sendable(
  import.meta,
  function putThenShutDown({ one }: Objects) {
    one.putSync(3);
    one.shutdown();
  },
);
const sumIsThree = sendable(
  import.meta,
  function sumIsThree({ sum, one }: Objects) {
    assertEquals([sum.value, one.qsize()], [3, 0]);
  },
);
const sumIsTwo = sendable(
  import.meta,
  function sumIsTwo({ sum, one }: Objects) {
    assertEquals([sum.value, one.qsize()], [2, 0]);
  },
);

const receiveOne = sendable(
  import.meta,
  function receiveOne({ one, sum }: Objects) {
    using delivery = one.receiveSync();
    sum.add(delivery.item);
    delivery.ack();
  },
);
const receiveAndReturn = sendable(
  import.meta,
  function receiveAndReturn({ one }: Objects) {
    one.receiveSync().nak();
  },
);

const returned = sendable(import.meta, function returned({ one }: Objects) {
  assertEquals(one.getNowait(), 1);
});

const putKinds = sendable(
  import.meta,
  function putKinds({ lifo, priority, simple }: Objects) {
    lifo.putSync(1);
    priority.putSync(2);
    simple.putNowait(3);
  },
);
const getKinds = sendable(
  import.meta,
  function getKinds({ lifo, priority, simple, sum }: Objects) {
    sum.add(lifo.getSync() + priority.getSync() + simple.getSync());
  },
);
const sumIsSix = sendable(import.meta, function sumIsSix({ sum }: Objects) {
  assertEquals(sum.value, 6);
});

const handOver = sendable(import.meta, function handOver({ direct }: Objects) {
  direct.putSync(3);
});
const takeOver = sendable(
  import.meta,
  function takeOver({ direct, sum }: Objects) {
    sum.add(direct.getSync());
  },
);

const selectOne = sendable(
  import.meta,
  function selectOne({ one, queue, sum }: Objects) {
    sum.add(selectSync([one, queue]).value as number);
  },
);
const putElsewhere = sendable(
  import.meta,
  function putElsewhere({ queue }: Objects) {
    queue.putSync(2);
  },
);
const oneIsLeft = sendable(
  import.meta,
  function oneIsLeft({ one, queue, sum }: Objects) {
    const left = one.qsize() + 2 * queue.qsize();
    assertEquals(sum.value + left, 3);
  },
);
const twoOrLeft = sendable(
  import.meta,
  function twoOrLeft({ queue, sum }: Objects) {
    assertEquals(sum.value + 2 * queue.qsize(), 2);
  },
);
const selectBoth = sendable(
  import.meta,
  function selectBoth(objects: Objects) {
    selectOne(objects);
    selectOne(objects);
  },
);
/** Adds what comes until the event is set. */
const selectUntilSet = sendable(
  import.meta,
  function selectUntilSet({ one, queue, event, sum }: Objects) {
    for (;;) {
      const { index, value } = selectSync([one, queue, event]);
      if (index === 2) return;
      sum.add(value as number);
    }
  },
);
const setEvent = sendable(import.meta, function setEvent({ event }: Objects) {
  event.set();
});
const selectDelivery = sendable(
  import.meta,
  function selectDelivery({ one, sum }: Objects) {
    const { value } = selectSync([receiving(one)]);
    sum.add(value.item);
    value.ack();
  },
);

const program = programsFrom(setup);

export const programs: Program[] = [
  program(
    "SharedMap.getOrCreateSync",
    2,
    [getOrCreate, getOrCreate],
    createdOnce,
  ),
  program("SharedMap.updateSync", 2, [update, update], updatedTwice),
  program("SharedMap.setIfAbsent", 2, [setIfAbsent, setIfAbsent], setOnce),
  program("SharedList.push", 2, [push, push], pushed),
  program("Queue", 2, [putOne, getOne]),
  program("Queue, unbounded", 2, [putIntoRing, getFromRing]),
  program("Queue, bounded", 2, [putTwo, getTwo], sumIsThree),
  program("Queue, two that get", 1, [putTwo, getOne, getOne], sumIsThree),
  program("Queue, two that put", 1, [putOne, putOne, getTwice], sumIsTwo),
  program(
    "Queue, in promise form",
    1,
    [putTwo, getOne, getOneAsync],
    sumIsThree,
  ),
  program("Queue, with a timeout", 1, [putTwo, getInTime, getOne], sumIsThree),
  program("Queue, shut down", 2, [getUntilEnd, shutDown]),
  program("Queue, emptied", 2, [getUntilEnd, putThenShutDown], sumIsThree),
  program("Queue, deliveries", 2, [receiveOne, putOne]),
  program("Queue, nak", 2, [receiveAndReturn, putOne], returned),
  program("Queue, other kinds", 2, [putKinds, getKinds], sumIsSix),
  program("SynchronousQueue", 2, [handOver, takeOver], sumIsThree),
  program("select", 1, [selectOne, putOne, putElsewhere], oneIsLeft),
  program("select, twice", 1, [selectBoth, putOne, putElsewhere], oneIsLeft),
  program("select, a delivery", 2, [selectDelivery, putOne]),
  program(
    "select, until an event",
    2,
    [selectUntilSet, putElsewhere, setEvent],
    twoOrLeft,
  ),
];
