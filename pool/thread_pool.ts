/**
 * The pool of threads.
 *
 * @module
 */

import {
  checkOptions,
  checkSignal,
  durationOf,
  shown,
  timeoutError,
} from "../_internal/check.ts";
import {
  add,
  addressOf,
  createObject,
  Field,
  firstOf,
  lock,
  MAIN_QUEUE,
  Node,
  registerClass,
  releaseReference,
  runShielded,
  self,
  SharedObject,
  Slot,
  store,
  unlock,
  waitPromise,
  waitSync,
  Wake,
  wakeAllSlots,
  words,
} from "../threading/_ground.ts";
import {
  checkMarks,
  commitRecord,
  draftEncoded,
  draftRecord,
  encode,
  readRecord,
} from "../threading/_threads.ts";
import { ThreadingError } from "../threading/errors.ts";
import { endProtocol, PoolCore } from "./_engine/core.ts";
import { Core, TaskState } from "./_engine/layout.ts";
import { endFirst, shutDown } from "./_engine/line.ts";
import { currentIn, type Job } from "./_engine/run.ts";
import {
  holdTask,
  letGo,
  MAKE,
  type Order,
  orderOf,
  type PoolParts,
  readPoolOptions,
  type ShutdownOptions,
  type ShutdownSyncOptions,
  submit,
  submitNowait,
  submitSync,
  type TaskArguments,
  type ThreadPoolOptions,
} from "./submit.ts";
import {
  type Future,
  loadResult,
  makeFuture,
  resultOf,
  waitForResult,
  waitForResultSync,
} from "./future.ts";
import { draftTaskReason, followSignal, watchSignal } from "./task.ts";
import {
  mapItems,
  mapItemsSync,
  type MapOptions,
  type MapSyncOptions,
  planMap,
} from "./map.ts";

const CORE = Field.own;
const POOL_WORDS = Field.own + 1;

/** What a pool is doing, see `ThreadPool.stats`. */
export interface PoolStats {
  /** How many workers it has at most. */
  size: number;
  /** How many workers it has, with those that are starting or ending. */
  workers: number;
  /** How many of them wait for a task. */
  idle: number;
  /** Tasks that wait for a worker. */
  pending: number;
  /** Tasks that have begun and not ended. */
  running: number;
  /** Tasks that have returned. */
  completed: number;
  /** Tasks that have thrown, or whose worker died. */
  failed: number;
  /** Tasks that were cancelled. */
  cancelled: number;
  /** Workers that died. */
  died: number;
}

/**
 * A pool of threads: give it functions, and its workers run them, on all cores.
 * After `ThreadPoolExecutor` of Python's concurrent.futures.
 *
 * It is a shared object: any thread can be sent it and use it. Its workers start
 * when they are first needed and end when they have had nothing to do for a
 * while. Accepted tasks hold the process open, idle workers do not. A worker
 * that dies fails its task alone, and another one takes its place.
 *
 * The threads that submit take turns: a single task of one waits for one task of
 * each other, however many those have submitted. Those of one thread begin in the
 * order in which it submitted them. What a task submits counts as its submitter's.
 *
 * A task may give tasks to its own pool and wait for them, however deep, without
 * taking a worker from the pool: see `Future.result`.
 *
 * What a task leaves behind, a timer or a promise that it does not await, goes on
 * in the event loop of its worker, between the tasks that come after it. It
 * belongs to no task, holds nobody, and ends with the worker; an error in it ends
 * the worker, and fails the task that this one has then.
 *
 * @example All cores
 * ```ts
 * import { ThreadPool } from "@skein/std/pool";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const isPrime = sendable(import.meta, function isPrime(n: number) {
 *   for (let i = 2; i * i <= n; i++) if (n % i === 0) return false;
 *   return n > 1;
 * });
 *
 * Deno.test("primes", async () => {
 *   await using pool = new ThreadPool();
 *   const answers = await Promise.all(
 *     [7, 8, 9].map((n) => pool.run(isPrime, [n])),
 *   );
 *   assertEquals(answers, [true, false, false]);
 * });
 * ```
 */
export class ThreadPool extends SharedObject {
  /**
   * Makes a pool, without workers yet.
   *
   * @param options How many workers, their name, what they do first, how many
   * tasks may wait, and when idle workers end.
   * @throws {TypeError} If an option is of another type than it should be, or
   * does not exist.
   * @throws {RangeError} If a number is out of its range.
   * @throws {NotSendableError} If the initializer or an argument of it cannot be
   * sent.
   */
  constructor(
    options?: ThreadPoolOptions<readonly unknown[]>,
  ) {
    super(createPool(readPoolOptions(options)));
  }

