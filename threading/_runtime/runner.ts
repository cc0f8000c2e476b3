/**
 * What a worker does: one thread after the other.
 *
 * Between two threads it sleeps in a blocking wait, so it is woken as fast as
 * the system allows and holds nothing open.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { type CallJob, type InstanceJob, isInstanceJob } from "./job.ts";
import {
  adoptTid,
  Dying,
  exchange,
  load,
  requestHost,
  self,
  Slot,
  store,
  words,
} from "../_memory/heap.ts";
import { addDraft, COUNTED, discard } from "../_memory/allocator.ts";
import {
  checkDying,
  lock,
  onDying,
  setExempt,
  unlock,
} from "../_memory/mutex.ts";
import {
  draftResult,
  dropRecord,
  loadModulesOf,
  readRecord,
} from "../_memory/record.ts";
import { giveBack, objectAtAs } from "../_memory/shared_object.ts";
import { forgetWaits, listen } from "../_memory/wait.ts";
import { exited, terminated } from "./death.ts";
import { reportUncaught } from "./excepthook.ts";
import { draftFields } from "./fields.ts";
import { clearLeftovers, takeLingering, trackLeftovers } from "./globals.ts";
import { onOutOfMemory } from "./memory_limit.ts";
import { abandonWaits, claimDeath, poisonLeft, reap } from "./reaper.ts";
import { type Ending, retire, vacate } from "./registry.ts";
import { draftError, nameOf, settle, ThreadState } from "./thread_object.ts";
import { sendableError } from "./sendable_error.ts";
import { ThreadExit } from "./thread_exit.ts";
import { setCurrentThread } from "../current_thread.ts";
import { equip, Thread } from "../thread.ts";

/** An idle worker ends after so many milliseconds. */
const IDLE_MS = 10_000;

/** The job's record, or 0 if the worker has been idle for too long. */
function nextJob(): number {
  const deadline = performance.now() + IDLE_MS;
  for (let spin = 0; spin < 300; spin++) {
    if (load(self + Slot.job) !== 0) break;
  }
  while (load(self + Slot.job) === 0) {
    const event = load(self + Slot.event);
    if (load(self + Slot.job) !== 0) break;
    checkDying();
    const left = deadline - performance.now();
    if (left <= 0 && retire(self)) return 0;
    Atomics.wait(words, self + Slot.event, event, Math.max(left, 1));
  }
  // From the slot into a draft in one go, so that a killer finds it once.
  lock(self + Slot.mutex);
  const job = exchange(self + Slot.job, 0);
  addDraft(job | COUNTED);
  unlock(self + Slot.mutex);
  return job;
}

/** Runs threads until the worker has been idle for too long. */
export async function serve(): Promise<void> {
  for (;;) {
    const job = nextJob();
    if (job === 0) return;
    adoptTid();
    running = true;
    const ending = runThread(job);
    if (ending !== undefined) await ending;
    await breathe();
    const lingering = takeLingering();
    if (lingering !== undefined) await lingering;
  }
}

/** Whether there is a thread that code of the worker belongs to. */
let running = false;

/**
 * Lets the event loop turn: what the thread left there (microtasks, rejections)
 * comes up before the next one begins, and garbage on the heap is given back.
 */
function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

let instance: Thread | undefined;
let before: Record<string, unknown> = {};

/** Returns a promise if the thread needs the event loop. */
function runThread(job: number): Promise<void> | undefined {
  const thread = words[self + Slot.thread];
  let result: unknown;
  try {
    const loading = loadModulesOf(job);
    if (loading !== undefined) return runLoaded(job, thread, loading);
    result = call(job, thread);
  } catch (error) {
    endFailed(thread, error);
    return undefined;
  }
  if (isThenable(result)) return finishAsync(thread, result);
  endReturned(thread, result);
  return undefined;
}

async function runLoaded(
  job: number,
  thread: number,
  loading: Promise<void>,
): Promise<void> {
  listenWhileRunning(thread);
  let result: unknown;
  try {
    await loading;
    result = await call(job, thread);
  } catch (error) {
    endFailed(thread, error);
    return;
  }
  endReturned(thread, result);
}

async function finishAsync(
  thread: number,
  promise: PromiseLike<unknown>,
): Promise<void> {
  listenWhileRunning(thread);
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    endFailed(thread, error);
    return;
  }
  endReturned(thread, result);
}

