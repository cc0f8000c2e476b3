import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  NotSendableError,
  setExcepthook,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { SharedNumber } from "../../threading/shared/numbers.ts";
import { sleepSync } from "../../threading/current_thread.ts";
import { Timer } from "../../threading/timer.ts";
import {
  cancel,
  cancelOneself,
  count,
  explode,
  greet,
  greetLater,
  slow,
  Stopwatch,
  waitFinished,
} from "./timer_fixture.ts";

const LONG = 60_000;
const SOON = { timeout: 10_000 };

Deno.test("Timer runs its function once, after the time", async () => {
  const n = new SharedNumber(0);
  const timer = new Timer(100, count, [n]);
  const start = performance.now();
  timer.start();
  assert(timer.isAlive());
  assertEquals(await timer.join(SOON), 1);
  assert(performance.now() - start >= 99);
  assertEquals(n.value, 1);
  assert(timer.finished.isSet());
});

Deno.test("Timer passes arguments, needs none", () => {
  const two = new Timer(0, greet, ["Alan", "Kevin"]);
  const none = new Timer(0, greet);
  two.start();
  none.start();
  assertEquals(two.joinSync(SOON), "Hello Alan and Kevin");
  assertEquals(none.joinSync(SOON), "Hello ");
});

Deno.test("Timer awaits an async function", async () => {
  const timer = new Timer(1, greetLater, ["skein"]);
  timer.start();
  assertEquals(await timer.join(SOON), "Hello skein");
});

Deno.test("Timer join() throws what the function threw", async () => {
  setExcepthook(() => {});
  try {
    const timer = new Timer(1, explode);
    timer.start();
    await assertRejects(() => timer.join(SOON), RangeError, "boom");
    assert(timer.finished.isSet());
  } finally {
    setExcepthook(undefined);
  }
});

Deno.test("Timer.cancel() ends the thread at once", () => {
  const n = new SharedNumber(0);
  const timer = new Timer(LONG, count, [n]);
  timer.start();
  sleepSync(20);
  timer.cancel();
  assertEquals(timer.joinSync(SOON), undefined);
  assertEquals(n.value, 0);
});

Deno.test("Timer.cancel() before start()", () => {
  const timer = new Timer(LONG, greet, []);
  timer.cancel();
  timer.start();
  assertEquals(timer.joinSync(SOON), undefined);
});

Deno.test("Timer.cancel() from another thread", () => {
  for (let i = 0; i < 10; i++) {
    const timer = new Timer(LONG, greet, []);
    const canceller = new Thread({ target: cancel, args: [timer] });
    timer.start();
    canceller.start();
    assertEquals(canceller.joinSync(SOON), true);
    assertEquals(timer.joinSync(SOON), undefined);
  }
});

Deno.test("Timer.cancel() comes too late for a function that runs", () => {
  const n = new SharedNumber(0);
  const timer = new Timer(0, slow, [n]);
  timer.start();
  while (n.value === 0) sleepSync(1);
  timer.cancel();
  assertEquals(timer.joinSync(SOON), "ran to its end");
});

Deno.test("Timer.cancel() after the end, twice, from the timer itself", () => {
  const timer = new Timer(0, cancelOneself);
  timer.start();
  assertEquals(timer.joinSync(SOON), "still here");
  timer.cancel();
  timer.cancel();
});

Deno.test("Timer.finished can be waited for in another thread", () => {
  const timer = new Timer(50, greet, ["x"]);
  const waiter = new Thread({ target: waitFinished, args: [timer] });
  timer.start();
  waiter.start();
  assertEquals(waiter.joinSync(SOON), true);
  timer.joinSync(SOON);
});

Deno.test("Timer can be subclassed", () => {
  const watch = new Stopwatch(1, greet, ["you"] as never);
  watch.start();
  assertEquals(watch.joinSync(SOON), "Hello you");
  assertEquals(watch.began, 1);
  assert(watch.finished.isSet());
  watch.cancel();
});

Deno.test("Timer is a Thread: starts once, can be terminated", () => {
  const timer = new Timer(LONG, greet, []);
  assertInstanceOf(timer, Thread);
  assert(!timer.daemon);
  timer.start();
  assertThrows(() => timer.start(), ThreadingError, "started before");
  timer.terminate();
  assertThrows(() => timer.joinSync(SOON), ThreadingError, "terminated");
});

Deno.test("Timer checks what it is given", () => {
  const wrong = (...args: unknown[]) => () =>
    Reflect.construct(Timer, args) as Timer;
  assertThrows(wrong("1", greet), TypeError, '"1"');
  assertThrows(wrong(-1, greet), RangeError, "-1");
  assertThrows(wrong(Infinity, greet), RangeError, "Infinity");
  assertThrows(wrong(1, "greet"), TypeError, '"greet"');
  assertThrows(wrong(1, greet, "args"), TypeError, '"args"');
  assertThrows(() => new Timer(1, () => {}).start(), NotSendableError);
});
