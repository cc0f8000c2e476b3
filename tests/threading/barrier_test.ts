import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async";
import {
  Barrier,
  BrokenBarrierError,
  Event,
  NotSendableError,
  setExcepthook,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { testOptions } from "./wait_options.ts";
import { echo } from "./wait_fixture.ts";
import {
  block,
  comeLast,
  countRun,
  hang,
  meet,
  rounds,
  runsOf,
  takeRuns,
} from "./barrier_fixture.ts";

testOptions("Barrier.wait", () => {
  const barrier = new Barrier(2);
  let thread: Thread<unknown, readonly [Barrier]> | undefined;
  return {
    wait: (options) => barrier.wait(options),
    waitSync: (options) => barrier.waitSync(options),
    let() {
      assertEquals(barrier.nWaiting(), 0);
      assert(!barrier.broken());
      thread = new Thread({ target: meet, args: [barrier] });
      thread.start();
    },
    free() {
      thread?.terminate();
      barrier.free();
    },
  };
});

Deno.test("Barrier() throws if an option is none", () => {
  for (const parties of [0, -1, 0.5, NaN, Infinity]) {
    assertThrows(() => new Barrier(parties), RangeError, `${parties}`);
  }
  assertThrows(() => new Barrier("2" as never), TypeError, '"2"');
  assertThrows(() => new Barrier(2, { action: 1 as never }), TypeError);
  assertThrows(() => new Barrier(2, { timeout: -1 }), RangeError);
  assertThrows(() => new Barrier(2, { timeout: "1" as never }), TypeError);
  assertEquals(new Barrier(3).parties, 3);
});

Deno.test("Barrier.wait() lets all go on when the last has come, again and again", async () => {
  const barrier = new Barrier(3);
  for (let round = 0; round < 3; round++) {
    const waits = [barrier.wait(), barrier.wait()];
    await delay(1);
    assertEquals(barrier.nWaiting(), 2);
    assertEquals(await Promise.all([...waits, barrier.wait()]), [0, 1, 2]);
    assertEquals(barrier.nWaiting(), 0);
  }
  const one = new Barrier(1);
  assertEquals([await one.wait(), one.waitSync(), one.waitSync()], [0, 0, 0]);
});

Deno.test("Barrier.wait() runs the action once a round, before any goes on", async () => {
  const log: string[] = [];
  const action = async () => {
    log.push("action");
    await delay(2);
    log.push("done");
  };
  const barrier = new Barrier(2, { action });
  const wait = async () => log.push(String(await barrier.wait()));
  for (let round = 0; round < 2; round++) {
    await Promise.all([wait(), wait()]);
    assertEquals(log.slice(0, 2), ["action", "done"]);
    assertEquals(log.splice(0).sort(), ["0", "1", "action", "done"]);
  }
  // Who comes while the action runs belongs to the next round.
  await Promise.all([1, 2, 3, 4, 5, 6].map(wait));
  assertEquals(log.filter((entry) => entry === "action").length, 3);
});

Deno.test("Barrier.wait() breaks it if the action throws", async () => {
  const barrier = new Barrier(2, {
    action() {
      throw new Error("action");
    },
  });
  const first = barrier.wait();
  assertThrows(() => barrier.waitSync(), "action");
  await assertRejects(() => first, BrokenBarrierError);
  assert(barrier.broken());
  assertThrows(() => barrier.waitSync(), BrokenBarrierError, "broken or reset");
  barrier.reset();
  const again = barrier.wait();
  await assertRejects(() => barrier.wait(), "action");
  await assertRejects(() => again, BrokenBarrierError);
});

Deno.test("Barrier.abort() and reset() send away who waits", async () => {
  const barrier = new Barrier(2);
  const aborted = barrier.wait();
  barrier.abort();
  assert(barrier.broken());
  await assertRejects(() => aborted, BrokenBarrierError);
  await assertRejects(() => barrier.wait(), BrokenBarrierError);
  assertThrows(() => barrier.waitSync(), BrokenBarrierError);
  barrier.reset();
  assert(!barrier.broken());
  const reset = barrier.wait();
  assertEquals(barrier.nWaiting(), 1);
  barrier.reset();
  assertEquals(barrier.nWaiting(), 0);
  await assertRejects(() => reset, BrokenBarrierError);
  await Promise.all([barrier.wait(), barrier.wait()]);
});

Deno.test("Barrier.reset() during the action sends all away", async () => {
  const barrier: Barrier = new Barrier(2, { action: () => barrier.reset() });
  const first = barrier.wait();
  await assertRejects(() => barrier.wait(), BrokenBarrierError);
  await assertRejects(() => first, BrokenBarrierError);
  assert(!barrier.broken());
});

Deno.test("Barrier.wait() has the barrier's timeout unless it says another", async () => {
  const barrier = new Barrier(2, { timeout: 5 });
  await assertRejects(() => barrier.wait(), DOMException, "5 ms");
  assertThrows(() => barrier.waitSync(), DOMException, "5 ms");
  await assertRejects(() => barrier.wait({ timeout: 1 }), DOMException, "1 ms");
  const waiting = barrier.wait({ timeout: Infinity });
  await delay(20);
  assertEquals(barrier.nWaiting(), 1);
  barrier.waitSync();
  await waiting;
});

Deno.test("Barrier.wait() cannot give up any more when all have come", async () => {
  const barrier = new Barrier(2, { action: () => delay(30) });
  const first = barrier.wait({ timeout: 10 });
  const last = barrier.wait();
  const early = barrier.wait({ timeout: 10 });
  await assertRejects(() => early, DOMException, "10 ms");
  assertEquals(await Promise.all([first, last]), [0, 1]);
  assertEquals(barrier.nWaiting(), 0);
});

Deno.test("Barrier.waitSync() throws if nobody is left to come", () => {
  const barrier = new Barrier(2);
  assertThrows(
    () => barrier.waitSync(),
    ThreadingError,
    "Cannot wait at a Barrier: this would never end",
  );
  assertEquals(barrier.nWaiting(), 0);
});

Deno.test("Barrier is shared with threads, and is the same when it comes back", async () => {
  const barrier = new Barrier(3);
  const thread = new Thread({ target: echo, args: [{ barrier }] });
  thread.start();
  const back = await thread.join() as { barrier: Barrier };
  assertStrictEquals(back.barrier, barrier);
  for (const form of ["promise", "blocking"]) {
    const threads = [1, 2].map(() =>
      new Thread({ target: rounds, args: [barrier, 50, form] })
    );
    for (const thread of threads) thread.start();
    let sum = 0;
    for (let i = 0; i < 50; i++) sum += barrier.waitSync({ timeout: 10_000 });
    for (const thread of threads) sum += await thread.join() as number;
    assertEquals(sum, 50 * 3);
  }
});

Deno.test("Barrier runs a marked action in whichever thread comes last", async () => {
  const barrier = new Barrier(2, { action: countRun });
  const thread = new Thread({ target: runsOf, args: [barrier, 50] });
  thread.start();
  for (let i = 0; i < 50; i++) barrier.waitSync({ timeout: 10_000 });
  assertEquals(takeRuns() + (await thread.join()), 50);
});

for (
  const { form, action, leaves } of [
    { form: "blocking", action: block, leaves: false },
    { form: "promise", action: hang, leaves: false },
    { form: "promise", action: hang, leaves: true },
  ]
) {
  const how = leaves ? "ends" : "is killed";
  Deno.test(`Barrier.wait() throws if the thread that runs the action in the ${form} form ${how}`, async () => {
    const barrier = new Barrier(3, { action });
    const acting = new Event();
    const last = new Thread({
      target: comeLast,
      args: [barrier, acting, form, leaves],
    });
    const others = [barrier.wait(), barrier.wait()];
    last.start();
    await acting.wait({ timeout: 10_000 });
    if (!leaves) last.terminate();
    const [ended, ...waits] = await Promise.allSettled([
      last.join(),
      ...others,
    ]);
    assertEquals(ended.status, leaves ? "fulfilled" : "rejected");
    for (const wait of waits) {
      assert(wait.status === "rejected");
      assert(wait.reason instanceof BrokenBarrierError);
    }
    assert(barrier.broken());
    barrier.reset();
    assertEquals(barrier.nWaiting(), 0);
    barrier.free();
  });
}

Deno.test("Barrier.free() throws while the action runs", async () => {
  const errors: unknown[] = [];
  const barrier: Barrier = new Barrier(1, {
    action() {
      try {
        barrier.free();
      } catch (error) {
        errors.push(error);
      }
    },
  });
  barrier.waitSync();
  await barrier.wait();
  assertEquals(errors.length, 2);
  for (const error of errors) assert(error instanceof ThreadingError);
  barrier.free();
});

Deno.test("Barrier.wait() throws where an unmarked action is not known", async () => {
  setExcepthook(() => {});
  const barrier = new Barrier(2, { action: () => {} });
  const thread = new Thread({ target: meet, args: [barrier] });
  thread.start();
  await assertRejects(() => thread.join(), NotSendableError, "not marked");
  assertEquals(barrier.nWaiting(), 0);
});
