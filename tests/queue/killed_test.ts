// Threads that are killed in a hook, or with what they were handed.
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type { Queue } from "../../queue/mod.ts";
import { Event, sleepSync, ThreadingError } from "../../threading/mod.ts";
import { QueueField } from "../../queue/_engine/layout.ts";
import { Field, words } from "../../threading/_memory/heap.ts";
import { ADDRESS } from "../../threading/_memory/shared_object.ts";
import { dieInSection } from "../threading/damage_fixture.ts";
import { assertKeepsHeap } from "../threading/heap_words.ts";
import { ofNumbers } from "./kinds_fixture.ts";
import { kill, start, untilWaiting } from "./support.ts";
import * as fixture from "./killed_fixture.ts";
import { getOne } from "./stalled_fixture.ts";

const SOON = { timeout: 20_000 };

for (const [name, make] of Object.entries(fixture.makers)) {
  Deno.test(`${name}: a thread killed in a hook leaves the queue as it was`, async () => {
    const queue = make(3);
    const met = new Event();
    queue.putManyNowait([{ n: 1 }, { n: 2 }]);
    const victim = start(fixture.put, queue, { n: 0, met });
    await met.wait(SOON);
    await kill(victim);
    assertEquals(queue.qsize(), 2);
    queue.putNowait({ n: 3 });
    assertEquals(queue.getManyNowait(9).map(({ n }) => n), [1, 2, 3]);
    for (let i = 0; i < 3; i++) queue.taskDone();
    await queue.join(SOON);
  });

  Deno.test(`${name}: a thread killed while it puts another's item in puts it in once or not`, async () => {
    const queue = make(1);
    const met = new Event();
    queue.putNowait({ n: 1 });
    queue.getNowait();
    queue.putNowait({ n: 2 });
    const waiting = queue.put({ n: 3, met });
    const last = queue.put({ n: 4 });
    // Its get makes room, so it runs the hooks for the put that waits. An empty
    // list has nothing to compare with, but with itself.
    const victim = start(fixture.get, queue);
    await met.wait(SOON);
    await kill(victim);
    const got = [1, 2, 3].map(() => queue.getNowait().n);
    await Promise.all([waiting, last]);
    assertEquals(got, [2, 3, 4]);
    assert(queue.empty());
  });

  Deno.test(`${name}: others wait no longer than a thread lives that stays in a hook`, async () => {
    const queue = make(1);
    const met = new Event();
    const victim = start(fixture.put, queue, { n: 1, met });
    await met.wait(SOON);
    const getter = start(fixture.get, queue);
    const putter = start(fixture.put, queue, { n: 2 });
    sleepSync(100);
    await kill(victim);
    assertEquals(await getter.join(SOON), 2);
    await putter.join(SOON);
    assertEquals(queue.qsize(), 0);
  });

  Deno.test(`${name}: the memory of a thread killed in a hook comes back`, async () => {
    const round = async () => {
      const queue = make(2);
      const met = new Event();
      queue.putNowait({ n: 1 });
      const victim = start(fixture.put, queue, { n: 2, met });
      await met.wait(SOON);
      await kill(victim);
      queue.free();
      met.free();
    };
    await assertKeepsHeap(round, { warm: 2, times: 3, slack: 300 });
  });
}

Deno.test("Queue with hooks: a get that is to run them in a thread that dies leaves that to the next", async () => {
  const queue = new fixture.Refusing();
  const [waiting, met] = [new Event(), new Event()];
  const victim = start(fixture.getByTask, queue, waiting);
  await waiting.wait(SOON);
  const next = queue.get(SOON);
  const last = start(fixture.get, queue);
  untilWaiting(queue, 3);
  // The item is in. `_get` throws here, so the thread of the first get is to run it,
  // which it never does.
  queue.putNowait({ n: -1, met });
  assert(met.isSet());
  assertEquals(queue.qsize(), 1);
  await kill(victim);
  assertEquals((await next).n, -1);
  queue.putNowait({ n: 2 });
  assertEquals(await last.join(SOON), 2);
  for (let i = 0; i < 2; i++) queue.taskDone();
  await queue.join(SOON);
});

