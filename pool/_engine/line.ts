/**
 * The line of a core's tasks: how they get in, to a worker, and to their end.
 * What is said to happen in the section is called with the core's mutex held.
 * See `core.ts` for who wakes whom.
 *
 * @module
 */

import {
  add,
  borrow,
  dequeue,
  discard,
  Field,
  firstOf,
  giveBack,
  Header,
  load,
  lock,
  lockInner,
  MAIN_QUEUE,
  Node,
  noteDone,
  type Protocol,
  releaseReference,
  requestHost,
  ScopeField,
  Slot,
  slotOf,
  store,
  tid,
  TraceNote,
  unlock,
  unlockInner,
  Wake,
  wake,
  wakeAll,
  wakeAllSlots,
  wakeFirst,
  wakeSlot,
  words,
} from "../../threading/_ground.ts";
import {
  cancelScope,
  commitRecord,
  releaseRecord,
  setGrace,
  terminateAfter,
  ThreadField,
} from "../../threading/_threads.ts";
import {
  Closed,
  Core,
  HELPER,
  isSettled,
  lineUp,
  lineUpFirst,
  MANY_WATCH,
  NO_REST,
  Offer,
  takeOut,
  takeTurn,
  Task,
  TaskState,
  Worker,
} from "./layout.ts";

/** How a Future lets wait for its result. */
export const futureProtocol: Protocol = {
  take(task) {
    return isSettled(task) ? Wake.granted : Wake.waiting;
  },
  undo: () => true,
  news: true,
  // About as long as a worker takes that is awake, and has little to do.
  spins: 4000,
};

/** In the section: whether a task may get into the line. */
export function hasRoom(core: number): boolean {
  return words[core + Core.pending] < words[core + Core.maxPending];
}

/** In the section: a core without handles takes no more tasks. */
export function closeOrphan(core: number): void {
  if (load(core + Core.orphaned) === 0) return;
  if (words[core + Core.closed] === Closed.no) close(core, Closed.shutDown);
}

/** In the section: no more tasks are accepted. */
export function close(core: number, how: number): void {
  words[core + Core.closed] = how;
  wakeAll(core, MAIN_QUEUE, Wake.retry);
  wakeAll(core, Core.room, Wake.retry);
  if (isOver(core)) wakeAll(core, Core.end, Wake.granted);
}

/** In the section: whether the core holds the process open. */
export function settleHold(core: number): void {
  const wanted = words[core + Core.pending] + words[core + Core.running] > 0;
  if (wanted === (words[core + Core.holding] !== 0)) return;
  words[core + Core.holding] = wanted ? 1 : 0;
  lockInner(Header.registryMutex);
  words[Header.liveThreads] += wanted ? 1 : -1;
  unlockInner(Header.registryMutex);
  requestHost();
}

/** In a section: gives a task its core, and its job, a draft. */
export function giveJob(core: number, task: number, job: number): void {
  words[task + Task.core] = core;
  add(core + Field.references, 1);
  words[task + Task.job] = job;
  commitRecord(job);
}

/**
 * Offers a task that this thread holds.
 *
 * @param core The core.
 * @param task The task, which was offered to nobody before.
 * @param job Record of `{ fn, args }`, a draft, which the task has then.
 * @param parent The running task that submits it, or 0.
 * @param isWhole Whether this thread cannot be killed before it has started a
 * worker, should one be needed: else nobody would.
 * @returns An `Offer`.
 */
export function offer(
  core: number,
  task: number,
  job: number,
  parent: number,
  isWhole: boolean,
): number {
  lock(core + Field.mutex);
  if (!isWhole && words[core + Field.head] === 0 && mayLackWorker(core)) {
    unlock(core + Field.mutex);
    return Offer.wholly;
  }
  // Also if it is not accepted: a draft must not wait for room.
  giveJob(core, task, job);
  const end = accept(core, task, parent);
  unlock(core + Field.mutex);
  return end;
}

