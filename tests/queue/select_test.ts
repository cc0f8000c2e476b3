import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  after,
  Empty,
  every,
  LifoQueue,
  PriorityQueue,
  Queue,
  receiving,
  select,
  selectNowait,
  selectSync,
  ShutDown,
  SimpleQueue,
  SynchronousQueue,
} from "../../queue/mod.ts";
import {
  DeadlockError,
  Event,
  isTimeout,
  Lock,
  NotSendableError,
  setExcepthook,
  sleepSync,
  Thread,
  ThreadingError,
  threadStates,
} from "../../threading/mod.ts";
import {
  assertHeapBackTo,
  assertKeepsHeap,
  settleHeap,
} from "../threading/heap_words.ts";
import { byNumber, Hooked } from "./stress_fixture.ts";
import { start, untilWaiting } from "./support.ts";
import * as fixture from "./select_fixture.ts";

// A hook, so that the errors are not printed.
setExcepthook(() => {});

const SOON = { timeout: 120_000 };

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const kinds: Record<string, () => Queue<number>> = {
  Queue: () => new Queue(1),
  LifoQueue: () => new LifoQueue(1),
  PriorityQueue: () => new PriorityQueue<number>(1),
  "a Queue with hooks": () => new Hooked<number>(1),
  "a PriorityQueue with compare": () =>
    new PriorityQueue<number>({ maxsize: 1, compare: byNumber }),
};

for (const [name, make] of Object.entries(kinds)) {
  Deno.test(`select() gets from, puts into and receives from ${name}, in all forms`, async () => {
    const queue = make();
    const other = make();
    const event = new Event();
    // At once.
    assertEquals(selectNowait([queue, other]), undefined);
    assertEquals(selectNowait([queue, [other, 1]])?.index, 1);
    assertEquals(selectSync([queue, other]), { index: 1, value: 1 });
    assertEquals(await select([event, [queue, 2]]), {
      index: 1,
      value: undefined,
    });
    assertEquals(await select([queue, event]), { index: 0, value: 2 });
    // After a wait: for an item, ...
    let thread = start(fixture.putLater, other, 3, 20);
    assertEquals(await select([queue, other], SOON), { index: 1, value: 3 });
    await thread.join();
    thread = start(fixture.putLater, other, 4, 20);
    assertEquals(selectSync([queue, other], SOON), { index: 1, value: 4 });
    await thread.join();
    // ... for room, ...
    queue.putSync(5);
    let getter = start(fixture.getLater, queue, 20);
    assertEquals((await select([other, [queue, 6]], SOON)).index, 1);
    assertEquals(await getter.join(), 5);
    getter = start(fixture.getLater, queue, 20);
    assertEquals(selectSync([other, [queue, 7]], SOON).index, 1);
    assertEquals(await getter.join(), 6);
    assertEquals(queue.getNowait(), 7);
    // ... and for a delivery.
    thread = start(fixture.putLater, other, 8, 20);
    const first = await select([receiving(queue), receiving(other)], SOON);
    assertEquals([first.index, first.value.item], [1, 8]);
    first.value.nak();
    const second = selectSync([receiving(queue), receiving(other)], SOON);
    assertEquals([second.value.item, second.value.deliveries], [8, 2]);
    second.value.ack();
    await thread.join();
    assertEquals(queue.qsize() + other.qsize(), 0);
    for (const shared of [queue, other, event]) shared.free();
  });
}

Deno.test("select() chooses among the cases that are ready, each with the same chance", () => {
  const counts = [0, 0, 0, 0];
  const queues = counts.map(() => new SimpleQueue<number>());
  for (let i = 0; i < 4000; i++) {
    for (const at of [0, 2, 3]) queues[at].putNowait(i);
    const chosen = i % 2 === 0 ? selectSync(queues) : selectNowait(queues);
    counts[chosen!.index]++;
    for (const queue of queues) if (!queue.empty()) queue.getNowait();
  }
  assertEquals(counts[1], 0);
  for (const at of [0, 2, 3]) assert(Math.abs(counts[at] - 1333) < 250);
  for (const queue of queues) queue.free();
});

