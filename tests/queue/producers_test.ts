// The ends of queues that close by themselves.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Producer, Queue, ShutDown } from "../../queue/mod.ts";
import { Event, SharedMap, ThreadingError } from "../../threading/mod.ts";
import { assertKeepsHeap } from "../threading/heap_words.ts";
import { item, kinds } from "./kinds_fixture.ts";
import * as fixture from "./producers_fixture.ts";
import { kill, start, untilWaiting } from "./support.ts";

const SOON = { timeout: 60_000 };

for (const { name, make } of kinds) {
  Deno.test(`${name}.producer(): behind the last one the queue is shut down, in all forms`, async () => {
    const queue = make(9);
    const first = queue.producer();
    {
      using second = queue.producer();
      second.putSync(item(1));
      await second.put(item(2));
      second.putNowait(item(3));
      await second.putMany([item(4)]);
      second.putManySync([item(5)]);
      second.putManyNowait([item(6)]);
      assertEquals([second.qsize(), second.full()], [6, false]);
      assertEquals(second.maxsize, 9);
      second.close();
      assertThrows(() => second.putNowait(item(9)), ShutDown, "was closed");
      assertThrows(() => second.putSync(item(9)), ShutDown, "was closed");
      await assertRejects(() => second.put(item(9)), ShutDown, "was closed");
      await assertRejects(() => second.putMany([item(9)]), ShutDown);
    }
    first.putNowait(item(7));
    first.close();
    first.close();
    assertThrows(() => queue.producer(), ShutDown, "was shut down");
    assertThrows(() => queue.putNowait(item(8)), ShutDown);
    const got = [...queue].map(([n]) => n);
    assertEquals(got.toSorted(), [1, 2, 3, 4, 5, 6, 7]);
    queue.free();
  });

  for (
    const ending of [
      "close",
      "using",
      "return",
      "throw",
      "free",
      "task",
    ] as const
  ) {
    Deno.test(`${name}.producer(): the queue ends with the threads that have one: ${ending}`, async () => {
      const queue = make(2);
      const own = queue.producer();
      const threads = [[1, 2], [3, 4], []].map((numbers) =>
        start(fixture.produce, queue, numbers, ending)
      );
      const consumer = start(fixture.getAll, queue);
      for (const thread of threads) {
        const end = await thread.join(SOON).catch((error) => error.message);
        assertEquals(end, ending === "throw" ? "on purpose" : undefined);
      }
      // Whoever has none of its own does not keep the queue open.
      own.free();
      assertEquals(await consumer.join(SOON), 4);
      queue.free();
    });
  }

  Deno.test(`${name}.producer(): a producer whose thread is killed while its put waits is gone`, async () => {
    const queue = make(1);
    const ready = new Event();
    const victim = start(fixture.putForEver, queue, ready);
    await ready.wait(SOON);
    untilWaiting(queue, 1, "putters");
    await kill(victim);
    assertEquals(queue.getSync(SOON)[0], 1);
    await assertRejects(() => queue.get(SOON), ShutDown);
    assertThrows(() => queue.producer(), ShutDown);
    queue.free();
    ready.free();
  });

  Deno.test(`${name}.consumer(): behind the last one every put throws, and the items stay`, async () => {
    const queue = make(4);
    const first = queue.consumer();
    queue.putManyNowait([1, 2, 3, 4].map(item));
    {
      using second = queue.consumer();
      assertEquals([second.qsize(), second.empty()], [4, false]);
      const got = [
        second.getSync(SOON),
        await second.get(SOON),
        second.getNowait(),
        ...second.getManySync(1),
      ];
      assertEquals(got.map(([n]) => n).toSorted(), [1, 2, 3, 4]);
      for (const _ of got) second.taskDone();
      queue.putManyNowait([1, 2, 3].map(item));
      second.receiveSync(SOON).ack();
      (await second.receive(SOON)).ack();
      second.receiveNowait().ack();
      queue.putManyNowait([1, 2, 3].map(item));
      assertEquals((await second.getMany(1)).length, 1);
      assertEquals(second.getManyNowait(1).length, 1);
      assertEquals(second.drain().length, 1);
      for (let i = 0; i < 3; i++) second.taskDone();
      queue.joinSync();
      queue.putManyNowait([1, 2, 3].map(item));
      for await (const _ of second.items(SOON)) break;
      for (const _ of second) second.close();
      assertThrows(() => second.getNowait(), ShutDown, "was closed");
      await assertRejects(() => second.get(), ShutDown, "was closed");
      assertThrows(() => second.items(), ShutDown, "was closed");
    }
    queue.putManyNowait([4, 5, 6].map(item));
    const put = queue.put(item(7));
    const blocked = start(fixture.tryPut, queue);
    untilWaiting(queue, 2, "putters");
    first.close();
    await assertRejects(() => put, ShutDown);
    assertEquals(await blocked.join(SOON), "ShutDown");
    assertThrows(() => queue.putNowait(item(8)), ShutDown);
    assertEquals(queue.qsize(), 4);
    using late = queue.consumer();
    assertEquals(late.drain().length, 4);
    assertThrows(() => late.getNowait(), ShutDown, "is empty");
    queue.free();
  });

  Deno.test(`${name}.consumer(): all of them are killed and replaced`, async () => {
    const queue = make(3);
    const done = new Queue<number>();
    const own = queue.consumer();
    const left = new Set<number>();
    for (let n = 0; n < 12; n++) left.add(n);
    const put = queue.putMany([...left].slice(0, 3).map(item)).then(
      async () => {
        for (let n = 3; n < 12; n++) await queue.put(item(n));
      },
    );
    for (let round = 0; round < 3; round++) {
      const threads = [1, 2].map(() => start(fixture.consume, queue, done));
      for (let i = 0; i < 3; i++) left.delete(await done.get(SOON));
      for (const thread of threads) await kill(thread);
    }
    const last = start(fixture.consume, queue, done);
    while (left.size > 0) left.delete(await done.get(SOON));
    await put;
    // Some may have been done twice.
    await queue.put(item(12), SOON);
    while (await done.get(SOON) !== 12);
    own.free();
    await queue.put(item(13), SOON);
    assertEquals(await done.get(SOON), 13);
    await kill(last);
    assertThrows(() => queue.putNowait(item(14)), ShutDown);
    queue.free();
    done.free();
  });
}

