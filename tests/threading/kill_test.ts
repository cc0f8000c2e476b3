import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  Lock,
  mainThread,
  OwnerDiedError,
  SharedArray,
  sleepSync,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { echo, joinIt, runOn, sleeper, stay } from "./death_fixture.ts";
import { assertHeapBackTo, settleHeap } from "./heap_words.ts";

const places = [
  "a busy loop",
  "a busy loop that allocates",
  "a sleep",
  "a lock",
  "a lock in the promise form",
  "its event loop",
  "a timer",
  "Atomics.wait",
  "a catch-all",
];

function assertPoisoned(thread: Thread, lock: Lock): void {
  assert(!thread.isAlive());
  assertEquals(thread.nativeId, undefined);
  assertThrows(() => lock.acquireSync(), OwnerDiedError, thread.name);
  lock.recover();
  lock.acquireSync().release();
}

async function killIn(where: string, sync: boolean): Promise<void> {
  const lock = new Lock();
  const ready = new Lock().acquireSync();
  const held = new Lock().acquireSync();
  const thread = new Thread({ target: stay, args: [lock, ready, held, where] });
  thread.start();
  ready.acquireSync({ timeout: 10_000 });
  thread.terminate();
  const expected = `The thread ${thread.name} was terminated`;
  if (sync) {
    assertThrows(
      () => thread.joinSync({ timeout: 10_000 }),
      ThreadingError,
      expected,
    );
  } else {
    await assertRejects(
      () => thread.join({ timeout: 10_000 }),
      ThreadingError,
      expected,
    );
  }
  assertPoisoned(thread, lock);
  // Nothing was handed to the dead one.
  held.release();
  held.acquireSync({ timeout: 1000 });
  for (const object of [lock, ready, held, thread]) object.free();
}

for (const where of places) {
  Deno.test(`Thread.terminate() kills a thread in ${where}`, async () => {
    await settleHeap();
    await killIn(where, true);
    const before = await settleHeap();
    await killIn(where, true);
    await killIn(where, false);
    await assertHeapBackTo(before);
  });
}

Deno.test("Thread.terminate() kills a thread that joins another", async () => {
  const lock = new Lock();
  const ready = new Lock().acquireSync();
  const other = new Thread({ target: sleeper });
  other.start();
  const thread = new Thread({ target: joinIt, args: [lock, ready, other] });
  thread.start();
  ready.acquireSync({ timeout: 10_000 });
  thread.terminate();
  assertThrows(() => thread.joinSync({ timeout: 10_000 }), ThreadingError);
  assertPoisoned(thread, lock);
  assert(other.isAlive());
  other.terminate();
  await assertRejects(() => other.join({ timeout: 10_000 }), ThreadingError);
});

function killEarly(rounds: number): void {
  for (let round = 0; round < rounds; round++) {
    // More than there are idle workers.
    const threads = Array.from({ length: 8 }, () => {
      const thread = new Thread({ target: sleeper });
      thread.start();
      return thread;
    });
    for (const thread of threads) thread.terminate();
    for (const thread of threads) {
      const error = assertThrows(() => thread.joinSync({ timeout: 10_000 }));
      assert(error instanceof ThreadingError, String(error));
      assert(!thread.isAlive());
      thread.free();
    }
  }
}

Deno.test("Thread.terminate() kills a thread before it has booted", async () => {
  killEarly(1);
  const before = await settleHeap();
  killEarly(2);
  await assertHeapBackTo(before);
});

for (const sync of [false, true]) {
  const form = sync ? "joinSync()" : "join()";
  Deno.test(`Thread.terminate() ends a thread for ${form} when it has stopped`, async () => {
    for (let round = 0; round < 3; round++) {
      const count = new SharedArray(Int32Array, 1);
      const thread = new Thread({ target: runOn, args: [count] });
      thread.start();
      while (count.view[0] === 0) sleepSync(1);
      thread.terminate();
      const timeout = 10_000;
      if (sync) assertThrows(() => thread.joinSync({ timeout }));
      else await assertRejects(() => thread.join({ timeout }));
      const seen = count.view[0];
      sleepSync(200);
      assertEquals(count.view[0], seen, "it runs on");
      thread.free();
      count.free();
    }
  });
}

Deno.test("Thread.terminate() may be called again, and after the end", async () => {
  const thread = new Thread({ target: sleeper });
  thread.start();
  thread.terminate();
  thread.terminate();
  await assertRejects(() => thread.join({ timeout: 10_000 }), ThreadingError);
  thread.terminate();
  await assertRejects(() => thread.join({ timeout: 10_000 }), ThreadingError);
  const returned = new Thread({ target: echo, args: [5] });
  returned.start();
  assertEquals(await returned.join(), 5);
  returned.terminate();
  assertEquals(await returned.join(), 5);
});

Deno.test("Thread.terminate() throws for the main thread and before the start", () => {
  assertThrows(() => mainThread().terminate(), ThreadingError, "Deno.exit()");
  const thread = new Thread({ target: sleeper });
  assertThrows(() => thread.terminate(), ThreadingError, "it was not started");
});
