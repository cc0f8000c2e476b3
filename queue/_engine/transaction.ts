/**
 * Queues whose order is code of the user's: the hooks of a subclass, or a
 * `compare`. They wait, are served, time out and end as all queues do. What is
 * different is that items go in and out by code that cannot run in a critical
 * section, so it runs in a transaction:
 *
 * 1. A thread takes the queue's `Lock`, which one thread has at a time, and no
 *    mutex of the memory layer.
 * 2. It runs the hooks of its own put or get, then those of the gets that wait
 *    and have an item by then, and of the puts that wait and have room, in order
 *    of arrival, also for other threads. What the hooks do to the list is noted
 *    in a journal (`custom_list.ts`). What `_get` has given for a get that waits
 *    is encoded into a parcel of this thread's.
 * 3. In one critical section it looks whether those gets and puts still wait and
 *    nothing else can be done, or does more of step 2. Then it keeps what was
 *    done, writes the length, ends the waits of the puts that are in, and hands
 *    the gets their items.
 *
 * If a hook throws or the thread is killed before the end of step 3, all of it
 * is undone, and no other thread has noticed. So after each transaction, the only
 * waiters that could go on are those that were woken: gets with an item, and gets
 * and puts that were nudged, see `waiters.ts`. If one of these is killed, its node
 * still says what it was given, and `waiters.ts` passes it on. No wake-up is lost.
 *
 * A put that waits has its items in a block. If another thread fails to put
 * them in, or to get an item for a get, whatever the reason, the waiter's own
 * thread is woken to try it, and throws what it gets. The transaction that failed
 * to do it goes on without it.
 *
 * @module
 */

import { shown } from "../../_internal/check.ts";
import {
  ADDRESS,
  addressOf,
  borrow,
  damagedError,
  dequeue,
  doubles,
  Field,
  finishSection,
  firstOf,
  giveBack,
  isSelected,
  lock,
  Node,
  objectAt,
  requireStack,
  runSheltered,
  tryLock,
  unlock,
  Wake,
  wake,
  words,
} from "../../threading/_ground.ts";
import { OwnerDiedError, ThreadingError } from "../../threading/errors.ts";
import type { Lock } from "../../threading/sync/lock.ts";
import { countOf, readBlock, ticketOf } from "./blocks.ts";
import {
  closeJournal,
  countChanges,
  type Hooked,
  isInHook,
  keepChanges,
  openJournal,
  shrinkList,
  undoChanges,
} from "./custom_list.ts";
import { putShutDown } from "../errors.ts";
import {
  type Delivering,
  dropPrepared,
  handPrepared,
  prepareItem,
} from "./deliveries.ts";
import { NodeItem, Put, QueueField, UNLIMITED, WaitFlag } from "./layout.ts";
import {
  endPatient,
  endPutter,
  endWoken,
  feedGetters,
  isDropping,
  nudge,
  nudgeGet,
  releaseJoiners,
} from "./waiters.ts";

/**
 * Takes the lock of the hooks. If its last holder was killed, the changes of its
 * hooks are in the journal.
 */
function acquire(queue: number): Lock {
  const mutex = objectAt(words[queue + QueueField.lock]) as Lock;
  for (;;) {
    try {
      return runSheltered(() => mutex.acquireSync());
    } catch (error) {
      if (!(error instanceof OwnerDiedError)) throw error;
      mutex.recover();
    }
  }
}

/**
 * If the list or the lock of a queue is damaged, marks the queue as damaged, too,
 * which wakes all who wait there.
 *
 * @throws {ThreadingError} If it is.
 */
function refuseDamage(queue: number): void {
  const list = words[queue + QueueField.list] + Field.damaged;
  const mutex = words[queue + QueueField.lock] + Field.damaged;
  if ((words[list] | words[mutex]) === 0) return;
  lock(queue + Field.mutex);
  finishSection(queue + Field.mutex);
  throw damagedError("the queue");
}

/**
 * How many items there are, as the hook says.
 *
 * @throws {TypeError} If it says something else: whoever waited would do so for
 * ever.
 */
export function sizeBy(handle: Hooked): number {
  const size: unknown = handle._qsize();
  if (typeof size !== "number" || Number.isNaN(size)) {
    throw new TypeError(
      `Cannot use a queue: _qsize() must return a number, received ${
        shown(size)
      }`,
    );
  }
  return size > 0 ? Math.min(Math.floor(size), UNLIMITED) : 0;
}

/** What a transaction does in the critical section that makes it known. */
export interface Ending {
  /** How many items were taken out and count as unfinished from now on. */
  taken?: number;
  /** Whether it has put something in. */
  puts?: boolean;
  /** Whether it ends the queue, so nothing more is put in or got. */
  ends?: boolean;
  /** The get of this thread that was nudged, if that is what it is for. */
  own?: OwnGet;
  /** Ends the wait that the transaction was for; words only. */
  settle?(): void;
}

/**
 * Runs hooks in a transaction, see above.
 *
 * @param handle The queue's handle.
 * @param what What is done, for messages.
 * @param work Calls the hooks, and returns what to do at the end.
 * @param undo Undoes what else `work` has done.
 * @throws What they throw; the queue is as it was before.
 */