Deno.test("select() takes from one queue and leaves the others as they are", async () => {
  const queues = [1, 2, 3].map((item) => {
    const queue = new Queue<number>();
    queue.putNowait(item);
    return queue;
  });
  const { index, value } = await select(queues);
  assertEquals(value, index + 1);
  const sizes = queues.map((queue) => queue.qsize());
  assertEquals(sizes, [0, 1, 2].map((at) => at === index ? 0 : 1));
});

Deno.test("select() waits for an Event and for the end of a Thread", async () => {
  const event = new Event();
  const queue = new Queue<number>();
  let thread = start(fixture.endLater, 20);
  const ended = await select([event, queue, thread], SOON);
  assertEquals(ended, { index: 2, value: "done" });
  assertEquals(selectNowait([event, thread]), { index: 1, value: "done" });
  thread = start(fixture.endLater, 20, "no luck");
  assertThrows(() => selectSync([event, thread], SOON), RangeError, "no luck");
  setTimeout(() => event.set(), 20);
  assertEquals(await select([queue, event], SOON), {
    index: 1,
    value: undefined,
  });
  assertEquals(selectSync([queue, event]).index, 1);
  const idle = new Thread({ target: fixture.endLater, args: [1] });
  assertThrows(() => selectSync([queue, idle]), ThreadingError, "not started");
});

Deno.test("select() with settled gives the error with the index of its case", async () => {
  const open = new Queue<number>();
  const shut = new Queue<number>(1);
  shut.shutdown();
  for (const given of [shut, receiving(shut), [shut, 1] as const]) {
    const settled = { settled: true } as const;
    for (
      const chosen of [
        await select([open, given], settled),
        selectSync([open, given], settled),
        selectNowait([open, given], settled)!,
      ]
    ) {
      assertEquals(chosen.index, 1);
      assert(chosen.error instanceof ShutDown);
      assert(!("value" in chosen));
    }
    await assertRejects(() => select([open, given]), ShutDown);
    assertThrows(() => selectSync([open, given]), ShutDown);
    assertThrows(() => selectNowait([open, given]), ShutDown);
  }
  assertEquals(selectNowait([open], { settled: true }), undefined);
  open.putNowait(1);
  assertEquals(await select([open], { settled: true }), { index: 0, value: 1 });
});

Deno.test("select() with settled gives an error for what threw undefined", async () => {
  const thread = new Thread({ target: fixture.throwUndefined });
  thread.start();
  const chosen = await select([thread], { settled: true });
  assert(chosen.error instanceof Error);
  assert(!("value" in chosen));
  const thrown = await select([thread]).then(
    () => assert(false),
    (reason) => reason,
  );
  assertEquals(thrown, undefined);
});

Deno.test("select() ends when a queue in which it waits is shut down", async () => {
  const queue = new Queue<number>(1);
  const full = new Queue<number>(1);
  full.putNowait(1);
  for (const given of [[queue, [full, 2]], [[full, 2], queue]] as const) {
    const waits = [
      select(given, { settled: true }),
      select([queue, receiving(queue)], { settled: true }),
    ];
    await pause(5);
    queue.shutdown();
    for (const wait of waits) {
      assert((await wait).error instanceof ShutDown);
    }
    break;
  }
  const put = select([[full, 2], new Queue<number>()]);
  full.shutdown();
  await assertRejects(() => put, ShutDown);
  assertEquals(full.getNowait(), 1);
});

Deno.test("select() with receiving() goes on after a shutdown while deliveries are out", async () => {
  const queue = new Queue<number>();
  queue.putNowait(1);
  const out = queue.receiveNowait();
  queue.shutdown();
  const wait = select([receiving(queue)], SOON);
  await pause(5);
  out.nak({ delay: 20 });
  const { value } = await wait;
  assertEquals([value.item, value.deliveries], [1, 2]);
  const last = select([receiving(queue)], SOON);
  value.ack();
  await assertRejects(() => last, ShutDown);
});

