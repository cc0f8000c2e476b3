/**
 * Cancelling, as the code that is cancelled sees it; `Thread.cancel` asks for it.
 *
 * @module
 */

import { checkFunction } from "../_internal/check.ts";
import { checkInterrupted, runShielded } from "./_memory/scope.ts";

/**
 * Throws the reason if the code that calls it has been cancelled: its thread, by
 * {@linkcode Thread.cancel}, or the task of a pool that it belongs to. Every wait
 * does so by itself; this is for code that computes for long without one. It
 * costs a nanosecond.
 *
 * @throws The reason, if it has been cancelled.
 *
 * @example
 * ```ts
 * import { checkCancelled, sendable, Thread } from "@skein/std/threading";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * export const compute = sendable(import.meta, function compute() {
 *   for (;;) checkCancelled();
 * });
 *
 * Deno.test("checkCancelled", async () => {
 *   const thread = new Thread({ target: compute });
 *   thread.start();
 *   thread.cancel(new Error("enough"));
 *   await assertRejects(() => thread.join(), Error, "enough");
 * });
 * ```
 */
export function checkCancelled(): void {
  checkInterrupted();
}

/**
 * Calls a function that is not to be cancelled: the waits in it, and in what it
 * calls and awaits, go on as if nobody had cancelled its thread or task. For
 * cleaning up. What was asked for meanwhile is found by the next wait behind it.
 *
 * @param fn The function, which may be async. Shields may be nested.
 * @returns What it returns.
 * @throws {TypeError} If `fn` is not a function; what it throws.
 *
 * @example
 * ```ts
 * import { Queue, sendable, shield, Thread } from "@skein/std";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * export const work = sendable(
 *   import.meta,
 *   function work(jobs: Queue<string>, log: Queue<string>) {
 *     try {
 *       for (const job of jobs) log.putSync(job);
 *     } finally {
 *       shield(() => log.putSync("end")); // would throw without
 *     }
 *   },
 * );
 *
 * Deno.test("shield", () => {
 *   const jobs = new Queue<string>();
 *   const log = new Queue<string>();
 *   const thread = new Thread({ target: work, args: [jobs, log] });
 *   thread.start();
 *   jobs.putSync("job");
 *   assertEquals(log.getSync(), "job");
 *   thread.cancel();
 *   assertThrows(() => thread.joinSync(), DOMException, "cancelled");
 *   assertEquals(log.getSync(), "end");
 * });
 * ```
 */
export function shield<T>(fn: () => T): T {
  checkFunction(fn, "shield a function", "fn");
  return runShielded(fn);
}