/** In the section: the same. */
export function accept(core: number, task: number, parent: number): number {
  if (words[core + Core.closed] !== Closed.no) return Offer.closed;
  if (!hasRoom(core)) return Offer.full;
  admit(core, task, parent, submitterOf(parent));
  if (parent !== 0) wakeHelpers(parent);
  return rouse(core) ? Offer.acceptedFirst : Offer.accepted;
}

/** In the section: puts a task into the line. */
function admit(
  core: number,
  task: number,
  parent: number,
  submitter: number,
): void {
  add(task + Field.references, 1);
  if (parent !== 0) addChild(parent, task);
  lineUp(core, task, submitter);
  enter(core, task);
}

/** Whose turn it is to be: this thread's, or that of whoever submitted its task. */
function submitterOf(parent: number): number {
  return parent === 0 ? tid : words[parent + Task.submitter];
}

/** So many ancestors of a task are asked whether somebody helps them. */
const ANCESTORS = 32;

/**
 * In the section: wakes those who wait for an ancestor of a new task and can help
 * with it.
 */
function wakeHelpers(parent: number): void {
  let task = parent;
  for (let i = 0; i < ANCESTORS && task !== 0; i++) {
    if (load(task + Task.helpers) !== 0) wakeHelpersOf(task);
    task = words[task + Task.parent];
  }
}

function wakeHelpersOf(task: number): void {
  if (lockInner(task + Field.mutex)) {
    store(task + Task.helpers, 0);
    let node = firstOf(task);
    while (node !== 0) {
      const next = words[node + Node.next];
      if (words[node + Node.value] === HELPER) {
        dequeue(node);
        wake(node, Wake.granted);
      }
      node = next;
    }
  }
  unlockInner(task + Field.mutex);
}

/** So many tasks are looked at for one that can be helped. */
const LOOKS = 1000;

/**
 * Takes a task that somebody can help with who waits for another one: that one if
 * it is pending, or one that descends from it.
 *
 * @param core The core.
 * @param task The task that is waited for.
 * @param worker The worker of the waiter.
 * @param refused One that it cannot run.
 * @returns The task, or 0.
 */
export function claimRelated(
  core: number,
  task: number,
  worker: number,
  refused: number,
): number {
  lock(core + Field.mutex);
  const found = related(task, refused);
  if (found !== 0) claim(core, found, worker);
  unlock(core + Field.mutex);
  return found;
}

/** In the section: a pending task that is the one or descends from it, or 0. */
function related(root: number, refused: number): number {
  let task = root;
  for (let look = 0; look < LOOKS; look++) {
    const state = words[task + Task.state];
    if (state === TaskState.pending && task !== refused) return task;
    // Down, else to the next one, else up until there is one.
    let next = state >= TaskState.returned ? 0 : words[task + Task.child];
    while (next === 0 && task !== root) {
      next = words[task + Task.nextSibling];
      if (next === 0) task = words[task + Task.parent];
      if (task === 0) return 0;
    }
    if (next === 0) return 0;
    task = next;
  }
  return 0;
}

/** Puts a task back into the line that this worker cannot run. */
export function giveUpTask(core: number, task: number): void {
  lock(core + Field.mutex);
  release(core, task);
  words[task + Task.attempt]--;
  lineFirst(core, task);
  wakeFirst(core, MAIN_QUEUE, Wake.retry);
  unlock(core + Field.mutex);
}

/** Whether there are workers besides the one that asks, or there could be. */
export function hasOtherWorkers(core: number): boolean {
  return words[core + Core.size] > 1;
}

/** Accepts a task that this thread runs itself, whatever room there is. */
export function acceptHere(
  core: number,
  task: number,
  parent: number,
  worker: number,
): number {
  lock(core + Field.mutex);
  const isOpen = words[core + Core.closed] === Closed.no;
  if (isOpen) {
    add(task + Field.references, 1);
    addChild(parent, task);
    words[task + Task.submitter] = submitterOf(parent);
    lineFirst(core, task);
    claim(core, task, worker);
  }
  unlock(core + Field.mutex);
  return isOpen ? Offer.accepted : Offer.closed;
}