Deno.test("select() on an item that comes back later is woken when it does", async () => {
  const queue = new Queue<number>();
  const other = new Queue<number>();
  for (const blocks of [true, false]) {
    queue.putNowait(1);
    const wait = blocks ? undefined : select([other, queue], SOON);
    queue.putNowait(2);
    queue.receiveNowait().nak({ delay: 30 });
    const { index, value } = wait === undefined
      ? selectSync([other, receiving(queue)], SOON)
      : await wait;
    assertEquals(index, 1);
    if (typeof value === "object") value.ack();
    while (queue.qsize() > 0) queue.getNowait();
    await pause(40);
    while (queue.qsize() > 0) queue.getNowait();
  }
});

Deno.test("select() copies the item of a put at the call", async () => {
  const queue = new Queue<number[]>(1);
  queue.putNowait([0]);
  const item = [1];
  const put = select([[queue, item], new Queue<number>()]);
  item.push(2);
  assertEquals(queue.getNowait(), [0]);
  await put;
  assertEquals(queue.getNowait(), [1]);
});

Deno.test("select() with an item that cannot be sent, or compared, is refused as a put is", async () => {
  const queue = new Queue<unknown>(1);
  queue.putNowait(1);
  const item = { f: () => {} };
  assertThrows(() => selectNowait([[queue, item]]), NotSendableError);
  assertThrows(() => selectSync([[queue, item]]), NotSendableError);
  await assertRejects(() => select([[queue, item]]), NotSendableError);
  const lowest = new PriorityQueue<unknown>();
  lowest.putNowait("text");
  assertThrows(() => selectSync([[lowest, 1]]), TypeError, "compared");
  assertEquals([queue.qsize(), lowest.qsize()], [1, 1]);
});

Deno.test("select() gives up after its timeout, or when its signal is aborted, and leaves nothing behind", async () => {
  const queues = [new Queue<number>(1), new Queue<number>(1)];
  queues[1].putNowait(1);
  const cases = [queues[0], [queues[1], 2], receiving(queues[0])] as const;
  for (const ms of [0, 5]) {
    const error = await assertRejects(() => select(cases, { timeout: ms }));
    assert(isTimeout(error));
    assert(isTimeout(assertThrows(() => selectSync(cases, { timeout: ms }))));
  }
  const controller = new AbortController();
  const wait = select(cases, { signal: controller.signal });
  controller.abort("enough");
  await wait.then(
    () => assert(false),
    (error) => assertEquals(error, "enough"),
  );
  const { signal } = controller;
  // It is looked at first, even if a case is ready.
  const late = select([queues[1]], { signal });
  await late.then(
    () => assert(false),
    (error) => assertEquals(error, "enough"),
  );
  assertEquals(queues[1].getNowait(), 1);
  queues[0].putNowait(3);
  assertEquals(queues[0].getNowait(), 3);
  assertThrows(() => queues[1].getNowait(), Empty);
  for (const queue of queues) queue.free();
});

Deno.test("after() counts from when it is made, and stays ready", async () => {
  const queue = new Queue<number>();
  const soon = after(20);
  const start = performance.now();
  assertEquals(selectNowait([queue, soon]), undefined);
  assertEquals(await select([queue, soon, after(60_000)]), {
    index: 1,
    value: undefined,
  });
  assert(performance.now() - start >= 19);
  assertEquals(selectSync([queue, soon]).index, 1);
  const other = after(20);
  sleepSync(25);
  assertEquals(selectNowait([queue, other])?.index, 1);
  assertEquals(selectNowait([after(Infinity)]), undefined);
});

Deno.test("every() ticks, and ticks that are missed become one", async () => {
  const tick = every(20);
  const start = performance.now();
  for (let i = 1; i <= 3; i++) {
    if (i % 2 === 0) await select([tick]);
    else selectSync([tick]);
    assert(performance.now() - start >= i * 20 - 1);
  }
  sleepSync(70);
  assertEquals(selectNowait([tick])?.index, 0);
  // Not at once again, unless this thread was out for long.
  const again = selectNowait([tick]);
  const ms = performance.now() - start;
  assert(again === undefined || ms >= 160, `a second tick after ${ms} ms`);
  // Two waits for one tick: each takes a tick of its own.
  await Promise.all([select([tick]), select([tick])]);
});

