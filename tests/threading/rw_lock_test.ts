import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async";
import {
  Barrier,
  Event,
  NotSendableError,
  OwnerDiedError,
  type ReadGuard,
  RwLock,
  setExcepthook,
  SharedArray,
  SharedList,
  SharedNumber,
  Thread,
  ThreadingError,
  threadStates,
} from "../../threading/mod.ts";
import { assertKeepsHeap } from "./heap_words.ts";
import {
  blockBehindTask,
  churn,
  holdRw,
  insist,
  insistAs,
  leave,
  mix,
  pass,
  spinHolding,
  waitFor,
} from "./rw_lock_fixture.ts";
import { SEED, STRESS, waitFor as until } from "./shared_support.ts";
import { testOptions } from "./wait_options.ts";

const TIMEOUT_MS = 60_000;
const JOIN = { timeout: TIMEOUT_MS * STRESS };

testOptions("RwLock.acquireRead", () => {
  const lock = new RwLock();
  const guard = lock.acquireWriteSync();
  return {
    wait: (options) => lock.acquireRead(options),
    waitSync: (options) => lock.acquireReadSync(options),
    let: () => guard.release(),
    free: () => lock.free(),
  };
});

testOptions("RwLock.acquireWrite", () => {
  const lock = new RwLock();
  let guard: ReadGuard = lock.acquireReadSync();
  return {
    wait: async (options) => guard = await lock.acquireWrite(options),
    waitSync: (options) => lock.acquireWriteSync(options),
    let() {
      // Nobody waits any more, so another one may read.
      if (lock.readers() === 1) lock.acquireReadSync().release();
      guard.release();
    },
    free: () => lock.free(),
  };
});

/** Starts a thread that has the lock. */
async function heldElsewhere(lock: RwLock, writes: boolean) {
  const held = new Event();
  const go = new Event();
  const thread = new Thread({
    target: holdRw,
    args: [lock, writes, held, go],
  });
  thread.start();
  await held.wait(JOIN);
  return {
    thread,
    end: () => {
      go.set();
      return thread.join(JOIN);
    },
  };
}

Deno.test("RwLock has many readers, or one writer", async () => {
  const lock = new RwLock();
  const one = lock.acquireReadSync();
  const two = await lock.acquireRead();
  const three = lock.acquireReadNowait()!;
  assertNotStrictEquals(one, two);
  assertEquals([lock.readers(), lock.locked()], [3, false]);
  assertEquals(lock.acquireWriteNowait(), undefined);
  for (const guard of [one, two, three, one, one]) guard.release();
  assertEquals(lock.readers(), 0);

  const takes = [
    () => lock.acquireWriteSync(),
    () => lock.acquireWrite(),
    () => lock.acquireWriteNowait()!,
  ];
  for (const take of takes) {
    const writer = await take();
    assertEquals([lock.readers(), lock.locked()], [0, true]);
    assertEquals(lock.acquireReadNowait(), undefined);
    assertEquals(lock.acquireWriteNowait(), undefined);
    writer.release();
    writer.release();
    assertEquals(lock.locked(), false);
  }
});

Deno.test("RwLock is released at the end of a using block, in all threads", async () => {
  const lock = new RwLock();
  for (const writes of [false, true]) {
    const { end } = await heldElsewhere(lock, writes);
    assertEquals([lock.readers(), lock.locked()], [writes ? 0 : 1, writes]);
    const reading = lock.acquireReadNowait();
    assertEquals(reading === undefined, writes);
    reading?.release();
    await end();
    using _ = lock.acquireWriteNowait()!;
    assert(lock.locked());
  }
});

Deno.test("RwLock keeps readers out that come while a writer waits", async () => {
  const lock = new RwLock();
  const first = lock.acquireReadSync();
  const order: string[] = [];
  const writing = lock.acquireWrite().then((guard) => {
    order.push("write");
    guard.release();
  });
  assertEquals(lock.acquireReadNowait(), undefined);
  const reading = lock.acquireRead().then((guard) => {
    order.push("read");
    guard.release();
  });
  await delay(5);
  assertEquals(order, []);
  first.release();
  await Promise.all([writing, reading]);
  assertEquals(order, ["write", "read"]);
  assertEquals(lock.readers(), 0);
});

