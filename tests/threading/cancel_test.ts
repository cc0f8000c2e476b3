import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { delay } from "@std/async";
import {
  Condition,
  currentThread,
  isTimeout,
  Lock,
  mainThread,
  NotSendableError,
  OwnerDiedError,
  RLock,
  Semaphore,
  setExcepthook,
  SharedList,
  sleepSync,
  Thread,
  ThreadingError,
  threadStates,
  Timer,
} from "../../threading/mod.ts";
import {
  aside,
  callLate,
  cancelOther,
  cancelSelf,
  compute,
  free,
  goOn,
  hold,
  holdSix,
  listen,
  make,
  notified,
  Place,
  readSignal,
  ready,
  report,
  rethrow,
  shielded,
  stay,
  Stop,
  wait,
  waits,
  Worker,
} from "./cancel_fixture.ts";
import { LOADING, run } from "./cancel_loading_fixture.ts";
import { echo } from "./death_fixture.ts";

const TIMEOUT = 60_000;

/** What the excepthook was told, which is to be nothing. */
const told: unknown[] = [];
setExcepthook(({ error }) => void told.push(error));

/** Everything that somebody could wait for is held. */
function heldPlace(): { place: Place; letGo: () => void } {
  const place = new Place();
  place.lock.acquireSync();
  place.rlock.acquireSync();
  place.gil.acquireSync();
  const writer = place.rwLock.acquireWriteSync();
  const { promise, resolve } = Promise.withResolvers<number>();
  place.map.getOrCreate("key", () => promise);
  return {
    place,
    letGo() {
      place.lock.release();
      place.rlock.release();
      place.gil.release();
      writer.release();
      resolve(1);
    },
  };
}

