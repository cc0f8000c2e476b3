import { assert, assertEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { signalTest as test } from "../platform.ts";
import {
  Event,
  setExcepthook,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import {
  alarm,
  getitimer,
  ITIMER_REAL,
  pause,
  raiseSignal,
  SIG_DFL,
  signal,
} from "../../signal/mod.ts";
import {
  compute,
  fail,
  failLater,
  handle,
  leave,
  look,
  pauser,
  ring,
  setAlarm,
  shutDown,
  sleeper,
  sleepInHandler,
} from "./thread_fixture.ts";

const LIMIT = { timeout: 10_000 };

function started<R>(target: (...args: Event[]) => R, ...args: Event[]) {
  const thread = new Thread({ target, args });
  thread.start();
  return thread;
}

test("signal() handles in the thread that has set it", async () => {
  const thread = started(handle);
  assertEquals(await thread.join(LIMIT), thread.name);
});

test("signal() in two threads: each is told", async () => {
  const told = Promise.withResolvers<void>();
  signal("SIGUSR2", () => told.resolve());
  const thread = started(handle);
  assertEquals(await thread.join(LIMIT), thread.name);
  await deadline(told.promise, LIMIT.timeout);
  signal("SIGUSR2", SIG_DFL);
});

test("sleep() and pause() of a thread end for another's handler", async () => {
  signal("SIGUSR2", () => {});
  const ready = [new Event(), new Event()];
  const asleep = started(sleeper, ready[0]);
  const paused = started(pauser, ready[1]);
  for (const event of ready) await event.wait(LIMIT);
  raiseSignal("SIGUSR2");
  const left = await asleep.join(LIMIT) as number;
  assert(left > 0 && left < 10_000);
  assertEquals(await paused.join(LIMIT), "over");
  signal("SIGUSR2", SIG_DFL);
});

test("alarm() cuts the sleep of a thread", async () => {
  const left = await started(ring).join(LIMIT) as number;
  assert(left > 0 && left < 10_000);
});

test("alarm() is the process's: a thread sees and replaces it", async () => {
  signal("SIGALRM", () => {});
  alarm(100);
  const thread = new Thread({ target: setAlarm, args: [50] });
  thread.start();
  assertEquals(await thread.join(LIMIT), 100);
  const { value } = getitimer(ITIMER_REAL);
  assert(value > 40_000 && value <= 50_000);
  assertEquals(alarm(0), 50);
  signal("SIGALRM", SIG_DFL);
});

test("alarm() outlives the thread that set it", async () => {
  signal("SIGALRM", () => {});
  const start = performance.now();
  const thread = new Thread({ target: setAlarm, args: [0.3] });
  thread.start();
  await thread.join(LIMIT);
  await pause(LIMIT);
  assert(performance.now() - start >= 299);
  assertEquals(alarm(0), 0);
  signal("SIGALRM", SIG_DFL);
});

test("alarm() of a thread strikes while the main thread is blocked", () => {
  const thread = started(ring);
  const left = thread.joinSync(LIMIT) as unknown as number;
  assert(left > 0 && left < 10_000);
});

test("signal() and pause() of a thread go with it", async () => {
  for (let i = 0; i < 3; i++) {
    await started(leave).join(LIMIT);
    // Runs in the same worker, which is idle now.
    assertEquals(await started(look).join(LIMIT), true);
  }
});

for (const target of [fail, failLater]) {
  test(`signal() with a handler that fails its thread: ${target.name}`, async () => {
    const told: unknown[] = [];
    setExcepthook(({ error }) => told.push(error));
    // The main thread is told of the signal as well, and goes on.
    let handled = 0;
    signal("SIGUSR2", () => handled++);
    const error = await assertRejects(
      () => started(target).join(LIMIT),
      RangeError,
      "in the handler of a thread",
    );
    assertEquals(told.map(String), [String(error)]);
    while (handled === 0) await pause({ timeout: 20 }).catch(() => {});
    const paused = pause(LIMIT);
    raiseSignal("SIGUSR2");
    await paused;
    assertEquals(handled, 2);
    signal("SIGUSR2", SIG_DFL);
    setExcepthook(undefined);
  });
}

test("onShutdown() is for the main thread", async () => {
  setExcepthook(() => {});
  await assertRejects(
    () => started(shutDown).join(LIMIT),
    ThreadingError,
    "only the main thread",
  );
});

test("pause() of the main thread ends for a thread's handler", async () => {
  const paused = pause(LIMIT);
  const thread = started(handle);
  await paused;
  assertEquals(await thread.join(LIMIT), thread.name);
});

test("sleep() in a handler goes on for another thread's handler of its signal", async () => {
  // Slower than the thread's, so that its notice comes when that sleeps.
  signal("SIGUSR2", () => compute(100));
  const ready = new Event();
  const thread = started(sleepInHandler, ready);
  await ready.wait(LIMIT);
  raiseSignal("SIGUSR2");
  assertEquals(await thread.join(LIMIT), 0);
  signal("SIGUSR2", SIG_DFL);
});