Deno.test("after(), every() and receiving() cannot be sent", () => {
  const queue = new Queue<unknown>();
  for (const what of [after(1), every(1), receiving(queue)]) {
    assertThrows(() => queue.putNowait(what), NotSendableError, "call");
  }
  assertEquals(queue.qsize(), 0);
});

Deno.test("select() on the same queue twice takes one item", async () => {
  for (
    const make of [...Object.values(kinds), () => new SimpleQueue<number>()]
  ) {
    const queue = make();
    const wait = select([queue, queue, queue], SOON);
    const blocked = start(fixture.selectOne, [queue, queue]);
    untilWaiting(queue, 5);
    queue.putSync(1);
    assertEquals((await wait).value, 1);
    queue.putSync(2);
    assertEquals((await blocked.join(SOON))[1], 2);
    assertEquals(queue.qsize(), 0);
    assertEquals(selectSync([[queue, 3], [queue, 4]]).value, undefined);
    assertEquals(queue.qsize(), 1);
    blocked.free();
    queue.free();
  }
});

Deno.test("select() with a put and a get of one queue lets one of them take effect", async () => {
  const queue = new Queue<number>(2);
  for (let i = 0; i < 100; i++) {
    const before = queue.qsize();
    const { index } = selectSync([queue, [queue, i]]);
    assertEquals(queue.qsize(), before + (index === 0 ? -1 : 1));
  }
  // Nobody hands an item over to himself.
  const meeting = new SynchronousQueue<number>();
  const cases = [meeting, [meeting, 1], meeting, [meeting, 2]] as const;
  assertEquals(selectNowait(cases), undefined);
  assert(isTimeout(assertThrows(() => selectSync(cases, { timeout: 10 }))));
  const first = select(cases, SOON);
  assertEquals(selectNowait(cases)?.index !== undefined, true);
  await first;
  for (const put of [true, false]) {
    const wait = select(cases, SOON);
    if (put) meeting.putNowait(3);
    else assert(meeting.getNowait() < 3);
    const { index, value } = await wait;
    assertEquals(value, put ? 3 : undefined);
    assertEquals(index % 2, put ? 0 : 1);
  }
  meeting.free();
});

Deno.test("select() at both ends of SynchronousQueues meets another one, and both take effect", async () => {
  const queues = [
    new SynchronousQueue<number>(),
    new SynchronousQueue<number>(),
  ];
  for (const forms of [[true, true], [true, false], [false, false]]) {
    const threads = forms.map((blocks) =>
      start(fixture.meet, queues, 500, blocks)
    );
    const [a, b] = [await threads[0].join(SOON), await threads[1].join(SOON)];
    assertEquals([a.put, a.got], [b.got, b.put]);
    assertEquals(a.put + a.got, 500);
    assert(a.put > 0 && a.got > 0);
    for (const thread of threads) thread.free();
  }
  for (const queue of queues) {
    assertThrows(() => queue.getNowait(), Empty);
    queue.free();
  }
});

Deno.test("select() throws what a hook throws, and the queue is as it was", async () => {
  const picky = new fixture.Picky(1);
  const other = new Queue<number>();
  assertThrows(() => selectSync([[picky, 13], other]), RangeError, "unlucky");
  await assertRejects(() => select([[picky, 13]]), RangeError, "unlucky");
  const failed = selectSync([[picky, 13], other], { settled: true });
  assert(failed.index === 0 && failed.error instanceof RangeError);
  assertEquals(picky.qsize(), 0);
  // In the thread that waits, when there is room.
  picky.putNowait(1);
  const put = select([other, [picky, 13]], SOON);
  const behind = picky.put(2);
  assertEquals(picky.getNowait(), 1);
  await assertRejects(() => put, RangeError, "unlucky");
  await behind;
  assertEquals(picky.getNowait(), 2);
  // The other end.
  const get = select([other, picky], SOON);
  picky.putNowait(99);
  await assertRejects(() => get, RangeError, "stuck");
  assertThrows(() => selectNowait([picky]), RangeError, "stuck");
  assertEquals(picky.qsize(), 1);
});

