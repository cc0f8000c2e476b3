import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { NotSendableError, ThreadingError } from "../../threading/errors.ts";
import { SharedMap } from "../../threading/shared/map.ts";
import { SharedNumber } from "../../threading/shared/numbers.ts";
import { Thread } from "../../threading/thread.ts";
import {
  churn,
  copyForEver,
  count,
  getSlowly,
  getSlowlyAsync,
  grab,
  leaveUpdating,
  makeForEver,
  raise,
} from "./shared_map_fixture.ts";
import { assertKeepsHeap, settleHeap } from "./heap_words.ts";
import {
  heapWords,
  randomFrom,
  SEED,
  STRESS,
  waitFor,
} from "./shared_support.ts";

const delay = (ms: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, ms));

Deno.test("SharedMap has a Map's methods", () => {
  const map = new SharedMap<string, number>([["a", 1], ["b", 2]]);
  assertEquals(map.size(), 2);
  assertEquals(map.get("a"), 1);
  assertEquals(map.get("c"), undefined);
  assert(map.has("b"));
  assert(!map.has("c"));
  assertStrictEquals(map.set("c", 3), map);
  assert(map.delete("a"));
  assert(!map.delete("a"));
  map.set("a", 4).set("b", 5);
  assertEquals([...map], [["b", 5], ["c", 3], ["a", 4]]);
  assertEquals([...map.keys()], ["b", "c", "a"]);
  assertEquals([...map.values()], [5, 3, 4]);
  map.clear();
  assertEquals(map.size(), 0);
  assertEquals([...map.entries()], []);
});

Deno.test("SharedMap has the types of its keys and values", () => {
  const map = new SharedMap<string, number>();
  const wrong = () => {
    // @ts-expect-error a key of another type
    map.get(1);
    // @ts-expect-error a value of another type
    map.set("a", "b");
    // @ts-expect-error the blocking form takes no promise
    map.updateSync("a", () => Promise.resolve(1));
    // @ts-expect-error the function makes another type
    map.getOrCreateSync("a", () => "b");
    // @ts-expect-error a map of other values
    const other: SharedMap<string, string> = map;
    return other;
  };
  assertEquals(typeof wrong, "function");
});

Deno.test("SharedMap compares primitive keys as Map does", () => {
  const keys = [
    ...[0, 1, -1, 0.5, 2 ** 31, -(2 ** 31), 2 ** 53, NaN, Infinity, -Infinity],
    ...[1n, -1n, 2n ** 64n, true, false, null, undefined],
    ...["", "1", "é", "\ud800", "x".repeat(100), "true"],
  ];
  const map = new SharedMap<unknown, unknown>();
  for (const key of keys) map.set(key, [key]);
  assertEquals(map.size(), keys.length);
  for (const key of keys) assertEquals(map.get(key), [key]);
  assertEquals(map.get(-0), [0]);
  assertEquals(map.set(-0, "zero").get(0), "zero");
  assert(Object.is([...map.keys()][0], 0));
  assertEquals(map.size(), keys.length);
});

Deno.test("SharedMap compares objects by content, skein's by identity", () => {
  const map = new SharedMap<unknown, string>();
  map.set([1, "a"], "array").set({ x: 1, y: [2] }, "object");
  assertEquals(map.get([1, "a"]), "array");
  assertEquals(map.get([1, "b"]), undefined);
  assertEquals(map.get({ x: 1, y: [2] }), "object");
  const a = new SharedMap();
  const b = new SharedMap();
  map.set(a, "a").set(b, "b");
  assertEquals([map.get(a), map.get(b)], ["a", "b"]);
  assertEquals([...map.keys()].indexOf(a), 2);
});

Deno.test("SharedMap keeps copies and shares skein's objects", () => {
  const value = { list: [1] };
  const map = new SharedMap<string, unknown>([["a", value]]);
  value.list.push(2);
  assertEquals(map.get("a"), { list: [1] });
  map.set("map", { map });
  assertStrictEquals((map.get("map") as { map: unknown }).map, map);
});

Deno.test("SharedMap: what cannot be sent changes nothing", () => {
  const map = new SharedMap<unknown, unknown>([["a", 1]]);
  const before = heapWords();
  const wrong = () => {};
  assertThrows(() => map.set("a", wrong), NotSendableError);
  assertThrows(() => map.set(wrong, 1), NotSendableError);
  assertThrows(() => map.get(wrong), NotSendableError);
  assertThrows(() => map.has(wrong), NotSendableError);
  assertThrows(() => map.delete(wrong), NotSendableError);
  assertThrows(() => map.updateSync("b", () => wrong), NotSendableError);
  assertThrows(() => map.updateSync(wrong, () => 1), NotSendableError);
  assertThrows(
    () => map.updateSync("b", () => Promise.resolve()),
    NotSendableError,
  );
  assertEquals([...map], [["a", 1]]);
  assertEquals(heapWords(), before);
});

