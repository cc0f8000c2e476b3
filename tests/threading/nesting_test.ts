import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  enumerate,
  Lock,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { nothing } from "./thread_fixture.ts";
import {
  descend,
  descendAsync,
  startAndLeave,
  startAndSpin,
} from "./nesting_fixture.ts";
import { fixture, runDeno } from "./run_program.ts";

Deno.test("Thread starts threads of threads while the main thread is blocked", () => {
  const thread = new Thread({ target: descend, args: [4] });
  thread.start();
  assertEquals(thread.joinSync({ timeout: 30_000 }), 10);
});

Deno.test("Thread starts threads of threads in the promise form", async () => {
  const thread = new Thread({ target: descendAsync, args: [4] });
  thread.start();
  assertEquals(await thread.join({ timeout: 30_000 }), 10);
});

Deno.test("Thread starts threads of threads from both forms", async () => {
  for (const target of [descend, descendAsync]) {
    const thread = new Thread<number, [number]>({ target, args: [3] });
    thread.start();
    assertEquals(thread.joinSync({ timeout: 30_000 }), 6);
    const other = new Thread<number, [number]>({ target, args: [3] });
    other.start();
    assertEquals(await other.join({ timeout: 30_000 }), 6);
  }
});

Deno.test("Thread outlives the thread that started it", () => {
  const lock = new Lock().acquireSync();
  const middle = new Thread({ target: startAndLeave, args: [lock] });
  middle.start();
  const inner = middle.joinSync({ timeout: 10_000 });
  assert(!middle.isAlive());
  assert(inner.isAlive());
  lock.release();
  assertEquals(inner.joinSync({ timeout: 10_000 }), "outlived");
});

Deno.test("Thread outlives the thread that started it and was killed", async () => {
  const lock = new Lock().acquireSync();
  const ready = new Lock().acquireSync();
  const middle = new Thread({ target: startAndSpin, args: [lock, ready] });
  middle.start();
  ready.acquireSync({ timeout: 10_000 });
  middle.terminate();
  assertThrows(() => middle.joinSync({ timeout: 10_000 }), ThreadingError);
  const inner = enumerate().find((thread) => thread.name === "orphan")!;
  assert(inner.isAlive());
  lock.release();
  assertEquals(await inner.join({ timeout: 10_000 }), "outlived");
});

Deno.test("Thread starts many threads at once", () => {
  const threads = Array.from(
    { length: 20 },
    () => new Thread({ target: nothing }),
  );
  for (const thread of threads) thread.start();
  for (const thread of threads) thread.joinSync({ timeout: 30_000 });
});

Deno.test("Thread logs, imports and throws while the main thread is blocked", async () => {
  const { stdout, stderr } = await runDeno([
    "run",
    "-A",
    "--no-check",
    fixture("nesting_fixture.ts"),
  ]);
  assertEquals(stdout, "logged\nimported b 42\ntrue false\n", stderr);
});
