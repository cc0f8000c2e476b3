/**
 * What the forms of `acquire` of Lock, RLock and InterpreterLock have in common:
 * all that comes when the lock is not free.
 *
 * @module
 */

import { ThreadingError } from "./errors.ts";
import { Field, load, ownerWord, tid } from "./_memory/heap.ts";
import { lock, unlock } from "./_memory/mutex.ts";
import { timeoutError } from "../_internal/options.ts";
import { type Surrender, waitPromise } from "./_memory/wait.ts";
import {
  isUnseen,
  MAIN_QUEUE,
  type Protocol,
  Wake,
} from "./_memory/wait_queue.ts";
import {
  isPoisoned,
  LockField,
  note,
  ownerDied,
  ownerOf,
  PROMISE,
  takeFree,
} from "./_lock_word.ts";

/**
 * Takes a lock if it is free, in the blocking form.
 *
 * @returns Whether it was free.
 * @throws {OwnerDiedError} If its owner died.
 */
export function takeNowait(address: number, what: string): boolean {
  note(address);
  if (takeFree(address, ownerWord)) return true;
  if (isPoisoned(address)) throw ownerDied(address, what);
  return false;
}

/**
 * Waits for a lock that has been noted, in the promise form.
 *
 * @param protocol How it lets wait.
 * @param address The lock.
 * @param surrender When to give up.
 * @param what For messages.
 * @param origin The condition that was waited for before, or 0.
 */
export async function waitForLock(
  protocol: Protocol,
  address: number,
  surrender: Surrender,
  what: string,
  origin = 0,
): Promise<void> {
  // Other locks may have taken its place in the table meanwhile.
  const noteAgain = () => note(address);
  const end = await waitPromise(
    protocol,
    address,
    MAIN_QUEUE,
    surrender,
    noteAgain,
    origin,
  );
  if (end === Wake.refused) throw ownerDied(address, what);
}

/** Throws what a blocking wait that ended so must throw, if it failed. */
export function checkEnd(
  end: number,
  address: number,
  timeout: number,
  what: string,
): void {
  if (end === Wake.refused) throw ownerDied(address, what);
  if (end === Wake.waiting) throw timeoutError(what, timeout);
}

/**
 * To be called before this thread blocks for a lock.
 *
 * @throws {ThreadingError} If its own async code holds it.
 */
export function refuseSelfDeadlock(address: number, what: string): void {
  const word = load(address + LockField.word);
  if (ownerOf(word) !== tid || !(word & PROMISE)) return;
  lock(address + Field.mutex);
  const isPassedOn = isUnseen(address);
  unlock(address + Field.mutex);
  // What a task was given just now, this thread passes on when it blocks.
  if (isPassedOn) return;
  throw new ThreadingError(
    `Cannot ${what}: an async task of this thread holds it and could never release it while the thread is blocked; use the promise form`,
  );
}
