/**
 * The thread table: the object on the heap behind a Thread, which any thread
 * can ask, and which thread runs in which slot. All of it is changed under the
 * registry mutex.
 *
 * @module
 */

import {
  add,
  Dying,
  Field,
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
  wakeAllSlots,
  wakeSlot,
  words,
} from "../_memory/heap.ts";
import { lock, tryLock, unlock } from "../_memory/mutex.ts";
import { SCOPE_WORDS, ScopeField } from "../_memory/scope.ts";
import { addDraft, referenceDraft, removeDraft } from "../_memory/allocator.ts";
import { HeapExhaustedError, ThreadingError } from "../errors.ts";
import { lookAgain } from "../_memory/deadlock.ts";
import {
  commitRecord,
  glanceText,
  readRecord,
  releaseRecord,
} from "../_codec/record.ts";
import { noteDone, noteEnded, TraceNote } from "../_memory/trace.ts";
import { naming } from "../_memory/shared_class.ts";
import { borrow } from "../_memory/shared_object.ts";
import {
  hasWaits,
  link,
  MAIN_QUEUE,
  Node,
  type Protocol,
  Wake,
  wakeAll,
} from "../_memory/wait_queue.ts";

/** The words of a Thread object. */
export const ThreadField = {
  state: Field.own,
  tid: Field.own + 1,
  /** Record of the name. */
  name: Field.own + 2,
  daemon: Field.own + 3,
  /** Record of what `run` returned or threw, 0 before the end or for no room. */
  result: Field.own + 4,
  /** Record of the instance's fields at the end, 0 if there are none. */
  fields: Field.own + 5,
  /** Links of the list of living threads. */
  next: Field.own + 6,
  previous: Field.own + 7,
  /** Its scope of cancelling. */
  scope: Field.own + 8,
} as const;
/** Size of a Thread object in words. */
export const THREAD_WORDS = ThreadField.scope + SCOPE_WORDS;

/** The life of a thread. */
export const ThreadStage = {
  created: 0,
  alive: 1,
  /** `run` returned; `result` holds what. */
  returned: 2,
  /** `run` threw, or the thread was killed; `result` holds the error. */
  failed: 3,
} as const;

/** Whether a thread has ended. */
export function hasEnded(thread: number): boolean {
  return load(thread + ThreadField.state) >= ThreadStage.returned;
}

/** How threads wait for the end of a Thread. */
export const joinProtocol: Protocol = {
  take(thread) {
    return hasEnded(thread) ? Wake.granted : Wake.waiting;
  },
  undo: () => true,
  news: true,
};

/** The name of a thread. */
export function nameOf(thread: number): string {
  return String(readRecord(words[thread + ThreadField.name]));
}

naming.nameOf = (tid) => {
  const slot = slotOf(tid);
  const thread = words[slot + Slot.thread];
  const name = thread === 0
    ? undefined
    : glanceText(words[thread + ThreadField.name]);
  // A thread keeps its name for as long as it lives.
  return name !== undefined && load(slot + Slot.tid) === tid
    ? name
    : `thread ${tid}`;
};

/** What joining a thread waits for: the thread itself. */
export function holdersOfEnd(thread: number): number[] {
  const isAlive = load(thread + ThreadField.state) === ThreadStage.alive;
  return isAlive ? [words[thread + ThreadField.tid]] : [];
}

/** What messages call that. */
export function labelOfEnd(thread: number): string {
  const name = glanceText(words[thread + ThreadField.name]);
  return `the end of ${name ?? "a thread"}`;
}

/** What there is to see of a Thread. */
export function lookAtThread(thread: number): string[] {
  const name = glanceText(words[thread + ThreadField.name]) ?? "";
  const stage = load(thread + ThreadField.state);
  const [state = "?"] = STAGES.slice(stage);
  return [name, state, ...words[thread + ThreadField.daemon] ? ["daemon"] : []];
}
const STAGES = ["not started", "alive", "returned", "failed"];

/** The error that joining throws if there was no room for the thread's own. */
export function noRoom(name: string): HeapExhaustedError {
  return new HeapExhaustedError(
    `The thread ${name} failed, and there is no room on the shared heap for its error`,
  );
}

/** Gives back what a Thread object owns. */
export function destroyThread(thread: number): void {
  for (const field of OWNED_RECORDS) {
    const record = words[thread + field];
    if (record !== 0) releaseRecord(record);
  }
}
const OWNED_RECORDS = [
  ThreadField.name,
  ThreadField.result,
  ThreadField.fields,
  ThreadField.scope + ScopeField.reason,
];

/** Puts a thread into the list of living ones. Under the registry mutex. */
function enlist(thread: number): void {
  const first = words[Header.threads];
  words[thread + ThreadField.next] = first;
  words[thread + ThreadField.previous] = 0;
  if (first !== 0) words[first + ThreadField.previous] = thread;
  words[Header.threads] = thread;
  add(Header.allThreads, 1);
  if (!words[thread + ThreadField.daemon]) words[Header.liveThreads]++;
  // A living thread keeps its object.
  add(thread + Field.references, 1);
}

