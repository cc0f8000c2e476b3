import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Future, ThreadPool } from "../../pool/mod.ts";
import { Full, Queue, select, ShutDown } from "../../queue/mod.ts";
import {
  activeCount,
  enumerate,
  Event,
  Lock,
  NotSendableError,
  OwnerDiedError,
  setExcepthook,
  SharedNumber,
  sleepSync,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { assertHeapBackTo, settleHeap } from "../threading/heap_words.ts";
import { runDeno } from "../threading/run_program.ts";
import * as fixture from "./pool_fixture.ts";
import { pathOf, until } from "./support.ts";

function start<R, A extends readonly unknown[]>(
  target: (...args: A) => R,
  ...args: A
): Thread<Awaited<R>> {
  const thread = new Thread({ target, args } as never);
  thread.start();
  return thread as Thread<Awaited<R>>;
}

Deno.test("ThreadPool.run() gives what the function returns or throws", async () => {
  await using pool = new ThreadPool({ size: 2 });
  assertEquals(await pool.run(fixture.add, [1, 2]), 3);
  assertEquals(await pool.run(fixture.nothing), undefined);
  assertEquals(await pool.run(fixture.later, [5, { a: [1] }]), { a: [1] });
  const error = await assertRejects(() => pool.run(fixture.boom), RangeError);
  assertEquals(error.message, "boom");
  assertEquals(error.cause, "the cause");
  assertStringIncludes(error.stack!, "pool_fixture.ts");
  const custom = await assertRejects(() => pool.run(fixture.custom));
  assertInstanceOf(custom, fixture.Custom);
  assertEquals(custom.code, 7);
  await assertRejects(() => pool.run(fixture.boomLater), RangeError, "later");
});

Deno.test("ThreadPool.runSync() works while the main thread is blocked from the start", () => {
  using pool = new ThreadPool({ size: 2 });
  assertEquals(pool.runSync(fixture.add, [1, 2]), 3);
  assertEquals(pool.runSync(fixture.later, [5, "x"]), "x");
  assertThrows(() => pool.runSync(fixture.boom), RangeError, "boom");
});

Deno.test("ThreadPool.submit() gives a Future in every form", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const first = await pool.submit(fixture.add, [1, 2]);
  const second = pool.submitSync(fixture.add, [3, 4]);
  const third = pool.submitNowait(fixture.add, [5, 6]);
  assertEquals(
    [await first.result(), second.resultSync(), await third.result()],
    [3, 7, 11],
  );
  assert(first.done() && !first.running() && !first.cancelled());
  assertEquals(third.resultNowait(), 11);
  assertEquals("then" in first, false);
});

Deno.test("Future.resultSync() starts the workers that it waits for", () => {
  using pool = new ThreadPool({ size: 2 });
  const futures = Array.from(
    { length: 20 },
    (_, i) => pool.submitNowait(fixture.add, [i, 1]),
  );
  assertEquals(futures.map((f) => f.resultSync())[19], 20);
});

Deno.test("Future.result() ends at its timeout and leaves the task alone", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const event = new Event();
  const future = pool.submitNowait(fixture.waitFor, [event]);
  const error = await assertRejects(
    () => future.result({ timeout: 20 }),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  assertThrows(() => future.resultSync({ timeout: 20 }), DOMException);
  await assertRejects(() => future.result({ signal: AbortSignal.timeout(20) }));
  assertEquals(future.resultNowait(), undefined);
  await until(() => future.running());
  event.set();
  assertMatch(await future.result(), /^ThreadPool-\d+-1$/);
});

Deno.test("Future can be sent, and any thread can wait for it", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const event = new Event();
  const blocked = pool.submitNowait(fixture.waitFor, [event]);
  const future = pool.submitNowait(fixture.add, [40, 2]);
  const queue = new Queue<Future<number>>();
  const thread = start(fixture.awaitFrom, queue);
  await queue.put(future);
  event.set();
  assertEquals(await thread.join(), 42);
  await blocked.result();
  await queue.put(future);
  const back = await queue.get();
  assert(back instanceof Future);
  assertEquals(await back.result(), 42);
});

