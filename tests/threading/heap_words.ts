import { assert } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { sendable, Thread } from "../../threading/mod.ts";
import { checkHeap, payloadWords } from "../../threading/_memory/allocator.ts";
import {
  Header,
  load,
  Slot,
  slotAt,
  SlotState,
  words,
} from "../../threading/_memory/heap.ts";

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

/** Collects garbage and lets the event loop give back what it held. */
export const collect = sendable(import.meta, async function collect() {
  for (let turn = 0; turn < 3; turn++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
});

/** The number of workers that wait for a thread to run. */
function idleWorkers(): number {
  let count = 0;
  for (let i = 1; i < words[Header.usedSlots]; i++) {
    if (load(slotAt(i) + Slot.state) === SlotState.idle) count++;
  }
  return count;
}

/**
 * The allocated words after all garbage has been collected, those of the tables
 * of handles left out.
 */
export async function settleHeap(): Promise<number> {
  // One for each idle worker: what a thread left behind is garbage there.
  const threads = Array.from(
    { length: Math.max(1, idleWorkers()) },
    () => new Thread({ target: collect }),
  );
  for (const thread of threads) thread.start();
  for (const thread of threads) {
    await thread.join();
    thread.free();
  }
  await collect();
  return checkHeap().allocatedWords - handleTableWords();
}

/** The words that are allocated now, those of the tables of handles left out. */
export function allocatedWords(): number {
  return load(Header.allocatedWords) - handleTableWords();
}

/** Words of the tables of handles, which every live worker has and keeps. */
function handleTableWords(): number {
  let count = 0;
  for (let i = 0; i < words[Header.usedSlots]; i++) {
    const table = words[slotAt(i) + Slot.holds];
    if (table !== 0) count += payloadWords(table) + 2;
  }
  return count;
}

/**
 * Asserts that the heap comes back to a number of allocated words.
 *
 * @param before The number.
 * @param slack So many words more are no leak: a block may be two words larger
 * than was asked for.
 */
export async function assertHeapBackTo(
  before: number,
  slack = 16,
): Promise<void> {
  let now = 0;
  for (let attempt = 0; attempt < 10; attempt++) {
    now = await settleHeap();
    if (now <= before + slack) return;
  }
  assert(false, `${now - before} words of the heap did not come back`);
}

/**
 * Asserts that what is done again and again leaves nothing on the heap.
 *
 * @param round What is done.
 * @param warm How often it is done before, since the first time may leave what
 * the next ones use.
 * @param times How often it is done then.
 * @param slack As for `assertHeapBackTo`.
 */
export async function assertKeepsHeap(
  round: (i: number) => void | Promise<void>,
  { warm = 1, times, slack }: { warm?: number; times: number; slack?: number },
): Promise<void> {
  for (let i = 0; i < warm; i++) await round(i);
  const before = await settleHeap();
  for (let i = 0; i < times; i++) await round(i);
  await assertHeapBackTo(before, slack);
}
