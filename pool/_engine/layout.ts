/**
 * What a pool is in memory: the words of cores, tasks and workers, and the lanes in
 * which a core's pending tasks are linked.
 *
 * Each submitter has a lane, in which its tasks go first come, first served; and
 * the lanes take turns. So ten thousand tasks of one thread make another thread's
 * task wait for one of them, or as many as there are submitters, and not for all.
 *
 * A submitter is a thread, or what that one's tasks submit in their turn: work
 * that divides itself gets no larger share by it.
 *
 * The first task of a lane stands for it: these are linked from `Core.first`, the
 * lane whose turn is next, to `Core.last`, and each knows the last task of its
 * lane. A lane without tasks is none. All of this happens in the section.
 *
 * @module
 */

import {
  Field,
  load,
  NODE_WORDS,
  SCOPE_WORDS,
  words,
} from "../../threading/_ground.ts";

/** The words of a core. Its main wait queue is that of idle workers. */
export const Core = {
  /** Queue of those who wait for room. */
  room: Field.own,
  /** Queue of those who wait for the end. */
  end: Field.own + 2,
  /** The line of pending tasks: first and last lane, tasks. */
  first: Field.own + 4,
  last: Field.own + 5,
  pending: Field.own + 6,
  /** How many tasks the workers have. */
  running: Field.own + 7,
  size: Field.own + 8,
  /** How many tasks may be pending. */
  maxPending: Field.own + 9,
  /** Milliseconds after which an idle worker ends, -1 for never. */
  idleTimeout: Field.own + 10,
  /** Workers that are there or boot, and how many of them are about to end. */
  workers: Field.own + 11,
  leaving: Field.own + 12,
  /** How many workers were ever started. */
  started: Field.own + 13,
  /** A `Closed`. */
  closed: Field.own + 14,
  /** (atomic) Set when the last handle of its ThreadPool has gone. */
  orphaned: Field.own + 15,
  /** Whether it counts as a living thread. */
  holding: Field.own + 16,
  /** Record of what the initializer threw, 0 if it did not. */
  error: Field.own + 17,
  /** Record of the initializer with its arguments, 0 for none. */
  initializer: Field.own + 18,
  /** Record of the name. */
  name: Field.own + 19,
  /** (atomic) How many tasks were ever accepted. */
  accepted: Field.own + 20,
  /** How many ended in each way. */
  completed: Field.own + 21,
  failed: Field.own + 22,
  cancelled: Field.own + 23,
  /** Workers that have died. */
  died: Field.own + 24,
  /** How many of them in a row before they could take a task. */
  stillborn: Field.own + 25,
  /** How many workers are about to look at the line by themselves. */
  looking: Field.own + 26,
} as const;
/** Size of a core in words. */
export const CORE_WORDS = Field.own + 27;

/** Whether a core accepts tasks. */
export const Closed = {
  no: 0,
  /** It was shut down. */
  shutDown: 1,
  /** Its workers cannot be used: see `Core.error`. */
  failed: 2,
} as const;

const NUMBER = Field.own + 25 + SCOPE_WORDS + 2 + 1 & ~1;

/** The words of a task, which is a Future. */
export const Task = {
  state: Field.own,
  core: Field.own + 1,
  /** Record of `{ fn, args }`, until it is settled. */
  job: Field.own + 2,
  /** Record of the result or error, or `IS_NUMBER`. */
  result: Field.own + 3,
  /** In its lane or the list of a worker. */
  next: Field.own + 4,
  previous: Field.own + 5,
  /** The node of the worker that runs it. */
  worker: Field.own + 6,
  /** The task that submitted it, its own unsettled ones, and its siblings. */
  parent: Field.own + 7,
  child: Field.own + 8,
  nextSibling: Field.own + 9,
  previousSibling: Field.own + 10,
  /** How often it may still run, and how often it has been started. */
  attempts: Field.own + 11,
  attempt: Field.own + 12,
  /** Milliseconds, -1 for none. */
  timeout: Field.own + 13,
  grace: Field.own + 14,
  /** When it was started, by the clock of graces. */
  startedAt: Field.own + 15,
  /** (atomic) Set when somebody has asked for its result. */
  asked: Field.own + 16,
  /** The block of what it has reported, see `task.ts`, or 0. */
  updates: Field.own + 17,
  /** Set if one who helps may sleep at it, see `run.ts`. */
  helpers: Field.own + 18,
  /** Whose lane it is in, and, if it is the first there, the rest of it. */
  submitter: Field.own + 19,
  nextLane: Field.own + 20,
  previousLane: Field.own + 21,
  lastOfLane: Field.own + 22,
  /** The slot of the thread to be woken at its end, 0, or `MANY_WATCH`. */
  watcher: Field.own + 23,
  /**
   * Record of `[count, future]` for each of the tasks that do the items that it has
   * not come to, see `chunk.ts`; 0 if there are none, or `NO_REST`.
   */
  rest: Field.own + 24,
  /** Its scope of cancelling, `SCOPE_WORDS` words. */
  scope: Field.own + 25,
  /** Queue of those who wait for what it reports. */
  readers: Field.own + 25 + SCOPE_WORDS,
  /** The result if it is a number; a double, so at an even word. */
  number: NUMBER,
} as const;
/** Size of a task in words. */
export const TASK_WORDS = NUMBER + 2;

/** What a task has instead of a record if its result is a number. */
export const IS_NUMBER = -1;