export function transact(
  handle: Hooked,
  what: string,
  work: () => Ending,
  undo?: () => void,
): void {
  const queue = addressOf(handle);
  if (isInHook(queue)) {
    throw new ThreadingError(
      `Cannot ${what}: a hook of this queue is running, and hooks must not use the queue's other methods, received ${handle.constructor.name}`,
    );
  }
  // Hooks may use up the stack. Afterwards there is as much left as here.
  requireStack(8);
  refuseDamage(queue);
  const mutex = acquire(queue);
  openJournal(handle, queue);
  try {
    undoChanges(queue, 0);
    commit(handle, queue, work());
    shrinkList(queue);
  } catch (error) {
    // A hook may have freed the handle, and with it the queue.
    if (handle[ADDRESS] === queue) {
      refuseDamage(queue);
      undoChanges(queue, 0);
      passOn(queue);
    }
    undo?.();
    throw error;
  } finally {
    closeJournal();
    mutex.release();
  }
}

/**
 * After a transaction has failed: a put or a get that it was for may have left the
 * line when it was its turn, so the next one is woken if it could be served.
 */
function passOn(queue: number): void {
  if (!tryLock(queue + Field.mutex)) return;
  nudge(queue, firstOf(queue, QueueField.putters));
  nudgeGet(queue, firstOf(queue, QueueField.getters));
  unlock(queue + Field.mutex);
}

/** Does what needs no hooks while no thread runs any, in one critical section. */
export function transactBare(queue: number, work: () => void): void {
  const mutex = acquire(queue);
  undoChanges(queue, 0);
  lock(queue + Field.mutex);
  work();
  unlock(queue + Field.mutex);
  mutex.release();
}

/** A get of this thread that runs its hooks itself. */
export interface OwnGet {
  node: number;
  /** Set if the item goes into a delivery. */
  into: Delivering | undefined;
  /** What it got, as `_get` gave it. */
  item: unknown;
  /** What `_get` threw; its wait has ended then. */
  error: unknown;
}

/** A put or a get that waits, while its hooks are run by a transaction. */
interface Helped {
  node: number;
  /** Of a put. */
  ticket: number;
  /** How many changes there were before. */
  before: number;
  isGet: boolean;
  /** The item of a get, or 0 if it is this thread's own. */
  parcel: number;
}

/** The put or get that {@linkcode tryCommit} found to be next. */
const next = { node: 0, block: 0, ticket: 0 };

/** Runs the hooks of those that wait and can go on, and ends a transaction. */
function commit(handle: Hooked, queue: number, ending: Ending): void {
  const helped: Helped[] = [];
  try {
    runWaiting(handle, queue, ending, helped);
  } catch (error) {
    forget(helped, 0);
    throw error;
  }
}

function runWaiting(
  handle: Hooked,
  queue: number,
  ending: Ending,
  helped: Helped[],
): void {
  let feeds = ending.ends !== true;
  for (;;) {
    const size = sizeBy(handle);
    addressOf(handle);
    const step = tryCommit(queue, size, ending, helped, feeds);
    if (step === COMMITTED) return;
    if (step === REFUSED) throw putShutDown();
    if (step === PUT_IN) putWaiting(handle, queue, helped);
    else if (step === GET_OUT) {
      feeds = getWaiting(handle, queue, ending.own, helped);
    } else {
      // That one gave up meanwhile: undo it and those after it, and go on.
      undoChanges(queue, helped[step].before);
      forget(helped, step);
    }
  }
}

/** Forgets all but the first of those that were helped. */
function forget(helped: Helped[], kept: number): void {
  while (helped.length > kept) {
    const { parcel } = helped.pop()!;
    if (parcel !== 0) dropPrepared(parcel);
  }
}

/** Puts in what {@linkcode next} waits with. */
function putWaiting(handle: Hooked, queue: number, helped: Helped[]): void {
  const { node, block, ticket } = next;
  const before = countChanges(queue);
  try {
    for (const item of readBorrowed(block)) handle._put(item);
    helped.push({ node, ticket, before, isGet: false, parcel: 0 });
  } catch {
    addressOf(handle);
    undoChanges(queue, before);
    delegate(queue, node, ticket);
  }
}

/**
 * Gets an item for {@linkcode next}.
 *
 * @returns Whether to go on with other gets. If not, their threads will.
 */
function getWaiting(
  handle: Hooked,
  queue: number,
  ownGet: OwnGet | undefined,
  helped: Helped[],
): boolean {
  const { node } = next;
  const own = ownGet?.node === node ? ownGet : undefined;
  const before = countChanges(queue);
  try {
    const item = handle._get();
    let parcel = 0;
    if (own !== undefined && own.into === undefined) own.item = item;
    else parcel = prepareItem(queue, item);
    helped.push({ node, ticket: 0, before, isGet: true, parcel });
    return true;
  } catch (error) {
    addressOf(handle);
    undoChanges(queue, before);
    if (own !== undefined) own.error = error;
    failGet(queue, node, own !== undefined);
    return own !== undefined;
  }
}

