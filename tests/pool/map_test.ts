import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  asCompleted,
  asCompletedSync,
  type MapProgress,
  parallelMap,
  ThreadPool,
  toThread,
} from "../../pool/mod.ts";
import {
  Event,
  NotSendableError,
  ThreadingError,
} from "../../threading/mod.ts";
import { Queue } from "../../queue/mod.ts";
import { assertHeapBackTo, settleHeap } from "../threading/heap_words.ts";
import { waitFor } from "./pool_fixture.ts";
import * as fixture from "./map_fixture.ts";

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);

/** Has a pool start all of its workers. */
async function warmUp(pool: ThreadPool): Promise<void> {
  const event = new Event();
  const futures = numbers(pool.size).map(() =>
    pool.submitNowait(waitFor, [event])
  );
  while (pool.stats().running < pool.size) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  event.set();
  for (const future of futures) await future.result();
}

async function* slowly<T>(items: T[]): AsyncGenerator<T> {
  for (const item of items) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield item;
  }
}

Deno.test("ThreadPool.map() gives results in order, in every form", async () => {
  await using pool = new ThreadPool({ size: 2 });
  const expected = numbers(1000).map((n) => n * n);
  assertEquals(
    await Array.fromAsync(pool.map(fixture.square, numbers(1000))),
    expected,
  );
  assertEquals([...pool.mapSync(fixture.square, numbers(1000))], expected);
  for (const chunk of [1, 7, 5000]) {
    const options = { chunk };
    const results = pool.map(fixture.square, numbers(100), options);
    assertEquals(await Array.fromAsync(results), expected.slice(0, 100));
    assertEquals(
      [...pool.mapSync(fixture.square, numbers(100), options)],
      expected.slice(0, 100),
    );
  }
  const later = pool.map(fixture.squareLater, new Set(numbers(50)), {
    chunk: 3,
  });
  assertEquals(await Array.fromAsync(later), expected.slice(0, 50));
  const slow = pool.map(fixture.square, slowly(numbers(30)));
  assertEquals(await Array.fromAsync(slow), expected.slice(0, 30));
  assertEquals(await Array.fromAsync(pool.map(fixture.square, [])), []);
  assertEquals([...pool.mapSync(fixture.square, [])], []);
});

Deno.test("ThreadPool.map() gives results as they come", async () => {
  await using pool = new ThreadPool({ size: 2 });
  const options = { ordered: false, chunk: 1 };
  const slow = [2000, 1, 2];
  await warmUp(pool);
  const results = pool.map(fixture.slowFirst, slow, options);
  assertEquals(await Array.fromAsync(results), [1, 2, 2000]);
  assertEquals([...pool.mapSync(fixture.slowFirst, slow, options)], [
    1,
    2,
    2000,
  ]);
});

Deno.test("ThreadPool.map() takes no more from its source than it needs", async () => {
  await using pool = new ThreadPool({ size: 2 });
  let taken = 0;
  let returned = 0;
  function* endless() {
    try {
      for (;;) yield taken++;
    } finally {
      returned++;
    }
  }
  for (const chunk of [1, "auto"] as const) {
    taken = 0;
    let seen = 0;
    for await (
      const square of pool.map(fixture.square, endless(), { ahead: 10, chunk })
    ) {
      assertEquals(square, seen * seen);
      assert(taken <= seen + 10, `${taken} ${seen}`);
      if (++seen === 100) break;
    }
    taken = seen = 0;
    for (
      const _ of pool.mapSync(fixture.square, endless(), { ahead: 10, chunk })
    ) {
      assert(taken <= seen + 10);
      if (++seen === 100) break;
    }
  }
  assertEquals(returned, 4);
  let isOver = false;
  async function* endlessLater() {
    try {
      for (let n = 0;; n++) yield await Promise.resolve(n);
    } finally {
      isOver = true;
    }
  }
  for await (const n of pool.map(fixture.square, endlessLater())) {
    if (n === 100) break;
  }
  assert(isOver);
});

Deno.test("ThreadPool.map() cancels what is under way when it is left", async () => {
  await using pool = new ThreadPool({ size: 2 });
  for await (const n of pool.map(fixture.hang, numbers(100), { chunk: 1 })) {
    if (n === 1) break;
  }
  assertEquals(await pool.run(fixture.square, [3]), 9);
});

