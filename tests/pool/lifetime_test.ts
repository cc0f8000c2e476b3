import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Future, ThreadPool } from "../../pool/mod.ts";
import { Queue } from "../../queue/mod.ts";
import {
  activeCount,
  Barrier,
  enumerate,
  setExcepthook,
  SharedNumber,
  Thread,
} from "../../threading/mod.ts";
import {
  allocatedWords,
  assertHeapBackTo,
  settleHeap,
} from "../threading/heap_words.ts";
import { runDeno } from "../threading/run_program.ts";
import { STRESS } from "../threading/shared_support.ts";
import * as fixture from "./lifetime_fixture.ts";
import { LONG, pathOf, until } from "./support.ts";

const workersOf = (name: string) =>
  enumerate().filter((thread) => thread.name.startsWith(`${name}-`)).length;

for (const cancelPending of [false, true]) {
  Deno.test(
    `ThreadPool.shutdown() during submits of eight threads${
      cancelPending ? ", cancelling" : ""
    }, loses none that was accepted`,
    async () => {
      for (let round = 0; round < 2; round++) {
        const pool = new ThreadPool({ size: 2, maxPending: 20 });
        const start = new Barrier(9);
        const calls = new SharedNumber(0);
        const threads = Array.from({ length: 8 }, (_, i) => {
          const thread = new Thread({
            target: fixture.submitUntilShutDown,
            args: [pool, start, calls, i % 3],
          });
          thread.start();
          return thread;
        });
        await start.wait();
        await until(() => calls.value > 100 * round);
        await pool.shutdown({ cancelPending, timeout: LONG });
        let accepted = 0;
        let cancelled = 0;
        for (const thread of threads) {
          const seen = await thread.join({ timeout: LONG });
          assertEquals(seen.refused, 3);
          for (const future of seen.accepted) {
            assert(future.done(), "a future was not settled");
            accepted++;
            if (future.cancelled()) cancelled++;
            future.free();
          }
        }
        assertEquals(calls.value, accepted - cancelled);
        if (!cancelPending) assertEquals(cancelled, 0);
        const { completed, pending, running, workers } = pool.stats();
        assertEquals([completed, pending, running], [calls.value, 0, 0]);
        assertEquals(workers, 0);
      }
    },
  );
}

Deno.test("ThreadPool keeps memory flat over a great many futures that nobody keeps", async () => {
  const count = STRESS > 1 ? 1_000_000 : 200_000;
  const pool = new ThreadPool({ size: 2, maxPending: 1000 });
  let most = 0;
  const fill = async (n: number) => {
    for (let i = 0; i < n; i++) {
      await pool.submit(fixture.add, [i, 1]);
      if (i % 1000 === 0) most = Math.max(most, allocatedWords());
    }
    await until(() => pool.stats().pending + pool.stats().running === 0);
  };
  await fill(2000);
  const before = await settleHeap();
  most = 0;
  await fill(count);
  await assertHeapBackTo(before, 2000);
  // A Future takes some 40 words. Those that nobody keeps wait for V8 to collect
  // garbage, which it does in its own time; a million is more than it lets wait.
  if (STRESS > 1) assert(most < before + 25_000_000, `${most - before} words`);
  assertEquals(pool.stats().completed, 2000 + count);
  await pool.shutdown();
});

Deno.test("ThreadPool keeps memory flat over futures that a thread frees which never returns to its event loop", async () => {
  const pool = new ThreadPool({ size: 2, maxPending: 1000 });
  const submit = (n: number) =>
    new Thread({ target: fixture.submitAway, args: [pool, n] });
  const first = submit(2000);
  first.start();
  await first.join();
  const before = await settleHeap();
  const thread = submit(50_000);
  thread.start();
  let most = 0;
  while (thread.isAlive()) {
    most = Math.max(most, allocatedWords());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await thread.join();
  await until(() => pool.stats().pending + pool.stats().running === 0);
  assert(most < before + 200_000, `${most - before} words`);
  await assertHeapBackTo(before, 2000);
  await pool.shutdown();
});

Deno.test("ThreadPool: a task's result may hold futures, of tasks that go on", async () => {
  for (const size of [1, 2]) {
    await using pool = new ThreadPool({ size });
    const sum = async (futures: Future<number>[]) => {
      let sum = 0;
      for (const future of futures) sum += await future.result();
      return sum;
    };
    assertEquals(await sum(await pool.run(fixture.delegate, [pool, 30])), 61);
    const [slow, quick] = pool.runSync(fixture.delegate, [pool, 30]);
    assertEquals(quick.resultSync() + slow.resultSync(), 61);
    const future = pool.submitNowait(fixture.delegate, [pool, 30]);
    const [other] = await future.result();
    // Each thread has one handle of a future.
    assertEquals((await future.result())[0], other);
    assertEquals(await other.result(), 30);
    const delegate = new Array(5).fill(pool);
    for await (const each of pool.map(fixture.delegateOne, delegate)) {
      assertEquals(await each.result(), 2);
    }
  }
});

Deno.test("ThreadPool: what a task leaves in the event loop goes on there", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const back = new Queue<[boolean, string]>();
  // In an idle worker, and between the tasks of a busy one.
  for (const isBusy of [false, true]) {
    const name = await pool.run(fixture.leaveMessage, [20, back]);
    let isThere = false;
    const message = back.get({ timeout: LONG }).finally(() => isThere = true);
    while (isBusy && !isThere) await pool.run(fixture.add, [1, 2]);
    // It belongs to no task.
    assertEquals(await message, [false, name]);
  }
  assertEquals(pool.stats().died, 0);
});

