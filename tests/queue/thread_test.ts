import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  Full,
  LifoQueue,
  PriorityQueue,
  Queue,
  ShutDown,
} from "../../queue/mod.ts";
import { Lock, sleepSync, ThreadingError } from "../../threading/mod.ts";
import {
  assertHeapBackTo,
  assertKeepsHeap,
  settleHeap,
} from "../threading/heap_words.ts";
import { STRESS } from "../threading/shared_support.ts";
import { start } from "./support.ts";
import * as fixture from "./thread_fixture.ts";

/** A function whose module no worker has loaded yet. */
async function awaitedFunction(name: string): Promise<unknown> {
  const module = "../threading/sendable_await_fixture.ts";
  return (await import(`${module}?${name}`)).slow;
}

Deno.test("Queue works while the main thread is blocked", () => {
  const there = new Queue<unknown>(1);
  const back = new Queue<unknown>(1);
  const thread = start(fixture.echo, there, back);
  for (let i = 0; i < 1000; i++) {
    there.putSync(i);
    assertEquals(back.getSync({ timeout: 10_000 }), i);
  }
  there.putSync(null);
  thread.joinSync();
});

Deno.test("Queue gives blocked threads their items in order of arrival", () => {
  const queue = new Queue<unknown>();
  const threads = [1, 2, 3].map(() => {
    const thread = start(fixture.getOne, queue);
    sleepSync(150);
    return thread;
  });
  queue.putManySync(["first", "second", "third"]);
  assertEquals(
    threads.map((thread) => thread.joinSync()),
    ["first", "second", "third"],
  );
});

Deno.test("Queue.join() waits for the workers", async () => {
  const queue = new Queue<number>();
  const thread = start(fixture.work, queue, 20);
  for (let i = 0; i < 20; i++) queue.putSync(i);
  queue.joinSync({ timeout: 10_000 });
  await queue.join();
  assertEquals(await thread.join(), 190);
});

Deno.test("Queue.shutdown() ends threads that are blocked", async () => {
  const queue = new Queue<unknown>(1);
  const getter = start(fixture.getOne, queue);
  sleepSync(50);
  queue.shutdown();
  await assertRejects(() => getter.join(), ShutDown, "was shut down");
  const full = new Queue<unknown>(1);
  full.putSync(1);
  const putter = start(fixture.putOne, full, { text: "x" });
  sleepSync(50);
  full.shutdown();
  await assertRejects(() => putter.join(), ShutDown);
  assertEquals(full.qsize(), 1);
});

for (const form of [fixture.getOne, fixture.getOneAsync]) {
  Deno.test(`Queue: a thread killed in ${form.name} gets nothing`, async () => {
    const queue = new Queue<unknown>();
    const victim = start(form, queue);
    sleepSync(150);
    const other = start(fixture.getOne, queue);
    sleepSync(50);
    victim.terminate();
    await assertRejects(() => victim.join(), ThreadingError);
    queue.putSync({ item: "whole" });
    assertEquals(other.joinSync({ timeout: 10_000 }), { item: "whole" });
    assert(queue.empty());
  });
}

Deno.test("Queue: the item of a thread killed in put() goes with it", async () => {
  const queue = new Queue<unknown>(1);
  queue.putSync("first");
  const victim = start(fixture.putOne, queue, { lock: new Lock() });
  sleepSync(150);
  victim.terminate();
  await assertRejects(() => victim.join(), ThreadingError);
  assertEquals(queue.getSync(), "first");
  assert(queue.empty());
  queue.putSync("second", { timeout: 1000 });
});

for (const make of [Queue, PriorityQueue]) {
  Deno.test(`${make.name}: the items of a thread killed in putMany() go with it`, async () => {
    const staying = new Queue<null>();
    const kill = async () => {
      const queue = new make<unknown>();
      const victim = start(fixture.putManyAndStay, queue, 100, staying);
      staying.getSync();
      victim.terminate();
      await assertRejects(() => victim.join(), ThreadingError);
      assert(queue.empty());
      queue.free();
      victim.free();
    };
    await assertKeepsHeap(kill, { times: 3, slack: 300 });
  });
}

