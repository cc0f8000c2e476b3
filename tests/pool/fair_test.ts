import { assert, assertEquals } from "@std/assert";
import { type Future, ThreadPool } from "../../pool/mod.ts";
import {
  lineUp,
  lineUpFirst,
  takeOut,
  takeTurn,
} from "../../pool/_engine/layout.ts";
import {
  Core,
  CORE_WORDS,
  Task,
  TASK_WORDS,
} from "../../pool/_engine/layout.ts";
import { allocateZeroed, discard, words } from "../../threading/_ground.ts";
import { Event, SharedNumber, Thread } from "../../threading/mod.ts";
import { randomFrom, SEED } from "../threading/shared_support.ts";
import * as fixture from "./fair_fixture.ts";

/** A pool of one worker, which is busy until the event is set. */
async function busyPool(): Promise<
  { pool: ThreadPool; event: Event; calls: SharedNumber }
> {
  const pool = new ThreadPool({ size: 1 });
  const event = new Event();
  const busy = pool.submitNowait(fixture.waitFor, [event]);
  while (!busy.running()) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { pool, event, calls: new SharedNumber(0) };
}

Deno.test("ThreadPool takes turns between the threads that submit", async () => {
  const { pool, event, calls } = await busyPool();
  const many = Array.from(
    { length: 10_000 },
    () => pool.submitNowait(fixture.count, [calls]),
  );
  const threads = [1, 1, 10].map((n) => {
    const thread = new Thread({
      target: fixture.submitSome,
      args: [pool, n, calls],
    });
    thread.start();
    return thread;
  });
  const some: Future<number>[][] = [];
  for (const thread of threads) {
    some.push(await thread.join() as Future<number>[]);
  }
  event.set();
  const turns: number[][] = [];
  for (const futures of some) {
    turns.push(await Promise.all(futures.map((future) => future.result())));
  }
  const firsts = turns.map(([first]) => first).sort((a, b) => a - b);
  assertEquals(firsts, [2, 3, 4]);
  // Two take turns once the others have none any more.
  const [, , ten] = turns;
  assertEquals(ten.slice(1), [6, 8, 10, 12, 14, 16, 18, 20, 22]);
  const order = await Promise.all(many.map((future) => future.result()));
  assertEquals(order, order.toSorted((a, b) => a - b));
  await pool.shutdown();
});

Deno.test("ThreadPool counts what a task submits as its submitter's", async () => {
  const { pool, event, calls } = await busyPool();
  // Its hundred children would have turns of their own.
  const spreads = pool.submitNowait(fixture.spread, [pool, 100, calls]);
  const many = Array.from(
    { length: 20 },
    () => pool.submitNowait(fixture.count, [calls]),
  );
  event.set();
  const order = await Promise.all(many.map((future) => future.result()));
  assertEquals(order, Array.from({ length: 20 }, (_, i) => i + 1));
  await spreads.result();
  await pool.shutdown();
});

Deno.test("ThreadPool is fair while a thread never stops to submit", async () => {
  await using pool = new ThreadPool({ size: 2, maxPending: 500 });
  const end = new Event();
  const greedy = new Thread({ target: fixture.submitUntil, args: [pool, end] });
  greedy.start();
  while (pool.stats().pending < 400) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const { completed } = pool.stats();
  const future = await pool.submit(fixture.nothing);
  await future.result();
  end.set();
  await greedy.join();
  assert(pool.stats().completed > completed);
});

Deno.test("ThreadPool's lanes are what a simple model of them is", () => {
  const pick = randomFrom(SEED);
  const core = allocateZeroed(CORE_WORDS);
  const tasks = Array.from({ length: 12 }, () => allocateZeroed(TASK_WORDS));
  /** Lanes, the next one's turn first. */
  const model: { submitter: number; tasks: number[] }[] = [];
  const lined = new Map<number, number>();
  const laneOf = (submitter: number) =>
    model.find((lane) => lane.submitter === submitter);
  try {
    for (let step = 0; step < 20_000; step++) {
      const free = tasks.filter((task) => !lined.has(task));
      const what = pick(4);
      if (what === 0 && free.length > 0) {
        const submitter = 1 + pick(4);
        lineUp(core, free[0], submitter);
        lined.set(free[0], submitter);
        const lane = laneOf(submitter);
        if (lane) lane.tasks.push(free[0]);
        else model.push({ submitter, tasks: [free[0]] });
      } else if (what === 1 && free.length > 0) {
        const submitter = 1 + pick(4);
        words[free[0] + Task.submitter] = submitter;
        lineUpFirst(core, free[0]);
        lined.set(free[0], submitter);
        const lane = laneOf(submitter) ?? { submitter, tasks: [] };
        if (lane.tasks.length > 0) model.splice(model.indexOf(lane), 1);
        lane.tasks.unshift(free[0]);
        model.unshift(lane);
      } else if (what === 2 && lined.size > 0) {
        const [task, submitter] = [...lined][pick(lined.size)];
        takeOut(core, task);
        lined.delete(task);
        const lane = laneOf(submitter)!;
        lane.tasks.splice(lane.tasks.indexOf(task), 1);
        if (lane.tasks.length === 0) model.splice(model.indexOf(lane), 1);
      } else if (what === 3) {
        const lane = model.shift();
        const expected = lane?.tasks.shift() ?? 0;
        if (lane && lane.tasks.length > 0) model.push(lane);
        assertEquals(takeTurn(core), expected, `SKEIN_SEED=${SEED}`);
        lined.delete(expected);
      }
      const seen: number[][] = [];
      let lane = words[core + Core.first];
      for (; lane !== 0; lane = words[lane + Task.nextLane]) {
        const each: number[] = [];
        for (let t = lane; t !== 0; t = words[t + Task.next]) each.push(t);
        seen.push(each);
      }
      assertEquals(seen, model.map((lane) => lane.tasks), `SKEIN_SEED=${SEED}`);
    }
  } finally {
    for (const task of tasks.reverse()) discard(task);
    discard(core);
  }
});