Deno.test("Producer: it can be sent, and closed in any thread", async () => {
  const queue = new Queue<[number, { text: string }]>(1);
  const producer = queue.producer();
  const thread = start(fixture.putBy, producer, [1, 2, 3]);
  let count = 0;
  for await (const _ of queue) count++;
  assertEquals([count, await thread.join(SOON)], [3, 3]);
  assertThrows(() => producer.putNowait(item(1)), ShutDown, "was closed");
});

Deno.test("Producer: one that lies in an item of its own queue keeps it open until the item is got", async () => {
  const queue = new Queue<Producer<unknown>>();
  const producer = queue.producer();
  producer.putNowait(producer);
  producer.free();
  await new Promise((resolve) => setTimeout(resolve, 20));
  queue.producer().close();
  const got = queue.getNowait();
  got.putNowait(got);
  got.free();
  // Thrown away, it ends the queue, which has ended.
  queue.shutdown({ immediate: true });
  await assertRejects(() => queue.get(SOON), ShutDown);
  queue.free();
  const other = new Queue<Producer<unknown>>();
  const own = other.producer();
  own.putNowait(own);
  own.free();
  other.getNowait().free();
  assertThrows(() => other.getNowait(), ShutDown);
});

Deno.test("Producer: one that lies in a map keeps its queue open", async () => {
  const queue = new Queue<number>();
  const map = new SharedMap<string, Producer<number>>();
  const producer = queue.producer();
  map.set("producer", producer);
  producer.free();
  const got = queue.get(SOON);
  await new Promise((resolve) => setTimeout(resolve, 20));
  map.get("producer")!.putNowait(1);
  assertEquals(await got, 1);
  const end = queue.get(SOON);
  map.clear();
  // Its handle here is garbage, or is given back.
  queue.shutdown();
  await assertRejects(() => end, ShutDown);
});

Deno.test("Producer: a thousand of them, and the queue ends with the last", () => {
  const queue = new Queue<number>();
  const producers = Array.from({ length: 1000 }, () => queue.producer());
  for (const [n, producer] of producers.entries()) {
    producer.putNowait(n);
    if (n % 2 === 0) producer.close();
    else producer.free();
    if (n < 999) assertEquals(queue.getNowait(), n);
  }
  assertThrows(() => queue.putNowait(1), ShutDown);
  assertEquals(queue.getSync(), 999);
  assertThrows(() => queue.getSync(), ShutDown);
});

Deno.test("Producer: it closes when it is collected as garbage", async () => {
  const queue = new Queue<[number, { text: string }]>();
  const done = new Event();
  const thread = start(fixture.forget, queue, done);
  let count = 0;
  for await (const _ of queue) count++;
  assertEquals(count, 1);
  done.set();
  await thread.join(SOON);
});

Deno.test("Producer: its handle stays while a put waits", async () => {
  const queue = new Queue<number>(1);
  queue.putNowait(0);
  const producer = queue.producer();
  const put = producer.put(1);
  assertThrows(() => producer.free(), ThreadingError, "async task");
  assertThrows(() => producer.putNowait(2), Error, "full");
  assertEquals(producer.qsize(), 1);
  put.catch(() => {});
  producer.close();
  await assertRejects(() => put, ShutDown);
});

Deno.test("Producer: a consumer that sleeps wakes up when the last one is dropped by a busy thread", async () => {
  const queue = new Queue<[number, { text: string }]>();
  const box = new Queue<Producer<[number, { text: string }]>>();
  const producer = queue.producer();
  box.putNowait(producer);
  producer.free();
  const thread = start(fixture.getAll, queue);
  untilWaiting(queue, 1);
  box.shutdown({ immediate: true });
  const end = performance.now() + 60_000;
  while (thread.isAlive()) assert(performance.now() < end, "it sleeps on");
  assertEquals(await thread.join(SOON), 0);
});

Deno.test("Consumer: with hooks, a put that is under way is refused", async () => {
  const putting = new Event();
  const queue = new fixture.Slow(putting);
  const consumer = queue.consumer();
  const thread = start(fixture.tryPut, queue);
  await putting.wait(SOON);
  consumer.close();
  assertEquals(await thread.join(SOON), "ShutDown");
  assertEquals(queue.qsize(), 0);
  queue.joinSync(SOON);
});

Deno.test("Producer and Consumer: their memory comes back", async () => {
  const round = () => {
    const queue = new Queue<unknown>();
    const producer = queue.producer();
    const consumer = queue.consumer();
    producer.putNowait({ producer, consumer });
    consumer.getNowait();
    producer.close();
    assertThrows(() => queue.producer(), ShutDown);
    for (const object of [producer, consumer, queue]) object.free();
  };
  await assertKeepsHeap(round, { warm: 5, times: 200, slack: 300 });
});
