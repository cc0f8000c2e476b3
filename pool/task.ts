/**
 * What a task knows of itself.
 *
 * @module
 */

import { signalOfScope } from "../threading/_threads.ts";
import { currentRunning } from "./_engine/run.ts";
import { addUpdate } from "./_engine/updates.ts";

/** The task that runs this code, see {@linkcode currentTask}. */
export interface CurrentTask {
  /**
   * Aborted when the task is cancelled, or its time is up: for `fetch` and
   * whatever else takes a signal. It says so at once, also in a task that never
   * returns to the event loop.
   */
  readonly signal: AbortSignal;
  /** How many times the task has been started, 1 unless its worker has died. */
  readonly attempt: number;
  /**
   * Reports something to whoever reads the `updates` of the Future.
   *
   * @param value What is reported: copied, shared objects shared.
   * @throws {NotSendableError} If it cannot be sent.
   */
  progress(value: unknown): void;
}

/**
 * The task of a pool that runs this code.
 *
 * @returns The task, or `undefined` if no pool runs this code.
 *
 * @example
 * ```ts
 * import { currentTask, ThreadPool } from "@skein/std/pool";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const which = sendable(import.meta, () => currentTask()?.attempt);
 *
 * Deno.test("currentTask", async () => {
 *   await using pool = new ThreadPool({ size: 1 });
 *   assertEquals(await pool.run(which), 1);
 *   assertEquals(currentTask(), undefined);
 * });
 * ```
 */
export function currentTask(): CurrentTask | undefined {
  const running = currentRunning();
  if (running === undefined) return undefined;
  const { scope, attempt, task } = running;
  return {
    attempt,
    progress(value) {
      // What a task has left behind must not change what is no longer its own.
      if (!running.ended) addUpdate(task, value);
    },
    get signal() {
      return signalOfScope(scope);
    },
  };
}
