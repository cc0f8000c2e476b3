/**
 * The lock word, which Lock and RLock have in common.
 *
 *     0                  free
 *     FREE_WITH_WAITERS  free, somebody is in the queue
 *     tid << 2           held by that thread, taken in the blocking form
 *     … | PROMISE        held, taken in the promise form
 *     … | WAITERS        held, and somebody is in the queue
 *     POISONED           its owner died
 *
 * Free to held and back is one compare-exchange. `WAITERS` is set and cleared
 * under the object's mutex only, and whoever releases a word that has it goes
 * through the mutex too; so a waiter that has set it cannot be overlooked.
 *
 * Whoever comes first gets a free lock, also before threads in the queue: that
 * is what makes a contended lock fast. A waiter that was woken and found the
 * lock taken again goes back to the head of the queue, and once it has waited
 * for `PATIENCE_MS` the lock is handed over to it directly: nobody starves.
 *
 * @module
 */

import { OwnerDiedError, ThreadingError } from "./errors.ts";
import { compareExchange, load, or, store, words } from "./_memory/heap.ts";
import { lock, lockInner, unlock, unlockInner } from "./_memory/mutex.ts";
import {
  commitRecord,
  draftRecord,
  readRecord,
  releaseRecord,
} from "./_memory/record.ts";
import { classOf, Field } from "./_memory/shared_object.ts";
import { MAX_LOCKS, self, Slot, tid } from "./_memory/slot.ts";
import {
  dequeue,
  enqueue,
  firstOf,
  MAIN_QUEUE,
  Node,
  NodeFlag,
  type Protocol,
  Wake,
  wake,
  wakeAll,
  wakeFirst,
} from "./_memory/wait_queue.ts";

/** Words of an object with a lock word. */
export const LockField = {
  word: Field.own,
  /** Record with the name of the owner that died. */
  deadName: Field.own + 1,
  /** How often an RLock's owner has taken it. */
  count: Field.own + 2,
  /** The async flow that owns an RLock. */
  flow: Field.own + 3,
} as const;
/** Size of a lock in words. */
export const LOCK_WORDS = Field.own + 4;

/** Somebody is in the queue. */
export const WAITERS = 1;
/** Taken in the promise form. */
export const PROMISE = 2;
/** Free, with somebody in the queue. */
export const FREE_WITH_WAITERS = WAITERS;
const POISONED = -2;
const PATIENCE_MS = 1;

/** The identity of the thread that a lock word names, 0 if it is free. */
export function ownerOf(word: number): number {
  return word > WAITERS ? word >> 2 : 0;
}

/** Whether a lock word says that nobody holds the lock. */
export function isFree(word: number): boolean {
  return word === 0 || word === FREE_WITH_WAITERS;
}

/** Whether the lock's owner died. */
export function isPoisoned(address: number): boolean {
  return load(address + LockField.word) === POISONED;
}

function wordOf(node: number): number {
  const promise = words[node + Node.flags] & NodeFlag.promise ? PROMISE : 0;
  return words[node + Node.tid] << 2 | promise;
}

/** Takes the lock if it is free, also when there is a queue. */
export function takeFree(address: number, owner: number): boolean {
  const at = address + LockField.word;
  return compareExchange(at, 0, owner) === 0 ||
    (load(at) === FREE_WITH_WAITERS &&
      compareExchange(at, FREE_WITH_WAITERS, owner | WAITERS) ===
        FREE_WITH_WAITERS);
}

/** How a lock lets wait. */
export const lockProtocol: Protocol = {
  take(object, node) {
    const at = object + LockField.word;
    for (;;) {
      const word = load(at);
      if (word === POISONED) return Wake.refused;
      if (word === 0 || word === FREE_WITH_WAITERS) {
        const waiters = firstOf(object) === 0 ? 0 : WAITERS;
        if (compareExchange(at, word, wordOf(node) | waiters) === word) {
          return Wake.granted;
        }
      } else if (
        word & WAITERS || compareExchange(at, word, word | WAITERS) === word
      ) {
        const waited = (performance.now() | 0) - words[node + Node.since];
        if (waited >= PATIENCE_MS) {
          words[node + Node.flags] |= NodeFlag.handOver;
        }
        return Wake.waiting;
      }
    }
  },
  takeFast(object, node) {
    return takeFree(object, wordOf(node));
  },
  withdraw(object) {
    if (firstOf(object) !== 0) return;
    const at = object + LockField.word;
    for (;;) {
      const word = load(at);
      if (word < 0 || !(word & WAITERS)) return;
      if (compareExchange(at, word, word & ~WAITERS) === word) return;
    }
  },
  decline(object, node) {
    lock(object + Field.mutex);
    if (undoWake(object, node, words[node + Node.state])) {
      words[node + Node.state] = Wake.retry;
    }
    unlock(object + Field.mutex);
  },
};

/**
 * Releases a held lock that has, or may have, waiters.
 *
 * @returns Whether it was held.
 */
export function releaseSlow(object: number): boolean {
  lock(object + Field.mutex);
  const word = load(object + LockField.word);
  const held = ownerOf(word) !== 0;
  if (held) passOn(object);
  unlock(object + Field.mutex);
  return held;
}

/**
 * Frees the lock for the next in the queue, or hands it over. In the critical
 * section; the word is not free, or free and nobody is about to look.
 */
