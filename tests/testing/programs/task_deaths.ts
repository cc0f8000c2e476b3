// What futures promise if a thread dies: the first of each program is killed. As
// in `futures.ts`, threads of the program do a worker's part; here they are ones
// that whoever cleans up after them takes for workers.
import {
  add,
  addressOf,
  allocateNode,
  Field,
  freeNode,
  lock,
  MAIN_QUEUE,
  Node,
  unlock,
  Wake,
  words,
} from "../../../threading/_ground.ts";
import { draftRecord } from "../../../threading/_threads.ts";
import { sendable, ThreadingError } from "../../../threading/mod.ts";
import { asCompletedSync } from "../../../pool/mod.ts";
import {
  Core,
  Phase,
  Task,
  TaskState,
  Worker,
  WORKER_FLAG,
  WORKER_WORDS,
} from "../../../pool/_engine/layout.ts";
import {
  endLooking,
  offer,
  settle,
  settleHold,
  takeNext,
} from "../../../pool/_engine/line.ts";
import { assert, assertEquals } from "@std/assert";
import { Objects, serve, settleWithRest } from "./futures.ts";
import { type Program, programsFrom } from "./program.ts";

/** No worker is started, however many tasks there are. */
const setup = sendable(import.meta, function setupTaskDeaths() {
  const objects = new Objects();
  const core = addressOf(objects.core);
  words[core + Core.maxPending] = 10;
  const task = addressOf(objects.future);
  words[task + Task.attempts] = 1;
  words[task + Task.timeout] = -1;
  offer(core, task, draftRecord(0), 0, true);
  return objects;
});

/** Does something as a worker of the core, whose tasks end with this thread. */
function asWorker(core: number, work: (worker: number) => void): void {
  const worker = allocateNode(WORKER_FLAG, 0, WORKER_WORDS);
  lock(core + Field.mutex);
  words[worker + Worker.phase] = Phase.serves;
  words[worker + Node.queue] = MAIN_QUEUE;
  words[worker + Node.state] = Wake.granted;
  words[worker + Node.object] = core;
  words[core + Core.workers]++;
  add(core + Field.references, 1);
  unlock(core + Field.mutex);
  work(worker);
  lock(core + Field.mutex);
  words[worker + Node.object] = 0;
  words[core + Core.workers]--;
  add(core + Field.references, -1);
  unlock(core + Field.mutex);
  freeNode(worker);
}

/** Does the tasks that are there, and leaves items of the first to another one. */
function serveAll(core: number, worker: number): void {
  for (let task; (task = takeNext(core, worker)) !== 0;) {
    if (words[task + Task.job] !== 0) settleWithRest(core, task);
    else settle(core, task, TaskState.returned, draftRecord(43), 0);
  }
  endLooking(core, worker);
}

const serveOrDie = sendable(
  import.meta,
  function serveDying({ core }: Objects) {
    const pool = addressOf(core);
    asWorker(pool, (worker) => serveAll(pool, worker));
  },
);
const serveAfter = sendable(
  import.meta,
  function serveAfter({ core }: Objects) {
    const pool = addressOf(core);
    asWorker(pool, (worker) => serveAll(pool, worker));
  },
);
/** Its result, or why there is none. */
function resultIn({ future }: Objects): void {
  try {
    assertEquals(future.resultSync(), 42);
  } catch (error) {
    assert(error instanceof ThreadingError, String(error));
  }
}
const wait = sendable(
  import.meta,
  function waitForFutureDying(objects: Objects) {
    resultIn(objects);
  },
);
const waitAfter = sendable(
  import.meta,
  function waitForFutureAfter(objects: Objects) {
    resultIn(objects);
    objects.seen.add(1);
  },
);
const watch = sendable(
  import.meta,
  function watchFutureDying({ future }: Objects) {
    for (const _ of asCompletedSync([future]));
  },
);
const watchAfter = sendable(
  import.meta,
  function watchFutureAfter({ future, seen }: Objects) {
    for (const _ of asCompletedSync([future])) seen.add(1);
  },
);

const isDone = sendable(
  import.meta,
  function isDoneAfter({ future, seen }: Objects) {
    assertEquals([future.resultNowait(), seen.value], [42, 1]);
  },
);

/**
 * The task is settled, once. If it returned, what it left is done or in the line;
 * if it did not, it has left nothing.
 */
const isSettledOnce = sendable(
  import.meta,
  function isSettledOnce({ core, future, seen }: Objects) {
    const pool = addressOf(core);
    assertEquals(seen.value, 1);
    assert(future.done());
    const { workers, running, completed, failed } = Core;
    assertEquals([words[pool + workers], words[pool + running]], [0, 0]);
    const task = addressOf(future);
    const hasReturned = words[task + Task.state] === TaskState.returned;
    assertEquals(words[task + Task.rest] > 0, hasReturned);
    const settled = words[pool + completed] + words[pool + failed];
    const pending = words[pool + Core.pending];
    assertEquals(settled + pending, hasReturned ? 2 : 1);
    asWorker(pool, (worker) => serveAll(pool, worker));
    lock(pool + Field.mutex);
    settleHold(pool);
    unlock(pool + Field.mutex);
  },
);

const program = programsFrom(setup);

export const taskDeaths: Program[] = [
  program("Future", 0, [wait, waitAfter, serve], isDone),
  program("Future, watched", 0, [watch, watchAfter, serve], isDone),
  program(
    "Future, its worker",
    0,
    [serveOrDie, waitAfter, serveAfter],
    isSettledOnce,
  ),
];
