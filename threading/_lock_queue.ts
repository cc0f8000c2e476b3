/**
 * Waiting for a lock word, see `_lock_word.ts`.
 *
 * Who wakes whom: whoever releases a word that has `WAITERS` takes the first
 * node out of the queue, frees the word and wakes that one to try again. A
 * waiter sets `WAITERS` under the mutex before it joins the queue, while the
 * word names an owner; the owner's compare-exchange then fails, so that it too
 * comes through the mutex and finds the node. `WAITERS` stays, also in a free
 * word, as long as there is a queue, and who takes the lock keeps it there: so
 * the duty to wake the next one goes from holder to holder.
 *
 * Whoever comes first gets a free lock, also before threads in the queue: that
 * is what makes a contended lock fast. A waiter that was woken and found the
 * lock taken again goes back to the head of the queue, and once it has waited
 * for `PATIENCE_MS` the lock is handed over to it directly: nobody starves.
 *
 * A waiter that was woken and cannot use it (it died, or its thread blocks) has
 * swallowed the wake-up of the next one, unless the lock has been taken since:
 * it wakes that one in its place, see also `wait_queue.ts`.
 *
 * @module
 */

import {
  isFree,
  LockField,
  note,
  ownerOf,
  POISONED,
  PROMISE,
  takeFree,
  WAITERS,
} from "./_lock_word.ts";
import {
  compareExchange,
  Field,
  load,
  ownerWord,
  self,
  slotIndex,
  store,
  words,
} from "./_memory/heap.ts";
import { lock, unlock } from "./_memory/mutex.ts";
import {
  dequeue,
  firstOf,
  isOwnTask,
  MAIN_QUEUE,
  Node,
  NodeFlag,
  type Protocol,
  Wake,
  wake,
  wakeAll,
  wakeFirst,
} from "./_memory/wait_queue.ts";

const PATIENCE_MS = 1;

/** The lock word of a lock that a node's thread holds in the node's form. */
function wordOf(node: number): number {
  const promise = words[node + Node.flags] & NodeFlag.promise ? PROMISE : 0;
  return words[node + Node.tid] << 2 | promise;
}

/** How a lock lets wait. */
export const lockProtocol: Protocol = {
  // Most likely the lock is taken again before a waiter that was awake could
  // get at it; each such try costs the owner a slow release. While a waiter
  // sleeps the owner takes the lock and releases it undisturbed.
  spins: 0,
  take(object, node) {
    const at = object + LockField.word;
    for (;;) {
      const word = load(at);
      if (word === POISONED) return Wake.refused;
      if (isFree(word)) {
        // Other locks may have taken its place in the table since the last time.
        note(object);
        const waiters = firstOf(object) === 0 ? 0 : WAITERS;
        if (compareExchange(at, word, wordOf(node) | waiters) === word) {
          return Wake.granted;
        }
      } else if (addWaiters(at, word)) {
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
    for (let stuck = node; stuck !== 0;) {
      lock(object + Field.mutex);
      const next = firstOf(object);
      const isStuck = next !== 0 && isOwnTask(next);
      if (undoWake(object, stuck, words[stuck + Node.state])) {
        words[stuck + Node.state] = Wake.retry;
      }
      stuck = isStuck && firstOf(object) !== next ? next : 0;
      unlock(object + Field.mutex);
    }
  },
};

/** Marks a held word; false if it has changed meanwhile. */
function addWaiters(at: number, word: number): boolean {
  return (word & WAITERS) !== 0 ||
    compareExchange(at, word, word | WAITERS) === word;
}

/**
 * Releases a held lock that has, or may have, waiters.
 *
 * @returns Whether it was held.
 */
export function releaseSlow(object: number): boolean {
  lock(object + Field.mutex);
  const held = ownerOf(load(object + LockField.word)) !== 0;
  if (held) passOn(object);
  unlock(object + Field.mutex);
  return held;
}

/**
 * Frees a held lock for the next in the queue, or hands it over. In the critical
 * section.
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

/** The owner's word in a worker that runs no thread, and cleans up. */
const NOBODY = slotIndex(self) << 2;

/**
 * Sees to it that nodes that have just been moved into the queue are not
 * overlooked. In the critical section.
 */
export function attend(object: number): void {
  const at = object + LockField.word;
  for (;;) {
    const word = load(at);
    if (word === POISONED) {
      wakeAll(object, MAIN_QUEUE, Wake.refused);
      return;
    }
    if (isFree(word)) {
      // Taken first: others may be about to take it without the mutex.
      if (compareExchange(at, word, ownerWord || NOBODY) === word) {
        passOn(object);
        return;
      }
    } else if (addWaiters(at, word)) {
      return;
    }
  }
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
  if (state === Wake.granted && (word & ~WAITERS) === wordOf(node)) {
    passOn(object);
    return true;
  }
  // The word stays as it is: somebody may be taking the free lock at this moment.
  if (isFree(word)) wakeFirst(object, MAIN_QUEUE, Wake.retry);
  return false;
}
