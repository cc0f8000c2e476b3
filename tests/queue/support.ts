import { assert, assertRejects } from "@std/assert";
import { QueueField } from "../../queue/_engine/layout.ts";
import { sleepSync, Thread, ThreadingError } from "../../threading/mod.ts";
import { Field, words } from "../../threading/_memory/heap.ts";
import { lock, unlock } from "../../threading/_memory/mutex.ts";
import {
  ADDRESS,
  type SharedObject,
} from "../../threading/_memory/shared_object.ts";
import { firstOf, Node } from "../../threading/_memory/wait_queue.ts";

/** A thread that calls a function with these arguments. */
export function start<A extends unknown[], R>(
  target: (...args: A) => R,
  ...args: A
): Thread<Awaited<R>> {
  const thread = new Thread({ target: target as never, args: args as never });
  thread.start();
  return thread as Thread<Awaited<R>>;
}

/** Kills a thread, and gives its handle back. */
export async function kill(thread: Thread<unknown>): Promise<void> {
  thread.terminate();
  await assertRejects(() => thread.join({ timeout: 60_000 }), ThreadingError);
  thread.free();
}

/** How many gets, or puts, are in line at a queue. */
export function countWaiting(
  queue: SharedObject,
  line: "getters" | "putters" | "joiners",
): number {
  const address = queue[ADDRESS];
  let found = 0;
  lock(address + Field.mutex);
  let node = firstOf(address, QueueField[line]);
  for (; node !== 0; node = words[node + Node.next]) found++;
  unlock(address + Field.mutex);
  return found;
}

/** Blocks until so many gets, or puts, wait at a queue. */
export function untilWaiting(
  queue: SharedObject,
  count: number,
  line: "getters" | "putters" | "joiners" = "getters",
): void {
  const end = performance.now() + 60_000;
  for (;;) {
    const found = countWaiting(queue, line);
    if (found >= count) return;
    assert(performance.now() < end, `${found} and not ${count} wait`);
    sleepSync(1);
  }
}
