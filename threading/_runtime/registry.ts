/**
 * Which thread runs in which slot. All of it under the registry mutex.
 *
 * @module
 */

import { ThreadingError } from "../errors.ts";
import {
  Dying,
  Header,
  isMain,
  load,
  MAX_SLOTS,
  nextTid,
  requestHost,
  Slot,
  slotAt,
  slotOf,
  SlotState,
  store,
  wakeSlot,
  words,
} from "../_memory/heap.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import { commitRecord } from "../_codec/record.ts";
import { delist, enlist, ThreadField, ThreadState } from "./thread_object.ts";

/** A slot for the next thread: an idle worker's if there is one. */
function takeSlot(): number {
  const idle = words[Header.idleSlots];
  if (idle !== 0) {
    words[Header.idleSlots] = words[idle + Slot.nextSlot];
    store(idle + Slot.state, SlotState.busy);
    return idle;
  }
  const free = takeFreeSlot();
  if (free !== 0) store(free + Slot.state, SlotState.requested);
  return free;
}

/** So many slots lie fallow before one is used again. */
const FALLOW_SLOTS = 64;

/**
 * The slot that has been free for longest: a worker that was ended by force
 * may run on for an instant, and must not meet its successor. Until then
 * `dying` stays set, so that it changes nothing.
 */
function takeFreeSlot(): number {
  const used = words[Header.usedSlots];
  const first = words[Header.freeSlots];
  if (
    first !== 0 &&
    (words[Header.freeCount] > FALLOW_SLOTS || used === MAX_SLOTS)
  ) {
    words[Header.freeSlots] = words[first + Slot.nextSlot];
    words[Header.freeCount]--;
    store(first + Slot.dying, Dying.no);
    return first;
  }
  if (used === MAX_SLOTS) return 0;
  words[Header.usedSlots] = used + 1;
  return slotAt(used);
}

/** A slot for a worker that runs no threads, or 0. */
export function reserveSlot(): number {
  lock(Header.registryMutex);
  const slot = takeFreeSlot();
  if (slot !== 0) store(slot + Slot.state, SlotState.reserved);
  unlock(Header.registryMutex);
  return slot;
}

/** Sets a slot free whose worker has ended. */
export function freeSlot(slot: number): void {
  lock(Header.registryMutex);
  words.fill(0, slot + Slot.dying + 1, slot + Slot.serial);
  words[slot + Slot.draftCount] = 0;
  words[slot + Slot.openDrafts] = 0;
  words[slot + Slot.waitsFor] = 0;
  store(slot + Slot.state, SlotState.free);
  words[slot + Slot.nextSlot] = 0;
  if (words[Header.freeSlots] === 0) words[Header.freeSlots] = slot;
  else words[words[Header.lastFreeSlot] + Slot.nextSlot] = slot;
  words[Header.lastFreeSlot] = slot;
  words[Header.freeCount]++;
  unlock(Header.registryMutex);
}

/**
 * Gives a created thread a slot and its job.
 *
 * @param thread The Thread object.
 * @param job Record of the job, a draft of this thread.
 * @returns The slot; if its state is `requested`, the host has to start a
 * worker for it.
 * @throws {ThreadingError} If it was started before, or no slot is left.
 */
export function assign(thread: number, job: number): number {
  lock(Header.registryMutex);
  const fresh = words[thread + ThreadField.state] === ThreadState.created;
  const slot = fresh ? takeSlot() : 0;
  if (slot !== 0) {
    const tid = nextTid(slot);
    words[thread + ThreadField.tid] = tid;
    words[slot + Slot.thread] = thread;
    store(thread + ThreadField.state, ThreadState.alive);
    enlist(thread);
    store(slot + Slot.tid, tid);
    commitRecord(job);
    store(slot + Slot.job, job);
    if (load(slot + Slot.state) === SlotState.busy) wakeSlot(slot);
    else if (!isMain) requestHost();
  }
  unlock(Header.registryMutex);
  if (slot !== 0) return slot;
  throw new ThreadingError(
    fresh
      ? `Cannot start a thread: ${MAX_SLOTS - 1} threads are alive already`
      : "Cannot start a thread: it was started before; make a new Thread",
  );
}

/** How a thread ended: its state, the records of result and fields (or 0). */
export interface Ending {
  state: number;
  result: number;
  fields: number;
}

/**
 * Takes the ended thread out of a slot and notes in the slot how it ended, for
 * `settle`. The reference that the list of living threads had passes to this
 * thread, to be given back.
 *
 * @param slot The slot.
 * @param ending How the thread ended.
 * @param worker Whether its worker is ready for another thread, and whether it
 * goes on to hold the process open as its thread did, until {@linkcode leave}.
 */
export function vacate(
  slot: number,
  { state, result, fields }: Ending,
  { idle, lingers }: { idle: boolean; lingers: boolean },
): void {
  lock(Header.registryMutex);
  const thread = words[slot + Slot.thread];
  if (!words[thread + ThreadField.daemon]) {
    if (lingers) words[slot + Slot.lingers] = 1;
    else words[Header.liveThreads]--;
  }
  words[slot + Slot.endingState] = state;
  words[slot + Slot.endingResult] = result;
  words[slot + Slot.endingFields] = fields;
  words[slot + Slot.ending] = thread;
  delist(thread);
  store(slot + Slot.tid, 0);
  words[slot + Slot.thread] = 0;
  if (idle) {
    store(slot + Slot.state, SlotState.idle);
    words[slot + Slot.nextSlot] = words[Header.idleSlots];
    words[Header.idleSlots] = slot;
  }
  unlock(Header.registryMutex);
}

/**
 * The worker of a slot no longer holds the process open: all that its thread
 * had to tell, errors that came up behind its end included, has been told.
 */
export function leave(slot: number): void {
  if (words[slot + Slot.lingers] === 0) return;
  lock(Header.registryMutex);
  words[slot + Slot.lingers] = 0;
  // The main thread may be done, or blocked for what can no longer happen.
  if (--words[Header.liveThreads] === 0) requestHost();
  unlock(Header.registryMutex);
}

/** Takes an idle slot out of the list, to end its worker. */
export function retire(slot: number): boolean {
  lock(Header.registryMutex);
  let link = Header.idleSlots as number;
  while (words[link] !== 0 && words[link] !== slot) {
    link = words[link] + Slot.nextSlot;
  }
  const found = words[link] === slot;
  if (found) {
    words[link] = words[slot + Slot.nextSlot];
    store(slot + Slot.state, SlotState.busy);
  }
  unlock(Header.registryMutex);
  return found;
}

/**
 * Marks a living thread as dying and makes it notice.
 *
 * @returns Whether it was alive.
 */
export function condemn(thread: number): boolean {
  lock(Header.registryMutex);
  const slot = slotOf(words[thread + ThreadField.tid]);
  const alive = words[slot + Slot.thread] === thread && slot !== 0 &&
    words[thread + ThreadField.tid] !== 0;
  if (alive && load(slot + Slot.dying) === Dying.no) {
    store(slot + Slot.dying, Dying.asked);
    wakeSlot(slot);
    requestHost();
  }
  unlock(Header.registryMutex);
  return alive;
}
