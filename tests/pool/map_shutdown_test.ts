import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ThreadPool } from "../../pool/mod.ts";
import { ShutDown } from "../../queue/mod.ts";
import {
  enumerate,
  Event,
  setExcepthook,
  SharedNumber,
  sleepSync,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { assertHeapBackTo, settleHeap } from "../threading/heap_words.ts";
import { randomFrom, SEED, STRESS } from "../threading/shared_support.ts";
import * as fixture from "./map_shutdown_fixture.ts";
import { LONG, until } from "./support.ts";

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);

/** Has a map give many items to one task, since they took no time before. */
async function learn<T>(fn: (item: T) => unknown, quick: T): Promise<void> {
  await using pool = new ThreadPool({ size: 1 });
  await Array.fromAsync(pool.map(fn, numbers(5000).map(() => quick)));
}

Deno.test("ThreadPool.map() does the items that a pool had before it was shut down", async () => {
  for (const fn of [fixture.spin, fixture.spinLater]) {
    for (const size of [1, 2]) {
      for (const ordered of [true, false]) {
        const pool = new ThreadPool({ size });
        await learn(fn, 0);
        const slow = numbers(40).map((i) => 2 + i / 1000);
        const results = pool.map(fn, slow.values(), { ordered });
        const seen = [(await results.next()).value];
        // One task has had them all, and has left some by now.
        assert(pool.stats().completed >= 1);
        const end = pool.shutdown({ timeout: LONG });
        for await (const ms of results) seen.push(ms);
        assertEquals(seen.toSorted((a, b) => a - b), slow);
        if (ordered) assertEquals(seen, slow);
        await end;
        const { workers, pending, running } = pool.stats();
        assertEquals([workers, pending, running], [0, 0, 0]);
      }
    }
  }
});

Deno.test("ThreadPool.mapSync() does the items that a pool had before it was shut down", async () => {
  for (const fn of [fixture.spin, fixture.spinLater]) {
    for (const ordered of [true, false]) {
      const pool = new ThreadPool({ size: 2 });
      await learn(fn, 0);
      const slow = numbers(40).map((i) => 2 + i / 1000);
      const results = pool.mapSync(fn, slow.values(), { ordered });
      const seen = [results.next().value];
      const end = pool.shutdown({ timeout: LONG });
      for (const ms of results) seen.push(ms);
      assertEquals(seen.toSorted((a, b) => a - b), slow);
      await end;
    }
  }
});

Deno.test("ThreadPool.map() in a task does the items that its pool had before it was shut down", async () => {
  const expected = numbers(40).map((i) => 2 + i / 1000);
  for (const size of [1, 2]) {
    for (const blocks of [true, false]) {
      const pool = new ThreadPool({ size, maxPending: 2 });
      const ready = new Event();
      const args = [pool, blocks, ready] as const;
      const seen = pool.run(fixture.mapsWithin, args);
      await ready.wait({ timeout: LONG });
      const end = pool.shutdown({ timeout: LONG });
      assertEquals(await seen, expected);
      await end;
    }
  }
});

Deno.test("ThreadPool.map() of a pool that is shut down gives what it has before it throws", async () => {
  for (const form of ["map", "mapSync"] as const) {
    const pool = new ThreadPool({ size: 1 });
    let taken = 0;
    let isClosed = false;
    const endless = function* () {
      try {
        for (;;) {
          if (taken === 5) pool.shutdown();
          yield taken++;
        }
      } finally {
        isClosed = true;
      }
    };
    const seen: number[] = [];
    const see = (n: number) => seen.push(n);
    const options = { chunk: 1 };
    if (form === "map") {
      const results = pool.map(fixture.same, endless(), options);
      await assertRejects(async () => {
        for await (const n of results) see(n);
      }, ShutDown);
    } else {
      const results = pool.mapSync(fixture.same, endless(), options);
      assertThrows(() => {
        for (const n of results) see(n);
      }, ShutDown);
    }
    assertEquals([seen, taken, isClosed], [numbers(5), 6, true], form);
    await pool.shutdown({ timeout: LONG });
  }
});

