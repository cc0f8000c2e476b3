import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { signalTest as test } from "../platform.ts";
import {
  abortOn,
  onShutdown,
  pause,
  raiseSignal,
  SIG_DFL,
  SIG_IGN,
  signal,
  SignalInterrupt,
  Signals,
  type Signum,
  sigwait,
  sleep,
} from "../../signal/mod.ts";

const soon = (fn: () => void) => setTimeout(fn, 10);

test("sleep() gives 0 after a full sleep", async () => {
  const start = performance.now();
  assertEquals(await sleep(30), 0);
  assert(performance.now() - start >= 29);
  assertEquals(await sleep(0), 0);
});

test("sleep() ends for a handled signal and says what was left", async () => {
  signal("SIGUSR2", () => {});
  soon(() => raiseSignal("SIGUSR2"));
  const left = await sleep(10_000);
  assert(left > 5000 && left < 10_000);
  signal("SIGUSR2", SIG_DFL);
});

test("sleep() and pause() go on for a signal that is ignored or taken", async () => {
  signal("SIGWINCH", SIG_IGN);
  soon(() => raiseSignal("SIGWINCH"));
  assertEquals(await sleep(60), 0);
  signal("SIGWINCH", SIG_DFL);
  signal("SIGUSR2", () => {});
  soon(() => raiseSignal("SIGUSR2"));
  const [taken, left] = await Promise.all([sigwait(["SIGUSR2"]), sleep(60)]);
  assertEquals([taken, left], [Signals.SIGUSR2, 0]);
  signal("SIGUSR2", SIG_DFL);
});

test("pause() ends for every waiter of the thread", async () => {
  const order: string[] = [];
  signal("SIGUSR2", () => order.push("handler"));
  soon(() => raiseSignal("SIGUSR2"));
  await Promise.all([
    pause().then(() => order.push("first")),
    pause().then(() => order.push("second")),
    sleep(10_000),
  ]);
  assertEquals(order, ["handler", "first", "second"]);
  signal("SIGUSR2", SIG_DFL);
});

test("pause() ends also when the handler throws", async () => {
  const errors: unknown[] = [];
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    errors.push(event.error);
  };
  addEventListener("error", onError);
  const error = new Error("thrown");
  signal("SIGUSR2", () => {
    throw error;
  });
  soon(() => raiseSignal("SIGUSR2"));
  await pause();
  assertEquals(errors, [error]);
  removeEventListener("error", onError);
  signal("SIGUSR2", SIG_DFL);
});

test("sigwait() takes the signal from the handler, while it waits", async () => {
  let handled = 0;
  signal("SIGUSR2", () => handled++);
  soon(() => raiseSignal("SIGUSR2"));
  assertEquals(await sigwait(["SIGWINCH", "SIGUSR2"]), Signals.SIGUSR2);
  assertEquals(handled, 0);
  soon(() => raiseSignal("SIGUSR2"));
  await pause();
  assertEquals(handled, 1);
  signal("SIGUSR2", SIG_DFL);
});

test("sigwait() gives a signal to all who wait for it", async () => {
  const signals = new Set<Signum>(["SIGUSR2"]);
  const all = Promise.all([sigwait(signals), sigwait([Signals.SIGUSR2!])]);
  raiseSignal("SIGUSR2");
  assertEquals(await all, [Signals.SIGUSR2, Signals.SIGUSR2]);
});

test("sigwait() refuses what it cannot wait for", async () => {
  await assertRejects(() => sigwait([]), RangeError, "at least one");
  await assertRejects(() => sigwait(["SIGKILL"]), TypeError, "SIGKILL");
  await assertRejects(() => sigwait([0]), RangeError, "received 0");
  await assertRejects(() => sigwait(14 as unknown as Signum[]), TypeError);
});

test("pause() and sigwait() stop when the timeout passes", async () => {
  for (const wait of [pause, sigwait.bind(null, ["SIGUSR2"])]) {
    const error = await assertRejects(
      () => wait({ timeout: 10 }),
      DOMException,
      "10 ms have passed",
    );
    assertEquals(error.name, "TimeoutError");
  }
});

test("pause(), sigwait(), sleep() stop when aborted", async () => {
  const reason = new Error("enough");
  for (
    const wait of [
      pause,
      sigwait.bind(null, ["SIGUSR2"]),
      sleep.bind(null, 10_000),
    ]
  ) {
    const controller = new AbortController();
    soon(() => controller.abort(reason));
    await assertRejects(() => wait(controller), Error, "enough");
    await assertRejects(() => wait(controller), Error, "enough");
  }
});

test("pause(), sigwait(), sleep() refuse bad times", async () => {
  for (const time of [-1, NaN, 2 ** 31]) {
    await assertRejects(() => pause({ timeout: time }), RangeError);
    await assertRejects(() => sigwait([14], { timeout: time }), RangeError);
    await assertRejects(() => sleep(time), RangeError);
  }
  const text = "10" as unknown as number;
  await assertRejects(() => pause({ timeout: text }), TypeError, '"10"');
  await assertRejects(() => sigwait([14], { timeout: text }), TypeError);
  await assertRejects(() => sleep(text), TypeError, 'received "10"');
});

test("abortOn() aborts with a SignalInterrupt, besides the handler", async () => {
  let handled = 0;
  signal("SIGUSR2", () => handled++);
  using signalled = abortOn("SIGWINCH", Signals.SIGUSR2!);
  assert(signalled instanceof AbortSignal && !signalled.aborted);
  soon(() => raiseSignal("SIGUSR2"));
  const error = await assertRejects(
    () => sigwait(["SIGHUP"], { signal: signalled }),
    SignalInterrupt,
    "SIGUSR2 was received",
  );
  assertInstanceOf(error, SignalInterrupt);
  assertEquals(error.signum, Signals.SIGUSR2);
  assertEquals(handled, 1);
  signal("SIGUSR2", SIG_DFL);
});

test("abortOn() disposed of is never aborted", async () => {
  signal("SIGUSR2", () => {});
  const signalled = abortOn("SIGUSR2");
  signalled[Symbol.dispose]();
  raiseSignal("SIGUSR2");
  await pause();
  assert(!signalled.aborted);
  signal("SIGUSR2", SIG_DFL);
});

test("abortOn() refuses what it cannot wait for", () => {
  assertThrows(() => abortOn(), RangeError, "at least one");
  assertThrows(() => abortOn("SIGUSR2", "SIGSTOP"), TypeError, "SIGSTOP");
  assertThrows(() => abortOn(999), RangeError, "received 999");
});

test("onShutdown() refuses bad arguments", () => {
  const nothing = () => {};
  assertThrows(
    () => onShutdown(undefined as unknown as () => void),
    TypeError,
    "received undefined",
  );
  assertThrows(
    () => onShutdown(nothing, { deadline: -1 }),
    RangeError,
    "received -1",
  );
  assertThrows(() => onShutdown(nothing, { signals: [] }), RangeError);
  assertThrows(
    () => onShutdown(nothing, { signals: ["SIGTERM", "SIGKILL"] }),
    TypeError,
    "SIGKILL",
  );
});
