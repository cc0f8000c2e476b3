/**
 * The core of a pool: its tasks and its workers, on the shared heap.
 *
 * A task and its Future are one object, made by the submitter. It is in one
 * place at every instant:
 *
 * - in the line of pending tasks of the core;
 * - in the list of a worker, while it runs there;
 * - nowhere, once it is settled. Then it belongs to those who have its Future.
 *
 * Each step between them is one critical section of the core, and so is the
 * settling, with the Future's own mutex inside it. The core has a reference to
 * each task that it has accepted and not settled.
 *
 * A worker is a thread with a node on the core, its companion (`assign` in
 * `thread_table.ts`), that is there from the first instant of the thread to its
 * last. Whoever cleans up after the thread finds it, whether the worker was
 * killed while it booted or in the middle of a task, or ended by itself, and
 * calls {@linkcode abandon}: the tasks of that worker fail or go back into the
 * line, and another worker starts if there is something to do. So no task is
 * lost with its worker, and the number of workers is always right.
 *
 * Who wakes whom:
 *
 * - Whoever puts a task into the line wakes the worker that is first in the
 *   core's queue of idle ones, or starts a worker. A worker looks into the line
 *   under the mutex before it gets into that queue, so it misses nothing. If it
 *   dies between being woken and taking the task, `abandon` wakes the next one.
 * - A worker that finds the line empty looks on for an instant (`Core.looking`).
 *   Nobody is woken for as many tasks as workers look: each of them takes one,
 *   in a section in which it looks no more, before it rests. If one dies that
 *   looks, `abandon` takes it off the count and wakes another one.
 * - Whoever takes a task out of the line wakes the submitter that waits longest
 *   for room. That puts its task in itself, in the section in which it looks.
 * - Whoever settles a task wakes all that wait at its Future. If that leaves items
 *   to other tasks (`chunk.ts`), he puts these into the line in the same section,
 *   also if the core is closed or full, and does what whoever submits them would.
 *   His worker is there until then, and the line is not empty afterwards: so a
 *   closed core is not over in between.
 * - Whoever lets the last worker of a closed core go wakes those who wait for
 *   its end.
 *
 * While a core has tasks it counts as a living thread (`Header.liveThreads`), so
 * accepted tasks hold the process open. Its workers are daemons: idle ones do
 * not.
 *
 * @module
 */

import {
  add,
  ADDRESS,
  addressOf,
  allocateZeroed,
  CountedThings,
  createObject,
  dequeue,
  discard,
  doWholly,
  Field,
  firstOther,
  isScopeCancelled,
  load,
  lock,
  MAIN_QUEUE,
  Node,
  type Protocol,
  registerClass,
  releaseReference,
  ScopeField,
  self,
  SharedObject,
  Slot,
  unlock,
  Wake,
  wake,
  wakeAll,
  words,
} from "../../threading/_ground.ts";
import {
  commitRecord,
  draftError,
  graceTime,
  launchThread,
  readRecord,
  releaseRecord,
  requirePermissions,
} from "../../threading/_threads.ts";
import { ThreadingError } from "../../threading/errors.ts";
import { timeoutError } from "../../_internal/check.ts";
import { moduleUrl } from "../../_internal/worker_module.ts";
import { Thread } from "../../threading/thread.ts";
import {
  Closed,
  Core,
  CORE_WORDS,
  Phase,
  Task,
  TaskState,
  Worker,
  WORKER_FLAG,
  WORKER_WORDS,
} from "./layout.ts";
import {
  close,
  closeOrphan,
  endFirst,
  endIfIdle,
  hasRoom,
  isOver,
  lacksWorker,
  lineFirst,
  release,
  rouse,
  settleHold,
  settleIn,
  stopLooking,
} from "./line.ts";

/** The handle of a core, which only workers are given. */
export class PoolCore extends SharedObject {
  /** Makes a core. */
  constructor() {
    super(createObject(CORE_KIND, CORE_WORDS));
  }
}

/** How idle workers wait. */
export const idleProtocol: Protocol = {
  take(core) {
    closeOrphan(core);
    if (words[core + Core.pending] !== 0) return Wake.granted;
    if (words[core + Core.closed] !== Closed.no) return Wake.granted;
    settleHold(core);
    return Wake.waiting;
  },
  // It is asked when anything wakes the worker. The last handle may have gone in the critical section of a thread that had
  // no more to say.
  tick(core) {
    if (load(core + Core.orphaned) !== 0) {
      lock(core + Field.mutex);
      closeOrphan(core);
      unlock(core + Field.mutex);
    }
    return Infinity;
  },
  decline(core, node) {
    passOn(core, words[node + Node.queue]);
  },
  spins: 4000,
  idle: true,
};