Deno.test("select() that is aborted when a case was granted takes it, before that it takes nothing", async () => {
  const queues = [new Queue<number>(), new Queue<number>()];
  for (let i = 0; i < 100; i++) {
    const controller = new AbortController();
    const wait = select(queues, { signal: controller.signal });
    const granted = i % 2 === 0;
    if (!granted) controller.abort("enough");
    queues[i % 3 % 2].putNowait(i);
    if (granted) controller.abort("enough");
    const end = await wait.then(({ value }) => value, (error) => error);
    assertEquals(end, granted ? i : "enough");
    assertEquals(queues[0].qsize() + queues[1].qsize(), granted ? 0 : 1);
    if (!granted) selectSync(queues);
  }
  for (const queue of queues) queue.free();
});

Deno.test("select() whose time runs out while a case is granted loses nothing", async () => {
  const queues = [new Queue<number>(), new Queue<number>()];
  let got = 0;
  const rounds = 60;
  for (let i = 0; i < rounds; i++) {
    const thread = start(fixture.putLater, queues[i % 2], i, i % 4);
    try {
      const timeout = i % 5;
      if (i % 3 === 0) await select(queues, { timeout });
      else selectSync(queues, { timeout });
      got++;
    } catch (error) {
      assert(isTimeout(error));
    }
    await thread.join(SOON);
    thread.free();
  }
  assertEquals(got + queues[0].qsize() + queues[1].qsize(), rounds);
  for (const queue of queues) queue.free();
});

Deno.test("select() whose thread is killed while a case is granted loses nothing and doubles nothing", async () => {
  const queues = [new Queue<number>(), new Queue<number>()];
  await round(0);
  const before = await settleHeap();
  for (let i = 1; i < 13; i++) await round(i);
  await assertHeapBackTo(before, 1000);

  async function round(i: number): Promise<void> {
    const received = new Event();
    const thread = start(fixture.receiveOne, queues, received);
    untilWaiting(queues[1], 1);
    queues[i % 2].putNowait(i);
    if (i % 3 > 0) sleepSync(i % 3 - 1);
    thread.terminate();
    await assertRejects(() => thread.join(SOON), ThreadingError);
    // What it had is back; its nodes are in no line.
    assertEquals(queues.map((queue) => queue.qsize()).sort(), [0, 1]);
    assertEquals(selectSync(queues, SOON).value, i);
    queues[0].putNowait(1);
    assertEquals(queues[0].getNowait(), 1);
    received.free();
    thread.free();
  }
});

Deno.test("select() of 500 threads and tasks over two queues serves them in order of arrival, at a cost that does not grow with their number", async () => {
  const queues = [new Queue<number>(), new Queue<number>()];
  const inOrder = async (count: number, rounds: number) => {
    const start = performance.now();
    for (let round = 0; round < rounds; round++) {
      const waits = Array.from({ length: count }, () => select(queues));
      for (let i = 0; i < count; i++) queues[i * 7 % 3 % 2].putNowait(i);
      const got = (await Promise.all(waits)).map(({ value }) => value);
      assertEquals(got, Array.from({ length: count }, (_, i) => i));
    }
    return (performance.now() - start) / rounds / count;
  };
  await inOrder(50, 20);
  let ratio = Infinity;
  // A busy machine may spoil some of the measurements.
  for (let i = 0; i < 5 && ratio > 3; i++) {
    const few = await inOrder(50, 20);
    ratio = Math.min(ratio, await inOrder(500, 4) / few);
  }
  assert(ratio < 4, `an item costs ${ratio} times as much with 500 as with 50`);

  const results = new Queue<[number, number]>();
  const threads = Array.from(
    { length: 5 },
    () => start(fixture.collect, queues, results, 100),
  );
  for (const queue of queues) untilWaiting(queue, 500);
  const total = 2000;
  for (let i = 0; i < total; i++) queues[i % 2].putNowait(i);
  const seen = new Set<number>();
  for (let i = 0; i < total; i++) {
    const [index, value] = await results.get(SOON);
    assertEquals(index, value % 2);
    seen.add(value);
  }
  assertEquals(seen.size, total);
  for (let i = 0; i < 500; i++) queues[i % 2].putNowait(-1);
  for (const thread of threads) {
    await thread.join(SOON);
    thread.free();
  }
  assertEquals(queues.map((queue) => queue.qsize()), [0, 0]);
  for (const queue of [...queues, results]) queue.free();
});

