import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { explore } from "../../testing/mod.ts";
import { NotSendableError } from "../../threading/mod.ts";
import * as faulty from "./faulty_fixture.ts";

const unlocked = {
  setup: faulty.makeShared,
  threads: [faulty.countUnlocked, faulty.countUnlocked],
  check: faulty.countedTwo,
};

Deno.test("explore finds an update that is lost, and shows how", async () => {
  const { failure, complete } = await explore(unlocked);
  assertEquals(complete, false);
  assertEquals(failure?.kind, "error");
  assertEquals(failure?.error.name, "AssertionError");
  const lines = failure!.table.split("\n").map((line) => line.trimEnd());
  assertMatch(lines[0], /^thread 1 +\| thread 2$/);
  // Both read before one of them writes.
  const reads = lines.findIndex((line) =>
    /\| SharedNumber\.value {2}faulty_fixture\.ts:\d+$/.test(line)
  );
  const writes = lines.findLastIndex((line) =>
    /^SharedNumber\.value = {2}faulty_fixture\.ts:\d+ +\|/.test(line)
  );
  assert(reads > 0 && writes > reads, failure!.table);
});

Deno.test("explore repeats a schedule", async () => {
  const { failure } = await explore(unlocked);
  const again = await explore(unlocked, { replay: failure!.schedule });
  assertEquals(again.schedules, 1);
  assertEquals(again.failure?.schedule, failure!.schedule);
  assertEquals(again.failure?.table, failure!.table);
  const other = await explore(unlocked, { replay: "0>1" });
  assertEquals(other.failure, undefined);
});

Deno.test("explore finds nothing where a lock excludes", async () => {
  const locked = { ...unlocked, threads: Array(2).fill(faulty.countLocked) };
  const { complete, failure, schedules } = await explore(locked);
  assertEquals([complete, failure], [true, undefined]);
  assert(schedules > 10, `${schedules}`);
});

Deno.test("explore runs async functions", async () => {
  const threads = [faulty.countLockedAsync, faulty.countLocked];
  const result = await explore({ ...unlocked, threads });
  assertEquals([result.complete, result.failure], [true, undefined]);
  const both = [faulty.countLockedAsync, faulty.countUnlocked];
  const { failure } = await explore({ ...unlocked, threads: both });
  assertEquals(failure?.kind, "error");
});

Deno.test("explore finds no preemption where none is allowed", async () => {
  const { complete, failure } = await explore(unlocked, { preemptions: 0 });
  assertEquals([complete, failure], [true, undefined]);
});

Deno.test("explore finds the double creation of getitem", async () => {
  const { failure } = await explore({
    setup: faulty.makeShared,
    threads: [faulty.getitem, faulty.getitem],
    check: faulty.madeOnce,
  });
  assertEquals(failure?.kind, "error");
  assertMatch(
    failure!.table,
    /SharedMap\.has .*\n(?:.*\n)*.*\| SharedMap\.has/,
  );
});

Deno.test("explore finds a deadlock of two locks", async () => {
  const { failure } = await explore({
    setup: faulty.makeShared,
    threads: [faulty.firstAThenB, faulty.firstBThenA],
  });
  assertEquals(failure?.kind, "deadlock");
  assertMatch(failure!.error.message, /wait for one another/);
  assertMatch(failure!.table, /Lock\.acquireSync waits/);
});

Deno.test("explore finds a wake-up lost between a look and a wait", async () => {
  const { failure } = await explore({
    setup: faulty.makeMailbox,
    threads: [faulty.lookThenWait, faulty.send],
  });
  assertEquals(failure?.kind, "lost wake-up");
  assertMatch(failure!.error.message, /thread 1 waits for a Condition/);
  const { complete, failure: none } = await explore({
    setup: faulty.makeMailbox,
    threads: [faulty.waitForLetter, faulty.send],
  });
  assertEquals([complete, none], [true, undefined]);
});

Deno.test("explore finds a buffer with one Condition too few", async () => {
  const { failure } = await explore({
    setup: faulty.makeBuffer,
    threads: [faulty.getOne, faulty.getOne, faulty.putTwo],
  });
  assertEquals(failure?.kind, "lost wake-up");
});

