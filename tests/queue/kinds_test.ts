// What the documentation promises of queues, for every kind of queue.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  Empty,
  Full,
  Queue,
  ShutDown,
  type SimpleQueue,
} from "../../queue/mod.ts";
import {
  NotSendableError,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { assertKeepsHeap } from "../threading/heap_words.ts";
import {
  BAD,
  getNumber,
  inOrder,
  type Item,
  item,
  kinds,
  Odd,
  putNumber,
  unlimited,
} from "./kinds_fixture.ts";
import { untilWaiting } from "./support.ts";

const numberOf = ([n]: Item) => n;

function drain(queue: SimpleQueue<Item>): number[] {
  const numbers: number[] = [];
  while (!queue.empty()) numbers.push(queue.getNowait()[0]);
  return numbers;
}

const unsendable = [1, { text: () => {} }] as unknown as Item;

for (const { name, make, order } of unlimited) {
  Deno.test(`${name}: each item is got once, in all forms`, async () => {
    const queue = make();
    queue.putSync(item(1));
    await queue.put(item(2));
    queue.putNowait(item(3));
    queue.putManySync([item(4), item(5)]);
    await queue.putMany([item(6), item(7)]);
    queue.putManyNowait([item(8)]);
    assertEquals(queue.qsize(), 8);
    const got = [
      queue.getSync(),
      await queue.get(),
      queue.getNowait(),
      ...queue.getManySync(1),
      ...await queue.getMany(2),
      ...queue.getManyNowait(Infinity),
    ];
    assertEquals(
      got.toSorted((a, b) => a[0] - b[0]),
      [1, 2, 3, 4, 5, 6, 7, 8].map(item),
    );
    assert(queue.empty());
    assertThrows(() => queue.getNowait(), Empty, "the queue is empty");
    assertThrows(() => queue.getManyNowait(Infinity), Empty);
    assertThrows(() => queue.getSync({ timeout: 1 }), Empty, "1 ms");
    await assertRejects(() => queue.get({ timeout: 1 }), Empty, "1 ms");
  });

  Deno.test(`${name}: gets are served in order of arrival, and no later one overtakes`, async () => {
    const queue = make();
    const gets = [
      queue.get(),
      queue.getMany(1).then(([first]) => first),
      queue.get(),
    ];
    for (let n = 1; n <= 3; n++) queue.putNowait(item(n));
    assertEquals(queue.qsize(), 0);
    assertThrows(() => queue.getNowait(), Empty);
    queue.putNowait(item(0));
    assertEquals(queue.getNowait()[0], 0);
    const got = (await Promise.all(gets)).map(numberOf);
    assertEquals(got, [1, 2, 3]);
    assert(queue.empty());
  });

  Deno.test(`${name}: a get that waits has the item that came first, not another`, async () => {
    const queue = make();
    const first = queue.get();
    const second = queue.getMany(2);
    await Promise.resolve();
    for (const n of [3, 1, 2]) queue.putNowait(item(n));
    assertEquals(queue.getNowait()[0], 2);
    queue.putNowait(item(0));
    assertEquals((await first)[0], 3);
    assertEquals((await second).map(numberOf), [1, 0]);
    const gets = [queue.get(), queue.get()];
    queue.putManyNowait([item(5), item(4), item(6)]);
    const [third, fourth] = inOrder(order, [5, 4, 6]);
    assertEquals((await Promise.all(gets)).map(numberOf), [third, fourth]);
  });

  Deno.test(`${name}: blocked threads are served in order of arrival`, () => {
    const queue = make();
    const threads = [1, 2, 3].map((n) => {
      const thread = new Thread({ target: getNumber, args: [queue] });
      thread.start();
      untilWaiting(queue, n);
      return thread;
    });
    const got = [1, 2, 3].map((n, i) => {
      queue.putNowait(item(n));
      return threads[i].joinSync({ timeout: 20_000 });
    });
    assertEquals(got, [1, 2, 3]);
    queue.free();
  });

  Deno.test(`${name}: a get that gives up loses nothing`, async () => {
    const queue = make();
    const reason = new Error("enough");
    const controller = new AbortController();
    const { signal } = controller;
    const first = queue.get({ signal });
    const timed = queue.getMany(9, { timeout: 1 });
    const last = queue.get();
    await assertRejects(() => timed, Empty);
    // What was woken takes its item, though it was to give up.
    controller.abort(reason);
    queue.putNowait(item(1));
    assertEquals(await first.catch((e) => e), reason);
    assertEquals((await last)[0], 1);
    const aborted = AbortSignal.abort(reason);
    assertEquals(await queue.get({ signal: aborted }).catch((e) => e), reason);
    const served = new AbortController();
    const get = queue.get({ signal: served.signal });
    queue.putNowait(item(2));
    served.abort(reason);
    const got = await get.catch(() => queue.getNowait());
    assertEquals(got[0], 2);
    assert(queue.empty());
  });

  Deno.test(`${name}: what cannot be sent is refused and changes nothing`, async () => {
    const queue = make();
    assertThrows(() => queue.putSync(unsendable), NotSendableError);
    assertThrows(() => queue.putNowait(unsendable), NotSendableError);
    await assertRejects(() => queue.put(unsendable), NotSendableError);
    const many = [item(1), unsendable];
    assertThrows(() => queue.putManySync(many), NotSendableError);
    assertThrows(() => queue.putManyNowait(many), NotSendableError);
    await assertRejects(() => queue.putMany(many), NotSendableError);
    assert(queue.empty());
    queue.putNowait(item(2));
    assertEquals(drain(queue), [2]);
  });

  Deno.test(`${name}: a getter in an item may use the queue`, async () => {
    const queue = make();
    let runs = 0;
    const tricky = [
      2,
      {
        get text() {
          runs++;
          queue.putNowait(item(1));
          return `text ${runs}`;
        },
      },
    ] as Item;
    queue.putSync(tricky);
    await queue.putMany([tricky]);
    const items = queue.getManyNowait(Infinity);
    const twos = items.filter(([n]) => n === 2);
    assertEquals(twos.length, 2);
    assertEquals(items.length, 2 + runs);
    const throwing = [
      3,
      {
        get text(): string {
          throw new RangeError("getter");
        },
      },
    ] as Item;
    assertThrows(() => queue.putSync(throwing), RangeError, "getter");
    await assertRejects(() => queue.putMany([throwing]), RangeError, "getter");
    assert(queue.empty());
  });

  Deno.test(`${name}: free() while a task waits is refused`, async () => {
    const queue = make();
    const get = queue.get();
    assertThrows(() => queue.free(), ThreadingError, "async task");
    queue.putNowait(item(1));
    assertEquals((await get)[0], 1);
    // The wait is over some microtasks later.
    await new Promise((resolve) => setTimeout(resolve));
    queue.free();
    assertThrows(() => queue.qsize(), ThreadingError, "free()");
  });
}

for (const { name, order, make, refusesBad } of kinds) {
  Deno.test(`${name}: what is changed in an item after put() does not arrive`, async () => {
    const queue = make(1);
    const now = item(1);
    queue.putNowait(now);
    now[1].text = "changed";
    const later = item(2);
    const put = queue.put(later);
    later[1].text = "changed";
    const many = [item(3)];
    const batch = queue.putMany(many);
    many[0][1].text = "changed";
    assertEquals(queue.getNowait(), item(1));
    assertEquals(queue.getNowait(), item(2));
    assertEquals(queue.getNowait(), item(3));
    await Promise.all([put, batch]);
  });

  Deno.test(`${name}: what cannot be sent is refused at once, though the queue is full`, async () => {
    const queue = make(1);
    queue.putNowait(item(1));
    const put = queue.put(unsendable);
    await assertRejects(() => put, NotSendableError);
    await assertRejects(() => queue.putMany([unsendable]), NotSendableError);
    assertThrows(() => queue.putSync(unsendable), NotSendableError);
    assertThrows(() => queue.putNowait(unsendable), NotSendableError);
    assertEquals(drain(queue), [1]);
  });

  Deno.test(`${name}: puts go in in order of arrival, though their thread is busy`, async () => {
    const queue = make(1);
    queue.putNowait(item(0));
    const puts = [
      queue.put(item(1)),
      queue.putMany([item(2)]),
      queue.put(item(3)),
    ];
    assertThrows(() => queue.putNowait(item(99)), Full);
    for (let n = 0; n <= 3; n++) {
      assertEquals(queue.getNowait()[0], n);
      if (n < 3) {
        assertThrows(() => queue.putNowait(item(99)), Full, "maxsize of 1");
      }
    }
    await Promise.all(puts);
    assert(queue.empty());
  });

  Deno.test(`${name}.getMany() goes on with what waited for room`, async () => {
    const queue = make(2);
    queue.putManyNowait([item(1), item(4)]);
    const puts = [queue.put(item(5)), queue.putMany([item(3)])];
    assertEquals(
      queue.getManyNowait(3).map(numberOf),
      [...inOrder(order, [1, 4]), ...inOrder(order, [5, 3]).slice(0, 1)],
    );
    assertEquals(queue.qsize(), 1);
    await Promise.all(puts);
    const more = queue.putMany([item(6), item(7)]);
    assertEquals((await queue.getMany(9)).length, 3);
    await more;
  });

  Deno.test(`${name}: a blocked thread's put goes in when there is room`, () => {
    const queue = make(1);
    queue.putNowait(item(0));
    const threads = [1, 2].map((n) => {
      const thread = new Thread({ target: putNumber, args: [queue, n] });
      thread.start();
      untilWaiting(queue, n, "putters");
      return thread;
    });
    for (let n = 0; n <= 2; n++) assertEquals(queue.getNowait()[0], n);
    for (const thread of threads) thread.joinSync({ timeout: 20_000 });
    queue.free();
  });

  Deno.test(`${name}: a put that gives up leaves no trace, and lets others in`, async () => {
    const queue = make(3);
    queue.putManyNowait([item(1), item(2)]);
    const reason = new Error("enough");
    const controller = new AbortController();
    const { signal } = controller;
    const large = queue.putMany([item(8), item(9)], { signal });
    const timed = queue.putMany([item(6), item(7)], { timeout: 1 });
    const small = queue.put(item(3));
    assertThrows(() => queue.putNowait(item(99)), Full);
    assertThrows(() => queue.putSync(item(99), { timeout: 1 }), Full, "1 ms");
    await assertRejects(() => timed, Full, "1 ms");
    assertEquals(queue.qsize(), 2);
    controller.abort(reason);
    assertEquals(await large.catch((e) => e), reason);
    await small;
    assertEquals(drain(queue).toSorted(), [1, 2, 3]);
  });

  Deno.test(`${name}: a put that gave up lets others in though their thread is blocked`, () => {
    const queue = make(3);
    queue.putManyNowait([item(1), item(2)]);
    const controller = new AbortController();
    const { signal } = controller;
    queue.putMany([item(8), item(9)], { signal }).catch(() => {});
    const small = queue.put(item(3));
    const thread = new Thread({ target: putNumber, args: [queue, 4] });
    thread.start();
    untilWaiting(queue, 3, "putters");
    controller.abort();
    const got = [1, 2, 3, 4].map(() => queue.getSync({ timeout: 20_000 })[0]);
    assertEquals(got.toSorted(), [1, 2, 3, 4]);
    thread.joinSync({ timeout: 20_000 });
    return small;
  });

  Deno.test(`${name}.putMany() puts all or nothing, and never more than maxsize`, async () => {
    const queue = make(3);
    const four = [1, 2, 3, 4].map(item);
    assertThrows(() => queue.putManySync(four), RangeError, "maxsize of 3");
    assertThrows(() => queue.putManyNowait(four), RangeError, "received 4");
    await assertRejects(() => queue.putMany(four), RangeError);
    queue.putManyNowait([item(1), item(2)]);
    assertThrows(() => queue.putManySync(four), RangeError);
    await assertRejects(() => queue.putMany(four), RangeError);
    const two = [item(3), item(4)];
    assertThrows(() => queue.putManyNowait(two), Full);
    assertThrows(() => queue.putManySync(two, { timeout: 1 }), Full);
    await assertRejects(() => queue.putMany(two, { timeout: 1 }), Full);
    assertEquals(queue.qsize(), 2);
    assertEquals(drain(queue), inOrder(order, [1, 2]));
    const all = [2, 3, 1];
    queue.putManyNowait(all.map(item));
    assertEquals(drain(queue), inOrder(order, all));
  });

  Deno.test(`${name}: two putMany() that wait leave the event loop running`, async () => {
    const queue = make(2);
    queue.putNowait(item(0));
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 1);
    setTimeout(() => queue.getNowait(), 30);
    const name = (error: Error) => error.name;
    const ends = await Promise.all([
      queue.putMany([item(1), item(2)], { timeout: 200 }).catch(name),
      queue.putMany([item(3), item(4)], { timeout: 200 }).catch(name),
    ]);
    clearInterval(ticking);
    assertEquals(ends, [undefined, "Full"]);
    assert(ticks > 10, `${ticks} ticks`);
    assertEquals(drain(queue), inOrder(order, [1, 2]));
  });

  Deno.test(`${name}: no items are put at once, or refused`, async () => {
    const queue = make(1);
    queue.putNowait(item(1));
    const put = queue.put(item(2));
    queue.putManySync([]);
    queue.putManyNowait([]);
    await queue.putMany([]);
    queue.shutdown();
    await assertRejects(() => put, ShutDown);
    assertThrows(() => queue.putManySync([]), ShutDown, "was shut down");
    assertThrows(() => queue.putManyNowait([]), ShutDown);
    await assertRejects(() => queue.putMany([]), ShutDown);
  });

  Deno.test(`${name}.shutdown() lets gets drain, and ends who waits`, async () => {
    const queue = make(2);
    queue.putManyNowait([item(1), item(2)]);
    const puts = [queue.put(item(3)), queue.putMany([item(4), item(5)])];
    const thread = new Thread({ target: putNumber, args: [queue, 6] });
    thread.start();
    untilWaiting(queue, 3, "putters");
    queue.shutdown();
    for (const put of puts) await assertRejects(() => put, ShutDown);
    await assertRejects(() => thread.join(), ShutDown, "was shut down");
    assertThrows(() => queue.putNowait(item(9)), ShutDown);
    assertThrows(() => queue.putSync(item(9)), ShutDown);
    await assertRejects(() => queue.put(item(9)), ShutDown);
    assertEquals(queue.getManySync(9).map(numberOf), inOrder(order, [1, 2]));
    assertThrows(() => queue.getNowait(), ShutDown, "and is empty");
    assertThrows(() => queue.getSync(), ShutDown);
    await assertRejects(() => queue.get(), ShutDown);
    assertThrows(() => queue.getManyNowait(3), ShutDown);
    queue.shutdown();
    const waiting = make(2);
    const gets = [waiting.get(), waiting.getMany(3)];
    const blocked = new Thread({ target: getNumber, args: [waiting] });
    blocked.start();
    untilWaiting(waiting, 3);
    waiting.shutdown();
    for (const get of gets) await assertRejects(() => get, ShutDown);
    await assertRejects(() => blocked.join(), ShutDown);
  });

  Deno.test(`${name}.shutdown({ immediate }) throws the rest away, which is done then`, async () => {
    const queue = make(4);
    queue.putManyNowait([1, 2, 3, 4].map(item));
    queue.getNowait();
    const put = queue.putMany([5, 6].map(item));
    const join = queue.join();
    queue.shutdown({ immediate: true });
    await assertRejects(() => put, ShutDown);
    assertEquals(queue.qsize(), 0);
    assertThrows(() => queue.getNowait(), ShutDown);
    assertThrows(() => queue.joinSync({ timeout: 1 }), DOMException);
    queue.taskDone();
    await join;
    assertThrows(() => queue.taskDone(), ThreadingError, "more often");
  });

  Deno.test(`${name}.shutdown({ immediate }) leaves no get without an item or an error`, async () => {
    const queue = make(0);
    const gets = [queue.get(), queue.getMany(5)];
    queue.putNowait(item(1));
    queue.putNowait(item(2));
    queue.shutdown({ immediate: true });
    let done = 0;
    for (const get of gets) {
      const end = await get.catch((error) => error);
      if (end instanceof ShutDown) continue;
      assertEquals((Array.isArray(end[0]) ? end[0] : end)[0], ++done);
      queue.taskDone();
    }
    queue.joinSync();
    assertThrows(() => queue.taskDone(), ThreadingError);
  });

  Deno.test(`${name}.taskDone() and join()`, async () => {
    const queue = make(0);
    queue.joinSync();
    queue.putManyNowait([item(1), item(2)]);
    await queue.put(item(3));
    assertThrows(() => queue.joinSync({ timeout: 1 }), DOMException);
    const joined = queue.join();
    for (let i = 0; i < 3; i++) {
      queue.getNowait();
      queue.taskDone();
    }
    await joined;
    assertThrows(() => queue.taskDone(), ThreadingError, "more often");
    const get = queue.get();
    queue.putNowait(item(4));
    await assertRejects(() => queue.join({ timeout: 1 }), DOMException);
    await get;
    queue.taskDone();
    await queue.join();
  });

  Deno.test(`${name} is iterated until it is shut down and empty`, async () => {
    const queue = make(2);
    queue.putNowait(item(1));
    const put = queue.putMany([item(2), item(3)]);
    setTimeout(() => queue.shutdown(), 20);
    const got = await Array.fromAsync(queue);
    assertEquals(got.map(numberOf).toSorted(), [1, 2, 3]);
    await put;
  });

  Deno.test(`${name}: an item that goes to a waiting get leaves room`, async () => {
    const queue = make(1);
    const get = queue.get();
    queue.putNowait(item(1));
    queue.putNowait(item(2));
    assertEquals([queue.qsize(), queue.full()], [1, true]);
    assertThrows(() => queue.putNowait(item(3)), Full);
    const put = queue.put(item(3));
    assertEquals((await get)[0], 1);
    assertEquals(queue.qsize(), 1);
    queue.getNowait();
    queue.getNowait();
    await put;
    assert(queue.empty());
  });

  Deno.test(`${name}: memory stays flat, whoever waits and gives up`, async () => {
    const round = async () => {
      const queue = make(2);
      queue.putManyNowait([item(1), item(2)]);
      const late = [1, 2, 3].map((n) => queue.put(item(n), { timeout: 1 }));
      for (const put of late) await put.catch(() => {});
      const many = queue.putMany([item(3), item(4)]);
      drain(queue);
      await many;
      drain(queue);
      const gets = [1, 2, 3].map(() => queue.get({ timeout: 1 }));
      for (const get of gets) await get.catch(() => {});
      const get = queue.get();
      queue.putNowait(item(5));
      await get;
      queue.putNowait(item(6));
      queue.put(item(7));
      queue.putMany([item(8), item(9)]).catch(() => {});
      queue.shutdown({ immediate: true });
      await new Promise((resolve) => setTimeout(resolve, 1));
      queue.free();
    };
    await assertKeepsHeap(round, { warm: 3, times: 20, slack: 300 });
  });

  if (refusesBad) {
    Deno.test(`${name}: an error of a hook comes to its caller, and leaves the queue as it was`, async () => {
      const queue = make(3);
      queue.putNowait(item(1));
      const bad = item(BAD);
      assertThrows(() => queue.putSync(bad), RangeError, "bad item");
      assertThrows(() => queue.putNowait(bad), RangeError, "bad item");
      await assertRejects(() => queue.put(bad), RangeError, "bad item");
      assertThrows(() => queue.putManySync([item(2), bad]), RangeError);
      await assertRejects(() => queue.putMany([item(2), bad]), RangeError);
      assertEquals(queue.qsize(), 1);
      queue.putManyNowait([item(2), item(3)]);
      // Of those that wait only the bad one fails, whoever makes room.
      const puts = [
        queue.put(item(4)),
        queue.put(bad).catch((error) => error.message),
        queue.putMany([item(5)]),
      ];
      const thread = new Thread({ target: putNumber, args: [queue, BAD] });
      thread.start();
      untilWaiting(queue, 4, "putters");
      const last = queue.put(item(6));
      const got: number[] = [];
      for (let i = 0; i < 6; i++) got.push(queue.getSync({ timeout: 9999 })[0]);
      assertEquals(got.toSorted(), [1, 2, 3, 4, 5, 6]);
      assertEquals(await Promise.all(puts), [undefined, "bad item", undefined]);
      await assertRejects(() => thread.join(), RangeError, "bad item");
      await last;
      assert(queue.empty());
      for (let i = 0; i < 6; i++) queue.taskDone();
      queue.joinSync();
    });
  }
}

