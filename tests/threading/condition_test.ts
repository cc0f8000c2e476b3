import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async";
import {
  Condition,
  Event,
  Lock,
  OwnerDiedError,
  RLock,
  setExcepthook,
  SharedNumber,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { words } from "../../threading/_memory/heap.ts";
import { ADDRESS } from "../../threading/_memory/shared_object.ts";
import { firstOf, Node } from "../../threading/_memory/wait_queue.ts";
import { testOptions } from "./wait_options.ts";
import { dieHolding, echo, hold } from "./wait_fixture.ts";
import {
  blockAndWait,
  decrement,
  notifyAndDie,
  notifyAndKeep,
  waitAndEnd,
  waitAndSet,
  waitOnce,
} from "./condition_fixture.ts";

for (const Class of [Lock, RLock]) {
  testOptions(`Condition(${Class.name}).wait`, () => {
    const condition = new Condition(new Class()).acquireSync();
    let timer: ReturnType<typeof setInterval> | undefined;
    const notify = () => {
      if (!condition.acquireNowait()) return;
      condition.notify();
      condition.release();
    };
    return {
      wait: (options) => condition.wait(options),
      waitSync: (options) => condition.waitSync(options),
      let() {
        assert(condition.locked());
        timer ??= setInterval(notify, 1);
      },
      free() {
        clearInterval(timer);
        condition.free();
      },
    };
  });
}

testOptions("Condition.waitFor", () => {
  const condition = new Condition().acquireSync();
  let come = false;
  return {
    wait: (options) => condition.waitFor(() => come, options),
    waitSync: (options) => condition.waitForSync(() => come, options),
    let: () => come = true,
    free: () => condition.free(),
  };
});

testOptions("Condition.acquire", async () => {
  const condition = new Condition();
  const held = new Event();
  const go = new Event();
  const thread = new Thread({ target: hold, args: [condition, held, go] });
  thread.start();
  await held.wait();
  return {
    wait: (options) => condition.acquire(options),
    waitSync: (options) => condition.acquireSync(options),
    async let() {
      go.set();
      await thread.join();
      // What the test has taken itself.
      if (condition.locked()) condition.release();
    },
    free: () => condition.free(),
  };
});

Deno.test("Condition() has an RLock, or the lock that it is given", () => {
  const own = new Condition().acquireSync();
  own.acquireSync();
  own.release();
  own.release();
  assert(!own.locked());
  const lock = new Lock();
  const [one, two] = [new Condition(lock), new Condition(lock)];
  using _ = one.acquireSync();
  assertEquals(two.acquireNowait(), undefined);
  assert(two.locked());
  assertThrows(() => new Condition({} as Lock), TypeError, "an object");
});

Deno.test("Condition keeps its lock when the lock's handle is given back", () => {
  const lock = new Lock();
  const condition = new Condition(lock);
  lock.free();
  using _ = condition.acquireSync();
  assertThrows(() => condition.waitSync({ timeout: 1 }), DOMException);
  condition.notify();
});

Deno.test("Condition.acquire() resolves to the condition", async () => {
  for (const condition of [new Condition(), new Condition(new Lock())]) {
    assertStrictEquals(await condition.acquire(), condition);
    condition.release();
    assertStrictEquals(condition.acquireSync(), condition);
    condition.release();
    assertStrictEquals(condition.acquireNowait(), condition);
    condition.release();
    {
      using _ = await condition.acquire();
      assert(condition.locked());
    }
    assert(!condition.locked());
    assertThrows(() => condition.release(), ThreadingError, "not held");
  }
});

Deno.test("Condition.wait() throws if the lock is not held", async () => {
  for (const condition of [new Condition(), new Condition(new Lock())]) {
    const message = "this thread does not hold its lock";
    await assertRejects(() => condition.wait(), ThreadingError, message);
    const never = () => false;
    await assertRejects(
      () => condition.waitFor(never),
      ThreadingError,
      message,
    );
    const calls = [
      () => condition.waitSync(),
      () => condition.waitForSync(never),
      () => condition.notify(),
      () => condition.notifyAll(),
    ];
    for (const call of calls) assertThrows(call, ThreadingError, message);
    assert(!condition.locked());
  }
});

Deno.test("Condition.wait() throws if another task holds the lock", async () => {
  const [condition, other] = [new Condition(), new RLock()];
  const task = async () => {
    using _ = await condition.acquire();
    await delay(10);
  };
  const running = task();
  using _ = await other.acquire();
  await delay(1);
  await assertRejects(() => condition.wait(), ThreadingError, "not hold");
  assertThrows(() => condition.waitSync(), ThreadingError, "not hold");
  assertThrows(() => condition.notify(), ThreadingError, "not hold");
  await running;
});

Deno.test("Condition.notify() wakes as many as it is told, in order", async () => {
  const condition = new Condition();
  const woken: number[] = [];
  condition.acquireSync();
  condition.notifyAll(); // nobody waits: this is lost
  condition.release();
  const waits = [0, 1, 2, 3, 4].map(async (n) => {
    using _ = await condition.acquire();
    await condition.wait();
    woken.push(n);
  });
  await delay(5);
  for (const [n, expected] of [[0, 0], [undefined, 1], [2, 3]] as const) {
    condition.acquireSync();
    condition.notify(n);
    condition.release();
    await delay(5);
    assertEquals(woken.length, expected);
  }
  condition.acquireSync();
  condition.notifyAll();
  assertEquals(woken.length, 3);
  condition.release();
  await Promise.all(waits);
  assertEquals(woken, [0, 1, 2, 3, 4]);
});

Deno.test("Condition.notify() throws if n is no count", () => {
  using condition = new Condition().acquireSync();
  for (const n of [-1, 0.5, NaN, -Infinity]) {
    assertThrows(() => condition.notify(n), RangeError, `received ${n}`);
  }
  assertThrows(() => condition.notify("1" as never), TypeError, '"1"');
});

Deno.test("Condition.wait() releases a lock wholly and restores it", async () => {
  for (const form of ["promise", "blocking"]) {
    const condition = new Condition();
    for (let i = 0; i < 3; i++) condition.acquireSync();
    const locked: boolean[] = [];
    if (form === "promise") {
      setTimeout(() => locked.push(condition.locked()), 5);
      await assertRejects(() => condition.wait({ timeout: 20 }), DOMException);
      assertEquals(locked, [false]);
    } else {
      assertThrows(() => condition.waitSync({ timeout: 5 }), DOMException);
    }
    for (let i = 0; i < 3; i++) {
      assert(condition.locked());
      condition.release();
    }
    assert(!condition.locked());
  }
});

Deno.test("Condition.waitSync() gives an async task its lock back", async () => {
  const condition = new Condition();
  const other = async () => {
    await delay(1);
    assertThrows(() => condition.acquireSync(), ThreadingError, "async task");
  };
  const running = other();
  {
    using _ = await condition.acquire();
    assertThrows(() => condition.waitSync({ timeout: 5 }), DOMException);
    await delay(10);
    using __ = await condition.acquire({ timeout: 1000 });
  }
  assert(!condition.locked());
  await running;
});

Deno.test("Condition.waitFor() gives what the predicate gives", async () => {
  const condition = new Condition();
  let value = "";
  setTimeout(() => {
    using _ = condition.acquireNowait();
    value = "come";
    condition.notify();
  }, 5);
  using _ = await condition.acquire();
  assertEquals(await condition.waitFor(() => Promise.resolve(value)), "come");
  assertEquals(condition.waitForSync(() => value), "come");
});

Deno.test("Condition.waitFor() asks the predicate once more at the end", async () => {
  const condition = new Condition(new Lock()).acquireSync();
  let asked = 0;
  const second = () => ++asked === 2;
  assertEquals(await condition.waitFor(second, { timeout: 5 }), true);
  asked = 0;
  assertEquals(condition.waitForSync(second, { timeout: 5 }), true);
  assertThrows(() => {
    condition.waitForSync(() => {
      throw new Error("predicate");
    });
  }, "predicate");
  assert(condition.locked());
});

Deno.test("Condition.waitSync() throws if nobody is left to notify", () => {
  const condition = new Condition().acquireSync();
  assertThrows(
    () => condition.waitSync(),
    ThreadingError,
    "Cannot wait for a Condition: this would never end",
  );
  assert(condition.locked());
  condition.release();
});

Deno.test("Condition.waitSync() throws if who notified has ended and kept the lock", () => {
  const start = (condition: Condition) => {
    const thread = new Thread({ target: notifyAndKeep, args: [condition] });
    thread.start();
    return thread;
  };
  // From here on there is a worker, so that the next one starts in no time.
  start(new Condition(new Lock())).joinSync();
  for (const timeout of [500, undefined]) {
    const condition = new Condition(new Lock()).acquireSync();
    start(condition);
    assertThrows(
      () => condition.waitSync({ timeout }),
      ThreadingError,
      "Cannot wait for a Condition: this would never end",
    );
    assert(condition.locked());
  }
});

Deno.test("Condition is shared with a thread, and is the same when it comes back", async () => {
  const lock = new Lock();
  const condition = new Condition(lock);
  const thread = new Thread({ target: echo, args: [[condition, lock]] });
  thread.start();
  assertEquals(await thread.join(), [condition, lock]);
  for (const form of ["promise", "blocking"]) {
    const left = new SharedNumber(100);
    const threads = [0, 1].map((parity) =>
      new Thread({ target: decrement, args: [condition, left, parity, form] })
    );
    for (const thread of threads) thread.start();
    condition.acquireSync();
    condition.waitForSync(() => left.value === 0, { timeout: 10_000 });
    condition.release();
    for (const thread of threads) await thread.join();
  }
});

/** Has a thread notify whoever waits, and die. */
function die(condition: Condition): Thread<void> {
  setExcepthook(() => {});
  const thread = new Thread({ target: notifyAndDie, args: [condition] });
  thread.start();
  return thread;
}

for (const Class of [Lock, RLock]) {
  const name = `Condition(${Class.name}).wait() that loses its lock`;

  Deno.test(`${name} throws what it lost it by`, async () => {
    const lock = new Class();
    const condition = new Condition(lock);
    assertThrows(() => {
      using _ = condition.acquireSync();
      die(condition);
      condition.waitSync({ timeout: 20_000 });
    }, OwnerDiedError);
    condition.recover();
    await assertRejects(async () => {
      using _ = await condition.acquire();
      die(condition);
      await condition.wait({ timeout: 20_000 });
    }, OwnerDiedError);
    condition.recover();
    // It is a lock like any other again.
    {
      using _ = condition.acquireSync();
      assert(lock.locked());
    }
    assert(!lock.locked());
    assertThrows(() => condition.release(), ThreadingError);
  });

  Deno.test(`${name} leaves it to whoever has it by then`, () => {
    const condition = new Condition(new Class());
    const held = new Event();
    const go = new Event();
    let holder: Thread<void>;
    {
      using _ = condition.acquireSync();
      die(condition);
      assertThrows(
        () => condition.waitSync({ timeout: 20_000 }),
        OwnerDiedError,
      );
      condition.recover();
      holder = new Thread({ target: hold, args: [condition, held, go] });
      holder.start();
      held.waitSync({ timeout: 20_000 });
    }
    assert(condition.locked());
    go.set();
    holder.joinSync({ timeout: 20_000 });
    assert(!condition.locked());
  });
}

Deno.test("Condition throws when the owner of its lock has died", async () => {
  setExcepthook(() => {});
  const condition = new Condition();
  const waiting = (async () => {
    using _ = await condition.acquire();
    await condition.wait();
  })().catch((error) => error);
  await delay(1);
  const thread = new Thread({ target: dieHolding, args: [condition] });
  thread.start();
  await assertRejects(() => thread.join(), "died");
  assertThrows(() => condition.acquireSync(), OwnerDiedError);
  await assertRejects(() => condition.acquire(), OwnerDiedError);
  condition.recover();
  condition.acquireSync();
  condition.notify();
  condition.release();
  assertEquals(await waiting, undefined);
});

for (const form of ["promise", "blocking"]) {
  for (const ending of ["is killed", "returns"]) {
    Deno.test(`Condition.notify() goes to the next one if the notified thread ${ending} (${form} form)`, async () => {
      const condition = new Condition();
      const address = condition[ADDRESS];
      const notified = new SharedNumber(0);
      const go = new Event();
      const waitsForIt = async (count: number) => {
        for (let found = -1; found !== count; await delay(1)) {
          found = 0;
          let node = firstOf(address);
          for (; node !== 0; node = words[node + Node.next]) found++;
        }
      };
      const first = ending === "returns"
        ? new Thread({ target: waitAndEnd, args: [condition, go] })
        : new Thread({ target: waitOnce, args: [condition, form, notified] });
      first.start();
      await waitsForIt(1);
      const second = new Thread({
        target: waitOnce,
        args: [condition, form, notified],
      });
      second.start();
      await waitsForIt(2);
      condition.acquireSync();
      condition.notify();
      // It has been notified, and waits for the lock.
      if (ending === "returns") go.set();
      else first.terminate();
      await first.join().catch(() => {});
      condition.release();
      await second.join({ timeout: 20_000 });
      assertEquals(notified.value, 1);
    });
  }
}

/** Waits until so many wait for an object. */
async function untilWaiting(object: Condition | Event, count: number) {
  for (let found = -1; found !== count; await delay(1)) {
    found = 0;
    let node = firstOf(object[ADDRESS]);
    for (; node !== 0; node = words[node + Node.next]) found++;
  }
}

async function notifyOne(condition: Condition) {
  using _ = await condition.acquire();
  condition.notify();
}

for (const own of [RLock, Lock]) {
  for (const form of ["promise", "blocking"]) {
    Deno.test(`Condition.notify() goes to another one if the notified task's thread is blocked (${own.name}, ${form} form)`, async () => {
      const condition = new Condition(new own());
      const event = new Event();
      const first = new Thread({
        target: blockAndWait,
        args: [condition, event],
      });
      first.start();
      await untilWaiting(condition, 1);
      await untilWaiting(event, 1);
      const second = new Thread({
        target: waitAndSet,
        args: [condition, form, event],
      });
      second.start();
      await untilWaiting(condition, 2);
      await notifyOne(condition);
      // The first thread is blocked until the second one was notified.
      await second.join({ timeout: 60_000 });
      await untilWaiting(condition, 1);
      await notifyOne(condition);
      assertEquals(await first.join({ timeout: 60_000 }), "both");
    });
  }

  Deno.test(`Condition.notify() goes to the thread that blocks and not to a task of it (${own.name})`, async () => {
    const condition = new Condition(new own());
    const args: [Condition, Condition] = [condition, condition];
    const thread = new Thread({ target: blockAndWait, args });
    thread.start();
    await untilWaiting(condition, 2);
    await notifyOne(condition);
    await untilWaiting(condition, 1);
    await notifyOne(condition);
    assertEquals(await thread.join({ timeout: 60_000 }), "both");
  });
}