/** Lets the thread of a get run the hooks, or ends it if that is this one. */
function failGet(queue: number, node: number, isOwn: boolean): void {
  lock(queue + Field.mutex);
  if (isInLine(queue, QueueField.getters, node)) {
    if (isOwn) {
      dequeue(node);
      words[node + Node.flags] &= ~WaitFlag.nudged;
      endWoken(node, Put.failed);
    } else if (!(words[node + Node.flags] & WaitFlag.nudged)) {
      words[node + Node.flags] |= WaitFlag.nudged;
      wake(node, Wake.retry);
    }
  }
  unlock(queue + Field.mutex);
}

const COMMITTED = -1;
const PUT_IN = -2;
const GET_OUT = -3;
const REFUSED = -4;

/**
 * In one critical section: ends a transaction, if nothing is left to do.
 *
 * @param queue The queue.
 * @param size How many items there are.
 * @param ending What else to do.
 * @param helped The puts and gets whose hooks were run.
 * @param feeds Whether to run those of more gets.
 * @returns `COMMITTED`; or `PUT_IN` or `GET_OUT`, and {@linkcode next} can put or
 * get; or `REFUSED`, if the last producer or consumer has ended the queue
 * meanwhile; or the index of the first of those helped that has given up.
 */
function tryCommit(
  queue: number,
  size: number,
  ending: Ending,
  helped: readonly Helped[],
  feeds: boolean,
): number {
  lock(queue + Field.mutex);
  if (ending.puts && words[queue + QueueField.shutDown] !== 0) {
    unlock(queue + Field.mutex);
    return REFUSED;
  }
  let putter = firstOf(queue, QueueField.putters);
  let getter = firstOf(queue, QueueField.getters);
  let handed = 0;
  for (let i = 0; i < helped.length; i++) {
    const { node, ticket, isGet } = helped[i];
    const stays = isGet
      ? node === getter
      : node === putter && ticketAt(node) === ticket;
    if (!stays) {
      unlock(queue + Field.mutex);
      return i;
    }
    if (isGet) {
      getter = words[node + Node.next];
      handed++;
    } else {
      putter = words[node + Node.next];
    }
  }
  // One of a selection may have been given something else by the end.
  if (getter !== 0 && feeds && size > 0 && !isSelected(getter)) {
    next.node = getter;
    unlock(queue + Field.mutex);
    return GET_OUT;
  }
  if (putter !== 0 && ending.ends !== true && !isSelected(putter)) {
    const block = words[putter + NodeItem.block];
    const most = words[queue + QueueField.limit] -
      words[queue + QueueField.returnedCount];
    if (size <= most - countOf(block)) {
      borrow(block);
      next.node = putter;
      next.block = block;
      next.ticket = ticketOf(block);
      unlock(queue + Field.mutex);
      return PUT_IN;
    }
  }
  keepChanges(queue);
  words[queue + QueueField.length] = isDropping(queue) ? 0 : size;
  doubles[queue + QueueField.unfinished >> 1] += handed + (ending.taken ?? 0);
  for (let i = 0; i < helped.length; i++) endHelped(queue, helped[i]);
  ending.settle?.();
  feedGetters(queue);
  if (isSelected(putter) && ending.ends !== true) nudge(queue, putter);
  releaseJoiners(queue);
  endPatient(queue);
  unlock(queue + Field.mutex);
  return COMMITTED;
}

function endHelped(queue: number, { node, isGet, parcel }: Helped): void {
  if (!isGet) return endPutter(node, Put.done);
  dequeue(node);
  if (parcel !== 0) return handPrepared(queue, parcel, node);
  words[node + Node.flags] &= ~WaitFlag.nudged;
  endWoken(node, Put.done);
}

function ticketAt(node: number): number {
  return node === 0 ? 0 : ticketOf(words[node + NodeItem.block]);
}

function readBorrowed(block: number): unknown[] {
  try {
    return readBlock(block);
  } finally {
    giveBack(block);
  }
}

/**
 * Wakes a put to run its hooks itself, since they threw in this thread. It
 * leaves the line, so that it does not hold up the others.
 */
function delegate(queue: number, node: number, ticket: number): void {
  lock(queue + Field.mutex);
  const { putters } = QueueField;
  if (isInLine(queue, putters, node) && ticketAt(node) === ticket) {
    dequeue(node);
    const flags = words[node + Node.flags];
    words[node + Node.flags] = flags & ~WaitFlag.nudged;
    if (!(flags & WaitFlag.nudged)) wake(node, Wake.retry);
  }
  unlock(queue + Field.mutex);
}

export function isInLine(queue: number, line: number, node: number): boolean {
  let each = firstOf(queue, line);
  while (each !== 0 && each !== node) each = words[each + Node.next];
  return each !== 0;
}

/** Runs the hooks of those that wait and can go on. */
export function serve(handle: Hooked, what: string, own?: OwnGet): void {
  transact(handle, what, () => ({ own }));
}
