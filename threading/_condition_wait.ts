/**
 * Waiting for a Condition.
 *
 * Who wakes whom: a waiter joins the condition's queue while it holds the lock,
 * and only then releases it. Who notifies holds the lock too, so finds in the
 * queue everybody who began to wait before: no notification is lost. It moves
 * the nodes to the lock's queue, where whoever releases the lock wakes them one
 * by one, see `_lock_queue.ts`: woken at once they would only sleep on, waiting
 * for the lock.
 *
 * A waiter that gives up leaves the condition's queue, under its mutex. If its
 * node is in the lock's queue by then, it has been notified, and waits on until
 * it has the lock: a notification never goes to one that times out.
 *
 * The notification of a waiter whose thread ends before it has the lock goes to
 * the next one: whoever cleans up after the thread notifies in its place.
 *
 * However a wait ends, the lock is then held as it was before: in the same form,
 * by the same async flow, and as many times.
 *
 * @module
 */

import { Field, load, ownerWord, tid, words } from "./_memory/heap.ts";
import { lock, lockInner, unlock, unlockInner } from "./_memory/mutex.ts";
import { timeoutError } from "../_internal/options.ts";
import {
  finishSync,
  OWN_NODE,
  prepareOwnNode,
  type Surrender,
  waitEntered,
  waitSync,
} from "./_memory/wait.ts";
import {
  dequeue,
  enqueue,
  firstOf,
  MAIN_QUEUE,
  Node,
  type Protocol,
  Wake,
  wake,
} from "./_memory/wait_queue.ts";
import { checkEnd, waitForLock } from "./_lock_acquire.ts";
import { attend, lockProtocol, releaseSlow } from "./_lock_queue.ts";
import {
  LockField,
  note,
  ownerOf,
  PROMISE,
  setForm,
  takeFree,
} from "./_lock_word.ts";

/** The words of a condition. */
export const ConditionField = {
  /** The lock; the condition has a reference to it. */
  lock: Field.own,
} as const;
/** Size of a condition in words. */
export const CONDITION_WORDS = Field.own + 1;

/** For messages. */
export const WAIT = "wait for a Condition";

/** Nobody gets what nobody notified: a waiter enters the queue by itself. */
export const conditionProtocol: Protocol = {
  take: () => Wake.waiting,
};

/** How a thread holds a lock. */
export interface Hold {
  /** The lock. */
  object: number;
  /** Whether it was taken in the promise form. */
  promise: boolean;
  /** What an RLock has noted. */
  count: number;
  flow: number;
}

/** How this thread holds a lock, `undefined` if it does not. */
export function holdOf(object: number): Hold | undefined {
  const word = load(object + LockField.word);
  if (ownerOf(word) !== tid) return undefined;
  return {
    object,
    promise: (word & PROMISE) !== 0,
    count: words[object + LockField.count],
    flow: words[object + LockField.flow],
  };
}

/** Releases the lock however often it was taken. */
function suspend({ object }: Hold): void {
  words[object + LockField.count] = 0;
  words[object + LockField.flow] = 0;
  releaseSlow(object);
}

/** Restores how the lock was held, which this thread has again in some form. */
function resume({ object, promise, count, flow }: Hold): void {
  words[object + LockField.count] = count;
  words[object + LockField.flow] = flow;
  setForm(object, promise);
}

/** Waits in the promise form until it is notified. */
export async function waitNotified(
  address: number,
  hold: Hold,
  surrender: Surrender,
): Promise<void> {
  // Until it has released the lock it has it.
  let end: number = Wake.granted;
  let seized = false;
  let origin = 0;
  const release = (node: number) => {
    enter(address, node);
    suspend(hold);
    end = Wake.waiting;
  };
  // At once, not when the promise is continued: a thread that blocks or dies
  // until then would have swallowed the wake-up of the next in the lock's queue.
  const seize = (node: number) => {
    note(hold.object);
    origin = words[node + Node.origin];
    seized = words[node + Node.state] === Wake.retry &&
      takeFree(hold.object, ownerWord | PROMISE);
  };
  try {
    end = await waitEntered(
      conditionProtocol,
      address,
      MAIN_QUEUE,
      surrender,
      release,
      seize,
    );
  } finally {
    if (end !== Wake.granted && !seized) await takeAgain(hold, origin);
    resume(hold);
  }
}

async function takeAgain({ object }: Hold, origin: number): Promise<void> {
  note(object);
  await waitForLock(lockProtocol, object, FOR_EVER, WAIT, origin);
}

const FOR_EVER: Surrender = {
  timeout: Infinity,
  timeoutError: () => undefined,
};

/** Waits in the blocking form until it is notified. */
export function waitNotifiedSync(
  address: number,
  hold: Hold,
  timeout: number,
): void {
  const deadline = performance.now() + timeout;
  prepareOwnNode();
  enter(address, OWN_NODE);
  suspend(hold);
  let end: number = Wake.waiting;
  try {
    end = finishSync(conditionProtocol, OWN_NODE, deadline, WAIT);
  } finally {
    if (end !== Wake.granted) takeAgainSync(hold);
    words[OWN_NODE + Node.origin] = 0;
    resume(hold);
  }
  if (end === Wake.waiting) throw timeoutError(WAIT, timeout);
}

function takeAgainSync({ object }: Hold): void {
  note(object);
  if (takeFree(object, ownerWord)) {
    words[OWN_NODE + Node.object] = 0;
  } else {
    const end = waitSync(lockProtocol, object, MAIN_QUEUE, Infinity, WAIT);
    checkEnd(end, object, Infinity, WAIT);
  }
}

function enter(address: number, node: number): void {
  lock(address + Field.mutex);
  enqueue(address, MAIN_QUEUE, node);
  unlock(address + Field.mutex);
}

/** Notifies the first `n` that wait. The caller holds the lock. */
export function notifyFirst(address: number, n: number): void {
  if (firstOf(address) === 0) return;
  const object = words[address + ConditionField.lock];
  lock(address + Field.mutex);
  const isUsable = lockInner(object + Field.mutex);
  for (let left = n; left > 0 && firstOf(address) !== 0; left--) {
    const node = firstOf(address);
    dequeue(node);
    // They find out when they take the lock again.
    if (!isUsable) wake(node, Wake.damaged);
    else {
      words[node + Node.origin] = address;
      enqueue(object, MAIN_QUEUE, node);
    }
  }
  if (isUsable && firstOf(object) !== 0) attend(object);
  unlockInner(object + Field.mutex);
  unlock(address + Field.mutex);
}
