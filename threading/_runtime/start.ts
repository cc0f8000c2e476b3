/**
 * Starting a thread, from any thread.
 *
 * @module
 */

import { discard } from "../_memory/allocator.ts";
import { encode } from "../_memory/codec/encode.ts";
import { checkMarks } from "../_memory/codec/load.ts";
import { draftEncoded } from "../_memory/record.ts";
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

/**
 * Starts a created thread.
 *
 * @param thread The Thread object.
 * @param job What it is to run.
 * @param moduleUrl The module that its worker imports.
 */
export function startThread(
  thread: number,
  job: CallJob | InstanceJob,
  moduleUrl: string | undefined,
): void {
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