/** What a task has instead of a rest that was cancelled before it left one. */
export const NO_REST = -1;

/** Several threads watch a task: all there are will look. */
export const MANY_WATCH = -1;

/** The life of a task. */
export const TaskState = {
  /** It has not been accepted. */
  created: 0,
  pending: 1,
  running: 2,
  returned: 3,
  failed: 4,
  cancelled: 5,
} as const;

/** Whether a task is settled. */
export function isSettled(task: number): boolean {
  return load(task + Task.state) >= TaskState.returned;
}

/**
 * What a result has that is made of several, of which one may not be sendable: a
 * function that gives what can be sent of it.
 */
export const SALVAGE: unique symbol = Symbol("salvage");

/** The words of a worker's node behind those of every node. */
export const Worker = {
  /** First of its tasks. */
  tasks: NODE_WORDS,
  /** A `Phase`. */
  phase: NODE_WORDS + 1,
  /** Which of the pool's it is, from 1. */
  number: NODE_WORDS + 2,
  /** Whether it is counted in `Core.looking`. */
  looks: NODE_WORDS + 3,
} as const;
/** Size of a worker's node in words. */
export const WORKER_WORDS = NODE_WORDS + 4;
/** Flag of a node that is a worker. */
export const WORKER_FLAG = 0x100;

/** What the node of a waiter has in `Node.value` that helps meanwhile. */
export const HELPER = 0x68656c70;

/** How far a worker is. */
export const Phase = {
  boots: 0,
  serves: 1,
  /** It takes no more tasks. */
  leaves: 2,
  /** It runs the initializer. */
  initializes: 3,
} as const;

/** What has become of a task that was offered. */
export const Offer = {
  accepted: 0,
  /** And the submitter is to start a worker. */
  acceptedFirst: 1,
  full: 2,
  /** The core was shut down, or has failed. */
  closed: 3,
  /** Nothing was done: it is to be offered in `doWholly`, with a new worker. */
  wholly: 4,
} as const;

/** The lane of a submitter, or 0. There are no more than submitters. */
function laneOf(core: number, submitter: number): number {
  let lane = words[core + Core.first];
  while (lane !== 0 && words[lane + Task.submitter] !== submitter) {
    lane = words[lane + Task.nextLane];
  }
  return lane;
}

/** Puts a task at the end of its submitter's lane. */
export function lineUp(core: number, task: number, submitter: number): void {
  words[task + Task.submitter] = submitter;
  words[task + Task.next] = 0;
  const lane = laneOf(core, submitter);
  if (lane === 0) {
    words[task + Task.previous] = 0;
    words[task + Task.lastOfLane] = task;
    linkLane(core, task, words[core + Core.last], 0);
    return;
  }
  const last = words[lane + Task.lastOfLane];
  words[task + Task.previous] = last;
  words[last + Task.next] = task;
  words[lane + Task.lastOfLane] = task;
}

/** Puts a task that has a submitter before all others. */
export function lineUpFirst(core: number, task: number): void {
  const lane = laneOf(core, words[task + Task.submitter]);
  words[task + Task.previous] = 0;
  words[task + Task.next] = lane;
  words[task + Task.lastOfLane] = task;
  if (lane !== 0) {
    words[task + Task.lastOfLane] = words[lane + Task.lastOfLane];
    words[lane + Task.previous] = task;
    unlinkLane(core, lane);
  }
  linkLane(core, task, 0, words[core + Core.first]);
}

/** Takes a task out; its lane keeps its turn. */
export function takeOut(core: number, task: number): void {
  const next = words[task + Task.next];
  const previous = words[task + Task.previous];
  if (previous === 0) {
    removeHead(core, task, next, words[task + Task.previousLane]);
    return;
  }
  words[previous + Task.next] = next;
  if (next !== 0) {
    words[next + Task.previous] = previous;
  } else {
    const lane = laneOf(core, words[task + Task.submitter]);
    words[lane + Task.lastOfLane] = previous;
  }
}

/** The task whose turn it is, or 0; the others of its lane wait for the next. */
export function takeTurn(core: number): number {
  const task = words[core + Core.first];
  if (task !== 0) {
    removeHead(core, task, words[task + Task.next], words[core + Core.last]);
  }
  return task;
}

/** Takes the first task of a lane out, and puts the lane behind another one. */
function removeHead(
  core: number,
  task: number,
  next: number,
  behind: number,
): void {
  unlinkLane(core, task);
  if (next === 0) return;
  words[next + Task.previous] = 0;
  words[next + Task.lastOfLane] = words[task + Task.lastOfLane];
  // It may have been the only one.
  const before = behind === task ? 0 : behind;
  const after = before === 0
    ? words[core + Core.first]
    : words[before + Task.nextLane];
  linkLane(core, next, before, after);
}

function linkLane(
  core: number,
  lane: number,
  before: number,
  after: number,
): void {
  words[lane + Task.previousLane] = before;
  words[lane + Task.nextLane] = after;
  if (before === 0) words[core + Core.first] = lane;
  else words[before + Task.nextLane] = lane;
  if (after === 0) words[core + Core.last] = lane;
  else words[after + Task.previousLane] = lane;
}

function unlinkLane(core: number, lane: number): void {
  const before = words[lane + Task.previousLane];
  const after = words[lane + Task.nextLane];
  if (before === 0) words[core + Core.first] = after;
  else words[before + Task.nextLane] = after;
  if (after === 0) words[core + Core.last] = before;
  else words[after + Task.previousLane] = before;
}