Deno.test("ThreadPool gives tasks that put shared objects into their results", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const { lock, queue, list } = await pool.run(fixture.shares);
  assert(lock instanceof Lock);
  assert(list[0] === queue);
  assertEquals(await queue.get(), 42);
});

Deno.test("ThreadPool is usable from any thread and outlives its maker", async () => {
  const back = new Queue<ThreadPool>();
  const thread = start(fixture.openPool, back);
  const pool = await back.get();
  assertEquals(await thread.join(), 42);
  assertEquals(pool.name, "ThePool");
  assertEquals(await pool.run(fixture.threadName), "ThePool-1");
  await pool.shutdown();
});

Deno.test("ThreadPool takes tasks from eight threads at once", async () => {
  await using pool = new ThreadPool({ size: 2, maxPending: 10 });
  const threads = Array.from(
    { length: 8 },
    (_, i) =>
      i % 2
        ? start(fixture.submitMany, pool, 200)
        : start(fixture.submitManySync, pool, 200),
  );
  for (const thread of threads) assertEquals(await thread.join(), 20_100);
  assertEquals(pool.stats().completed, 1600);
});

Deno.test("ThreadPool bounds what is pending by maxPending", async () => {
  await using pool = new ThreadPool({ size: 1, maxPending: 1 });
  const event = new Event();
  const blocked = pool.submitNowait(fixture.waitFor, [event]);
  await until(() => blocked.running());
  const pending = pool.submitNowait(fixture.add, [1, 2]);
  assertThrows(() => pool.submitNowait(fixture.add, [3, 4]), Full);
  const controller = new AbortController();
  const aborted = pool.submit(fixture.add, [3, 4], {
    signal: controller.signal,
  });
  controller.abort(new RangeError("enough"));
  await assertRejects(() => aborted, RangeError, "enough");
  const waiting = pool.submit(fixture.add, [5, 6]);
  event.set();
  assertEquals(await (await waiting).result(), 11);
  assertEquals(await pending.result(), 3);
});

Deno.test("ThreadPool starts workers when they are needed and ends idle ones", async () => {
  const before = activeCount();
  const pool = new ThreadPool({ size: 3, idleTimeout: 100 });
  assertEquals(pool.stats().workers, 0);
  await pool.run(fixture.nothing);
  assertEquals(pool.stats().workers, 1);
  const event = new Event();
  const futures = [1, 2, 3, 4].map(() =>
    pool.submitNowait(fixture.waitFor, [event])
  );
  assertEquals(pool.stats().workers, 3);
  await until(() => pool.stats().running === 3);
  assertEquals(pool.stats().pending, 1);
  event.set();
  for (const future of futures) await future.result();
  await until(() => pool.stats().workers === 0);
  assertEquals(activeCount(), before);
  assertEquals(await pool.run(fixture.add, [1, 1]), 2);
  await pool.shutdown();
  assertEquals(activeCount(), before);
});

Deno.test("ThreadPool with tasks in the event loop runs as many as it has workers", async () => {
  await using pool = new ThreadPool({ size: 2 });
  const futures = [1, 2, 3, 4].map((n) =>
    pool.submitNowait(fixture.later, [30, n])
  );
  await until(() => pool.stats().running === 2);
  assertEquals(pool.stats().pending, 2);
  let sum = 0;
  for (const future of futures) sum += await future.result();
  assertEquals(sum, 10);
});

Deno.test("ThreadPool calls its initializer once a worker", async () => {
  const calls = new SharedNumber(0);
  const ready = new Queue<string>();
  const pool = new ThreadPool({
    size: 2,
    name: "Init",
    initializer: fixture.initialize,
    initArgs: [calls, ready],
  });
  const event = new Event();
  const futures = [1, 2].map(() => pool.submitNowait(fixture.waitFor, [event]));
  assertEquals([await ready.get(), await ready.get()].sort(), [
    "Init-1",
    "Init-2",
  ]);
  event.set();
  for (const future of futures) await future.result();
  await pool.shutdown();
  assertEquals(calls.value, 2);
});