  /**
   * Runs a function in a worker and waits for its result, without blocking the
   * thread.
   *
   * @param fn The function, marked with `sendable`.
   * @param rest What it is called with: copied, shared objects shared. And
   * options: `timeout` and `grace` in milliseconds, `attempts`, a signal.
   * @returns What it returned.
   * @throws What it threw.
   * @throws {ShutDown} If the pool was shut down.
   * @throws {NotSendableError} If the function or an argument cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap has no room for them.
   * @throws {ThreadingError} If the worker died.
   * @throws {Deno.errors.NotCapable} If a module that the worker imports may not
   * be read.
   * @throws {TypeError} If `fn` is not a function, or an option is wrong.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const add = sendable(import.meta, (a: number, b: number) => a + b);
   *
   * Deno.test("run", async () => {
   *   await using pool = new ThreadPool();
   *   assertEquals(await pool.run(add, [40, 2]), 42);
   * });
   * ```
   */
  async run<R, A extends readonly unknown[]>(
    fn: (...args: [...A]) => R | PromiseLike<R>,
    ...rest: TaskArguments<A>
  ): Promise<R> {
    const order = orderOf(fn, rest);
    order.signal?.throwIfAborted();
    const core = coreOf(this);
    const held = holdTask();
    const { task } = held;
    let watch: (() => void) | undefined;
    try {
      await submit(core, task, order);
      if (order.signal !== undefined) watch = watchSignal(task, order.signal);
      await waitForResult(task, Infinity, undefined);
      const loading = loadResult(task);
      if (loading !== undefined) await loading;
      return resultOf(task) as R;
    } finally {
      watch?.();
      letGo(held);
    }
  }

  /**
   * Runs a function in a worker and blocks the thread until it has ended.
   *
   * @param fn The function, marked with `sendable`.
   * @param rest What it is called with, and options, as for `run`, without a
   * signal.
   * @returns What it returned.
   * @throws What it threw, and what `run` throws.
   * @throws {DeadlockError} If the wait could never end, see `Future.resultSync`.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const mul = sendable(import.meta, (a: number, b: number) => a * b);
   *
   * Deno.test("runSync", () => {
   *   using pool = new ThreadPool();
   *   assertEquals(pool.runSync(mul, [6, 7]), 42);
   * });
   * ```
   */
  runSync<R, A extends readonly unknown[]>(
    fn: (...args: [...A]) => R | PromiseLike<R>,
    ...rest: TaskArguments<A>
  ): R {
    const order = orderOf(fn, rest, true);
    const core = coreOf(this);
    const held = holdTask();
    try {
      submitSync(core, held.task, order);
      waitForResultSync(held.task);
      return resultOf(held.task) as R;
    } finally {
      letGo(held);
    }
  }

  /**
   * Gives a function to the pool; waits, without blocking the thread, until there
   * is room for it (see `maxPending`).
   *
   * @param fn The function, marked with `sendable`.
   * @param rest What it is called with, and options, as for `run`.
   * @returns Its Future, as soon as the task is accepted.
   * @throws {ShutDown} If the pool was shut down.
   * @throws {NotSendableError} If the function or an argument cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap has no room for them.
   * @throws {Deno.errors.NotCapable} If a module that the worker imports may not
   * be read.
   * @throws {TypeError} If `fn` is not a function, or an option is wrong.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const sub = sendable(import.meta, (a: number, b: number) => a - b);
   *
   * Deno.test("submit", async () => {
   *   await using pool = new ThreadPool({ maxPending: 100 });
   *   const future = await pool.submit(sub, [50, 8]);
   *   assertEquals(await future.result(), 42);
   * });
   * ```
   */
  async submit<R, A extends readonly unknown[]>(
    fn: (...args: [...A]) => R | PromiseLike<R>,
    ...rest: TaskArguments<A>
  ): Promise<Future<R>> {
    const order = orderOf(fn, rest);
    order.signal?.throwIfAborted();
    const core = coreOf(this);
    const future = makeFuture<R>();
    const task = addressOf(future);
    try {
      await submit(core, task, order);
    } catch (error) {
      future.free();
      throw error;
    }
    if (order.signal !== undefined) followSignal(task, order.signal);
    return future;
  }