Deno.test("select() takes up to 1000 cases", async () => {
  const queues = Array.from({ length: 1000 }, () => new Queue<number>(1));
  const thread = start(fixture.putLater, queues[777], 1, 20);
  assertEquals(await select(queues, SOON), { index: 777, value: 1 });
  await thread.join();
  thread.free();
  for (const queue of queues) queue.putNowait(0);
  const put = select(queues.map((queue) => [queue, 1] as const), SOON);
  queues[333].getNowait();
  assertEquals((await put).index, 333);
  assertEquals(queues[333].getNowait(), 1);
  for (const queue of queues) queue.free();
});

Deno.test("select() of a blocked thread's task keeps no item from others", async () => {
  const queues = [new Queue<number>(), new Queue<number>()];
  const inLine = new Event();
  const thread = start(fixture.blockBehindSelect, queues, inLine);
  await inLine.wait(SOON);
  untilWaiting(queues[0], 2);
  queues[1].putNowait(1);
  sleepSync(30);
  queues[0].putNowait(2);
  assertEquals(await thread.join(SOON), [1, 2]);
  // And the other way round: this thread blocks, and another one gets it.
  const task = select(queues, SOON);
  const other = start(fixture.selectOne, queues);
  untilWaiting(queues[0], 2);
  queues[0].putNowait(3);
  assertEquals(other.joinSync(SOON), [0, 3]);
  queues[1].putNowait(4);
  assertEquals((await task).value, 4);
  for (const shared of [...queues, inLine, thread, other]) shared.free();
});

Deno.test("select() in a thread that is cancelled throws the reason, and takes nothing", async () => {
  const queue = new Queue<number>();
  for (const blocks of [true, false]) {
    const inLine = new Event();
    const thread = start(
      fixture.waitToBeCancelled,
      queue,
      inLine,
      blocks,
    );
    await inLine.wait(SOON);
    untilWaiting(queue, 2);
    thread.cancel(new RangeError("stop it"));
    await thread.join(SOON).then(
      (value) => assertEquals(value, "RangeError: stop it"),
      (error) => assertEquals(String(error), "RangeError: stop it"),
    );
    queue.putNowait(1);
    assertEquals(queue.getNowait(), 1);
    inLine.free();
    thread.free();
  }
  queue.free();
});

Deno.test("select() keeps what it waits for from being freed", async () => {
  const queue = new Queue<number>();
  const wait = select([queue, new Event()], { timeout: 20 });
  assertThrows(() => queue.free(), ThreadingError, "waits for it");
  await assertRejects(() => wait, DOMException);
  await pause(0);
  queue.free();
  assertThrows(() => selectSync([queue]), ThreadingError, "free()");
  const settled = selectSync([queue, new Event()], { settled: true });
  assert(settled.index === 0 && settled.error instanceof ThreadingError);
});

