/**
 * Cleaning up after a thread that died: what it held is poisoned, what it
 * waited for is passed on, what it owned is given back, who joins it is woken.
 *
 * Done by the dying thread itself as its last act where it can, else by the
 * main thread or the sentinel. `Slot.dying` decides who: only the one that moved
 * it from `no` or `asked` to another stage cleans up.
 *
 * @module
 */

import { addDraft, deallocate, removeDraft } from "../_memory/allocator.ts";
import {
  compareExchange,
  Dying,
  exchange,
  Field,
  Header,
  load,
  requestHost,
  Slot,
  store,
  words,
} from "../_memory/heap.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import { releaseDraftsOf, releaseRecord } from "../_codec/record.ts";
import { loadModuleSync } from "../_codec/sendable.ts";
import {
  classOf,
  classUrl,
  finishSection,
  giveBack,
  releaseHoldsOf,
} from "../_memory/shared_object.ts";
import {
  dequeue,
  lockObjectOf,
  Node,
  unlistNode,
  Wake,
} from "../_memory/wait_queue.ts";
import { heldLocks, poison } from "../sync/lock_word.ts";
import { outOfMemory } from "./death.ts";
import { nameOf, settle, ThreadField, ThreadState } from "./thread_object.ts";
import { leave, vacate } from "./registry.ts";
import { draftError } from "./sendable_error.ts";

/** Tries to become the one that cleans up; false if somebody else does. */
export function claimDeath(slot: number, stage: number): boolean {
  return moveDying(slot, [Dying.no, Dying.asked], stage);
}

/** The same for a worker that has ended, at whatever stage. */
export function claimRemains(slot: number): boolean {
  return moveDying(
    slot,
    [Dying.no, Dying.asked, Dying.parking],
    Dying.buried,
  );
}

/**
 * Cleans up after a worker that has given up its web lock, so runs no more, and
 * ran out of memory, unless somebody else does.
 *
 * @param slot Its slot.
 * @param serial Its serial number.
 */
export function bury(slot: number, serial: number): void {
  // The slot is set free, and `guarded` reset, under the registry mutex.
  lock(Header.registryMutex);
  const found = load(slot + Slot.guarded) === serial && claimRemains(slot);
  unlock(Header.registryMutex);
  if (!found) return;
  const thread = words[slot + Slot.thread];
  const name = thread === 0 ? "" : nameOf(thread);
  reap(slot, outOfMemory(name));
  store(slot + Slot.dying, Dying.parked);
  requestHost();
}

function moveDying(slot: number, stages: number[], to: number): boolean {
  return stages.some((from) =>
    compareExchange(slot + Slot.dying, from, to) === from
  );
}

/**
 * Cleans up after the thread in a slot, which runs no more (or is this one).
 *
 * @param slot The slot.
 * @param error What joining the thread is to throw.
 * @param state How the thread ended.
 */
export function reap(
  slot: number,
  error: unknown,
  state: number = ThreadState.failed,
): void {
  finishSections(slot);
  abandonWaits(slot);
  if (words[slot + Slot.ending] !== 0) settle(slot);
  leave(slot);
  const thread = words[slot + Slot.thread];
  if (thread !== 0) {
    poisonLocks(slot, thread);
    const result = draftError(error, thread);
    if (result !== 0) {
      lock(slot + Slot.mutex);
      removeDraft(result);
      addDraft(result, slot);
      unlock(slot + Slot.mutex);
    }
    vacate(slot, { state, result, fields: 0 }, { idle: false, lingers: false });
    settle(slot);
    giveBack(thread);
  }
  releaseJob(slot);
  releaseDraftsOf(slot);
  releaseHoldsOf(slot);
}

/** Gives back a job that the worker did not come to. */
function releaseJob(slot: number): void {
  lock(slot + Slot.mutex);
  const job = exchange(slot + Slot.job, 0);
  if (job !== 0) releaseRecord(job);
  unlock(slot + Slot.mutex);
}

/**
 * Finishes the critical sections of a dead thread. One that was killed has none
 * (see `mutex.ts`); one that ran out of memory or stack may have stopped in the
 * middle of a change.
 */
function finishSections(slot: number): void {
  for (const field of [Slot.innerGround, Slot.ground]) {
    const mutex = words[slot + field];
    // First: if it is this thread's own, finishing it takes mutexes, too.
    if (field === Slot.innerGround) words[slot + field] = 0;
    if (mutex !== 0) finishSection(mutex, slot);
    words[slot + field] = 0;
  }
}

/** Ends all waits of a thread that has ended, and what it had been given. */
export function abandonWaits(slot: number): void {
  abandonWait(slot + Slot.node);
  for (let node; (node = words[slot + Slot.nodes]) !== 0;) {
    abandonWait(node);
    // An object may have taken it over.
    if (words[slot + Slot.nodes] !== node) continue;
    lock(slot + Slot.mutex);
    unlistNode(node);
    deallocate(node);
    unlock(slot + Slot.mutex);
  }
}

/**
 * Loads the class of an object that only threads know which imported its module
 * by themselves: it says what a wait at the object has been given.
 */
function loadClassOf(object: number): void {
  if (classOf(object) !== undefined) return;
  try {
    loadModuleSync(classUrl(object));
  } catch {
    // Without permission to read it, what was given is lost.
  }
}

/** Takes a dead thread's node out of its queue, or passes on what it got. */
function abandonWait(node: number): void {
  if (words[node + Node.object] === 0) return;
  loadClassOf(words[node + Node.object]);
  const object = lockObjectOf(node);
  // At a damaged object nobody is in line, and nothing is to be had.
  if (object === 0) {
    words[node + Node.object] = 0;
    return;
  }
  const shared = classOf(object);
  const state = words[node + Node.state];
  if (state === Wake.waiting) {
    dequeue(node);
    shared?.protocol?.withdraw?.(object, node);
  }
  unlock(object + Field.mutex);
  if (state !== Wake.waiting && shared?.abandon?.(object, node, state)) return;
  words[node + Node.object] = 0;
  const origin = words[node + Node.origin];
  words[node + Node.origin] = 0;
  if (origin !== 0) classOf(origin)?.replace?.(origin);
}

/** Poisons all locks that a dead thread held. */
function poisonLocks(slot: number, thread: number): void {
  poisonEach(heldLocks(slot), slot, thread);
}

/**
 * Poisons what a thread that ends by itself holds and nobody could release any
 * more: after an error everything, after a return its RLocks, which only their
 * owner can release.
 */
export function poisonLeft(slot: number, thread: number, state: number): void {
  const held = heldLocks(slot);
  poisonEach(
    state === ThreadState.failed
      ? held
      : held.filter((address) => classOf(address)?.reentrant),
    slot,
    thread,
  );
}

function poisonEach(locks: number[], slot: number, thread: number): void {
  if (locks.length === 0) return;
  const name = words[thread + ThreadField.name];
  for (const held of locks) poison(held, words[slot + Slot.tid], name);
}
