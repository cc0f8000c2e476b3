/**
 * Cancelling tasks.
 *
 * @module
 */

import { words } from "../../threading/_memory/heap.ts";
import { waitPromise } from "../../threading/_memory/wait.ts";
import { MAIN_QUEUE } from "../../threading/_memory/wait_queue.ts";
import { draftRecord } from "../../threading/_codec/record.ts";
import {
  holdObject,
  releaseHold,
} from "../../threading/_memory/shared_object.ts";
import { Task } from "./layout.ts";
import { cancelTask, futureProtocol } from "./line.ts";

/** Why a task is cancelled, if nobody says. */
export function cancelReason(): DOMException {
  return new DOMException("The task was cancelled", "AbortError");
}

/**
 * Cancels a task of which this thread has a reference.
 *
 * @throws {NotSendableError} If the reason cannot be sent.
 */
export function cancel(task: number, reason: unknown): void {
  const core = words[task + Task.core];
  cancelTask(core, task, draftRecord(reason));
}

/**
 * Cancels a task when a signal is aborted.
 *
 * @returns Ends that.
 */
export function watchSignal(task: number, signal: AbortSignal): () => void {
  const onAbort = () => cancel(task, signal.reason);
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