export function passOn(object: number): void {
  const at = object + LockField.word;
  const first = firstOf(object);
  if (first === 0) {
    store(at, 0);
    return;
  }
  dequeue(first);
  const waiters = firstOf(object) === 0 ? 0 : WAITERS;
  if (words[first + Node.flags] & NodeFlag.handOver) {
    store(at, wordOf(first) | waiters);
    wake(first, Wake.granted);
  } else {
    store(at, waiters);
    wake(first, Wake.retry);
  }
}

/** What a Condition must restore when it has taken its lock again. */
export interface Hold {
  promise: boolean;
  count: number;
  flow: number;
}

/** How this thread holds a lock, `undefined` if it does not. */
export function holdOf(object: number): Hold | undefined {
  const word = load(object + LockField.word);
  if (ownerOf(word) !== tid) return undefined;
  return {
    promise: (word & PROMISE) !== 0,
    count: words[object + LockField.count],
    flow: words[object + LockField.flow],
  };
}

/** Releases a lock that this thread holds, however often it was taken. */
export function releaseWhole(object: number): void {
  words[object + LockField.count] = 0;
  words[object + LockField.flow] = 0;
  releaseSlow(object);
}

/** Takes a lock again as it was held. */
export function resumeHold(
  object: number,
  { promise, count, flow }: Hold,
): void {
  words[object + LockField.count] = count;
  words[object + LockField.flow] = flow;
  // The form of the wait need not be the form in which it was taken.
  const at = object + LockField.word;
  for (;;) {
    const word = load(at);
    const restored = promise ? word | PROMISE : word & ~PROMISE;
    if (word === restored || compareExchange(at, word, restored) === word) {
      return;
    }
  }
}

/**
 * Moves the first nodes of another object's queue to the lock's, where releasing
 * the lock wakes them one by one: woken at once they would only sleep on,
 * waiting for the lock. To be called in a critical section of the other
 * object, by the lock's holder.
 *
 * @param object The lock.
 * @param from The other object.
 * @param n How many.
 */
export function requeue(object: number, from: number, n: number): void {
  lockInner(object + Field.mutex);
  for (let left = n; left > 0 && firstOf(from) !== 0; left--) {
    const node = firstOf(from);
    dequeue(node);
    enqueue(object, MAIN_QUEUE, node);
    or(object + LockField.word, WAITERS);
  }
  unlockInner(object + Field.mutex);
}

/** Undoes what a dead thread's node was given. */
export function abandonLock(object: number, node: number, state: number): void {
  lock(object + Field.mutex);
  undoWake(object, node, state);
  unlock(object + Field.mutex);
}

/**
 * Lets the next in the queue have what a node was woken for. In the critical
 * section.
 *
 * @returns Whether the node had been handed the lock, which it no longer has.
 */
function undoWake(object: number, node: number, state: number): boolean {
  const word = load(object + LockField.word);
  if (state === Wake.granted && ownerOf(word) === words[node + Node.tid]) {
    passOn(object);
    return true;
  }
  // A node that was to retry has swallowed the wake-up of the next one. The word
  // stays as it is: somebody may be taking the free lock at this moment.
  if (word === 0 || word === FREE_WITH_WAITERS) {
    wakeFirst(object, MAIN_QUEUE, Wake.retry);
  }
  return false;
}

/** Gives back what a lock owns. */
export function destroyLock(object: number): void {
  const name = words[object + LockField.deadName];
  if (name !== 0) releaseRecord(name);
}

/**
 * Poisons a lock whose owner died.
 *
 * @param object The lock.
 * @param owner The dead thread.
 * @param name Its name.
 */
export function poison(object: number, owner: number, name: string): void {
  const record = draftRecord(name);
  lock(object + Field.mutex);
  if (ownerOf(load(object + LockField.word)) === owner) {
    destroyLock(object);
    words[object + LockField.deadName] = record;
    commitRecord(record);
    store(object + LockField.word, POISONED);
    wakeAll(object, MAIN_QUEUE, Wake.refused);
  }
  unlock(object + Field.mutex);
}

/** Makes a poisoned lock free again; does nothing with any other. */
export function recoverLock(object: number): void {
  lock(object + Field.mutex);
  if (isPoisoned(object)) {
    destroyLock(object);
    words[object + LockField.deadName] = 0;
    words[object + LockField.count] = 0;
    store(object + LockField.word, 0);
  }
  unlock(object + Field.mutex);
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

/** The error of blocking for a lock that this thread's async code holds. */
export function selfDeadlock(what: string): ThreadingError {
  return new ThreadingError(
    `Cannot ${what}: an async task of this thread holds it and could never release it while the thread is blocked; use the promise form`,
  );
}

/** The error of releasing a lock that is not held. */
export function notHeld(what: string): ThreadingError {
  return new ThreadingError(`Cannot ${what}: it is not held`);
}

// ---------------------------------------------------------------------------
// Which locks a thread may hold: a table in its slot, so that whoever cleans up
// after a dead thread finds them. An entry is written before the lock is taken
// and stays when it is released: the lock's own word decides. So taking the
// same few locks again and again costs one comparison.

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
 * The locks that the thread in a slot holds. Of a thread that holds more than
 * the table has room for, only those that found room.
 */
export function heldLocks(slot: number): number[] {
  const owner = words[slot + Slot.tid];
  const held: number[] = [];
  for (let i = 0; i < MAX_LOCKS; i++) {
    const address = words[slot + Slot.locks + i];
    if (
      isHeldBy(address, owner) && classOf(address)?.protocol === lockProtocol
    ) {
      held.push(address);
    }
  }
  return held;
}
