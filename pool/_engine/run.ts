/**
 * Running a task in a worker: its call, its end, the places in which a worker's
 * tasks run, and helping.
 *
 * A worker runs one task at a time. An async one keeps the worker's place while
 * it awaits, so that a pool of four runs four tasks; but while it awaits a task
 * of its own pool, or room in it, the worker takes another one. That is why any
 * depth of tasks that await tasks needs no more than one worker.
 *
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

import { builtIn } from "../../_internal/built_in.ts";
import {
  addressOf,
  admitScope,
  closeSpan,
  discard,
  doubles,
  doWholly,
  isTracing,
  load,
  MAIN_QUEUE,
  Node,
  type OpenSpan,
  openSpan,
  OWN_NODE,
  ownerOfCode,
  type Protocol,
  runInScope,
  type Scope,
  type ScopeLimit,
  self,
  type SharedObject,
  Slot,
  SpanKind,
  TraceBit,
  waitSync,
  Wake,
  words,
} from "../../threading/_ground.ts";
import {
  cancelScope,
  draftError,
  draftReason,
  draftRecord,
  draftResult,
  graceTime,
  loadModulesOf,
  missingModuleOf,
  needsTurn,
  noteBroken,
  readRecord,
  type SendableFunction,
  setGrace,
  terminateAfter,
  textOf,
  ThreadExit,
  whileLoading,
} from "../../threading/_threads.ts";
import { NotSendableError, ThreadingError } from "../../threading/errors.ts";
import { isThenable, timeoutError } from "../../_internal/check.ts";
import { runAsFlow } from "../../threading/sync/rlock.ts";
import { rouseWorker, RUN, startWorker } from "./core.ts";
import {
  Core,
  HELPER,
  IS_NUMBER,
  isSettled,
  SALVAGE,
  Task,
  TaskState,
} from "./layout.ts";
import { claimRelated, giveUpTask, hasOtherWorkers, settle } from "./line.ts";

/** What a task is to run. */
export interface Job {
  fn: SendableFunction;
  args: unknown[];
}

/** A task for items that another one has not come to, and their number. */
export type Part = [count: number, future: SharedObject];

/** A task that this thread runs. */
export interface Running {
  /** The worker that runs it. */
  readonly place: Place;
  readonly task: number;
  /** How many times it has been started. */
  readonly attempt: number;
  /** Its scope, once it has been entered. */
  scope: Scope | undefined;
  /** What cancels it when its time is up. */
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Its slice in the trace, if it goes on behind its call. */
  span: OpenSpan | undefined;
  /** The tasks that get into the line when it returns, with their items' number. */
  rest: Part[] | undefined;
  /** How many of its flows wait with its place left to others. */
  asides: number;
  /** Whether it has ended; what it left behind may go on. */
  ended: boolean;
}

/** Where the tasks of a worker run. */
export class Place {
  /** Tasks that run, and do not await others. */
  #active = 0;
  /** Tasks that have not ended. */
  #count = 0;
  #freed: (() => void) | undefined;
  /** Aborted when the last of the tasks has ended that a rest was begun with. */
  #emptied: AbortController | undefined;

  constructor(readonly core: number, readonly worker: number) {}

  /** Whether one task runs, and no other. */
  get isAlone(): boolean {
    return this.#active === 1;
  }

  /** Whether no task is there, suspended ones included. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** A task begins. */
  begin(): void {
    this.#count++;
    this.#active++;
  }

