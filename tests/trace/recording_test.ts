import { assert, assertEquals, assertThrows } from "@std/assert";
import { ThreadPool } from "../../pool/mod.ts";
import { Queue, select, selectSync } from "../../queue/mod.ts";
import {
  Event,
  Lock,
  RwLock,
  setExcepthook,
  SharedMap,
  SharedNumber,
  sleepSync,
  startTrace,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import {
  checkTrace,
  readTrace,
  type TraceEvent,
} from "../threading/trace_format.ts";
import * as threads from "./recording_fixture.ts";

const path = Deno.makeTempFileSync({ prefix: "skein_trace_" });
addEventListener("unload", () => Deno.removeSync(path));

type Events = Record<string, TraceEvent[]>;

const read = (): Events => checkTrace(readTrace(path));

const named = (events: TraceEvent[], name: string) =>
  events.filter((event) => event.name === name);

function numberOf({ M }: Events, name: string): number {
  return M.find(({ args }) => args?.name === name)!.tid;
}

/** What went on under a name, beside other things: who, how long, and how. */
function tracks({ b, e }: Events, name: string) {
  return named(b, name).map((begin) => {
    const end = e.find(({ id, cat, ts }) =>
      id === begin.id && cat === begin.cat && ts >= begin.ts
    )!;
    const { ts, tid, args } = begin;
    return { tid, from: ts, to: end.ts, args: { ...args, ...end.args } };
  });
}

Deno.test("startTrace() shows who reads and who writes under an RwLock", async () => {
  const trace = startTrace({ path });
  const lock = new RwLock();
  const [ready, wanted, end] = [new Event(), new Event(), new Event()];
  const reader = new Thread({
    target: threads.read,
    args: [lock, ready, end],
    name: "reader",
  });
  reader.start();
  ready.waitSync();
  lock.acquireReadSync().release();
  const writer = new Thread({
    target: threads.write,
    args: [lock, wanted],
    name: "writer",
  });
  writer.start();
  wanted.waitSync();
  threads.awaitWaiting(lock);
  end.set();
  for (const thread of [reader, writer]) thread.joinSync();
  using guard = await lock.acquireWrite();
  guard.downgrade();
  guard.release();
  trace.stop();
  const by = read();
  const holds = tracks(by, "RwLock 1");
  assertEquals(holds.map(({ args }) => args.by), [
    "reader",
    "reader",
    "MainThread",
    "writer",
    "MainThread",
    "MainThread",
  ]);
  const [first, second, main, written, last, downgraded] = holds;
  assert(main.from > second.from && main.to < first.to);
  assert(written.from >= first.to && written.from >= second.to);
  assertEquals(last.to <= downgraded.from, true);
  const [wait] = named(by.X, "wait for RwLock 1");
  assertEquals(wait.tid, numberOf(by, "writer"));
  assertEquals(wait.args, { by: "reader" });
});

Deno.test("startTrace() ends what a reader had that was killed", () => {
  const trace = startTrace({ path });
  const lock = new RwLock();
  const [ready, end] = [new Event(), new Event()];
  const thread = new Thread({
    target: threads.read,
    args: [lock, ready, end],
    name: "victim",
  });
  thread.start();
  ready.waitSync();
  thread.terminate();
  assertThrows(() => thread.joinSync(), ThreadingError);
  lock.acquireWriteSync().release();
  trace.stop();
  const holds = tracks(read(), "RwLock 1");
  assertEquals(holds.map(({ args }) => args.by), [
    "victim",
    "victim",
    "MainThread",
  ]);
  assert(holds[2].from >= holds[0].to);
});

Deno.test("startTrace() has nothing of a thread that was killed in the trace before", () => {
  let trace = startTrace({ path });
  const ready = new Event();
  const thread = new Thread({
    target: threads.spin,
    args: [ready, new SharedNumber(0)] as [Event, SharedNumber],
  });
  thread.start();
  ready.waitSync();
  thread.terminate();
  assertThrows(() => thread.joinSync(), ThreadingError);
  trace.stop();
  trace = startTrace({ path });
  trace.stop();
  const by = read();
  assertEquals(by.X.map(({ name }) => name), ["MainThread"]);
});

Deno.test("startTrace() shows who makes the value of a key of a SharedMap", () => {
  const trace = startTrace({ path });
  const map = new SharedMap<string, number>();
  const ready = new Event();
  const maker = new Thread({
    target: threads.make,
    args: [map, ready],
    name: "maker",
  });
  maker.start();
  ready.waitSync();
  assertEquals(map.getOrCreateSync("key", () => 2), 1);
  map.update("key", (value) => value! + 1);
  maker.joinSync();
  trace.stop();
  const by = read();
  const holds = tracks(by, "SharedMap 1");
  assertEquals(holds.map(({ args }) => args.by), ["maker", "MainThread"]);
  const [wait] = named(by.X, "wait for SharedMap 1");
  assertEquals(wait.args, { by: "maker" });
  assert(holds[0].from < wait.ts && wait.ts < holds[0].to);
});

Deno.test("startTrace() shows deliveries, and how each ended", () => {
  const trace = startTrace({ path });
  const queue = new Queue<number>();
  queue.putMany([1, 2, 3]);
  queue.receiveSync().ack();
  queue.receiveSync().nak();
  {
    using _ = queue.receiveSync();
  }
  const ready = new Event();
  const thread = new Thread({
    target: threads.receive,
    args: [queue, 2, ready],
    name: "consumer",
  });
  thread.start();
  assertEquals(thread.joinSync(), 2);
  assertEquals(queue.qsize(), 2);
  trace.stop();
  const by = read();
  const [main, consumer] = [
    numberOf(by, "MainThread"),
    numberOf(by, "consumer"),
  ];
  assertEquals(
    tracks(by, "item of Queue 1").map(({ tid, args }) => [tid, args]),
    [
      [main, { deliveries: 1, end: "ack" }],
      [main, { deliveries: 1, end: "nak" }],
      [main, { deliveries: 2, end: "nak" }],
      [consumer, { deliveries: 3, end: "death" }],
      [consumer, { deliveries: 1, end: "death" }],
    ],
  );
});

Deno.test("startTrace() shows the deaths of threads, and who killed them", () => {
  const trace = startTrace({ path });
  const ready = new Event();
  const victim = new Thread({
    target: threads.spin,
    args: [ready, new SharedNumber(0)] as [Event, SharedNumber],
    name: "victim",
  });
  victim.start();
  ready.waitSync();
  victim.terminate();
  assertThrows(() => victim.joinSync(), ThreadingError);
  setExcepthook(() => {});
  const failing = new Thread({ target: threads.fail, name: "failing" });
  failing.start();
  assertThrows(() => failing.joinSync(), Error, "as it should");
  setExcepthook(undefined);
  trace.stop();
  const by = read();
  assertEquals(named(by.i, "death of victim").length, 1);
  assertEquals(named(by.i, "death of failing").length, 1);
  const [arrow] = named(by.s, "terminate victim");
  assertEquals(arrow.tid, numberOf(by, "MainThread"));
  assertEquals(named(by.f, "terminate victim").map(({ tid }) => tid), [
    numberOf(by, "victim"),
  ]);
  assertEquals(named(by.s, "terminate failing"), []);
});

for (const target of [threads.wait, threads.read]) {
  const form = target === threads.wait ? "promise" : "blocking";
  Deno.test(`startTrace() shows which wait was cancelled in the ${form} form, and by whom`, async () => {
    const trace = startTrace({ path });
    const [ready, event] = [new Event(), new Event()];
    const thread = target === threads.wait
      ? new Thread({ target, args: [ready, event], name: "asked" })
      : new Thread({
        target: threads.read,
        args: [new RwLock(), ready, event],
        name: "asked",
      });
    thread.start();
    ready.waitSync();
    threads.awaitWaiting(event);
    const joined = thread.join().catch(() => {});
    thread.cancel();
    await joined;
    trace.stop();
    const by = read();
    const [main, asked] = ["MainThread", "asked"].map((name) =>
      numberOf(by, name)
    );
    const all = form === "promise" ? by.b : by.X;
    const waits = all.filter(({ cat, tid }) => cat === "wait" && tid === asked);
    assertEquals(waits.map(({ args }) => args), [{ ended: "cancelled" }]);
    assertEquals(named(by.i, "cancel asked").map(({ tid }) => tid), [main]);
    assertEquals(named(by.s, "cancel asked").map(({ tid }) => tid), [main]);
    assertEquals(named(by.f, "cancel asked").map(({ tid }) => tid), [asked]);
  });
}

Deno.test("startTrace() shows who cancelled a task", async () => {
  await using pool = new ThreadPool({ size: 1, name: "worker" });
  const trace = startTrace({ path });
  const [ready, event] = [new Event(), new Event()];
  const future = await pool.submit(threads.wait, [ready, event]);
  const pending = await pool.submit(threads.wait, [ready, event]);
  await ready.wait();
  pending.cancel();
  future.cancel();
  for (const each of [future, pending]) await each.result().catch(() => {});
  trace.stop();
  const by = read();
  const [main, worker] = ["MainThread", "worker-1"].map((name) =>
    numberOf(by, name)
  );
  assertEquals(
    by.i.map(({ name, tid }) => [name, tid]),
    [["cancel Future 1", main], ["cancel Future 2", main]],
  );
  assertEquals(named(by.s, "cancel worker-1").map(({ tid }) => tid), [main]);
  assertEquals(named(by.f, "cancel worker-1").map(({ tid }) => tid), [worker]);
});

Deno.test("startTrace() has an arrow to what awaited", async () => {
  const trace = startTrace({ path });
  const event = new Event();
  const waited = event.wait();
  const thread = new Thread({
    target: threads.set,
    args: [event],
    name: "setter",
  });
  thread.start();
  await waited;
  thread.joinSync();
  trace.stop();
  const by = read();
  const [wait] = tracks(by, "wait for Event 1");
  assertEquals(wait.args, { by: "setter" });
  const [main, setter] = ["MainThread", "setter"].map((name) =>
    numberOf(by, name)
  );
  const [begin] = by.s.filter(({ name, tid }) =>
    name === "wake MainThread" && tid === setter
  );
  const end = by.f.find(({ id }) => id === begin.id)!;
  assertEquals([end.tid, end.ts], [main, wait.to]);
});

for (const form of ["promise", "blocking"]) {
  Deno.test(`startTrace() has selections in the ${form} form`, async () => {
    const trace = startTrace({ path });
    const [event, never] = [new Event(), new Event()];
    const thread = new Thread({
      target: threads.set,
      args: [event],
      name: "setter",
    });
    const cases = [never, event] as const;
    const selected = form === "promise" ? select(cases) : undefined;
    thread.start();
    const { index } = await selected ?? selectSync(cases);
    assertEquals(index, 1);
    thread.joinSync();
    trace.stop();
    const by = read();
    const [wait] = form === "promise"
      ? tracks(by, "select")
      : named(by.X, "select");
    assertEquals(wait.args, { by: "setter" });
    assertEquals(
      named(by.s, "wake MainThread").some(({ tid }) =>
        tid === numberOf(by, "setter")
      ),
      true,
    );
  });
}

Deno.test("startTrace() has a selection that goes on, or was cancelled", async () => {
  const trace = startTrace({ path });
  const [ready, never] = [new Event(), new Event()];
  const asked = new Thread({
    target: threads.selectOf,
    args: [ready, never],
    name: "asked",
  });
  const blocked = new Thread({
    target: threads.selectSyncOf,
    args: [ready, never],
    name: "blocked",
  });
  for (const thread of [asked, blocked]) {
    thread.start();
    ready.waitSync();
    ready.clear();
  }
  threads.awaitWaiting(never, 2);
  sleepSync(20);
  asked.cancel();
  await asked.join().catch(() => {});
  trace.stop();
  blocked.cancel();
  await blocked.join().catch(() => {});
  const by = read();
  assertEquals(tracks(by, "select").map(({ args }) => args), [
    { ended: "cancelled" },
  ]);
  assertEquals(
    named(by.X, "select").map(({ tid, args }) => [tid, args]),
    [[numberOf(by, "blocked"), { unfinished: true }]],
  );
});

Deno.test("startTrace() without threads has arrows and names all the same", async () => {
  const trace = startTrace({ path, events: ["waits", "locks"] });
  const [event, lock] = [new Event(), new Lock()];
  const waited = event.wait();
  const thread = new Thread({ target: threads.set, args: [event] });
  thread.start();
  using _ = await lock.acquire();
  await waited;
  thread.joinSync();
  trace.stop();
  const by = read();
  assertEquals(by.X.filter(({ cat }) => cat === "thread"), []);
  assert(by.s.length > 0);
});
