/**
 * Tasks: items that were put and not yet reported as done, and who waits until
 * there are none. All but the protocol is to be called under the mutex.
 *
 * @module
 */

import { doubles, words } from "../threading/_memory/heap.ts";
import {
  type Protocol,
  Wake,
  wakeAll,
} from "../threading/_memory/wait_queue.ts";
import { unfinishedIn } from "./_ends.ts";
import { Order, QueueField } from "./_fields.ts";

/** How `join` waits. */
export const joinProtocol: Protocol = {
  take(queue) {
    return unfinished(queue) <= 0 ? Wake.granted : Wake.waiting;
  },
};

/** Counts items that were put into a queue without hooks whose ends are closed. */
export function countPut(queue: number, count: number): void {
  doubles[queue + QueueField.unfinished >> 1] += count;
}

/** Counts items as done that are thrown away. */
export function countThrownAway(queue: number, count: number): void {
  const at = queue + QueueField.unfinished >> 1;
  doubles[at] = Math.max(0, doubles[at] - count);
}

/** How many items were put and not yet reported as done. */
function unfinished(queue: number): number {
  const count = unfinishedIn(queue);
  return words[queue + QueueField.order] === Order.custom
    ? count + words[queue + QueueField.length]
    : count;
}

/** Reports an item as done; false if there is none left. */
export function finishOne(queue: number): boolean {
  if (unfinished(queue) <= 0) return false;
  doubles[queue + QueueField.unfinished >> 1]--;
  releaseJoiners(queue);
  return true;
}

/** Lets those go on that wait for all to be done, if it is. */
export function releaseJoiners(queue: number): void {
  if (unfinished(queue) <= 0) {
    wakeAll(queue, QueueField.joiners, Wake.granted);
  }
}