async function untilWaiting(thread: Thread, place: Place): Promise<void> {
  await place.ready.wait({ timeout: TIMEOUT });
  const { ident } = thread;
  // Those that wait in the promise form are in their event loop soon.
  for (let i = 0; i < 20; i++) {
    const state = threadStates().find((state) => state.ident === ident)?.state;
    if (state === "waiting") return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

for (const name of Object.keys(waits)) {
  Deno.test(`Thread.cancel() ends ${name}()`, async () => {
    const { place, letGo } = heldPlace();
    const thread = new Thread({ target: wait, args: [place, name] });
    thread.start();
    await untilWaiting(thread, place);
    thread.cancel(new RangeError(name));
    const error = assertThrows(
      () => thread.joinSync({ timeout: TIMEOUT }),
      RangeError,
    );
    assertEquals(error.message, name);
    assertEquals(told.splice(0), []);
    // As if it had never been called: nobody is in line, nothing is broken.
    assertEquals(place.barrier.nWaiting(), 0);
    assert(!place.barrier.broken());
    assert(!place.condition.locked());
    letGo();
    for (const lock of [place.lock, place.rlock, place.gil]) {
      lock.acquireSync({ timeout: TIMEOUT }).release();
    }
    place.rwLock.acquireWriteSync({ timeout: TIMEOUT }).release();
    place.semaphore.release();
    assert(place.semaphore.acquireNowait());
    assertEquals(await place.map.getOrCreate("key", () => 2), 1);
    place.condition.acquireSync().release();
    place.reentrant.acquireSync().release();
  });
}

/** What lets a wait go on, as soon as it has been cancelled. */
const grants: Record<string, (place: Place) => void> = {
  Lock: ({ lock }) => lock.release(),
  RLock: ({ rlock }) => rlock.release(),
  InterpreterLock: ({ gil }) => gil.release(),
  Semaphore: ({ semaphore }) => semaphore.release(),
  Event: ({ event }) => event.set(),
  Condition: ({ condition, reentrant }) => {
    for (const each of [condition, reentrant]) {
      using _ = each.acquireSync();
      each.notifyAll();
    }
  },
};

for (const name of Object.keys(waits)) {
  const grant = grants[name.split(".")[0]];
  if (grant === undefined) continue;
  Deno.test(`Thread.cancel() ends ${name}(), and what it is given goes on`, async () => {
    const { place } = heldPlace();
    for (let i = 0; i < 5; i++) {
      place.ready.clear();
      const thread = new Thread({ target: wait, args: [place, name] });
      thread.start();
      await untilWaiting(thread, place);
      thread.cancel(new RangeError(name));
      // It may not have noticed yet.
      grant(place);
      assertThrows(
        () => thread.joinSync({ timeout: TIMEOUT }),
        RangeError,
        name,
      );
      place.event.clear();
      assert(!place.lock.locked() || !name.startsWith("Lock"));
      if (name.startsWith("Lock")) place.lock.acquireSync();
      if (name.startsWith("RLock")) place.rlock.acquireSync();
      if (name.startsWith("Interp")) place.gil.acquireSync();
      if (name.startsWith("Sema")) assert(place.semaphore.acquireNowait());
    }
    assertEquals(told.splice(0), []);
  });
}

for (const name of Object.keys(ready)) {
  Deno.test(`Thread.cancel() makes ${name}() throw that need not wait`, () => {
    const place = new Place();
    const ended = new Thread();
    ended.start();
    ended.joinSync();
    place.thread = ended;
    const thread = new Thread({
      target: callLate,
      args: [place, "ready", name],
    });
    thread.start();
    place.ready.waitSync({ timeout: TIMEOUT });
    thread.cancel(new RangeError(name));
    assertThrows(() => thread.joinSync({ timeout: TIMEOUT }), RangeError, name);
    assertEquals(told.splice(0), []);
  });
}

for (const name of Object.keys(free)) {
  Deno.test(`Thread.cancel() lets ${name}() go on`, () => {
    const place = new Place();
    const thread = new Thread({
      target: callLate,
      args: [place, "free", name],
    });
    thread.start();
    place.ready.waitSync({ timeout: TIMEOUT });
    thread.cancel();
    assertEquals(thread.joinSync({ timeout: TIMEOUT }), "went on");
  });
}

async function started(
  target: (...args: never[]) => unknown,
  place: Place,
  ...args: unknown[]
): Promise<Thread> {
  const thread = new Thread({ target, args: [place, ...args] } as never);
  thread.start();
  await place.ready.wait({ timeout: TIMEOUT });
  return thread as Thread;
}

function assertEndsWith(thread: Thread, message: string): void {
  const error = assertThrows(
    () => thread.joinSync({ timeout: TIMEOUT }),
    Error,
    message,
  );
  assert(!thread.isAlive());
  assert(!isTimeout(error));
}

Deno.test("Thread.cancel() before start() keeps run from being called", async () => {
  const place = new Place();
  const thread = new Thread({ target: wait, args: [place, "Event.waitSync"] });
  thread.cancel(new RangeError("before"));
  assert(!thread.isAlive());
  assertThrows(() => thread.joinSync(), ThreadingError, "not started");
  thread.start();
  assertEndsWith(thread, "before");
  await assertRejects(() => thread.join(), RangeError, "before");
  assert(!place.ready.isSet());
  assertThrows(() => thread.start(), ThreadingError, "started before");
  const worker = new Worker(place);
  worker.cancel();
  worker.start();
  const error = assertThrows(() => worker.joinSync(), DOMException);
  assertEquals(error.name, "AbortError");
  assertStringIncludes(error.message, worker.name);
  assertEquals(worker.steps, 0);
  assertEquals(told.splice(0), []);
});

Deno.test("Thread.cancel() does nothing after the end", () => {
  const thread = new Thread({ target: echo, args: [1] });
  thread.start();
  assertEquals(thread.joinSync(), 1);
  thread.cancel(new RangeError("late"), { grace: 0 });
  assertEquals(thread.joinSync(), 1);
  assertThrows(() => thread.cancel(() => {}), NotSendableError);
});

Deno.test("Thread.cancel() can be called by the thread itself; the first reason counts", () => {
  const place = new Place();
  const thread = new Thread({ target: cancelSelf, args: [place] });
  thread.start();
  assertEndsWith(thread, "myself");
  assertEquals([...place.log], ["goes on"]);
});

Deno.test("Thread.cancel() counts the first of two reasons", async () => {
  const place = new Place();
  const thread = await started(report, place);
  thread.cancel(new RangeError("first"));
  thread.cancel(new TypeError("second"));
  assertEquals(thread.joinSync({ timeout: TIMEOUT }), "RangeError: first");
});

Deno.test("Thread.cancel() takes any reason that can be sent", async () => {
  for (const reason of [null, 0, "text", { code: 7 }, new Stop("now")]) {
    const place = new Place();
    const thread = await started(wait, place, "Event.waitSync");
    thread.cancel(reason);
    try {
      thread.joinSync({ timeout: TIMEOUT });
      fail("join returned");
    } catch (error) {
      assertEquals(error, reason);
      assertEquals(error instanceof Stop, reason instanceof Stop);
    }
  }
  assertEquals(told.splice(0), []);
});

Deno.test("Thread.cancel() refuses a reason that cannot be sent, and changes nothing", async () => {
  const place = new Place();
  const thread = await started(report, place);
  assertThrows(() => thread.cancel(() => {}), NotSendableError);
  assertThrows(() => thread.cancel(1, { grace: -1 }), RangeError);
  place.event.set();
  assertEquals(thread.joinSync({ timeout: TIMEOUT }), "went on");
  assertThrows(() => mainThread().cancel(), ThreadingError, "main thread");
});

Deno.test("Thread.cancel() while a module is being loaded keeps run from being called", async () => {
  // The worker of the first ends with it, so the other loads the module, too.
  for (const name of ["waits", "computes"]) {
    const log = new SharedList<string>();
    Deno.env.delete(LOADING);
    const thread = new Thread({ target: run, args: [log], name });
    thread.start();
    while (Deno.env.get(LOADING) !== name) await delay(5);
    thread.cancel(new RangeError(name));
    assertEndsWith(thread, name);
    assertEquals([...log], []);
    // It is one of the process: what other tests start would get it.
    Deno.env.delete(LOADING);
  }
  assertEquals(told.splice(0), []);
});

Deno.test("Thread.cancel() releases what `using` holds, and poisons what is left", async () => {
  for (const how of ["using", "await using", "bare"] as const) {
    const place = new Place();
    const locks = [
      new Lock(),
      new RLock(),
      new Lock(),
      new Condition(),
      new Semaphore(),
    ] as const;
    const thread = new Thread({ target: hold, args: [[...locks], place, how] });
    thread.start();
    await place.ready.wait({ timeout: TIMEOUT });
    assert(locks[0].locked());
    thread.cancel(new RangeError(how));
    assertEndsWith(thread, how);
    if (how === "bare") {
      assertThrows(() => locks[0].acquireSync(), OwnerDiedError, thread.name);
      locks[0].recover();
    }
    for (const lock of locks) lock.acquireSync({ timeout: TIMEOUT });
    assertEquals(locks.map((lock) => lock.locked()), locks.map(() => true));
  }
});

Deno.test("Thread.cancel() poisons the one of six locks that no `using` holds", async () => {
  for (const bare of [new Lock(), new RLock()]) {
    const place = new Place();
    const locks = Array.from({ length: 5 }, () => new Lock());
    const thread = new Thread({ target: holdSix, args: [locks, bare, place] });
    thread.start();
    await place.ready.wait({ timeout: TIMEOUT });
    assert([...locks, bare].every((lock) => lock.locked()));
    // Somebody waits already.
    const waits = [locks[2], bare].map((lock) =>
      lock.acquire({ timeout: TIMEOUT }).catch((error) => error)
    );
    thread.cancel(new RangeError("six"));
    assertEndsWith(thread, "six");
    const [taken, refused] = await Promise.all(waits);
    assertEquals(taken, locks[2]);
    assert(refused instanceof OwnerDiedError, String(refused));
    for (const lock of locks) {
      if (lock !== locks[2]) lock.acquireSync({ timeout: TIMEOUT });
    }
    bare.recover();
    bare.acquireSync().release();
  }
  assertEquals(told.splice(0), []);
});

Deno.test("Thread.cancel() does not stop a thread that computes without a wait", async () => {
  const place = new Place();
  const thread = await started(goOn, place);
  thread.cancel(new RangeError("unheard"));
  await delay(50);
  assert(thread.isAlive());
  place.event.set();
  assert(thread.joinSync({ timeout: TIMEOUT }) as number > 0);
});

Deno.test("Thread.cancel() in the make of getOrCreate gives the next one its turn", async () => {
  for (const sync of [true, false]) {
    const place = new Place();
    const thread = await started(make, place, sync);
    const other = place.map.getOrCreate("made", () => 2);
    thread.cancel(new RangeError("make"));
    assertEndsWith(thread, "make");
    assertEquals(await other, 2);
  }
});

Deno.test("shield() goes on in a cancelled thread, in both forms and nested", async () => {
  const place = new Place();
  const thread = await started(shielded, place);
  thread.cancel(new RangeError("stop"));
  await delay(20);
  assert(thread.isAlive());
  place.event.set();
  assertEndsWith(thread, "stop");
  assertEquals([...place.log], ["sync", "async"]);
});

Deno.test("Thread.cancel() has allowThreads take its lock again before it throws", async () => {
  const place = new Place();
  const thread = await started(aside, place);
  using _ = await place.gil.acquire({ timeout: TIMEOUT });
  thread.cancel(new RangeError("aside"));
  await delay(20);
  assert(thread.isAlive());
  place.gil.release();
  assertEndsWith(thread, "aside");
  assertEquals([...place.log], [true]);
  place.gil.acquireSync();
});

Deno.test("Thread.cancel() in Condition.waitSync() lets the notification go on", () => {
  const place = new Place();
  const { condition, log } = place;
  const threads = [1, 2].map(() =>
    new Thread({ target: notified, args: [place] })
  );
  for (const thread of threads) {
    thread.start();
    const before = threads.indexOf(thread);
    while (log.length() === before) sleepSync(1);
  }
  condition.acquireSync();
  // Both are in line. The first is notified and cancelled before it has the lock.
  condition.notify();
  threads[0].cancel(new RangeError("stop"));
  condition.release();
  assertEndsWith(threads[0], "stop");
  assertEquals(threads[1].joinSync({ timeout: TIMEOUT }), "notified");
});

Deno.test("checkCancelled() and the signal end a thread that computes", async () => {
  for (const how of ["check", "signal"] as const) {
    const place = new Place();
    const thread = await started(compute, place, how);
    thread.cancel(new RangeError(how));
    assertEndsWith(thread, how);
  }
});

Deno.test("Thread.signal tells an idle event loop, and nobody but the thread", async () => {
  const place = new Place();
  const thread = await started(listen, place);
  assertThrows(() => thread.signal, ThreadingError, "for code of that thread");
  thread.cancel("enough");
  assertEquals(thread.joinSync({ timeout: TIMEOUT }), "enough");
  const { signal } = currentThread();
  assert(signal instanceof AbortSignal);
  assert(!signal.aborted);
  const other = new Thread({ target: readSignal, args: [mainThread()] });
  other.start();
  assertEquals(other.joinSync(), "ThreadingError");
});

Deno.test("Thread passes other errors of a cancelled thread on to the excepthook", async () => {
  const place = new Place();
  const thread = await started(rethrow, place);
  thread.cancel(new RangeError("stop"));
  assertEndsWith(thread, "another one");
  while (told.length === 0) await delay(1);
  assertEquals(told.splice(0).map(String), ["TypeError: another one"]);
});

Deno.test("new Thread() takes a signal that cancels it", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const place = new Place();
  const thread = new Thread({
    target: wait,
    args: [place, "Event.waitSync"],
    signal,
  });
  const worker = new Worker(new Place(), { signal });
  thread.start();
  worker.start();
  await place.ready.wait({ timeout: TIMEOUT });
  controller.abort(new RangeError("abort"));
  await assertRejects(() => thread.join({ timeout: TIMEOUT }), RangeError);
  await assertRejects(() => worker.join({ timeout: TIMEOUT }), RangeError);
  assert(worker.steps < 2);
});

Deno.test("new Thread() with a signal aborted before start() does not run", () => {
  const place = new Place();
  const make = (signal: AbortSignal) =>
    new Thread({ target: wait, args: [place, "Event.waitSync"], signal });
  const controller = new AbortController();
  const thread = make(controller.signal);
  controller.abort(new RangeError("early"));
  thread.start();
  assertEndsWith(thread, "early");
  const late = make(AbortSignal.abort());
  late.start();
  const error = assertThrows(() => late.joinSync(), DOMException);
  assertEquals(error.name, "AbortError");
  // What cannot be sent is told as an AbortError.
  const odd = make(AbortSignal.abort(() => {}));
  odd.start();
  assertThrows(() => odd.joinSync(), DOMException, "cancelled");
  assert(!place.ready.isSet());
});

Deno.test("new Thread() does not hold on to ended threads by their signal", async () => {
  const controller = new AbortController();
  for (let i = 0; i < 40; i++) {
    const thread = new Thread({
      target: echo,
      args: [i],
      signal: controller.signal,
    });
    thread.start();
    assertEquals(await thread.join(), i);
  }
  controller.abort();
});

Deno.test("Thread.cancel() terminates after the grace, whoever asked", async () => {
  // The canceller blocks; a thread that computes never finds out by itself.
  const busy = await started(compute, new Place(), "never");
  busy.cancel(undefined, { grace: 50 });
  assertEndsWith(busy, "was terminated");
  // It has ended, and the main thread is in its event loop.
  for (const blocks of [false, true]) {
    const place = new Place();
    const staying = await started(stay, place);
    const canceller = new Thread({
      target: cancelOther,
      args: [staying, place, blocks],
    });
    canceller.start();
    await assertRejects(
      () => staying.join({ timeout: TIMEOUT }),
      ThreadingError,
      "was terminated",
    );
    place.event.set();
    canceller.joinSync({ timeout: TIMEOUT });
  }
  // One that waits in a shield ends by itself while the main thread computes.
  const place = new Place();
  const alone = await started(stay, place);
  alone.cancel(undefined, { grace: 30 });
  const end = performance.now() + 20_000;
  while (alone.isAlive() && performance.now() < end);
  assert(!alone.isAlive());
});

Deno.test("Thread.cancel() terminates nobody who ends within the grace", async () => {
  const place = new Place();
  const thread = await started(report, place);
  thread.cancel(new RangeError("in time"), { grace: 10_000 });
  assertEquals(thread.joinSync({ timeout: TIMEOUT }), "RangeError: in time");
  // The next thread of the worker is not its heir.
  const next = await started(report, new Place());
  assert(next.isAlive());
  next.cancel(undefined, { grace: Infinity });
  assertStringIncludes(String(next.joinSync()), "AbortError");
});

Deno.test("Timer.cancel() with a reason cancels it like any thread", () => {
  const make = () => new Timer(600_000, echo, [1]);
  const timer = make();
  timer.start();
  timer.cancel();
  assertEquals(timer.joinSync({ timeout: TIMEOUT }), undefined);
  const other = make();
  other.start();
  other.cancel(new DOMException("no time", "TimeoutError"));
  assertThrows(
    () => other.joinSync({ timeout: TIMEOUT }),
    DOMException,
    "no time",
  );
});