/** How a worker waits whose tasks are suspended: it cannot end. */
export const suspendedProtocol: Protocol = {
  ...idleProtocol,
  idle: undefined,
  take(core) {
    return words[core + Core.pending] !== 0 ? Wake.granted : Wake.waiting;
  },
};

/** Lets somebody else have what a node was woken for. */
function passOn(core: number, queue: number): void {
  lock(core + Field.mutex);
  const isThere = queue === Core.room
    ? hasRoom(core)
    : words[core + Core.pending] !== 0;
  const other = isThere ? firstOther(core, queue) : 0;
  if (other !== 0) {
    dequeue(other);
    wake(other, Wake.retry);
  }
  unlock(core + Field.mutex);
}

/** How the end of a closed core is waited for. */
export const endProtocol: Protocol = {
  take(core) {
    return isOver(core) ? Wake.granted : Wake.waiting;
  },
  undo: () => true,
  news: true,
};

const CORE_KIND = registerClass(import.meta, {
  constructor: PoolCore,
  counter: { what: CountedThings.pending, length: Core.pending },
  protocol: idleProtocol,
  abandon,
  label: (_core, node) =>
    words[node + Node.queue] === Core.room
      ? "room in a pool"
      : "the end of a pool",
  destroy(core) {
    for (const field of [Core.error, Core.initializer, Core.name]) {
      const record = words[core + field];
      if (record !== 0) releaseRecord(record);
    }
  },
});

/**
 * The workers of a core cannot be used: all pending tasks fail, and none is
 * accepted any more.
 */
export function fail(core: number, error: unknown): void {
  const record = draftError(error, words[self + Slot.thread]);
  lock(core + Field.mutex);
  const isFirst = words[core + Core.error] === 0;
  if (isFirst) {
    words[core + Core.error] = record;
    if (record !== 0) commitRecord(record);
  }
  if (words[core + Core.closed] !== Closed.failed) close(core, Closed.failed);
  unlock(core + Field.mutex);
  if (!isFirst && record !== 0) discard(record);
  failPending(core, error);
}

/** Fails all pending tasks. */
function failPending(core: number, error: unknown): void {
  const draft = () => draftError(error, words[self + Slot.thread]);
  while (endFirst(core, TaskState.failed, draft));
}

/**
 * A worker that has nothing to do is to end, unless there is a task for it by
 * now.
 *
 * @returns Whether it takes no more tasks.
 */
export function leave(core: number, worker: number): boolean {
  lock(core + Field.mutex);
  const leaves = words[core + Core.pending] === 0;
  if (leaves) {
    words[worker + Worker.phase] = Phase.leaves;
    words[core + Core.leaving]++;
  }
  unlock(core + Field.mutex);
  return leaves;
}

/** A worker is ready for tasks. */
export function arrive(core: number, worker: number): void {
  lock(core + Field.mutex);
  words[worker + Worker.phase] = Phase.serves;
  words[core + Core.stillborn] = 0;
  unlock(core + Field.mutex);
}

/**
 * Counts one more worker if the core needs it.
 *
 * @returns Its number, or 0.
 */
function addWorker(core: number): number {
  lock(core + Field.mutex);
  const wanted = lacksWorker(core);
  if (wanted) {
    words[core + Core.workers]++;
    words[core + Core.started]++;
    // That of its node.
    add(core + Field.references, 1);
  }
  const number = words[core + Core.started];
  unlock(core + Field.mutex);
  return wanted ? number : 0;
}

/** Takes back {@linkcode addWorker}; returns how many workers there are. */
function removeWorker(core: number): number {
  lock(core + Field.mutex);
  const left = --words[core + Core.workers];
  if (isOver(core)) wakeAll(core, Core.end, Wake.granted);
  // It is not the last one: whoever starts a worker has a task of the core, too.
  add(core + Field.references, -1);
  unlock(core + Field.mutex);
  return left;
}

/** Has an idle worker look at the line, or starts one. */
export function rouseWorker(core: number): void {
  lock(core + Field.mutex);
  const wanted = rouse(core);
  unlock(core + Field.mutex);
  if (wanted) startWorker(core);
}

/** For messages. */
export const RUN = "run a task";

/**
 * So many workers in a row may die before they can take a task. Those that boot
 * may have been terminated one after the other; in the initializer it is most
 * likely that what it does ends them.
 */
const MAX_UNBORN = 30;
const MAX_STILLBORN = 3;

/** Goes on with what a dead thread has left: a worker, or a wait. */
function abandon(
  core: number,
  node: number,
  _state: number,
  cause?: unknown,
): void {
  if (words[node + Node.flags] & WORKER_FLAG) {
    abandonWorker(core, node, cause);
  } else if (words[node + Node.queue] === Core.room) {
    passOn(core, Core.room);
  } else if (words[node + Node.queue] === MAIN_QUEUE) {
    rouseWorker(core);
  }
}

