import { assert, assertEquals } from "@std/assert";
import { type Future, ThreadPool } from "../../pool/mod.ts";
import {
  activeCount,
  enumerate,
  Event,
  setExcepthook,
  Thread,
} from "../../threading/mod.ts";
import { assertHeapBackTo, settleHeap } from "../threading/heap_words.ts";
import { randomFrom, SEED, STRESS } from "../threading/shared_support.ts";
import * as fixture from "./stress_fixture.ts";
import { LONG } from "./support.ts";

/** Everything at once, and then the end of the pool. */
async function round(pick: (below: number) => number): Promise<void> {
  const pool = new ThreadPool({
    size: 1 + pick(4),
    name: "Stress",
    maxPending: pick(2) ? Infinity : 5 + pick(20),
    idleTimeout: pick(3) === 0 ? 1 : 1000,
  });
  const event = new Event();
  const futures: Future<unknown>[] = [];
  const makers: (() => Future<unknown>)[] = [
    () => pool.submitNowait(fixture.quick, [1]),
    () => pool.submitNowait(fixture.object, [2]),
    () => pool.submitNowait(fixture.sleepy, [pick(3)]),
    () => pool.submitNowait(fixture.awaits, [pick(3)]),
    () => pool.submitNowait(fixture.fails, [3]),
    () => pool.submitNowait(fixture.dies, [], { attempts: 1 + pick(3) }),
    () => pool.submitNowait(fixture.computes, [], { timeout: 1 + pick(20) }),
    () =>
      pool.submitNowait(fixture.computes, [], {
        timeout: 1 + pick(10),
        grace: pick(10),
      }),
    () => pool.submitNowait(fixture.waits, [event]),
    () => pool.submitNowait(fixture.divides, [pool, 3]),
    () => pool.submitNowait(fixture.dividesLater, [pool, 3]),
  ];
  const threads = Array.from({ length: 2 }, () => {
    const thread = new Thread({ target: fixture.submits, args: [pool, 20] });
    thread.start();
    return thread;
  });
  for (let i = 0; i < 60; i++) {
    const what = pick(10);
    if (what < 7) {
      try {
        futures.push(makers[pick(makers.length)]());
      } catch (error) {
        assertEquals((error as Error).name, "Full");
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    } else if (what === 7 && futures.length > 0) {
      const grace = pick(2) ? undefined : pick(5);
      futures[pick(futures.length)].cancel(undefined, { grace });
    } else if (what === 8) {
      const workers = enumerate().filter(({ name }) =>
        name.startsWith("Stress-")
      );
      if (workers.length > 0) workers[pick(workers.length)].terminate();
    } else {
      await new Promise((resolve) => setTimeout(resolve, pick(3)));
    }
  }
  event.set();
  const cancelPending = pick(2) === 0;
  if (pick(2)) await pool.shutdown({ cancelPending, timeout: LONG });
  else pool.shutdownSync({ cancelPending, timeout: LONG });
  for (const future of futures) {
    assert(future.done(), "a future was not settled");
    await future.result().catch(() => {});
    future.free();
  }
  for (const thread of threads) {
    await thread.join({ timeout: LONG });
    thread.free();
  }
  const { workers, pending, running } = pool.stats();
  assertEquals([workers, pending, running], [0, 0, 0]);
  const stats = pool.stats();
  assert(stats.completed + stats.failed + stats.cancelled >= futures.length);
  event.free();
  pool.free();
}

Deno.test("ThreadPool under stress settles every future once and leaves nothing", async () => {
  setExcepthook(() => {});
  const pick = randomFrom(SEED);
  const before = activeCount();
  try {
    await round(pick);
    const heap = await settleHeap();
    for (let i = 0; i < 3 * STRESS; i++) await round(pick);
    assertEquals(activeCount(), before);
    await assertHeapBackTo(heap, 400);
  } catch (error) {
    console.error(`SKEIN_SEED=${SEED}`);
    throw error;
  } finally {
    setExcepthook(undefined);
  }
});
