import { assert, assertEquals, assertThrows } from "@std/assert";
import { signalTest as test } from "../platform.ts";
import {
  alarm,
  getitimer,
  ITIMER_REAL,
  pause,
  setitimer,
  SIG_DFL,
  signal,
  Signals,
  sigwait,
  sleep,
} from "../../signal/mod.ts";

test("alarm() says how many seconds were left, and 0 cancels", () => {
  // A handler, so that no time is lost with starting the keeper.
  signal("SIGALRM", () => {});
  assertEquals(alarm(0), 0);
  assertEquals(alarm(10), 0);
  assertEquals(alarm(3), 10);
  assertEquals(alarm(0.9), 3);
  assertEquals(alarm(0), 1);
  assertEquals(alarm(0), 0);
  signal("SIGALRM", SIG_DFL);
});

test("alarm() cuts a sleep", async () => {
  const got: number[] = [];
  signal("SIGALRM", (signum) => got.push(signum));
  const start = performance.now();
  alarm(0.1);
  const left = await sleep(200_000);
  assert(left < 199_901 && performance.now() - start >= 99);
  assertEquals(got, [Signals.SIGALRM]);
  assertEquals(alarm(0), 0);
  signal("SIGALRM", SIG_DFL);
});

test("alarm() can be set again in its own handler", async () => {
  let rings = 0;
  signal("SIGALRM", () => {
    if (++rings < 4) alarm(0.01);
  });
  alarm(0.01);
  while (rings < 4) await pause();
  assertEquals(await sleep(50), 0);
  assertEquals(rings, 4);
  signal("SIGALRM", SIG_DFL);
});

test("alarm() replaces the one before", async () => {
  let rings = 0;
  signal("SIGALRM", () => rings++);
  alarm(0.02);
  alarm(0.06);
  await pause();
  assertEquals(await sleep(60), 0);
  assertEquals(rings, 1);
  signal("SIGALRM", SIG_DFL);
});

test("alarm() is what sigwait() may wait for", async () => {
  const got = sigwait(["SIGALRM"]);
  alarm(0.01);
  assertEquals(await got, Signals.SIGALRM);
});

test("alarm() refuses bad times", () => {
  for (const seconds of [-1, NaN, Infinity, 2_147_484]) {
    assertThrows(() => alarm(seconds), RangeError, `received ${seconds}`);
  }
  for (const seconds of ["2", undefined, null]) {
    assertThrows(
      () => alarm(seconds as unknown as number),
      TypeError,
      "seconds must be",
    );
  }
  assertEquals(alarm(0), 0);
});

test("setitimer() strikes again and again", async () => {
  let ticks = 0;
  signal("SIGALRM", () => ticks++);
  const start = performance.now();
  assertEquals(setitimer(ITIMER_REAL, 30, 10), { value: 0, interval: 0 });
  while (ticks < 4) await pause();
  assert(performance.now() - start >= 59);
  const { value, interval } = setitimer(ITIMER_REAL, 0);
  assert(value > 0 && value <= 10);
  assertEquals(interval, 10);
  const seen = ticks;
  await sleep(40);
  assert(ticks <= seen + 1);
  signal("SIGALRM", SIG_DFL);
});

test("setitimer() and alarm() set the same timer", () => {
  signal("SIGALRM", () => {});
  setitimer(ITIMER_REAL, 5000, 1000);
  assertEquals(alarm(20), 5);
  const { value, interval } = getitimer(ITIMER_REAL);
  assert(value > 19_000 && value <= 20_000);
  assertEquals(interval, 0);
  assert(setitimer(ITIMER_REAL, 0, 10).value > 19_000);
  assertEquals(getitimer(ITIMER_REAL), { value: 0, interval: 0 });
  signal("SIGALRM", SIG_DFL);
});

test("setitimer() and getitimer() refuse bad arguments", () => {
  const virtual = 1 as typeof ITIMER_REAL;
  assertThrows(() => setitimer(virtual, 1), RangeError, "received 1");
  assertThrows(() => getitimer(virtual), RangeError, "only ITIMER_REAL");
  assertThrows(() => setitimer(ITIMER_REAL, -1), RangeError, "value");
  assertThrows(() => setitimer(ITIMER_REAL, 1, NaN), RangeError, "interval");
  assertThrows(
    () => setitimer(ITIMER_REAL, "1" as unknown as number),
    TypeError,
  );
});
