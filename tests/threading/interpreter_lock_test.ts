import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Event,
  OwnerDiedError,
  Semaphore,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { InterpreterLock } from "../../threading/sync/interpreter_lock.ts";
import { SharedArray } from "../../threading/shared/numbers.ts";
import { sleepSync } from "../../threading/current_thread.ts";
import {
  blockBehindOwnTask,
  count,
  countAsync,
  holdAndReturn,
  holdUntil,
  sign,
  sleepAllowed,
} from "./interpreter_lock_fixture.ts";

const SOON = { timeout: 20_000 };

function start<R, A extends readonly unknown[]>(
  target: (...args: [...A]) => R | PromiseLike<R>,
  args: A,
): Thread<R, A> {
  const thread = new Thread<R, A>({ target, args } as never);
  thread.start();
  return thread;
}

/** A thread that holds the lock until `go` is set. */
function holder(gil: InterpreterLock) {
  const held = new Event();
  const go = new Event();
  const thread = start(holdUntil, [gil, held, go]);
  held.waitSync(SOON);
  return { go, thread };
}

Deno.test("InterpreterLock can be taken in three forms", async () => {
  const gil = new InterpreterLock();
  assert(!gil.locked());
  {
    using lock = gil.acquireSync();
    assertStrictEquals(lock, gil);
    assert(gil.locked());
    assertEquals(gil.acquireNowait(), undefined);
  }
  {
    using lock = await gil.acquire();
    assertStrictEquals(lock, gil);
    assertEquals(gil.acquireNowait(), undefined);
  }
  {
    using lock = gil.acquireNowait();
    assertStrictEquals(lock, gil);
  }
  assert(!gil.locked());
});

Deno.test("InterpreterLock is a ThreadingError for who does not hold it", () => {
  const gil = new InterpreterLock();
  assertThrows(() => gil.release(), ThreadingError, "does not hold it");
  assertThrows(() => gil.check(), ThreadingError, "does not hold it");
  assertThrows(() => gil.allowThreads(() => 1), ThreadingError, "not hold it");
  const { go, thread } = holder(gil);
  assertThrows(() => gil.release(), ThreadingError, "does not hold it");
  assertThrows(() => gil.check(), ThreadingError, "does not hold it");
  go.set();
  thread.joinSync(SOON);
});

Deno.test("InterpreterLock acquireSync() never waits for itself", async () => {
  const gil = new InterpreterLock();
  gil.acquireSync();
  assertThrows(() => gil.acquireSync(), ThreadingError, "wait for itself");
  gil.release();
  await gil.acquire();
  assertThrows(() => gil.acquireSync(), ThreadingError, "async task");
  gil.release();
});

Deno.test("InterpreterLock acquire gives up in time", async () => {
  const gil = new InterpreterLock();
  const { go, thread } = holder(gil);
  const sync = assertThrows(
    () => gil.acquireSync({ timeout: 20 }),
    DOMException,
  );
  assertEquals(sync.name, "TimeoutError");
  const async_ = await assertRejects(
    () => gil.acquire({ timeout: 20 }),
    DOMException,
  );
  assertEquals(async_.name, "TimeoutError");
  const signal = AbortSignal.timeout(20);
  await assertRejects(() => gil.acquire({ signal }), DOMException);
  go.set();
  using _ = gil.acquireSync(SOON);
  thread.joinSync(SOON);
});

Deno.test("InterpreterLock lets one thread run at a time", () => {
  const gil = new InterpreterLock();
  gil.setCheckInterval(10);
  const cells = new SharedArray(Float64Array, 1);
  const threads = [1, 2, 3, 4].map(() => start(count, [gil, cells, 2000]));
  for (const thread of threads) thread.joinSync(SOON);
  assertEquals(cells.view[0], 8000);
  assert(!gil.locked());
});