Deno.test("ThreadPool.map() throws at the item that failed, or gives outcomes", async () => {
  await using pool = new ThreadPool({ size: 2 });
  const items = [1, 3, 5, 6, 7];
  for (const chunk of [1, 2, 10, "auto"] as const) {
    const seen: number[] = [];
    await assertRejects(
      async () => {
        for await (const n of pool.map(fixture.odd, items, { chunk })) {
          seen.push(n);
        }
      },
      RangeError,
      "6 is even",
    );
    assertEquals(seen, [1, 3, 5]);
    assertThrows(
      () => [...pool.mapSync(fixture.odd, items, { chunk })],
      RangeError,
    );
    const outcomes = [...pool.mapSync(fixture.odd, items, {
      chunk,
      settled: true,
    })];
    assertEquals(outcomes.map((each) => each.status), [
      "fulfilled",
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    const [outcome] = outcomes.filter((each) => each.status === "rejected");
    assertInstanceOf(outcome.reason, RangeError);
  }
  const died = pool.map(fixture.dieAt, numbers(6), { chunk: 1, settled: true });
  const outcomes = await Array.fromAsync(died);
  assertEquals(outcomes.map((each) => each.status === "rejected"), [
    false,
    false,
    false,
    true,
    false,
    false,
  ]);
  await assertRejects(
    () => Array.fromAsync(pool.map(fixture.dieAt, numbers(6), { chunk: 1 })),
    ThreadingError,
  );
});

Deno.test("ThreadPool.map() loses no other item of a chunk to one that cannot be sent", async () => {
  await using pool = new ThreadPool({ size: 2 });
  for (const fn of [fixture.unsendableAt, fixture.unsendableLater]) {
    for (const chunk of [1, 4, 100] as const) {
      const forms = [
        await Array.fromAsync(
          pool.map(fn, numbers(9), { chunk, settled: true }),
        ),
        [...pool.mapSync(fn, numbers(9), { chunk, settled: true })],
      ];
      for (const outcomes of forms) {
        const seen = outcomes.map((each) =>
          each.status === "fulfilled" ? each.value : each.reason.name
        );
        const no = "NotSendableError";
        assertEquals(seen, [0, 1, 2, no, 4, no, 6, "RangeError", 8]);
      }
      for (const from of [0, 4]) {
        const seen: unknown[] = [];
        const items = numbers(9).slice(from);
        await assertRejects(async () => {
          for await (const n of pool.map(fn, items, { chunk })) seen.push(n);
        }, NotSendableError);
        assertEquals(seen, from === 0 ? [0, 1, 2] : [4]);
        seen.length = 0;
        assertThrows(() => {
          for (const n of pool.mapSync(fn, items, { chunk })) seen.push(n);
        }, NotSendableError);
        assertEquals(seen, from === 0 ? [0, 1, 2] : [4]);
      }
    }
  }
});

Deno.test("ThreadPool.map() loses no other item to one that cannot be sent itself", async () => {
  await using pool = new ThreadPool({ size: 2, maxPending: 1 });
  const items: unknown[] = numbers(9);
  items[3] = () => 3;
  items[4] = { deep: [Symbol("four")] };
  items[8] = {
    get eight() {
      throw new RangeError("eight");
    },
  };
  for (const fn of [fixture.same, fixture.sameLater]) {
    for (const chunk of [1, 2, 4, 100, "auto"] as const) {
      const options = { chunk, settled: true } as const;
      const forms = [
        await Array.fromAsync(pool.map(fn, items, options)),
        await Array.fromAsync(
          pool.map(fn, slowly(items), { ...options, ahead: 5 }),
        ),
        [...pool.mapSync(fn, items, options)],
      ];
      const no = "NotSendableError";
      for (const outcomes of forms) {
        const seen = outcomes.map((each) =>
          each.status === "fulfilled" ? each.value : each.reason.name
        );
        assertEquals(seen, [0, 1, 2, no, no, 5, 6, 7, "RangeError"]);
      }
      const seen: unknown[] = [];
      await assertRejects(async () => {
        for await (const n of pool.map(fn, items, { chunk })) seen.push(n);
      }, NotSendableError);
      assertEquals(seen, [0, 1, 2]);
      seen.length = 0;
      assertThrows(() => {
        for (const n of pool.mapSync(fn, items, { chunk })) seen.push(n);
      }, NotSendableError);
      assertEquals(seen, [0, 1, 2]);
    }
  }
});

Deno.test("ThreadPool.map() ends with its signal, and with an error of its source", async () => {
  await using pool = new ThreadPool({ size: 2 });
  const controller = new AbortController();
  const { signal } = controller;
  await assertRejects(
    async () => {
      for await (
        const n of pool.map(fixture.hang, numbers(9), { chunk: 1, signal })
      ) {
        if (n === 1) controller.abort(new RangeError("enough"));
      }
    },
    RangeError,
    "enough",
  );
  function* broken() {
    yield 1;
    throw new RangeError("source");
  }
  await assertRejects(
    () => Array.fromAsync(pool.map(fixture.square, broken())),
    RangeError,
    "source",
  );
  assertThrows(
    () => [...pool.mapSync(fixture.square, broken())],
    RangeError,
    "source",
  );
});

Deno.test("ThreadPool.map() tells how far it has come", async () => {
  await using pool = new ThreadPool({ size: 2 });
  const told: MapProgress[] = [];
  const onProgress = (progress: MapProgress) => told.push(progress);
  const options = { chunk: 2, onProgress };
  await Array.fromAsync(pool.map(fixture.square, numbers(5), options));
  assertEquals(told, [
    { items: 2, total: 5, done: false },
    { items: 4, total: 5, done: false },
    { items: 5, total: 5, done: false },
    { items: 5, total: 5, done: true },
  ]);
  told.length = 0;
  for (const _ of pool.mapSync(fixture.square, numbers(2).values(), options));
  assertEquals(told, [{ items: 2, done: false }, { items: 2, done: true }]);
});

Deno.test("ThreadPool.map() gives to others what a task does not come to in its time", async () => {
  await using pool = new ThreadPool({ size: 2 });
  for (const fn of [fixture.spin, fixture.spinLater]) {
    // What the first map learns of the function is wrong for the second one. Of
    // an iterator nobody knows how many items are left.
    const quick = numbers(5000).fill(0);
    const slow = numbers(80).map((i) => 1 + i / 1000);
    for (const ordered of [true, false]) {
      assertEquals((await Array.fromAsync(pool.map(fn, quick))).length, 5000);
      const before = pool.stats().completed;
      const told: number[] = [];
      const seen = await Array.fromAsync(pool.map(fn, slow.values(), {
        ordered,
        onProgress: ({ items }) => told.push(items),
      }));
      assertEquals(ordered ? seen : seen.sort((a, b) => a - b), slow);
      assertEquals(told, told.toSorted((a, b) => a - b));
      assertEquals(told.at(-1), 80);
      assert(pool.stats().completed >= before + 3);
      assertEquals([...pool.mapSync(fn, quick, { ordered })], quick);
      const again = [...pool.mapSync(fn, slow.values(), { ordered })];
      assertEquals(again.sort((a, b) => a - b), slow);
    }
    assertEquals([...pool.mapSync(fn, quick)], quick);
    let count = 0;
    for (const _ of pool.mapSync(fn, slow.values())) if (++count === 5) break;
    for await (const _ of pool.map(fn, slow.values())) if (++count === 9) break;
    // As many as were asked for are done by one task, however long they take.
    await using other = new ThreadPool({ size: 1 });
    const all = [...other.mapSync(fn, slow, { chunk: 80 })];
    assertEquals([all, other.stats().completed], [slow, 1]);
  }
});

Deno.test("ThreadPool.map() knows which items cannot be sent of those that a task leaves to others", async () => {
  await using pool = new ThreadPool({ size: 2 });
  const quick = numbers(5000).fill(0);
  const slow: number[] = numbers(60).map((i) => 1 + i / 1000);
  const bad = [0, 20, 21, 59];
  const items = slow.map((ms, i) => bad.includes(i) ? (() => ms) as never : ms);
  for (const fn of [fixture.spin, fixture.spinLater]) {
    for (const form of ["map", "mapSync"] as const) {
      await Array.fromAsync(pool.map(fn, quick));
      const before = pool.stats().completed;
      const settled = { settled: true } as const;
      const outcomes = form === "map"
        ? await Array.fromAsync(pool.map(fn, items.values(), settled))
        : [...pool.mapSync(fn, items.values(), settled)];
      assert(pool.stats().completed >= before + 3);
      const seen = outcomes.map((each) =>
        each.status === "fulfilled" ? each.value : each.reason.name
      );
      const expected = slow.map((ms, i) =>
        bad.includes(i) ? "NotSendableError" : ms
      );
      assertEquals(seen, expected);
    }
  }
});

Deno.test("ThreadPool.map() has a task do items that it cannot leave to others", async () => {
  await using pool = new ThreadPool({ size: 2 });
  const box = {};
  const quick = numbers(5000).map(() => ({ box, ms: 0 }));
  const slow = numbers(20).map((i) => ({ box, ms: 3 + i / 1000 }));
  await Array.fromAsync(pool.map(fixture.spoil, quick));
  const before = pool.stats().completed;
  const seen = await Array.fromAsync(pool.map(fixture.spoil, slow.values()));
  assertEquals(seen, slow.map(({ ms }) => ms));
  assertEquals(pool.stats().completed, before + 1);
});

Deno.test("ThreadPool.map() works in tasks of the same pool", async () => {
  for (const size of [1, 2]) {
    await using pool = new ThreadPool({ size, maxPending: 3 });
    assertEquals(await pool.run(fixture.sumOfSquares, [pool, 100]), 328_350);
    assertEquals(
      await pool.run(fixture.sumOfSquaresSync, [pool, 100]),
      328_350,
    );
  }
});

Deno.test("toThread() and parallelMap() use a pool that all threads share", async () => {
  assertEquals(await toThread(fixture.square, [5]), 25);
  assertEquals(
    await Array.fromAsync(parallelMap(fixture.square, [1, 2, 3])),
    [1, 4, 9],
  );
  assertEquals(await toThread(fixture.inCommon), [[1, 4, 9], 16]);
});

Deno.test("asCompleted() gives futures as they end, in every form", async () => {
  await using pool = new ThreadPool({ size: 3 });
  await warmUp(pool);
  const order = [1, 2, 0];
  const submit = () => {
    const events = numbers(3).map(() => new Event());
    const futures = events.map((event) => pool.submitNowait(waitFor, [event]));
    let turn = 0;
    const next = () => events[order[turn++]]?.set();
    next();
    return { futures, next };
  };
  const there = submit();
  const seen: number[] = [];
  for await (const future of asCompleted(there.futures)) {
    assert(future.done());
    seen.push(there.futures.indexOf(future));
    there.next();
  }
  assertEquals(seen, order);
  const { futures, next } = submit();
  seen.length = 0;
  for (const future of asCompletedSync(futures)) {
    assert(future.done());
    seen.push(futures.indexOf(future));
    next();
  }
  assertEquals(seen, order);
  const event = new Event();
  const future = pool.submitNowait(fixture.report, [0, event]);
  const error = await assertRejects(
    () => Array.fromAsync(asCompleted([future], { timeout: 20 })),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  assertThrows(
    () => [...asCompletedSync([future], { timeout: 20 })],
    DOMException,
  );
  event.set();
  const many = numbers(300).map((n) => pool.submitNowait(fixture.square, [n]));
  assertEquals([...asCompletedSync(many)].length, 300);
  assertEquals([...asCompletedSync([])], []);
});

Deno.test("Future.updates() gives what the task reports", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const event = new Event();
  const future = pool.submitNowait(fixture.report, [3, event]);
  const seen: unknown[] = [];
  for await (const update of future.updates()) {
    seen.push(update);
    if (seen.length === 3) event.set();
  }
  const expected = [{ step: 0 }, { step: 1 }, { step: 2 }, "last"];
  assertEquals(seen, expected);
  assertEquals([...future.updates()], expected);
  const many = pool.submitNowait(fixture.report, [1000]);
  await many.result();
  const kept = [...many.updates()];
  assertEquals([kept.length, kept.at(-1)], [256, "last"]);
});

Deno.test("ThreadPool.map() leaves nothing on the heap", async () => {
  const pool = new ThreadPool({ size: 2 });
  async function round() {
    for (let i = 0; i < 5; i++) {
      for await (const n of pool.map(fixture.square, numbers(500))) {
        if (n > 1000) break;
      }
      for (const n of pool.mapSync(fixture.square, numbers(500))) {
        if (n > 1000) break;
      }
      await Array.fromAsync(
        pool.map(fixture.odd, [1, 2, 3], { settled: true }),
      );
    }
    const future = pool.submitNowait(fixture.report, [300]);
    await Array.fromAsync(future.updates());
    future.free();
    const futures = numbers(20).map((n) =>
      pool.submitNowait(fixture.square, [n])
    );
    for (const future of asCompletedSync(futures)) future.free();
    while (pool.stats().running > 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  await round();
  const before = await settleHeap();
  for (let i = 0; i < 3; i++) await round();
  await assertHeapBackTo(before, 300);
  await pool.shutdown();
});

Deno.test("ThreadPool.map() keeps no item that has come waiting for one that comes after its result", async () => {
  await using pool = new ThreadPool({ size: 2 });
  // The size of a chunk is known.
  await Array.fromAsync(pool.map(fixture.same, numbers(10_000)));
  let answered = Promise.withResolvers<void>();
  async function* asker() {
    for (const n of numbers(20)) {
      yield n;
      await answered.promise;
      answered = Promise.withResolvers();
    }
  }
  const answers: unknown[] = [];
  const signal = AbortSignal.timeout(20_000);
  for await (const n of pool.map(fixture.same, asker(), { signal })) {
    answers.push(n);
    answered.resolve();
  }
  assertEquals(answers, numbers(20));
});

Deno.test("ThreadPool.map() ends though its source has an item under way", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const never = Promise.withResolvers<never>();
  async function* stuck() {
    yield 1;
    await never.promise;
  }
  for await (const n of pool.map(fixture.same, stuck())) {
    assertEquals(n, 1);
    break;
  }
  // That it fails later is nobody's business any more.
  never.reject(new Error("too late"));
  await new Promise((resolve) => setTimeout(resolve, 1));
});

Deno.test("ThreadPool.map() cancels a stream, also one that it waits for", async () => {
  await using pool = new ThreadPool({ size: 1 });
  for (const isStuck of [true, false]) {
    for (const how of ["left", "aborted"]) {
      let isCancelled = false;
      let next = 0;
      const stream = new ReadableStream<number>({
        async pull(controller) {
          if (next > 0 && isStuck) await new Promise(() => {});
          controller.enqueue(next++);
        },
        async cancel() {
          await new Promise((resolve) => setTimeout(resolve, 5));
          isCancelled = true;
        },
      });
      const controller = new AbortController();
      const { signal } = controller;
      try {
        for await (const n of pool.map(fixture.same, stream, { signal })) {
          assertEquals(n, 0);
          if (how === "left") break;
          controller.abort();
        }
      } catch (error) {
        assertEquals([how, (error as Error).name], ["aborted", "AbortError"]);
      }
      assertEquals([isCancelled, stream.locked], [true, false], how);
    }
  }
});

Deno.test("ThreadPool.map() takes a stream to its end, or its error", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const stream = ReadableStream.from(numbers(20));
  const results = pool.map(fixture.same, stream);
  assertEquals(await Array.fromAsync(results), numbers(20));
  assertEquals(stream.locked, false);
  const broken = new ReadableStream({
    pull(controller) {
      controller.error(new RangeError("broken"));
    },
  });
  await assertRejects(
    () => Array.fromAsync(pool.map(fixture.same, broken)),
    RangeError,
    "broken",
  );
  assertEquals(broken.locked, false);
  const locked = new ReadableStream();
  locked.getReader();
  await assertRejects(
    () => Array.fromAsync(pool.map(fixture.same, locked)),
    TypeError,
  );
});

Deno.test("ThreadPool.map() takes a string, by its characters", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const expected = ["a", "b", "c"];
  assertEquals(await Array.fromAsync(pool.map(fixture.same, "abc")), expected);
  assertEquals([...pool.mapSync(fixture.same, "abc")], expected);
});

Deno.test("ThreadPool.map() closes its source though onProgress throws", async () => {
  await using pool = new ThreadPool({ size: 1 });
  for (const form of ["map", "mapSync"] as const) {
    let isClosed = false;
    const source = function* () {
      try {
        for (let n = 0;; n++) yield n;
      } finally {
        isClosed = true;
      }
    };
    const options = {
      onProgress() {
        throw new Error("no progress");
      },
    };
    const results = form === "map"
      ? pool.map(fixture.same, source(), options)
      : pool.mapSync(fixture.same, source(), options);
    const error = await assertRejects(async () => {
      for await (const n of results) assertEquals(n, 0);
    }, Error);
    assertEquals(error.message, "no progress");
    assert(isClosed);
  }
});

Deno.test("ThreadPool.map() that was left takes no more items out of a queue", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const queue = new Queue<number>();
  queue.putNowait(1);
  for await (const n of pool.map(fixture.same, queue)) {
    assertEquals(n, 1);
    break;
  }
  queue.putNowait(2);
  await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(queue.drain(), [2]);
});