/**
 * Takes a thread out of the list of living ones. Under the registry mutex; the
 * list's reference passes to this thread, to be given back.
 */
function delist(thread: number): void {
  const next = words[thread + ThreadField.next];
  const previous = words[thread + ThreadField.previous];
  if (next !== 0) words[next + ThreadField.previous] = previous;
  if (previous === 0) words[Header.threads] = next;
  else words[previous + ThreadField.next] = next;
  addDraft(referenceDraft(thread));
}

/** The living threads, newest first, each borrowed: to be given back. */
export function livingThreads(): number[] {
  const threads: number[] = [];
  lock(Header.registryMutex);
  for (
    let thread = words[Header.threads];
    thread !== 0;
    thread = words[thread + ThreadField.next]
  ) {
    borrow(thread);
    threads.push(thread);
  }
  unlock(Header.registryMutex);
  return threads;
}

/** The number of living threads, the main thread not counted. */
export function countLiving(): number {
  let count = 0;
  lock(Header.registryMutex);
  for (
    let thread = words[Header.threads];
    thread !== 0;
    thread = words[thread + ThreadField.next]
  ) count++;
  unlock(Header.registryMutex);
  return count;
}

/**
 * Ends the thread that `Slot.ending` names: stores how it ended and wakes those
 * who join it. The records are drafts of the slot.
 *
 * @param slot The slot the thread ran in.
 */
export function settle(slot: number): void {
  const thread = words[slot + Slot.ending];
  const result = words[slot + Slot.endingResult];
  const fields = words[slot + Slot.endingFields];
  // A damaged one ends, too: its waiters have been woken already.
  const isWhole = tryLock(thread + Field.mutex);
  words[thread + ThreadField.result] = result;
  if (result !== 0) commitRecord(result, slot);
  if (fields !== 0) {
    const old = words[thread + ThreadField.fields];
    if (old !== 0) releaseRecord(old);
    words[thread + ThreadField.fields] = fields;
    commitRecord(fields, slot);
  }
  store(thread + ThreadField.state, words[slot + Slot.endingState]);
  words[slot + Slot.ending] = 0;
  if (isWhole) wakeAll(thread, MAIN_QUEUE, Wake.granted);
  add(Header.allThreads, -1);
  // The main thread may be done, or blocked for what can no longer happen.
  if (words[Header.liveThreads] === 0) requestHost();
  lookAgain();
  if (isWhole) unlock(thread + Field.mutex);
}

// Which thread runs in which slot. All of it under the registry mutex.

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

/** A slot is used again only when this many others are free. */
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

/**
 * Sets a slot free whose worker has ended, or leaves it to those who know what
 * its thread has waited for, see `reaper.ts`.
 */
export function freeSlot(slot: number): void {
  if (hasWaits(slot)) {
    store(slot + Slot.state, SlotState.left);
    add(Header.leftWaits, 1);
    wakeAllSlots();
    return;
  }
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
 * @param companion A node, a draft of this thread, that is among those of the
 * new thread from its first instant to its last: whoever cleans up after it
 * finds it as he finds its waits, whatever became of the thread. 0 for none.
 * @returns The slot; if its state is `requested`, the host has to start a
 * worker for it.
 * @throws {ThreadingError} If it was started before, or no slot is left.
 */
export function assign(thread: number, job: number, companion = 0): number {
  lock(Header.registryMutex);
  const fresh = words[thread + ThreadField.state] === ThreadStage.created;
  const slot = fresh ? takeSlot() : 0;
  if (slot !== 0) {
    const tid = nextTid(slot);
    words[thread + ThreadField.tid] = tid;
    words[slot + Slot.thread] = thread;
    store(thread + ThreadField.state, ThreadStage.alive);
    enlist(thread);
    store(slot + Slot.tid, tid);
    noteDone(TraceNote.started, tid);
    commitRecord(job);
    if (companion !== 0) {
      words[companion + Node.tid] = tid;
      words[companion + Node.slot] = slot;
      words[slot + Slot.companion] = companion;
      removeDraft(companion);
    }
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

/**
 * In a critical section: puts the node that came with a job among those of the
 * slot. Not sooner than the job is taken: until then the thread before it may
 * still be ending its waits.
 */
export function adoptCompanion(slot: number): void {
  const node = words[slot + Slot.companion];
  if (node === 0) return;
  words[slot + Slot.companion] = 0;
  link(node);
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
  noteEnded(words[slot + Slot.tid], state);
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
  words[slot + Slot.grace] = 0;
  delist(thread);
  store(slot + Slot.tid, 0);
  words[slot + Slot.thread] = 0;
  // A terminate() may have come while this thread waited for the mutex: then
  // its worker ends, and must not be given another thread.
  if (idle && load(slot + Slot.dying) === Dying.no) {
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
  lookAgain();
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
    noteDone(TraceNote.terminated, words[slot + Slot.tid]);
    wakeSlot(slot);
    requestHost();
  }
  unlock(Header.registryMutex);
  return alive;
}
