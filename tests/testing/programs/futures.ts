// What futures promise. A pool's workers are threads that nobody schedules here, so
// a thread of the program does a worker's part, by the functions that a worker
// calls: it takes the task out of the line, and settles it.
import {
  add,
  addressOf,
  allocateZeroed,
  discard,
  Field,
  lock,
  Node,
  self,
  unlock,
  waitSync,
  Wake,
  wakeAll,
  words,
} from "../../../threading/_ground.ts";
import { draftRecord } from "../../../threading/_threads.ts";
import { sendable, SharedNumber } from "../../../threading/mod.ts";
import { selectSync } from "../../../queue/mod.ts";
import { type Future, makeFuture } from "../../../pool/future.ts";
import { abandon } from "../../../pool/_batches.ts";
import { endProtocol, leave, PoolCore } from "../../../pool/_engine/core.ts";
import {
  Core,
  Task,
  TaskState,
  WORKER_WORDS,
} from "../../../pool/_engine/layout.ts";
import {
  endLooking,
  isOver,
  offer,
  settle,
  settleHold,
  shutDown,
  takeNext,
} from "../../../pool/_engine/line.ts";
import { assert, assertEquals } from "@std/assert";
import { type Program, programsFrom } from "./program.ts";

export class Objects {
  static {
    sendable(import.meta, this);
  }
  core = new PoolCore();
  future: Future<number> = makeFuture<number>();
  seen = new SharedNumber(0);
  cancelled = new SharedNumber(0);
}

const setup = sendable(import.meta, function setupFutures() {
  const objects = new Objects();
  const core = addressOf(objects.core);
  words[core + Core.size] = 1;
  words[core + Core.maxPending] = 1;
  // It is there, and no other is started.
  words[core + Core.workers] = 1;
  offer(core, addressOf(objects.future), draftRecord(0), 0, true);
  return objects;
});

export const serve = sendable(import.meta, function serve({ core }: Objects) {
  const pool = addressOf(core);
  const node = allocateZeroed(WORKER_WORDS);
  words[node + Node.slot] = self;
  const task = takeNext(pool, node);
  if (task === 0) endLooking(pool, node);
  else settle(pool, task, TaskState.returned, draftRecord(42), 0);
  discard(node);
  lock(pool + Field.mutex);
  settleHold(pool);
  unlock(pool + Field.mutex);
});

/** Settles a task that leaves items to another one. */
export function settleWithRest(core: number, task: number): void {
  const future = makeFuture();
  const address = addressOf(future);
  lock(core + Field.mutex);
  words[address + Task.core] = core;
  words[address + Task.timeout] = -1;
  words[address + Task.asked] = 1;
  add(core + Field.references, 1);
  unlock(core + Field.mutex);
  const record = draftRecord([[1, future]]);
  const rest = { record, tasks: [address], wanted: 0, isRefused: false };
  settle(core, task, TaskState.returned, draftRecord(42), 0, rest);
  if (rest.isRefused) discard(record);
  future.free();
}

/** Does the first task, and leaves something to another one. */
const serveHalf = sendable(
  import.meta,
  function serveHalf({ core }: Objects) {
    const pool = addressOf(core);
    const node = allocateZeroed(WORKER_WORDS);
    words[node + Node.slot] = self;
    const task = takeNext(pool, node);
    if (task === 0) endLooking(pool, node);
    else settleWithRest(pool, task);
    discard(node);
  },
);
const abandonIt = sendable(
  import.meta,
  function abandonFuture({ future }: Objects) {
    abandon(addressOf(future));
  },
);
const nothingIsLeft = sendable(
  import.meta,
  function nothingIsLeft({ core, future }: Objects) {
    assert(future.done());
    const pool = addressOf(core);
    assertEquals([words[pool + Core.pending], words[pool + Core.running]], [
      0,
      0,
    ]);
    lock(pool + Field.mutex);
    settleHold(pool);
    unlock(pool + Field.mutex);
  },
);

