/**
 * Taking turns at a lock word: what an InterpreterLock does differently from a
 * Lock. Every waiter asks to be handed the lock, so it is never free while
 * somebody waits, and everybody gets it in order of arrival.
 *
 * While a thread blocks, its own promise-form waiters stand aside, in a queue of
 * their own: they could not run, so what was handed to them would never be
 * passed on. They come back to the end of the line.
 *
 * @module
 */

import {
  FREE_WITH_WAITERS,
  isPoisoned,
  LOCK_WORDS,
  LockField,
  lockProtocol,
  passOn,
  WAITERS,
} from "./_lock_word.ts";
import { compareExchange, load, words } from "./_memory/heap.ts";
import { lock, unlock } from "./_memory/mutex.ts";
import { Field } from "./_memory/shared_object.ts";
import { ownerWord, self } from "./_memory/slot.ts";
import {
  dequeue,
  enqueue,
  finishSync,
  firstOf,
  MAIN_QUEUE,
  Node,
  NodeFlag,
  OWN_NODE,
  prepareOwnNode,
  type Protocol,
  Wake,
  wakeAll,
} from "./_memory/wait_queue.ts";

/** Words of an InterpreterLock. */
export const TurnField = {
  /** First and last node of those that stand aside, of all threads. */
  aside: LOCK_WORDS,
  asideLast: LOCK_WORDS + 1,
  /** Every how many checks the lock is handed over. */
  interval: LOCK_WORDS + 2,
  /** Checks left until then; the holder counts. */
  left: LOCK_WORDS + 3,
} as const;
/** Size of an InterpreterLock in words. */
export const TURN_WORDS = LOCK_WORDS + 4;

/** How an InterpreterLock lets wait. */
export const turnProtocol: Protocol = {
  take(object, node) {
    const end = lockProtocol.take(object, node);
    if (end === Wake.waiting) words[node + Node.flags] |= NodeFlag.handOver;
    return end;
  },
  withdraw: lockProtocol.withdraw,
};

/**
 * Waits in line for the lock, in the blocking form.
 *
 * @param object The lock.
 * @param timeout Milliseconds.
 * @param what For messages.
 * @returns How the wait ended; `Wake.waiting` if the time ran out.
 * @throws {ThreadingError} If nothing is left that could end the wait.
 */
export function waitTurn(
  object: number,
  timeout: number,
  what: string,
): number {
  prepareOwnNode();
  lock(object + Field.mutex);
  const end = turnProtocol.take(object, OWN_NODE);
  if (end === Wake.waiting) {
    move(object, MAIN_QUEUE, TurnField.aside);
    enqueue(object, MAIN_QUEUE, OWN_NODE);
  }
  unlock(object + Field.mutex);
  if (end !== Wake.waiting) return end;
  const deadline = performance.now() + timeout;
  try {
    return finishSync(turnProtocol, OWN_NODE, deadline, what);
  } finally {
    comeBack(object);
  }
}

/**
 * Hands the lock, which this thread holds, to the first thread in line, if
 * there is one, and waits for the next turn.
 *
 * @param object The lock.
 * @param what For messages.
 * @returns How the wait ended; `undefined` if no other thread is in line.
 * @throws {ThreadingError} If nothing is left that could end the wait.
 */
export function yieldTurn(object: number, what: string): number | undefined {
  prepareOwnNode();
  words[OWN_NODE + Node.flags] |= NodeFlag.handOver;
  lock(object + Field.mutex);
  move(object, MAIN_QUEUE, TurnField.aside);
  const others = firstOf(object) !== 0;
  if (others) {
    enqueue(object, MAIN_QUEUE, OWN_NODE);
    passOn(object);
  }
  unlock(object + Field.mutex);
  try {
    if (!others) return undefined;
    return finishSync(turnProtocol, OWN_NODE, Infinity, what);
  } finally {
    comeBack(object);
  }
}

/**
 * Releases the lock, which this thread holds, for a while in which it will
 * block; {@linkcode comeBack} ends that.
 */
export function stepAside(object: number): void {
  lock(object + Field.mutex);
  move(object, MAIN_QUEUE, TurnField.aside);
  passOn(object);
  unlock(object + Field.mutex);
}

/** Puts those of this thread that stand aside back in line. */
export function comeBack(object: number): void {
  if (words[object + TurnField.aside] === 0) return;
  lock(object + Field.mutex);
  if (move(object, TurnField.aside, MAIN_QUEUE)) serve(object);
  unlock(object + Field.mutex);
}

/** Moves the nodes of this thread's promise-form waits to another queue. */
function move(object: number, from: number, to: number): boolean {
  let moved = false;
  for (let node = firstOf(object, from); node !== 0;) {
    const next = words[node + Node.next];
    if (words[node + Node.slot] === self) {
      dequeue(node);
      enqueue(object, to, node);
      moved = true;
    }
    node = next;
  }
  return moved;
}

/** Sees to it that a line that was empty, perhaps, is not overlooked. */
function serve(object: number): void {
  const at = object + LockField.word;
  for (;;) {
    const word = load(at);
    if (isPoisoned(object)) {
      wakeAll(object, MAIN_QUEUE, Wake.refused);
      return;
    }
    if (word === 0 || word === FREE_WITH_WAITERS) {
      // Taken first: others may be about to take it without the mutex.
      if (compareExchange(at, word, ownerWord) === word) {
        passOn(object);
        return;
      }
    } else if (
      word & WAITERS || compareExchange(at, word, word | WAITERS) === word
    ) {
      return;
    }
  }
}
