import {
  assert,
  assertEquals,
  assertFalse,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  activeCount,
  currentThread,
  enumerate,
  getIdent,
  Lock,
  mainThread,
  NotSendableError,
  sendable,
  setExcepthook,
  Thread,
  ThreadingError,
  threadStates,
} from "../../threading/mod.ts";
import {
  add,
  Awaiting,
  describe,
  describeSelf,
  Failing,
  failing,
  isDaemonsChildDaemon,
  nothing,
  OddError,
  Squarer,
  Unmarked,
  waitFor,
} from "./thread_fixture.ts";

Deno.test("Thread() checks its options", () => {
  const bad = (options: unknown) => () =>
    new Thread(options as Record<string, never>);
  assertThrows(bad({ target: 5 }), TypeError, "target must be a function");
  const target = nothing;
  assertThrows(bad({ target, args: 5 }), TypeError, "args must be an array");
  assertThrows(bad({ args: [1] }), TypeError, "target must be a function");
  assertThrows(bad({ name: 5 }), TypeError, "name must be a string");
});

Deno.test("Thread() without a target does nothing", async () => {
  const thread = new Thread();
  thread.start();
  assertEquals(await thread.join(), undefined);
});

Deno.test("Thread.name is Thread-N unless it is given", () => {
  const [first, second] = [new Thread(), new Thread()];
  assert(/^Thread-\d+$/.test(first.name));
  assertNotEquals(first.name, second.name);
  assertEquals(new Thread({ name: "läuft 🧵" }).name, "läuft 🧵");
  assertEquals(mainThread().name, "MainThread");
});

Deno.test("Thread.start() throws the second time", async () => {
  const thread = new Thread({ target: nothing });
  thread.start();
  assertThrows(() => thread.start(), ThreadingError, "started before");
  await thread.join();
  assertThrows(() => thread.start(), ThreadingError, "started before");
});

Deno.test("Thread.start() throws for what cannot be sent, and may be called again", async () => {
  const plain = () => {};
  assertThrows(() => new Thread({ target: plain }).start(), NotSendableError);
  assertThrows(() => new Unmarked().start(), NotSendableError, "sendable(");
  const lock = new Lock();
  const args: [Lock] = [lock];
  const thread = new Thread({ target: waitFor, args });
  thread.start();
  await thread.join();
  const squarer = new Squarer(2);
  squarer.kept = plain;
  assertThrows(() => squarer.start(), NotSendableError);
  assertFalse(squarer.isAlive());
  assertEquals(squarer.ident, undefined);
  squarer.kept = 1;
  squarer.start();
  await squarer.join();
  assertEquals(squarer.square, 4);
});

Deno.test("Thread.isAlive() is true from start() to the end", async () => {
  const lock = new Lock().acquireSync();
  const thread = new Thread({ target: waitFor, args: [lock] });
  assertFalse(thread.isAlive());
  thread.start();
  assert(thread.isAlive());
  assert(enumerate().includes(thread));
  lock.release();
  await thread.join();
  assertFalse(thread.isAlive());
  assertFalse(enumerate().includes(thread));
});

Deno.test("Thread.ident is unique among living threads", async () => {
  const lock = new Lock().acquireSync();
  const threads = Array.from(
    { length: 5 },
    () => new Thread({ target: waitFor, args: [lock] }),
  );
  for (const thread of threads) {
    assertEquals(thread.ident, undefined);
    thread.start();
  }
  const living = enumerate();
  assertEquals(living.length, activeCount());
  assertEquals(new Set(living.map((t) => t.ident)).size, living.length);
  assertEquals(new Set(living.map((t) => t.nativeId)).size, living.length);
  lock.release();
  for (const thread of threads) await thread.join();
});

