/**
 * Reentry: how often the owner of an RLock has taken it, and who that is. An
 * InterpreterLock, which is taken once, has the same words for its owner.
 *
 * The words `count` and `flow` of a lock belong to whoever holds it. They are 0
 * whenever it is free, and as long as a task that it was handed over to has not
 * been told so.
 *
 * @module
 */

import { ThreadingError } from "./errors.ts";
import {
  compareExchange,
  load,
  ownerWord,
  tid,
  words,
} from "./_memory/heap.ts";
import type { WaitOptions } from "../_internal/options.ts";
import { addressOf, type SharedObject } from "./_memory/shared_object.ts";
import { type Surrender, surrenderOf } from "./_memory/wait.ts";
import type { Protocol } from "./_memory/wait_queue.ts";
import {
  beginBlock,
  beginFlow,
  endAllFlows,
  endOne,
  isInFlow,
  mayBeInFlow,
  resumeIn,
  resumeOnceIn,
} from "./_flow.ts";
import { waitForLock } from "./_lock_acquire.ts";
import { lockProtocol, releaseSlow } from "./_lock_queue.ts";
import {
  LockField,
  note,
  ownerOf,
  PROMISE,
  takeFree,
  WAITERS,
} from "./_lock_word.ts";
import { onThreadEnd } from "./_runtime/globals.ts";

/** For messages. */
export const ACQUIRE = "acquire an RLock";

/** A kind of lock that belongs to an async flow. */
export interface FlowLock {
  /** How it lets wait. */
  protocol: Protocol;
  /** For messages. */
  what: string;
  /** Whether its flow may take it again. */
  reentrant: boolean;
}

const RLOCK: FlowLock = {
  protocol: lockProtocol,
  what: ACQUIRE,
  reentrant: true,
};

/**
 * Takes a lock in the promise form.
 *
 * @param lock The lock.
 * @param options As for `acquire`.
 * @param value What the promise resolves to.
 * @param kind An RLock by default.
 */
export function acquireFor<T>(
  lock: SharedObject,
  options: WaitOptions | undefined,
  value: T,
  kind: FlowLock = RLOCK,
): Promise<T> {
  // Not an async function: the caller must await the promise of `resumeIn`.
  try {
    const surrender = surrenderOf(options, kind.what);
    const address = addressOf(lock);
    if (kind.reentrant && takeAgainInFlow(address)) {
      return resumeIn(words[address + LockField.flow], value);
    }
    note(address);
    if (takeFree(address, ownerWord | PROMISE)) {
      return resumeIn(beginInFlow(address), value);
    }
    return resumeOnceIn(waitInFlow(address, surrender, kind), value);
  } catch (error) {
    return Promise.reject(error);
  }
}

async function waitInFlow(
  address: number,
  surrender: Surrender,
  { protocol, what }: FlowLock,
): Promise<number> {
  await waitForLock(protocol, address, surrender, what);
  return beginInFlow(address);
}

function beginInFlow(address: number): number {
  const flow = beginFlow();
  begin(address, flow);
  return flow;
}

/** Notes that the caller has just got the lock; in the blocking form in flow 0. */
export function begin(address: number, flow: number): void {
  words[address + LockField.count] = 1;
  words[address + LockField.flow] = flow;
}

/** Takes the lock once more if this thread or this async task holds it. */
export function takeAgain(address: number): boolean {
  const word = load(address + LockField.word);
  if ((word & ~WAITERS) === ownerWord) {
    words[address + LockField.count]++;
    return true;
  }
  return (word & PROMISE) !== 0 && takeAgainInFlow(address);
}

function takeAgainInFlow(address: number): boolean {
  const word = load(address + LockField.word);
  if (ownerOf(word) !== tid || !(word & PROMISE)) return false;
  if (!isInFlow(words[address + LockField.flow])) return false;
  words[address + LockField.count]++;
  return true;
}

/**
 * Whether the caller holds the lock. A task that could not be recognized may be
 * the holder: it is believed, as the code that started it would be.
 */
export function isHolder(address: number): boolean {
  const word = load(address + LockField.word);
  if (ownerOf(word) !== tid) return false;
  if (!(word & PROMISE)) return true;
  return words[address + LockField.count] > 0 &&
    mayBeInFlow(words[address + LockField.flow]);
}

/** A `using` block begins that has the lock: its async task is the holder's. */
export function recognizeTask(address: number): void {
  const word = load(address + LockField.word);
  const isHeld = ownerOf(word) === tid && (word & PROMISE) !== 0;
  beginBlock(isHeld ? words[address + LockField.flow] : 0);
}

/**
 * Releases a lock once.
 *
 * @param address The lock.
 * @param isBlock Whether that ends a `using` block.
 * @throws {ThreadingError} If the caller does not hold it.
 */
export function releaseOnce(address: number, isBlock: boolean): void {
  if (!isHolder(address)) {
    throw new ThreadingError(
      "Cannot release an RLock: it is not held by this thread and async task",
    );
  }
  const left = --words[address + LockField.count];
  const flow = words[address + LockField.flow];
  if (flow !== 0) endOne(flow, isBlock, left);
  if (left > 0) return;
  words[address + LockField.flow] = 0;
  const word = ownerWord | (load(address + LockField.word) & PROMISE);
  if (compareExchange(address + LockField.word, word, 0) !== word) {
    releaseSlow(address);
  }
}

onThreadEnd(endAllFlows);