/** In the section: a task has got into the line. */
function enter(core: number, task: number): void {
  words[core + Core.pending]++;
  store(task + Task.state, TaskState.pending);
  add(core + Core.accepted, 1);
  if (words[core + Core.holding] === 0) settleHold(core);
}

/**
 * In the section: has somebody look at the line.
 *
 * @returns Whether a worker is to be started, see `startWorker`.
 */
export function rouse(core: number): boolean {
  // Those that look find one each.
  if (words[core + Core.pending] <= words[core + Core.looking]) return false;
  if (wakeFirst(core, MAIN_QUEUE, Wake.retry)) return false;
  return lacksWorker(core);
}

export function lacksWorker(core: number): boolean {
  return words[core + Core.pending] > 0 && mayLackWorker(core, 0);
}

/** In the section: whether a worker is to be started for so many more tasks. */
function mayLackWorker(core: number, more = 1): boolean {
  const there = words[core + Core.workers] - words[core + Core.leaving];
  return there < words[core + Core.size] &&
    words[core + Core.pending] + words[core + Core.running] + more > there &&
    words[core + Core.closed] !== Closed.failed;
}

/** In the section: a task has been taken out of the line. */
function leaveLine(core: number): void {
  words[core + Core.pending]--;
  if (words[core + Core.room] !== 0 && hasRoom(core)) {
    wakeFirst(core, Core.room, Wake.retry);
  }
}

/** In the section: takes a task out of the line. */
function unline(core: number, task: number): void {
  takeOut(core, task);
  leaveLine(core);
}

/** In the section: a worker runs a task that is in the line. */
function claim(core: number, task: number, worker: number): void {
  unline(core, task);
  assign(core, task, worker);
}

/**
 * In the section: a worker runs the task whose turn it is. If there is none it
 * looks for one, until {@linkcode stopLooking}.
 *
 * @returns The task, or 0.
 */
function claimNext(core: number, worker: number): number {
  const task = takeTurn(core);
  if (task === 0) {
    words[worker + Worker.looks] = 1;
    words[core + Core.looking]++;
  } else {
    leaveLine(core);
    assign(core, task, worker);
  }
  return task;
}

/** In the section: the same for a worker that looks no more. */
export function stopLooking(core: number, worker: number): void {
  words[core + Core.looking] -= words[worker + Worker.looks];
  words[worker + Worker.looks] = 0;
}

function assign(core: number, task: number, worker: number): void {
  const first = words[worker + Worker.tasks];
  words[task + Task.next] = first;
  words[task + Task.previous] = 0;
  if (first !== 0) words[first + Task.previous] = task;
  words[worker + Worker.tasks] = task;
  words[task + Task.worker] = worker;
  words[task + Task.attempt]++;
  // The worker enters its scope. Only its own thread claims a task.
  store(task + Task.scope + ScopeField.slot, words[worker + Node.slot]);
  words[core + Core.running]++;
  store(task + Task.state, TaskState.running);
}

/** In the section: takes a task out of the list of its worker. */
export function release(core: number, task: number): void {
  const next = words[task + Task.next];
  const previous = words[task + Task.previous];
  if (next !== 0) words[next + Task.previous] = previous;
  if (previous !== 0) words[previous + Task.next] = next;
  else words[words[task + Task.worker] + Worker.tasks] = next;
  words[task + Task.worker] = 0;
  store(task + Task.scope + ScopeField.slot, 0);
  words[core + Core.running]--;
}

/**
 * Takes the next task out of the line, for a worker that looks on if there is
 * none.
 *
 * @returns The task, or 0.
 */