Deno.test("Queue: a thread killed while it reads an item takes it along", async () => {
  const large = Array.from({ length: 200_000 }, (_, id) => ({ id }));
  const queue = new Queue<unknown>();
  const kill = async () => {
    queue.putManySync([large, "next"]);
    const victim = start(fixture.getOne, queue);
    while (queue.qsize() === 2) sleepSync(1);
    victim.terminate();
    // A slow machine may let it get through.
    await victim.join().catch(() => {});
    assertEquals(queue.getSync(), "next");
    victim.free();
  };
  await assertKeepsHeap(kill, { times: 3, slack: 300 });
});

Deno.test("Queue outlives the thread that made it", async () => {
  const thread = start(fixture.make);
  const queue = await thread.join() as Queue<unknown>;
  assertEquals(queue.getSync(), 1);
  const { lock } = queue.getSync() as { lock: Lock };
  lock.acquireSync().release();
});

Deno.test("Queue takes items of any size and gives the memory back", async () => {
  const before = await settleHeap();
  const queue = new Queue<unknown>();
  for (const size of [0, 1, 1000, 65_536, 10_000_000, 100_000_000]) {
    const bytes = new Uint8Array(size);
    if (size > 0) bytes[size - 1] = 7;
    queue.putSync(bytes);
    const back = queue.getSync() as Uint8Array;
    assertEquals(back.length, size);
    assertEquals(back[size - 1], bytes[size - 1]);
  }
  assert(await settleHeap() - before < 1000);
  const count = 200_000 * STRESS;
  for (let i = 0; i < count; i++) queue.putSync(i);
  assert(await settleHeap() - before > count);
  for (let i = 0; i < count - 1; i++) queue.getSync();
  assert(await settleHeap() - before < 5000);
  queue.free();
  await assertHeapBackTo(before, 300);
});

Deno.test("Queue gives back what dies in it unread", async () => {
  const fill = () => {
    const queue = new Queue<unknown>();
    const inner = new Queue<unknown>();
    const lock = new Lock();
    const thread = new fixture.Idle();
    inner.putSync({ lock, thread });
    queue.putManySync([lock, { lock, deep: [inner] }, "text".repeat(50)]);
    for (const object of [queue, inner, lock, thread]) object.free();
  };
  await assertKeepsHeap(fill, { times: 100 });
});

Deno.test("Queue: 100 000 requests with their own reply queues keep memory flat", async () => {
  const count = 50_000 * STRESS;
  const requests = new Queue<fixture.Request>();
  const server = start(fixture.serve, requests, 2 * count);
  const ask = (n: number) => {
    const reply = new Queue<number>();
    requests.putSync({ n, reply });
    const answer = reply.getSync();
    reply.free();
    return answer;
  };
  for (let i = 0; i < count; i++) assertEquals(ask(i), i + 1);
  const before = await settleHeap();
  for (let i = 0; i < count; i++) assertEquals(ask(i), i + 1);
  server.joinSync();
  await assertHeapBackTo(before, 300);
});

Deno.test("Queue with hooks works across threads", async () => {
  const queue = new fixture.Sorted(4);
  const back = new Queue<unknown>();
  for (const n of [3, 1, 2]) queue.putSync(n);
  assertEquals([queue.qsize(), queue.empty(), queue.full()], [3, false, false]);
  await queue.put(0);
  assertThrows(() => queue.putNowait(4), Full);
  assertThrows(() => queue.putSync(4, { timeout: 5 }), Full);
  await assertRejects(() => queue.put(4, { timeout: 5 }), Full);
  const thread = start(fixture.echo, queue as Queue<unknown>, back);
  for (let i = 0; i < 4; i++) assertEquals(back.getSync(), i);
  queue.putSync(5);
  assertEquals(await back.get(), 5);
  queue.shutdown();
  await assertRejects(() => thread.join(), ShutDown);
  assertThrows(() => queue.putSync(1), ShutDown);
});