Deno.test("explore finds a livelock, and lets others end a loop", async () => {
  const setup = faulty.makeShared;
  const { failure } = await explore({
    setup,
    threads: [faulty.spin, faulty.spin],
  }, { steps: 3000 });
  assertEquals(failure?.kind, "livelock");
  const other = await explore({ setup, threads: [faulty.spin, faulty.count] }, {
    steps: 3000,
    preemptions: 1,
    schedules: 200,
  });
  assertEquals(other.failure, undefined);
});

Deno.test("explore finds what is not given back", async () => {
  const { failure } = await explore({
    setup: faulty.makeOne,
    threads: [faulty.makeAndKeep, faulty.makeAndKeep],
  }, { schedules: 5 });
  // A handle in a variable of the module is given back for it.
  assertEquals(failure, undefined);
});

Deno.test("explore has timeouts pass by its own clock", async () => {
  const begun = performance.now();
  const { failure } = await explore({
    setup: faulty.makeShared,
    threads: [faulty.waitBriefly, faulty.holdForLong],
    check: faulty.timedOut,
  });
  assertEquals(failure?.kind, "error");
  assert(performance.now() - begun < 100_000);
});

Deno.test("explore has a timeout pass before anybody else goes on", async () => {
  const { failure } = await explore({
    setup: faulty.makeMailbox,
    threads: [faulty.expectInTime, faulty.sendLater],
  }, { preemptions: 0 });
  assertEquals(failure?.kind, "error");
  // Thread 1 goes on behind itself.
  assertMatch(failure!.schedule, /^\d+>1\b/);
});

Deno.test("explore tries random schedules, the same ones for a seed", async () => {
  const options = { depth: 2, seed: 7, schedules: 500 };
  const first = await explore(unlocked, options);
  const second = await explore(unlocked, options);
  assertEquals(first.failure?.kind, "error");
  assertEquals(first.complete, false);
  assertEquals(second.schedules, first.schedules);
  assertEquals(second.failure?.schedule, first.failure?.schedule);
  // Shrunk: one preemption is enough.
  assert(first.failure!.schedule.split(" ").length <= 3);
});

Deno.test("explore traces nothing: startTrace() says so", async () => {
  const { failure } = await explore({
    threads: [faulty.traceItself, faulty.traceItself],
  });
  assertEquals(failure?.kind, "error");
  assertMatch(failure!.error.message, /^Cannot start a trace: .* explore\(\)/);
});

Deno.test("explore refuses bad input", async () => {
  const bad = [
    [undefined, TypeError],
    [{}, TypeError],
    [{ ...unlocked, thread: [] }, TypeError],
    [{ ...unlocked, threads: [] }, RangeError],
    [{ ...unlocked, threads: Array(9).fill(faulty.count) }, RangeError],
    [{ ...unlocked, threads: ["count"] }, TypeError],
    [{ ...unlocked, threads: [() => {}] }, NotSendableError],
    [{ ...unlocked, setup: () => {} }, NotSendableError],
    [{ ...unlocked, check: 5 }, TypeError],
  ] as const;
  for (const [program, error] of bad) {
    await assertRejects(
      () => explore(program as never),
      error,
      "Cannot explore",
    );
  }
  const options = [
    [null, TypeError],
    [5, TypeError],
    [{ depht: 1 }, TypeError],
    [{ preemptions: "1" }, TypeError],
    [{ preemptions: -1 }, RangeError],
    [{ schedules: 0 }, RangeError],
    [{ schedules: 1.5 }, RangeError],
    [{ depth: 0 }, RangeError],
    [{ depth: 33 }, RangeError],
    [{ seed: "x" }, TypeError],
    [{ seed: NaN }, RangeError],
    [{ steps: 0 }, RangeError],
    [{ steps: 2 ** 30 }, RangeError],
    [{ replay: 5 }, TypeError],
    [{ replay: "later" }, RangeError],
  ] as const;
  for (const [given, error] of options) {
    await assertRejects(
      () => explore(unlocked, given as never),
      error,
      "Cannot explore",
    );
  }
});