Deno.test("RwLock lets readers in again when the writer gives up", async () => {
  const lock = new RwLock();
  const first = lock.acquireReadSync();
  const controller = new AbortController();
  const writing = lock.acquireWrite({ signal: controller.signal });
  const reading = lock.acquireRead();
  await delay(5);
  controller.abort("enough");
  assertEquals(await writing.catch((reason) => reason), "enough");
  assertEquals(lock.readers(), 2);
  (await reading).release();
  assertThrows(() => lock.acquireWriteSync({ timeout: 5 }), DOMException);
  lock.acquireReadSync().release();
  first.release();
  lock.acquireWriteSync().release();
});

Deno.test("RwLock gives way to writers first, in all threads", async () => {
  const lock = new RwLock();
  const order = new SharedArray(Int32Array, 8);
  const guard = lock.acquireWriteSync();
  const threads = [false, true, false, true].map((writes, i) => {
    const args = [lock, writes, order, i + 1] as const;
    return new Thread({ target: pass, args: [...args] });
  });
  const inLine = () =>
    threadStates().filter(({ waitsFor }) => waitsFor === lock).length;
  for (const [i, thread] of threads.entries()) {
    thread.start();
    until(() => inLine() > i);
  }
  guard.release();
  for (const thread of threads) await thread.join(JOIN);
  const [count, one, two, ...readers] = order.view;
  assertEquals(count, 4);
  assertEquals([one, two], [2, 4]);
  assertEquals(readers.slice(0, 2).sort(), [1, 3]);
});

Deno.test("RwLock starves neither readers nor writers", async () => {
  for (const writers of [1, 4]) {
    const lock = new RwLock();
    const stop = new Event();
    const times = new SharedArray(Int32Array, 8 + writers);
    const threads = Array.from(times.view, (_, i) => {
      return new Thread({
        target: insist,
        args: [lock, i >= 8, stop, times, i],
      });
    });
    for (const thread of threads) thread.start();
    const deadline = performance.now() + TIMEOUT_MS * STRESS;
    const least = () => Math.min(...times.view);
    while (least() < 20 * STRESS && performance.now() < deadline) {
      await delay(10);
    }
    stop.set();
    for (const thread of threads) await thread.join(JOIN);
    assert(least() >= 20 * STRESS, `${times.view}`);
  }
});

for (const manner of ["blocking", "promise", "downgrade", "mixed"] as const) {
  // With SKEIN_STRESS=20 for a minute each.
  Deno.test(`RwLock starves none of 8 readers and a writer at any time: ${manner}`, async () => {
    const lock = new RwLock();
    const [all, stop] = [new Barrier(10), new Event()];
    const times = new SharedArray(Int32Array, 9);
    const threads = Array.from(times.view, (_, i) => {
      return new Thread({
        target: insistAs,
        args: [lock, i === 8, all, stop, times, i, manner],
      });
    });
    for (const thread of threads) thread.start();
    await all.wait(JOIN);
    const deadline = performance.now() + TIMEOUT_MS;
    while (Math.min(...times.view) === 0 && performance.now() < deadline) {
      await delay(10);
    }
    // A busy machine may keep a thread from running for longer than a second.
    const parts = Math.min(STRESS, 20);
    for (let i = 0; i < parts; i++) {
      const before = Array.from(times.view);
      await delay(3000);
      const more = before.map((count, i) => times.view[i] - count);
      assert(Math.min(...more) > 0, `part ${i + 1}: ${more}`);
    }
    stop.set();
    for (const thread of threads) await thread.join(JOIN);
    lock.acquireWriteSync().release();
  });
}

Deno.test("RwLock.downgrade() lets no writer in between", async () => {
  const lock = new RwLock();
  using guard = lock.acquireWriteSync();
  const writing = lock.acquireWrite({ timeout: TIMEOUT_MS });
  const reading = lock.acquireRead({ timeout: TIMEOUT_MS });
  await delay(5);
  const same = guard.downgrade();
  // Writers go first, so the reader waits behind the one that does.
  assertEquals([lock.readers(), lock.locked()], [1, false]);
  assertThrows(() => guard.downgrade(), ThreadingError, "reading already");
  same.release();
  same.release();
  guard.release();
  const writer = await writing;
  assertEquals([lock.readers(), lock.locked()], [0, true]);
  writer.downgrade();
  (await reading).release();
  assertEquals(lock.readers(), 1);
  writer.release();
  assertThrows(() => writer.downgrade(), ThreadingError, "Cannot downgrade");
});