Deno.test("ThreadPool fails with the error of its initializer", async () => {
  const pool = new ThreadPool({ size: 2, initializer: fixture.badInit });
  await assertRejects(() => pool.run(fixture.nothing), RangeError, "no init");
  await assertRejects(() => pool.run(fixture.nothing), RangeError, "no init");
  assertThrows(() => pool.submitNowait(fixture.nothing), RangeError);
  await pool.shutdown();
});

Deno.test("ThreadPool gives up when its workers die in the initializer", async () => {
  const pool = new ThreadPool({ size: 1, initializer: fixture.dyingInit });
  await assertRejects(() => pool.run(fixture.nothing), ThreadingError);
  await pool.shutdown();
});

for (
  const [what, fn] of [
    ["is terminated", fixture.kill],
    ["calls Deno.exit", fixture.leaveDeno],
    ["calls close", fixture.closeWorker],
    ["leaves a rejection", fixture.stray],
    ["throws in a timer", fixture.strayTimer],
  ] as const
) {
  Deno.test(`ThreadPool fails only the task whose worker ${what}`, async () => {
    setExcepthook(() => {});
    const pool = new ThreadPool({ size: 1 });
    const first = pool.submitNowait(fn as () => void);
    const second = pool.submitNowait(fixture.add, [1, 2]);
    await assertRejects(() => first.result(), ThreadingError, "worker died");
    assertEquals(await second.result(), 3);
    assertEquals(pool.stats().died, 1);
    await pool.shutdown();
    setExcepthook(undefined);
  });
}

Deno.test("ThreadPool fails only the task that runs out of memory or of heap", async () => {
  const { code, stdout, stderr } = await runDeno([
    "run",
    "-A",
    "--no-check",
    "--v8-flags=--max-old-space-size=64",
    pathOf("out_of_memory_program.ts"),
  ], { env: { SKEIN_HEAP_MIB: "16" } });
  assertEquals([stdout.trim().split("\n").at(-1), code], ["done", 0], stderr);
});

Deno.test("ThreadPool fails only the task that calls exit()", async () => {
  await using pool = new ThreadPool({ size: 1 });
  await assertRejects(
    () => pool.run(fixture.leaveThread),
    ThreadingError,
    "exit()",
  );
  assertEquals(await pool.run(fixture.add, [1, 2]), 3);
});

Deno.test("ThreadPool replaces a worker that computes for ever and is terminated", () => {
  using pool = new ThreadPool({ size: 1, name: "Spinning" });
  const running = new Event();
  const first = pool.submitNowait(fixture.signalAndSpin, [running]);
  const second = pool.submitNowait(fixture.add, [1, 2]);
  running.waitSync();
  enumerate().find((thread) => thread.name === "Spinning-1")!.terminate();
  assertThrows(() => first.resultSync(), ThreadingError, "worker died");
  assertEquals(second.resultSync(), 3);
});

Deno.test("ThreadPool repeats a task whose worker dies, and none that throws", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const runs = new SharedNumber(0);
  const options = { attempts: 3 };
  assertEquals(await pool.run(fixture.killTwice, [runs], options), 3);
  const again = new SharedNumber(0);
  await assertRejects(
    () => pool.run(fixture.killTwice, [again], { attempts: 2 }),
    ThreadingError,
  );
  assertEquals(again.value, 2);
  const thrown = new SharedNumber(0);
  await assertRejects(
    () => pool.run(fixture.throwCounting, [thrown], options),
    RangeError,
  );
  assertEquals(thrown.value, 1);
});

Deno.test("ThreadPool leaves the locks of a dead worker poisoned", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const lock = new Lock();
  await assertRejects(() => pool.run(fixture.holdAndDie, [lock]));
  assertThrows(() => lock.acquireSync(), OwnerDiedError);
});

