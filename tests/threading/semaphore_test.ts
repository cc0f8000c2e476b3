import {
  assert,
  assertEquals,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async";
import {
  BoundedSemaphore,
  Event,
  NotSendableError,
  type Permits,
  Semaphore,
  SharedList,
  SharedNumber,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { testOptions } from "./wait_options.ts";
import { echo, releaseAfter } from "./wait_fixture.ts";
import { blockBehindMany, mixMany } from "./semaphore_fixture.ts";
import { SEED, STRESS } from "./shared_support.ts";

for (const Class of [Semaphore, BoundedSemaphore]) {
  testOptions(`${Class.name}.acquire`, () => {
    const semaphore = new Class(1).acquireSync();
    return {
      wait: (options) => semaphore.acquire(options),
      waitSync: (options) => semaphore.acquireSync(options),
      let() {
        assert(semaphore.locked());
        semaphore.release();
        assert(!semaphore.locked());
      },
      free: () => semaphore.free(),
    };
  });

  testOptions(`${Class.name}.acquireMany`, () => {
    const semaphore = new Class(3);
    let permits: Permits = semaphore.acquireManySync(1);
    return {
      wait: async (options) => {
        permits = await semaphore.acquireMany(3, options);
      },
      waitSync: (options) => semaphore.acquireManySync(3, options),
      let() {
        if (semaphore.acquireManyNowait(3) === undefined) permits.release();
        else semaphore.release(3);
        assert(!semaphore.locked());
      },
      free: () => semaphore.free(),
    };
  });

  Deno.test(`${Class.name}.acquireMany() takes several permits, its guard gives them back`, async () => {
    const semaphore = new Class(3);
    const two = await semaphore.acquireMany(2);
    assertEquals(semaphore.acquireManyNowait(2), undefined);
    const one = semaphore.acquireManyNowait(1)!;
    assert(semaphore.locked());
    two.release();
    two.release();
    {
      using _ = semaphore.acquireManySync(2);
      assert(semaphore.locked());
    }
    one.release();
    using _ = semaphore.acquireManyNowait(3)!;
    assert(semaphore.locked());
  });

  Deno.test(`${Class.name}.acquireSync() takes one permit, release() gives it back`, () => {
    const semaphore = new Class(2);
    assertStrictEquals(semaphore.acquireSync(), semaphore);
    assertStrictEquals(semaphore.acquireNowait(), semaphore);
    assert(semaphore.locked());
    assertEquals(semaphore.acquireNowait(), undefined);
    semaphore.release(2);
    assert(!semaphore.locked());
    {
      using _ = semaphore.acquireSync();
      using __ = semaphore.acquireSync();
      assert(semaphore.locked());
    }
    assert(!semaphore.locked());
  });

  Deno.test(`${Class.name}() throws if its value is no count`, () => {
    for (const value of [-1, 0.5, NaN, Infinity, 2 ** 31]) {
      assertThrows(() => new Class(value), RangeError, `received ${value}`);
    }
    for (const value of ["1", null, true]) {
      assertThrows(
        () => new Class(value as unknown as number),
        TypeError,
        "received",
      );
    }
    new Class(0).free();
    new Class(2 ** 31 - 2).free();
  });

  Deno.test(`${Class.name}.release() throws if n is no count`, () => {
    const semaphore = new Class(3);
    for (const n of [0, -1, 0.5, NaN, Infinity]) {
      assertThrows(() => semaphore.release(n), RangeError, `received ${n}`);
    }
    assertThrows(() => semaphore.release("1" as never), TypeError);
  });

  Deno.test(`${Class.name} is shared with a thread, and is the same when it comes back`, async () => {
    const semaphore = new Class(1).acquireSync();
    const thread = new Thread({ target: echo, args: [semaphore] });
    thread.start();
    const back = await thread.join();
    assertStrictEquals(back, semaphore);
    assert(back instanceof Class);
    const release = new Thread({ target: releaseAfter, args: [semaphore, 5] });
    release.start();
    semaphore.acquireSync();
    await release.join();
  });
}

Deno.test("Semaphore.release() lets as many go on as it gives permits", async () => {
  const semaphore = new Semaphore(0);
  const order: number[] = [];
  const waits = [0, 1, 2, 3].map(async (n) => {
    await semaphore.acquire();
    order.push(n);
  });
  semaphore.release(3);
  await delay(5);
  assertEquals(order, [0, 1, 2]);
  assertEquals(semaphore.acquireNowait(), undefined);
  semaphore.release(2);
  await Promise.all(waits);
  assertEquals(order, [0, 1, 2, 3]);
  assertStrictEquals(semaphore.acquireNowait(), semaphore);
  assertEquals(semaphore.acquireNowait(), undefined);
});

Deno.test("Semaphore.release() refuses to exceed the largest count", () => {
  const semaphore = new Semaphore(2 ** 31 - 2);
  assertThrows(() => semaphore.release(), ThreadingError, "2147483646");
  semaphore.acquireSync();
  semaphore.release();
});

Deno.test("BoundedSemaphore.release() refuses to exceed its start value", () => {
  for (const value of [0, 1, 3]) {
    const semaphore = new BoundedSemaphore(value);
    assertThrows(
      () => semaphore.release(),
      ThreadingError,
      `Cannot release a BoundedSemaphore: it would have more than ${value} permits`,
    );
    for (let i = 0; i < value; i++) semaphore.acquireSync();
    assert(semaphore.locked());
    assertThrows(() => semaphore.release(value + 1), ThreadingError);
    assert(semaphore.locked());
    if (value > 0) semaphore.release(value);
  }
});

Deno.test("Semaphore.acquireSync() throws if nobody is left to release it", () => {
  assertThrows(
    () => new Semaphore(0).acquireSync(),
    ThreadingError,
    "Cannot acquire a Semaphore: this would never end",
  );
});

Deno.test("BoundedSemaphore calls itself by its name", () => {
  const bounded = new BoundedSemaphore(0);
  const messages = [
    () => bounded.release(),
    () => bounded.release(0),
    () => bounded.acquireSync({ timeout: 1 }),
    () => bounded.acquireSync({ timeout: -1 }),
  ].map((call) => assertThrows(call, Error).message);
  for (const message of messages) {
    assertMatch(message, /^Cannot (acquire|release) a BoundedSemaphore: /);
  }
});

Deno.test("Semaphore.acquireMany() is not overtaken by those who need fewer", async () => {
  const semaphore = new Semaphore(2);
  const order: string[] = [];
  const take = async (n: number, name: string) => {
    const permits = await semaphore.acquireMany(n);
    order.push(name);
    return permits;
  };
  const waits = [take(3, "three"), take(1, "one"), take(2, "two")];
  await delay(2);
  assertEquals(semaphore.acquireNowait(), undefined);
  assert(semaphore.locked());
  assertThrows(() => semaphore.acquireSync({ timeout: 1 }), DOMException);
  assertEquals(order, []);
  semaphore.release();
  const three = await waits[0];
  semaphore.release();
  await waits[1];
  await delay(2);
  assertEquals(order, ["three", "one"]);
  three.release();
  await waits[2];
  assertEquals(order, ["three", "one", "two"]);
});

Deno.test("Semaphore.acquireMany() leaves what was kept for it when it gives up", async () => {
  const semaphore = new Semaphore(2);
  const controller = new AbortController();
  const waiting = semaphore.acquireMany(3, { signal: controller.signal });
  const next = semaphore.acquire();
  controller.abort("enough");
  assertEquals(await waiting.catch((reason) => reason), "enough");
  await next;
  assertThrows(() => semaphore.acquireManySync(2, { timeout: 1 }));
  assertStrictEquals(semaphore.acquireNowait(), semaphore);
  assertEquals(semaphore.acquireNowait(), undefined);
});

Deno.test("BoundedSemaphore.acquireMany() refuses more than it has at its start", async () => {
  const semaphore = new BoundedSemaphore(2);
  const message =
    "Cannot acquire a BoundedSemaphore: n must be at most 2, which it has at its start, received 3";
  assertThrows(() => semaphore.acquireManySync(3), RangeError, message);
  assertThrows(() => semaphore.acquireManyNowait(3), RangeError, message);
  const permits = semaphore.acquireManySync(2);
  const waiting = semaphore.acquireMany(2, { timeout: 5 });
  assertThrows(() => semaphore.release(3), ThreadingError);
  permits.release();
  (await waiting).release();
  assertThrows(() => semaphore.release(), ThreadingError);
});

Deno.test("Semaphore.acquireMany() gives what cannot be sent", () => {
  using permits = new Semaphore(2).acquireManySync(2);
  assertThrows(
    () => new SharedList<unknown>([permits]),
    NotSendableError,
    "permits of a Semaphore",
  );
});

Deno.test("Semaphore.acquireMany() hands on what a task of a blocked thread was given", async () => {
  const semaphore = new Semaphore(0);
  const waits = new Event();
  const thread = new Thread({
    target: blockBehindMany,
    args: [semaphore, waits],
  });
  thread.start();
  await waits.wait();
  await delay(20);
  semaphore.release(2);
  assertEquals(await thread.join({ timeout: 60_000 }), ["blocked", "task"]);
  assertEquals(semaphore.acquireManyNowait(3), undefined);
  semaphore.acquireManySync(2);
});

Deno.test(`Semaphore.acquireMany() loses no permit under stress (SKEIN_SEED=${SEED})`, async () => {
  const semaphore = new BoundedSemaphore(5);
  const used = new SharedNumber(0);
  const threads = Array.from({ length: 6 }, (_, i) =>
    new Thread({
      target: mixMany,
      args: [semaphore, used, SEED + i, 400 * STRESS],
    }));
  for (const thread of threads) thread.start();
  for (const thread of threads) await thread.join({ timeout: 60_000 * STRESS });
  assertEquals(used.value, 0);
  semaphore.acquireManySync(5, { timeout: 1000 }).release();
  assertThrows(() => semaphore.release(), ThreadingError);
});

Deno.test("Semaphore.acquireMany() leaves nothing with threads that are killed in line", async () => {
  const semaphore = new BoundedSemaphore(5);
  const used = new SharedNumber(0);
  for (let i = 0; i < 10 * STRESS; i++) {
    const permits = semaphore.acquireManySync(5);
    const threads = [1, 2].map((n) =>
      new Thread({ target: mixMany, args: [semaphore, used, SEED + n, 1] })
    );
    for (const thread of threads) thread.start();
    const next = semaphore.acquireMany(1, { timeout: 60_000 });
    await delay(i % 4 * 10);
    for (const thread of threads) {
      thread.terminate();
      await thread.join().catch(() => {});
    }
    permits.release();
    (await next).release();
    semaphore.acquireManySync(5, { timeout: 60_000 }).release();
  }
});
