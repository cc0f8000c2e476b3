/**
 * The order of a core's pending tasks. Each submitter has a lane, in which its
 * tasks go first come, first served; and the lanes take turns. So ten thousand
 * tasks of one thread make another thread's task wait for one of them, or as many
 * as there are submitters, and not for all.
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

import { words } from "../../threading/_ground.ts";
import { Core, Task } from "./layout.ts";

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