  /** A task ends. */
  end(): void {
    this.leave();
    if (--this.#count === 0) this.#emptied?.abort();
  }

  /** A signal that is aborted when no task is there any more. */
  whenEmpty(): AbortSignal {
    this.#emptied = new AbortController();
    return this.#emptied.signal;
  }

  /** A suspended task goes on. */
  enter(): void {
    this.#active++;
  }

  /** A task leaves its place for a while. */
  leave(): void {
    if (--this.#active === 0) this.#freed?.();
  }

  /** Waits until another task may begin. */
  async whenFree(): Promise<void> {
    while (this.#active > 0) {
      await new Promise<void>((resolve) => this.#freed = resolve);
    }
    this.#freed = undefined;
  }
}

/** The task that this code belongs to. */
export function currentRunning(): Running | undefined {
  const running = ownerOfCode() as Running | undefined;
  return running?.ended ? undefined : running;
}

/** The running task of that core that this code belongs to, or 0. */
export function currentIn(core: number): number {
  const running = currentRunning();
  return running?.place.core === core ? running.task : 0;
}

/**
 * Awaits something with the place of the current task left to others, if that
 * is a task of the core.
 */
export async function aside<T>(
  core: number,
  wait: () => Promise<T>,
): Promise<T> {
  const running = currentRunning();
  if (running?.place.core !== core) return await wait();
  const { place } = running;
  // Several flows of a task may wait.
  if (running.asides++ === 0) place.leave();
  try {
    return await wait();
  } finally {
    if (--running.asides === 0 && !running.ended) {
      place.enter();
      // The worker may have been woken for a task that it cannot take now.
      if (words[core + Core.pending] !== 0) rouseWorker(core);
    }
  }
}

/**
 * Runs a task that the worker has claimed.
 *
 * @param goesOn Whether the worker is to claim the next one when it has ended.
 * @returns The next task of the worker, 0 if there is none; a promise if the
 * task goes on in the event loop.
 */
export function run(
  place: Place,
  task: number,
  goesOn: boolean,
): number | Promise<void> {
  const running = begin(place, task);
  const job = words[task + Task.job];
  if (missingModuleOf(job) !== undefined) return runLoaded(running);
  needsTurn();
  let value: unknown;
  let isNew: boolean;
  try {
    const { fn, args } = readRecord(job) as Job;
    isNew = isNewHere(fn);
    value = callIn(running, fn, args);
  } catch (error) {
    endAbove(0);
    return endFailed(running, error, goesOn);
  }
  endAbove(0);
  if (isThenable(value)) return finishAsync(running, value);
  // What it has left behind may be an error that ends the worker: then this task
  // is to fail. Nothing tells of a promise that was rejected, so the first runs
  // of a function are looked at until the event loop has turned.
  if (needsTurn() || isNew) return finishLater(running, value);
  return endReturned(running, value, goesOn);
}

/**
 * Runs a task that the worker has claimed while another one waits here, on the
 * stack of that one. If it turns out to be async it goes on when the event loop
 * turns.
 */
function runHelped(place: Place, task: number, job?: Job): void {
  const running = begin(place, task);
  const level = nested.push(running);
  let value: unknown;
  try {
    const { fn, args } = job ?? readRecord(words[task + Task.job]) as Job;
    value = callIn(running, fn, args);
  } catch (error) {
    endAbove(level);
    endFailed(running, error);
    nested.pop();
    return;
  }
  endAbove(level);
  if (isThenable(value)) finishAsync(running, value);
  else endReturned(running, value);
  nested.pop();
}

/**
 * The tasks on the stack that run while another one waits. One stays here whose
 * end has thrown, for want of stack: there is more further up, where the one that
 * waited ends it.
 */
const nested: Running[] = [];

/** How many tasks wait on the stack. */
export function nesting(): number {
  return nested.length;
}

/** Ends the tasks above a level that have not been ended. */
function endAbove(level: number): void {
  while (nested.length > level) {
    endFailed(nested.at(-1)!, stackOverflow(), false, level === 0);
    nested.pop();
  }
}

function stackOverflow(): ThreadingError {
  return new ThreadingError(
    "The task failed: too many tasks wait on the stack of its thread; await result()",
  );
}

const AsyncFunction = (async () => {}).constructor;

/**
 * What a task is to run, for a thread that blocks.
 *
 * @returns `undefined` if that cannot run it: its function is async, or its module
 * is not loaded here.
 */
function jobHere(task: number): Job | undefined {
  const record = words[task + Task.job];
  if (missingModuleOf(record) !== undefined) return undefined;
  const job = readRecord(record) as Job;
  return job.fn instanceof AsyncFunction ? undefined : job;
}

function begin(place: Place, task: number): Running {
  place.begin();
  return {
    place,
    task,
    attempt: words[task + Task.attempt],
    scope: undefined,
    timer: undefined,
    span: undefined,
    rest: undefined,
    asides: 0,
    ended: false,
  };
}

/** Calls the function of a task, and shows that in the trace. */
function callIn(
  running: Running,
  fn: SendableFunction,
  args: unknown[],
): unknown {
  if (!isTracing(TraceBit.tasks)) return callOwn(running, fn, args);
  const kind = nested.length > 0 ? SpanKind.helping : SpanKind.task;
  const span = openSpan(fn.name || "task", kind);
  let goesOn = false;
  try {
    const value = callOwn(running, fn, args);
    goesOn = isThenable(value);
    if (goesOn) running.span = span;
    return value;
  } finally {
    if (!goesOn) closeSpan(span);
  }
}

/** Calls the function of a task in the scope of that, which `claim` has entered. */
function callOwn(
  running: Running,
  fn: SendableFunction,
  args: unknown[],
): unknown {
  const { task } = running;
  const timeout = words[task + Task.timeout];
  const limit = timeout < 0 ? undefined : limitOf(running, timeout);
  const scope = admitScope(task, task + Task.scope, limit, running);
  running.scope = scope;
  return runInScope(scope, fn, args as never[]);
}

/** Has a task cancelled when its time is up. */
function limitOf(running: Running, timeout: number): ScopeLimit {
  const { task } = running;
  const startedAt = graceTime();
  words[task + Task.startedAt] = startedAt;
  const expire = () => {
    const scope = task + Task.scope;
    cancelScope(task, scope, draftReason(timeoutError(RUN, timeout)));
  };
  // For what awaits in the event loop; a wait that blocks, and a loop that calls
  // `checkCancelled`, look at the time themselves.
  running.timer = setTimeout(expire, timeout);
  const grace = words[task + Task.grace];
  if (grace >= 0) {
    terminateAfter(words[self + Slot.thread], timeout + grace);
  }
  return { at: performance.now() + timeout, expire };
}

/** Undoes what was to happen to a task that has ended. */
function unlimit(running: Running): void {
  if (running.timer !== undefined) clearTimeout(running.timer);
  if (words[self + Slot.grace] !== 0) setGrace(self, 0);
}

/** So many runs of a function are looked at until the event loop has turned. */
const FIRST_RUNS = 2;
const runs = new WeakMap<SendableFunction, number>();

/** Whether a function has hardly been run in this worker. */
function isNewHere(fn: SendableFunction): boolean {
  const count = runs.get(fn) ?? 0;
  if (count >= FIRST_RUNS) return false;
  runs.set(fn, count + 1);
  return true;
}

async function runLoaded(running: Running): Promise<void> {
  const job = words[running.task + Task.job];
  try {
    await whileLoading(() => loadModulesOf(job));
  } catch (error) {
    noteBroken();
    endFailed(running, loadError(job, error));
    return;
  }
  let value: unknown;
  try {
    const { fn, args } = readRecord(job) as Job;
    value = await callIn(running, fn, args);
  } catch (error) {
    endFailed(running, error);
    return;
  }
  await finishLater(running, value);
}

function loadError(job: number, error: unknown): unknown {
  if (error instanceof ThreadingError) return error;
  return new ThreadingError(
    `Cannot run a task: the module ${
      missingModuleOf(job)
    } cannot be loaded in a thread, where its top level runs once more; what is for the program alone goes under if (import.meta.main), received ${
      textOf(error)
    }`,
    { cause: error },
  );
}

async function finishAsync(
  running: Running,
  promise: PromiseLike<unknown>,
): Promise<void> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    endFailed(running, error);
    return;
  }
  await finishLater(running, value);
}

async function finishLater(running: Running, value: unknown): Promise<void> {
  await breathe();
  endReturned(running, value);
}

let immediate: ((callback: () => void) => unknown) | undefined;

/** Lets the event loop turn. */
export function breathe(): Promise<void> {
  immediate ??= builtIn("node:timers").setImmediate;
  return new Promise((resolve) => immediate!(resolve));
}

/**
 * Ends a task with what it returned.
 *
 * @param goesOn Whether the caller goes on with the worker's next task.
 * @returns The next task, or 0.
 */
function endReturned(
  running: Running,
  value: unknown,
  goesOn = false,
): number {
  let result = 0;
  let rest = 0;
  try {
    if (running.rest !== undefined) rest = draftRecord(running.rest);
    if (value !== undefined) result = draftValue(running.task, value);
  } catch (error) {
    if (rest !== 0) discard(rest);
    return endFailed(running, error, goesOn);
  }
  return end(running, TaskState.returned, result, goesOn, rest);
}

/** The record of what a task returned, a draft; a number goes into the task. */
function draftValue(task: number, value: unknown): number {
  if (typeof value === "number") {
    // Nobody reads it before the task is settled.
    doubles[task + Task.number >> 1] = value;
    return IS_NUMBER;
  }
  try {
    return draftResult(value);
  } catch (error) {
    const { [SALVAGE]: salvage } = value as { [SALVAGE]?: () => unknown };
    if (salvage === undefined || !(error instanceof NotSendableError)) {
      throw error;
    }
    return draftResult(salvage());
  }
}

/** The same with what it threw. */
function endFailed(
  running: Running,
  error: unknown,
  goesOn = false,
  isLast = nested.length === 0,
): number {
  const told = error instanceof ThreadExit
    ? new ThreadingError(
      "The task failed: it called exit(), which ends threads; return from it instead",
    )
    : error;
  const result = draftError(told, words[self + Slot.thread]);
  // It may be stack that there is no room on.
  if (result === 0 && !isLast) throw new RangeError("No room for an error");
  const isCancelled = running.scope?.reason !== undefined &&
    Object.is(error, running.scope.reason.value);
  const state = isCancelled ? TaskState.cancelled : TaskState.failed;
  return end(running, state, result, goesOn);
}

function end(
  running: Running,
  state: number,
  result: number,
  goesOn: boolean,
  rest = 0,
): number {
  const { place, task } = running;
  if (running.span !== undefined) closeSpan(running.span);
  unlimit(running);
  const worker = goesOn && place.isAlone ? place.worker : 0;
  const next = rest === 0
    ? settle(place.core, task, state, result, worker)
    : settleWithRest(running, state, result, worker, rest);
  running.ended = true;
  for (const [, future] of running.rest ?? []) future.free();
  if (running.asides > 0) place.enter();
  place.end();
  return next;
}

/** Settles a task that leaves items to others. */
function settleWithRest(
  { place, task, rest: parts }: Running,
  state: number,
  result: number,
  worker: number,
  record: number,
): number {
  const { core } = place;
  const tasks = parts!.map(([, future]) => addressOf(future));
  const rest = { record, tasks, wanted: 0, isRefused: false };
  let next = 0;
  // Killed in the middle, this thread would leave tasks that nobody takes.
  doWholly(() => {
    next = settle(core, task, state, result, worker, rest);
    while (rest.wanted-- > 0) startWorker(core);
  });
  if (rest.isRefused) discard(record);
  return next;
}

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
    if (deadline !== Infinity && performance.now() >= deadline) {
      return isSettled(task);
    }
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
  const left = deadline === Infinity ? Infinity : deadline - performance.now();
  if (left <= 0) return false;
  try {
    const end = waitSync(protocol, task, MAIN_QUEUE, left, what);
    return end !== Wake.waiting;
  } finally {
    words[OWN_NODE + Node.value] = 0;
  }
}
