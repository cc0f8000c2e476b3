/**
 * What tasks report of themselves: the last ones of each task, in order.
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
  allocateZeroed,
  deallocate,
  discard,
  Field,
  lock,
  type Protocol,
  removeDraft,
  unlock,
  Wake,
  wakeAll,
  words,
} from "../../threading/_ground.ts";
import {
  commitRecord,
  draftRecord,
  releaseRecord,
  shareRecord,
} from "../../threading/_values.ts";
import { isSettled, Task } from "./layout.ts";

/** So many are kept for readers that come late. */
const KEPT = 256;
const RECORDS = 1;

/**
 * Adds something to what a task reports.
 *
 * @throws {NotSendableError} If it cannot be sent.
 */
export function addUpdate(task: number, value: unknown): void {
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