Deno.test("ThreadPool.map() that is left does not begin what its tasks have left to others", async () => {
  for (const form of ["map", "mapSync"] as const) {
    for (const ordered of [true, false]) {
      await using pool = new ThreadPool({ size: 2 });
      const begun = new SharedNumber(0);
      await learn(fixture.count, [begun, 0] as const);
      begun.value = 0;
      let at = 0;
      const items = numbers(400).map(() => [begun, 10] as const);
      const options = { ordered };
      if (form === "map") {
        const results = pool.map(fixture.count, items.values(), options);
        for await (const _ of results) {
          // Some end meanwhile, and nobody has seen what they have left.
          await new Promise((resolve) => setTimeout(resolve, 100));
          at = begun.value;
          break;
        }
      } else {
        const results = pool.mapSync(fixture.count, items.values(), options);
        for (const _ of results) {
          sleepSync(100);
          at = begun.value;
          break;
        }
      }
      await until(() => pool.stats().pending + pool.stats().running === 0);
      assert(begun.value < at + 100, `${form}: ${at} ${begun.value}`);
    }
  }
});

Deno.test("ThreadPool.map() keeps a pool that nobody else has", async () => {
  const items = async function* () {
    for (const n of numbers(3)) {
      await settleHeap();
      await new Promise((resolve) => setTimeout(resolve, 20));
      yield n;
    }
  };
  const results = new ThreadPool({ size: 1, idleTimeout: 5 })
    .map(fixture.same, items());
  assertEquals(await Array.fromAsync(results), numbers(3));
});

Deno.test("ThreadPool.map() and mapSync() throw if their pool is freed meanwhile", async () => {
  const pool = new ThreadPool({ size: 1 });
  function* items() {
    yield 1;
    pool.free();
    yield 2;
  }
  const options = { chunk: 1, ahead: 1 };
  const results = pool.map(fixture.same, items(), options);
  await assertRejects(
    () => Array.fromAsync(results),
    ThreadingError,
    "given back",
  );
});

/** Some maps at once on a pool that is shut down while they go on. */
async function round(pick: (below: number) => number): Promise<void> {
  const isUnlimited = pick(2) === 0;
  const pool = new ThreadPool({
    size: 1 + pick(3),
    name: "Mapped",
    maxPending: isUnlimited ? Infinity : 1 + pick(4),
    idleTimeout: pick(2) ? 1 : 1000,
  });
  const kills = pick(3) === 0;
  const fn = pick(2) ? fixture.spin : fixture.spinLater;
  await learn(fn, 0);
  let isShutDown = false;
  const maps = numbers(1 + pick(3)).map(async () => {
    const items = numbers(20 + pick(40)).map((i) => pick(3) + i / 1000);
    /** Whether the pool had all of them before it was shut down. */
    let isAccepted = false;
    function* source() {
      yield* items;
      isAccepted = !isShutDown && isUnlimited;
    }
    const ordered = pick(2) === 0;
    const most = pick(4) === 0 ? pick(items.length) : Infinity;
    const seen: number[] = [];
    let isRefused = false;
    try {
      for await (const ms of pool.map(fn, source(), { ordered })) {
        seen.push(ms);
        if (seen.length > most) return;
      }
    } catch (error) {
      if (kills && error instanceof ThreadingError) return;
      if (!(error instanceof ShutDown)) throw error;
      isRefused = true;
    }
    assert(!(isRefused && isAccepted), "refused what it had");
    if (!ordered) seen.sort((a, b) => a % 1 - b % 1);
    assertEquals(seen, isRefused ? items.slice(0, seen.length) : items);
  });
  const end = async () => {
    for (let step = 1 + pick(20); step > 0; step--) {
      await new Promise((resolve) => setTimeout(resolve, pick(5)));
      const workers = enumerate().filter(({ name }) => name === "Mapped-1");
      if (kills) { for (const worker of workers) worker.terminate(); }
    }
    isShutDown = true;
    await pool.shutdown({ timeout: LONG });
  };
  // A thread that is killed while it maps leaves nothing behind, either.
  const thread = new Thread({ target: fixture.maps, args: [pool, 30] });
  thread.start();
  await Promise.all([end(), ...maps]);
  thread.terminate();
  await thread.join({ timeout: LONG }).catch(() => {});
  thread.free();
  const { workers, pending, running } = pool.stats();
  assertEquals([workers, pending, running], [0, 0, 0]);
  pool.free();
}

Deno.test("ThreadPool.map() under stress does what the pool had before it was shut down", async () => {
  setExcepthook(() => {});
  const pick = randomFrom(SEED);
  try {
    await round(pick);
    const heap = await settleHeap();
    for (let i = 0; i < 6 * STRESS; i++) await round(pick);
    await assertHeapBackTo(heap, 400);
  } catch (error) {
    console.error(`SKEIN_SEED=${SEED}`);
    throw error;
  } finally {
    setExcepthook(undefined);
  }
});