  /**
   * Gives a function to the pool; blocks the thread until there is room for it.
   *
   * @param fn The function, marked with `sendable`.
   * @param rest What it is called with, and options, as for `run`, without a
   * signal.
   * @returns Its Future, as soon as the task is accepted.
   * @throws What `submit` throws.
   * @throws {DeadlockError} If every thread waits, so that there will be no room.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const neg = sendable(import.meta, (n: number) => -n);
   *
   * Deno.test("submitSync", () => {
   *   using pool = new ThreadPool();
   *   assertEquals(pool.submitSync(neg, [-42]).resultSync(), 42);
   * });
   * ```
   */
  submitSync<R, A extends readonly unknown[]>(
    fn: (...args: [...A]) => R | PromiseLike<R>,
    ...rest: TaskArguments<A>
  ): Future<R> {
    const order = orderOf(fn, rest, true);
    return submitted(this, order, submitSync);
  }

  /**
   * Gives a function to the pool if there is room for it.
   *
   * @param fn The function, marked with `sendable`.
   * @param rest What it is called with, and options, as for `run`.
   * @returns Its Future.
   * @throws {Full} If `maxPending` tasks wait for a worker already.
   * @throws What `submit` throws.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const half = sendable(import.meta, (n: number) => n / 2);
   *
   * Deno.test("submitNowait", async () => {
   *   await using pool = new ThreadPool();
   *   assertEquals(await pool.submitNowait(half, [84]).result(), 42);
   * });
   * ```
   */
  submitNowait<R, A extends readonly unknown[]>(
    fn: (...args: [...A]) => R | PromiseLike<R>,
    ...rest: TaskArguments<A>
  ): Future<R> {
    const order = orderOf(fn, rest);
    order.signal?.throwIfAborted();
    const future: Future<R> = submitted(this, order, submitNowait);
    if (order.signal !== undefined) {
      followSignal(addressOf(future), order.signal);
    }
    return future;
  }

  /**
   * Calls a function for each item, on all workers.
   *
   * The results come in the order of the items, or as they come
   * (`ordered: false`). Items are taken from the source as they are needed, never
   * more than `ahead` in front of the results that were taken, so the source may
   * be endless. One task does several items where they take little time. The
   * first error ends the map; with `settled: true` the results are outcomes, and
   * all of them come.
   *
   * Leaving the loop early calls the source's `return()`, or cancels it if it is a
   * stream, and cancels the tasks: those that have not begun never run, those that
   * run are asked to end.
   *
   * @typeParam T The items.
   * @typeParam R What the function returns.
   * @param fn The function, marked with `sendable`.
   * @param items The items, of an iterable or an async one; copied, shared objects
   * shared.
   * @param options The order, how many items a task does, how far ahead of the
   * results items are taken, whether errors are results, a signal that ends the
   * map, and who is told how far it has come.
   * @returns The results, for `for await`. What the function throws comes there,
   * and a `ThreadingError` if a worker died.
   * @throws {ShutDown} If the pool was shut down. If it is shut down during the map
   * and there are more items, it comes behind the results of those that the pool
   * has accepted.
   * @throws {NotSendableError} If the function cannot be sent.
   * @throws {TypeError} If `fn` is not a function, `items` cannot be iterated, or
   * an option is wrong.
   * @throws {RangeError} If a number is out of its range.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const square = sendable(import.meta, (n: number) => n * n);
   *
   * Deno.test("map", async () => {
   *   await using pool = new ThreadPool();
   *   const seen: number[] = [];
   *   for await (const n of pool.map(square, [1, 2, 3])) seen.push(n);
   *   assertEquals(seen, [1, 4, 9]);
   * });
   * ```
   */
  map<T, R>(
    fn: (item: T) => R | PromiseLike<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options: MapOptions & { settled: true },
  ): AsyncIterableIterator<PromiseSettledResult<R>>;
  /**
   * Calls a function for each item, on all workers.
   *
   * @typeParam T The items.
   * @typeParam R What the function returns.
   * @param fn The function, marked with `sendable`.
   * @param items The items, of an iterable or an async one.
   * @param options See the other form.
   * @returns The results, for `for await`.
   * @throws What the other form throws.
   */
  map<T, R>(
    fn: (item: T) => R | PromiseLike<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions,
  ): AsyncIterableIterator<R>;
  map<T, R>(
    fn: (item: T) => R | PromiseLike<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions,
  ): AsyncIterableIterator<unknown> {
    return mapItems(
      planMap(() => coreOf(this), fn, items, options, false),
      items,
    );
  }