Deno.test("selectSync() shows in threadStates(), with its first case", () => {
  const queues = [new Queue<number>(), new Queue<number>()];
  const thread = new Thread({ target: fixture.selectOne, args: [queues] });
  thread.start();
  const look = () => threadStates().find((s) => s.ident === thread.ident);
  for (let i = 0; look()?.waitsFor === undefined; i++) {
    assert(i < 2000, Deno.inspect(look()));
    sleepSync(5);
  }
  const { state, waitsFor } = look()!;
  assertEquals([state, waitsFor], ["waiting", queues[0]]);
  queues[1].putSync(1);
  assertEquals(thread.joinSync(SOON), [1, 1]);
});

Deno.test("selectSync() that nobody can end says so", () => {
  const cases = [new Queue<number>(), new Event()] as const;
  assertThrows(() => selectSync(cases), DeadlockError, "never end");
});

Deno.test("select() hands shared objects over, and gives all memory back", async () => {
  const queues = [new Queue<Lock>(1), new Queue<Lock>(1)];
  const lock = new Lock();
  const round = async () => {
    await select([[queues[0], lock]]);
    const wait = select([[queues[0], lock], queues[1]], SOON);
    assertEquals(queues[0].getNowait(), lock);
    await wait;
    assertEquals((await select(queues)).value, lock);
    const late = select([queues[1], queues[0]], SOON);
    queues[1].putNowait(lock);
    assertEquals((await late).value, lock);
    await select(queues, { timeout: 1 }).catch(() => {});
  };
  await assertKeepsHeap(round, { times: 50, slack: 200 });
});

// Types: the right use needs no type arguments, and the wrong one is an error.

Deno.test("select() types the value by the case", async () => {
  const numbers = new Queue<number>();
  const texts = new SimpleQueue<"a" | "b">();
  const lists = new SynchronousQueue<{ at: number[] }>();
  const thread = new Thread({ target: fixture.endLater, args: [0] });
  texts.putNowait("a");
  const chosen = await select([
    numbers,
    texts,
    thread,
    receiving(numbers),
    [texts, "b"],
    [lists, { at: [1, 2] }],
    after(1000),
    new Event(),
  ], SOON).catch(() => selectSync([numbers, texts]));
  switch (chosen.index) {
    case 0:
      chosen.value satisfies number;
      break;
    case 1:
      chosen.value satisfies "a" | "b";
      break;
    case 2:
      chosen.value satisfies string;
      break;
    case 3:
      chosen.value.item satisfies number;
      break;
    default:
      chosen.value satisfies undefined;
      chosen.index satisfies 4 | 5 | 6 | 7;
  }
  const either = selectNowait([numbers, texts], { settled: true });
  if (either?.index === 0 && !("error" in either)) {
    either.value satisfies number;
  }
  const few = selectNowait([numbers, numbers].slice(0, 1), { settled: true });
  if (few?.error === undefined) few?.value satisfies number | undefined;
  if (few !== undefined && few.error === undefined) few.value satisfies number;
  const many = selectNowait([numbers, numbers].slice(0, 1));
  many?.value satisfies number | undefined;
  many?.index satisfies number | undefined;
  // @ts-expect-error A text is no number.
  selectNowait([[numbers, "text"]]);
  // @ts-expect-error A lock is not waited for.
  assertThrows(() => selectNowait([new Lock()]), TypeError);
});

Deno.test("select() takes no ends for cases, and says what it takes", async () => {
  const queue = new Queue<number>();
  const producer = queue.producer();
  const consumer = queue.consumer();
  for (const end of [producer, consumer, [producer, 1], [consumer, 1]]) {
    const cases = [queue, end] as never;
    const words = "case 1 must be a queue, receiving(queue)";
    assertThrows(() => selectSync(cases), TypeError, words);
    assertThrows(() => selectNowait(cases), TypeError, words);
    await assertRejects(() => select(cases), TypeError, words);
  }
  for (const end of [producer, consumer]) {
    assertThrows(() => receiving(end as never), TypeError, "must be a Queue");
  }
  // Their own methods do the same.
  for (const n of [1, 2, 3]) producer.putSync(n);
  producer.close();
  {
    using delivery = consumer.receiveSync();
    assertEquals(delivery.item, 1);
    delivery.ack();
  }
  assertEquals([...consumer], [2, 3]);
});
