import { assert, assertEquals } from "@std/assert";
import { LifoQueue, PriorityQueue, Queue } from "../../queue/mod.ts";
import { SharedArray, Thread } from "../../threading/mod.ts";
import { assertHeapBackTo, settleHeap } from "../threading/heap_words.ts";
import { SEED, STRESS } from "../threading/shared_support.ts";
import {
  BATCH,
  byNumber,
  consume,
  dice,
  Hooked,
  produce,
  Put,
} from "./stress_fixture.ts";

interface Plan {
  name: string;
  make: () => Queue<unknown>;
  /** Producers, and as many consumers. */
  threads: number;
  /** Items of each producer. */
  items: number;
  /** Producers and consumers that are killed. */
  kills: number;
  numbersOnly?: boolean;
}

const plans: Plan[] = [
  {
    name: "Queue(1)",
    make: () => new Queue(1),
    threads: 4,
    items: 2500,
    kills: 4,
  },
  {
    name: "Queue(10)",
    make: () => new Queue(10),
    threads: 2,
    items: 100_000,
    kills: 6,
  },
  {
    name: "Queue()",
    make: () => new Queue(),
    threads: 2,
    items: 250_000,
    kills: 4,
  },
  {
    name: "LifoQueue(100)",
    make: () => new LifoQueue(100),
    threads: 2,
    items: 100_000,
    kills: 4,
  },
  {
    name: "PriorityQueue(100)",
    make: () => new PriorityQueue(100),
    threads: 2,
    items: 50_000,
    kills: 4,
    numbersOnly: true,
  },
  {
    name: "a Queue with hooks",
    make: () => new Hooked(10),
    threads: 2,
    items: 10_000,
    kills: 5,
  },
  {
    name: "a PriorityQueue with compare",
    make: () => new PriorityQueue({ maxsize: 10, compare: byNumber }),
    threads: 2,
    items: 10_000,
    kills: 5,
    numbersOnly: true,
  },
];

/** So many items more may be put by producers that are killed. */
const VICTIM_ITEMS = 100_000;

async function run(plan: Plan, seed: number, factor: number): Promise<void> {
  const { make, threads, kills, numbersOnly = false } = plan;
  const items = Math.ceil(plan.items * factor);
  const roll = dice(seed);
  const queue = make();
  const total = items * threads + kills * VICTIM_ITEMS;
  const puts = new SharedArray(Int32Array, total);
  const gets = new SharedArray(Int32Array, total);
  let next = 0;
  const producer = (count: number) => {
    const first = next;
    next += count;
    return new Thread({
      target: produce,
      args: [queue, puts, first, count, roll(2 ** 30), numbersOnly],
    });
  };
  const consumer = () =>
    new Thread({
      target: consume,
      args: [queue, gets, roll(2 ** 30)],
    });
  const producers = Array.from({ length: threads }, () => producer(items));
  const consumers = Array.from({ length: threads }, consumer);
  for (const thread of [...consumers, ...producers]) thread.start();
  let killed = 0;
  for (let i = 0; i < kills; i++) {
    const consumes = roll(2) === 0;
    const victim = consumes ? consumer() : producer(VICTIM_ITEMS);
    victim.start();
    await new Promise((resolve) => setTimeout(resolve, 5 + roll(30)));
    victim.terminate();
    await victim.join().then(() => {}, () => {});
    victim.free();
    if (consumes) killed++;
    // What a killed thread was handed goes back, though the queue may be full.
    const size = queue.qsize();
    const most = (queue.maxsize || total) + i + 1;
    assert(size >= 0 && size <= most, `${size} items`);
  }
  for (const thread of producers) {
    await thread.join();
    thread.free();
  }
  queue.shutdown();
  for (const thread of consumers) {
    await thread.join();
    thread.free();
  }
  assertEquals(queue.qsize(), 0);
  let missing = 0;
  for (let id = 0; id < next; id++) {
    const got = gets.view[id];
    const put = puts.view[id];
    assert(got === 0 || got === 1, `${id} was got ${got} times`);
    if (put === Put.done && got === 0) missing++;
    if (put === Put.failed || put === 0) {
      assertEquals(got, 0, `${id} was not put`);
    }
  }
  // What a killed consumer had just got.
  assert(missing <= killed * BATCH, `${missing} items are missing`);
  for (const object of [queue, puts, gets]) object.free();
}

for (const plan of plans) {
  const name = `${plan.name} loses nothing under stress (SKEIN_SEED=${SEED})`;
  Deno.test(name, async () => {
    await run({ ...plan, kills: 1 }, SEED + 1, 0.01);
    const before = await settleHeap();
    await run(plan, SEED, STRESS);
    // More workers may be warm than before, each with tables of its own.
    await assertHeapBackTo(before, 1000);
  });
}