Deno.test("InterpreterLock.check() hands over at every n-th call, in order", () => {
  const gil = new InterpreterLock();
  const cells = new SharedArray(Float64Array, 1000);
  const ready = new Semaphore(0);
  gil.setCheckInterval(5);
  gil.acquireSync();
  const threads = [1, 2, 3].map((me) => {
    const thread = start(sign, [gil, cells, me, 50, ready]);
    ready.acquireSync(SOON);
    sleepSync(30);
    return thread;
  });
  gil.release();
  for (const thread of threads) thread.joinSync(SOON);
  const signatures = [...cells.view.subarray(1, 151)];
  const expected = Array.from(
    { length: 150 },
    (_, i) => Math.floor(i / 5) % 3 + 1,
  );
  assertEquals(signatures, expected);
});

Deno.test("InterpreterLock.check() costs nothing when nobody waits", () => {
  const gil = new InterpreterLock();
  gil.setCheckInterval(1);
  using _ = gil.acquireSync();
  const start = performance.now();
  for (let i = 0; i < 100_000; i++) gil.check();
  assert(performance.now() - start < 1000);
});

Deno.test("InterpreterLock.check() passes over tasks of its own thread", async () => {
  const gil = new InterpreterLock();
  gil.setCheckInterval(1);
  gil.acquireSync();
  const order: string[] = [];
  const task = gil.acquire().then(() => {
    order.push("task");
    gil.release();
  });
  gil.check();
  const held = new Event();
  const go = new Event();
  go.set();
  const thread = start(holdUntil, [gil, held, go]);
  while (!held.isSet()) gil.check();
  order.push("sync");
  gil.release();
  await task;
  thread.joinSync(SOON);
  assertEquals(order, ["sync", "task"]);
});

Deno.test("InterpreterLock acquireSync() overtakes tasks of its own thread", () => {
  const gil = new InterpreterLock();
  const { go, thread } = holder(gil);
  const inLine = new Event();
  const blocked = start(blockBehindOwnTask, [gil, inLine]);
  inLine.waitSync(SOON);
  sleepSync(50);
  go.set();
  assertEquals(blocked.joinSync(SOON) as unknown, ["sync", "task"]);
  thread.joinSync(SOON);
});

Deno.test("InterpreterLock.setCheckInterval() sets it for all", () => {
  const gil = new InterpreterLock();
  assertEquals(gil.getCheckInterval(), 100);
  gil.setCheckInterval(1);
  assertEquals(gil.getCheckInterval(), 1);
  assertThrows(() => gil.setCheckInterval("1" as never), TypeError, '"1"');
  for (const n of [0, -1, 1.5, NaN, 2 ** 31]) {
    assertThrows(() => gil.setCheckInterval(n), RangeError, String(n));
  }
  assertEquals(gil.getCheckInterval(), 1);
});

Deno.test("InterpreterLock.allowThreads() lets the others run", () => {
  const gil = new InterpreterLock();
  const ready = new Semaphore(0);
  const threads = [1, 2, 3, 4].map(() =>
    start(sleepAllowed, [gil, 300, ready])
  );
  for (const _ of threads) ready.acquireSync(SOON);
  const begin = performance.now();
  for (const thread of threads) assertEquals(thread.joinSync(SOON), "slept");
  assert(performance.now() - begin < 900);
});

Deno.test("InterpreterLock.allowThreads() gives and throws what fn does", async () => {
  const gil = new InterpreterLock();
  const fail = () => {
    throw new RangeError("no");
  };
  gil.acquireSync();
  assertEquals(
    gil.allowThreads(() => [gil.locked(), 1]),
    [false, 1],
  );
  assert(gil.locked());
  assertThrows(() => gil.allowThreads(fail), RangeError, "no");
  assert(gil.locked());
  assertThrows(() => gil.allowThreads(1 as never), TypeError);
  assert(gil.locked());

  const promise = gil.allowThreads(async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return "later";
  });
  assert(!gil.locked());
  assertEquals(await promise, "later");
  assert(gil.locked());
  await assertRejects(
    () => gil.allowThreads(() => Promise.reject(new RangeError("no"))),
    RangeError,
  );
  gil.release();
  assert(!gil.locked());
});

