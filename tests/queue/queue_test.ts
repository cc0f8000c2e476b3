import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  Empty,
  Full,
  LifoQueue,
  PriorityQueue,
  Queue,
  ShutDown,
  SimpleQueue,
} from "../../queue/mod.ts";
import { Lock, NotSendableError, ThreadingError } from "../../threading/mod.ts";

const values = [
  0,
  -0,
  1.5,
  -1e300,
  NaN,
  Infinity,
  undefined,
  null,
  true,
  false,
  "",
  "spam",
  "ä€𝄞".repeat(100),
  12345678901234567890n,
  { id: 1, name: "egg", tags: ["a", "b"] },
  [1, [2, [3]]],
  new Map([[1, { a: 1 }]]),
  new Uint8Array(0),
  new Uint8Array(100_000).fill(7),
];

for (const make of [Queue, SimpleQueue, LifoQueue]) {
  Deno.test(`${make.name} gives back what was put`, async () => {
    const queue = new make<unknown>();
    for (const value of values) {
      queue.putSync(value);
      assertEquals(queue.qsize(), 1);
      assertEquals(queue.getSync(), value);
      await queue.put(value);
      assertEquals(await queue.get(), value);
      queue.putNowait(value);
      assertEquals(queue.getNowait(), value);
      assert(queue.empty());
    }
  });
}

Deno.test("Queue gives back small items of every size in every way", async () => {
  const texts = Array.from(
    { length: 120 },
    (_, i) => "0123456789".repeat(12).slice(0, i),
  );
  const mixed = texts.flatMap((text, i) => [i, { text }, text]);
  for (const make of [Queue, LifoQueue]) {
    const queue = new make<unknown>();
    for (const item of mixed) queue.putSync(item);
    const back = make === LifoQueue ? mixed.toReversed() : mixed;
    const got: unknown[] = [];
    for (let n = 1; !queue.empty(); n++) got.push(...queue.getManySync(n));
    assertEquals(got, back);
    queue.putManySync(mixed);
    for (const item of back) assertEquals(await queue.get(), item);
  }
  const queue = new Queue<unknown>(3);
  const gets = mixed.map(() => queue.get());
  for (const item of mixed) queue.putSync(item);
  assertEquals(await Promise.all(gets), mixed);
  const puts = mixed.map((item) => queue.put(item));
  for (const item of mixed) assertEquals(queue.getSync(), item);
  await Promise.all(puts);
});

Deno.test("Queue keeps numbers when the first object widens its places", () => {
  const queue = new Queue<unknown>();
  for (let i = 0; i < 13; i++) queue.putSync(i);
  for (let i = 0; i < 6; i++) assertEquals(queue.getSync(), i);
  for (let i = 13; i < 20; i++) queue.putSync(i);
  queue.putSync({ n: 20 });
  queue.putSync(21);
  for (let i = 6; i < 20; i++) assertEquals(queue.getSync(), i);
  assertEquals(queue.getManySync(5), [{ n: 20 }, 21]);
});

Deno.test("Queue is first-in first-out while it grows", () => {
  const queue = new Queue<number>();
  let next = 0;
  for (let i = 0; i < 10_000; i++) {
    queue.putSync(i);
    if (i % 3 === 0) assertEquals(queue.getSync(), next++);
  }
  while (!queue.empty()) assertEquals(queue.getSync(), next++);
  assertEquals(next, 10_000);
});

Deno.test("Queue keeps a NaN of any bits a number", () => {
  const words = new Int32Array([1234, -1]);
  const nan = new Float64Array(words.buffer)[0];
  const queue = new Queue<number>();
  queue.putSync(nan);
  queue.putManySync([nan]);
  assertEquals(queue.getSync(), NaN);
  assertEquals(queue.getSync(), NaN);
});

Deno.test("LifoQueue is last-in first-out", () => {
  const queue = new LifoQueue<number | string>();
  queue.putManySync([1, "two", 3]);
  queue.putSync(4);
  assertEquals(queue.getManySync(10), [4, 3, "two", 1]);
});

Deno.test("Queue.getNowait() and getSync() throw Empty", async () => {
  const queue = new Queue();
  assertThrows(() => queue.getNowait(), Empty, "the queue is empty");
  assertThrows(() => queue.getSync({ timeout: 5 }), Empty, "5 ms");
  await assertRejects(() => queue.get({ timeout: 5 }), Empty, "5 ms");
  assertThrows(() => queue.getSync(), ThreadingError, "would never end");
  assertThrows(() => queue.getManyNowait(3), Empty);
});