Deno.test("ThreadPool fails a task whose result cannot be sent", async () => {
  await using pool = new ThreadPool({ size: 1 });
  await assertRejects(() => pool.run(fixture.unsendable), NotSendableError);
  assertEquals(await pool.run(fixture.add, [1, 2]), 3);
});

Deno.test("ThreadPool refuses what cannot be sent at the call", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const unmarked = () => {};
  assertThrows(() => pool.submitNowait(unmarked), NotSendableError, "fn");
  await assertRejects(() => pool.run(unmarked), NotSendableError);
  assertThrows(
    () => pool.submitNowait(fixture.later, [1, () => {}]),
    NotSendableError,
    "args[1]",
  );
  assertEquals(pool.stats().workers, 0);
});

Deno.test("ThreadPool.shutdown() waits for what was accepted", async () => {
  const before = activeCount();
  const pool = new ThreadPool({ size: 2 });
  const futures = [1, 2, 3, 4, 5].map((n) =>
    pool.submitNowait(fixture.later, [20, n])
  );
  const ended = pool.shutdown();
  assertThrows(() => pool.submitNowait(fixture.nothing), ShutDown);
  await assertRejects(() => pool.run(fixture.nothing), ShutDown);
  assertThrows(() => pool.runSync(fixture.nothing), ShutDown);
  await ended;
  assertEquals(activeCount(), before);
  assert(futures.every((future) => future.done()));
  assertEquals(futures[4].resultNowait(), 5);
  await pool.shutdown();
  pool.shutdownSync();
});

Deno.test("ThreadPool.shutdown() cancels what is pending and keeps to its timeout", async () => {
  const pool = new ThreadPool({ size: 1, maxPending: 1 });
  const event = new Event();
  const running = pool.submitNowait(fixture.waitFor, [event]);
  await until(() => running.running());
  const pending = pool.submitNowait(fixture.nothing);
  const refused = assertRejects(() => pool.submit(fixture.nothing), ShutDown);
  const error = await assertRejects(
    () => pool.shutdown({ cancelPending: true, timeout: 20 }),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  assert(pending.cancelled());
  const reason = await assertRejects(() => pending.result(), DOMException);
  assertEquals(reason.name, "AbortError");
  await refused;
  assertThrows(() => pool.shutdownSync({ timeout: 20 }), DOMException);
  event.set();
  await pool.shutdown();
});

Deno.test("ThreadPool cannot be shut down by one of its tasks", async () => {
  await using pool = new ThreadPool({ size: 1 });
  await assertRejects(
    () => pool.run(fixture.shutDownInside, [pool]),
    ThreadingError,
    "one of its tasks",
  );
});

Deno.test("Future.cancel() keeps a pending task from running", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const event = new Event();
  const running = pool.submitNowait(fixture.waitFor, [event]);
  const calls = new SharedNumber(0);
  const future = pool.submitNowait(fixture.count, [calls]);
  const controller = new AbortController();
  const other = pool.run(fixture.count, [calls], { signal: controller.signal });
  const third = await pool.submit(fixture.count, [calls], {
    signal: controller.signal,
  });
  future.cancel(new RangeError("not needed"));
  assert(future.cancelled() && future.done());
  assertThrows(() => future.resultSync(), RangeError, "not needed");
  await new Promise((resolve) => setTimeout(resolve, 1));
  controller.abort();
  const reason = await assertRejects(() => other, DOMException);
  assertEquals(reason.name, "AbortError");
  assert(third.cancelled());
  assertThrows(() => future.cancel(() => {}), NotSendableError);
  event.set();
  await running.result();
  running.cancel();
  assert(!running.cancelled());
  assertEquals(calls.value, 0);
});

