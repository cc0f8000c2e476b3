import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async";
import {
  Lock,
  OwnerDiedError,
  RLock,
  setExcepthook,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { testOptions } from "./wait_options.ts";
import {
  dieHolding,
  echo,
  heldElsewhere,
  releaseAfter,
  takeTurns,
} from "./wait_fixture.ts";

testOptions("Lock.acquire", () => {
  const lock = new Lock().acquireSync();
  return {
    wait: (options) => lock.acquire(options),
    waitSync: (options) => lock.acquireSync(options),
    let() {
      assert(lock.locked());
      lock.release();
      assert(!lock.locked());
    },
    free: () => lock.free(),
  };
});

Deno.test("Lock.acquireSync() takes it, release() gives it back", () => {
  const lock = new Lock();
  assert(!lock.locked());
  assertStrictEquals(lock.acquireSync(), lock);
  assert(lock.locked());
  assertEquals(lock.acquireNowait(), undefined);
  lock.release();
  assert(!lock.locked());
  assertStrictEquals(lock.acquireNowait(), lock);
  lock.release();
});

Deno.test("Lock.acquire() takes it, and waits in order of arrival", async () => {
  const lock = new Lock();
  assertStrictEquals(await lock.acquire(), lock);
  const order: number[] = [];
  const waits = [1, 2, 3].map(async (n) => {
    using _ = await lock.acquire();
    order.push(n);
    await delay(1);
  });
  await delay(2);
  lock.release();
  await Promise.all(waits);
  assertEquals(order, [1, 2, 3]);
  assert(!lock.locked());
});

Deno.test("Lock releases itself at the end of a using block", async () => {
  const lock = new Lock();
  {
    using guard = lock.acquireSync();
    assert(guard.locked());
  }
  assert(!lock.locked());
  await assertRejects(async () => {
    using _ = await lock.acquire();
    throw new Error("inside");
  }, "inside");
  assert(!lock.locked());
});

Deno.test("Lock.release() throws if it is not held", () => {
  const lock = new Lock();
  const message = "Cannot release a Lock: it is not held";
  assertThrows(() => lock.release(), ThreadingError, message);
  lock.acquireSync().release();
  assertThrows(() => lock.release(), ThreadingError, message);
});

Deno.test("Lock is shared with a thread, and is the same when it comes back", async () => {
  const lock = new Lock().acquireSync();
  const thread = new Thread({ target: echo, args: [{ lock, list: [lock] }] });
  thread.start();
  const back = await thread.join() as { lock: Lock; list: Lock[] };
  assertStrictEquals(back.lock, lock);
  assertStrictEquals(back.list[0], lock);
});

Deno.test("Lock.release() may be called by another thread", async () => {
  const lock = new Lock().acquireSync();
  const thread = new Thread({ target: releaseAfter, args: [lock, 5] });
  thread.start();
  lock.acquireSync();
  await thread.join();
  const again = new Thread({ target: releaseAfter, args: [lock, 5] });
  again.start();
  await lock.acquire();
  await again.join();
});

Deno.test("Lock.acquireSync() throws if an async task of the thread holds it", async () => {
  const lock = await new Lock().acquire();
  for (const options of [undefined, { timeout: 10_000 }]) {
    const start = performance.now();
    assertThrows(
      () => lock.acquireSync(options),
      ThreadingError,
      "async task of this thread holds it",
    );
    assert(performance.now() - start < 1000);
  }
  assertEquals(lock.acquireNowait(), undefined);
  lock.release();
  lock.acquireSync();
});

Deno.test("Lock.acquireSync() throws if nobody is left to release it", () => {
  const lock = new Lock().acquireSync();
  assertThrows(
    () => lock.acquireSync(),
    ThreadingError,
    "Cannot acquire a Lock: this would never end",
  );
  lock.release();
  lock.acquireSync();
});

Deno.test("Lock.acquire() rejects when a signal comes between release and retry", async () => {
  const lock = new Lock().acquireSync();
  for (;;) {
    const controller = new AbortController();
    const waiting = lock.acquire({ signal: controller.signal })
      .catch((error) => error);
    lock.release();
    const overtaken = lock.acquireNowait() !== undefined;
    controller.abort("reason");
    const end = await waiting;
    if (overtaken) {
      assertEquals(end, "reason");
      break;
    }
    // On a slow machine it may have waited so long that it was handed over.
    assertStrictEquals(end, lock);
  }
  lock.release();
  assert(!lock.locked());
  await lock.acquire();
});

Deno.test("Lock.acquireSync() goes before promise-form waits of its own thread", async () => {
  for (const wait of [0, 3]) {
    const lock = new Lock();
    const { thread, go } = await heldElsewhere(lock);
    const waits = [lock.acquire(), lock.acquire()];
    await delay(wait);
    go.set();
    lock.acquireSync({ timeout: 10_000 });
    lock.release();
    for (const wait of waits) (await wait).release();
    await thread.join();
  }
});

Deno.test("Lock.acquire() of a blocked thread does not keep it from others", async () => {
  const lock = new Lock();
  const { thread, go } = await heldElsewhere(lock);
  const waiting = lock.acquire();
  const other = new Thread({ target: takeTurns, args: [lock, 10] });
  other.start();
  await delay(20);
  go.set();
  other.joinSync({ timeout: 10_000 });
  (await waiting).release();
  await thread.join();
});

Deno.test("Lock.acquire() of a thread that ends unawaited is given up", async () => {
  const { abandonWait } = await import("./lock_fixture.ts");
  const lock = new Lock().acquireSync();
  const thread = new Thread({ target: abandonWait, args: [lock] });
  thread.start();
  await thread.join();
  const waiting = lock.acquire();
  lock.release();
  (await waiting).release();
  lock.acquireSync({ timeout: 1000 });
});

Deno.test("Lock.acquire() throws when its owner has died, until recover()", async () => {
  setExcepthook(() => {});
  const lock = new Lock();
  const thread = new Thread({ target: dieHolding, args: [lock], name: "X" });
  thread.start();
  await assertRejects(() => thread.join(), "died");
  const message = "Cannot acquire a Lock: its owner, the thread X, died";
  assert(lock.locked());
  assertThrows(() => lock.acquireSync(), OwnerDiedError, message);
  assertThrows(() => lock.acquireNowait(), OwnerDiedError, message);
  await assertRejects(() => lock.acquire(), OwnerDiedError, message);
  assertThrows(() => lock.release(), ThreadingError, "not held");
  lock.recover();
  assert(!lock.locked());
  lock.acquireSync();
  lock.recover();
  assert(lock.locked());
});

Deno.test("Lock.acquire() that waits throws when the owner dies", async () => {
  const lock = new Lock();
  const { thread } = await heldElsewhere(lock);
  const waiting = assertRejects(() => lock.acquire(), OwnerDiedError);
  thread.terminate();
  assertThrows(() => lock.acquireSync({ timeout: 10_000 }), OwnerDiedError);
  await waiting;
});

Deno.test("Lock.acquire() poisons also where other locks share its place", async () => {
  setExcepthook(() => {});
  const { dieHoldingMany } = await import("./lock_fixture.ts");
  const gate = new Lock().acquireSync();
  const locks = Array.from({ length: 20 }, () => new Lock());
  const thread = new Thread({ target: dieHoldingMany, args: [gate, locks] });
  thread.start();
  await delay(30);
  gate.release();
  await assertRejects(() => thread.join(), "died");
  for (const lock of [gate, ...locks]) {
    assertThrows(() => lock.acquireNowait(), OwnerDiedError);
  }
});

for (const Kind of [Lock, RLock]) {
  const { name } = Kind;

  Deno.test(`${name}.runSync() holds the lock for the call and gives its result`, () => {
    const lock = new Kind();
    const result: number = lock.runSync(() => lock.locked() ? 42 : 0);
    assertEquals(result, 42);
    assertFalse(lock.locked());
    assertThrows(
      () =>
        lock.runSync(() => {
          throw new RangeError("inside");
        }),
      RangeError,
      "inside",
    );
    assertFalse(lock.locked());
  });

  Deno.test(`${name}.runSync() refuses a promise, and releases the lock`, () => {
    const lock = new Kind();
    assertThrows(
      // @ts-expect-error its function must not be async
      () => lock.runSync(() => Promise.resolve(1)),
      TypeError,
      "use run()",
    );
    assertFalse(lock.locked());
  });

  Deno.test(`${name}.run() holds the lock until the promise is settled`, async () => {
    const lock = new Kind();
    const inside: string[] = [];
    const task = (what: string) =>
      lock.run(async () => {
        inside.push(`${what} begins`);
        await new Promise((resolve) => setTimeout(resolve, 5));
        inside.push(`${what} ends`);
        return what;
      });
    assertEquals(await Promise.all([task("a"), task("b")]), ["a", "b"]);
    assertEquals(inside, ["a begins", "a ends", "b begins", "b ends"]);
    await assertRejects(
      () => lock.run(() => Promise.reject(new RangeError("inside"))),
      RangeError,
    );
    assertFalse(lock.locked());
  });

  Deno.test(`${name}.run() and runSync() take the options of a wait`, async () => {
    const lock = new Kind();
    const done = Promise.withResolvers<void>();
    const holder = lock.run(() => done.promise);
    await delay(0);
    const never = () => {
      throw new Error("called");
    };
    await assertRejects(
      () => lock.run(never, { timeout: 1 }),
      DOMException,
      "1 ms",
    );
    await assertRejects(
      () => lock.run(never, { signal: AbortSignal.abort(new Error("left")) }),
      Error,
      "left",
    );
    // deno-lint-ignore no-explicit-any
    await assertRejects(() => lock.run(5 as any), TypeError, "a function");
    // deno-lint-ignore no-explicit-any
    assertThrows(() => lock.runSync(5 as any), TypeError, "a function");
    done.resolve();
    await holder;
  });
}
