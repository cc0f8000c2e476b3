/**
 * What a worker of a pool does: it takes tasks and runs them, and rests when
 * there are none.
 *
 * @module
 */

// The class of the tasks, which a worker may be the last to let go.
import "../future.ts";
// What the tasks of a map run.
import "./chunk.ts";
import {
  addOnWake,
  addressOf,
  load,
  MAIN_QUEUE,
  Node,
  type Protocol,
  self,
  Slot,
  type Surrender,
  waitPromise,
  waitSync,
  Wake,
  words,
} from "../../threading/_ground.ts";
import {
  hasOpenEnds,
  loadModulesOf,
  noteLoaded,
  readRecord,
  type SendableFunction,
  sendableOwn,
  whileLoading,
} from "../../threading/_threads.ts";
import {
  arrive,
  fail,
  idleProtocol,
  leave,
  type PoolCore,
  setServe,
  suspendedProtocol,
} from "./core.ts";
import { Closed, Core, Phase, Worker, WORKER_FLAG } from "./layout.ts";
import { endLooking, takeNext } from "./line.ts";
import { breathe, Place, run } from "./run.ts";

/** After so many tasks in a row the event loop turns. */
const TASKS_A_TURN = 256;
/** Or after so many milliseconds. */
const TURN_MS = 10;
/**
 * So many milliseconds a worker looks for a task before it rests: about as long as
 * a submitter in its event loop takes from one result to the next task. To wake
 * the worker would take longer than what most of them have to do.
 */
const LOOK_MS = 0.05;
/** How often it looks between two looks at the clock. */
const LOOKS = 64;
/**
 * After so many times in vain it looks for less: where all cores are busy, looking
 * keeps the submitter from going on.
 */
const TRIALS = 8;
const LESS = 1 / 16;
/** But every so many times it tries again whether there is something to find. */
const PROBE = 32;

/** The node of the worker that this thread is. */
function ownNode(core: number): number {
  let node = words[self + Slot.nodes];
  while (
    words[node + Node.object] !== core ||
    !(words[node + Node.flags] & WORKER_FLAG)
  ) node = words[node + Node.listNext];
  return node;
}

/** What a worker does first. */
interface Initializer {
  initializer: SendableFunction;
  initArgs: unknown[];
}

async function initialize(core: number): Promise<void> {
  const record = words[core + Core.initializer];
  if (record === 0) return;
  await whileLoading(() => loadModulesOf(record));
  noteLoaded();
  const { initializer, initArgs } = readRecord(record) as Initializer;
  await initializer(...initArgs as never[]);
}

/** The thread of a worker. */
export const servePool = sendableOwn(
  import.meta,
  async function servePool(handle: PoolCore): Promise<void> {
    const core = addressOf(handle);
    const place = new Place(core, ownNode(core));
    try {
      words[place.worker + Worker.phase] = Phase.initializes;
      await initialize(core);
    } catch (error) {
      fail(core, error);
      leave(core, place.worker);
      return;
    }
    arrive(core, place.worker);
    while (await work(place)) {
      // It goes on with what has come meanwhile.
    }
    try {
      handle.free();
    } catch {
      // A flow that a task has left behind waits for room.
    }
  },
);

setServe(servePool);

/** When the event loop of this worker is to turn. */
const turn = { count: 0, at: 0 };

/** Lets the event loop turn. */
async function takeTurn(): Promise<void> {
  await breathe();
  turn.count = 0;
  turn.at = performance.now() + TURN_MS;
}

/** Runs tasks until there are none; false if the worker is to end. */
async function work(place: Place): Promise<boolean> {
  const { core, worker } = place;
  let task = takeNext(core, worker);
  while (task !== 0) {
    // While the event loop turns the worker has no task: what comes up there is
    // not the next one's fault.
    const turns = ++turn.count % 4 === 0 && isTime();
    const next = run(place, task, !turns);
    if (typeof next === "number" && !turns) {
      task = next;
      continue;
    }
    if (turns) await takeTurn();
    await place.whenFree();
    task = takeNext(core, worker);
  }
  lookFor(core);
  if (endLooking(core, worker)) return true;
  await takeTurn();
  await place.whenFree();
  if (words[core + Core.pending] !== 0) return true;
  if (!place.isEmpty) {
    await suspend(place);
    return true;
  }
  const isWoken = hasOpenEnds() ? await rest(core) : restSync(core);
  if (isWoken && words[core + Core.closed] === Closed.no) return true;
  return !leave(core, worker);
}

function isTime(): boolean {
  return turn.count % TASKS_A_TURN === 0 || performance.now() > turn.at;
}

/** How many times in a row this worker has looked in vain. */
let vain = 0;

/** Blocks for an instant, until there is a task. */
function lookFor(core: number): void {
  const isLess = vain >= TRIALS && vain % PROBE !== 0;
  const until = performance.now() + (isLess ? LOOK_MS * LESS : LOOK_MS);
  do {
    for (let look = 0; look < LOOKS; look++) {
      if (load(core + Core.pending) === 0) continue;
      vain = 0;
      return;
    }
  } while (performance.now() < until);
  vain++;
}

function idleTimeout(core: number): number {
  const ms = words[core + Core.idleTimeout];
  return ms < 0 ? Infinity : ms;
}

const WHAT = "wait for a task";

/** Blocks until there may be a task; false if none has come for too long. */
function restSync(core: number): boolean {
  const timeout = idleTimeout(core);
  return waitSync(idleProtocol, core, MAIN_QUEUE, timeout, WHAT) !==
    Wake.waiting;
}

/** The core for which this worker rests in its event loop, or 0. */
let resting = 0;

// A blocked wait does so by itself.
addOnWake(() => {
  if (resting !== 0) idleProtocol.tick!(resting);
});

/** The same while the event loop goes on with what tasks have left there. */
async function rest(core: number): Promise<boolean> {
  const surrender = { timeout: idleTimeout(core), timeoutError: () => LATE };
  resting = core;
  const end = await wait(idleProtocol, core, surrender);
  resting = 0;
  return end !== LATE;
}

/** Waits for a task, or until those that are suspended here have ended. */
async function suspend(place: Place): Promise<void> {
  const signal = place.whenEmpty();
  const surrender = { timeout: Infinity, signal, timeoutError: () => LATE };
  await wait(suspendedProtocol, place.core, surrender);
  await place.whenFree();
}

const LATE = Symbol("late");

/** Resolves to the reason for which the wait was given up, if it was. */
function wait(
  protocol: Protocol,
  core: number,
  surrender: Surrender,
): Promise<unknown> {
  return waitPromise(protocol, core, MAIN_QUEUE, surrender)
    .catch((reason) => reason);
}