  /**
   * Like {@linkcode ThreadPool.map}, but blocks the thread while it waits.
   *
   * @typeParam T The items.
   * @typeParam R What the function returns.
   * @param fn The function, marked with `sendable`.
   * @param items The items; copied, shared objects shared.
   * @param options As for `map`, without a signal.
   * @returns The results, for `for`.
   * @throws What `map` throws.
   * @throws {DeadlockError} If a wait could never end, see `Future.resultSync`.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const square = sendable(import.meta, (n: number) => n * n);
   *
   * Deno.test("mapSync", () => {
   *   using pool = new ThreadPool();
   *   assertEquals([...pool.mapSync(square, [1, 2, 3])], [1, 4, 9]);
   * });
   * ```
   */
  mapSync<T, R>(
    fn: (item: T) => R | PromiseLike<R>,
    items: Iterable<T>,
    options: MapSyncOptions & { settled: true },
  ): IterableIterator<PromiseSettledResult<R>>;
  /**
   * Like {@linkcode ThreadPool.map}, but blocks the thread while it waits.
   *
   * @typeParam T The items.
   * @typeParam R What the function returns.
   * @param fn The function, marked with `sendable`.
   * @param items The items.
   * @param options As for `map`, without a signal.
   * @returns The results, for `for`.
   * @throws What `map` throws.
   */
  mapSync<T, R>(
    fn: (item: T) => R | PromiseLike<R>,
    items: Iterable<T>,
    options?: MapSyncOptions,
  ): IterableIterator<R>;
  mapSync<T, R>(
    fn: (item: T) => R | PromiseLike<R>,
    items: Iterable<T>,
    options?: MapSyncOptions,
  ): IterableIterator<unknown> {
    return mapItemsSync(
      planMap(() => coreOf(this), fn, items, options, true),
      items,
    );
  }

  /**
   * Ends the pool: no more tasks are accepted, and when those that were have
   * ended, the workers do. Waits for that without blocking the thread.
   *
   * @param options Whether pending tasks are cancelled, a timeout in milliseconds
   * and a signal that end the wait; the pool is shut down all the same.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {ThreadingError} If this is a task of the pool, which would wait for
   * itself.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If an option is wrong.
   *
   * @example
   * ```ts
   * import { ShutDown } from "@skein/std/queue";
   * import { ThreadPool } from "@skein/std/pool";
   * import { sendable } from "@skein/std/threading";
   * import { assertRejects } from "@std/assert";
   *
   * export const late = sendable(import.meta, () => {});
   *
   * Deno.test("shutdown", async () => {
   *   const pool = new ThreadPool();
   *   await pool.shutdown();
   *   await assertRejects(() => pool.run(late), ShutDown);
   * });
   * ```
   */
  async shutdown(options?: ShutdownOptions): Promise<void> {
    const { timeout, signal } = endPool(this, options);
    const core = coreOf(this);
    await waitPromise(endProtocol, core, Core.end, {
      timeout,
      signal,
      timeoutError: () => timeoutError(SHUT_DOWN, timeout),
    });
  }

  /**
   * The same, but blocks the thread.
   *
   * @param options Whether pending tasks are cancelled, and a timeout in
   * milliseconds that ends the wait; the pool is shut down all the same.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {DeadlockError} If every thread waits, so that no task will end.
   * @throws {ThreadingError} If this is a task of the pool, which would wait for
   * itself.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If an option is wrong.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   *
   * new ThreadPool().shutdownSync({ cancelPending: true });
   * ```
   */
  shutdownSync(options?: ShutdownSyncOptions): void {
    const { timeout } = endPool(this, options, true);
    const core = coreOf(this);
    const end = waitSync(endProtocol, core, Core.end, timeout, SHUT_DOWN);
    if (end === Wake.waiting) throw timeoutError(SHUT_DOWN, timeout);
  }

  /**
   * What the pool is doing now. The answer may be out of date when it arrives.
   *
   * @returns Numbers of workers and tasks.
   *
   * @example
   * ```ts
   * import { ThreadPool } from "@skein/std/pool";
   * import { assertEquals } from "@std/assert";
   *
   * const { size, workers } = new ThreadPool({ size: 4 }).stats();
   * assertEquals([size, workers], [4, 0]);
   * ```
   */
  stats(): PoolStats {
    const core = coreOf(this);
    lock(core + Field.mutex);
    let idle = 0;
    let node = firstOf(core, MAIN_QUEUE);
    for (; node !== 0; node = words[node + Node.next]) idle++;
    const stats = {
      size: words[core + Core.size],
      workers: words[core + Core.workers],
      idle,
      pending: words[core + Core.pending],
      running: words[core + Core.running],
      completed: words[core + Core.completed],
      failed: words[core + Core.failed],
      cancelled: words[core + Core.cancelled],
      died: words[core + Core.died],
    };
    unlock(core + Field.mutex);
    return stats;
  }