Deno.test("RwLock.downgrade() lets readers in when no writer waits", async () => {
  const lock = new RwLock();
  using guard = lock.acquireWriteSync();
  const { thread } = startReader(lock);
  const reading = lock.acquireRead();
  await delay(5);
  guard.downgrade();
  await thread.join(JOIN);
  (await reading).release();
});

function startReader(lock: RwLock) {
  const order = new SharedArray(Int32Array, 4);
  const thread = new Thread({ target: pass, args: [lock, false, order, 1] });
  thread.start();
  return { thread, order };
}

Deno.test("RwLock refuses what its own thread could never get", async () => {
  const lock = new RwLock();
  const writer = await lock.acquireWrite();
  assertThrows(() => lock.acquireWriteSync(), ThreadingError, "never");
  assertThrows(() => lock.acquireReadSync(), ThreadingError, "never");
  assertThrows(() => lock.acquireReadSync({ timeout: 2 }), DOMException);
  writer.downgrade();
  assertThrows(() => lock.acquireWriteSync(), ThreadingError, "never");
  lock.acquireReadSync().release();
  writer.release();
  lock.acquireWriteSync().release();
});

Deno.test("RwLock hands on what a task of a blocked thread was given", async () => {
  const lock = new RwLock();
  const waits = new Event();
  const guard = lock.acquireWriteSync();
  const target = blockBehindTask;
  const thread = new Thread({ target, args: [lock, waits] });
  thread.start();
  await waits.wait(JOIN);
  await delay(20);
  guard.release();
  assertEquals(await thread.join(JOIN), "done");
  assertEquals([lock.readers(), lock.locked()], [0, false]);
});

Deno.test("RwLock is poisoned by the death of its writer", async () => {
  setExcepthook(() => {});
  const held = new Event();
  const deaths = [
    () => new Thread({ target: leave, args: [lock, true, true] }),
    () => new Thread({ target: leave, args: [lock, true, false] }),
    () => new Thread({ target: spinHolding, args: [lock, true, held] }),
  ];
  const lock = new RwLock();
  for (const make of deaths) {
    const thread = make();
    const waiting = lock.acquireRead({ timeout: TIMEOUT_MS });
    (await waiting).release();
    thread.start();
    if (make === deaths[2]) {
      await held.wait(JOIN);
      const inLine = lock.acquireWrite();
      thread.terminate();
      await assertRejects(() => inLine, OwnerDiedError, thread.name);
    }
    await thread.join(JOIN).catch(() => {});
    assert(lock.locked());
    const calls = [
      () => lock.acquireReadSync(),
      () => lock.acquireWriteSync(),
      () => lock.acquireReadNowait(),
      () => lock.acquireWriteNowait(),
    ];
    for (const call of calls) assertThrows(call, OwnerDiedError, thread.name);
    await assertRejects(() => lock.acquireRead(), OwnerDiedError);
    await assertRejects(() => lock.acquireWrite(), OwnerDiedError);
    lock.recover();
    lock.acquireReadSync().release();
    lock.acquireWriteSync().release();
    lock.recover();
  }
});

Deno.test("RwLock gets back what a reader had that died", async () => {
  setExcepthook(() => {});
  const lock = new RwLock();
  const held = new Event();
  const deaths = [
    () => new Thread({ target: leave, args: [lock, false, true] }),
    () => new Thread({ target: leave, args: [lock, false, false] }),
    () => new Thread({ target: spinHolding, args: [lock, false, held] }),
  ];
  for (const make of deaths) {
    const thread = make();
    thread.start();
    if (make === deaths[2]) {
      await held.wait(JOIN);
      assertEquals(lock.readers(), 1);
      const writing = lock.acquireWrite({ timeout: TIMEOUT_MS });
      thread.terminate();
      (await writing).release();
    }
    await thread.join(JOIN).catch(() => {});
    assertEquals(lock.readers(), 0);
    lock.acquireWriteSync({ timeout: TIMEOUT_MS }).release();
  }
});

/** Whether somebody waits to write. */
function isShut(lock: RwLock): boolean {
  const reader = lock.acquireReadNowait();
  reader?.release();
  return reader === undefined;
}

