/**
 * The pool of the process's own, for whoever needs none of his own.
 *
 * @module
 */

import {
  add,
  addressOf,
  Field,
  Header,
  load,
  lock,
  objectAt,
  unlock,
  words,
} from "../threading/_ground.ts";
import type { MapOptions, MapSyncOptions } from "./map.ts";
import type { TaskArguments } from "./submit.ts";
import { ThreadPool } from "./thread_pool.ts";

/** The pool that all threads of the process share; it is never shut down. */
function commonPool(): ThreadPool {
  const known = load(Header.commonPool);
  if (known !== 0) return objectAt(known) as ThreadPool;
  const pool = new ThreadPool({ name: "CommonPool" });
  const address = addressOf(pool);
  lock(Header.registryMutex);
  const isFirst = words[Header.commonPool] === 0;
  if (isFirst) {
    add(address + Field.references, 1);
    words[Header.commonPool] = address;
  }
  unlock(Header.registryMutex);
  if (isFirst) return pool;
  pool.free();
  return commonPool();
}

/**
 * Runs a function in another thread and waits for its result, without a pool of
 * one's own: for what would block the event loop. After `asyncio.to_thread` of
 * Python.
 *
 * The pool behind it has as many workers as there are cores; all threads share it.
 *
 * @param fn The function, marked with `sendable`.
 * @param rest What it is called with: copied, shared objects shared. And options,
 * as for `ThreadPool.run`.
 * @returns What it returned.
 * @throws What it threw.
 * @throws {NotSendableError} If the function or an argument cannot be sent.
 * @throws {HeapExhaustedError} If the shared heap has no room for them.
 * @throws {ThreadingError} If the worker died.
 * @throws {Deno.errors.NotCapable} If a module that the worker imports may not be
 * read.
 * @throws {TypeError} If `fn` is not a function, or an option is wrong.
 *
 * @example
 * ```ts
 * import { toThread } from "@skein/std/pool";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const sum = sendable(import.meta, function sum(n: number) {
 *   let sum = 0;
 *   for (let i = 1; i <= n; i++) sum += i;
 *   return sum;
 * });
 *
 * Deno.test("toThread", async () => {
 *   assertEquals(await toThread(sum, [1000]), 500_500);
 * });
 * ```
 */
export function toThread<R, A extends readonly unknown[]>(
  fn: (...args: [...A]) => R | PromiseLike<R>,
  ...rest: TaskArguments<A>
): Promise<R> {
  return commonPool().run(fn, ...rest);
}

/**
 * Calls a function for each item on all cores, without a pool of one's own.
 *
 * @typeParam T The items.
 * @typeParam R What the function returns.
 * @param fn The function, marked with `sendable`.
 * @param items The items, of an iterable or an async one.
 * @param options As for `ThreadPool.map`.
 * @returns The results, for `for await`.
 * @throws What `ThreadPool.map` throws.
 *
 * @example
 * ```ts
 * import { parallelMap } from "@skein/std/pool";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const square = sendable(import.meta, (n: number) => n * n);
 *
 * Deno.test("parallelMap", async () => {
 *   const squares = parallelMap(square, [1, 2, 3]);
 *   assertEquals(await Array.fromAsync(squares), [1, 4, 9]);
 * });
 * ```
 */
export function parallelMap<T, R>(
  fn: (item: T) => R | PromiseLike<R>,
  items: Iterable<T> | AsyncIterable<T>,
  options: MapOptions & { settled: true },
): AsyncIterableIterator<PromiseSettledResult<R>>;
/**
 * Calls a function for each item on all cores, without a pool of one's own.
 *
 * @typeParam T The items.
 * @typeParam R What the function returns.
 * @param fn The function, marked with `sendable`.
 * @param items The items, of an iterable or an async one.
 * @param options As for `ThreadPool.map`.
 * @returns The results, for `for await`.
 * @throws What `ThreadPool.map` throws.
 */
export function parallelMap<T, R>(
  fn: (item: T) => R | PromiseLike<R>,
  items: Iterable<T> | AsyncIterable<T>,
  options?: MapOptions,
): AsyncIterableIterator<R>;
export function parallelMap<T, R>(
  fn: (item: T) => R | PromiseLike<R>,
  items: Iterable<T> | AsyncIterable<T>,
  options?: MapOptions,
): AsyncIterableIterator<unknown> {
  return commonPool().map(fn, items, options);
}

/**
 * Like {@linkcode parallelMap}, but blocks the thread while it waits.
 *
 * @typeParam T The items.
 * @typeParam R What the function returns.
 * @param fn The function, marked with `sendable`.
 * @param items The items.
 * @param options As for `ThreadPool.mapSync`.
 * @returns The results, for `for`.
 * @throws What `ThreadPool.mapSync` throws.
 *
 * @example
 * ```ts
 * import { parallelMapSync } from "@skein/std/pool";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const square = sendable(import.meta, (n: number) => n * n);
 *
 * Deno.test("parallelMapSync", () => {
 *   assertEquals([...parallelMapSync(square, [1, 2, 3])], [1, 4, 9]);
 * });
 * ```
 */
export function parallelMapSync<T, R>(
  fn: (item: T) => R | PromiseLike<R>,
  items: Iterable<T>,
  options: MapSyncOptions & { settled: true },
): IterableIterator<PromiseSettledResult<R>>;
/**
 * Like {@linkcode parallelMap}, but blocks the thread while it waits.
 *
 * @typeParam T The items.
 * @typeParam R What the function returns.
 * @param fn The function, marked with `sendable`.
 * @param items The items.
 * @param options As for `ThreadPool.mapSync`.
 * @returns The results, for `for`.
 * @throws What `ThreadPool.mapSync` throws.
 */
export function parallelMapSync<T, R>(
  fn: (item: T) => R | PromiseLike<R>,
  items: Iterable<T>,
  options?: MapSyncOptions,
): IterableIterator<R>;
export function parallelMapSync<T, R>(
  fn: (item: T) => R | PromiseLike<R>,
  items: Iterable<T>,
  options?: MapSyncOptions,
): IterableIterator<unknown> {
  return commonPool().mapSync(fn, items, options);
}
