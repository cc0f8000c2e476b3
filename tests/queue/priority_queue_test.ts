import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Full, PriorityQueue } from "../../queue/mod.ts";
import { NotSendableError, sendable } from "../../threading/mod.ts";
import { checkHeap } from "../../threading/_memory/allocator.ts";

function drain<T>(queue: PriorityQueue<T>): T[] {
  const items: T[] = [];
  while (!queue.empty()) items.push(queue.getSync());
  return items;
}

function random(seed: number): () => number {
  return () => (seed = seed * 1103515245 + 12345 & 0x7fff_ffff) / 2 ** 31;
}

Deno.test("PriorityQueue gives the lowest number", () => {
  const queue = new PriorityQueue<number>();
  const numbers = [3, -0, 1e300, -Infinity, 2.5, 2, Infinity, -7];
  for (const n of numbers) queue.putSync(n);
  assertEquals(drain(queue), numbers.toSorted((a, b) => a - b));
});

Deno.test("PriorityQueue gives the lowest string", () => {
  const queue = new PriorityQueue<string>();
  const texts = ["spam", "", "spa", "sp", "egg", "spamm", "\uffff", "é", "spb"];
  for (const text of [...texts, "spam", "abc\0", "abcd"]) queue.putSync(text);
  assertEquals(
    drain(queue),
    [...texts, "spam", "abc\0", "abcd"].toSorted((a, b) => a < b ? -1 : 1),
  );
});

Deno.test("PriorityQueue compares tuples element by element", () => {
  const queue = new PriorityQueue<unknown[]>();
  const sorted = [
    [-1, "z"],
    [1],
    [1, 5],
    [1, 10, "a"],
    [1, 10, "b"],
    [1, 10, "b", [1]],
    [1, 10, "b", [1, 2]],
    [1, 10, "b", [2]],
    [2, "abc"],
    [2, "abcdef"],
    [2, "abd"],
  ];
  const next = random(1);
  for (let round = 0; round < 20; round++) {
    const shuffled = sorted.map((v) => ({ v, k: next() }))
      .toSorted((a, b) => a.k - b.k).map(({ v }) => v);
    for (const item of shuffled) queue.putSync(item);
    assertEquals(drain(queue), sorted);
  }
});

Deno.test("PriorityQueue is first-in first-out among equals", () => {
  const queue = new PriorityQueue<[number, { n: number }]>();
  const next = random(2);
  const items: [number, { n: number }][] = [];
  for (let n = 0; n < 2000; n++) items.push([Math.floor(next() * 10), { n }]);
  for (const item of items) queue.putSync(item);
  assertEquals(drain(queue), items.toSorted((a, b) => a[0] - b[0]));
});

Deno.test("PriorityQueue.put() throws if items cannot be compared", () => {
  const queue = new PriorityQueue<unknown>();
  for (const item of [{}, null, undefined, NaN, [], [{}], [NaN, 1], 1n]) {
    assertThrows(() => queue.putSync(item), TypeError, "Cannot put an item");
    assert(queue.empty());
  }
  queue.putSync(1);
  assertThrows(() => queue.putSync("a"), TypeError, "cannot be compared");
  assertThrows(() => queue.putNowait([1]), TypeError, "cannot be compared");
  assertThrows(() => queue.putManySync([2, "a"]), TypeError);
  assertEquals(drain(queue), [1]);
  queue.putSync([1, "a"]);
  assertThrows(() => queue.putSync([1, 2]), TypeError, "cannot be compared");
  assertThrows(() => queue.putSync(["x", 2]), TypeError);
  queue.putSync([0, 2]);
  assertEquals(drain(queue), [[0, 2], [1, "a"]]);
  queue.putSync("now a string");
  assertEquals(queue.qsize(), 1);
});

Deno.test("PriorityQueue with a limit admits those that wait", async () => {
  const queue = new PriorityQueue<[number, string]>({ maxsize: 2 });
  queue.putManySync([[2, "b"], [3, "c"]]);
  assertThrows(() => queue.putNowait([1, "a"]), Full);
  const put = queue.put([1, "a"]);
  assertEquals(queue.getSync(), [2, "b"]);
  assertEquals(queue.getSync(), [1, "a"]);
  await put;
  const gets = [queue.get(), queue.get(), queue.get()];
  queue.putManySync([[5, "e"], [4, "d"]]);
  assertEquals(await Promise.all(gets), [[3, "c"], [4, "d"], [5, "e"]]);
});