/** Does all tasks, and ends. */
const serveAll = sendable(
  import.meta,
  function serveAll({ core, seen }: Objects) {
    const pool = addressOf(core);
    const node = allocateZeroed(WORKER_WORDS);
    words[node + Node.slot] = self;
    do {
      let task = takeNext(pool, node);
      for (; task !== 0; task = takeNext(pool, node)) {
        if (seen.add(1) === 1) settleWithRest(pool, task);
        else settle(pool, task, TaskState.returned, draftRecord(43), 0);
      }
      endLooking(pool, node);
    } while (!leave(pool, node));
    discard(node);
    lock(pool + Field.mutex);
    settleHold(pool);
    words[pool + Core.leaving]--;
    words[pool + Core.workers]--;
    if (isOver(pool)) wakeAll(pool, Core.end, Wake.granted);
    unlock(pool + Field.mutex);
  },
);
const shutDownAndWait = sendable(
  import.meta,
  function shutDownAndWait({ core, seen }: Objects) {
    const pool = addressOf(core);
    shutDown(pool);
    waitSync(endProtocol, pool, Core.end, Infinity, "shut down");
    assertEquals([seen.value, words[pool + Core.pending]], [2, 0]);
  },
);

/** Counts a reason to be cancelled, and throws all other errors. */
function count(cancelled: SharedNumber, error: unknown): void {
  assertEquals((error as Error).name, "AbortError");
  cancelled.add(1);
}

const wait = sendable(
  import.meta,
  function waitForFuture({ future, seen, cancelled }: Objects) {
    try {
      seen.add(future.resultSync());
    } catch (error) {
      count(cancelled, error);
    }
  },
);
const waitAsync = sendable(
  import.meta,
  async function waitForFutureAsync({ future, seen, cancelled }: Objects) {
    try {
      seen.add(await future.result());
    } catch (error) {
      count(cancelled, error);
    }
  },
);
const select = sendable(
  import.meta,
  function selectFuture({ future, seen, cancelled }: Objects) {
    try {
      seen.add(selectSync([future]).value as number);
    } catch (error) {
      count(cancelled, error);
    }
  },
);
const waitInTime = sendable(
  import.meta,
  function waitForFutureInTime({ future, seen }: Objects) {
    try {
      seen.add(future.resultSync({ timeout: 1000 }));
    } catch (error) {
      assertEquals((error as Error).name, "TimeoutError");
      seen.add(42);
    }
  },
);
const cancel = sendable(
  import.meta,
  function cancelFuture({ future }: Objects) {
    future.cancel();
  },
);
const look = sendable(
  import.meta,
  function lookAtFuture({ future, seen }: Objects) {
    const result = future.resultNowait();
    assert(result === undefined || result === 42);
    seen.add(42);
  },
);
const lookAndFree = sendable(
  import.meta,
  function lookAtFutureAndFree({ future }: Objects) {
    if (future.done()) assertEquals(future.resultNowait(), 42);
    future.free();
  },
);

const twoSaw = sendable(
  import.meta,
  function twoSaw({ future, seen }: Objects) {
    assertEquals([seen.value, future.resultNowait()], [84, 42]);
  },
);
const allTheSame = sendable(
  import.meta,
  function allTheSame({ future, seen, cancelled }: Objects) {
    assert(future.done());
    const end = future.cancelled() ? [0, 1] : [42, 0];
    assertEquals([seen.value, cancelled.value], end);
  },
);
const isDone = sendable(import.meta, function isDone({ future }: Objects) {
  assertEquals([future.done(), future.resultNowait()], [true, 42]);
});

const program = programsFrom(setup);

export const programs: Program[] = [
  program("Future", 1, [serve, wait, waitAsync], twoSaw),
  program("Future, with a timeout", 1, [serve, waitInTime, look], twoSaw),
  program("Future, cancelled", 1, [serve, wait, cancel], allTheSame),
  program(
    "Future, cancelled, in promise form",
    1,
    [serve, waitAsync, cancel],
    allTheSame,
  ),
  program("Future, selected", 1, [serve, select, cancel], allTheSame),
  program("Future, freed", 2, [serve, lookAndFree], isDone),
  program("Future, abandoned", 2, [serveHalf, abandonIt], nothingIsLeft),
  program("Future, of a pool's end", 2, [serveAll, shutDownAndWait]),
];
