/**
 * Futures in the order in which their tasks end, and waiting for whichever of
 * several tasks ends first.
 *
 * It is a wait at all of them, a selection: one node in the queue of each. Where
 * they are many and end one soon after the other, that would cost more than the
 * tasks. So each is told first, once, which thread watches it, and what settles it
 * wakes that thread, which then looks at all: it reads its event word before it
 * looks, so it misses none. To be woken in vain does no harm, so a task is watched
 * until it ends. Only when nothing has ended for a while a selection is begun: that
 * is what those understand who look for deadlocks.
 *
 * @module
 */

import {
  checkIterable,
  shown,
  timeoutError,
  timeoutOf,
  timeoutOfSync,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import {
  addressOf,
  type CaseKind,
  checkInterrupted,
  Field,
  lock,
  MAIN_QUEUE,
  Node,
  NOT_READY,
  OWN_NODE,
  prepareOwnNode,
  type Protocol,
  selectBlocked,
  self,
  sleepUntilWoken,
  store,
  unlock,
  Wake,
  words,
} from "../threading/_ground.ts";
import { isSettled, MANY_WATCH, Task } from "./_engine/layout.ts";
import { Future, waitForResult } from "./future.ts";
import { helperFor, helpOnce } from "./_engine/run.ts";
import { futureProtocol } from "./_engine/line.ts";

const WHAT = "wait for futures";

function listOf<R>(futures: Iterable<Future<R>>): Set<Future<R>> {
  checkIterable(futures, WHAT, "futures");
  const list = new Set(futures);
  for (const future of list) {
    if (future instanceof Future) addressOf(future);
    else {
      throw new TypeError(
        `Cannot ${WHAT}: futures must hold nothing else, received ${
          shown(future)
        }`,
      );
    }
  }
  return list;
}

/**
 * Futures, each as soon as its task has ended. After `as_completed` of Python's
 * concurrent.futures.
 *
 * @typeParam R What the tasks return.
 * @param futures The futures, of any pools.
 * @param options A timeout in milliseconds for all of them, a signal that ends the
 * wait; the tasks go on.
 * @returns An iterable for `for await`. It throws a `TimeoutError` if the timeout
 * passes first.
 * @throws {TypeError} If `futures` is not an iterable of futures, or the timeout
 * not a number.
 * @throws {RangeError} If the timeout is negative, NaN or too large.
 *
 * @example
 * ```ts
 * import { asCompleted, ThreadPool } from "@skein/std/pool";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const square = sendable(import.meta, (n: number) => n * n);
 *
 * Deno.test("asCompleted", async () => {
 *   await using pool = new ThreadPool();
 *   const futures = [1, 2, 3].map((n) => pool.submitNowait(square, [n]));
 *   let sum = 0;
 *   for await (const future of asCompleted(futures)) sum += await future.result();
 *   assertEquals(sum, 14);
 * });
 * ```
 */
export function asCompleted<R>(
  futures: Iterable<Future<R>>,
  options?: WaitOptions,
): AsyncIterableIterator<Future<R>> {
  const timeout = timeoutOf(options, WHAT);
  options?.signal?.throwIfAborted();
  return completed(listOf(futures), timeout, options?.signal);
}

async function* completed<R>(
  futures: Set<Future<R>>,
  timeout: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Future<R>> {
  const ended: Future<R>[] = [];
  let failure: { reason: unknown } | undefined;
  let wake: (() => void) | undefined;
  const fail = (reason: unknown) => {
    failure ??= { reason };
    wake?.();
  };
  const stopping = new AbortController();
  const onAbort = () => fail(signal!.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = timeout === Infinity
    ? undefined
    : setTimeout(() => fail(timeoutError(WHAT, timeout)), timeout);
  try {
    for (const future of futures) {
      const task = addressOf(future);
      waitForResult(task, Infinity, stopping.signal).then(() => {
        ended.push(future);
        wake?.();
      }, fail);
    }
    for (let left = futures.size; left > 0; left--) {
      while (ended.length === 0) {
        if (failure !== undefined) throw failure.reason;
        await new Promise<void>((resolve) => wake = resolve);
      }
      yield ended.shift()!;
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    stopping.abort();
  }
}

/**
 * Like {@linkcode asCompleted}, but blocks the thread while no task has ended.
 *
 * @typeParam R What the tasks return.
 * @param futures The futures, of any pools.
 * @param options A timeout in milliseconds for all of them; the tasks go on.
 * @returns An iterable for `for`. It throws a `TimeoutError` if the timeout passes
 * first, a `DeadlockError` if every thread waits.
 * @throws {TypeError} If `futures` is not an iterable of futures, or the timeout
 * not a number.
 * @throws {RangeError} If the timeout is negative, NaN or too large.
 *
 * @example
 * ```ts
 * import { asCompletedSync, ThreadPool } from "@skein/std/pool";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const square = sendable(import.meta, (n: number) => n * n);
 *
 * Deno.test("asCompletedSync", () => {
 *   using pool = new ThreadPool();
 *   const futures = [1, 2, 3].map((n) => pool.submitNowait(square, [n]));
 *   let sum = 0;
 *   for (const future of asCompletedSync(futures)) sum += future.resultSync();
 *   assertEquals(sum, 14);
 * });
 * ```
 */
export function asCompletedSync<R>(
  futures: Iterable<Future<R>>,
  options?: WaitSyncOptions,
): IterableIterator<Future<R>> {
  const timeout = timeoutOfSync(options, WHAT);
  return completedSync(listOf(futures), timeout);
}

function* completedSync<R>(
  futures: Set<Future<R>>,
  timeout: number,
): Generator<Future<R>> {
  const deadline = performance.now() + timeout;
  let left = [...futures];
  for (const future of left) watch(addressOf(future));
  while (left.length > 0) {
    // Whoever has taken one may have freed others.
    const tasks = left.map(addressOf);
    const isOne = waitForAny(tasks, deadline, WHAT, true);
    if (!isOne) throw timeoutError(WHAT, timeout);
    const done: Future<R>[] = [];
    const rest: Future<R>[] = [];
    for (const [i, future] of left.entries()) {
      (isSettled(tasks[i]) ? done : rest).push(future);
    }
    left = rest;
    yield* done;
  }
}

/** A task as a case of a selection. */
interface TaskCase {
  task: number;
}

const taskOf = (subject: object) => (subject as TaskCase).task;

/** How the end of a task is waited for; its result is not asked for. */
const endCase: CaseKind<undefined> = {
  mayBeReady: (subject) => isSettled(taskOf(subject)),
  attempt: (subject) => isSettled(taskOf(subject)) ? undefined : NOT_READY,
  wait: (subject) => ({
    object: taskOf(subject),
    queue: MAIN_QUEUE,
    protocol: futureProtocol,
    finish: () => undefined,
  }),
};

/** Has a task wake this thread when it ends. */
export function watch(task: number): void {
  lock(task + Field.mutex);
  const watcher = words[task + Task.watcher];
  words[task + Task.watcher] = watcher === 0 || watcher === self
    ? self
    : MANY_WATCH;
  unlock(task + Field.mutex);
}

/** Of more tasks than that it is waited for one by watching them at first. */
const FEW = 16;
/** For so many milliseconds. */
const WATCH_MS = 50;

/**
 * Blocks until one of the tasks is settled, of which this thread has references.
 * A task that waits for tasks of its own pool runs them meanwhile.
 *
 * @param tasks The tasks, at least one.
 * @param deadline When to give up, by `performance.now()`.
 * @param what For messages.
 * @param isWatched Whether this thread watches them.
 * @returns Whether one is settled.
 */
export function waitForAny(
  tasks: number[],
  deadline: number,
  what: string,
  isWatched = false,
): boolean {
  for (;;) {
    if (tasks.some(isSettled)) return true;
    if (performance.now() >= deadline) return false;
    if (!tasks.some((task) => helps(task, what))) break;
  }
  if (isWatched && tasks.length > FEW && lookAt(tasks, deadline)) return true;
  const cases = tasks.map((task) => ({
    kind: endCase,
    subject: { task } satisfies TaskCase,
    item: undefined,
  }));
  const timeout = Math.max(0, deadline - performance.now());
  return selectBlocked(cases, { what, timeout }).index >= 0;
}

/** Blocks for a while, until one of the tasks that are watched is settled. */
function lookAt(tasks: number[], deadline: number): boolean {
  const until = Math.min(deadline, performance.now() + WATCH_MS);
  const protocol: Protocol = {
    take: () => Wake.waiting,
    tick() {
      if (tasks.some(isSettled)) store(OWN_NODE + Node.state, Wake.granted);
      return Infinity;
    },
  };
  // In no queue: whoever settles one bumps the event word.
  prepareOwnNode();
  const isOne = sleepUntilWoken(OWN_NODE, until, protocol, true);
  checkInterrupted();
  return isOne;
}

function helps(task: number, what: string): boolean {
  const running = helperFor(words[task + Task.core]);
  return running !== undefined && helpOnce(running, task, what);
}
