/**
 * Starting a thread, from any thread.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { ThreadingError } from "../errors.ts";
import { discard } from "../_memory/allocator.ts";
import { encode } from "../_codec/encode.ts";
import { checkMarks } from "../_codec/sendable.ts";
import { draftEncoded } from "../_codec/record.ts";
import {
  Header,
  isMain,
  load,
  requestHost,
  Slot,
  SlotState,
} from "../_memory/heap.ts";
import { settleKeepAlive, startWorker } from "./host.ts";
import type { CallJob, InstanceJob } from "./job.ts";
import { requirePermissions } from "./permissions.ts";
import { assign } from "./registry.ts";
import { nameOf } from "./thread_object.ts";

/** Set while this worker loads the modules that a new thread needs. */
let loading = false;
/** The same for what those modules do later: in a timer, behind an `await`. */
const loadedBy = new AsyncLocalStorage<true>();

/**
 * Loads the modules that a new thread needs. Nothing that they begin may start
 * a thread: a program that starts its threads at its top level would do so
 * again in each of them, without an end. What the thread itself loads when it
 * runs may start some, since those threads come here in their turn.
 *
 * @param load Loads them.
 */
export async function whileLoading(
  load: () => Promise<void> | undefined,
): Promise<void> {
  loading = true;
  try {
    await loadedBy.run(true, load);
  } finally {
    loading = false;
  }
}

/**
 * Starts a created thread.
 *
 * @param thread The Thread object.
 * @param job What it is to run.
 * @param moduleUrl The module that its worker imports.
 * @throws {ThreadingError} If this is the code of a module that is being loaded
 * for a new thread.
 */
export function startThread(
  thread: number,
  job: CallJob | InstanceJob,
  moduleUrl: string | undefined,
): void {
  if (loading || loadedBy.getStore()) {
    throw new ThreadingError(
      `Cannot start the thread ${
        nameOf(thread)
      }: a thread is loading the module that starts it, and would start one more each time; put it under if (import.meta.main)`,
    );
  }
  requirePermissions(moduleUrl);
  const encoded = encode(job, "");
  checkMarks(encoded.sendables, "start the thread");
  const record = draftEncoded(encoded);
  let slot: number;
  try {
    slot = assign(thread, record);
  } catch (error) {
    discard(record);
    throw error;
  }
  if (!isMain) {
    // The first thread that is not a daemon is to hold the process open.
    if (load(Header.liveThreads) === 1) requestHost();
  } else if (load(slot + Slot.state) === SlotState.requested) {
    startWorker(slot);
  } else {
    settleKeepAlive();
  }
}