for (const { name, make } of kinds) {
  Deno.test(`${name}: what a killed thread waited for goes to others`, async () => {
    const queue = make(1);
    const victim = new Thread({ target: getNumber, args: [queue] });
    victim.start();
    untilWaiting(queue, 1);
    const other = new Thread({ target: getNumber, args: [queue] });
    other.start();
    untilWaiting(queue, 2);
    victim.terminate();
    await assertRejects(() => victim.join(), ThreadingError);
    queue.putNowait(item(1));
    assertEquals(other.joinSync({ timeout: 20_000 }), 1);
    queue.putNowait(item(2));
    const putter = new Thread({ target: putNumber, args: [queue, 3] });
    putter.start();
    untilWaiting(queue, 1, "putters");
    putter.terminate();
    await assertRejects(() => putter.join(), ThreadingError);
    const put = queue.put(item(4));
    assertEquals(queue.getNowait()[0], 2);
    assertEquals(queue.getNowait()[0], 4);
    await put;
    assert(queue.empty());
    queue.free();
  });
}

Deno.test("Queue with hooks: an item wakes one of those that wait", async () => {
  let looks = 0;
  class Counting<T> extends Queue<T> {
    protected override _qsize(): number {
      looks++;
      return super._qsize();
    }
  }
  const count = 300;
  const queue = new Counting<number>(1);
  const gets = Array.from({ length: count }, () => queue.get());
  looks = 0;
  for (let n = 0; n < count; n++) {
    queue.putNowait(n);
    await new Promise((resolve) => setTimeout(resolve));
  }
  assertEquals(
    await Promise.all(gets),
    Array.from({ length: count }, (_, n) => n),
  );
  assert(looks < count * 10, `${looks} looks for ${count} gets`);
  queue.putNowait(0);
  const puts = Array.from({ length: count }, (_, n) => queue.put(n));
  looks = 0;
  for (let n = 0; n < count; n++) {
    queue.getNowait();
    await new Promise((resolve) => setTimeout(resolve));
  }
  await Promise.all(puts);
  assert(looks < count * 10, `${looks} looks for ${count} puts`);
});

for (const { name, order, make } of kinds) {
  Deno.test(`${name}: blocked threads get the items of a putMany() in order of arrival`, () => {
    const queue = make(0);
    const threads = [1, 2, 3, 4].map((n) => {
      const thread = new Thread({ target: getNumber, args: [queue] });
      thread.start();
      untilWaiting(queue, n);
      return thread;
    });
    queue.putManyNowait([2, 4, 1, 3].map(item));
    assertThrows(() => queue.getNowait(), Empty);
    assertEquals(
      threads.map((thread) => thread.joinSync({ timeout: 20_000 })),
      inOrder(order, [2, 4, 1, 3]),
    );
    queue.free();
  });
}

for (const answer of [undefined, Number.NaN, () => 1]) {
  Deno.test(`A queue whose _qsize() returns ${typeof answer} ${answer} refuses to be used`, async () => {
    const queue = new Odd<string>(answer);
    assertThrows(() => queue.putNowait("spam"), TypeError, "_qsize()");
    await assertRejects(() => queue.get(), TypeError, "_qsize()");
    await assertRejects(() => queue.getMany(2), TypeError, "_qsize()");
  });
}
