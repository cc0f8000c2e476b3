/**
 * Futures in the order in which their tasks end.
 *
 * @module
 */

import { checkIterable, shown } from "../_internal/check.ts";
import {
  timeoutError,
  timeoutOf,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/options.ts";
import { addressOf } from "../threading/_ground.ts";
import { isSettled } from "./_engine/layout.ts";
import { waitForAny, watch } from "./_engine/any.ts";
import { Future, waitForResult } from "./future.ts";

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
  const timeout = timeoutOf(options, WHAT);
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
