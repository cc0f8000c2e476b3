/**
 * Giving tasks to a pool: the options of pools and tasks, and the way into the line.
 *
 * @module
 */

import "./_engine/serve.ts";
import {
  checkArray,
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  checkString,
  durationOf,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import {
  add,
  discard,
  doWholly,
  Header,
  holdObject,
  isMain,
  MAX_SLOTS,
  type Protocol,
  releaseHold,
  waitPromise,
  waitSync,
  Wake,
  words,
} from "../threading/_ground.ts";
import {
  checkMarks,
  draftEncoded,
  encode,
  readRecord,
  refuseWhileLoading,
  sendableEntry,
  type SendableFunction,
  settleKeepAlive,
} from "../threading/_threads.ts";
import { Full, ShutDown } from "../queue/errors.ts";
import {
  aside,
  currentIn,
  helperFor,
  type Job,
  runNested,
} from "./_engine/run.ts";
import { createTask } from "./future.ts";
import { checkWorkers, RUN, startWorker } from "./_engine/core.ts";
import { Core, Offer, Task } from "./_engine/layout.ts";
import { accept, acceptHere, offer } from "./_engine/line.ts";

/** What a pool is made of. */
export interface ThreadPoolOptions<A extends readonly unknown[] = unknown[]> {
  /**
   * How many workers it has at most.
   *
   * @default {navigator.hardwareConcurrency}
   */
  size?: number;
  /**
   * The name, for people; its workers are called after it.
   *
   * @default {"ThreadPool-1"}, `ThreadPool-2`, ...
   */
  name?: string;
  /** Runs in each worker before its first task, marked with `sendable`. */
  initializer?(...args: [...A]): unknown;
  /** What the initializer is called with. */
  initArgs?: Readonly<A>;
  /**
   * How many tasks may wait for a worker; submitting more waits for room.
   *
   * @default {Infinity}
   */
  maxPending?: number;
  /**
   * Milliseconds after which a worker ends that has nothing to do.
   *
   * @default {10000}
   */
  idleTimeout?: number;
}

/** How a task is to be run. */
export interface TaskOptions {
  /**
   * Milliseconds from its start after which the task is cancelled with a
   * `TimeoutError`.
   *
   * @default {Infinity}
   */
  timeout?: number;
  /**
   * Milliseconds after which the worker of a task is terminated that has been
   * asked to end, by its `timeout`, its signal or `cancel`, and has not.
   *
   * @default {Infinity}
   */
  grace?: number;
  /**
   * How many times the task may be started, should its workers die. A task that
   * throws is not repeated.
   *
   * @default {1}
   */
  attempts?: number;
  /** Cancels the task when it is aborted, or ends the wait for room. */
  signal?: AbortSignal;
}

/** What a task is called with, and how it is run. */
export type TaskArguments<A extends readonly unknown[]> = [] extends A
  ? [args?: Readonly<A>, options?: TaskOptions]
  : [args: Readonly<A>, options?: TaskOptions];

/** What ends the wait for the end of a pool. */
export interface ShutdownSyncOptions extends WaitSyncOptions {
  /**
   * Whether tasks that have not begun are cancelled.
   *
   * @default {false}
   */
  cancelPending?: boolean;
}

/** The same, for the promise form. */
export interface ShutdownOptions extends ShutdownSyncOptions, WaitOptions {}

/** What is done, for messages. */
export const MAKE = "make a ThreadPool";
const NAMES = [
  "size",
  "name",
  "initializer",
  "initArgs",
  "maxPending",
  "idleTimeout",
];
const DEFAULT_IDLE_MS = 10_000;
/** As many as a word can count. */
const UNLIMITED = 2 ** 31 - 1;

/** What a pool is made of, checked. */
export interface PoolParts {
  size: number;
  name: string;
  maxPending: number;
  idleTimeout: number;
  initializer: Job | undefined;
}

/** Reads the options of a pool. */
export function readPoolOptions(
  options: ThreadPoolOptions<readonly unknown[]> | undefined,
): PoolParts {
  if (options !== undefined) checkOptions(options, MAKE, NAMES);
  const {
    size = navigator.hardwareConcurrency,
    name = nextName(),
    initializer,
    initArgs = [],
    maxPending = Infinity,
    idleTimeout = DEFAULT_IDLE_MS,
  } = options ?? {};
  checkInteger(size, MAKE, "size", 1);
  if (size > MAX_SIZE) {
    throw new RangeError(
      `Cannot ${MAKE}: size must be at most ${MAX_SIZE}, received ${size}`,
    );
  }
  checkString(name, MAKE, "name");
  if (initializer !== undefined) {
    checkFunction(initializer, MAKE, "initializer");
  }
  checkArray(initArgs, MAKE, "initArgs");
  if (maxPending !== Infinity) checkInteger(maxPending, MAKE, "maxPending", 1);
  const ms = durationOf(idleTimeout, MAKE, "idleTimeout");
  return {
    size,
    name,
    maxPending: Math.min(maxPending, UNLIMITED),
    idleTimeout: ms === Infinity ? -1 : Math.ceil(ms),
    initializer: initializer && {
      fn: initializer as SendableFunction,
      args: [...initArgs],
    },
  };
}

/** More threads than that cannot be alive. */
const MAX_SIZE = MAX_SLOTS - 1;

function nextName(): string {
  return `ThreadPool-${add(Header.nextPoolNumber, 1) + 1}`;
}

const TASK_NAMES = ["timeout", "grace", "attempts", "signal"];
const TASK_SYNC_NAMES = TASK_NAMES.slice(0, 3);

/** What a caller asks for, checked. */
export function orderOf(
  fn: unknown,
  [args = [], options]: [args?: unknown, options?: TaskOptions],
  isSync = false,
): Order {
  checkFunction(fn, RUN, "fn");
  checkArray(args, RUN, "args");
  if (options === undefined) {
    return {
      fn: fn as SendableFunction,
      args,
      timeout: -1,
      grace: -1,
      attempts: 1,
      signal: undefined,
    };
  }
  checkOptions(options, RUN, isSync ? TASK_SYNC_NAMES : TASK_NAMES);
  const { attempts = 1, signal } = options;
  checkSignal(signal, RUN);
  checkInteger(attempts, RUN, "attempts", 1);
  return {
    fn: fn as SendableFunction,
    args,
    timeout: millisecondsOf(options.timeout, "timeout"),
    grace: millisecondsOf(options.grace, "grace"),
    attempts: Math.min(attempts, UNLIMITED),
    signal,
  };
}

function millisecondsOf(duration: unknown, name: string): number {
  const ms = durationOf(duration, RUN, name);
  return ms === Infinity ? -1 : Math.ceil(ms);
}

/** What a task is, checked. */
export interface Order {
  fn: SendableFunction;
  args: readonly unknown[];
  /** Milliseconds, -1 for none. */
  timeout: number;
  grace: number;
  attempts: number;
  signal: AbortSignal | undefined;
}

/**
 * Checks a function that tasks of the core are to call, before any does.
 *
 * @throws {NotSendableError} If it cannot be sent.
 */
export function checkTask(core: number, fn: SendableFunction): void {
  if (words[core + Core.closed] !== 0) throw closedError(core);
  refuseWhileLoading(() => RUN);
  checkWorkers(sendableEntry(fn)?.url);
  checkMarks(encode({ fn }, "").sendables, RUN);
}

/** The record of what a task is to run, a draft. */
function draftJob({ fn, args }: Order): number {
  refuseWhileLoading(() => RUN);
  checkWorkers(sendableEntry(fn)?.url);
  const encoded = encode({ fn, args }, "");
  checkMarks(encoded.sendables, RUN);
  return draftEncoded(encoded);
}

/** The error of a task that is not accepted any more. */
export function closedError(core: number): unknown {
  const record = words[core + Core.error];
  if (record !== 0) return readRecord(record);
  return new ShutDown(`Cannot ${RUN}: the pool was shut down`);
}

function full(core: number): Full {
  return new Full(
    `Cannot ${RUN}: the pool is full with its maxPending of ${
      words[core + Core.maxPending]
    }`,
  );
}

/**
 * Offers a new task that this thread holds.
 *
 * @returns Whether it was accepted; if not, there is no room.
 */
function propose(core: number, task: number, order: Order): boolean {
  const job = draftJob(order);
  words[task + Task.attempts] = order.attempts;
  words[task + Task.timeout] = order.timeout;
  words[task + Task.grace] = order.grace;
  const parent = currentIn(core);
  let end: number = Offer.wholly;
  try {
    end = offer(core, task, job, parent, false);
    if (end !== Offer.wholly) return isAccepted(core, end);
    doWholly(() => {
      end = offer(core, task, job, parent, true);
      if (end === Offer.acceptedFirst) startWorker(core);
    });
  } catch (error) {
    if (end === Offer.wholly) discard(job);
    throw error;
  }
  return isAccepted(core, end);
}

function isAccepted(core: number, end: number): boolean {
  if (end === Offer.closed) throw closedError(core);
  if (end === Offer.full) return false;
  if (isMain) settleKeepAlive();
  return true;
}

/** How a submitter waits for room: its task goes in when there is some. */
function roomProtocol(
  task: number,
  parent: number,
): Protocol & { end: number } {
  return {
    end: Offer.full,
    take(core) {
      this.end = accept(core, task, parent);
      return this.end === Offer.full ? Wake.waiting : Wake.granted;
    },
  };
}

/**
 * Gives a task to the core.
 *
 * @param task The task, which this thread holds.
 * @throws {Full} If there is no room.
 * @throws {ShutDown} If the pool was shut down.
 */
export function submitNowait(core: number, task: number, order: Order): void {
  if (!propose(core, task, order)) throw full(core);
}

/** The same, and waits for room; blocks the thread. */
export function submitSync(core: number, task: number, order: Order): void {
  if (propose(core, task, order)) return;
  const helper = helperFor(core);
  if (helper !== undefined) {
    // All workers could wait for room like this, and nobody would make any.
    const { place } = helper;
    isAccepted(core, acceptHere(core, task, helper.task, place.worker));
    return runNested(helper, task, RUN);
  }
  const protocol = roomProtocol(task, currentIn(core));
  waitSync(protocol, core, Core.room, Infinity, RUN);
  if (protocol.end === Offer.acceptedFirst) startWorker(core);
  isAccepted(core, protocol.end);
}

/** The same without blocking the thread. */
export async function submit(
  core: number,
  task: number,
  order: Order,
): Promise<void> {
  if (propose(core, task, order)) return;
  const protocol = roomProtocol(task, currentIn(core));
  const surrender = {
    timeout: Infinity,
    signal: order.signal,
    timeoutError: () => undefined,
  };
  await aside(
    core,
    () => waitPromise(protocol, core, Core.room, surrender),
  );
  if (protocol.end === Offer.acceptedFirst) startWorker(core);
  isAccepted(core, protocol.end);
}

/** A task without a Future, of which this thread has a reference. */
export interface Held {
  task: number;
  hold: number;
}

/** Makes a task without a Future. */
export function holdTask(): Held {
  const task = createTask();
  // Nobody else can ask for its result.
  words[task + Task.asked] = 1;
  return { task, hold: holdObject(task, true) };
}

/** Whether such a task was ever offered to a pool. */
export function wasOffered({ task }: Held): boolean {
  return words[task + Task.core] !== 0;
}

/** Gives it back. */
export function letGo({ hold }: Held): void {
  releaseHold(hold);
}