Deno.test("Queue.putNowait() and putSync() throw Full", async () => {
  const queue = new Queue<unknown>(2);
  queue.putManyNowait([1, "two"]);
  assert(queue.full());
  const item = { large: "x".repeat(1000) };
  assertThrows(() => queue.putNowait(item), Full, "maxsize of 2");
  assertThrows(() => queue.putSync(item, { timeout: 5 }), Full, "5 ms");
  await assertRejects(() => queue.put(item, { timeout: 5 }), Full, "5 ms");
  assertThrows(() => queue.putSync(item), ThreadingError, "would never end");
  assertThrows(() => queue.putManySync([1], { timeout: 5 }), Full);
  assertThrows(() => queue.putManyNowait([1]), Full);
  assertEquals(queue.getManyNowait(9), [1, "two"]);
});

Deno.test("Queue: the wait of an aborted get or put leaves no trace", async () => {
  const queue = new Queue<string>(1);
  const reason = new Error("enough");
  const controller = new AbortController();
  const aborted = [1, 2].map(() => queue.get({ signal: controller.signal }));
  const waits = queue.get();
  controller.abort(reason);
  for (const get of aborted) assertEquals(await get.catch((e) => e), reason);
  queue.putNowait("first");
  assertEquals(await waits, "first");
  queue.putNowait("second");
  const second = new AbortController();
  const put = queue.put("never", { signal: second.signal });
  const later = queue.put("third");
  second.abort(reason);
  assertEquals(await put.catch((e) => e), reason);
  assertEquals(queue.getNowait(), "second");
  assertEquals(queue.getNowait(), "third");
  await later;
  assert(queue.empty());
  const signal = AbortSignal.abort(reason);
  assertEquals(await queue.get({ signal }).catch((e) => e), reason);
  assertEquals(await queue.put("x", { signal }).catch((e) => e), reason);
  assert(queue.empty());
});

Deno.test("Queue serves async tasks in order of arrival", async () => {
  const queue = new Queue<number>(1);
  const gets = Array.from({ length: 20 }, () => queue.get());
  const puts = Array.from({ length: 20 }, (_, i) => queue.put(i));
  assertEquals(
    await Promise.all(gets),
    Array.from({ length: 20 }, (_, i) => i),
  );
  await Promise.all(puts);
  const more = Array.from({ length: 20 }, (_, i) => queue.put(i));
  for (let i = 0; i < 20; i++) assertEquals(queue.getNowait(), i);
  await Promise.all(more);
});

Deno.test("Queue: a put that waits goes in though its thread is busy", async () => {
  const queue = new Queue<string>(1);
  queue.putNowait("first");
  const put = queue.put("second");
  assertEquals(queue.getSync(), "first");
  assertEquals(queue.getSync(), "second");
  await put;
});

Deno.test("Queue.putMany() puts all or nothing", async () => {
  const queue = new Queue<unknown>(4);
  queue.putManySync([1, 2]);
  queue.putManySync([]);
  assertThrows(() => queue.putManyNowait([3, 4, 5]), Full);
  assertThrows(() => queue.putManySync([3, 4, 5, 6, 7]), RangeError, "maxsize");
  assertThrows(() => queue.putManySync([3, () => {}]), NotSendableError);
  const many = queue.putMany(["a", "b", "c", "d"]);
  const one = queue.put("e");
  assertThrows(() => queue.putNowait("overtaking"), Full);
  assertEquals(queue.getNowait(), 1);
  assertEquals(queue.qsize(), 1);
  assertEquals(queue.getNowait(), 2);
  await many;
  assertEquals(await queue.getMany(3), ["a", "b", "c"]);
  await one;
  assertEquals(queue.getManyNowait(3), ["d", "e"]);
  assertThrows(() => queue.getManySync(0), RangeError);
  assertThrows(() => queue.getManySync(1.5), RangeError);
});

Deno.test("Queue.taskDone() and join()", async () => {
  const queue = new Queue<number>();
  queue.joinSync();
  queue.putManySync([1, 2]);
  await queue.put(3);
  assertThrows(() => queue.joinSync({ timeout: 5 }), DOMException, "join");
  const joined = queue.join();
  for (let i = 0; i < 3; i++) {
    queue.getNowait();
    queue.taskDone();
  }
  await joined;
  assertThrows(() => queue.taskDone(), ThreadingError, "more often");
  await assertRejects(
    () => queue.put(1).then(() => queue.join({ timeout: 5 })),
    DOMException,
  );
});

