import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  asCompleted,
  asCompletedSync,
  type Future,
  ThreadPool,
} from "../../pool/mod.ts";
import { Semaphore, Thread, ThreadingError } from "../../threading/mod.ts";
import * as fixture from "./completed_fixture.ts";

const COUNT = 5000;

/** Futures whose tasks end one by one, as often as the gate is opened. */
function gated(pool: ThreadPool, gate: Semaphore, n: number): Future<number>[] {
  return Array.from(
    { length: n },
    (_, i) => pool.submitNowait(fixture.pass, [gate, i]),
  );
}

Deno.test("asCompletedSync() takes no longer for each of many futures", () => {
  using pool = new ThreadPool({ size: 1 });
  const gate = new Semaphore(0);
  // Waiting for each by itself: what there and back cost on this machine now.
  const some = gated(pool, gate, COUNT / 5);
  const start = performance.now();
  for (const future of some) {
    gate.release();
    future.resultSync();
  }
  const alone = (performance.now() - start) * 5;
  for (const order of ["as submitted", "the last first"]) {
    const futures = gated(pool, gate, COUNT);
    if (order === "the last first") futures.reverse();
    const start = performance.now();
    gate.release();
    const seen: number[] = [];
    for (const future of asCompletedSync(futures)) {
      seen.push(future.resultSync());
      gate.release();
    }
    const took = performance.now() - start;
    assertEquals(seen, Array.from({ length: COUNT }, (_, i) => i));
    gate.acquireSync();
    assert(took < 8 * alone, `${order}: ${took} ms, alone ${alone} ms`);
  }
});

Deno.test("asCompleted() gives many futures as they end", async () => {
  await using pool = new ThreadPool({ size: 2 });
  const futures = Array.from(
    { length: COUNT },
    (_, i) => pool.submitNowait(fixture.same, [i]),
  );
  let sum = 0;
  for await (const future of asCompleted(futures)) {
    sum += future.resultNowait()!;
  }
  assertEquals(sum, COUNT * (COUNT - 1) / 2);
});

Deno.test("asCompletedSync() can wait for the same futures in several threads", async () => {
  await using pool = new ThreadPool({ size: 1 });
  const gate = new Semaphore(0);
  const futures = gated(pool, gate, 50);
  const threads = [1, 2, 3].map(() => {
    const thread = new Thread({ target: fixture.takeAll, args: [futures] });
    thread.start();
    return thread;
  });
  for (let i = 0; i < 50; i++) {
    await new Promise((resolve) => setTimeout(resolve, i % 5));
    gate.release();
  }
  for (const thread of threads) {
    assertEquals(await thread.join({ timeout: 60_000 }), 1225);
  }
});

Deno.test("asCompletedSync() throws if a future that it has left is freed", () => {
  using pool = new ThreadPool({ size: 1 });
  const gate = new Semaphore(0);
  const futures = gated(pool, gate, 3);
  gate.release();
  const ended = asCompletedSync(futures);
  assertEquals(ended.next().value, futures[0]);
  futures[2].free();
  assertThrows(() => ended.next(), ThreadingError, "free()");
  gate.release(2);
});
