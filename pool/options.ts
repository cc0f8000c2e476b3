/**
 * The options of pools and tasks.
 *
 * @module
 */

import {
  checkArray,
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  checkString,
} from "../_internal/check.ts";
import {
  durationOf,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/options.ts";
import { add, Header, MAX_SLOTS } from "../threading/_ground.ts";
import type { SendableFunction } from "../threading/_values.ts";
import type { Job } from "./_engine/run.ts";
import type { Order } from "./_engine/submit.ts";

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

const RUN = "run a task";
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