export function takeNext(core: number, worker: number): number {
  lock(core + Field.mutex);
  stopLooking(core, worker);
  const task = claimNext(core, worker);
  unlock(core + Field.mutex);
  return task;
}

/**
 * Has a worker look no more.
 *
 * @returns Whether there is a task by now.
 */
export function endLooking(core: number, worker: number): boolean {
  lock(core + Field.mutex);
  stopLooking(core, worker);
  const isThere = words[core + Core.pending] !== 0;
  unlock(core + Field.mutex);
  return isThere;
}

/**
 * Settles a task of this thread's worker, and takes the next one out of the line
 * in the same section.
 *
 * @param core The core.
 * @param task The task.
 * @param state How it ended.
 * @param result Record of the result or error, a draft; 0 for no room; `IS_NUMBER`
 * if the result is in the task.
 * @param worker The worker that is to have the next task, 0 for none.
 * @param rest What it leaves to other tasks.
 * @returns The next task, or 0.
 */
export function settle(
  core: number,
  task: number,
  state: number,
  result: number,
  worker: number,
  rest?: Rest,
): number {
  lock(core + Field.mutex);
  release(core, task);
  if (rest !== undefined) acceptRest(core, task, rest);
  settleIn(core, task, state, result);
  const next = worker === 0 ? 0 : claimNext(core, worker);
  unlock(core + Field.mutex);
  return next;
}

/**
 * In the section: settles a task that is in no list any more.
 *
 * @param isDraft Whether the record is a draft of this thread, or the task's.
 */
export function settleIn(
  core: number,
  task: number,
  state: number,
  result: number,
  isDraft = true,
): void {
  if (
    (words[task + Task.parent] | words[task + Task.child]) !== 0
  ) leaveFamily(task);
  const job = words[task + Task.job];
  words[task + Task.job] = 0;
  if (state === TaskState.returned) words[core + Core.completed]++;
  else if (state === TaskState.failed) words[core + Core.failed]++;
  else words[core + Core.cancelled]++;
  const isWhole = lockInner(task + Field.mutex);
  words[task + Task.result] = result;
  if (result > 0 && isDraft) commitRecord(result);
  store(task + Task.state, state);
  if (isWhole) {
    wakeAll(task, MAIN_QUEUE, Wake.granted);
    wakeAll(task, Task.readers, Wake.granted);
  }
  const watcher = words[task + Task.watcher];
  if (watcher === MANY_WATCH) wakeAllSlots();
  else if (watcher !== 0) wakeSlot(watcher);
  unlockInner(task + Field.mutex);
  if (job !== 0) releaseRecord(job);
  releaseReference(task);
}

/** Tasks that get into the line at the end of the one that has left them items. */
export interface Rest {
  /** For `Task.rest`, a draft. */
  readonly record: number;
  /** They know their core and their jobs, and this thread holds them. */
  readonly tasks: readonly number[];
  /** How many workers are to be started then. */
  wanted: number;
  /** Whether the record is a draft still: they were not accepted. */
  isRefused: boolean;
}

/**
 * In the section: the same, of a task that has just been released. They belong to
 * what the core has accepted, so it may be closed, and full.
 */
function acceptRest(core: number, task: number, rest: Rest): void {
  rest.isRefused = words[task + Task.rest] === NO_REST ||
    words[core + Core.closed] === Closed.failed;
  if (rest.isRefused) return;
  words[task + Task.rest] = rest.record;
  commitRecord(rest.record);
  const parent = words[task + Task.parent];
  for (const each of rest.tasks) {
    admit(core, each, parent, words[task + Task.submitter]);
    if (rouse(core)) rest.wanted++;
  }
  if (parent !== 0) wakeHelpers(parent);
}

/** In the section: a running task has submitted another one. */
function addChild(parent: number, task: number): void {
  const first = words[parent + Task.child];
  words[task + Task.parent] = parent;
  words[task + Task.nextSibling] = first;
  words[task + Task.previousSibling] = 0;
  if (first !== 0) words[first + Task.previousSibling] = task;
  words[parent + Task.child] = task;
}