Deno.test("InterpreterLock.allowThreads() passes over tasks of its own thread", async () => {
  const gil = new InterpreterLock();
  gil.acquireSync();
  const order: string[] = [];
  const task = gil.acquire().then(() => {
    order.push("task");
    gil.release();
  });
  gil.allowThreads(() => {
    const { go, thread } = holder(gil);
    go.set();
    thread.joinSync(SOON);
  });
  order.push("sync");
  await gil.allowThreads(() => task);
  order.push("end");
  gil.release();
  assert(!gil.locked());
  assertEquals(order, ["sync", "task", "end"]);
});

Deno.test("InterpreterLock tasks that stand aside can give up", async () => {
  const gil = new InterpreterLock();
  const controller = new AbortController();
  gil.acquireSync();
  const aborted = gil.acquire({ signal: controller.signal });
  const task = gil.acquire();
  gil.allowThreads(() => controller.abort(new RangeError("enough")));
  await assertRejects(() => aborted, RangeError, "enough");
  gil.release();
  (await task).release();
  assert(!gil.locked());
});

Deno.test("InterpreterLock keeps the form it was taken in", async () => {
  const gil = new InterpreterLock();
  await gil.acquire();
  gil.allowThreads(() => {});
  assertThrows(() => gil.acquireSync(), ThreadingError, "async task");
  gil.release();
});

Deno.test("InterpreterLock mixes both forms and many threads", async () => {
  const gil = new InterpreterLock();
  gil.setCheckInterval(3);
  const cells = new SharedArray(Float64Array, 1);
  const threads = [
    start(countAsync, [gil, cells, 100]),
    start(countAsync, [gil, cells, 100]),
    start(count, [gil, cells, 500]),
    start(count, [gil, cells, 500]),
  ];
  for (const thread of threads) await thread.join(SOON);
  assertEquals(cells.view[0], 1400);
  assert(!gil.locked());
});

Deno.test("InterpreterLock is poisoned by a holder that ends", () => {
  const gil = new InterpreterLock();
  start(holdAndReturn, [gil]).joinSync(SOON);
  assertThrows(() => gil.acquireSync(SOON), OwnerDiedError, "Thread-");
  assertThrows(() => gil.acquireNowait(), OwnerDiedError);
  gil.recover();
  const { thread } = holder(gil);
  thread.terminate();
  assertThrows(() => thread.joinSync(SOON), ThreadingError, "terminated");
  assertThrows(() => gil.acquireSync(SOON), OwnerDiedError);
  gil.recover();
  using _ = gil.acquireSync();
});

Deno.test("InterpreterLock.allowThreads() that loses the lock throws what it lost it by", () => {
  const gil = new InterpreterLock();
  const lose = () => start(holdAndReturn, [gil]).joinSync(SOON);
  assertThrows(() => {
    using _ = gil.acquireSync();
    gil.allowThreads(lose);
  }, OwnerDiedError);
  gil.recover();
  assertThrows(() => {
    using _ = gil.acquireSync();
    gil.allowThreads(() => {
      lose();
      throw new RangeError("no");
    });
  }, OwnerDiedError);
  gil.recover();
  using _ = gil.acquireSync();
});

Deno.test("InterpreterLock survives the death of waiters", () => {
  const gil = new InterpreterLock();
  gil.setCheckInterval(1);
  const cells = new SharedArray(Float64Array, 1);
  for (let round = 0; round < 10; round++) {
    gil.acquireSync();
    const victims = [1, 2].map(() => start(count, [gil, cells, 1e9]));
    const other = start(count, [gil, cells, 10]);
    sleepSync(20);
    for (const victim of victims) victim.terminate();
    gil.release();
    other.joinSync(SOON);
    for (const victim of victims) {
      assertThrows(() => victim.joinSync(SOON), ThreadingError, "terminated");
    }
  }
  using _ = gil.acquireSync(SOON);
});

Deno.test("InterpreterLock does not work once freed", () => {
  const gil = new InterpreterLock();
  gil.free();
  for (const use of ["acquireSync", "acquireNowait", "release", "check"]) {
    const call = () => gil[use as "check"]();
    assertThrows(call, ThreadingError, "free()");
  }
});