Deno.test("SharedMap iterates over what is there at the time", () => {
  const map = new SharedMap<number, string>([[1, "a"], [2, "b"], [3, "c"]]);
  const seen: number[] = [];
  for (const [key] of map) {
    seen.push(key);
    if (key === 1) {
      map.delete(1);
      map.delete(2);
      map.set(4, "d");
      map.set(1, "again");
    }
  }
  assertEquals(seen, [1, 3, 4, 1]);
  for (const key of map.keys()) map.delete(key);
  assertEquals(map.size(), 0);
});

Deno.test(`SharedMap does what a Map does (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  const before = heapWords();
  const map = new SharedMap<unknown, unknown>();
  const model = new Map<unknown, unknown>();
  for (let i = 0; i < 5000 * STRESS; i++) {
    const n = random(400);
    const key = [n, n / 2, `key ${n}`, BigInt(n)][random(4)];
    const value = [i, i / 2, `value ${i}`, { i }, undefined][random(5)];
    switch (random(9)) {
      case 0:
      case 1:
      case 2:
        map.set(key, value);
        model.set(key, value);
        break;
      case 3:
      case 4:
        assertEquals(map.delete(key), model.delete(key));
        break;
      case 5:
        assertEquals(map.has(key), model.has(key));
        break;
      case 6:
        assertEquals(map.get(key), model.get(key));
        break;
      case 7:
        map.updateSync(key, (old) => [typeof old]);
        model.set(key, [typeof model.get(key)]);
        break;
      case 8:
        map.getOrCreateSync(key, () => value);
        if (!model.has(key)) model.set(key, value);
    }
    if (random(1000) === 0) {
      map.clear();
      model.clear();
    }
    assertEquals(map.size(), model.size);
  }
  assertEquals([...map], [...model]);
  map.free();
  assertEquals(heapWords(), before);
});

Deno.test("SharedMap: a steady load leaves memory flat", () => {
  const map = new SharedMap<string, unknown>();
  const before = heapWords();
  for (let i = 0; i < 30_000; i++) {
    map.set(`key ${i}`, { i });
    map.updateSync(`key ${i}`, () => i);
    map.getOrCreateSync(`other ${i}`, () => i);
    map.delete(`other ${i}`);
    if (i >= 100) map.delete(`key ${i - 100}`);
  }
  map.clear();
  assertEquals(heapWords(), before);
});

Deno.test("SharedMap.update() and updateSync() return the new value", async () => {
  const map = new SharedMap([["a", 1]]);
  assertEquals(map.updateSync("a", (n = 0) => n + 1), 2);
  assertEquals(await map.update("a", (n = 0) => Promise.resolve(n + 1)), 3);
  assertEquals(map.updateSync("b", (n = 10) => n + 1), 11);
  assertEquals([...map], [["a", 3], ["b", 11]]);
});

Deno.test("SharedMap.update() leaves the value if the function throws", async () => {
  const map = new SharedMap([["a", 1]]);
  const before = heapWords();
  const fail = () => {
    throw new Error("no");
  };
  for (const key of ["a", "b"]) {
    assertThrows(() => map.updateSync(key, fail), Error, "no");
    await assertRejects(() => map.update(key, fail), Error, "no");
    await assertRejects(
      () => map.update(key, () => Promise.reject(new Error("no"))),
      Error,
      "no",
    );
  }
  assertEquals([...map], [["a", 1]]);
  assertEquals(heapWords(), before);
});

Deno.test("SharedMap.update() goes one at a time through async functions", async () => {
  const map = new SharedMap<string, number>();
  const before = heapWords();
  await Promise.all(
    Array.from({ length: 50 }, () =>
      map.update("a", async (n = 0) => {
        await Promise.resolve();
        return n + 1;
      })),
  );
  assertEquals(map.get("a"), 50);
  map.clear();
  assertEquals(heapWords(), before);
});

Deno.test("SharedMap.update() waits, for as long as it is told to", async () => {
  const map = new SharedMap<string, number>();
  const gate = Promise.withResolvers<number>();
  const slow = map.update("a", () => gate.promise);
  const timedOut = await assertRejects(
    () => map.update("a", () => 2, { timeout: 5 }),
    DOMException,
  );
  assertEquals(timedOut.name, "TimeoutError");
  const controller = new AbortController();
  const aborted = map.getOrCreate("a", () => 2, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  assertEquals(await map.update("b", () => 3), 3);
  const next = map.update("a", (n = 0) => n + 1);
  gate.resolve(1);
  assertEquals([await slow, await next], [1, 2]);
});

Deno.test("SharedMap refuses a wrong function, timeout or signal", async () => {
  const map = new SharedMap<string, number>();
  const wrong = 1 as unknown as () => number;
  assertThrows(() => map.updateSync("a", wrong), TypeError, "received 1");
  assertThrows(() => map.getOrCreateSync("a", wrong), TypeError, "received 1");
  await assertRejects(() => map.update("a", wrong), TypeError, "received 1");
  assertThrows(
    () => map.updateSync("a", () => 1, { timeout: -1 }),
    RangeError,
    "-1",
  );
  const signal = AbortSignal.abort(new Error("before"));
  await assertRejects(
    () => map.update("a", () => 1, { signal }),
    Error,
    "before",
  );
  assertEquals(map.size(), 0);
});

Deno.test("SharedMap.set() and delete() do not wait for an update, and win", async () => {
  const map = new SharedMap([["a", 1], ["b", 1]]);
  const gate = Promise.withResolvers<number>();
  const updates = ["a", "b"].map((key) => map.update(key, () => gate.promise));
  const made = map.getOrCreate("c", () => gate.promise);
  await delay(1); // until the functions run
  map.set("a", 7);
  assert(map.delete("b"));
  assert(!map.delete("c"));
  map.set("c", 9);
  gate.resolve(2);
  assertEquals(await Promise.all(updates), [2, 2]);
  assertEquals(await made, 9);
  assertEquals([...map], [["a", 7], ["c", 9]]);
});

Deno.test("SharedMap: blocking for a key this thread is making throws at once", async () => {
  const map = new SharedMap<string, number>();
  const again = () => map.updateSync("a", () => 1);
  assertThrows(() => map.updateSync("a", again), ThreadingError, "itself");
  assertThrows(() => map.getOrCreateSync("a", again), ThreadingError, "itself");
  const gate = Promise.withResolvers<number>();
  const slow = map.getOrCreate("a", () => gate.promise);
  await Promise.resolve();
  assertThrows(again, ThreadingError, "itself");
  gate.resolve(5);
  assertEquals(await slow, 5);
  assertEquals(map.updateSync("b", () => map.updateSync("c", () => 1)), 1);
});

Deno.test("SharedMap.update() outlives the handle it was called on", async () => {
  const before = heapWords();
  const map = new SharedMap<string, number>();
  map.updateSync("a", () => {
    map.free();
    return 1;
  });
  await delay(0);
  assert(heapWords() <= before);
});

Deno.test("SharedMap.getOrCreate() makes a value once for many tasks", async () => {
  const map = new SharedMap<string, number>();
  let made = 0;
  const values = await Promise.all(
    Array.from({ length: 20 }, () =>
      map.getOrCreate("a", async (key) => {
        assertEquals(key, "a");
        await delay(2);
        return ++made;
      })),
  );
  assertEquals(values, Array(20).fill(1));
});

Deno.test("SharedMap.getOrCreate() that fails lets the next one try", async () => {
  const map = new SharedMap<string, number>();
  let tries = 0;
  const results = await Promise.allSettled(
    Array.from({ length: 5 }, () =>
      map.getOrCreate("a", async () => {
        await delay(1);
        if (++tries < 3) throw new Error(`try ${tries}`);
        return tries;
      })),
  );
  const failed = results.filter(({ status }) => status === "rejected");
  assertEquals(failed.length, 2);
  assertEquals([tries, map.get("a")], [3, 3]);
});

for (const [form, target] of Object.entries({ getSlowly, getSlowlyAsync })) {
  Deno.test(`SharedMap: threads that ${form} make it once`, async () => {
    const cache = new SharedMap<string, number>();
    const made = new SharedNumber();
    const threads = Array.from(
      { length: 5 },
      () => new Thread({ target, args: [cache, made, "a"] }),
    );
    threads.forEach((thread) => thread.start());
    const own = await cache.getOrCreate("a", () => made.add());
    for (const thread of threads) assertEquals(await thread.join(), own);
    assertEquals(made.value, 1);
  });
}

Deno.test("SharedMap: when the thread dies that makes a value, the next one does", async () => {
  const cache = new SharedMap<string, number>();
  const begun = new SharedNumber();
  const made = new SharedNumber();
  const maker = new Thread({
    target: makeForEver,
    args: [cache, begun, "a"],
    daemon: true,
  });
  maker.start();
  waitFor(() => begun.value === 1);
  const waiters = [getSlowly, getSlowlyAsync].map((target) =>
    new Thread({ target, args: [cache, made, "a"] })
  );
  waiters.forEach((thread) => thread.start());
  const own = cache.update("b", () => 1);
  await delay(20);
  maker.terminate();
  for (const thread of waiters) assertEquals(await thread.join(), 1);
  assertEquals(await own, 1);
  assertEquals([...cache], [["b", 1], ["a", 1]]);
});

Deno.test("SharedMap: the main thread, blocked, takes over from a dead one", async () => {
  const cache = new SharedMap<string, number>();
  const begun = new SharedNumber();
  const maker = new Thread({
    target: makeForEver,
    args: [cache, begun, "a"],
    daemon: true,
  });
  maker.start();
  waitFor(() => begun.value === 1);
  maker.terminate();
  assertEquals(cache.getOrCreateSync("a", () => 42), 42);
  await maker.join().catch(() => {});
});

Deno.test("SharedMap: an update that its thread left behind is given up", async () => {
  const map = new SharedMap([["key", 0]]);
  for (let i = 0; i < 10; i++) {
    const thread = new Thread({ target: leaveUpdating, args: [map] });
    thread.start();
    await thread.join();
    assertEquals(map.updateSync("key", (n = 0) => n + 1), i + 1);
  }
});

Deno.test(`SharedMap.update() of several threads loses nothing (seed ${SEED})`, async () => {
  const counts = new SharedMap<string, number>();
  const times = 2000 * STRESS;
  const threads = Array.from(
    { length: 4 },
    (_, i) => new Thread({ target: count, args: [counts, SEED + i, times] }),
  );
  threads.forEach((thread) => thread.start());
  for (const thread of threads) await thread.join();
  assertEquals([...counts.values()].reduce((a, b) => a + b), 4 * times);
});

Deno.test(`SharedMap keeps values with their keys under load (seed ${SEED})`, () => {
  const map = new SharedMap<unknown, unknown>();
  const turns = new SharedNumber();
  const before = heapWords();
  const threads = Array.from(
    { length: 4 },
    (_, i) =>
      new Thread({
        target: churn,
        args: [map, SEED + i, turns, 4000 * STRESS],
      }),
  );
  threads.forEach((thread) => thread.start());
  threads.forEach((thread) => thread.joinSync());
  const entries = [...map];
  assertEquals(entries.length, map.size());
  map.clear();
  threads.forEach((thread) => thread.free());
  assert(heapWords() <= before + 1000);
});

Deno.test(`SharedMap works on when threads are killed in the midst of it (seed ${SEED})`, async () => {
  const map = new SharedMap<unknown, unknown>();
  const turns = new SharedNumber();
  const random = randomFrom(SEED);
  const kill = async (times: number) => {
    for (let i = 0; i < times; i++) {
      const goal = turns.value + 50 + random(200);
      const pair = [1, 2].map((n) =>
        new Thread({
          target: churn,
          args: [map, SEED + 2 * i + n, turns, Infinity],
          daemon: true,
        })
      );
      pair.forEach((thread) => thread.start());
      waitFor(() => turns.value >= goal);
      for (const thread of pair) {
        thread.terminate();
        await thread.join().catch(() => {});
        thread.free();
      }
    }
    for (let i = 0; i < 20; i++) {
      map.updateSync(i, () => i, { timeout: 1000 });
      map.updateSync(`key ${i}`, () => i, { timeout: 1000 });
      map.updateSync([i], () => i, { timeout: 1000 });
    }
    assertEquals(map.size(), 60);
    map.clear();
    return await settleHeap();
  };
  const before = await kill(1);
  assert(await kill(5 * STRESS) <= before + 400);
});

Deno.test("SharedMap.setIfAbsent() gives a value to a key that has none", async () => {
  const map = new SharedMap<string, number | undefined>([["a", undefined]]);
  assert(!map.setIfAbsent("a", 1));
  assertEquals([...map], [["a", undefined]]);
  assert(map.setIfAbsent("b", 2));
  // While somebody makes the value, there is none yet, and this one stays.
  const made = map.getOrCreate("c", async () => {
    await delay(1);
    assert(map.setIfAbsent("c", 3));
    return 4;
  });
  assertEquals(await made, 3);
  assertEquals([...map], [["a", undefined], ["b", 2], ["c", 3]]);
});

Deno.test("SharedMap.deleteIf() takes a key out whose value passes", () => {
  const map = new SharedMap<string, unknown>([["a", 1], ["b", { n: 2 }]]);
  const seen: unknown[] = [];
  const test = (answer: boolean) => (value: unknown) => {
    seen.push(value);
    return answer;
  };
  assert(!map.deleteIf("c", test(true)));
  assert(!map.deleteIf("a", test(false)));
  assert(map.deleteIf("b", test(true)));
  assertEquals(seen, [1, { n: 2 }]);
  assertThrows(() =>
    map.deleteIf("a", () => {
      throw new RangeError("no");
    }), RangeError);
  assertEquals([...map], [["a", 1]]);
});

Deno.test("SharedMap.deleteIf() tests what the value is by then", () => {
  const map = new SharedMap<string, number>([["a", 1]]);
  const seen: number[] = [];
  const deleted = map.deleteIf("a", (value) => {
    seen.push(value);
    if (value < 3) map.set("a", value + 1);
    return true;
  });
  assert(deleted);
  assertEquals(seen, [1, 2, 3]);
  map.set("b", 1);
  assert(!map.deleteIf("b", () => map.delete("b")));
});

Deno.test("SharedMap.setIfAbsent() and deleteIf() serve each key once", async () => {
  const map = new SharedMap<number, number>();
  const threads = [1, 2, 3].map((me) =>
    new Thread({ target: grab, args: [map, me, 500 * STRESS] })
  );
  for (const thread of threads) thread.start();
  for (const thread of threads) {
    const [got, mine] = await thread.join();
    assertEquals(got, mine);
  }
  assertEquals(map.size(), 0);
});

Deno.test("SharedMap.update() takes a key out if its function says so", async () => {
  const map = new SharedMap<string, number>([["a", 1], ["b", 2]]);
  const value: number = map.updateSync("a", (n) => n! + 1);
  assertEquals(value, 2);
  const gone: number | undefined = map.updateSync("a", (_, remove) => remove);
  assertEquals(gone, undefined);
  assertEquals(
    await map.update("b", async (n, remove) => {
      await delay(1);
      return n === 2 ? remove : n!;
    }),
    undefined,
  );
  assertEquals(map.updateSync("none", (_, remove) => remove), undefined);
  assertEquals([...map], []);
  // A set that happens meanwhile is the later of the two.
  map.updateSync("c", (_, remove) => {
    map.set("c", 3);
    return remove;
  });
  assertEquals([...map], [["c", 3]]);
  assertEquals(await map.update("c", (n) => n! + 1), 4);
});

Deno.test("SharedMap.snapshot() is of one moment", async () => {
  const map = new SharedMap<string, string>();
  assertEquals(map.snapshot(), new Map());
  map.set("first", "the number is 0").set("second", "the number is 0");
  const stop = new SharedNumber(0);
  const thread = new Thread({ target: raise, args: [map, stop] });
  thread.start();
  waitFor(() => map.get("second") !== "the number is 0");
  for (let i = 0; i < 200; i++) {
    const copy = map.snapshot();
    const [first, second] = [...copy.values()].map((text) => +text.slice(14));
    assert(first === second || first === second + 1, `${first}, ${second}`);
  }
  stop.value = 1;
  const last = await thread.join();
  const copy = map.snapshot();
  assertEquals(copy.get("second"), `the number is ${last}`);
  map.clear();
  assertEquals(copy.size, 2);
});

Deno.test("SharedMap.snapshot() leaves nothing, also when its thread is killed", async () => {
  const map = new SharedMap<string, string>();
  for (let i = 0; i < 300; i++) map.set(`key number ${i}`, `value number ${i}`);
  const begun = new SharedNumber(0);
  const round = async (ms: number) => {
    const thread = new Thread({ target: copyForEver, args: [map, begun] });
    begun.value = 0;
    thread.start();
    waitFor(() => begun.value === 1);
    await delay(ms);
    thread.terminate();
    await thread.join().catch(() => {});
    thread.free();
    map.snapshot();
  };
  await assertKeepsHeap((i) => round(i % 4), { times: 6 * STRESS, slack: 200 });
  map.clear();
  assertEquals(map.snapshot().size, 0);
});
