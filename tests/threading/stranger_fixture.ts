/**
 * Threads that use queues in a program whose main thread does not know them:
 * this module does not import the classes when it is loaded.
 */

import {
  type Event,
  sendable,
  type SharedMap,
  sleepSync,
} from "../../threading/mod.ts";

const queueModule = import.meta.resolve("../../queue/mod.ts");
const payload = "x".repeat(1000);

/** A queue with a hundred items. */
async function makeFull() {
  const { Queue } = await import(queueModule);
  const queue = new Queue(100);
  for (let i = 0; i < 100; i++) queue.putSync({ i, payload });
  return queue;
}

/** Holds a full queue, until it is killed. */
export const holdQueue = sendable(
  import.meta,
  async function holdQueue(ready: Event): Promise<void> {
    const queue = await makeFull();
    ready.set();
    for (;;) queue.qsize();
  },
);

/** Waits to put an item, until it is killed. */
export const waitToPut = sendable(
  import.meta,
  async function waitToPut(ready: Event): Promise<void> {
    const queue = await makeFull();
    ready.set();
    queue.putManySync(Array.from({ length: 100 }, () => ({ payload })));
  },
);

/** Leaves a full queue in a map. */
export const leaveQueue = sendable(
  import.meta,
  async function leaveQueue(
    ready: Event,
    map: SharedMap<string, unknown>,
  ): Promise<void> {
    const queue = await makeFull();
    map.set("queue", { queue });
    queue.free();
    ready.set();
  },
);

/** Knows queues, and takes care of what others have left. */
export const lookAround = sendable(
  import.meta,
  async function lookAround(): Promise<void> {
    await import(queueModule);
    sleepSync(1);
  },
);

type QueueModule = typeof import("../../queue/mod.ts");
type Pair = [Event, Event];

const kinds = ["Queue", "LifoQueue", "PriorityQueue"] as const;

async function makeQueues(maxsize: number) {
  const module = await import(queueModule) as QueueModule;
  return kinds.map((kind) => new module[kind]<number>(maxsize));
}

/** Computes until it is killed, with gets under way that are given items. */
export const stallWithItems = sendable(
  import.meta,
  async function stallWithItems(
    ready: Event,
    map: SharedMap<string, unknown>,
  ): Promise<void> {
    const queues = await makeQueues(0);
    for (const queue of queues) for (const _ of "ab") queue.get();
    map.set("queues", queues);
    ready.set();
    for (;;);
  },
);

/** Computes until it is killed, with items that it has received. */
export const stallWithDeliveries = sendable(
  import.meta,
  async function stallWithDeliveries(
    ready: Event,
    map: SharedMap<string, unknown>,
  ): Promise<void> {
    const queues = await makeQueues(0);
    const deliveries = [];
    for (const queue of queues) {
      for (const n of [1, 2]) queue.putNowait(n);
      for (const _ of "ab") deliveries.push(queue.receiveNowait());
    }
    map.set("queues", queues);
    ready.set();
    for (;;);
  },
);

/** Computes until it is killed, with puts under way that find no room. */
export const stallWithPuts = sendable(
  import.meta,
  async function stallWithPuts(
    ready: Event,
    map: SharedMap<string, unknown>,
  ): Promise<void> {
    const queues = await makeQueues(2);
    for (const queue of queues) {
      queue.putNowait(1);
      queue.putMany([7, 8]);
    }
    map.set("queues", queues);
    ready.set();
    for (;;);
  },
);

const SOON = { timeout: 30_000 };
type Queues = InstanceType<QueueModule["Queue"]>[];

async function queuesOf(map: SharedMap<string, unknown>): Promise<Queues> {
  await import(queueModule);
  return map.get("queues") as Queues;
}

/** Gives the gets of another thread items, and waits for what it leaves. */
export const inherit = sendable(
  import.meta,
  async function inherit([ready, go]: Pair, map: SharedMap<string, unknown>) {
    const queues = await queuesOf(map);
    for (const queue of queues) for (const n of [1, 2]) queue.putSync(n);
    ready.set();
    go.waitSync(SOON);
    return queues.map((queue) => [queue.getSync(SOON), queue.getSync(SOON)]);
  },
);

/** Gives the gets of another thread items, and ends. */
export const give = sendable(
  import.meta,
  async function give(ready: Event, map: SharedMap<string, unknown>) {
    const queues = await queuesOf(map);
    for (const queue of queues) for (const n of [1, 2]) queue.putSync(n);
    ready.set();
  },
);

/** Takes what other threads have left. */
export const inheritLater = sendable(
  import.meta,
  async function inheritLater(map: SharedMap<string, unknown>) {
    const taken = [];
    for (const queue of await queuesOf(map)) {
      taken.push([await queue.get(SOON), await queue.get(SOON)]);
    }
    return taken;
  },
);

/** The same without waiting. */
export const inheritNow = sendable(
  import.meta,
  async function inheritNow(map: SharedMap<string, unknown>) {
    const queues = await queuesOf(map);
    return queues.map((queue) => [queue.getNowait(), queue.getNowait()]);
  },
);

/** Waits in line behind the puts of another thread. */
export const putBehind = sendable(
  import.meta,
  async function putBehind(ready: Event, map: SharedMap<string, unknown>) {
    const queues = await queuesOf(map);
    const puts = queues.map((queue) => queue.put(5, SOON));
    ready.set();
    await Promise.all(puts);
    return queues.map((queue) => queue.getManySync(9).sort());
  },
);