  /** The name, for people. */
  get name(): string {
    return String(readRecord(words[coreOf(this) + Core.name]));
  }

  /** How many workers it has at most. */
  get size(): number {
    return words[coreOf(this) + Core.size];
  }

  /** Waits for all tasks, at the end of the block that `using` is in. */
  [Symbol.dispose](): void {
    runShielded(() => this.shutdownSync());
  }

  /** The same without blocking the thread, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await runShielded(() => this.shutdown());
  }
}

const KIND = registerClass(import.meta, {
  constructor: ThreadPool,
  destroy(pool) {
    const core = words[pool + CORE];
    if (core === 0) return;
    // In a critical section, so its mutex cannot be taken: an idle worker looks
    // when it is woken, one that is busy before it rests.
    store(core + Core.orphaned, 1);
    wakeAllSlots();
    releaseReference(core);
  },
  look(pool) {
    const core = words[pool + CORE];
    if (core === 0) return [];
    return [
      `${words[core + Core.running]} running`,
      `${words[core + Core.pending]} pending`,
      ...words[core + Core.closed] === 0 ? [] : ["shut down"],
    ];
  },
});

/** The core of a pool, for the rooms below. */
export function coreOf(pool: ThreadPool): number {
  return words[addressOf(pool) + CORE];
}

const SHUT_DOWN = "shut down a ThreadPool";
const SHUTDOWN_SYNC_NAMES = ["cancelPending", "timeout"];
const SHUTDOWN_NAMES = [...SHUTDOWN_SYNC_NAMES, "signal"];

/** Gives a task to a pool in a form that does not return a promise. */
function submitted<R>(
  pool: ThreadPool,
  order: Order,
  submit: (core: number, task: number, order: Order) => void,
): Future<R> {
  const core = coreOf(pool);
  const future = makeFuture<R>();
  try {
    submit(core, addressOf(future), order);
  } catch (error) {
    future.free();
    throw error;
  }
  return future;
}

/** Checks the options, and lets nothing more in. */
function endPool(
  pool: ThreadPool,
  options: ShutdownOptions | undefined,
  isSync = false,
): { timeout: number; signal: AbortSignal | undefined } {
  const names = isSync ? SHUTDOWN_SYNC_NAMES : SHUTDOWN_NAMES;
  if (options !== undefined) checkOptions(options, SHUT_DOWN, names);
  const { cancelPending = false, signal } = options ?? {};
  const timeout = durationOf(options?.timeout, SHUT_DOWN, "timeout");
  checkSignal(signal, SHUT_DOWN);
  if (typeof cancelPending !== "boolean") {
    throw new TypeError(
      `Cannot ${SHUT_DOWN}: cancelPending must be a boolean, received ${
        shown(cancelPending)
      }`,
    );
  }
  const core = coreOf(pool);
  if (currentIn(core) !== 0) {
    throw new ThreadingError(
      `Cannot ${SHUT_DOWN}: this is one of its tasks, which would wait for itself, let its submitter do it`,
    );
  }
  shutDown(core);
  if (cancelPending) {
    while (endFirst(core, TaskState.cancelled, draftTaskReason));
  }
  return { timeout, signal };
}

/** Makes the object behind a pool, a draft of this thread. */
function createPool(parts: PoolParts): number {
  const core = new PoolCore();
  const address = addressOf(core);
  try {
    give(address, Core.name, () => draftRecord(parts.name));
    if (parts.initializer !== undefined) {
      const job = parts.initializer;
      give(address, Core.initializer, () => draftInitializer(job));
    }
    words[address + Core.size] = parts.size;
    words[address + Core.maxPending] = parts.maxPending;
    words[address + Core.idleTimeout] = parts.idleTimeout;
    const pool = createObject(KIND, POOL_WORDS);
    words[pool + CORE] = address;
    add(address + Field.references, 1);
    return pool;
  } finally {
    core.free();
  }
}

function draftInitializer({ fn, args }: Job): number {
  const encoded = encode({ initializer: fn, initArgs: args }, "");
  checkMarks(encoded.sendables, MAKE);
  return draftEncoded(encoded);
}

/** Gives a core a record. */
function give(core: number, field: number, draft: () => number): void {
  const record = draft();
  lock(self + Slot.mutex);
  words[core + field] = record;
  commitRecord(record);
  unlock(self + Slot.mutex);
}
