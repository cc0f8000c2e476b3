/**
 * Waiting for whichever of several tasks ends first.
 *
 * @module
 */

import {
  allocateNode,
  dequeue,
  enqueue,
  Field,
  finishSync,
  freeNode,
  load,
  lock,
  MAIN_QUEUE,
  Node,
  OWN_NODE,
  prepareOwnNode,
  type Protocol,
  store,
  unlock,
  Wake,
  words,
} from "../../threading/_ground.ts";
import { helperFor, helpOnce } from "./help.ts";
import { isSettled, Task } from "./layout.ts";

/**
 * Blocks until one of the tasks is settled, of which this thread has references.
 * A task that waits for tasks of its own pool runs them meanwhile.
 *
 * The thread's own node waits in the queue of the first one. The others have a
 * node each; what settles one of them wakes the thread, which then looks at all.
 *
 * @param tasks The tasks, at least one.
 * @param deadline When to give up, by `performance.now()`.
 * @param what For messages.
 * @returns Whether one is settled.
 */
export function waitForAny(
  tasks: number[],
  deadline: number,
  what: string,
): boolean {
  const isOne = () => tasks.some(isSettled);
  for (;;) {
    if (isOne()) return true;
    if (performance.now() >= deadline) return false;
    if (!tasks.some((task) => helps(task, what))) break;
  }
  const [first, ...others] = tasks;
  const nodes: number[] = [];
  try {
    for (const task of others) {
      const node = allocateNode(0);
      nodes.push(node);
      if (!join(task, node)) return true;
    }
    const protocol: Protocol = {
      take: () => Wake.waiting,
      tick(task) {
        if (isOne()) rouse(task);
        return Infinity;
      },
    };
    prepareOwnNode();
    if (!join(first, OWN_NODE)) return true;
    finishSync(protocol, OWN_NODE, deadline, what);
    return isOne();
  } finally {
    for (const node of nodes) part(node);
  }
}

function helps(task: number, what: string): boolean {
  const running = helperFor(words[task + Task.core]);
  return running !== undefined && helpOnce(running, task, what);
}

/** Puts a node into the queue of a task; false if that is settled. */
function join(task: number, node: number): boolean {
  lock(task + Field.mutex);
  const waits = !isSettled(task);
  if (waits) {
    words[node + Node.state] = Wake.waiting;
    enqueue(task, MAIN_QUEUE, node);
  }
  unlock(task + Field.mutex);
  return waits;
}

/** Wakes this thread's own node, if nobody else has. */
function rouse(task: number): void {
  lock(task + Field.mutex);
  if (load(OWN_NODE + Node.state) === Wake.waiting) {
    dequeue(OWN_NODE);
    store(OWN_NODE + Node.state, Wake.granted);
  }
  unlock(task + Field.mutex);
}

/** Takes a node out of its queue, if it is in one, and gives it back. */
function part(node: number): void {
  const task = words[node + Node.object];
  if (task !== 0) {
    lock(task + Field.mutex);
    if (load(node + Node.state) === Wake.waiting) dequeue(node);
    words[node + Node.object] = 0;
    unlock(task + Field.mutex);
  }
  freeNode(node);
}