function abandonWorker(core: number, worker: number, cause: unknown): void {
  const died = new ThreadingError(
    "The task failed: its worker died while it ran",
    cause === undefined ? undefined : { cause },
  );
  while (words[worker + Worker.tasks] !== 0) endTaskOf(core, worker, died);
  lock(core + Field.mutex);
  const phase = words[worker + Worker.phase];
  stopLooking(core, worker);
  words[core + Core.workers]--;
  if (phase === Phase.leaves) {
    words[core + Core.leaving]--;
  } else {
    words[core + Core.died]++;
    if (phase !== Phase.serves) words[core + Core.stillborn]++;
  }
  const most = phase === Phase.initializes ? MAX_STILLBORN : MAX_UNBORN;
  const isHopeless = words[core + Core.stillborn] >= most &&
    words[core + Core.closed] !== Closed.failed;
  endIfIdle(core);
  const wanted = rouse(core);
  unlock(core + Field.mutex);
  if (isHopeless) fail(core, cause ?? died);
  else if (wanted) startWorker(core);
  lock(self + Slot.mutex);
  releaseReference(core);
  unlock(self + Slot.mutex);
}

/** Puts the first task of a dead worker back into the line, or ends it. */
function endTaskOf(core: number, worker: number, died: unknown): void {
  const thread = words[worker + Node.slot] + Slot.thread;
  const task = words[worker + Worker.tasks];
  const timeout = words[task + Task.timeout];
  // One that has not looked at the time is terminated when its grace is over.
  const isLate = timeout >= 0 && words[task + Task.grace] >= 0 &&
    ((graceTime() - words[task + Task.startedAt]) | 0) >= timeout;
  const error = isLate ? timeoutError(RUN, timeout) : died;
  const result = draftError(error, words[thread]);
  lock(core + Field.mutex);
  release(core, task);
  const isCancelled = isScopeCancelled(task + Task.scope);
  let isUsed = false;
  if (isCancelled) {
    const reason = words[task + Task.scope + ScopeField.reason];
    words[task + Task.scope + ScopeField.reason] = 0;
    settleIn(core, task, TaskState.cancelled, reason, false);
  } else if (isLate) {
    isUsed = true;
    settleIn(core, task, TaskState.cancelled, result);
  } else if (
    words[task + Task.attempt] < words[task + Task.attempts] &&
    words[core + Core.closed] !== Closed.failed
  ) {
    lineFirst(core, task);
  } else {
    isUsed = true;
    settleIn(core, task, TaskState.failed, result);
  }
  unlock(core + Field.mutex);
  if (!isUsed && result !== 0) discard(result);
}

const SERVE_URL = moduleUrl("pool/_engine/serve").href;

/** What a worker runs. */
let serveFunction: ((core: PoolCore) => Promise<void>) | undefined;

/**
 * Sets what workers run. `serve.ts` does so, since it stands on this file.
 */
export function setServe(serve: (core: PoolCore) => Promise<void>): void {
  serveFunction = serve;
}

/**
 * Makes sure that workers can be started.
 *
 * @param moduleUrl The module of a task, if it is known.
 * @throws {Deno.errors.NotCapable} If what they import may not be read.
 */
export function checkWorkers(moduleUrl: string | undefined): void {
  requirePermissions(SERVE_URL);
  if (moduleUrl !== undefined) requirePermissions(moduleUrl);
}

/** A handle to be sent and not kept: this thread holds nothing by it. */
function standIn(core: number): PoolCore {
  const handle = Object.create(PoolCore.prototype) as PoolCore;
  handle[ADDRESS] = core;
  return handle;
}

/** Starts a worker if the core needs one, from whichever thread finds so. */
export function startWorker(core: number): void {
  // Killed in the middle, this thread would leave a worker that is counted but
  // not there.
  doWholly(() => {
    const number = addWorker(core);
    if (number !== 0) launch(core, number);
  });
}

function launch(core: number, number: number): void {
  let node = 0;
  try {
    const name = `${readRecord(words[core + Core.name])}-${number}`;
    const args = [standIn(core)];
    const thread = new Thread({ name, daemon: true });
    node = allocateZeroed(WORKER_WORDS);
    words[node + Node.object] = core;
    words[node + Node.queue] = MAIN_QUEUE;
    words[node + Node.state] = Wake.granted;
    words[node + Node.flags] = WORKER_FLAG;
    words[node + Worker.number] = number;
    launchThread(
      addressOf(thread),
      { target: serveFunction, args },
      SERVE_URL,
      node,
    );
    thread.free();
  } catch (error) {
    if (node !== 0) discard(node);
    if (removeWorker(core) === 0) failPending(core, error);
  }
}
