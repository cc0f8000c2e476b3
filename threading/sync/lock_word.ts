/**
 * The lock word, which Lock, RLock and InterpreterLock have in common: who
 * holds a lock, and what becomes of it when that thread dies.
 *
 *     0                  free
 *     FREE_WITH_WAITERS  free, somebody is in the queue
 *     tid << 2           held by that thread, taken in the blocking form
 *     ... | PROMISE        held, taken in the promise form
 *     ... | WAITERS        held, and somebody is in the queue
 *     POISONED           its owner died
 *
 * Free to held and back is one compare-exchange. `WAITERS` is set and cleared
 * under the object's mutex only, and whoever releases a word that has it goes
 * through the mutex too, see `lock.ts`. While locks are traced, it is set without
 * waiters, too.
 *
 * Whose lock it is, the word alone says. A table in the thread's slot says which
 * words to look at, so that whoever cleans up after a dead thread finds its
 * locks. An entry is written before the lock is taken and stays when it is
 * released: taking the same few locks again and again costs one comparison.
 *
 * @module
 */

import { OwnerDiedError } from "../errors.ts";
import {
  add,
  compareExchange,
  Field,
  load,
  MAX_LOCKS,
  or,
  self,
  Slot,
  slotOf,
  store,
  tid,
  words,
} from "../_memory/heap.ts";
import { lock, tryLock, unlock } from "../_memory/mutex.ts";
import {
  isTracing,
  noteReleased,
  noteTaken,
  TraceBit,
  TRACING,
} from "../_memory/trace.ts";
import {
  addOwner,
  glanceText,
  readRecord,
  releaseRecord,
} from "../_codec/record.ts";
import { lookAtWaiters, naming } from "../_memory/looking.ts";
import { classOf } from "../_memory/shared_object.ts";
import { isUnseen, MAIN_QUEUE, Wake, wakeAll } from "../_memory/wait_queue.ts";

/** Words of an object with a lock word. */
export const LockField = {
  word: Field.own,
  /** Record with the name of the owner that died. */
  deadName: Field.own + 1,
  /** How often an RLock's owner has taken it. */
  count: Field.own + 2,
  /** The async flow that owns an RLock. */
  flow: Field.own + 3,
  /** Not 0 once another thread than its owner has released a Lock. */
  strayed: Field.own + 4,
} as const;
/** Size of a lock in words. */
export const LOCK_WORDS = Field.own + 5;

/** Somebody is in the queue. */
export const WAITERS = 1;
/** Taken in the promise form. */
export const PROMISE = 2;
/** Free, with somebody in the queue. */
const FREE_WITH_WAITERS = WAITERS;
/** Its owner died. */
export const POISONED = -2;

/** The identity of the thread that a lock word names, 0 if it is free. */
export function ownerOf(word: number): number {
  return word > WAITERS ? word >> 2 : 0;
}

/** Whether a lock word says that nobody holds the lock. */
export function isFree(word: number): boolean {
  return word === 0 || word === FREE_WITH_WAITERS;
}

/** Takes the lock if it is free, also when there is a queue. */
export function takeFree(address: number, owner: number): boolean {
  const at = address + LockField.word;
  return takeIdle(address, owner) ||
    (load(at) === FREE_WITH_WAITERS &&
      compareExchange(at, FREE_WITH_WAITERS, owner | WAITERS) ===
        FREE_WITH_WAITERS &&
      traceTaken(address, owner));
}

/** Takes the lock if it is free and nobody is in the queue: the fast path. */
export function takeIdle(address: number, owner: number): boolean {
  const at = address + LockField.word;
  if (words[TRACING] === 0) return compareExchange(at, 0, owner) === 0;
  return compareExchange(at, 0, owner | tracedBit()) === 0 &&
    traceTaken(address, owner);
}

/**
 * `WAITERS` if locks are traced, also when there are none: the release of such a
 * lock comes through the mutex, where it is seen.
 */
export function tracedBit(): number {
  return isTracing(TraceBit.locks) ? WAITERS : 0;
}

/** Tells the trace that somebody has got the lock. */
export function traceTaken(address: number, owner: number): true {
  if (words[TRACING] !== 0) noteTaken(address, ownerOf(owner));
  return true;
}

/** Marks in which form a lock was taken that this thread holds. */
export function setForm(address: number, promise: boolean): void {
  const at = address + LockField.word;
  // Others may set `WAITERS` meanwhile, but only the holder changes this bit.
  if (promise) or(at, PROMISE);
  else if (load(at) & PROMISE) add(at, -PROMISE);
}

