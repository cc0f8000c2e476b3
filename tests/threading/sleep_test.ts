import { assert, assertThrows } from "@std/assert";
import { Semaphore, Thread, ThreadingError } from "../../threading/mod.ts";
import { sleepSync } from "../../threading/current_thread.ts";
import { sleeper } from "./sleep_fixture.ts";

Deno.test("sleepSync() blocks for as long as asked", () => {
  const start = performance.now();
  sleepSync(50);
  const passed = performance.now() - start;
  assert(passed >= 49 && passed < 1000, String(passed));
});

Deno.test("sleepSync() takes 0", () => sleepSync(0));

Deno.test("sleepSync() refuses what is no duration", () => {
  assertThrows(() => sleepSync("1" as unknown as number), TypeError, '"1"');
  assertThrows(() => sleepSync(-1), RangeError, "-1");
  assertThrows(() => sleepSync(NaN), RangeError, "NaN");
  assertThrows(() => sleepSync(Infinity), RangeError, "Infinity");
});

Deno.test("sleepSync() lets the other threads go on", () => {
  const awake = new Semaphore(0);
  const threads = [1, 2, 3, 4].map(() => {
    const thread = new Thread({ target: sleeper, args: [300, awake] });
    thread.start();
    return thread;
  });
  for (const _ of threads) awake.acquireSync();
  const start = performance.now();
  for (const thread of threads) thread.joinSync();
  assert(performance.now() - start < 1000);
});

Deno.test("sleepSync() ends when the thread is terminated", () => {
  const awake = new Semaphore(0);
  const thread = new Thread({ target: sleeper, args: [60_000, awake] });
  thread.start();
  awake.acquireSync();
  sleepSync(50);
  thread.terminate();
  assertThrows(
    () => thread.joinSync({ timeout: 5000 }),
    ThreadingError,
    "terminated",
  );
});
