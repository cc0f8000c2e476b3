/**
 * The entry module of every worker, and what a worker does: it runs one thread
 * after the other. Between two threads it sleeps in a blocking wait, so it is
 * woken as fast as the system allows and holds nothing open.
 *
 * @module
 */

// The classes whose objects this worker may meet.
import { exitNow, guardWorker } from "../_internal/runtime.ts";
import "./shared/list.ts";
import "./shared/map.ts";
import "./shared/numbers.ts";
import "./sync/condition.ts";
import "./sync/event.ts";
import "./sync/interpreter_lock.ts";
import "./sync/lock.ts";
import "./sync/rlock.ts";
import "./sync/semaphore.ts";
import "./timer.ts";

import {
  add,
  adoptTid,
  birth,
  compareExchange,
  Dying,
  exchange,
  futex,
  Header,
  isExplored,
  load,
  requestHost,
  self,
  Slot,
  store,
  words,
} from "./_memory/heap.ts";
import {
  abandonWaits,
  claimDeath,
  draftError,
  exited,
  giveSigns,
  holdWebLock,
  onOutOfMemory,
  poisonLeft,
  reap,
  terminated,
  textOf,
} from "./_runtime/reaper.ts";
import { builtIn } from "../_internal/built_in.ts";
import { isThenable } from "../_internal/check.ts";
import {
  type CallJob,
  draftFields,
  type InstanceJob,
  isInstanceJob,
  ThreadExit,
  whileLoading,
} from "./_runtime/worker_pool.ts";
import { ThreadingError } from "./errors.ts";
import { addDraft, COUNTED, discard } from "./_memory/allocator.ts";
import {
  callbacks,
  checkDying,
  lock,
  setExempt,
  unlock,
} from "./_memory/mutex.ts";
import {
  draftResult,
  dropRecord,
  loadModulesOf,
  missingModuleOf,
  readRecord,
  refersTo,
} from "./_codec/record.ts";
import {
  freeLeaving,
  giveBack,
  objectAt,
  objectAtAs,
} from "./_memory/shared_object.ts";
import { enterThread, leaveThread } from "./_memory/scope.ts";
import { noteThread, TRACING } from "./_memory/trace.ts";
import { forgetWaits, listen } from "./_memory/wait.ts";
import {
  isReasonOfThread,
  isThreadCancelled,
  reasonOfThread,
} from "./_runtime/cancelling.ts";
import { reportUncaught } from "./excepthook.ts";
import { equip, Thread } from "./thread.ts";
import {
  clearLeftovers,
  endTimers,
  isClean,
  needsTurn,
  noteBroken,
  noteLoaded,
  noteOwn,
  takeLingering,
  trackLeftovers,
} from "./_runtime/leftovers.ts";
import {
  adoptCompanion,
  type Ending,
  leave,
  nameOf,
  retire,
  settle,
  ThreadField,
  ThreadStage,
  vacate,
} from "./_runtime/thread_table.ts";
import { setCurrentThread } from "./current_thread.ts";

function boot(): void {
  guardEnds();
  const serial = words[self + Slot.serial];
  // Held until the worker ends. A timer, so that an error or running out of
  // memory strikes in the event loop, where the worker's owner hears of it.
  holdWebLock(self, serial, () => {
    giveSigns(self);
    store(self + Slot.guarded, serial);
    add(Header.guardedWorkers, 1);
    futex.notify(words, Header.guardedWorkers);
    setTimeout(work, 0);
  });
}

async function work(): Promise<void> {
  await runThreads();
  close();
}

/** How long an idle worker waits for a thread before it ends. */
const IDLE_MS = 10_000;

/** The job's record, or 0 if the worker has been idle for too long. */
function nextJob(): number {
  const deadline = performance.now() + IDLE_MS;
  for (let spin = 0; spin < 300; spin++) {
    if (load(self + Slot.job) !== 0) break;
  }
  // Only when there is time: a thread that waits already has to live with it.
  if (load(self + Slot.job) === 0 && !isClean() && retire(self)) return 0;
  while (load(self + Slot.job) === 0) {
    const event = load(self + Slot.event);
    if (load(self + Slot.job) !== 0) break;
    checkDying();
    const left = deadline - performance.now();
    if (left <= 0 && retire(self)) return 0;
    futex.wait(words, self + Slot.event, event, Math.max(left, 1));
  }
  // From the slot into a draft in one go, so that a killer finds it once.
  lock(self + Slot.mutex);
  const job = exchange(self + Slot.job, 0);
  addDraft(job | COUNTED);
  adoptCompanion(self);
  unlock(self + Slot.mutex);
  return job;
}

