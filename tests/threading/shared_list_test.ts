import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { NotSendableError } from "../../threading/errors.ts";
import { SharedList } from "../../threading/shared/list.ts";
import { SharedNumber } from "../../threading/shared/numbers.ts";
import { Thread } from "../../threading/thread.ts";

import { settleHeap } from "./heap_words.ts";
import {
  churn,
  Point,
  readAll,
  replaceAll,
  shuffle,
} from "./shared_list_fixture.ts";
import {
  heapWords,
  randomFrom,
  SEED,
  STRESS,
  waitFor,
} from "./shared_support.ts";

Deno.test("SharedList has an array's methods", () => {
  const list = new SharedList<string>();
  assertEquals(list.length(), 0);
  assertEquals(list.push("b"), 1);
  assertEquals(list.push("c", "d"), 3);
  assertEquals(list.push(), 3);
  list.insert(0, "a");
  assertEquals(list.toArray(), ["a", "b", "c", "d"]);
  assertEquals(list.at(1), "b");
  assertEquals(list.at(-1), "d");
  assertEquals(list.at(4), undefined);
  assertEquals(list.at(-5), undefined);
  list.set(1, "B");
  list.set(-1, "D");
  assertEquals([...list], ["a", "B", "c", "D"]);
  assertEquals(list.removeAt(1), "B");
  assertEquals(list.removeAt(-1), "D");
  assertEquals(list.shift(), "a");
  assertEquals(list.pop(), "c");
  assertEquals(list.pop(), undefined);
  assertEquals(list.shift(), undefined);
});

Deno.test("SharedList has the type of its items", () => {
  const list = new SharedList<number>();
  const wrong = () => {
    // @ts-expect-error an item of another type
    list.push("a");
    // @ts-expect-error there may be no item
    const item: number = list.pop();
    // @ts-expect-error a list of other items
    const other: SharedList<string> = list;
    return [item, other];
  };
  assertEquals(typeof wrong, "function");
});

Deno.test("SharedList.insert() takes indices as Python does", () => {
  const list = new SharedList([1, 2]);
  list.insert(-1, 3);
  assertEquals(list.toArray(), [1, 3, 2]);
  list.insert(-99, 0);
  list.insert(99, 9);
  assertEquals(list.toArray(), [0, 1, 3, 2, 9]);
});

Deno.test("SharedList.removeAt() and set() refuse an index without an item", () => {
  const list = new SharedList([1]);
  for (const index of [1, -2, 99]) {
    assertThrows(() => list.removeAt(index), RangeError, String(index));
    assertThrows(() => list.set(index, 2), RangeError, String(index));
  }
  assertEquals(list.toArray(), [1]);
});

Deno.test("SharedList refuses an index that is not an integer", () => {
  const list = new SharedList([1]);
  for (const index of [0.5, NaN]) {
    assertThrows(() => list.at(index), RangeError, "integer");
    assertThrows(() => list.set(index, 1), RangeError, "integer");
    assertThrows(() => list.insert(index, 1), RangeError, "integer");
    assertThrows(() => list.removeAt(index), RangeError, "integer");
  }
});

Deno.test("SharedList keeps copies", () => {
  const list = new SharedList<number[]>();
  const item = [1];
  list.push(item);
  item.push(2);
  assertEquals(list.at(0), [1]);
  list.at(0)?.push(3);
  assertEquals(list.at(0), [1]);
});

Deno.test("SharedList shares skein's objects and knows marked classes", () => {
  const list = new SharedList<unknown>([new Point(1, 2)]);
  const other = new SharedList([1]);
  list.push({ other });
  assert(list.at(0) instanceof Point);
  assertStrictEquals((list.pop() as { other: unknown }).other, other);
  assert(list.pop() instanceof Point);
});

Deno.test("SharedList.push() of what cannot be sent changes nothing", () => {
  const list = new SharedList<unknown>([1]);
  const before = heapWords();
  assertThrows(() => list.push(2, () => {}), NotSendableError);
  assertThrows(() => list.insert(0, () => {}), NotSendableError);
  assertThrows(() => list.set(0, () => {}), NotSendableError);
  assertEquals(list.toArray(), [1]);
  assertEquals(heapWords(), before);
});

