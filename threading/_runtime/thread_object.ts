/**
 * The object on the heap behind a Thread: what any thread can ask about it.
 *
 * @module
 */

import {
  add,
  Field,
  Header,
  load,
  requestHost,
  Slot,
  store,
  words,
} from "../_memory/heap.ts";
import { lock, tryLock, unlock } from "../_memory/mutex.ts";
import { addDraft, referenceDraft } from "../_memory/allocator.ts";
import { HeapExhaustedError } from "../errors.ts";
import { commitRecord, readRecord, releaseRecord } from "../_codec/record.ts";
import { borrow } from "../_memory/shared_object.ts";
import {
  MAIN_QUEUE,
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
} as const;
/** Size of a Thread object in words. */
export const THREAD_WORDS = Field.own + 8;

/** The life of a thread. */
export const ThreadState = {
  created: 0,
  alive: 1,
  /** `run` returned; `result` holds what. */
  returned: 2,
  /** `run` threw, or the thread was killed; `result` holds the error. */
  failed: 3,
} as const;

/** Whether a thread has ended. */
export function hasEnded(thread: number): boolean {
  return load(thread + ThreadField.state) >= ThreadState.returned;
}

/** How a Thread lets wait for its end. */
export const joinProtocol: Protocol = {
  take(thread) {
    return hasEnded(thread) ? Wake.granted : Wake.waiting;
  },
};

/** The name of a thread. */
export function nameOf(thread: number): string {
  return String(readRecord(words[thread + ThreadField.name]));
}

/** What joining a thread throws for whose error there was no room. */
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
];

/** Puts a thread into the list of living ones. Under the registry mutex. */
export function enlist(thread: number): void {
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
export function delist(thread: number): void {
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
  // A damaged one ends all the same: its waiters have been woken already.
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
  if (isWhole) unlock(thread + Field.mutex);
}
