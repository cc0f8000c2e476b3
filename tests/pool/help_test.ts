import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { ThreadPool } from "../../pool/mod.ts";
import { Queue } from "../../queue/mod.ts";
import {
  Event,
  Lock,
  SharedNumber,
  ThreadingError,
} from "../../threading/mod.ts";
import { add, nothing, waitFor } from "./pool_fixture.ts";
import * as fixture from "./help_fixture.ts";

Deno.test("Future.resultSync() in a task runs what it waits for, 300 deep", () => {
  using pool = new ThreadPool({ size: 1 });
  assertEquals(pool.runSync(fixture.depthSync, [pool, 300]), 300);
  assertEquals(pool.runSync(fixture.depthRunSync, [pool, 300]), 300);
});

Deno.test("Future.resultSync() in a task says when the stack is too deep", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const error = await assertRejects(
    () => pool.run(fixture.depthSync, [pool, 2000]),
    ThreadingError,
  );
  assertStringIncludes(error.message, "stack of this thread");
  assertEquals(await pool.run(fixture.depthSync, [pool, 10]), 10);
});

Deno.test("Future.result() in a task frees its place, 10 000 deep", async () => {
  await using pool = new ThreadPool({ size: 1 });
  assertEquals(await pool.run(fixture.depth, [pool, 10_000]), 10_000);
});

Deno.test("ThreadPool divides and conquers with one worker and with more", async () => {
  for (const size of [1, 2, 4]) {
    await using pool = new ThreadPool({ size });
    assertEquals(await pool.run(fixture.fib, [pool, 15, 6]), 610);
    const items = Array.from({ length: 500 }, (_, i) => (i * 7919) % 503);
    const sorted = await pool.run(fixture.quicksort, [pool, items]);
    assertEquals(sorted, items.toSorted((a, b) => a - b));
  }
});

Deno.test("a helped task owns none of the RLocks of the one that waits", async () => {
  await using pool = new ThreadPool({ size: 1 });
  assertEquals(await pool.run(fixture.waitWithLock, [pool]), [
    [false, false],
    true,
  ]);
});

Deno.test("a task that waits runs no stranger", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const order = new Queue<string>();
  const go = new Event();
  const waiter = pool.submitNowait(fixture.waitForOwn, [pool, order, go]);
  const stranger = pool.submitNowait(fixture.note, [order, "stranger"]);
  go.set();
  await waiter.result();
  await stranger.result();
  assertEquals(order.drain(), ["own", "waiter", "stranger"]);
});

Deno.test("a task that waits in the blocking form for an async one says so", async () => {
  await using pool = new ThreadPool({ size: 1 });
  await assertRejects(
    () => pool.run(fixture.waitForAsync, [pool]),
    ThreadingError,
    "async",
  );
  await using larger = new ThreadPool({ size: 2 });
  await larger.run(fixture.waitForAsync, [larger]);
});

Deno.test("a task that fills its pool runs the tasks itself", async () => {
  await using pool = new ThreadPool({ size: 1, maxPending: 2 });
  const count = new SharedNumber(0);
  assertEquals(await pool.run(fixture.fillAndRun, [pool, count]), 55);
});

async function begun(event: Event): Promise<void> {
  await event.wait({ timeout: 60_000 });
}

Deno.test("Future.cancel() asks a running task to end", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const event = new Event();
  const computing = pool.submitNowait(fixture.computeUntilCancelled, [event]);
  await begun(event);
  computing.cancel(new RangeError("enough"));
  await assertRejects(() => computing.result(), RangeError, "enough");
  assert(computing.cancelled());

  event.clear();
  using lock = new Lock().acquireSync();
  const waiting = pool.submitNowait(fixture.acquire, [lock, event]);
  await begun(event);
  waiting.cancel();
  const error = await assertRejects(() => waiting.result(), DOMException);
  assertEquals(error.name, "AbortError");
  assert(waiting.cancelled());

  event.clear();
  const listening = pool.submitNowait(fixture.awaitSignal, [event]);
  await begun(event);
  listening.cancel(new Error("stop"));
  assertEquals(await listening.result(), "cleaned up: stop");
  assert(!listening.cancelled());
  assertEquals(await pool.run(add, [1, 2]), 3);
  assertEquals(pool.stats().died, 0);
});

Deno.test("ThreadPool cancels a task by its signal and by its timeout", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const controller = new AbortController();
  const event = new Event();
  const aborted = pool.run(fixture.computeUntilCancelled, [event], {
    signal: controller.signal,
  });
  await begun(event);
  controller.abort(new RangeError("signal"));
  await assertRejects(() => aborted, RangeError, "signal");
  const options = { timeout: 30 };
  for (const fn of [fixture.computeUntilCancelled, fixture.sleepLong]) {
    const error = await assertRejects(
      () => pool.run(fn as () => void, [], options),
      DOMException,
    );
    assertEquals(error.name, "TimeoutError");
  }
  const later = new Event();
  const error = await assertRejects(
    () => pool.run(waitFor, [later], options),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  assertEquals(pool.stats().died, 0);
});

Deno.test("ThreadPool counts a timeout from the start of its task", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const event = new Event();
  const first = pool.submitNowait(waitFor, [event]);
  const second = pool.submitNowait(nothing, [], { timeout: 50 });
  await new Promise((resolve) => setTimeout(resolve, 120));
  event.set();
  await first.result();
  await second.result();
});

Deno.test("ThreadPool terminates and replaces the worker of a task that does not end in its grace", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const event = new Event();
  const spinning = pool.submitNowait(fixture.spinForEver, [event]);
  const next = pool.submitNowait(add, [1, 2]);
  await begun(event);
  spinning.cancel(new RangeError("enough"), { grace: 30 });
  await assertRejects(() => spinning.result(), RangeError, "enough");
  assert(spinning.cancelled());
  assertEquals(await next.result(), 3);
  const error = await assertRejects(
    () =>
      pool.run(fixture.spinForEver as () => void, [], {
        timeout: 20,
        grace: 20,
      }),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  assertEquals(await pool.run(add, [1, 2]), 3);
  assertEquals(pool.stats().died, 2);
});

Deno.test("ThreadPool leaves a worker alone whose task ends in its grace", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const options = { timeout: 100, grace: 100 };
  for (let i = 0; i < 20; i++) await pool.run(add, [1, 2], options);
  await new Promise((resolve) => setTimeout(resolve, 400));
  assertEquals(await pool.run(add, [1, 2], options), 3);
  assertEquals(pool.stats().died, 0);
});

Deno.test("a task that was cancelled while it helped lets the other one end", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const [event, go, done] = [new Event(), new Event(), new SharedNumber(0)];
  const helper = pool.submitNowait(fixture.cancelledHelper, [
    pool,
    event,
    go,
    done,
  ]);
  await begun(event);
  helper.cancel(new RangeError("helper"));
  go.set();
  await assertRejects(() => helper.result(), RangeError, "helper");
  assertEquals(done.value, 1);
});
