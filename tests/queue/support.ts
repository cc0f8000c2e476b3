import { assert } from "@std/assert";
import { QueueField } from "../../queue/_engine/layout.ts";
import { sleepSync } from "../../threading/mod.ts";
import { Field, words } from "../../threading/_memory/heap.ts";
import { lock, unlock } from "../../threading/_memory/mutex.ts";
import {
  ADDRESS,
  type SharedObject,
} from "../../threading/_memory/shared_object.ts";
import { firstOf, Node } from "../../threading/_memory/wait_queue.ts";

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