Deno.test("RwLock goes to the next when one who waits is killed", async () => {
  for (const promise of [true, false]) {
    const lock = new RwLock();
    const waits = new Event();
    const guard = lock.acquireReadSync();
    const thread = new Thread({
      target: waitFor,
      args: [lock, promise, waits],
    });
    thread.start();
    await waits.wait(JOIN);
    until(() => isShut(lock));
    const reading = lock.acquireRead({ timeout: TIMEOUT_MS });
    thread.terminate();
    await thread.join(JOIN).catch(() => {});
    guard.release();
    (await reading).release();
    lock.acquireWriteSync({ timeout: TIMEOUT_MS }).release();
  }
});

Deno.test("RwLock: a guard cannot be sent to another thread", () => {
  const lock = new RwLock();
  const list = new SharedList<unknown>();
  using guard = lock.acquireReadSync();
  assertThrows(
    () => list.push(guard),
    NotSendableError,
    "a guard of an RwLock",
  );
  assertThrows(
    () =>
      new Thread({ target: leave, args: [guard as never, true, true] }).start(),
    NotSendableError,
    "take it there",
  );
});

Deno.test("RwLock.free() leaves guards what they have", async () => {
  const lock = new RwLock();
  const other = new SharedList([lock]);
  const reader = lock.acquireReadSync();
  lock.free();
  assertThrows(() => lock.acquireReadSync(), ThreadingError, "free()");
  assertThrows(() => lock.readers(), ThreadingError, "free()");
  const again = other.at(0)!;
  assertEquals(again.readers(), 1);
  const mine = again.acquireReadSync();
  reader.release();
  assertEquals(again.readers(), 1);
  again.free();
  mine.release();
  const third = other.at(0)!;
  const writer = await third.acquireWrite();
  third.free();
  other.free();
  writer.downgrade();
  writer.release();
  writer.release();
});

Deno.test("RwLock leaves nothing on the heap", async () => {
  const round = async () => {
    for (let i = 0; i < 200; i++) {
      const lock = new RwLock();
      using _ = lock.acquireReadSync();
      if (i % 2 === 0) lock.free();
    }
    const lock = new RwLock();
    const { thread } = startReader(lock);
    await thread.join(JOIN);
    const reading = new Thread({ target: leave, args: [lock, false, false] });
    reading.start();
    await reading.join(JOIN);
    for (const object of [thread, reading, lock]) object.free();
  };
  await assertKeepsHeap(round, { times: 5 });
});

class Ledger extends RwLock {
  readonly title = "accounts";
}

Deno.test("RwLock can be subclassed", () => {
  const ledger = new Ledger();
  using _ = ledger.acquireWriteSync();
  assertEquals(ledger.title, "accounts");
  assert(ledger.locked());
});

Deno.test(`RwLock excludes under stress (SKEIN_SEED=${SEED})`, async () => {
  const lock = new RwLock();
  const words = new SharedArray(Int32Array, 4);
  const done = new SharedNumber(0);
  const threads = Array.from(
    { length: 6 },
    (_, i) =>
      new Thread({
        target: mix,
        args: [lock, words, done, SEED + i, 400 * STRESS],
      }),
  );
  for (const thread of threads) thread.start();
  for (const thread of threads) await thread.join(JOIN);
  assertEquals([...words.view.slice(0, 2)], [0, 0]);
  assertEquals(words.view[2], words.view[3]);
  assert(done.value > 0);
  assertEquals(lock.readers(), 0);
  lock.acquireWriteSync().release();
});

Deno.test("RwLock survives threads that are killed at any moment", async () => {
  setExcepthook(() => {});
  const lock = new RwLock();
  for (let i = 0; i < 12 * STRESS; i++) {
    const begun = new Event();
    const threads = [false, false, i % 2 === 0].map((writes) =>
      new Thread({ target: churn, args: [lock, writes, begun] })
    );
    for (const thread of threads) thread.start();
    await begun.wait(JOIN);
    await delay(i % 3);
    for (const thread of threads) {
      thread.terminate();
      await thread.join(JOIN).catch(() => {});
    }
    lock.recover();
    assertEquals([lock.readers(), lock.locked()], [0, false]);
    lock.acquireWriteSync({ timeout: TIMEOUT_MS }).release();
    lock.acquireReadSync({ timeout: TIMEOUT_MS }).release();
  }
});
