import { assert } from "@std/assert";
import { checkHeap } from "../../threading/_memory/allocator.ts";
import { sleepSync } from "../../threading/current_thread.ts";

/** Random numbers that a seed repeats, and how much to do with them. */

/** The seed of this run: `SKEIN_SEED` repeats one. */
export const SEED = Number(Deno.env.get("SKEIN_SEED") ?? Date.now() % 2 ** 31);
/** `SKEIN_STRESS` multiplies operations. */
export const STRESS = Number(Deno.env.get("SKEIN_STRESS") ?? 1);

/** Returns a function that returns integers from 0 to below its argument. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) % below;
  };
}

/** The allocated words of the heap, which is checked. */
export function heapWords(): number {
  return checkHeap().allocatedWords;
}

/** Blocks until something is true, for at most ten seconds. */
export function waitFor(condition: () => boolean): void {
  const deadline = performance.now() + 10_000;
  while (!condition() && performance.now() < deadline) sleepSync(1);
  assert(condition(), "nothing happened for ten seconds");
}
