import { assert, assertEquals } from "@std/assert";
import {
  Empty,
  LifoQueue,
  PriorityQueue,
  Queue,
  SimpleQueue,
  SynchronousQueue,
} from "../../queue/mod.ts";
import { Event, SharedArray, Thread } from "../../threading/mod.ts";
import { assertHeapBackTo, settleHeap } from "../threading/heap_words.ts";
import { SEED, STRESS } from "../threading/shared_support.ts";
import { mix, type Numbers, TASKS } from "./select_stress_fixture.ts";
import { byNumber, dice, Hooked, Put } from "./stress_fixture.ts";

interface Plan {
  name: string;
  make: () => Numbers[];
  /** Numbers that each of the threads puts. */
  items: number;
  kills: number;
}

const THREADS = 3;

const plans: Plan[] = [
  {
    name: "queues",
    make: () => [new Queue(1), new Queue(3), new SimpleQueue()],
    items: 3000,
    // Killed in its event loop, a thread must not touch selections of others.
    kills: 20,
  },
  {
    name: "both ends of SynchronousQueues",
    make: () => [new SynchronousQueue(), new SynchronousQueue()],
    items: 1500,
    kills: 6,
  },
  {
    name: "other orders",
    make: () => [new LifoQueue(2), new PriorityQueue(2), new PriorityQueue()],
    items: 1500,
    kills: 6,
  },
  {
    name: "hooks and compare",
    make: () => [
      new Hooked<number>(2),
      new PriorityQueue<number>({ maxsize: 2, compare: byNumber }),
    ],
    items: 400,
    kills: 6,
  },
  {
    name: "all kinds",
    make: () => [
      new Queue(1),
      new SynchronousQueue(),
      new PriorityQueue(2),
      new Hooked<number>(1),
    ],
    items: 600,
    kills: 6,
  },
];

async function run(plan: Plan, seed: number, factor: number): Promise<void> {
  const { make, kills } = plan;
  const items = Math.ceil(plan.items * factor);
  const roll = dice(seed);
  const queues = make();
  const total = items * (THREADS + kills);
  const puts = new SharedArray(Int32Array, total);
  const gets = new SharedArray(Int32Array, total);
  const stop = new Event();
  let next = 0;
  const start = () => {
    const first = next;
    next += items;
    const done = new Event();
    const work = { queues, puts, gets, stop };
    const args = [work, first, next, 1 + roll(1e9), done] as const;
    const thread = new Thread({ target: mix, args });
    thread.start();
    return { thread, done };
  };
  const threads = Array.from({ length: THREADS }, start);
  for (let i = 0; i < kills; i++) {
    const { thread, done } = start();
    await new Promise((resolve) => setTimeout(resolve, 5 + roll(60)));
    thread.terminate();
    await thread.join().then(() => {}, () => {});
    thread.free();
    done.free();
  }
  for (const { done } of threads) await done.wait({ timeout: 120_000 });
  stop.set();
  for (const { thread, done } of threads) {
    await thread.join({ timeout: 120_000 });
    thread.free();
    done.free();
  }
  for (const queue of queues) await drain(queue, gets);
  let missing = 0;
  for (let id = 0; id < next; id++) {
    const got = gets.view[id];
    const put = puts.view[id];
    assert(got === 0 || got === 1, `${id} was got ${got} times`);
    if (put === Put.done && got === 0) missing++;
    if (put === 0) assertEquals(got, 0, `${id} was got and never put`);
  }
  // A killed thread may have taken one in each of its tasks.
  assert(missing <= kills * TASKS, `${missing} items are missing`);
  for (const shared of [...queues, puts, gets, stop]) shared.free();
}

/** Gets what is left, and waits for what comes back later. */
async function drain(
  queue: Numbers,
  gets: SharedArray<Int32Array>,
): Promise<void> {
  for (;;) {
    try {
      gets.view[await queue.get({ timeout: 50 })]++;
    } catch (error) {
      if (error instanceof Empty) return;
      throw error;
    }
  }
}

for (const plan of plans) {
  const name =
    `select() loses and doubles nothing: ${plan.name} (SKEIN_SEED=${SEED})`;
  Deno.test(name, async () => {
    await run({ ...plan, kills: 1 }, SEED + 1, 0.05);
    const before = await settleHeap();
    await run(plan, SEED, STRESS);
    // More workers may be warm than before, each with tables of its own.
    await assertHeapBackTo(before, 1000);
  });
}