Deno.test("SharedList iterates over what is there at the time", () => {
  const list = new SharedList([1, 2]);
  const seen: number[] = [];
  for (const item of list) {
    seen.push(item);
    if (item < 5) list.push(item + 2);
  }
  assertEquals(seen, [1, 2, 3, 4, 5, 6]);
});

Deno.test(`SharedList does what an array does (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  const before = heapWords();
  const list = new SharedList<unknown>();
  const array: unknown[] = [];
  for (let i = 0; i < 5000 * STRESS; i++) {
    const item = [i, i / 2, `item ${i}`, { i }, [i], null][random(6)];
    const index = random(array.length + 4) - 2;
    const place = index < 0 ? index + array.length : index;
    switch (random(9)) {
      case 0:
      case 1:
        assertEquals(list.push(item), array.push(item));
        break;
      case 2:
        assertEquals(list.pop(), array.pop());
        break;
      case 3:
        assertEquals(list.shift(), array.shift());
        break;
      case 4:
      case 5:
        list.insert(index, item);
        array.splice(index, 0, item);
        break;
      case 6:
        assertEquals(list.at(index), array.at(index));
        break;
      case 7:
        if (place < 0 || place >= array.length) break;
        assertEquals(list.removeAt(index), array.splice(index, 1)[0]);
        break;
      case 8:
        if (place < 0 || place >= array.length) break;
        list.set(index, item);
        array[place] = item;
    }
    assertEquals(list.length(), array.length);
  }
  assertEquals(list.toArray(), array);
  assertEquals([...list], array);
  list.free();
  assertEquals(heapWords(), before);
});

Deno.test("SharedList: a steady stream through it leaves memory flat", () => {
  const list = new SharedList<unknown>();
  const item = { name: "item", tags: ["a", "b"] };
  for (let i = 0; i < 10; i++) list.push(item);
  const before = heapWords();
  for (let i = 0; i < 20_000; i++) {
    list.push(item);
    list.shift();
  }
  assertEquals(heapWords(), before);
  for (let i = 0; i < 5000; i++) list.push(item);
  while (list.pop() !== undefined);
  assert(heapWords() < before);
});

Deno.test(`SharedList: threads lose and double nothing (seed ${SEED})`, () => {
  const count = 60;
  const items = Array.from(
    { length: count },
    (_, i) => i % 2 ? i : { i, text: "x".repeat(i) },
  );
  const a = new SharedList<unknown>(items);
  const b = new SharedList<unknown>();
  const threads = Array.from(
    { length: 4 },
    (_, i) =>
      new Thread({ target: shuffle, args: [a, b, SEED + i, 3000 * STRESS] }),
  );
  threads.forEach((thread) => thread.start());
  threads.forEach((thread) => thread.joinSync());
  const numberOf = (item: unknown) =>
    typeof item === "number" ? item : (item as { i: number }).i;
  const left = [...a.toArray(), ...b.toArray()].sort((x, y) =>
    numberOf(x) - numberOf(y)
  );
  assertEquals(left, items);
});

Deno.test("SharedList: items that are replaced meanwhile are read whole", () => {
  const list = new SharedList<number[]>([[0], [0], [0], [0]]);
  const before = heapWords();
  const reader = new Thread({ target: readAll, args: [list, 2000 * STRESS] });
  const writer = new Thread({
    target: replaceAll,
    args: [list, 8000 * STRESS],
  });
  reader.start();
  writer.start();
  writer.joinSync();
  assertEquals(reader.joinSync(), 8000 * STRESS);
  list.clear();
  reader.free();
  writer.free();
  assert(heapWords() <= before + 200);
});

Deno.test("SharedList works on when threads are killed in the midst of it", async () => {
  const list = new SharedList<unknown>();
  const turns = new SharedNumber();
  const kill = async (times: number) => {
    for (let i = 0; i < times; i++) {
      const before = turns.value;
      const pair = [1, 2].map(() =>
        new Thread({ target: churn, args: [list, turns], daemon: true })
      );
      pair.forEach((thread) => thread.start());
      waitFor(() => turns.value >= before + 20);
      for (const thread of pair) {
        thread.terminate();
        await thread.join().catch(() => {});
        thread.free();
      }
    }
    list.clear();
    list.push(1);
    assertEquals(list.toArray(), [1]);
    list.clear();
    return await settleHeap();
  };
  const before = await kill(1);
  // A word or two of slack for each worker that is there.
  assert(await kill(4 * STRESS) <= before + 200);
});
