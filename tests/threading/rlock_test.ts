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
  OwnerDiedError,
  RLock,
  setExcepthook,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { testOptions } from "./wait_options.ts";
import { dieHolding, echo, heldElsewhere, takeTurns } from "./wait_fixture.ts";

testOptions("RLock.acquire", async () => {
  const lock = new RLock();
  const { end } = await heldElsewhere(lock);
  return {
    wait: (options) => lock.acquire(options),
    waitSync: (options) => lock.acquireSync(options),
    async let() {
      if (lock.owned()) return lock.release();
      await end();
      assert(!lock.locked());
    },
    free: () => lock.free(),
  };
});

Deno.test("RLock.acquireSync() may be called again by its thread", () => {
  const lock = new RLock();
  assert(!lock.locked());
  assert(!lock.owned());
  for (let i = 0; i < 3; i++) assertStrictEquals(lock.acquireSync(), lock);
  assertStrictEquals(lock.acquireNowait(), lock);
  for (let i = 0; i < 4; i++) {
    assert(lock.locked());
    assert(lock.owned());
    lock.release();
  }
  assert(!lock.locked());
  assert(!lock.owned());
});

Deno.test("RLock.acquire() may be called again by its task", async () => {
  const lock = new RLock();
  {
    using _ = await lock.acquire();
    await delay(1);
    using __ = await lock.acquire();
    await delay(1);
    using ___ = lock.acquireSync();
    using ____ = lock.acquireNowait();
    assert(lock.owned());
    await nested(3);
    assert(lock.locked());
  }
  assert(!lock.locked());

  async function nested(depth: number): Promise<void> {
    using _ = await lock.acquire({ timeout: 1000 });
    await delay(1);
    if (depth > 0) await nested(depth - 1);
  }
});

Deno.test("RLock.acquire() knows a task that got it from a helper", async () => {
  const lock = new RLock();
  const condition = new Condition(lock);
  const helpers: Record<string, () => Promise<RLock | Condition>> = {
    "return await": async () => await lock.acquire(),
    "return": () => Promise.resolve().then(() => lock.acquire()),
    "two of them": async () => await helpers["return await"](),
    "after a wait for it": async () => {
      delay(2).then(() => lock.release());
      lock.acquireSync();
      return await lock.acquire();
    },
    "of a condition": async () => await condition.acquire(),
  };
  for (const [name, helper] of Object.entries(helpers)) {
    using _ = await helper();
    await delay(1);
    using __ = await lock.acquire({ timeout: 1000 });
    assert(lock.owned(), name);
  }
  assert(!lock.locked());
});

Deno.test("RLock.acquire() knows a task that holds several locks", async () => {
  const [a, b, c] = [new RLock(), new RLock(), new RLock()];
  const timeout = 1000;
  using _ = await a.acquire();
  {
    using _ = await b.acquire();
    await delay(1);
    using __ = await a.acquire({ timeout });
    using ___ = await c.acquire();
    using ____ = await b.acquire({ timeout });
  }
  using __ = await a.acquire({ timeout });
  assert(!b.locked());
  assert(!c.locked());
});

Deno.test("RLock.release() throws if the caller does not hold it", async () => {
  const lock = new RLock();
  const message = "Cannot release an RLock: it is not held";
  assertThrows(() => lock.release(), ThreadingError, message);
  const { end } = await heldElsewhere(lock);
  assert(!lock.owned());
  assert(lock.locked());
  assertEquals(lock.acquireNowait(), undefined);
  assertThrows(() => lock.release(), ThreadingError, message);
  await end();
  lock.acquireSync().release();
  assertThrows(() => lock.release(), ThreadingError, message);
});

Deno.test("RLock.release() throws for a task while another one holds it", async () => {
  const [lock, other] = [new RLock(), new RLock()];
  const task = async () => {
    using _ = await lock.acquire();
    await delay(20);
  };
  const running = task();
  using _ = await other.acquire();
  await delay(1);
  assert(!lock.owned());
  assertThrows(() => lock.release(), ThreadingError, "not held by this thread");
  assertThrows(() => lock.acquireSync(), ThreadingError, "async task");
  assertEquals(lock.acquireNowait(), undefined);
  await running;
});

Deno.test("RLock is shared with a thread, and is the same when it comes back", async () => {
  const lock = new RLock().acquireSync();
  const thread = new Thread({ target: echo, args: [lock] });
  thread.start();
  assertStrictEquals(await thread.join(), lock);
  lock.release();
});

