/**
 * What promise-form waits have been given and their thread has not seen yet.
 *
 * A wait in the promise form goes on when its thread's event loop turns. Until
 * then, and for as long as the thread computes or blocks, nobody really has what
 * the wait was given. So it counts as not given: if the thread ends, or blocks
 * for the same thing, it goes to the next in the queue. And that must not be
 * another promise-form wait of the same thread, which would be as stuck.
 *
 * @module
 */

import { load, words } from "./_memory/heap.ts";
import { self, Slot } from "./_memory/slot.ts";
import { Node, Wake } from "./_memory/wait_queue.ts";

/**
 * Whether a thread has been given something that it has not seen. To be called
 * in the object's critical section, by that thread or whoever cleans up after
 * it: nobody else may look at its nodes.
 *
 * @param object What was waited for.
 * @param value What the wait's node has in `Node.value`.
 * @param slot The thread's slot.
 */
export function isUnseen(object: number, value = 0, slot = self): boolean {
  let node = words[slot + Slot.nodes];
  while (node !== 0) {
    if (
      words[node + Node.object] === object &&
      words[node + Node.value] === value &&
      load(node + Node.state) === Wake.granted
    ) return true;
    node = words[node + Node.listNext];
  }
  return false;
}
