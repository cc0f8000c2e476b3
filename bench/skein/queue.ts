// The rows of the queue suite with skein.
// Run: deno run -A queue.ts ROW; prints {"name", "ns"} or {"name", "bytes"}.
import {
  PriorityQueue,
  Queue,
  selectSync,
  SynchronousQueue,
} from "../../queue/mod.ts";
import { Thread } from "../../threading/mod.ts";
import { main, perCall } from "../_measure.ts";
import * as work from "./queue_workers.ts";

const MAXSIZE = 1024;

// The main thread awaits the others: if it blocked, it would be given a sentinel
// after a while, a further worker, whose start would be measured with them.

async function oneToOne(kind: string, count: number): Promise<number> {
  const queue = new Queue<unknown>(kind === "bytes" ? 64 : MAXSIZE);
  const warm = Math.min(work.WARM, count);
  const consumer = new Thread({
    target: work.consume,
    args: [queue, warm, count],
  });
  const producer = new Thread({
    target: work.produce,
    args: [queue, kind, warm + count],
  });
  consumer.start();
  producer.start();
  await producer.join();
  return await consumer.join();
}

async function many(): Promise<number> {
  const queue = new Queue<number>(MAXSIZE);
  const count = 3_000_000;
  const warm = work.BATCH * 20_000;
  const consumer = new Thread({
    target: work.consumeMany,
    args: [queue, warm, count],
  });
  const producer = new Thread({
    target: work.produceMany,
    args: [queue, warm + count + work.BATCH],
  });
  consumer.start();
  producer.start();
  await producer.join();
  return await consumer.join();
}

async function fourToFour(): Promise<number> {
  const queue = new Queue<unknown>(MAXSIZE);
  const count = 250_000;
  const warm = work.WARM;
  const threads = Array.from({ length: 4 }, () =>
    new Thread({
      target: work.consume,
      args: [queue, warm, count],
    }));
  const producers = Array.from({ length: 4 }, () =>
    new Thread({
      target: work.produce,
      args: [queue, "number", warm + count],
    }));
  for (const thread of [...threads, ...producers]) thread.start();
  for (const thread of producers) await thread.join();
  const took = await Promise.all(threads.map((thread) => thread.join()));
  return Math.max(...took) / 4;
}

function priority(): number {
  const count = 100_000;
  const items = Array.from(
    { length: count },
    (_, i): [number, string] => [i * 7919 % 1009, `item ${i}`],
  );
  let took = 0;
  for (let round = 0; round < 3; round++) {
    const queue = new PriorityQueue<[number, string]>();
    const start = performance.now();
    for (const item of items) queue.putSync(item);
    for (let i = 0; i < count; i++) queue.getSync();
    took = performance.now() - start;
    queue.free();
  }
  return took * 1e6 / count;
}

/** A small object, or the number. */
function itemOf(kind: string, i: number): unknown {
  return kind === "number" ? i : {
    id: i,
    name: "spam",
    priority: 3,
    tags: ["a", "b"],
  };
}

function receive(kind: string): number {
  const queue = new Queue<unknown>();
  return perCall(5000, (turns) => {
    for (let i = 0; i < turns; i++) {
      queue.putNowait(itemOf(kind, i));
      queue.receiveNowait().ack();
    }
  });
}

function getDone(kind: string): number {
  const queue = new Queue<unknown>();
  return perCall(5000, (turns) => {
    for (let i = 0; i < turns; i++) {
      queue.putNowait(itemOf(kind, i));
      queue.getNowait();
      queue.taskDone();
    }
  });
}

/** The queues of a select, one of which has all items. */
function fourQueues(): Queue<number>[] {
  const queues = [0, 1, 2, 3].map(() => new Queue<number>());
  // So that none is as it was made.
  for (const queue of queues) {
    queue.putNowait(0);
    queue.getNowait();
  }
  return queues;
}

function getOfFour(): number {
  const [_, queue] = fourQueues();
  return perCall(5000, (turns) => {
    for (let i = 0; i < turns; i++) {
      queue.putNowait(i);
      queue.getSync();
    }
  });
}

function selectOfFour(): number {
  const queues = fourQueues();
  return perCall(5000, (turns) => {
    for (let i = 0; i < turns; i++) {
      queues[1].putNowait(i);
      selectSync(queues);
    }
  });
}

async function handOver(
  make: () => Queue<number> | SynchronousQueue<number>,
): Promise<number> {
  const queues = [make(), make()] as const;
  const other = new Thread({
    target: work.play,
    args: [1, queues[1], queues[0]],
  });
  other.start();
  const first = new Thread({
    target: work.play,
    args: [0, queues[0], queues[1]],
  });
  first.start();
  await other.join();
  return await first.join();
}

async function promise(): Promise<number> {
  const queues = [new Queue<number>(), new Queue<number>()] as const;
  const other = new Thread({
    target: work.play,
    args: [1, queues[1], queues[0]],
  });
  other.start();
  const turns = work.TRIPS + 2000;
  let start = 0;
  for (let i = 0; i < turns; i++) {
    if (i === 2000) start = performance.now();
    const get = queues[0].get();
    queues[1].putNowait(i);
    await get;
  }
  return (performance.now() - start) * 1e6 / work.TRIPS;
}

function memory(): number {
  const queue = new Queue<unknown>(MAXSIZE);
  const total = 10_000_000;
  const producer = new Thread({
    target: work.produce,
    args: [queue, "number", total],
  });
  producer.start();
  for (let i = 0; i < total / 10; i++) queue.getSync();
  const before = Deno.memoryUsage().rss;
  for (let i = 0; i < total / 10 * 9; i++) queue.getSync();
  return Math.max(1, Math.abs(Deno.memoryUsage().rss - before));
}

if (import.meta.main) {
  await main({
    "numbers": () => oneToOne("number", 1_000_000),
    "many": many,
    "objects": () => oneToOne("object", 400_000),
    "bytes": () => oneToOne("bytes", 10_000),
    "four": fourToFour,
    "priority": priority,
    "receive": () => receive("number"),
    "get-done": () => getDone("number"),
    "receive-object": () => receive("object"),
    "get-done-object": () => getDone("object"),
    "select": selectOfFour,
    "get": getOfFour,
    "hand-over": () => handOver(() => new Queue()),
    "synchronous": () => handOver(() => new SynchronousQueue()),
    "promise": promise,
    "memory": memory,
  });
}