/** In the section: a settled task leaves its own ones to its parent. */
function leaveFamily(task: number): void {
  const parent = words[task + Task.parent];
  if (parent !== 0) {
    const next = words[task + Task.nextSibling];
    const previous = words[task + Task.previousSibling];
    if (next !== 0) words[next + Task.previousSibling] = previous;
    if (previous !== 0) words[previous + Task.nextSibling] = next;
    else words[parent + Task.child] = next;
    words[task + Task.parent] = 0;
  }
  let child = words[task + Task.child];
  words[task + Task.child] = 0;
  while (child !== 0) {
    const next = words[child + Task.nextSibling];
    words[child + Task.parent] = 0;
    words[child + Task.nextSibling] = 0;
    words[child + Task.previousSibling] = 0;
    if (parent !== 0) addChild(parent, child);
    child = next;
  }
}

/**
 * Cancels a task, of which this thread has a reference: one that is pending is
 * settled, one that runs is asked to end and leaves nothing to others.
 *
 * @param core The core.
 * @param task The task.
 * @param reason Record of the reason, a draft, which goes.
 * @param grace Milliseconds after which the worker of a task is terminated that
 * still runs, -1 for never.
 */
export function cancelTask(
  core: number,
  task: number,
  reason: number,
  grace: number,
): void {
  lock(core + Field.mutex);
  const state = words[task + Task.state];
  let thread = 0;
  if (state === TaskState.pending) {
    noteDone(TraceNote.cancelled, 0, task);
    unline(core, task);
    settleIn(core, task, TaskState.cancelled, reason);
    endIfIdle(core);
  } else if (state === TaskState.running) {
    words[task + Task.rest] = NO_REST;
    if (grace >= 0) {
      // The worker is there: its node is.
      const slot = words[words[task + Task.worker] + Node.slot];
      thread = words[slot + Slot.thread];
      if (thread !== 0) borrow(thread);
    }
  }
  unlock(core + Field.mutex);
  if (state === TaskState.running) cancelScope(task, task + Task.scope, reason);
  else if (state !== TaskState.pending) discard(reason);
  if (thread === 0) return;
  terminateAfter(thread, grace);
  // The worker may have gone on with another one.
  if (isSettled(task)) setGrace(slotOf(words[thread + ThreadField.tid]), 0);
  giveBack(thread);
}

/** In the section: nobody is left to see that there is nothing to do. */
export function endIfIdle(core: number): void {
  if (words[core + Core.pending] + words[core + Core.running] > 0) return;
  settleHold(core);
  if (isOver(core)) wakeAll(core, Core.end, Wake.granted);
}

/** No more tasks are accepted. */
export function shutDown(core: number): void {
  lock(core + Field.mutex);
  if (words[core + Core.closed] === Closed.no) close(core, Closed.shutDown);
  unlock(core + Field.mutex);
}

/**
 * Ends the first pending task.
 *
 * @param state How it ends.
 * @param draft Drafts the record of why.
 * @returns Whether there was one.
 */
export function endFirst(
  core: number,
  state: number,
  draft: () => number,
): boolean {
  if (words[core + Core.pending] === 0) return false;
  const result = draft();
  lock(core + Field.mutex);
  const task = words[core + Core.first];
  if (task !== 0) {
    unline(core, task);
    settleIn(core, task, state, result);
    endIfIdle(core);
  }
  unlock(core + Field.mutex);
  if (task === 0 && result !== 0) discard(result);
  return task !== 0;
}

/** In the section: puts a task at the head of the line. */
export function lineFirst(core: number, task: number): void {
  lineUpFirst(core, task);
  enter(core, task);
}

/** In the section: whether all has ended. */
export function isOver(core: number): boolean {
  return words[core + Core.closed] !== Closed.no &&
    (words[core + Core.workers] | words[core + Core.pending]) === 0;
}
