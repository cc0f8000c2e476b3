/**
 * A task that runs: what it knows of itself, what it reports, and asking it to end.
 *
 * The last reports of each task are kept, in order.
 *
 *     block + 0   how many there ever were
 *     block + 1   the records, the one with the number n at n modulo `KEPT`
 *
 * They change under the mutex of the task. Whoever reports wakes all readers; a
 * reader looks under the mutex before it waits. The end of the task wakes them,
 * too.
 *
 * @module
 */

import {
  commitRecord,
  draftReason,
  draftRecord,
  releaseRecord,
  shareRecord,
  signalOfScope,
} from "../threading/_threads.ts";
import {
  allocateZeroed,
  deallocate,
  discard,
  Field,
  holdObject,
  lock,
  MAIN_QUEUE,
  type Protocol,
  releaseHold,
  removeDraft,
  unlock,
  waitPromise,
  Wake,
  wakeAll,
  words,
} from "../threading/_ground.ts";
import { currentRunning } from "./_engine/run.ts";
import { isSettled, Task } from "./_engine/layout.ts";
import { cancelTask, futureProtocol } from "./_engine/line.ts";

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

/** So many are kept for readers that come late. */
const KEPT = 256;
const RECORDS = 1;

/**
 * Adds something to what a task reports.
 *
 * @throws {NotSendableError} If it cannot be sent.
 */
function addUpdate(task: number, value: unknown): void {
  const record = draftRecord(value);
  let block = 0;
  try {
    // Only the thread that runs the task comes here.
    if (words[task + Task.updates] === 0) {
      block = allocateZeroed(RECORDS + KEPT);
    }
    lock(task + Field.mutex);
  } catch (error) {
    discard(record);
    throw error;
  }
  if (block !== 0) {
    words[task + Task.updates] = block;
    removeDraft(block);
  }
  const updates = words[task + Task.updates];
  const place = updates + RECORDS + words[updates] % KEPT;
  if (words[place] !== 0) releaseRecord(words[place]);
  words[place] = record;
  commitRecord(record);
  words[updates]++;
  wakeAll(task, Task.readers, Wake.granted);
  unlock(task + Field.mutex);
}

/** Where a reader is. */
export interface Cursor {
  /** How many it has read, or come too late for. */
  position: number;
}

/**
 * The record of what comes next, which this thread shares then.
 *
 * @returns The record; 0 if there is none yet.
 */
export function shareUpdate(task: number, cursor: Cursor): number {
  const updates = words[task + Task.updates];
  if (updates === 0) return 0;
  let record = 0;
  lock(task + Field.mutex);
  const count = words[updates];
  if (cursor.position < count) {
    cursor.position = Math.max(cursor.position, count - KEPT);
    record = words[updates + RECORDS + cursor.position % KEPT];
    shareRecord(record);
    cursor.position++;
  }
  unlock(task + Field.mutex);
  return record;
}

/** How a reader waits for more. */
export function readerProtocol(cursor: Cursor): Protocol {
  return {
    take(task) {
      const updates = words[task + Task.updates];
      const isMore = updates !== 0 && cursor.position < words[updates];
      return isMore || isSettled(task) ? Wake.granted : Wake.waiting;
    },
  };
}

/** When a task goes: gives back what it has reported. */
export function releaseUpdates(task: number): void {
  const updates = words[task + Task.updates];
  if (updates === 0) return;
  for (let i = 0; i < KEPT; i++) {
    const record = words[updates + RECORDS + i];
    if (record !== 0) releaseRecord(record);
  }
  deallocate(updates);
}

/**
 * Cancels a task of which this thread has a reference.
 *
 * @param task The task.
 * @param reason Why; `undefined` for an `AbortError`.
 * @param grace Milliseconds after which its worker is terminated, -1 for never.
 * @throws {NotSendableError} If the reason cannot be sent.
 */
export function cancel(task: number, reason: unknown, grace: number): void {
  const core = words[task + Task.core];
  // One that no pool has accepted, or that has ended, has nobody to ask.
  cancelTask(core, task, draftTaskReason(reason), grace);
}

/** The record of why a task is cancelled, a draft. */
export function draftTaskReason(reason?: unknown): number {
  return draftReason(reason, "The task");
}

/**
 * Cancels a task when a signal is aborted.
 *
 * @returns Ends that.
 */
export function watchSignal(task: number, signal: AbortSignal): () => void {
  const onAbort = () => cancel(task, signal.reason, words[task + Task.grace]);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  return () => signal.removeEventListener("abort", onAbort);
}

/** The same, until the task is settled. */
export function followSignal(task: number, signal: AbortSignal): void {
  const hold = holdObject(task, false);
  const ignore = watchSignal(task, signal);
  const surrender = { timeout: Infinity, timeoutError: () => undefined };
  const done = () => {
    ignore();
    releaseHold(hold);
  };
  waitPromise(futureProtocol, task, MAIN_QUEUE, surrender).then(done, done);
}
