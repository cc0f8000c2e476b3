/**
 * Cancelling tasks.
 *
 * @module
 */

import {
  holdObject,
  MAIN_QUEUE,
  releaseHold,
  waitPromise,
  words,
} from "../../threading/_ground.ts";
import { draftReason } from "../../threading/_threads.ts";
import { Task } from "./layout.ts";
import { cancelTask, futureProtocol } from "./line.ts";

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