/** Notes a lock that is about to be taken. */
export function note(address: number): void {
  const entry = self + Slot.locks + (address >> 2 & MAX_LOCKS - 1);
  if (words[entry] !== address) noteSlow(address);
}

function noteSlow(address: number): void {
  const first = address >> 2;
  for (let i = 0; i < MAX_LOCKS; i++) {
    const entry = self + Slot.locks + (first + i & MAX_LOCKS - 1);
    if (words[entry] === address) return;
    if (!isHeldBy(words[entry], tid)) {
      words[entry] = address;
      return;
    }
  }
  words[self + Slot.locksOverflow] = 1;
}

function isHeldBy(address: number, owner: number): boolean {
  return address !== 0 && ownerOf(load(address + LockField.word)) === owner;
}

/**
 * The locks that the thread in a slot holds. If the thread holds more than the
 * table has room for, only those that found room.
 */
export function heldLocks(slot: number): number[] {
  const owner = words[slot + Slot.tid];
  const held: number[] = [];
  for (let i = 0; i < MAX_LOCKS; i++) {
    const address = words[slot + Slot.locks + i];
    // By now something else may lie where a lock was.
    if (
      isHeldBy(address, owner) && classOf(address)?.destroy === destroyLock
    ) {
      held.push(address);
    }
  }
  return held;
}

/**
 * Poisons a lock whose owner died; not one that it had been handed over and did
 * not know of, which goes on to the next when its waits are ended.
 *
 * @param object The lock.
 * @param owner The dead thread.
 * @param name The record of its name, of which the lock becomes an owner: there
 * may be no room for a new one.
 */
export function poison(object: number, owner: number, name: number): void {
  if (!tryLock(object + Field.mutex)) return;
  const isOwner = ownerOf(load(object + LockField.word)) === owner;
  if (isOwner && !isUnseen(object, 0, slotOf(owner))) {
    if (words[TRACING] !== 0) noteReleased(object, owner);
    destroyLock(object);
    addOwner(name);
    words[object + LockField.deadName] = name;
    store(object + LockField.word, POISONED);
    wakeAll(object, MAIN_QUEUE, Wake.refused);
  }
  unlock(object + Field.mutex);
}

/** Whether the lock's owner died. */
export function isPoisoned(address: number): boolean {
  return load(address + LockField.word) === POISONED;
}

/** Makes a poisoned lock free again; does nothing with any other. */
export function recoverLock(object: number): void {
  lock(object + Field.mutex);
  if (isPoisoned(object)) {
    destroyLock(object);
    words[object + LockField.deadName] = 0;
    words[object + LockField.count] = 0;
    words[object + LockField.flow] = 0;
    store(object + LockField.word, 0);
  }
  unlock(object + Field.mutex);
}

/** Gives back what a lock owns. */
export function destroyLock(object: number): void {
  const name = words[object + LockField.deadName];
  if (name !== 0) releaseRecord(name);
}

naming.heldBy = heldLocks;

/** The thread that holds a lock which only that one can release. */
export function holdersOfLock(object: number): number[] {
  const owner = ownerOf(load(object + LockField.word));
  return owner === 0 ? [] : [owner];
}

/**
 * The thread that holds a Lock, if it is clear that no other will release it:
 * it took it in the blocking form, and the lock was never released by another
 * thread than its owner.
 */
export function holdersOfLent(object: number): number[] {
  const isClear = (load(object + LockField.word) & PROMISE) === 0 &&
    words[object + LockField.strayed] === 0;
  return isClear ? holdersOfLock(object) : [];
}

/** What there is to see of a lock. */
export function lookAtLock(object: number): string[] {
  return [...lookAtOwner(object), ...lookAtWaiters(object)];
}

/** The owner of a lock, for people. */
export function lookAtOwner(object: number, verb = "held"): string[] {
  const word = load(object + LockField.word);
  if (word === POISONED) {
    const record = words[object + LockField.deadName];
    const name = record === 0 ? undefined : glanceText(record);
    return [`poisoned by ${name ?? "a thread"}, which died`];
  }
  const owner = ownerOf(word);
  if (owner === 0) return ["free"];
  const count = words[object + LockField.count];
  const times = count > 1 ? ` ${count} times` : "";
  return [`${verb}${times} by ${naming.nameOf(owner)}`];
}

/** The error of taking a lock whose owner died. */
export function ownerDied(object: number, what: string): OwnerDiedError {
  lock(object + Field.mutex);
  const record = words[object + LockField.deadName];
  const name = record === 0 ? "" : String(readRecord(record));
  unlock(object + Field.mutex);
  return new OwnerDiedError(
    `Cannot ${what}: its owner, the thread ${name}, died without releasing it; repair what the lock guards, then call recover()`,
  );
}