Deno.test("ThreadPool: what a task leaves in the event loop ends with the worker", async () => {
  const before = activeCount();
  const back = new Queue<[boolean, string]>();
  const pool = new ThreadPool({ size: 1, idleTimeout: 20 });
  await pool.run(fixture.leaveMessage, [150, back]);
  await until(() => pool.stats().workers === 0);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert(back.empty());
  await pool.run(fixture.leaveTimer);
  await pool.shutdown({ timeout: LONG });
  await until(() => activeCount() === before);
});

Deno.test("ThreadPool: an error of what a task left behind ends the worker", async () => {
  setExcepthook(() => {});
  try {
    await using pool = new ThreadPool({ size: 1 });
    await pool.run(fixture.leaveError);
    await until(() => pool.stats().died === 1);
    assertEquals(await pool.run(fixture.add, [1, 2]), 3);
  } finally {
    setExcepthook(undefined);
  }
});

Deno.test("ThreadPool goes on when the thread that made it has ended", async () => {
  const back = new Queue<[ThreadPool, Future<number>]>();
  const thread = new Thread({ target: fixture.makeAndLeave, args: [back] });
  thread.start();
  const [pool, future] = await back.get();
  await thread.join();
  assertEquals(await future.result(), 50);
  assertEquals(await pool.run(fixture.add, [1, 2]), 3);
  await pool.shutdown({ timeout: LONG });
  assertEquals(workersOf("Left"), 0);
});

for (
  const [what, fn, name] of [
    ["has ended", fixture.makeAndDrop, "Dropped"],
    ["was killed", fixture.makeAndDie, "Orphan"],
  ] as const
) {
  Deno.test(`ThreadPool does its tasks and leaves no worker when the only thread that knew it ${what}`, async () => {
    const before = activeCount();
    const back = new Queue<Future<number>>();
    const thread = new Thread({ target: fn, args: [back] });
    thread.start();
    const future = await back.get();
    if (name === "Orphan") thread.terminate();
    await thread.join().catch(() => {});
    assertEquals(await future.result(), 50);
    await until(() => workersOf(name) === 0);
    await until(() => activeCount() === before);
  });
}

Deno.test("ThreadPool ends with its last handle while its workers rest", async () => {
  const before = activeCount();
  for (const fn of [fixture.nothing, fixture.leaveTimer]) {
    const pool = new ThreadPool({ size: 2, idleTimeout: Infinity });
    await Promise.all([pool.run(fn), pool.run(fn)]);
    await until(() => pool.stats().idle === pool.stats().workers);
    pool.free();
    await until(() => activeCount() === before);
  }
});

Deno.test("ThreadPool that is idle does not hold the process", async () => {
  for (
    const kind of ["idle", "tasks", "common", "blocked", "unused", "timer"]
  ) {
    const { code, stdout, stderr, ms } = await runDeno([
      "run",
      "-A",
      "--no-check",
      pathOf("open_pool_program.ts"),
      kind,
    ]);
    const said = stdout.trim().split("\n");
    assertEquals([said.at(-1), code], ["end of main", 0], stderr);
    // Accepted tasks do hold it.
    if (kind === "tasks") assertStringIncludes(stderr, "the task ran");
    // Idle workers would end by themselves only later.
    assert(ms < 30_000, `${kind} took ${ms} ms`);
  }
});

Deno.test("ThreadPool passes under --sanitize-ops --sanitize-resources", async () => {
  const flags = ["--sanitize-ops", "--sanitize-resources"];
  const { code, stdout } = await runDeno(
    ["test", "-P", "--no-check", ...flags, pathOf("sanitized_test.ts")],
    { cwd: pathOf("../..") },
  );
  assertStringIncludes(stdout, "0 failed");
  assertEquals(code, 0, stdout);
});