Deno.test("currentThread() tells a thread about itself", async () => {
  const thread = new Thread({ target: describe, name: "Ann", daemon: true });
  thread.start();
  const ident = thread.ident;
  const { nativeId, count, ...seen } = await thread.join();
  assertEquals(seen, {
    name: "Ann",
    ident,
    getIdent: ident!,
    daemon: true,
    alive: true,
    main: "MainThread",
    mainIsOther: true,
    listed: true,
  });
  assert(nativeId! > 0);
  assert(count >= 2);
});

Deno.test("currentThread() is the main thread in the main module", () => {
  assertStrictEquals(currentThread(), mainThread());
  assertEquals(getIdent(), mainThread().ident);
  assertEquals(mainThread().nativeId, 0);
  assert(mainThread().isAlive());
  assertFalse(mainThread().daemon);
  assertStrictEquals(enumerate()[0], mainThread());
});

Deno.test("Thread.daemon is inherited unless it is given", async () => {
  for (const daemon of [false, true]) {
    const thread = new Thread({ target: isDaemonsChildDaemon, daemon });
    thread.start();
    assertEquals(await thread.join(), [daemon, false]);
  }
});

Deno.test("Thread subclasses bring their fields back", async () => {
  const squarer = new Squarer(12);
  squarer.shared = new Lock().acquireSync();
  const { shared, steps } = squarer;
  squarer.start();
  assertEquals(await squarer.join(), "squarer");
  assertEquals(squarer.square, 144);
  assertEquals(squarer.steps, ["begun", "ended"]);
  assertEquals(steps, []);
  assertStrictEquals(squarer.shared, shared);
  shared.acquireSync({ timeout: 0 });
});

Deno.test("Thread subclasses bring their fields back when run throws", () => {
  const failing = new Failing();
  failing.start();
  assertThrows(() => failing.joinSync(), OddError, "half-way");
  assertEquals(failing.progress, 50);
});

Deno.test("Thread.run() may return a promise", async () => {
  const awaiting = new Awaiting();
  awaiting.start();
  assertEquals(await awaiting.join(), 7);
});

Deno.test("Thread.run() may be called without a thread", () => {
  assertEquals(new Thread({ target: add, args: [2, 3] }).run(), 5);
});

Deno.test("Thread.start() calls what cannot be sent by its name", () => {
  class Calling extends Thread {
    static {
      sendable(import.meta, this);
    }
    callback = () => {};
  }
  const bad = () => {};
  const cases: [Thread, string][] = [
    [new Thread({ target: bad }), "Cannot send target: a function"],
    [
      new Thread({ target: nothing, args: [1, [bad]] as never }),
      "Cannot send args[1][0]: a function",
    ],
    [new Calling(), "Cannot send this.callback: a function"],
  ];
  for (const [thread, start] of cases) {
    const { message } = assertThrows(() => thread.start(), NotSendableError);
    assertEquals(message.slice(0, start.length), start);
  }
});

Deno.test("activeCount(), enumerate(), threadStates() and isAlive() know of an end when join returns", async () => {
  const others = activeCount();
  const assertGone = (thread: Thread) => {
    assertFalse(thread.isAlive());
    assertEquals(thread.nativeId, undefined);
    assertEquals(activeCount(), others);
    assertEquals(enumerate().length, others);
    assertEquals(threadStates().length, others);
  };
  for (let i = 0; i < 500; i++) {
    const target = i % 3 === 0 ? failing : nothing;
    const thread = new Thread({ target, daemon: i % 5 === 0 }) as Thread;
    setExcepthook(() => {});
    thread.start();
    if (i % 50 === 0) thread.terminate();
    if (i % 2 === 0) await thread.join().catch(() => {});
    else await Promise.try(() => thread.joinSync()).catch(() => {});
    assertGone(thread);
    thread.free();
  }
  setExcepthook(undefined);
});

Deno.test("self is there in a thread, as in the main thread", async () => {
  const thread = new Thread({ target: describeSelf });
  thread.start();
  assertEquals(await thread.join(), describeSelf());
});
