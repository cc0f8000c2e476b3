import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Future, ThreadPool } from "../../pool/mod.ts";
import { Queue } from "../../queue/mod.ts";
import {
  activeCount,
  Barrier,
  enumerate,
  SharedNumber,
  Thread,
} from "../../threading/mod.ts";
import { assertHeapBackTo, settleHeap } from "../threading/heap_words.ts";
import { runDeno } from "../threading/run_program.ts";
import { STRESS } from "../threading/shared_support.ts";
import * as fixture from "./lifetime_fixture.ts";

const LONG = 60_000;

function path(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

async function until(test: () => boolean): Promise<void> {
  const deadline = performance.now() + LONG;
  while (!test()) {
    assert(performance.now() < deadline, "nothing happened");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

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
  const count = STRESS > 1 ? 1_000_000 : 100_000;
  const pool = new ThreadPool({ size: 2, maxPending: 1000 });
  const fill = async (n: number) => {
    for (let i = 0; i < n; i++) await pool.submit(fixture.add, [i, 1]);
    await until(() => pool.stats().pending + pool.stats().running === 0);
  };
  await fill(2000);
  const before = await settleHeap();
  await fill(count);
  await assertHeapBackTo(before, 2000);
  assertEquals(pool.stats().completed, 2000 + count);
  await pool.shutdown();
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
  for (const kind of ["idle", "tasks", "common", "blocked", "unused"]) {
    const { code, stdout, stderr, ms } = await runDeno([
      "run",
      "-A",
      "--no-check",
      path("open_pool_program.ts"),
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
    ["test", "-P", "--no-check", ...flags, path("sanitized_test.ts")],
    { cwd: path("../..") },
  );
  assertStringIncludes(stdout, "0 failed");
  assertEquals(code, 0, stdout);
});
