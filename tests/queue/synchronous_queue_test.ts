import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Empty, Full, ShutDown, SynchronousQueue } from "../../queue/mod.ts";
import {
  Event,
  isTimeout,
  setExcepthook,
  SharedList,
  SharedNumber,
} from "../../threading/mod.ts";
import { assertHeapBackTo, settleHeap } from "../threading/heap_words.ts";
import { kill, start, untilWaiting } from "./support.ts";
import * as fixture from "./synchronous_queue_fixture.ts";

// A hook, so that the errors are not printed.
setExcepthook(() => {});

const SOON = { timeout: 30_000 };

Deno.test("SynchronousQueue.put() ends when its item is taken, in all forms", async () => {
  const queue = new SynchronousQueue<fixture.Job>();
  let ended = false;
  const put = queue.put({ n: 1 }).then(() => ended = true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert(!ended);
  assertEquals([queue.qsize(), queue.empty(), queue.full()], [0, true, true]);
  assertEquals(queue.getNowait().n, 1);
  await put;
  const blocked = start(fixture.putOne, queue, 2);
  untilWaiting(queue, 1, "putters");
  assertEquals(queue.getSync(SOON).n, 2);
  await blocked.join(SOON);
  const late = start(fixture.putOne, queue, 3);
  assertEquals((await queue.get(SOON)).n, 3);
  await late.join(SOON);
  assertThrows(() => queue.getNowait(), Empty);
});

Deno.test("SynchronousQueue.putNowait() puts only to somebody who waits", async () => {
  const queue = new SynchronousQueue<fixture.Job>();
  assertThrows(() => queue.putNowait({ n: 1 }), Full, "nobody waits");
  const gets = [queue.get(), queue.get()];
  queue.putNowait({ n: 2 });
  queue.putSync({ n: 3 });
  assertThrows(() => queue.putNowait({ n: 4 }), Full);
  assertEquals((await Promise.all(gets)).map(({ n }) => n), [2, 3]);
  const thread = start(fixture.getOne, queue);
  untilWaiting(queue, 1);
  queue.putNowait({ n: 5 });
  assertEquals(await thread.join(SOON), 5);
});

Deno.test("SynchronousQueue: a put or get that gives up leaves nothing behind", async () => {
  const queue = new SynchronousQueue<fixture.Job>();
  const timeout = 1;
  const full = assertThrows(() => queue.putSync({ n: 1 }, { timeout }), Full);
  assert(isTimeout(full));
  await assertRejects(() => queue.put({ n: 1 }, { timeout }), Full, "1 ms");
  assertThrows(() => queue.getSync({ timeout }), Empty);
  const controller = new AbortController();
  const reason = new Error("enough");
  const { signal } = controller;
  const waits = [queue.put({ n: 1 }, { signal }), queue.put({ n: 2 })];
  controller.abort(reason);
  assertEquals(await waits[0].catch((error) => error), reason);
  assertEquals(queue.getNowait().n, 2);
  await waits[1];
  assertThrows(() => queue.getNowait(), Empty);
  const victim = start(fixture.putOne, queue, 3);
  untilWaiting(queue, 1, "putters");
  const next = queue.put({ n: 4 });
  await kill(victim);
  assertEquals(queue.getNowait().n, 4);
  await next;
});

Deno.test("SynchronousQueue: puts and gets are served in order of arrival", async () => {
  const queue = new SynchronousQueue<fixture.Job>();
  const puts = [1, 2, 3].map((n) => queue.put({ n }));
  assertEquals([1, 2, 3].map(() => queue.getNowait().n), [1, 2, 3]);
  await Promise.all(puts);
  const gets = [1, 2, 3].map(() => queue.get());
  for (const n of [1, 2, 3]) queue.putNowait({ n });
  assertEquals((await Promise.all(gets)).map(({ n }) => n), [1, 2, 3]);
});

Deno.test("SynchronousQueue: what a killed thread was handed goes to the next", async () => {
  const queue = new SynchronousQueue<fixture.Job>();
  const waiting = new Event();
  const victim = start(fixture.stall, queue, waiting, new SharedNumber(0));
  waiting.waitSync(SOON);
  queue.putNowait({ n: 1 });
  queue.putNowait({ n: 2 });
  await kill(victim);
  const put = queue.put({ n: 3 });
  assertEquals(queue.qsize(), 0);
  assertEquals([1, 2, 3].map(() => queue.getNowait().n), [1, 2, 3]);
  await put;
});

Deno.test("SynchronousQueue.shutdown() ends those who wait, and iterations", async () => {
  const queue = new SynchronousQueue<fixture.Job>();
  const own = queue.put({ n: 1 });
  const putter = start(fixture.putOne, queue, 2);
  untilWaiting(queue, 2, "putters");
  queue.shutdown();
  await assertRejects(() => own, ShutDown);
  await assertRejects(() => putter.join(SOON), ShutDown);
  assertThrows(() => queue.putNowait({ n: 3 }), ShutDown);
  assertThrows(() => queue.getNowait(), ShutDown);
  const other = new SynchronousQueue<fixture.Job>();
  const getters = [
    start(fixture.getAll, other, 0),
    start(fixture.getAll, other, 2),
  ];
  untilWaiting(other, 3);
  other.shutdown({ immediate: true });
  for (const getter of getters) assertEquals(await getter.join(SOON), []);
  assertThrows(() => [...new SynchronousQueue().items({ timeout: 1 })], Empty);
  assertThrows(() => new SharedList(queue), TypeError, "SynchronousQueue");
});

const COUNT = 300 * Number(Deno.env.get("SKEIN_STRESS") ?? 1);

Deno.test("SynchronousQueue: each item is taken once, by threads and tasks", async () => {
  const before = await settleHeap();
  for (let round = 0; round < 2; round++) {
    const queue = new SynchronousQueue<fixture.Job>();
    const getters = [0, 3].map((tasks) => start(fixture.getAll, queue, tasks));
    const putters = [0, 0, 4].map((tasks, i) =>
      start(fixture.putAll, queue, i * COUNT, COUNT, tasks)
    );
    for (const putter of putters) await putter.join(SOON);
    queue.shutdown();
    const got = [];
    for (const getter of getters) got.push(...await getter.join(SOON));
    assertEquals(
      got.toSorted((a, b) => a - b),
      Array.from({ length: 3 * COUNT }, (_, n) => n),
    );
    for (const thread of [...getters, ...putters]) thread.free();
    queue.free();
  }
  await assertHeapBackTo(before, 400);
});
