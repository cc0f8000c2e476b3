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
  Semaphore,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { testOptions } from "./wait_options.ts";
import { echo, releaseAfter } from "./wait_fixture.ts";

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
