/**
 * Helping: a task that waits in the blocking form for a task of its own pool
 * would keep its worker from running anything, that task included. So it runs
 * tasks itself meanwhile: the one that it waits for if that is still pending, else
 * tasks that descend from it, which it needs too. Never a stranger: that could
 * take long, or wait for what the waiter holds.
 *
 * Who wakes whom: the waiter sleeps at the Future, which wakes it when it is
 * settled. It reads the count of accepted tasks before it looks for one that it
 * can run, and sleeps only if it is still the same. Whoever submits a task counts
 * it first and then wakes those who help one of its ancestors
 * ({@linkcode wakeHelpers} in `line.ts`). So a waiter misses no task. (If it did,
 * the task's own worker would run it: nothing depends on helpers.)
 *
 * A helped task is a flow of its own: it owns none of the waiter's RLocks, and has
 * its own scope, deadline and `currentTask`.
 *
 * @module
 */

import {
  load,
  MAIN_QUEUE,
  Node,
  OWN_NODE,
  type Protocol,
  waitSync,
  Wake,
  words,
} from "../../threading/_ground.ts";
import { ThreadingError } from "../../threading/errors.ts";
import { runAsFlow } from "../../threading/sync/rlock.ts";
import { Core, HELPER, isSettled, Task } from "./layout.ts";
import { claimRelated, giveUpTask, hasOtherWorkers } from "./line.ts";
import {
  currentRunning,
  type Job,
  jobHere,
  nesting,
  runHelped,
  type Running,
} from "./run.ts";

/** The task that waits here, if it can help with a task of that core. */
export function helperFor(core: number): Running | undefined {
  const running = currentRunning();
  return running?.place.core === core ? running : undefined;
}

/** From so many tasks on the stack on it is looked at whether there is room. */
const DEEP = 100;
/** So many frames a helped task finds at least. */
const FRAMES = 600;

/** Throws a RangeError unless there is room for so many frames. */
function probe(frames: number, ...rest: number[]): number {
  if (frames === 0) return rest.length;
  return 1 + probe(frames - 1, 1, 2, 3, 4, 5, 6, 7, 8);
}

/**
 * Waits until a task is settled, and runs tasks meanwhile.
 *
 * @param running The task that waits.
 * @param task The task that it waits for, of the same core.
 * @param deadline When to give up, by `performance.now()`.
 * @param what For messages.
 * @returns Whether it is settled.
 */
export function help(
  running: Running,
  task: number,
  deadline: number,
  what: string,
): boolean {
  try {
    return helpUntil(running, task, deadline, what);
  } catch (error) {
    if (error instanceof RangeError && nesting() >= DEEP) {
      throw tooDeep(what, error);
    }
    throw error;
  }
}

function helpUntil(
  running: Running,
  task: number,
  deadline: number,
  what: string,
): boolean {
  const { core, worker } = running.place;
  /** What cannot be run here. */
  let refused = 0;
  for (;;) {
    const seen = load(core + Core.accepted);
    const next = isSettled(task)
      ? 0
      : claimRelated(core, task, worker, refused);
    if (next === 0) {
      if (isSettled(task)) return true;
      if (!sleep(core, task, seen, deadline, what)) return false;
    } else {
      const job = jobHere(next);
      if (job !== undefined) {
        runNested(running, next, what, job);
        if (next === task && !isSettled(task)) throw isAsync(what);
      } else {
        giveUpTask(core, next);
        refused = next;
        if (next === task && !hasOtherWorkers(core)) throw isAsync(what);
      }
    }
    if (performance.now() >= deadline) return isSettled(task);
  }
}

/**
 * Runs one task that a waiter can help with.
 *
 * @returns Whether there was one.
 */
export function helpOnce(
  running: Running,
  task: number,
  what: string,
): boolean {
  const { core, worker } = running.place;
  const next = claimRelated(core, task, worker, 0);
  if (next === 0) return false;
  const job = jobHere(next);
  if (job === undefined) giveUpTask(core, next);
  else runNested(running, next, what, job);
  return job !== undefined;
}

/** Runs a task on the stack of the one that waits. */
export function runNested(
  running: Running,
  task: number,
  what: string,
  job?: Job,
): void {
  const { place } = running;
  const depth = nesting();
  if (depth >= DEEP && depth % 8 === 0) {
    try {
      probe(FRAMES);
    } catch (error) {
      giveUpTask(place.core, task);
      throw tooDeep(what, error);
    }
  }
  runAsFlow(() => runHelped(place, task, job));
}

function tooDeep(what: string, cause: unknown): ThreadingError {
  return new ThreadingError(
    `Cannot ${what}: ${nesting()} tasks wait on the stack of this thread already, and there is no room for more; await result(), or ask for more with stackSize()`,
    { cause },
  );
}

function isAsync(what: string): ThreadingError {
  return new ThreadingError(
    `Cannot ${what}: the task is async, and this thread, which waits for it, is the one that would run it; await result()`,
  );
}

/** Sleeps until there is something to do; false if the deadline has passed. */
function sleep(
  core: number,
  task: number,
  seen: number,
  deadline: number,
  what: string,
): boolean {
  const protocol: Protocol = {
    take(task, node) {
      if (isSettled(task) || load(core + Core.accepted) !== seen) {
        return Wake.granted;
      }
      words[node + Node.value] = HELPER;
      words[task + Task.helpers] = 1;
      return Wake.waiting;
    },
  };
  const left = deadline - performance.now();
  if (left <= 0) return false;
  try {
    const end = waitSync(protocol, task, MAIN_QUEUE, left, what);
    return end !== Wake.waiting;
  } finally {
    words[OWN_NODE + Node.value] = 0;
  }
}
