/**
 * Waiting for whichever of several tasks ends first.
 *
 * @module
 */

import {
  type CaseKind,
  MAIN_QUEUE,
  NOT_READY,
  selectBlocked,
  words,
} from "../../threading/_ground.ts";
import { helperFor, helpOnce } from "./help.ts";
import { isSettled, Task } from "./layout.ts";
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

/**
 * Blocks until one of the tasks is settled, of which this thread has references.
 * A task that waits for tasks of its own pool runs them meanwhile.
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
  for (;;) {
    if (tasks.some(isSettled)) return true;
    if (performance.now() >= deadline) return false;
    if (!tasks.some((task) => helps(task, what))) break;
  }
  const cases = tasks.map((task) => ({
    kind: endCase,
    subject: { task } satisfies TaskCase,
    item: undefined,
  }));
  const timeout = Math.max(0, deadline - performance.now());
  return selectBlocked(cases, { what, timeout }).index >= 0;
}

function helps(task: number, what: string): boolean {
  const running = helperFor(words[task + Task.core]);
  return running !== undefined && helpOnce(running, task, what);
}