/** Whether there is a thread that code of this worker belongs to. */
let running = false;
/** The thread that runs here, or ended in this turn of the event loop. */
let thread = 0;
let instance: Thread;
/** The fields that came with it. */
let before: Record<string, unknown> = {};
/** Whether the worker was told to be idle when its thread ended. */
let kept = false;

/** Runs threads until the worker is of no more use. */
async function runThreads(): Promise<void> {
  noteOwn();
  for (;;) {
    const job = nextJob();
    if (job === 0) return;
    begin();
    const ending = runThread(job);
    if (ending !== undefined) await ending;
    await breathe();
    const lingering = takeLingering();
    if (lingering !== undefined) await lingering;
    if (!settleDown()) return;
  }
}

/** Begins a thread: from here on the code of this worker belongs to it. */
function begin(): void {
  adoptTid();
  thread = words[self + Slot.thread];
  if (words[TRACING] !== 0) {
    noteThread(words[self + Slot.tid], thread, nameOf(thread));
  }
  instance = objectAtAs(thread, Thread) as Thread;
  before = {};
  setCurrentThread(instance);
  enterThread(thread, thread + ThreadField.scope);
  needsTurn();
  running = true;
}

let immediate: ((callback: () => void) => unknown) | undefined;

/**
 * Lets the event loop turn: what the thread left there (microtasks, rejections)
 * comes up before the next one begins, and garbage on the heap is given back.
 */
function breathe(): Promise<void> {
  immediate ??= builtIn("node:timers").setImmediate;
  return new Promise((resolve) => immediate!(resolve));
}

/**
 * Clears what code of the thread made in the turn after its end, and lets go of
 * the thread.
 *
 * @returns Whether the worker can run another one.
 */
function settleDown(): boolean {
  clearLeftovers();
  endWaits();
  leaveThread();
  setCurrentThread(undefined);
  leave(self);
  giveBack(thread);
  thread = 0;
  return kept;
}

/** Runs a thread to its end. Returns a promise if that needs the event loop. */
function runThread(job: number): Promise<void> | undefined {
  let result: unknown;
  try {
    if (isThreadCancelled()) return endUnrun(job);
    if (missingModuleOf(job) !== undefined) return runLoaded(job);
    result = callTarget(job);
    if (isThenable(result)) return finishAsync(result);
  } catch (error) {
    return endFailed(error);
  }
  return endReturned(result);
}

async function runLoaded(job: number): Promise<void> {
  listenWhileRunning();
  try {
    await whileLoading(() => loadModulesOf(job));
  } catch (error) {
    noteBroken();
    if (isThreadCancelled()) return endUnrun(job);
    const told = loadError(job, error);
    dropRecord(job);
    return endFailed(told);
  }
  noteLoaded();
  if (isThreadCancelled()) return endUnrun(job);
  let result: unknown;
  try {
    result = await callTarget(job);
  } catch (error) {
    return endFailed(error);
  }
  return endReturned(result);
}

/** Ends a thread that was cancelled before it came to run. */
function endUnrun(job: number): Promise<void> | undefined {
  dropRecord(job);
  return endFailed(reasonOfThread());
}

/** What joining a thread throws whose modules cannot be loaded. */
function loadError(job: number, error: unknown): unknown {
  if (isA(error, ThreadingError) || isA(error, ThreadExit)) return error;
  return new ThreadingError(
    `Cannot run the thread ${nameOf(thread)}: the module ${
      missingModuleOf(job)
    } cannot be loaded in a thread, where its top level runs once more; what is for the program alone goes under if (import.meta.main), received ${
      textOf(error)
    }`,
    { cause: error },
  );
}

async function finishAsync(promise: PromiseLike<unknown>): Promise<void> {
  listenWhileRunning();
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    return endFailed(error);
  }
  return endReturned(result);
}

function listenWhileRunning(): void {
  const listening = thread;
  listen(() => words[self + Slot.thread] === listening);
}

/** Calls what the job says. */
function callTarget(record: number): unknown {
  let job: CallJob | InstanceJob;
  try {
    job = readRecord(record) as CallJob | InstanceJob;
  } finally {
    dropRecord(record);
  }
  if (isInstanceJob(job)) {
    instance = objectAtAs(thread, job.constructor) as Thread;
    setCurrentThread(instance);
    before = job.fields;
    Object.assign(instance, before);
  }
  equip(instance, job.target, job.args);
  return instance.run();
}

function endReturned(value: unknown): Promise<void> | undefined {
  let result = 0;
  let fields: number;
  try {
    result = draftResult(value);
    fields = draftFields(instance, before);
  } catch (error) {
    if (result !== 0) discard(result);
    return endFailed(error);
  }
  return end({ state: ThreadStage.returned, result, fields });
}

