/**
 * Pools of threads: functions run on all cores, and their results as futures
 * that any thread can wait for. After `concurrent.futures` of Python.
 *
 * @example All cores in five lines
 * ```ts
 * import { ThreadPool } from "@skein/std/pool";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const fib = sendable(import.meta, function fib(n: number): number {
 *   return n < 2 ? n : fib(n - 1) + fib(n - 2);
 * });
 *
 * Deno.test("all cores", async () => {
 *   await using pool = new ThreadPool();
 *   const numbers = [20, 21, 22].map((n) => pool.run(fib, [n]));
 *   assertEquals(await Promise.all(numbers), [6765, 10946, 17711]);
 * });
 * ```
 *
 * @module
 */

export type { MapProgress } from "./_batches.ts";
export { parallelMap, parallelMapSync, toThread } from "./common.ts";
export { asCompleted, asCompletedSync } from "./completed.ts";
export {
  Future,
  type FutureCancelOptions,
  type FutureUpdates,
} from "./future.ts";
export type { MapOptions, MapSyncOptions } from "./map.ts";
export type {
  ShutdownOptions,
  ShutdownSyncOptions,
  TaskArguments,
  TaskOptions,
  ThreadPoolOptions,
} from "./submit.ts";
export { type CurrentTask, currentTask } from "./task.ts";
export { type PoolStats, ThreadPool } from "./thread_pool.ts";