Deno.test("Queue: a hook that throws leaves it unlocked and unchanged", async () => {
  const queue = new fixture.Sorted();
  assertThrows(() => queue.putSync(13), RangeError, "unlucky");
  await assertRejects(() => queue.put(13), RangeError, "unlucky");
  assert(queue.empty());
  queue.joinSync();
  queue.putManySync([99, 100]);
  assertThrows(() => queue.getSync(), RangeError, "stuck");
  await assertRejects(() => queue.getMany(2), RangeError, "stuck");
  assertEquals(queue.qsize(), 2);
  queue.putSync(1);
  assertEquals(queue.getNowait(), 1);
  queue.taskDone();
  const thread = start(fixture.putOne, queue as Queue<unknown>, 13);
  await assertRejects(() => thread.join(), RangeError, "unlucky");
  queue.putSync(2);
  assertEquals(queue.getSync(), 2);
});

Deno.test("Queue: what a hook did before it threw is undone", async () => {
  const before = await settleHeap();
  const queue = new fixture.Messy();
  const items = ["a", "b".repeat(100), "c", "stuck", "d"];
  queue.putManySync(items);
  assertThrows(() => queue.putSync("bad"), RangeError, "bad");
  assertThrows(() => queue.putManySync(["e", "f", "bad"]), RangeError, "bad");
  assertEquals(queue.qsize(), 5);
  assertThrows(() => queue.getManySync(9), RangeError, "stuck");
  assertEquals(queue.qsize(), 5);
  assertEquals(queue.getManySync(3), items.slice(0, 3));
  for (let i = 0; i < 3; i++) queue.taskDone();
  assertThrows(() => queue.shutdown({ immediate: true }), RangeError, "stuck");
  // It has ended all the same, and what was there counts as done.
  assertEquals(queue.qsize(), 0);
  assertThrows(() => queue.putSync("e"), ShutDown);
  queue.joinSync();
  queue.free();
  await assertHeapBackTo(before, 300);
});

Deno.test("Queue: only a class with hooks has a list", () => {
  class Plain extends Queue<number> {
    list() {
      return this.queue;
    }
  }
  assertThrows(() => new Plain().list(), ThreadingError, "received Plain");
});

for (const make of [Queue, LifoQueue]) {
  Deno.test(`${make.name}: an item whose module must be awaited stays`, async () => {
    const awaited = await awaitedFunction(make.name);
    const queue = new make<unknown>();
    queue.putManySync(
      make === Queue ? [awaited, "next", 3] : [3, "next", awaited],
    );
    const { errors, ...rest } = await start(fixture.getLater, queue)
      .join() as { errors: string[] };
    for (const error of errors) {
      assertStringIncludes(error, "use the promise form");
    }
    assertEquals(errors.length, 3);
    assertEquals(rest, { size: 3, type: "function", rest: ["next", 3] });
  });
}

Deno.test("PriorityQueue: an item whose module must be awaited stays", async () => {
  const awaited = await awaitedFunction("PriorityQueue");
  const queue = new PriorityQueue<unknown>();
  queue.putManySync([[2, "b"], [1, awaited], [3]]);
  const { errors, ...rest } = await start(fixture.getLater, queue)
    .join() as { errors: string[] };
  assertEquals(errors.length, 3);
  assertEquals(rest, { size: 3, type: "object", rest: [[2, "b"], [3]] });
});

Deno.test("Queue.getMany() ends before an item whose module must be awaited", async () => {
  const awaited = await awaitedFunction("batch");
  const queue = new Queue<unknown>();
  queue.putManySync([1, "two", awaited, 4]);
  const thread = start(fixture.getBatches, queue);
  assertEquals(await thread.join(), [[1, "two"], 2]);
});
