import { assert, assertEquals } from "@std/assert";
import {
  Field,
  FREED,
  Header,
  Slot,
  SLOT_WORDS,
} from "../../threading/_memory/heap.ts";
import { Node, NODE_WORDS } from "../../threading/_memory/wait_queue.ts";

/** The fields, and the word behind the last of them. */
const LAYOUTS: Record<string, [Record<string, number>, number]> = {
  Header: [Header, FREED],
  Slot: [Slot, SLOT_WORDS],
  Field: [Field, Field.own + 1],
  Node: [Node, NODE_WORDS],
};

for (const [name, [fields, end]] of Object.entries(LAYOUTS)) {
  Deno.test(`heap: no two fields of ${name} begin at the same word`, () => {
    const names = new Map<number, string>();
    for (const [field, word] of Object.entries(fields)) {
      assertEquals(names.get(word), undefined, `${field} at ${word}`);
      names.set(word, field);
      assert(word >= 0 && word < end, field);
    }
  });
}
