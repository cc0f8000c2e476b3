import { assert, assertEquals, assertThrows } from "@std/assert";
import { HeapExhaustedError } from "../../threading/mod.ts";
import {
  allocate,
  allocateZeroed,
  checkHeap,
  discard,
  payloadWords,
  rebuild,
} from "../../threading/_memory/allocator.ts";
import { Header, words } from "../../threading/_memory/heap.ts";
import { lockInner, unlockInner } from "../../threading/_memory/mutex.ts";
import { fixture, runDeno } from "./run_program.ts";
import { randomFrom, SEED, STRESS } from "./shared_support.ts";

const OPERATIONS = 5000 * STRESS;

/** Blocks of random sizes whose every word says whose it is. */
class Blocks {
  #sizes = new Map<number, number>();
  #addresses: number[] = [];

  constructor(private random: (below: number) => number) {}

  add(): void {
    // Small ones mostly, sometimes none, sometimes much.
    const size = this.random(2 ** this.random(14));
    const address = allocate(size);
    assertEquals(address % 2, 0);
    assert(payloadWords(address) >= size);
    assert(!this.#sizes.has(address));
    words.fill(address, address, address + size);
    this.#sizes.set(address, size);
    this.#addresses.push(address);
  }

  remove(): void {
    const index = this.random(this.#addresses.length);
    const address = this.#addresses[index];
    const last = this.#addresses.pop()!;
    if (index < this.#addresses.length) this.#addresses[index] = last;
    const size = this.#sizes.get(address)!;
    this.#sizes.delete(address);
    for (let i = 0; i < size; i++) {
      if (words[address + i] !== address) throw new Error("overwritten");
    }
    discard(address);
  }

  get count(): number {
    return this.#addresses.length;
  }

  clear(): void {
    while (this.count > 0) this.remove();
  }
}

Deno.test(`allocate() hands out no word twice (SKEIN_SEED=${SEED})`, () => {
  const random = randomFrom(SEED);
  const before = checkHeap();
  const blocks = new Blocks(random);
  for (let i = 0; i < OPERATIONS; i++) {
    // Grows for a while, shrinks for a while.
    const grows = i % 1000 < 500 ? 7 : 3;
    if (blocks.count === 0 || random(10) < grows) blocks.add();
    else blocks.remove();
    if (i % 50 === 0) {
      assertEquals(checkHeap().blocks, before.blocks + blocks.count);
    }
  }
  blocks.clear();
  assertEquals(checkHeap(), before);
});

Deno.test(`rebuild() makes the lists anew (SKEIN_SEED=${SEED})`, () => {
  const random = randomFrom(SEED);
  const before = checkHeap();
  const blocks = new Blocks(random);
  for (let i = 0; i < 300; i++) blocks.add();
  for (let i = 0; i < 150; i++) blocks.remove();
  const whole = checkHeap();
  lockInner(Header.allocatorMutex);
  rebuild();
  unlockInner(Header.allocatorMutex);
  assertEquals(checkHeap(), whole);
  // The count, the bitmap and the heads of all lists, as one who died in the
  // middle of a change might leave them.
  lockInner(Header.allocatorMutex);
  words[Header.allocatedWords] += 12345;
  rebuild();
  unlockInner(Header.allocatorMutex);
  assertEquals(checkHeap(), whole);
  for (let i = 0; i < 300; i++) blocks.add();
  blocks.clear();
  assertEquals(checkHeap(), before);
});

Deno.test("allocateZeroed() clears what was there before", () => {
  for (const size of [1, 64, 65, 1000]) {
    const dirty = allocate(size);
    words.fill(-1, dirty, dirty + size);
    discard(dirty);
    const clean = allocateZeroed(size);
    assert(words.subarray(clean, clean + size).every((word) => word === 0));
    discard(clean);
  }
});

Deno.test("allocate() throws if the size is none that the heap has", () => {
  const before = checkHeap();
  for (const size of [-1, NaN, Infinity, 2 ** 30, 2 ** 31, 2 ** 32, 2 ** 40]) {
    assertThrows(() => allocate(size), HeapExhaustedError, "Cannot allocate");
  }
  assertEquals(checkHeap(), before);
});

Deno.test("allocate() and discard() stay flat for 10 million times", () => {
  const before = checkHeap();
  for (let i = 0; i < 10_000_000; i++) discard(allocate(i & 63));
  assertEquals(checkHeap(), before);
});

Deno.test("allocate() leaves a heap that is used up whole", async () => {
  const args = ["run", "--allow-env=SKEIN_HEAP_MIB", "--allow-read"];
  const outcome = await runDeno([...args, fixture("allocator_program.ts")], {
    env: { SKEIN_HEAP_MIB: "4" },
  });
  assertEquals(outcome.stdout, "whole\n", outcome.stderr);
});