Deno.test("PriorityQueue.putMany() puts nothing if deep elements cannot be compared", async () => {
  const queue = new PriorityQueue<unknown>({ maxsize: 20 });
  const there = Array.from({ length: 9 }, (_, i) => [4, i * 5 % 9 + "th"]);
  queue.putManySync(there);
  const sorted = there.toSorted((a, b) => a[1] < b[1] ? -1 : 1);
  for (const bad of [[4, 1], [4, ["nested"]], [4, {}], "text", 4]) {
    const items = [[8, "a"], [-1, "b"], [4, "4t"], [-2, "c"], bad, [2, "d"]];
    assertThrows(() => queue.putManySync(items), TypeError, "cannot be comp");
    await assertRejects(() => queue.putMany(items), TypeError);
    assertEquals(queue.qsize(), 9);
  }
  assertEquals(drain(queue), sorted);
  assertThrows(() => queue.putManySync([[7, [1]], [7, ["x"]]]), TypeError);
  assert(queue.empty());
});

Deno.test("PriorityQueue: a put that waited throws if it cannot be compared", async () => {
  const queue = new PriorityQueue<unknown>(2);
  queue.putManySync([[1, "a"], [2, "b"]]);
  const bad = queue.put([2, 5]);
  const good = queue.put([2, "c"]);
  assertEquals(queue.getSync(), [1, "a"]);
  await assertRejects(() => bad, TypeError, "cannot be compared");
  await good;
  assertEquals(drain(queue), [[2, "b"], [2, "c"]]);
});

Deno.test("PriorityQueue copes with a getter that puts something else", () => {
  const queue = new PriorityQueue<unknown>();
  const item: unknown[] = [1, "outer"];
  Object.defineProperty(item, 2, {
    get: () => queue.putSync([2, "x".repeat(100)]),
    enumerable: true,
  });
  queue.putSync(item);
  const items = drain(queue) as string[][];
  assertEquals(items[0], [1, "outer", undefined] as unknown);
  assert(items.length > 1);
  for (const [, text] of items.slice(1)) assertEquals(text.length, 100);
});

const byLength = sendable(
  import.meta,
  function byLength(a: string, b: string) {
    if (a === "bad" || b === "bad") throw new RangeError("no");
    return a.length - b.length;
  },
);

Deno.test("PriorityQueue copes with an error message that puts something else", () => {
  const numbers = new PriorityQueue<unknown>();
  const others = new PriorityQueue<unknown>();
  numbers.putSync(5);
  const item = Object.defineProperty(
    ["a", "text".repeat(30)],
    Symbol.for("Deno.customInspect"),
    {
      value() {
        others.putSync(["b", "text".repeat(30)]);
        return "shown";
      },
    },
  );
  assertThrows(() => numbers.putSync(item), TypeError, "shown");
  checkHeap();
  assertEquals(others.getSync(), ["b", "text".repeat(30)]);
  assertEquals(numbers.getSync(), 5);
  checkHeap();
});

Deno.test("PriorityQueue with a compare", () => {
  const queue = new PriorityQueue<string>({ compare: byLength, maxsize: 4 });
  queue.putManySync(["ccc", "a", "bb"]);
  queue.putSync("d");
  assert(queue.full());
  assertThrows(() => queue.putNowait("e"), Full);
  assertEquals(queue.getSync(), "a");
  assertThrows(() => queue.putSync("bad"), RangeError, "no");
  assertEquals(queue.getManySync(10), ["d", "bb", "ccc"]);
  assertThrows(
    () => new PriorityQueue({ compare: (a, b) => Number(a) - Number(b) }),
    NotSendableError,
  );
  assertThrows(
    () => new PriorityQueue({ compare: 1 as unknown as () => number }),
    TypeError,
  );
});
