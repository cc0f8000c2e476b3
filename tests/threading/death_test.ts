import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  Lock,
  OwnerDiedError,
  sleepSync,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { setExcepthook } from "../../threading/excepthook.ts";
import { echo, end, failWithTimer } from "./death_fixture.ts";
import { assertHeapBackTo, settleHeap } from "./heap_words.ts";
import { fixture, runDeno } from "./run_program.ts";

// A hook, so that the errors are not printed.
setExcepthook(() => {});

interface Ending {
  /** What join throws; `undefined` if it returns. */
  error?: new (message: string) => Error;
  message: string;
  poisons: boolean;
}
const uncaught = (message: string): Ending => ({
  error: RangeError,
  message,
  poisons: true,
});
const left: Ending = {
  error: ThreadingError,
  message: "ended its worker",
  poisons: true,
};
const endings: Record<string, Ending> = {
  return: { message: "returned", poisons: false },
  "return a promise": { message: "returned", poisons: false },
  throw: uncaught("thrown"),
  reject: uncaught("rejected"),
  "an error in a timer": uncaught("in a timer"),
  "an error in a microtask": uncaught("in a microtask"),
  "an unhandled rejection": uncaught("unhandled"),
  "Deno.exit": left,
  "process.exit": left,
  close: left,
  "Deno.exit in a timer": left,
  "a stack overflow": uncaught("Maximum call stack size exceeded"),
};

function assertAfter(thread: Thread, lock: Lock, ending: Ending): void {
  assert(!thread.isAlive());
  if (ending.poisons) {
    assertThrows(() => lock.acquireSync(), OwnerDiedError, thread.name);
    assertThrows(() => lock.acquireNowait(), OwnerDiedError, thread.name);
    lock.recover();
    lock.acquireSync().release();
  } else {
    assert(lock.locked());
    lock.release();
  }
  const next = new Thread({ target: echo, args: [1] });
  next.start();
  assertEquals(next.joinSync({ timeout: 10_000 }), 1);
  next.free();
}

for (const [how, ending] of Object.entries(endings)) {
  Deno.test(`Thread.joinSync() ends when the thread ends by ${how}`, async () => {
    // Starts the workers and interns the names.
    await settleHeap();
    runSync(how, ending);
    const before = await settleHeap();
    runSync(how, ending);
    await assertHeapBackTo(before);
  });

  Deno.test(`Thread.join() ends when the thread ends by ${how}`, async () => {
    const before = await settleHeap();
    await runAsync(how, ending);
    await assertHeapBackTo(before);
  });
}

function runSync(how: string, ending: Ending): void {
  const lock = new Lock();
  const thread = new Thread({ target: end, args: [lock, how] });
  thread.start();
  const join = () => thread.joinSync({ timeout: 10_000 });
  if (ending.error === undefined) assertEquals(join(), ending.message);
  else assertThrows(join, ending.error, ending.message);
  assertAfter(thread, lock, ending);
  thread.free();
  lock.free();
}

async function runAsync(how: string, ending: Ending): Promise<void> {
  const lock = new Lock();
  const thread = new Thread({ target: end, args: [lock, how] });
  thread.start();
  const joined = thread.join({ timeout: 10_000 });
  if (ending.error === undefined) assertEquals(await joined, ending.message);
  else await assertRejects(() => joined, ending.error, ending.message);
  assertAfter(thread, lock, ending);
  thread.free();
  lock.free();
}

Deno.test("a thread that has died runs none of its timers", async () => {
  for (let round = 0; round < 5; round++) {
    const lock = new Lock();
    const thread = new Thread({ target: failWithTimer, args: [lock] });
    thread.start();
    await assertRejects(() => thread.join({ timeout: 10_000 }), RangeError);
    sleepSync(50);
    assert(!lock.locked(), "a timer has taken the lock");
    thread.free();
    lock.free();
  }
});

Deno.test("Thread.join() and joinSync() end when the thread runs out of memory", async () => {
  const { code, stdout, stderr } = await runDeno([
    "run",
    "-A",
    "--no-check",
    "--v8-flags=--max-old-space-size=64",
    fixture("out_of_memory_fixture.ts"),
  ]);
  assertEquals([stdout.trim().split("\n").at(-1), code], ["done", 0], stderr);
});