Deno.test("Queue with hooks: a put that is to run them in a thread that dies is gone, and others go in", async () => {
  const round = async () => {
    const queue = new fixture.Refusing(1);
    const [waiting, met] = [new Event(), new Event()];
    queue.putNowait({ n: 1 });
    const victim = start(fixture.putByTask, queue, { n: 2, met }, waiting);
    await waiting.wait(SOON);
    const next = queue.put({ n: 3 }, SOON);
    untilWaiting(queue, 2, "putters");
    // `_put` throws here, so the put leaves the line for its own thread to run it.
    assertEquals(queue.getNowait().n, 1);
    assert(met.isSet());
    const last = start(fixture.put, queue, { n: 4 });
    await next;
    await kill(victim);
    assertEquals(queue.getNowait().n, 3);
    await last.join(SOON);
    assertEquals(queue.getNowait().n, 4);
    for (let i = 0; i < 3; i++) queue.taskDone();
    await queue.join(SOON);
    for (const object of [queue, waiting, met]) object.free();
  };
  await assertKeepsHeap(round, { warm: 2, times: 3, slack: 300 });
});

for (const { name, make, isStack } of ofNumbers) {
  const inOrder = isStack ? [3, 2, 1] : [1, 2, 3];

  Deno.test(`${name}: what the tasks of a killed thread were handed goes back in order`, async () => {
    const queue = make();
    const [waiting, go] = [new Event(), new Event()];
    const victim = start(fixture.stall, queue, 3, waiting, go);
    await waiting.wait(SOON);
    for (const n of [1, 2, 3]) queue.putNowait(n);
    assertEquals(queue.qsize(), 0);
    await kill(victim);
    queue.putNowait(4);
    const last = isStack ? [4, ...inOrder] : [...inOrder, 4];
    assertEquals(queue.getManyNowait(9), last);
  });

  Deno.test(`${name}: what a blocked thread is handed while it dies goes back`, async () => {
    const queue = make();
    for (let n = 0; n < 8; n++) {
      const victim = start(getOne, queue);
      untilWaiting(queue, 1);
      victim.terminate();
      // It may still be in line, or already be gone.
      queue.putNowait(n);
      assertEquals(await queue.get(SOON), n);
      await assertRejects(() => victim.join(SOON), ThreadingError);
      victim.free();
    }
    assertEquals(queue.qsize(), 0);
    queue.free();
  });

  Deno.test(`${name}: what the tasks of a blocked thread were handed goes back in order`, async () => {
    const queue = make();
    const [waiting, go] = [new Event(), new Event()];
    const thread = start(fixture.stall, queue, 3, waiting, go);
    await waiting.wait(SOON);
    for (const n of [1, 2, 3]) queue.putNowait(n);
    go.set();
    // Its blocking get takes the first.
    while (waiting.isSet()) sleepSync(1);
    queue.putNowait(4);
    const got = await thread.join(SOON);
    assertEquals(got[0], inOrder[0]);
    const others = [1, 2, 3, 4].filter((n) => n !== got[0]);
    assertEquals(got.slice(1).toSorted(), others);
    if (!isStack) assertEquals(got.slice(1), others);
  });
}

for (const { name, make } of ofNumbers) {
  if (name === "SimpleQueue") continue;

  Deno.test(`${name}.shutdown({ immediate }): what a killed thread was handed is done`, async () => {
    for (const shutsFirst of [true, false]) {
      const queue = make() as Queue<number>;
      const [waiting, go] = [new Event(), new Event()];
      const victim = start(fixture.stall, queue, 2, waiting, go);
      await waiting.wait(SOON);
      queue.putNowait(1);
      queue.putNowait(2);
      if (shutsFirst) queue.shutdown({ immediate: true });
      await kill(victim);
      if (!shutsFirst) queue.shutdown({ immediate: true });
      queue.joinSync(SOON);
      assertEquals(queue.qsize(), 0);
    }
  });
}

for (const [name, make] of Object.entries(fixture.makers)) {
  Deno.test(`${name}: who waits is woken if its list is damaged`, async () => {
    const queue = make(1);
    const threads = [1, 2].map(() => start(fixture.get, queue));
    const own = queue.get().catch(String);
    const address = queue[ADDRESS];
    untilWaiting(queue, 3);
    // As the end of a worker leaves it that ran out of memory in the list.
    dieInSection(words[address + QueueField.list] + Field.mutex);
    assertThrows(
      () => queue.putNowait({ n: 1 }),
      ThreadingError,
      "ran out of memory",
    );
    assertStringIncludes(String(await own), "ran out of memory");
    for (const thread of threads) {
      await assertRejects(() => thread.join(SOON), ThreadingError, "ran out");
    }
    queue.free();
  });
}
