// A `_get` that throws for somebody who waits.
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Event, Thread, ThreadingError } from "../../threading/mod.ts";
import {
  getLater,
  getNumber,
  Picky,
  receiveNumber,
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
