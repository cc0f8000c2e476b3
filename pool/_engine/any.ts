/**
 * Waiting for whichever of several tasks ends first.
 *
 * It is a wait at all of them, a selection: one node in the queue of each. Where
 * they are many and end one soon after the other, that would cost more than the
 * tasks. So each is told first, once, which thread watches it, and what settles it
 * wakes that thread, which then looks at all: it reads its event word before it
 * looks, so it misses none. To be woken in vain does no harm, so a task is watched
 * until it ends. Only when nothing has ended for a while a selection is begun: that
 * is what those understand who look for deadlocks.
 *
 * @module
 */

import {
  type CaseKind,
  checkInterrupted,
  Field,
  lock,
  MAIN_QUEUE,
  Node,
  NOT_READY,
  OWN_NODE,
  prepareOwnNode,
  type Protocol,
  selectBlocked,
  self,
  sleepUntilWoken,
  store,
  unlock,
  Wake,
  words,
} from "../../threading/_ground.ts";
import { helperFor, helpOnce } from "./help.ts";
import { isSettled, MANY_WATCH, Task } from "./layout.ts";
import { futureProtocol } from "./line.ts";

/** A task as a case of a selection. */
interface TaskCase {
  task: number;
}

const taskOf = (subject: object) => (subject as TaskCase).task;

/** How the end of a task is waited for; its result is not asked for. */
const endCase: CaseKind<undefined> = {
  mayBeReady: (subject) => isSettled(taskOf(subject)),
  attempt: (subject) => isSettled(taskOf(subject)) ? undefined : NOT_READY,
  wait: (subject) => ({
    object: taskOf(subject),
    queue: MAIN_QUEUE,
    protocol: futureProtocol,
    finish: () => undefined,
  }),
};

/** Has a task wake this thread when it ends. */
export function watch(task: number): void {
  lock(task + Field.mutex);
  const watcher = words[task + Task.watcher];
  words[task + Task.watcher] = watcher === 0 || watcher === self
    ? self
    : MANY_WATCH;
  unlock(task + Field.mutex);
}

/** Of more tasks than that it is waited for one by watching them at first. */
const FEW = 16;
/** For so many milliseconds. */
const WATCH_MS = 50;

/**
 * Blocks until one of the tasks is settled, of which this thread has references.
 * A task that waits for tasks of its own pool runs them meanwhile.
 *
 * @param tasks The tasks, at least one.
 * @param deadline When to give up, by `performance.now()`.
 * @param what For messages.
 * @param isWatched Whether this thread watches them.
 * @returns Whether one is settled.
 */
export function waitForAny(
  tasks: number[],
  deadline: number,
  what: string,
  isWatched = false,
): boolean {
  for (;;) {
    if (tasks.some(isSettled)) return true;
    if (performance.now() >= deadline) return false;
    if (!tasks.some((task) => helps(task, what))) break;
  }
  if (isWatched && tasks.length > FEW && lookAt(tasks, deadline)) return true;
  const cases = tasks.map((task) => ({
    kind: endCase,
    subject: { task } satisfies TaskCase,
    item: undefined,
  }));
  const timeout = Math.max(0, deadline - performance.now());
  return selectBlocked(cases, { what, timeout }).index >= 0;
}

/** Blocks for a while, until one of the tasks that are watched is settled. */
function lookAt(tasks: number[], deadline: number): boolean {
  const until = Math.min(deadline, performance.now() + WATCH_MS);
  const protocol: Protocol = {
    take: () => Wake.waiting,
    tick() {
      if (tasks.some(isSettled)) store(OWN_NODE + Node.state, Wake.granted);
      return Infinity;
    },
  };
  // In no queue: whoever settles one bumps the event word.
  prepareOwnNode();
  const isOne = sleepUntilWoken(OWN_NODE, until, protocol, true);
  checkInterrupted();
  return isOne;
}

function helps(task: number, what: string): boolean {
  const running = helperFor(words[task + Task.core]);
  return running !== undefined && helpOnce(running, task, what);
}