Deno.test("Queue.shutdown() lets gets drain", async () => {
  const queue = new Queue<string>(1);
  queue.putNowait("first");
  const put = queue.put("second");
  const many = queue.putMany(["third"]);
  queue.shutdown();
  await assertRejects(() => put, ShutDown);
  await assertRejects(() => many, ShutDown);
  assertThrows(() => queue.putSync("x"), ShutDown, "was shut down");
  assertThrows(() => queue.putNowait("x"), ShutDown);
  assertThrows(() => queue.putManySync(["x"]), ShutDown);
  await assertRejects(() => queue.put("x"), ShutDown);
  assertEquals(queue.getSync(), "first");
  assertThrows(() => queue.getSync(), ShutDown, "and is empty");
  assertThrows(() => queue.getNowait(), ShutDown);
  await assertRejects(() => queue.get(), ShutDown);
  queue.shutdown();
});

Deno.test("Queue.shutdown() ends waiting gets", async () => {
  const queue = new Queue<string>();
  const gets = [queue.get(), queue.getMany(3)];
  queue.shutdown();
  for (const get of gets) await assertRejects(() => get, ShutDown);
});

Deno.test("Queue.shutdown() throws the rest away if it is immediate", async () => {
  const queue = new Queue<unknown>();
  queue.putManySync([1, "two", { three: 3 }]);
  queue.getSync();
  const join = queue.join();
  queue.shutdown({ immediate: true });
  assertThrows(() => queue.getSync(), ShutDown);
  assertEquals(queue.qsize(), 0);
  queue.taskDone();
  await join;
});

Deno.test("Queue is iterated until it is shut down and empty", async () => {
  const queue = new Queue<number>();
  queue.putManySync([1, 2]);
  setTimeout(() => {
    queue.putSync(3);
    queue.shutdown();
  }, 5);
  assertEquals(await Array.fromAsync(queue), [1, 2, 3]);
});

Deno.test("Queue: maxsize must be an integer", () => {
  assertEquals(new Queue().maxsize, 0);
  assertEquals(new Queue(-1).maxsize, -1);
  assert(!new Queue(-1).full());
  assertEquals(new LifoQueue(2 ** 40).maxsize, 2 ** 40);
  for (const maxsize of [1.5, NaN, Infinity]) {
    assertThrows(() => new Queue(maxsize), RangeError, `received ${maxsize}`);
  }
  for (const make of [Queue, LifoQueue, PriorityQueue]) {
    assertThrows(
      () => new make("3" as unknown as number),
      TypeError,
      `Cannot make a ${make.name}: maxsize must be a number, received "3"`,
    );
  }
});

Deno.test("Queue: what cannot be sent changes nothing", async () => {
  const queue = new Queue<unknown>(1);
  const bad = { deep: [() => {}] };
  assertThrows(() => queue.putSync(bad), NotSendableError);
  assertThrows(() => queue.putNowait(bad), NotSendableError);
  await assertRejects(() => queue.put(bad), NotSendableError);
  assert(queue.empty());
  queue.joinSync();
  queue.putSync(1);
  assertThrows(() => queue.putSync(bad), NotSendableError);
  assertEquals(queue.getSync(), 1);
});

Deno.test("Queue refuses wrong timeouts", async () => {
  const queue = new Queue<number>();
  assertThrows(() => queue.getSync({ timeout: -1 }), RangeError);
  assertThrows(() => queue.putSync(1, { timeout: NaN }), RangeError);
  await assertRejects(() => queue.get({ timeout: -1 }), RangeError);
  assert(queue.empty());
});

Deno.test("Queue: skein's own objects arrive as themselves", () => {
  const queue = new Queue<unknown>();
  const lock = new Lock();
  queue.putSync({ lock, queue });
  const item = queue.getSync() as { lock: Lock; queue: Queue<unknown> };
  assert(item.lock === lock);
  assert(item.queue === queue);
});

Deno.test("Queue.free(): a getMany() that waited takes nothing from the next queue", async () => {
  const queue = new Queue<string>();
  const batch = queue.getMany(5);
  queue.putSync("spam");
  let next: Queue<string> | undefined;
  while (next === undefined) {
    await null;
    try {
      queue.free();
    } catch {
      continue;
    }
    // At the address of the one that has gone.
    next = new Queue<string>();
    next.putSync("egg");
  }
  assertEquals(await batch, ["spam"]);
  assertEquals(next.getNowait(), "egg");
});

Deno.test("Queue.free() gives the handle back", () => {
  const queue = new Queue();
  queue.free();
  assertThrows(() => queue.putSync(1), ThreadingError, "free()");
});
