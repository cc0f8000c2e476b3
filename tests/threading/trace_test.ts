import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  Event,
  Lock,
  RLock,
  SharedNumber,
  sleepSync,
  span,
  startTrace,
  Thread,
  ThreadingError,
  threadStates,
} from "../../threading/mod.ts";
import { Queue } from "../../queue/mod.ts";
import { fixture, runDeno } from "./run_program.ts";
import { checkTrace, readTrace, type TraceEvent } from "./trace_format.ts";
import * as threads from "./trace_fixture.ts";

const folder = Deno.makeTempDirSync({ prefix: "skein_trace_" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
let files = 0;
const newPath = () => `${folder}/${++files}.json`;

/** What a trace has whose rules are kept. */
function read(path: string, isWhole = true): Record<string, TraceEvent[]> {
  return checkTrace(readTrace(path, isWhole), isWhole);
}

const named = (events: TraceEvent[], name: string) =>
  events.filter((event) => event.name === name);

/** The number under which a thread stands in a trace. */
function numberOf(by: Record<string, TraceEvent[]>, name: string): number {
  const found = by.M.filter(({ args }) => args?.name === name);
  assertEquals(found.length, 1, name);
  return found[0].tid;
}

Deno.test("startTrace() shows who held a lock, who waited, and who ended that", () => {
  const path = newPath();
  const trace = startTrace({ path });
  const lock = new Lock();
  const ready = new Event();
  const holder = new Thread({
    target: threads.hold,
    args: [lock, ready, 60],
    name: "holder",
  });
  holder.start();
  ready.waitSync();
  const waiter = new Thread({
    target: threads.want,
    args: [lock],
    name: "waiter",
  });
  waiter.start();
  waiter.joinSync();
  holder.joinSync();
  const { lost, events, bytes } = trace.stop();
  assertEquals(lost, 0);
  assertEquals(bytes, Deno.statSync(path).size);
  const by = read(path);
  assertEquals(events, Object.values(by).flat().length);

  const [held] = by.b.filter(({ cat, tid }) =>
    cat === "lock" && tid === numberOf(by, "holder")
  );
  assertEquals(held.args, { by: "holder" });
  const freed = by.e.find(({ name, ts }) => name === held.name && ts > held.ts);
  assert(freed!.ts - held.ts > 50_000, JSON.stringify([held, freed]));

  const wait = by.X.filter(({ cat, tid }) =>
    cat === "wait" && tid === numberOf(by, "waiter")
  );
  // A machine under load may start the waiter too late.
  for (const { name, args } of wait) {
    assertEquals(name, `wait for ${held.name}`);
    assertEquals(args, { by: "holder" });
    const arrows = by.s.filter(({ name }) => name === "wake waiter");
    assertEquals(arrows.map(({ tid }) => tid), [numberOf(by, "holder")]);
  }
  assertEquals(named(by.X, "holding").length, 1);
  assertEquals(named(by.X, "join waiter").length, 1);
  const [life] = named(by.X, "holder");
  assertEquals([life.cat, life.args], ["thread", undefined]);
  assertEquals(named(by.X, "MainThread").length, 1);
});

Deno.test("startTrace() sees holds of locks that nobody waits for, in all forms", async () => {
  const path = newPath();
  const trace = startTrace({ path });
  const locks = [new Lock(), new RLock()];
  for (const lock of locks) {
    lock.acquireSync();
    lock.release();
    using _ = await lock.acquire();
  }
  for (const lock of locks) assert(lock.acquireNowait());
  for (const lock of locks) {
    assertEquals(lock.locked(), true);
    lock.release();
    assertEquals(lock.locked(), false);
  }
  trace.stop();
  const { b } = read(path);
  const counts = Map.groupBy(b, ({ name }) => name);
  assertEquals([...counts].map(([name, { length }]) => [name, length]), [
    ["Lock 1", 3],
    ["RLock 1", 3],
  ]);
});

Deno.test("startTrace() changes nothing about a lock that is held at its start or end", () => {
  const [before, after] = [new Lock(), new Lock()];
  before.acquireSync();
  const path = newPath();
  const trace = startTrace({ path });
  before.release();
  after.acquireSync();
  trace.stop();
  after.release();
  for (const lock of [before, after]) {
    assertEquals(lock.locked(), false);
    assertEquals(lock.acquireNowait(), lock);
    assertThrows(() => lock.acquireSync({ timeout: 1 }), DOMException);
    lock.release();
    assertThrows(() => lock.release(), ThreadingError);
  }
  assertEquals(read(path).b.length, 1);
});

Deno.test("startTrace() twice is an error, in every thread, and harms no file", () => {
  const paths = [newPath(), newPath()];
  using trace = startTrace({ path: paths[0] });
  assertThrows(
    () => startTrace({ path: paths[1] }),
    ThreadingError,
    "another one runs",
  );
  const thread = new Thread({ target: threads.failHere, args: [paths[1]] });
  thread.start();
  assertMatch(String(thread.joinSync()), /another one runs/);
  assertThrows(() => Deno.statSync(paths[1]), Deno.errors.NotFound);
  trace.stop();
  startTrace({ path: paths[1] }).stop();
  paths.forEach((path) => read(path));
});

Deno.test("startTrace() refuses a file that cannot be written, at the call", () => {
  assertThrows(
    () => startTrace({ path: `${folder}/none/here.json` }),
    Deno.errors.NotFound,
  );
  assertThrows(
    () => startTrace({ path: "/not_allowed.json" }),
    Deno.errors.NotCapable,
  );
  const error = assertThrows(() => startTrace({ path: folder }), Error);
  assertMatch(error.message, /^Cannot start a trace: Is a directory/);
  startTrace({ path: newPath() }).stop();
});

Deno.test("startTrace() works from a thread while the main one is blocked", () => {
  const path = newPath();
  const thread = new Thread({ target: threads.traceHere, args: [path] });
  thread.start();
  assertEquals((thread.joinSync() as { lost: number }).lost, 0);
  assertEquals(named(read(path).X, "in a thread").length, 1);
});

Deno.test("startTrace() and stop() again and again while eight threads run", () => {
  const lock = new Lock();
  const stop = new Event();
  const workers = Array.from(
    { length: 8 },
    () => new Thread({ target: threads.busy, args: [lock, stop] }),
  );
  for (const worker of workers) worker.start();
  try {
    for (let round = 0; round < 5; round++) {
      const path = newPath();
      const trace = startTrace({ path });
      sleepSync(30);
      const { lost } = trace.stop();
      if (lost === 0) read(path);
      else readTrace(path);
    }
  } finally {
    stop.set();
    for (const worker of workers) assert(worker.joinSync()! > 0);
  }
  assertEquals(lock.locked(), false);
});

Deno.test("startTrace() has what a thread that was killed had recorded", () => {
  const path = newPath();
  const trace = startTrace({ path });
  const ready = new Event();
  const args = [ready, new SharedNumber(0)] as [Event, SharedNumber];
  const thread = new Thread({ target: threads.spin, args, name: "victim" });
  thread.start();
  ready.waitSync();
  sleepSync(5);
  thread.terminate();
  assertThrows(() => thread.joinSync(), ThreadingError);
  trace.stop();
  const by = read(path);
  assertEquals(named(by.X, "short").length, 100);
  const [endless] = named(by.X, "endless");
  assertEquals(endless.args, { unfinished: true });
  assertEquals(named(by.X, "victim")[0].args, { ended: "failed" });
  assertEquals(named(by.i, "terminate victim").length, 1);
});

Deno.test("startTrace() shows a wait that goes on when it stops", () => {
  const path = newPath();
  const trace = startTrace({ path });
  const [ready, event] = [new Event(), new Event()];
  const thread = new Thread({ target: threads.block, args: [ready, event] });
  thread.start();
  ready.waitSync();
  while (threadStates()[1].waitsFor === undefined) sleepSync(1);
  sleepSync(20);
  trace.stop();
  event.set();
  thread.joinSync();
  const by = read(path);
  const waits = by.X.filter(({ args, cat }) =>
    cat === "wait" && args?.unfinished === true
  );
  assertEquals(waits.length, 1);
  assertEquals(waits[0].tid, numberOf(by, thread.name));
});

Deno.test("startTrace() sees a cancelling, and the waits of tasks", async () => {
  const path = newPath();
  const trace = startTrace({ path });
  const [ready, event] = [new Event(), new Event()];
  const thread = new Thread({
    target: threads.block,
    args: [ready, event],
    name: "asked",
  });
  thread.start();
  await ready.wait();
  await Promise.all([ready.wait(), new Promise((r) => setTimeout(r, 10))]);
  // Behind the cancel, there may be nothing left to wait for.
  const joined = thread.join().catch(() => {});
  thread.cancel();
  await joined;
  trace.stop();
  const by = read(path);
  assertEquals(named(by.i, "cancel asked").length, 1);
  const joins = named(by.b, "join asked");
  assertEquals(joins.map(({ args }) => args), [{ by: "asked" }]);
});

Deno.test("startTrace() is written while the main thread computes", () => {
  const path = newPath();
  const trace = startTrace({ path });
  // More than a ring holds, together.
  const [batches, count] = [4, 4000];
  for (let batch = 1; batch <= batches; batch++) {
    threads.makeSpans(count, 0);
    const until = performance.now() + 30_000;
    while (
      Deno.readTextFileSync(path).split('"one"').length <= batch * count
    ) assert(performance.now() < until, "nobody writes");
  }
  assertEquals(trace.stop().lost, 0);
  assertEquals(named(read(path).X, "one").length, batches * count);
});

Deno.test("startTrace() counts what does not fit, into the rings or the limit", () => {
  const count = 400_000;
  const path = newPath();
  const trace = startTrace({ path, events: ["spans"], limit: 1_000_000 });
  threads.makeSpans(count, 0);
  const { events, lost, bytes } = trace.stop();
  // The names of process and thread, and the end.
  assertEquals(events - 3 + lost, count);
  assert(lost > 0 && bytes > 900_000, `${lost} ${bytes}`);
  assert(bytes <= 1_000_000 && bytes === Deno.statSync(path).size);
  const by = read(path);
  assertEquals(by.M.at(-1)!.args!.lost, lost);
});

Deno.test("startTrace() needs no more memory for more events", () => {
  const path = newPath();
  const trace = startTrace({ path, events: ["spans"] });
  const run = (count: number) => {
    const threads_ = [1, 2].map(() =>
      new Thread({ target: threads.makeSpans, args: [count / 2, 0] })
    );
    for (const thread of threads_) thread.start();
    for (const thread of threads_) thread.joinSync();
    return Deno.memoryUsage().rss;
  };
  const before = run(1_000_000);
  const growth = run(2_000_000) - before;
  const { events, lost } = trace.stop();
  // The names of the process and of five threads, and the end.
  assertEquals(events - 7 + lost, 3_000_000);
  // The cells alone that were recorded meanwhile had 80 MB, as events they have 300.
  assert(growth < 130e6, `${growth} bytes more`);
  assertEquals(readTrace(path).length, events);
});

Deno.test("startTrace() keeps its limit with names of any characters", () => {
  const path = newPath();
  const trace = startTrace({ path, events: ["spans"], limit: 20_000 });
  const name = "\u{1F9F6}".repeat(20);
  for (let i = 0; i < 1000; i++) span(name, () => {});
  const { bytes } = trace.stop();
  assert(bytes > 19_000 && bytes <= 20_000, String(bytes));
  read(path);
});

/** Holds, waits, deliveries, arrows, the life of a thread: whatever has an end. */
async function doOneOfEach(): Promise<void> {
  const [lock, other] = [new Lock(), new Lock()];
  using _ = await other.acquire();
  lock.acquireSync();
  const thread = new Thread({ target: threads.want, args: [lock] });
  thread.start();
  const queue = new Queue<number>();
  queue.putNowait(1);
  using _delivery = queue.receiveNowait();
  const item = queue.get();
  queue.putNowait(2);
  await item;
  sleepSync(1);
  lock.release();
  thread.joinSync();
}

Deno.test("startTrace() ends what it has begun, whatever its limit", async () => {
  const measure = startTrace({ path: newPath() });
  await doOneOfEach();
  const { bytes: all } = measure.stop();
  for (let limit = 800; limit < all + 200; limit += 101) {
    const path = newPath();
    const trace = startTrace({ path, limit });
    await doOneOfEach();
    const { bytes, events } = trace.stop();
    assert(bytes <= limit, `${bytes} of ${limit}`);
    const by = read(path);
    assertEquals(by.b.length, by.e.length);
    assertEquals(by.s.length, by.f.length);
    assertEquals(events, Object.values(by).flat().length);
  }
});

Deno.test("startTrace() records what it is asked for", () => {
  const path = newPath();
  const trace = startTrace({ path, events: ["locks"] });
  const lock = new Lock();
  span("none", () => lock.runSync(() => sleepSync(1)));
  trace.stop();
  const events = readTrace(path);
  assertEquals(events.map(({ ph }) => ph).join(""), "MMbeM");
});

Deno.test("startTrace() has the clocks of threads that began later in step", () => {
  const path = newPath();
  const trace = startTrace({ path });
  for (let i = 0; i < 3; i++) {
    sleepSync(50);
    span(`round ${i}`, () => {
      const thread = new Thread({ target: threads.nothing, name: `late ${i}` });
      thread.start();
      thread.joinSync();
    });
  }
  trace.stop();
  const { X } = read(path);
  for (let i = 0; i < 3; i++) {
    const [round] = named(X, `round ${i}`);
    const [life] = named(X, `late ${i}`);
    const [early, late] = [
      life.ts - round.ts,
      round.ts + round.dur - life.ts - life.dur,
    ];
    // Milliseconds apart they would be of no use.
    assert(early > -1000 && late > -1000, `${early} ${late}`);
  }
});

for (const [name, number] of [["SIGKILL", 9], ["SIGTERM", 15]] as const) {
  Deno.test(`startTrace() leaves a file that can be read when ${name} kills the program`, async () => {
    const path = newPath();
    const program = fixture("trace_program.ts");
    const { code } = await runDeno(["run", "-A", program, name, path]);
    assertEquals(code, 128 + number);
    const by = read(path, false);
    assertEquals(named(by.X, "work").length, 50);
  });
}

for (
  const [name, status] of [["exits", 3], ["fails", 1]] as const
) {
  Deno.test(`startTrace() has everything when the program ${name}`, async () => {
    const path = newPath();
    const program = fixture("trace_program.ts");
    const { code } = await runDeno(["run", "-A", program, name, path]);
    assertEquals(code, status);
    const by = read(path, name === "exits");
    assertEquals(named(by.X, "work").length, 50);
  });
}

Deno.test("startTrace() tells of a full disk, and the program goes on", async () => {
  const program = fixture("trace_program.ts");
  const { code, stdout, stderr } = await runDeno([
    "run",
    "-A",
    program,
    "full",
  ]);
  assertEquals(code, 0, stderr);
  const told = JSON.parse(stdout);
  assertEquals(told.isLost, true);
  assertMatch(told.error, /No space left/);
  assertStringIncludes(stderr, "The trace can no longer be written");
  assertEquals(stderr.trim().split("\n").length, 1, stderr);
});

Deno.test("startTrace() makes do with a small heap", async () => {
  const path = newPath();
  const { code, stdout, stderr } = await runDeno([
    "run",
    "-A",
    fixture("trace_program.ts"),
    "small",
    path,
  ], { env: { SKEIN_HEAP_MIB: "2" } });
  assertEquals([code, stdout.trim()], [0, "0"], stderr);
  assertEquals(named(read(path).X, "small").length, 1);
});

Deno.test("SKEIN_TRACE traces a program as it is, but none that it starts", async () => {
  const path = newPath();
  const { code, stdout, stderr } = await runDeno([
    "eval",
    `import { span } from "${new URL(
      "../../threading/mod.ts",
      import.meta.url,
    )}";
    span("a whole program", () => {});
    console.log(Deno.env.get("SKEIN_TRACE"));`,
  ], { env: { SKEIN_TRACE: path } });
  assertEquals([code, stdout.trim()], [0, "undefined"], stderr);
  assertEquals(named(read(path).X, "a whole program").length, 1);
});

Deno.test("startTrace() in a program that is traced as a whole says why it cannot", async () => {
  const paths = [newPath(), newPath()];
  const program = fixture("trace_program.ts");
  const { code, stdout, stderr } = await runDeno(
    ["run", "-A", program, "twice", paths[0]],
    { env: { SKEIN_TRACE: paths[1] } },
  );
  assertEquals(code, 0, stderr);
  assertMatch(
    stdout,
    /^ThreadingError: Cannot start a trace: the whole program is traced, as SKEIN_TRACE /,
  );
  assertThrows(() => Deno.statSync(paths[0]), Deno.errors.NotFound);
  read(paths[1]);
});

Deno.test("span() gives what the function gives, traced or not", async () => {
  const error = new RangeError("as it should");
  const check = async () => {
    assertEquals(span("sync", () => 1), 1);
    assertEquals(await span("async", async () => await 2), 2);
    assertThrows(() =>
      span("throws", () => {
        throw error;
      }), RangeError);
    const failed = span("rejects", () => Promise.reject(error));
    assertEquals(await failed.catch((reason) => reason), error);
    {
      using _ = span("block");
      using __ = span("inner");
    }
    using later = span("over an await");
    await new Promise((resolve) => setTimeout(resolve, 1));
    later[Symbol.dispose]();
  };
  await check();
  const path = newPath();
  const trace = startTrace({ path });
  await check();
  trace.stop();
  await check();
  const by = read(path);
  const spans = [...by.X, ...by.b].filter(({ cat }) => cat === "span");
  assertEquals(spans.map(({ ph, name }) => `${ph} ${name}`), [
    "X sync",
    "X throws",
    "X inner",
    "X block",
    "b async",
    "b rejects",
    "b over an await",
  ]);
});

Deno.test("span() of tasks that overlap keeps them apart from each other", async () => {
  const path = newPath();
  const trace = startTrace({ path });
  const nap = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await Promise.all([
    span("one", () => nap(5)),
    (async () => {
      using _ = span("two");
      await nap(2);
      span("within", () => sleepSync(1));
      await nap(6);
    })(),
  ]);
  trace.stop();
  const by = read(path);
  const spans = by.b.filter(({ cat }) => cat === "span");
  assertEquals(spans.map(({ name }) => name).sort(), ["one", "two"]);
  assertEquals(named(by.X, "within").length, 1);
});

Deno.test("span() cuts long names and takes any character", () => {
  const path = newPath();
  const trace = startTrace({ path });
  const names = ["", '\u{1F9F6} "wool"\n', "x".repeat(1000)];
  for (const name of names) span(name, () => {});
  trace.stop();
  const events = readTrace(path).filter(({ cat }) => cat === "span");
  assertEquals(events.map(({ name }) => name), [
    ...names.slice(0, 2),
    "x".repeat(200),
  ]);
});
