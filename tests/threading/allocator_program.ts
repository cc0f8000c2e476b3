// Run with SKEIN_HEAP_MIB=4: uses the shared heap up in several ways.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { HeapExhaustedError, Lock, SharedArray } from "../../threading/mod.ts";
import {
  allocate,
  checkHeap,
  discard,
} from "../../threading/_memory/allocator.ts";

if (import.meta.main) {
  const before = checkHeap();
  const blocks: number[] = [];
  for (const size of [100_000, 1000, 10, 2]) {
    const error = assertThrows(() => {
      for (;;) blocks.push(allocate(size));
    }, HeapExhaustedError);
    assert(error.message.startsWith(`Cannot allocate ${size * 4} bytes: `));
    assert(error.message.includes("of the shared heap's 4194304 bytes"));
  }
  const full = checkHeap();
  assertThrows(() => allocate(2), HeapExhaustedError);
  assertThrows(() => allocate(2 ** 30), HeapExhaustedError);
  assertThrows(() => allocate(2 ** 31), HeapExhaustedError);
  assertThrows(() => allocate(2 ** 40), HeapExhaustedError);
  assertThrows(() => new Lock(), HeapExhaustedError);
  assertEquals(checkHeap(), full);
  // One freed block is one that can be had.
  discard(blocks.pop()!);
  blocks.push(allocate(2));
  assertEquals(checkHeap().blocks, full.blocks);
  for (const block of blocks) discard(block);
  assertEquals(checkHeap(), before);

  const lock = new Lock().acquireSync();
  const arrays: SharedArray[] = [];
  assertThrows(() => {
    for (;;) arrays.push(new SharedArray(Float64Array, 1000));
  }, HeapExhaustedError);
  assert(lock.locked());
  lock.release();
  for (const array of arrays) array.free();
  new SharedArray(Float64Array, 200_000).free();
  checkHeap();
  console.log("whole");
}