function endFailed(error: unknown): Promise<void> | undefined {
  let fields = 0;
  try {
    fields = draftFields(instance, before);
  } catch {
    // Their own error, or want of room: what the thread failed with comes
    // first.
  }
  if (isA(error, ThreadExit)) {
    // Without a record it returns undefined, too.
    return end({ state: ThreadStage.returned, result: 0, fields });
  }
  if (!isReasonOfThread(error)) report(error);
  const result = draftError(error, thread);
  return end({ state: ThreadStage.failed, result, fields });
}

/** Ends the thread, at once or when the event loop has turned. */
function end(ending: Ending): Promise<void> | undefined {
  running = false;
  clearLeftovers();
  if (needsTurn()) return breathe().then(() => finish(ending));
  finish(ending);
  return undefined;
}

function finish(ending: Ending): void {
  kept = isClean();
  poisonLeft(self, thread, ending.state);
  const { result, fields } = ending;
  // Before others see that it has ended: what follows from it may be all that they
  // wait for. But what it gives them counts only when it is theirs.
  freeLeaving((address) =>
    refersTo(result, address) || refersTo(fields, address)
  );
  // Idle first: whoever waits for this end may start the next thread at once.
  vacate(self, ending, { idle: kept, lingers: true });
  endWaits();
  settle(self);
  freeLeaving();
}

/** Ends what async tasks that nobody awaited still wait for, or claim. */
function endWaits(): void {
  if (words[self + Slot.nodes] !== 0) abandonWaits(self);
  forgetWaits();
}

/** `instanceof`, which in a proxy is code of the user. */
function isA(
  error: unknown,
  constructor: abstract new (...args: never[]) => Error,
): boolean {
  try {
    return error instanceof constructor;
  } catch {
    return false;
  }
}

/** Reports an error that no code of the thread caught. */
function report(error: unknown): void {
  // Another handle, should code of the thread have freed its own.
  reportUncaught(error, objectAt(thread) as Thread, nameOf(thread));
}

/** An error that was caught nowhere, in a timer or a promise, say. */
function onUncaught(error: unknown): void {
  const exits = isA(error, ThreadExit);
  const isQuiet = exits || isReasonOfThread(error);
  if (!running) {
    // The thread has ended in this very turn; how, is told already.
    if (thread !== 0 && !isQuiet) report(error);
    return;
  }
  if (!isQuiet) report(error);
  cleanUp(
    () => exits ? undefined : error,
    exits ? ThreadStage.returned : ThreadStage.failed,
  );
  // Being ended from outside would be printed, as an error of the worker.
  exitNow();
}

/**
 * Ends this thread where it stands, whatever it is doing: cleans up after it
 * and never returns. Then the worker ends, or the main thread ends it.
 */
function park(): void {
  cleanUp(() => terminated(currentName()), ThreadStage.failed);
  leaveToHost();
  // Being ended from outside may be printed, as an error of the worker.
  if (!isExplored) endQuietly();
  for (;;) {
    futex.wait(words, self + Slot.dying, load(self + Slot.dying));
  }
}

function currentName(): string {
  const thread = words[self + Slot.thread];
  return thread === 0 ? "" : nameOf(thread);
}

/**
 * Cleans up after this thread, unless somebody else does. From here on it can
 * touch nothing on the heap, and its slot is no longer its own.
 */
function cleanUp(error: () => unknown, state: number): void {
  try {
    // What is due still runs while the worker is being ended.
    endTimers();
  } catch {
    // The stack is full.
  }
  if (!claimDeath(self, Dying.parking)) return;
  setExempt(true);
  reap(self, error(), state);
  forgetWaits();
  setExempt(false);
}

/** Has the main thread end this worker, which has cleaned up. */
function leaveToHost(): void {
  const { parking, parked } = Dying;
  if (compareExchange(self + Slot.dying, parking, parked) === parking) {
    requestHost();
  }
}

/** The worker is about to end, whoever asked for it. */
function onExit(): void {
  cleanUp(() => exited(currentName()), ThreadStage.failed);
  leaveToHost();
}

/** Ends this worker, of which the main thread is told and nobody else. */
let endQuietly = (): void => {};

/** Prepares for threads of this worker that end in other ways. */
function guardEnds(): void {
  callbacks.dying = park;
  setExempt(false);
  // After running out of memory, what it was doing may be half-done: others
  // clean up.
  endQuietly = guardWorker({ onUncaught, onExit });
  onOutOfMemory(endQuietly);
  trackLeftovers();
}

// The module is also imported, for nothing, by the main thread, see `mod.ts`.
if (birth !== undefined) boot();