Deno.test("Future.result() gives every number as it is, in every form", async () => {
  await using pool = new ThreadPool({ size: 1 });
  for (const n of [0, -0, NaN, -Infinity, 2 ** 53, 5e-324, -1]) {
    const future = pool.submitNowait(fixture.later, [0, n]);
    const { value } = await select([future]);
    const seen = [
      value,
      await future.result(),
      future.resultSync(),
      future.resultNowait(),
      await pool.run(fixture.add, [n, -0]),
      pool.runSync(fixture.add, [n, -0]),
      ...pool.mapSync(fixture.same, [n]),
    ];
    for (const each of seen) assert(Object.is(each, n), `${n} ${each}`);
  }
});

Deno.test("ThreadPool ends when its last handle goes", async () => {
  const before = activeCount();
  const pool = new ThreadPool({ size: 2 });
  const future = pool.submitNowait(fixture.later, [30, 1]);
  pool.free();
  assertEquals(await future.result(), 1);
  await until(() => activeCount() === before);
});

Deno.test("a Future that failed and goes unasked is told to the excepthook once", async () => {
  const told: unknown[] = [];
  setExcepthook(({ error }) => told.push(error));
  try {
    const pool = new ThreadPool({ size: 1 });
    const asked = pool.submitNowait(fixture.boom);
    await assertRejects(() => asked.result());
    asked.free();
    pool.submitNowait(fixture.boom).free();
    const kept = pool.submitNowait(fixture.boom);
    await pool.shutdown();
    await until(() => told.length > 0);
    assertEquals(told.length, 1);
    assert(told[0] instanceof RangeError);
    kept.free();
    await until(() => told.length > 1);
    assertEquals(told.length, 2);
  } finally {
    setExcepthook(undefined);
  }
});

Deno.test("a task that nobody asks for is told to the excepthook though it fails with its worker", async () => {
  const told: unknown[] = [];
  setExcepthook(({ error }) => told.push(error));
  try {
    await using pool = new ThreadPool({ size: 1 });
    await pool.run(fixture.nothing);
    const before = await settleHeap();
    for (let i = 1; i <= 5; i++) {
      pool.submitNowait(fixture.kill).free();
      await until(() => {
        // Whoever makes an object sees to what a dying thread could not do.
        new Event().free();
        return told.length === i;
      });
      assertInstanceOf(told[i - 1], ThreadingError);
    }
    await assertHeapBackTo(before, 200);
    assertEquals(told.length, 5);
  } finally {
    setExcepthook(undefined);
  }
});

Deno.test("ThreadPool leaves nothing on the heap", async () => {
  async function round() {
    const pool = new ThreadPool({ size: 2, maxPending: 50 });
    for (let i = 0; i < 200; i++) {
      (await pool.submit(fixture.add, [i, 1])).free();
    }
    const futures = Array.from(
      { length: 40 },
      (_, i) => pool.submitSync(fixture.later, [1, { i }]),
    );
    for (const future of futures) {
      await future.result();
      future.free();
    }
    await Promise.all(
      Array.from({ length: 40 }, () => pool.run(fixture.shares)),
    );
    await assertRejects(() => pool.run(fixture.kill));
    await pool.shutdown();
    pool.free();
  }
  await round();
  const before = await settleHeap();
  for (let i = 0; i < 3; i++) await round();
  await assertHeapBackTo(before, 64);
});

Deno.test("ThreadPool is fair between long and short tasks", async () => {
  await using pool = new ThreadPool({ size: 2 });
  const long = Array.from(
    { length: 4 },
    () => pool.submitNowait(fixture.nap, [50]),
  );
  const short = Array.from(
    { length: 1000 },
    (_, i) => pool.submitNowait(fixture.add, [i, 0]),
  );
  const last = pool.submitNowait(fixture.nap, [50]);
  for (const future of [...long, ...short, last]) await future.result();
});

Deno.test("ThreadPool survives that its submitter sleeps", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const future = pool.submitNowait(fixture.add, [1, 2]);
  sleepSync(300);
  assertEquals(await future.result(), 3);
});