Deno.test("RLock.acquireSync() throws if nobody is left to release it", async () => {
  const lock = await new RLock().acquire();
  await delay(1); // the context is not marked: it cannot be told
  assertThrows(() => lock.acquireSync(), ThreadingError, "async task");
  lock.release();
  lock.acquireSync().release();
});

Deno.test("RLock.acquireNowait() does not join a task that was just given it", async () => {
  const lock = new RLock();
  const { go, thread } = await heldElsewhere(lock);
  const waiting = lock.acquire();
  await delay(5);
  go.set();
  // Not awaiting: only a turn of the loop lets the wait go on.
  thread.joinSync();
  const got = lock.acquireNowait();
  if (got !== undefined) lock.release();
  await waiting;
  assert(lock.owned());
  lock.release();
  assert(!lock.locked());
});

type Enter = (options?: { gap?: number }) => Promise<void>;

const ways: Record<string, (enter: Enter, lock: RLock) => Promise<unknown>> = {
  "started together": (enter) => Promise.all([enter(), enter(), enter()]),
  "started with a gap of microtasks": (enter) =>
    Promise.all([0, 1, 2, 3, 4, 5, 6].map((gap) => enter({ gap }))),
  "started with a gap of milliseconds": async (enter) => {
    const first = enter();
    await delay(1);
    await Promise.all([first, enter(), enter({ gap: 2 })]);
  },
  "started by what held it before": async (enter, lock) => {
    {
      using _ = await lock.acquire();
    }
    await Promise.all([enter(), enter(), enter({ gap: 1 })]);
  },
  "started while a promise of it is not awaited yet": async (enter, lock) => {
    const waiting = lock.acquire();
    const others = [enter(), enter({ gap: 1 }), enter({ gap: 2 })];
    (await waiting).release();
    await Promise.all(others);
  },
  "started from a callback": async (enter, lock) => {
    const others: Promise<void>[] = [];
    await lock.acquire().then(() => lock.release());
    await lock.acquire().then(() => {
      lock.release();
      others.push(enter(), enter({ gap: 1 }));
    });
    await Promise.all(others);
  },
  "started by one that holds another lock": async (enter) => {
    using _ = await new RLock().acquire();
    await Promise.all([enter(), enter(), enter({ gap: 1 })]);
  },
  "that wait while a thread takes turns": async (enter, lock) => {
    const thread = new Thread({ target: takeTurns, args: [lock, 2000] });
    thread.start();
    for (let i = 0; i < 10; i++) {
      await Promise.all([enter(), enter({ gap: i }), enter({ gap: 1 })]);
    }
    await thread.join();
  },
};

for (const [way, run] of Object.entries(ways)) {
  for (const form of ["using", "no using", "a helper"]) {
    Deno.test(`RLock is never held by two tasks ${way}, with ${form}`, async () => {
      const lock = new RLock();
      let inside = 0;
      let most = 0;
      const visit = async () => {
        most = Math.max(most, ++inside);
        await delay(1);
        most = Math.max(most, inside--);
      };
      await run(async ({ gap = 0 } = {}) => {
        for (let i = 0; i < gap; i++) await null;
        if (form === "using") {
          using _ = await lock.acquire();
          await visit();
        } else if (form === "a helper") {
          const help = async () => await lock.acquire();
          using _ = await help();
          await visit();
        } else {
          await lock.acquire();
          await visit();
          lock.release();
        }
      }, lock);
      assertEquals(most, 1);
      assertEquals(inside, 0);
      assert(!lock.locked());
    });
  }
}

Deno.test("RLock.acquire() throws when its owner has died, until recover()", async () => {
  setExcepthook(() => {});
  const lock = new RLock();
  const thread = new Thread({ target: dieHolding, args: [lock], name: "X" });
  thread.start();
  await assertRejects(() => thread.join(), "died");
  const message = "Cannot acquire an RLock: its owner, the thread X, died";
  assert(lock.locked());
  assert(!lock.owned());
  assertThrows(() => lock.acquireSync(), OwnerDiedError, message);
  assertThrows(() => lock.acquireNowait(), OwnerDiedError, message);
  await assertRejects(() => lock.acquire(), OwnerDiedError, message);
  lock.recover();
  lock.acquireSync().release();
  await lock.acquire();
});

Deno.test("RLock.acquireSync() goes before promise-form waits of its own thread", async () => {
  const lock = new RLock();
  const { go, thread } = await heldElsewhere(lock);
  const waiting = lock.acquire();
  go.set();
  lock.acquireSync({ timeout: 10_000 });
  lock.release();
  await waiting;
  lock.release();
  await thread.join();
});
