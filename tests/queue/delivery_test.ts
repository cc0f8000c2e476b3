// Receiving: what becomes of items until they are acknowledged.
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Empty, Full, LifoQueue, Queue, ShutDown } from "../../queue/mod.ts";
import {
  Event,
  NotSendableError,
  setExcepthook,
  SharedArray,
  sleepSync,
  type Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { assertKeepsHeap } from "../threading/heap_words.ts";
import { runDeno } from "../threading/run_program.ts";
import * as fixture from "./delivery_fixture.ts";
import { type Item, item, kinds } from "./kinds_fixture.ts";
import { start, untilWaiting } from "./support.ts";

// A hook, so that the errors are not printed.
setExcepthook(() => {});

const SOON = { timeout: 20_000 };

async function end(thread: Thread<unknown>): Promise<void> {
  await thread.join(SOON).catch(() => {});
  thread.free();
}

function drain(queue: Queue<Item>): number[] {
  const numbers: number[] = [];
  while (!queue.empty()) numbers.push(queue.getNowait()[0]);
  return numbers;
}

for (const { name, order, make } of kinds) {
  const inOrder = order === "lifo" ? [3, 2, 1] : [1, 2, 3];
  const filled = (maxsize = 3) => {
    const queue = make(maxsize);
    queue.putManyNowait([1, 2, 3].map(item));
    return queue;
  };

  Deno.test(`${name}.receive(): an item is out until it is acknowledged, in all forms`, async () => {
    const queue = filled();
    const deliveries = [
      queue.receiveSync(),
      await queue.receive(),
      queue.receiveNowait(),
    ];
    assertEquals(deliveries.map((each) => each.item), inOrder.map(item));
    assertEquals(deliveries.map((each) => each.deliveries), [1, 1, 1]);
    assertEquals(queue.qsize(), 0);
    assertThrows(() => queue.receiveNowait(), Empty);
    assertThrows(() => queue.receiveSync({ timeout: 1 }), Empty, "1 ms");
    await assertRejects(() => queue.receive({ timeout: 1 }), Empty, "1 ms");
    assertThrows(() => queue.joinSync({ timeout: 1 }), DOMException);
    for (const delivery of deliveries) delivery.ack();
    queue.joinSync(SOON);
    assertThrows(() => queue.taskDone(), ThreadingError);
  });

  Deno.test(`${name}: a nak puts the item back to where it was, also if it is full`, () => {
    const queue = filled();
    const [first, second] = [queue.receiveNowait(), queue.receiveNowait()];
    queue.putManyNowait([item(8), item(9)]);
    assert(queue.full());
    second.nak();
    first[Symbol.dispose]();
    assertEquals(queue.qsize(), 5);
    assertThrows(() => queue.putNowait(item(7)), Full);
    const again = queue.receiveNowait();
    assertEquals(again.item[0], inOrder[0]);
    assertEquals(again.deliveries, 2);
    again.nak();
    assertEquals(queue.receiveNowait().deliveries, 3);
    const [a, b, c] = inOrder;
    const rest = order === "lifo" ? [b, 9, 8, c] : [b, c, 8, 9];
    assertEquals(drain(queue), rest);
    for (let i = 0; i < 5; i++) queue.taskDone();
    queue.joinSync(SOON);
    assertEquals(a, again.item[0]);
    assertThrows(() => queue.taskDone(), ThreadingError);
  });

  Deno.test(`${name}: where an item that came back was, a put that waits goes in at once`, async () => {
    const queue = make(1);
    queue.putNowait(item(1));
    queue.receiveNowait().nak();
    const put = queue.put(item(2));
    assertEquals(queue.getNowait()[0], 1);
    // Even though this thread has not come back to its event loop.
    assertEquals(queue.qsize(), 1);
    queue.receiveNowait().nak();
    const other = queue.put(item(3));
    using delivery = queue.receiveNowait();
    assertEquals(delivery.item[0], 2);
    assertEquals(queue.getNowait()[0], 3);
    await Promise.all([put, other]);
  });

  Deno.test(`${name}: it is settled once`, () => {
    const queue = filled();
    const [done, back] = [queue.receiveNowait(), queue.receiveNowait()];
    done.ack();
    back.nak();
    for (const each of [done, back]) {
      assertThrows(() => each.ack(), ThreadingError, "settled before");
      assertThrows(() => each.nak(), ThreadingError, "settled before");
      each[Symbol.dispose]();
    }
    {
      using delivery = queue.receiveNowait();
      delivery.ack();
    }
    assertEquals(drain(queue), [inOrder[2]]);
  });

  for (const ending of ["return", "exit", "error", "killed"] as const) {
    Deno.test(`${name}: what a thread has not acknowledged goes back when it ends: ${ending}`, async () => {
      const queue = filled();
      const received = new Event();
      const holder = start(fixture.hold, queue, 2, received, ending);
      received.waitSync(SOON);
      if (ending === "killed") holder.terminate();
      await end(holder);
      const again = queue.receiveSync(SOON);
      assertEquals(again.item, item(inOrder[0]));
      assertEquals(again.deliveries, 2);
      again.ack();
      const rest = [queue.receiveNowait(), queue.receiveNowait()];
      assertEquals(rest.map((each) => each.item[0]), inOrder.slice(1));
      assertEquals(rest.map((each) => each.deliveries), [2, 1]);
      for (const each of rest) each.ack();
      queue.joinSync(SOON);
    });
  }

  Deno.test(`${name}: it goes back to one who waits for it`, async () => {
    const queue = make(1);
    queue.putNowait(item(1));
    const received = new Event();
    const holder = start(fixture.hold, queue, 1, received, "killed");
    received.waitSync(SOON);
    const own = queue.receive();
    holder.terminate();
    const delivery = await own;
    assertEquals([delivery.item[0], delivery.deliveries], [1, 2]);
    const got = queue.get();
    delivery.nak();
    assertEquals(await got, item(1));
    queue.taskDone();
    queue.joinSync(SOON);
    await end(holder);
  });

  Deno.test(`${name}: what a killed thread has received goes back to a full queue`, async () => {
    const queue = make(1);
    queue.putNowait(item(1));
    const received = new Event();
    const holder = start(fixture.hold, queue, 1, received, "killed");
    received.waitSync(SOON);
    queue.putNowait(item(2));
    const put = queue.put(item(3));
    holder.terminate();
    await end(holder);
    assertEquals(queue.qsize(), 2);
    const first = queue.receiveNowait();
    assertEquals([first.item[0], first.deliveries], [1, 2]);
    first.ack();
    assertEquals(queue.receiveNowait().item[0], 2);
    await put;
    assertEquals(drain(queue), [3]);
  });

  Deno.test(`${name}: a delayed nak is unfinished and not in the queue until it comes back`, async () => {
    for (const blocks of [true, false]) {
      const queue = filled();
      const delivery = queue.receiveNowait();
      const begin = performance.now();
      delivery.nak({ delay: 60 });
      assertEquals(queue.qsize(), 2);
      queue.receiveNowait().ack();
      queue.receiveNowait().ack();
      assertThrows(() => queue.receiveNowait(), Empty);
      assertThrows(() => queue.joinSync({ timeout: 1 }), DOMException);
      const again = blocks ? queue.receiveSync() : await queue.receive();
      assert(performance.now() - begin >= 59);
      assertEquals([again.item[0], again.deliveries], [inOrder[0], 2]);
      again.ack();
      queue.joinSync(SOON);
    }
  });

  Deno.test(`${name}: who waits already is given a delayed item when it is due`, async () => {
    const queue = make(0);
    queue.putNowait(item(1));
    const delivery = queue.receiveNowait();
    const thread = start(fixture.receiveAll, queue);
    untilWaiting(queue, 1);
    delivery.nak({ delay: 30 });
    while (!queue.empty()) sleepSync(1);
    await queue.join(SOON);
    queue.putNowait(item(2));
    queue.shutdown();
    assertEquals(await thread.join(SOON), 2);
  });

  Deno.test(`${name}: a delayed nak survives its thread`, async () => {
    const queue = make(0);
    queue.putNowait(item(1));
    const begun = performance.now();
    const thread = start(fixture.delay, queue, 100);
    await thread.join(SOON);
    // On a busy machine it may have come back before the join.
    const own = await queue.receive(SOON);
    assert(performance.now() - begun >= 99);
    assertEquals([own.item[0], own.deliveries], [1, 2]);
    own.ack();
    queue.joinSync(SOON);
  });

  Deno.test(`${name}.shutdown(): receive goes on while a delivery is out, get does not`, async () => {
    const queue = make(0);
    queue.putManyNowait([item(1), item(2)]);
    const received = new Event();
    const holder = start(fixture.hold, queue, 1, received, "killed");
    received.waitSync(SOON);
    const delivery = queue.receiveNowait();
    queue.shutdown();
    assertThrows(() => queue.getNowait(), ShutDown);
    assertThrows(() => queue.receiveNowait(), Empty);
    const iterated: number[] = [];
    const iterating = (async () => {
      for await (const [n] of queue) iterated.push(n);
    })();
    const waiting = start(fixture.receiveAll, queue);
    untilWaiting(queue, 2);
    holder.terminate();
    await end(holder);
    delivery.nak({ delay: 20 });
    await iterating;
    const count = await waiting.join(SOON);
    assertEquals(count + iterated.length, 2);
    for (const _ of iterated) queue.taskDone();
    queue.joinSync(SOON);
    assertThrows(() => queue.receiveNowait(), ShutDown);
  });

  Deno.test(`${name}.shutdown({ immediate }): what comes back is dropped and done`, async () => {
    const queue = make(0);
    queue.putManyNowait([1, 2, 3, 4, 5].map(item));
    const received = new Event();
    const holder = start(fixture.hold, queue, 1, received, "killed");
    received.waitSync(SOON);
    const deliveries = [1, 2, 3].map(() => queue.receiveNowait());
    deliveries[0].nak({ delay: 5 });
    const waiting = queue.receive().catch(String);
    await waiting.then(() => {}); // the last one
    queue.shutdown({ immediate: true });
    await assertRejects(() => queue.receive(), ShutDown);
    assertThrows(() => queue.joinSync({ timeout: 1 }), DOMException);
    deliveries[1].nak();
    deliveries[2].nak({ delay: 60_000 });
    holder.terminate();
    await end(holder);
    assertEquals(queue.qsize(), 0);
    const last = await waiting;
    assert(typeof last === "object");
    last.ack();
    assertThrows(() => last.ack(), ThreadingError);
    queue.joinSync(SOON);
  });

  Deno.test(`${name}: a delivery that is collected as garbage goes back`, async () => {
    const queue = make(0);
    queue.putNowait(item(1));
    const done = new Event();
    const received = new Event();
    const thread = start(fixture.forget, queue, received, done);
    received.waitSync(SOON);
    const delivery = await queue.receive(SOON);
    assertEquals(delivery.deliveries, 2);
    delivery.ack();
    done.set();
    await end(thread);
    queue.joinSync(SOON);
  });

  Deno.test(`${name}: the memory of deliveries comes back`, async () => {
    const round = async () => {
      const queue = filled();
      const received = new Event();
      const holder = start(fixture.hold, queue, 1, received, "killed");
      received.waitSync(SOON);
      queue.receiveNowait().nak();
      queue.receiveNowait().ack();
      queue.receiveNowait().nak({ delay: 60_000 });
      holder.terminate();
      await end(holder);
      received.free();
      queue.free();
    };
    await assertKeepsHeap(round, { warm: 2, times: 5, slack: 300 });
  });

  Deno.test(`${name}: a thread that freed the queue and is killed gives its item back`, async () => {
    const queue = make(0);
    queue.putNowait(item(1));
    const received = new Event();
    const holder = start(fixture.holdFreed, queue, received);
    received.waitSync(SOON);
    holder.terminate();
    await end(holder);
    assertEquals(queue.receiveNowait().item, item(1));
  });

  Deno.test(`${name}: tasks and threads receive each item until one acknowledges it`, async () => {
    const queue = make(4);
    const threads = [
      start(fixture.receiveInTasks, queue, 5),
      start(fixture.receiveInTasks, queue, 2),
      start(fixture.receiveAll, queue),
    ];
    for (let n = 0; n < 300; n++) queue.putSync(item(n), SOON);
    queue.shutdown();
    let sum = 0;
    for (const thread of threads) sum += await thread.join({ timeout: 60_000 });
    assertEquals(sum, 300);
    queue.joinSync(SOON);
  });
}

Deno.test("Queue: what a thread has not acknowledged goes back when it runs out of memory", async () => {
  const { code, stdout, stderr } = await runDeno([
    "run",
    "-A",
    "--no-check",
    "--v8-flags=--max-old-space-size=64",
    new URL("out_of_memory_program.ts", import.meta.url).href,
  ]);
  assertEquals([stdout.trim().split("\n").at(-1), code], ["done", 0], stderr);
});

for (const { name, make } of kinds) {
  Deno.test(`${name}.receive(): an item whose module must be awaited stays`, async () => {
    const module = "../threading/sendable_await_fixture.ts";
    const { slow } = await import(`${module}?${name}`);
    const queue = make(0) as unknown as Queue<[number, unknown]>;
    queue.putNowait([1, { text: slow }]);
    queue.receiveNowait().nak();
    const received = await start(fixture.receiveLater, queue).join(SOON);
    assertEquals(received.errors.length, 2);
    for (const error of received.errors) {
      assertStringIncludes(error, "use the promise form");
    }
    assertEquals(received.deliveries, 2);
    assertEquals(queue.qsize(), 1);
    queue.receiveNowait().ack();
    queue.joinSync(SOON);
  });

  Deno.test(`${name}.qsize(): a delayed item counts when it is due`, () => {
    const queue = make(0);
    queue.putNowait(item(1));
    queue.receiveNowait().nak({ delay: 5 });
    assertEquals(queue.qsize(), 0);
    while (queue.empty()) sleepSync(1);
    assertEquals(queue.drain(), [item(1)]);
  });
}

Deno.test("Delivery: it cannot be sent, and its queue may be freed", () => {
  const queue = new Queue<Item>();
  queue.putNowait(item(1));
  const delivery = queue.receiveNowait();
  const other = new Queue<unknown>();
  assertThrows(
    () => other.putNowait({ delivery }),
    NotSendableError,
    "belongs to the thread that received it",
  );
  queue.free();
  delivery.ack();
});

Deno.test("Delivery: after the end of its thread it is settled", async () => {
  const queue = new Queue<Item>();
  queue.putNowait(item(1));
  assertEquals(await start(fixture.leaveBehind, queue).join(SOON), 1);
  const said = await start(fixture.settleOld).join(SOON);
  if (said !== "another worker") assertStringIncludes(said, "its thread has");
  assertEquals(queue.receiveNowait().deliveries, 2);
});

Deno.test("Delivery.nak(): a bad delay is refused before anything has changed", () => {
  const queue = new LifoQueue<number>();
  queue.putNowait(1);
  const delivery = queue.receiveNowait();
  assertThrows(() => delivery.nak({ delay: -1 }), RangeError, "delay");
  assertThrows(() => delivery.nak({ delay: "1" } as never), TypeError);
  assertThrows(() => delivery.nak({ after: 1 } as never), TypeError, "after");
  assertThrows(() => delivery.nak(5 as never), TypeError);
  assertEquals(queue.qsize(), 0);
  delivery.ack();
});

const ROUNDS = 2 * Number(Deno.env.get("SKEIN_STRESS") ?? 1);

for (const inTasks of [false, true]) {
  Deno.test(
    `Queue.receive(): no job is lost while its workers are killed, ${
      inTasks ? "tasks" : "threads"
    }`,
    async () => {
      const JOBS = 8000;
      for (let round = 0; round < ROUNDS; round++) {
        const jobs = new Queue<number>();
        const done = new SharedArray(Int32Array, JOBS);
        jobs.putManyNowait(Array.from({ length: JOBS }, (_, n) => n));
        const workers = [1, 2].map(() =>
          start(fixture.work, jobs, done, inTasks)
        );
        jobs.shutdown();
        let kills = 0;
        const deadline = performance.now() + 120_000;
        for (;;) {
          const left = await jobs.join({ timeout: 150 }).catch(() => "jobs");
          if (left === undefined) break;
          assert(performance.now() < deadline, `${jobs.qsize()} jobs are left`);
          const victim = workers[kills++ % 2];
          victim.terminate();
          await end(victim);
          workers[(kills - 1) % 2] = start(fixture.work, jobs, done, inTasks);
        }
        for (const worker of workers) await end(worker);
        const missing = done.view.findIndex((times) => times === 0);
        assertEquals(missing, -1, `after ${kills} kills`);
        assertEquals(jobs.qsize(), 0);
        jobs.free();
        done.free();
      }
    },
  );
}
