/**
 * The future: the result of a task, which any thread can wait for.
 *
 * @module
 */

import {
  checkOptions,
  durationOf,
  timeoutError,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import {
  addressOf,
  CASE,
  type CaseKind,
  createObject,
  doubles,
  Later,
  load,
  MAIN_QUEUE,
  Node,
  pinUntil,
  registerClass,
  releaseReference,
  self,
  settlingCase,
  SharedObject,
  Slot,
  store,
  waitPromise,
  waitSync,
  waitSyncTimeout,
  waitTimeout,
  Wake,
  words,
} from "../threading/_ground.ts";
import {
  dropRecord,
  loadModulesOf,
  ModuleNotLoaded,
  readRecord,
  readShared,
  releaseRecord,
  releaseScope,
  takeRecord,
} from "../threading/_threads.ts";
import { HeapExhaustedError, ThreadingError } from "../threading/errors.ts";
import { currentThread } from "../threading/current_thread.ts";
import { reportUncaught } from "../threading/excepthook.ts";
import {
  cancel,
  type Cursor,
  readerProtocol,
  releaseUpdates,
  shareUpdate,
} from "./task.ts";
import { aside, help, helperFor } from "./_engine/run.ts";
import {
  IS_NUMBER,
  isSettled,
  Task,
  TASK_WORDS,
  TaskState,
} from "./_engine/layout.ts";
import { futureProtocol } from "./_engine/line.ts";

const RESULT = "get the result of a task";

/** What only pools know. */
const MAKER: unique symbol = Symbol("maker");

/**
 * The result of a task of a {@linkcode ThreadPool}, now or later. Any thread can
 * wait for it, also one that was sent it, in a queue, say. After `Future` of
 * Python's concurrent.futures.
 *
 * It is not a promise and cannot be awaited, so that it survives
 * `await queue.get()`: await its {@linkcode Future.result}. A task that failed
 * and whose last Future goes before anybody has asked for the result is told to
 * the excepthook.
 *
 * @typeParam R What the task returns.
 *
 * @example
 * ```ts
 * import { ThreadPool } from "@skein/std/pool";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const square = sendable(import.meta, (n: number) => n * n);
 *
 * Deno.test("a future", async () => {
 *   await using pool = new ThreadPool();
 *   const future = await pool.submit(square, [7]);
 *   assertEquals(await future.result(), 49);
 *   assertEquals(future.done(), true);
 * });
 * ```
 */
export class Future<R = unknown> extends SharedObject {
  /** What its type tells apart. @ignore */
  declare protected readonly _result: R;

  /**
   * Pools make futures, see `ThreadPool.submit`.
   *
   * @throws {TypeError} If it is called by anybody else.
   */
  constructor(maker?: unknown) {
    if (maker !== MAKER) {
      throw new TypeError(
        "Cannot make a Future: pools make them, use submit() of a ThreadPool, received none",
      );
    }
    super(createTask());
  }

  /**
   * Waits for the result of the task without blocking the thread.
   *
   * A task that awaits a task of its own pool leaves its place in the pool to
   * others meanwhile.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait; the
   * task goes on.
   * @returns What the task returned.
   * @throws What the task threw, or why it was cancelled.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {ThreadingError} If its worker died.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const half = sendable(import.meta, (n: number) => n / 2);
   *
   * Deno.test("result", async () => {
   *   await using pool = new ThreadPool({ size: 1 });
   *   const future = await pool.submit(half, [84]);
   *   assertEquals(await future.result({ timeout: 60_000 }), 42);
   * });
   * ```
   */
  async result(options?: WaitOptions): Promise<R> {
    const timeout = waitTimeout(options, RESULT);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const task = addressOf(this);
    store(task + Task.asked, 1);
    if (!isSettled(task)) await waitForResult(task, timeout, signal);
    const loading = loadResult(task);
    if (loading !== undefined) await pinUntil(task, loading);
    return resultOf(task) as R;
  }

  /**
   * Blocks the thread until there is a result.
   *
   * @param options A timeout in milliseconds; the task goes on.
   * @returns What the task returned.
   * @throws What the task threw, or why it was cancelled.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {DeadlockError} If the wait could never end: the task waits for this
   * thread, or every thread waits.
   * @throws {ThreadingError} If its worker died.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const third = sendable(import.meta, (n: number) => n / 3);
   *
   * Deno.test("resultSync", () => {
   *   using pool = new ThreadPool({ size: 1 });
   *   assertEquals(pool.submitSync(third, [126]).resultSync(), 42);
   * });
   * ```
   */
  resultSync(options?: WaitSyncOptions): R {
    const timeout = waitSyncTimeout(options, RESULT);
    const task = addressOf(this);
    store(task + Task.asked, 1);
    waitForResultSync(task, timeout);
    return resultOf(task) as R;
  }

  /**
   * The result of the task, if there is one.
   *
   * @returns What the task returned, or `undefined` if it is not done: ask
   * {@linkcode Future.done} where that could be a result.
   * @throws What the task threw, or why it was cancelled.
   * @throws {ThreadingError} If its worker died.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const four = sendable(import.meta, () => 4);
   *
   * Deno.test("resultNowait", async () => {
   *   const pool = new ThreadPool({ size: 1 });
   *   const future = pool.submitNowait(four);
   *   await pool.shutdown();
   *   assertEquals(future.resultNowait(), 4);
   * });
   * ```
   */
  resultNowait(): R | undefined {
    const task = addressOf(this);
    if (!isSettled(task)) return undefined;
    store(task + Task.asked, 1);
    return resultOf(task) as R;
  }

  /**
   * Whether the task has ended: it returned, threw, was cancelled, or its worker
   * died.
   *
   * @returns `true` if there is nothing to wait for.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * export const nothing = sendable(import.meta, () => {});
   *
   * Deno.test("done", async () => {
   *   const pool = new ThreadPool({ size: 1 });
   *   const future = pool.submitNowait(nothing);
   *   await pool.shutdown();
   *   assert(future.done());
   * });
   * ```
   */
  done(): boolean {
    return isSettled(addressOf(this));
  }

  /**
   * Whether a worker runs the task now. The answer may be out of date when it
   * arrives.
   *
   * @returns `true` from its start to its end.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * export const five = sendable(import.meta, () => 5);
   *
   * Deno.test("running", async () => {
   *   const pool = new ThreadPool({ size: 1 });
   *   const future = pool.submitNowait(five);
   *   await pool.shutdown();
   *   assert(!future.running());
   * });
   * ```
   */
  running(): boolean {
    return load(addressOf(this) + Task.state) === TaskState.running;
  }

  /**
   * Whether the task was cancelled: before it began, or by itself when it was
   * asked to end.
   *
   * @returns `true` if its result is the reason of {@linkcode Future.cancel}.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * export const six = sendable(import.meta, () => 6);
   *
   * Deno.test("cancelled", async () => {
   *   const pool = new ThreadPool({ size: 1 });
   *   const future = pool.submitNowait(six);
   *   await pool.shutdown();
   *   assert(!future.cancelled());
   * });
   * ```
   */
  cancelled(): boolean {
    return load(addressOf(this) + Task.state) === TaskState.cancelled;
  }

  /**
   * What the task reports with `progress` of its `currentTask`, in order: with
   * `for await`, or with `for`, which blocks the thread. It ends with the task,
   * without an error: {@linkcode Future.result} has that. Each reader gets all;
   * of a task that reports faster than it reads, the last 256.
   *
   * @typeParam T What the task reports.
   * @returns An iterable of both kinds.
   *
   * @example
   * ```ts
   * import { currentTask, ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const steps = sendable(import.meta, function steps() {
   *   for (let i = 1; i <= 3; i++) currentTask()?.progress(i);
   * });
   *
   * Deno.test("updates", async () => {
   *   await using pool = new ThreadPool({ size: 1 });
   *   const future = await pool.submit(steps);
   *   const seen: number[] = [];
   *   for await (const step of future.updates<number>()) seen.push(step);
   *   assertEquals(seen, [1, 2, 3]);
   * });
   * ```
   */
  updates<T = unknown>(): FutureUpdates<T> {
    const task = addressOf(this);
    return {
      [Symbol.iterator]: () => updatesSync<T>(this, task),
      [Symbol.asyncIterator]: () => updates<T>(this, task),
    };
  }

  /**
   * Cancels the task. One that has not begun never runs. One that runs is asked
   * to end: its waits throw the reason, its signal is aborted (see
   * `currentTask`), and it has the result that it ends with. One that has ended is
   * left alone. The first reason counts.
   *
   * @param reason What waiting for the result throws; a `DOMException` named
   * `AbortError` if it is left out.
   * @param options `grace`, milliseconds after which the worker is terminated, and
   * replaced, if the task still runs; by default never.
   * @throws {NotSendableError} If the reason cannot be sent.
   * @throws {RangeError} If the grace is negative, NaN or too large.
   * @throws {TypeError} If the grace is not a number.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   *
   * export const seven = sendable(import.meta, () => 7);
   *
   * Deno.test("cancel", async () => {
   *   await using pool = new ThreadPool({ size: 1 });
   *   pool.submitNowait(seven).cancel();
   * });
   * ```
   */
  cancel(reason?: unknown, options?: FutureCancelOptions): void {
    if (options !== undefined) checkOptions(options, CANCEL, ["grace"]);
    const grace = durationOf(options?.grace, CANCEL, "grace");
    const task = addressOf(this);
    cancel(task, reason, grace === Infinity ? -1 : Math.ceil(grace));
  }

  /** How `select` waits for the result. @ignore */
  get [CASE](): { readonly value?: R } {
    return futureCase as CaseKind<R>;
  }
}

/** What a task reports, see `Future.updates`. */
export interface FutureUpdates<T> extends Iterable<T>, AsyncIterable<T> {}

const UPDATES = "read what a task reports";

async function* updates<T>(future: Future, task: number): AsyncGenerator<T> {
  const cursor: Cursor = { position: 0 };
  const protocol = readerProtocol(cursor);
  const surrender = { timeout: Infinity, timeoutError: () => undefined };
  for (;;) {
    addressOf(future);
    const isLast = isSettled(task);
    const record = shareUpdate(task, cursor);
    if (record !== 0) {
      try {
        await loadModulesOf(record);
      } catch (error) {
        dropRecord(record);
        throw error;
      }
      yield readShared(record) as T;
    } else if (isLast) {
      return;
    } else {
      await aside(
        words[task + Task.core],
        () => waitPromise(protocol, task, Task.readers, surrender),
      );
    }
  }
}

function* updatesSync<T>(future: Future, task: number): Generator<T> {
  const cursor: Cursor = { position: 0 };
  const protocol = readerProtocol(cursor);
  for (;;) {
    addressOf(future);
    const isLast = isSettled(task);
    const record = shareUpdate(task, cursor);
    if (record !== 0) yield readShared(record) as T;
    else if (isLast) return;
    else waitSync(protocol, task, Task.readers, Infinity, UPDATES);
  }
}

/** How a task is cancelled. */
export interface FutureCancelOptions {
  /**
   * Milliseconds after which the worker of the task is terminated if it still
   * runs.
   *
   * @default {Infinity}
   */
  grace?: number;
}

const CANCEL = "cancel a task";

const futureCase: CaseKind<unknown> = settlingCase<Future, unknown>({
  protocol: futureProtocol,
  isSettled: (future) => isSettled(addressOf(future)),
  read(future, blocking) {
    const task = addressOf(future);
    store(task + Task.asked, 1);
    const loading = blocking ? undefined : loadResult(task);
    if (loading === undefined) return resultOf(task);
    return new Later(pinUntil(task, loading.then(() => resultOf(task))));
  },
});

/** Makes a Future, which belongs to no pool yet. */
export function makeFuture<R>(): Future<R> {
  return new Future<R>(MAKER);
}

const KIND = registerClass(import.meta, {
  constructor: Future,
  protocol: futureProtocol,
  destroy: destroyTask,
  look: (task) => [STATES[load(task + Task.state)] ?? "?"],
  // A task with a timeout ends by itself.
  holders(task) {
    const worker = words[task + Task.worker];
    const runs = load(task + Task.state) === TaskState.running &&
      words[task + Task.timeout] < 0;
    return runs && worker !== 0 ? [words[worker + Node.tid]] : [];
  },
  label: () => "the result of a task",
});

/** What `console.log` says, by `TaskState`. */
const STATES = [
  "not submitted",
  "pending",
  "running",
  "returned",
  "failed",
  "cancelled",
];

/** Makes a task, a draft of this thread. */
export function createTask(): number {
  return createObject(KIND, TASK_WORDS);
}

function destroyTask(task: number): boolean {
  const result = words[task + Task.result];
  if (result > 0) {
    if (isUnasked(task)) {
      if (words[self + Slot.dying] !== 0) return false;
      words[task + Task.result] = 0;
      takeRecord(result);
      tellLater(result);
    } else {
      releaseRecord(result);
    }
  }
  const job = words[task + Task.job];
  if (job !== 0) releaseRecord(job);
  releaseScope(task + Task.scope);
  releaseUpdates(task);
  const rest = words[task + Task.rest];
  if (rest > 0) releaseRecord(rest);
  const core = words[task + Task.core];
  if (core !== 0) releaseReference(core);
  return true;
}

// Errors that nobody has asked for. The last handle goes in a critical section,
// where no code of the user may run; so they are told in a microtask. A thread that
// cleans up after itself comes to none any more, and leaves that to another one.

const unasked: number[] = [];

function isUnasked(task: number): boolean {
  return load(task + Task.state) === TaskState.failed &&
    load(task + Task.asked) === 0;
}

function tellLater(record: number): void {
  if (unasked.length === 0) queueMicrotask(tellUnasked);
  unasked.push(record);
}

function tellUnasked(): void {
  for (const record of unasked.splice(0)) {
    let error: unknown;
    try {
      error = readRecord(record);
    } catch (reason) {
      error = reason;
    } finally {
      dropRecord(record);
    }
    const thread = currentThread();
    reportUncaught(error, thread, thread.name);
  }
}

/** Waits until a task of which this thread has a reference is settled. */
export async function waitForResult(
  task: number,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (isSettled(task)) return;
  const surrender = {
    timeout,
    signal,
    timeoutError: () => timeoutError(RESULT, timeout),
  };
  await aside(
    words[task + Task.core],
    () => waitPromise(futureProtocol, task, MAIN_QUEUE, surrender),
  );
}

/** The same, in the blocking form. */
export function waitForResultSync(task: number, timeout = Infinity): void {
  if (isSettled(task)) return;
  const helper = helperFor(words[task + Task.core]);
  if (helper !== undefined) {
    const deadline = timeout === Infinity
      ? Infinity
      : performance.now() + timeout;
    if (help(helper, task, deadline, RESULT)) return;
    throw timeoutError(RESULT, timeout);
  }
  const end = waitSync(futureProtocol, task, MAIN_QUEUE, timeout, RESULT);
  if (end === Wake.waiting) throw timeoutError(RESULT, timeout);
}

/** Loads the modules that the result of a settled task needs. */
export function loadResult(task: number): Promise<void> | undefined {
  const result = words[task + Task.result];
  return result > 0 ? loadModulesOf(result) : undefined;
}

/** What a settled task returned; throws what it threw. */
export function resultOf(task: number): unknown {
  const state = load(task + Task.state);
  const record = words[task + Task.result];
  if (record === IS_NUMBER) return doubles[task + Task.number >> 1];
  if (record === 0 && state === TaskState.returned) return undefined;
  if (record === 0) {
    throw new HeapExhaustedError(
      "The task failed, and there is no room on the shared heap for its error",
    );
  }
  const value = readRecordHere(record);
  if (state === TaskState.returned) return value;
  throw value;
}

function readRecordHere(record: number): unknown {
  try {
    return readRecord(record);
  } catch (error) {
    if (!(error instanceof ModuleNotLoaded)) throw error;
    throw new ThreadingError(
      `Cannot ${RESULT}: it needs a module that this thread can only load while it does not block, so import it first or use the promise form, received ${error.url}`,
      { cause: error.cause },
    );
  }
}
