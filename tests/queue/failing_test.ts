// A `_get` that throws for somebody who waits.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { select, ShutDown } from "../../queue/mod.ts";
import { checkHeap } from "../../threading/_memory/allocator.ts";
import { Event, Thread, ThreadingError } from "../../threading/mod.ts";
import {
  Boastful,
  getLater,
  getNumber,
  Lazy,
  Picky,
  receiveNumber,
  Weak,
} from "./failing_fixture.ts";
import { untilWaiting } from "./support.ts";

const SOON = { timeout: 60_000 };

type Get = typeof getNumber | typeof getLater;

/** Starts threads that wait for an item, one after the other. */
function startAll(queue: Picky, ...targets: Get[]): Thread<number | string>[] {
  return targets.map((target, i) => {
    const thread = new Thread({ target, args: [queue] });
    thread.start();
    untilWaiting(queue, i + 1);
    return thread as Thread<number | string>;
  });
}

Deno.test("Queue with hooks: a _get() that throws for who waits is their error, and the put holds", async () => {
  const queue = new Picky();
  const get = queue.get();
  const many = queue.getMany(2);
  const receive = queue.receive();
  queue.putNowait({ n: 1, fails: true });
  for (const wait of [get, many, receive]) {
    await assertRejects(() => wait as Promise<unknown>, RangeError, "picky");
  }
  assertEquals(queue.qsize(), 1);
  assertThrows(() => queue.getNowait(), RangeError, "picky");
  assertEquals(queue.qsize(), 1);
  queue.free();
});

for (const target of [getNumber, getLater, receiveNumber]) {
  Deno.test(`Queue with hooks: threads run the _get() that fails in the thread of the put: ${target.name}`, async () => {
    const queue = new Picky();
    const threads = startAll(queue, target, target);
    queue.putNowait({ n: 1, failsInMain: true });
    queue.putManyNowait([{ n: 2, failsInMain: true }, { n: 3 }]);
    assertEquals(await threads[0].join(SOON), 1);
    assertEquals(await threads[1].join(SOON), 2);
    assertEquals(queue.getNowait().n, 3);
    const failing = startAll(queue, target, target);
    queue.putNowait({ n: 4, fails: true });
    for (const thread of failing) {
      assertEquals(await thread.join(SOON), "picky");
    }
    assertEquals(queue.qsize(), 1);
    queue.free();
  });
}

Deno.test("Queue with hooks: a thread killed in the _get() that it was woken for leaves the item to the next", async () => {
  const queue = new Picky();
  const met = new Event();
  const [victim, next] = startAll(queue, getNumber, getLater);
  queue.putNowait({ n: 1, failsInMain: true, met });
  await met.wait(SOON);
  victim.terminate();
  await assertRejects(() => victim.join(SOON), ThreadingError);
  assertEquals(await next.join(SOON), 1);
  assertEquals(queue.qsize(), 0);
  queue.free();
  met.free();
});

Deno.test("Queue with hooks: a task that was woken to run them, and whose thread blocks, leaves that to others", async () => {
  const queue = new Picky();
  const own = queue.get();
  const other = new Thread({ target: getNumber, args: [queue] });
  other.start();
  untilWaiting(queue, 2);
  // In this thread it fails, so its own task is woken to try it.
  queue.putNowait({ n: 1, failsInMain: true });
  assertEquals(other.joinSync(SOON), 1);
  queue.putNowait({ n: 2 });
  assertEquals((await own).n, 2);
  queue.free();
});

Deno.test("Queue with hooks: a put that fails when it is its turn leaves that to the next", async () => {
  const queue = new Weak(1);
  queue.putNowait(1);
  queue.receiveNowait().nak();
  const first = queue.put(2, SOON);
  const next = queue.put(3, SOON);
  const failed = assertRejects(() => first, RangeError, "weak");
  // This needs no hooks, those of the puts fail, and so they do in the first put.
  Weak.failures = 2;
  assertEquals(queue.getNowait(), 1);
  await failed;
  await next;
  assertEquals(Weak.failures, 0);
  assertEquals(queue.getNowait(), 3);
  queue.free();
});

Deno.test("Queue with hooks: a selection that fails when it is its turn leaves that to the next", async () => {
  const queue = new Weak();
  const first = select([queue], SOON);
  const next = queue.get(SOON);
  const failed = assertRejects(() => first, RangeError, "weak");
  queue.putNowait(1);
  Weak.failures = 1;
  await failed;
  assertEquals(await next, 1);
  queue.free();
});

Deno.test("Queue.shutdown({ immediate }): if _get() throws, the queue ends all the same", async () => {
  const queue = new Picky(3);
  queue.putManyNowait([{ n: 1 }, { n: 2, fails: true }, { n: 3 }]);
  const put = queue.put({ n: 4 });
  const join = queue.join();
  const words = checkHeap().allocatedWords;
  assertThrows(
    () => queue.shutdown({ immediate: true }),
    RangeError,
    "picky",
  );
  await assertRejects(() => put, ShutDown);
  await join;
  assertEquals(queue.qsize(), 0);
  assertThrows(() => queue.getNowait(), ShutDown);
  assertThrows(() => queue.putNowait({ n: 5 }), ShutDown);
  assertThrows(() => queue.taskDone(), ThreadingError, "more often");
  assert(checkHeap().allocatedWords < words, "what was there is given back");
  queue.shutdown({ immediate: true });
  const waited = new Picky();
  const get = waited.get();
  const [thread] = startAll(waited, getNumber, getNumber).slice(1);
  waited.shutdown({ immediate: true });
  await assertRejects(() => get, ShutDown);
  assertEquals(
    await thread.join(SOON),
    "Cannot get an item: the queue was shut down and is empty",
  );
});

for (const make of [Lazy, Boastful]) {
  Deno.test(`Queue.shutdown({ immediate }): it ends with the hooks of ${make.name}`, async () => {
    const queue = new make();
    queue.putManyNowait([1, 2]);
    const join = queue.join();
    queue.shutdown({ immediate: true });
    await join;
    assertEquals(queue.qsize(), 0);
    assertThrows(() => queue.getNowait(), ShutDown);
    await assertRejects(() => queue.get(), ShutDown);
    await assertRejects(() => queue.receive(), ShutDown);
    assertThrows(() => queue.getManySync(2), ShutDown);
    queue.free();
  });
}
