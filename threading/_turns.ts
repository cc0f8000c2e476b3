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

import { ThreadingError } from "./errors.ts";
import { checkEnd, refuseSelfDeadlock, waitForLock } from "./_lock_acquire.ts";
import { attend, lockProtocol, passOn } from "./_lock_queue.ts";
import {
  LOCK_WORDS,
  LockField,
  note,
  PROMISE,
  setForm,
  WAITERS,
} from "./_lock_word.ts";
import {
  compareExchange,
  Field,
  load,
  ownerWord,
  self,
  words,
} from "./_memory/heap.ts";
import { lock, unlock } from "./_memory/mutex.ts";
import { pinUntil } from "./_memory/shared_object.ts";
import {
  dequeue,
  enqueue,
  firstOf,
  MAIN_QUEUE,
  Node,
  NodeFlag,
  type Protocol,
  Wake,
} from "./_memory/wait_queue.ts";
import { finishSync, OWN_NODE, prepareOwnNode } from "./_memory/wait.ts";

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
 * Takes the lock in the blocking form, and waits in line for it.
 *
 * @param object The lock.
 * @param timeout Milliseconds.
 * @param what For messages.
 * @throws As `acquireSync` does.
 */
export function takeTurn(object: number, timeout: number, what: string): void {
  note(object);
  if (compareExchange(object + LockField.word, 0, ownerWord) === 0) return;
  refuseSelfDeadlock(object, what);
  if ((load(object + LockField.word) & ~WAITERS) === ownerWord) {
    throw new ThreadingError(
      `Cannot ${what}: this thread holds it, and would wait for itself`,
    );
  }
  checkEnd(waitInLine(object, timeout, what), object, timeout, what);
}

function waitInLine(object: number, timeout: number, what: string): number {
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
 * @throws As `check` does.
 */
export function yieldTurn(object: number, what: string): void {
  const hold = holdOf(object);
  prepareOwnNode();
  words[OWN_NODE + Node.flags] |= NodeFlag.handOver;
  lock(object + Field.mutex);
  move(object, MAIN_QUEUE, TurnField.aside);
  const others = firstOf(object) !== 0;
  if (others) {
    enqueue(object, MAIN_QUEUE, OWN_NODE);
    suspend(object);
  }
  unlock(object + Field.mutex);
  try {
    if (!others) return;
    const end = finishSync(turnProtocol, OWN_NODE, Infinity, what);
    checkEnd(end, object, Infinity, what);
    resume(object, hold);
  } finally {
    comeBack(object);
  }
}

/**
 * Calls a function without the lock, which this thread holds, and takes it again
 * when that has ended. Meanwhile the thread may block.
 *
 * @param object The lock.
 * @param fn The function.
 * @param what For messages.
 * @returns What the function returned; its promise is settled when the lock has
 * been taken again.
 */
export function callAside<T>(object: number, fn: () => T, what: string): T {
  const hold = holdOf(object);
  lock(object + Field.mutex);
  move(object, MAIN_QUEUE, TurnField.aside);
  suspend(object);
  unlock(object + Field.mutex);
  let result: T;
  let isAsync = false;
  try {
    result = fn();
    isAsync = isPromise(result);
  } finally {
    try {
      if (!isAsync) {
        takeTurn(object, Infinity, what);
        resume(object, hold);
      }
    } finally {
      comeBack(object);
    }
  }
  if (!isAsync) return result;
  return pinUntil(object, takeAfter(object, hold, result, what)) as T;
}

/** Takes the lock again when a promise is settled, and passes that on. */
async function takeAfter(
  object: number,
  hold: Hold,
  promise: unknown,
  what: string,
): Promise<unknown> {
  try {
    return await promise;
  } finally {
    note(object);
    const at = object + LockField.word;
    if (compareExchange(at, 0, ownerWord | PROMISE) !== 0) {
      await waitForLock(turnProtocol, object, FOR_EVER, what);
    }
    resume(object, { ...hold, promise: true });
  }
}

const FOR_EVER = { timeout: Infinity, timeoutError: () => undefined };

/** How this thread holds the lock. */
interface Hold {
  /** Whether it was taken in the promise form. */
  promise: boolean;
  /** The async flow that it belongs to. */
  flow: number;
}

function holdOf(object: number): Hold {
  return {
    promise: (load(object + LockField.word) & PROMISE) !== 0,
    flow: words[object + LockField.flow],
  };
}

/** In the critical section: releases the lock for a while. */
function suspend(object: number): void {
  words[object + LockField.count] = 0;
  words[object + LockField.flow] = 0;
  passOn(object);
}

/** Restores how the lock was held, which this thread has again in some form. */
function resume(object: number, { promise, flow }: Hold): void {
  words[object + LockField.count] = 1;
  words[object + LockField.flow] = flow;
  setForm(object, promise);
}

function isPromise(value: unknown): boolean {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then ===
    "function";
}

/** Puts those of this thread that stand aside back in line. */
function comeBack(object: number): void {
  if (words[object + TurnField.aside] === 0) return;
  lock(object + Field.mutex);
  if (move(object, TurnField.aside, MAIN_QUEUE)) attend(object);
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