function listenWhileRunning(thread: number): void {
  listen(() => words[self + Slot.thread] === thread);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then ===
    "function";
}

/** Calls what the job says. */
function call(record: number, thread: number): unknown {
  let job: CallJob | InstanceJob;
  try {
    job = readRecord(record) as CallJob | InstanceJob;
  } finally {
    dropRecord(record);
  }
  if (!isInstanceJob(job)) {
    instance = objectAtAs(thread, Thread) as Thread;
    before = {};
  } else {
    instance = objectAtAs(thread, job.constructor) as Thread;
    before = job.fields;
    Object.assign(instance, before);
  }
  equip(instance, job.target, job.args);
  setCurrentThread(instance);
  return instance.run();
}

function endReturned(thread: number, value: unknown): void {
  let result = 0;
  let fields: number;
  try {
    result = draftResult(value);
    fields = draftOwnFields();
  } catch (error) {
    if (result !== 0) discard(result);
    endFailed(thread, error);
    return;
  }
  end(thread, { state: ThreadState.returned, result, fields });
}

function endFailed(thread: number, error: unknown): void {
  let fields = 0;
  try {
    fields = draftOwnFields();
  } catch {
    // There is no room for them: what the thread failed with comes first.
  }
  if (error instanceof ThreadExit) {
    // Without a record it returns undefined, too.
    end(thread, { state: ThreadState.returned, result: 0, fields });
    return;
  }
  // There is no instance if its module could not be loaded.
  const failed = instance ?? objectAtAs(thread, Thread) as Thread;
  reportUncaught(error, failed, nameOf(thread));
  const result = draftError(sendableError(error), thread);
  end(thread, { state: ThreadState.failed, result, fields });
}

function draftOwnFields(): number {
  return instance === undefined ? 0 : draftFields(instance, before);
}

function end(thread: number, ending: Ending): void {
  running = false;
  setCurrentThread(undefined);
  instance = undefined;
  clearLeftovers();
  poisonLeft(self, thread, ending.state);
  // Idle first: whoever waits for this end may start the next thread at once.
  vacate(self, ending, true);
  endWaits();
  settle(self);
  giveBack(thread);
}

/** Ends what async tasks that nobody awaited still wait for, or claim. */
function endWaits(): void {
  if (words[self + Slot.nodes] !== 0) abandonWaits(self);
  forgetWaits();
}

/**
 * Ends this thread where it stands, whatever it is doing: cleans up after it
 * and never returns. The main thread then ends the worker.
 */
function die(error: unknown, state: number): void {
  cleanUp(() => error, state);
  for (;;) {
    Atomics.wait(words, self + Slot.dying, load(self + Slot.dying));
  }
}

function currentName(): string {
  const thread = words[self + Slot.thread];
  return thread === 0 ? "" : nameOf(thread);
}

/** An error that no code of the thread caught, in a timer, say. */
function onUncaught(error: unknown): void {
  if (!running) return;
  if (error instanceof ThreadExit) die(undefined, ThreadState.returned);
  reportUncaught(error, instance, currentName());
  die(sendableError(error), ThreadState.failed);
}

/**
 * Cleans up after this thread, unless somebody else does. From here on it can
 * touch nothing on the heap, and its slot is no longer its own.
 */
function cleanUp(error: () => unknown, state: number): void {
  if (!claimDeath(self, Dying.parking)) return;
  setExempt(true);
  reap(self, error(), state);
  setExempt(false);
  store(self + Slot.dying, Dying.parked);
  requestHost();
}

/** The worker is about to end, whoever asked for it. */
function onExit(): void {
  cleanUp(() => exited(currentName()), ThreadState.failed);
}

/** Sets what happens when threads of this worker end in other ways. */
export function guardEnds(): void {
  onDying(() => die(terminated(currentName()), ThreadState.failed));
  addEventListener("error", (event) => {
    event.preventDefault();
    onUncaught(event.error);
  });
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    onUncaught(event.reason);
  });
  const { close } = globalThis;
  addEventListener("unload", onExit);
  onOutOfMemory(() => {
    // What it was doing may be half-done: others clean up.
    removeEventListener("unload", onExit);
    close();
  });
  Object.defineProperty(globalThis, "close", {
    value: () => {
      onExit();
      close();
    },
    writable: true,
  });
  trackLeftovers();
}
