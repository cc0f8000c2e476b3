/** Fills a small heap with one thing after the other, and empties it again. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  HeapExhaustedError,
  SharedArray,
  SharedList,
  SharedMap,
} from "../../threading/mod.ts";
import { heapWords } from "./shared_support.ts";

const list = new SharedList<string>();
const map = new SharedMap<number, string>();
const before = heapWords();

/** Larger than whatever there was no more room for. */
const LARGE = "x".repeat(2 ** 19);

function fill(add: (n: number) => void): number {
  for (let n = 0;; n++) {
    const words = heapWords();
    try {
      add(n);
    } catch (error) {
      assert(error instanceof HeapExhaustedError, `${error}`);
      // A list or table may have grown before there was no room for the rest.
      assert(heapWords() <= words + 2 ** 17);
      return n;
    }
  }
}

for (let round = 0; round < 3; round++) {
  const items = fill((n) => list.push("item ".repeat(n % 50)));
  assertEquals(list.length(), items);
  assertThrows(() => list.push("a", LARGE), HeapExhaustedError);
  assertThrows(() => list.insert(0, LARGE), HeapExhaustedError);
  assertEquals(list.length(), items);
  list.clear();

  const entries = fill((n) => map.set(n, "value ".repeat(n % 50)));
  assertEquals(map.size(), entries);
  assertThrows(() => map.updateSync(0, () => LARGE), HeapExhaustedError);
  assertThrows(() => map.getOrCreateSync(-1, () => LARGE), HeapExhaustedError);
  assertEquals([map.size(), map.get(0), map.has(-1)], [entries, "", false]);
  map.clear();

  const arrays: SharedArray[] = [];
  fill(() => arrays.push(new SharedArray(Uint8Array, 5000)));
  arrays.forEach((array) => array.free());
}
assert(heapWords() <= before + 2000);
console.log("done");
