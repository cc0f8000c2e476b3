/**
 * Queues whose order is code of the user's: the hooks of a subclass, or a
 * `compare`. They wait, are served, time out and end as all queues do. What is
 * different is that items go in and out by code that cannot run in a critical
 * section, so it runs in a transaction:
 *
 * 1. A thread takes the queue's `Lock`, which one thread has at a time, and no
 *    mutex of the ground.
 * 2. It runs the hooks of its own put or get, then those of the puts that wait
 *    and have room by then, in order of arrival, also for other threads.
 *    What the hooks do to the list is noted in a journal (`custom_list.ts`).
 * 3. In one critical section it looks whether those puts still wait and nothing
 *    else can be put in, or does more of step 2. Then it keeps what was done,
 *    writes the length, ends the waits of the puts that are in, and wakes the
 *    gets that there are items for.
 *
 * If a hook throws or the thread is killed before the end of step 3, all of it
 * is undone, and no other thread has noticed. So after each transaction, the only
 * waiters that could go on are those that were woken: a get with a reserved item,
 * or a put that was nudged because the one before it gave up. If one of these is
 * killed, its node still says what it was given, and `waiters.ts` passes it on.
 * No wake-up is lost.
 *
 * A put that waits has its items in a block. If another thread fails to put
 * them in, whatever the reason, the put's own thread is woken to try it, and
 * throws what it gets.
 *
 * @module
 */

import { decode } from "../../threading/_codec/decode.ts";
import { shown } from "../../_internal/check.ts";
import { encode } from "../../threading/_codec/encode.ts";
import {
  loadModule,
  ModuleNotLoaded,
} from "../../threading/_codec/sendable.ts";
import { COUNTED, removeDraft } from "../../threading/_memory/allocator.ts";
import {
  doubles,
  Field,
  load,
  self,
  Slot,
  words,
} from "../../threading/_memory/heap.ts";
import {
  damagedError,
  lock,
  requireStack,
  tryLock,
  unlock,
} from "../../threading/_memory/mutex.ts";
import {
  commitRecord,
  draftRecord,
  dropRecord,
  takeRecord,
} from "../../threading/_codec/record.ts";
import {
  ADDRESS,
  addressOf,
  borrow,
  finishSection,
  giveBack,
  objectAt,
  releaseReference,
} from "../../threading/_memory/shared_object.ts";
import {
  allocateNode,
  dequeue,
  firstOf,
  freeNode,
  Node,
  type Protocol,
  Wake,
  wake,
} from "../../threading/_memory/wait_queue.ts";
import { runSheltered } from "../../threading/_memory/scope.ts";
import { waitSync } from "../../threading/_memory/wait.ts";
import { OwnerDiedError, ThreadingError } from "../../threading/errors.ts";
import type { Lock } from "../../threading/sync/lock.ts";
import { GET, getShutDown, PUT, putShutDown } from "../errors.ts";
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
import {
  countOf,
  linkBlock,
  nextSequence,
  readBlock,
  setTicket,
  ticketOf,
  unlinkBlock,
} from "./items.ts";
import {
  type Delivering,
  deliverNext,
  deliverRecord,
  discardParcel,
  draftParcel,
  readDelivery,
  settle,
  undoDelivery,
} from "./deliveries.ts";
import {
  isBare,
  NodeItem,
  Put,
  QueueField,
  UNLIMITED,
  WaitFlag,
} from "./layout.ts";
import {
  admitDue,
  availableIn,
  decline,
  endOf,
  endPatient,
  endPutter,
  endWoken,
  feedGetters,
  hasRoom,
  isClaimed,
  mayComeBack,
  nudge,
  releaseClaim,
  releaseJoiners,
  shutDown,
  spareIn,
  tick,
  undoWake,
  waitingIn,
  withdraw,
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
function sizeBy(handle: Hooked): number {
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
interface Ending {
  /** How many items were taken out and count as unfinished from now on. */
  taken?: number;
  /** How many of them were reserved. */
  claims?: number;
  /** Whether it ends the queue, so nothing more is put in. */
  ends?: boolean;
  /** Ends the wait that the transaction was for; words only. */
  settle?(): void;
}

/**
 * Runs hooks in a transaction, see above.
 *
 * @param handle The queue's handle.
 * @param what What is done, for messages.
 * @param work Calls the hooks, and tells what is to be done at the end.
 * @param undo Undoes what else `work` has done.
 * @throws What they throw; the queue is as it was before.
 */
function transact(
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
  // Hooks may use up the stack. Behind them there is as much left as here.
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
    }
    undo?.();
    throw error;
  } finally {
    closeJournal();
    mutex.release();
  }
}

/** A put that waits, while its items are put in by a transaction. */
interface Helped {
  node: number;
  ticket: number;
  /** How many changes there were before. */
  before: number;
}

/** The put that {@linkcode tryCommit} found to have room. */
const next = { node: 0, block: 0, ticket: 0 };

/** Puts in what waits and has room, and ends a transaction. */
function commit(handle: Hooked, queue: number, ending: Ending): void {
  const helped: Helped[] = [];
  for (;;) {
    const size = sizeBy(handle);
    addressOf(handle);
    const gone = tryCommit(queue, size, ending, helped);
    if (gone === COMMITTED) return;
    if (gone !== HELP) {
      // That one gave up meanwhile: undo it and those after it, and go on.
      undoChanges(queue, helped[gone].before);
      helped.length = gone;
      continue;
    }
    const { node, block, ticket } = next;
    const before = countChanges(queue);
    try {
      for (const item of readBorrowed(block)) handle._put(item);
      helped.push({ node, ticket, before });
    } catch {
      addressOf(handle);
      undoChanges(queue, before);
      delegate(queue, node, ticket);
    }
  }
}

const COMMITTED = -1;
const HELP = -2;

/**
 * In one critical section: ends a transaction, if nothing is left to do.
 *
 * @param queue The queue.
 * @param size How many items there are.
 * @param ending What else is to be done.
 * @param helped The puts whose items are in, in order of arrival.
 * @returns `COMMITTED`; or `HELP`, and {@linkcode next} can be put in; or the
 * index of the first of the puts that has given up.
 */
function tryCommit(
  queue: number,
  size: number,
  ending: Ending,
  helped: readonly Helped[],
): number {
  lock(queue + Field.mutex);
  let node = firstOf(queue, QueueField.putters);
  for (let i = 0; i < helped.length; i++) {
    if (node !== helped[i].node || ticketAt(node) !== helped[i].ticket) {
      unlock(queue + Field.mutex);
      return i;
    }
    node = words[node + Node.next];
  }
  if (node !== 0 && ending.ends !== true) {
    const block = words[node + NodeItem.block];
    // This get has taken the item that was reserved for it.
    const reserved = words[queue + QueueField.reserved] - (ending.claims ?? 0);
    const most = words[queue + QueueField.limit] + reserved -
      words[queue + QueueField.returnedCount];
    if (size <= most - countOf(block)) {
      borrow(block);
      next.node = node;
      next.block = block;
      next.ticket = ticketOf(block);
      unlock(queue + Field.mutex);
      return HELP;
    }
  }
  for (let i = 0; i < helped.length; i++) endPutter(helped[i].node, Put.done);
  keepChanges(queue);
  words[queue + QueueField.length] = size;
  doubles[queue + QueueField.unfinished >> 1] += ending.taken ?? 0;
  ending.settle?.();
  feedGetters(queue);
  releaseJoiners(queue);
  endPatient(queue);
  unlock(queue + Field.mutex);
  return COMMITTED;
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
  if (isInLine(queue, node, ticket)) {
    dequeue(node);
    const flags = words[node + Node.flags];
    words[node + Node.flags] = flags & ~WaitFlag.nudged;
    if (!(flags & WaitFlag.nudged)) wake(node, Wake.retry);
  }
  unlock(queue + Field.mutex);
}

function isInLine(queue: number, node: number, ticket: number): boolean {
  let each = firstOf(queue, QueueField.putters);
  while (each !== 0 && each !== node) each = words[each + Node.next];
  return each !== 0 && ticketAt(each) === ticket;
}

/** Puts in the items of the puts that wait, as far as there is room. */
function serve(handle: Hooked): void {
  transact(handle, PUT, () => ({}));
}

/**
 * A copy of an item, as it would arrive, with no getters in it: they are the
 * user's code and run once, now.
 *
 * @throws {NotSendableError} If it cannot be sent.
 */
export function copyOf(item: unknown): unknown {
  if (isBare(item) || typeof item === "string") return item;
  const { bytes, length, references } = encode(item);
  // A getter may have freed one of them.
  for (const reference of references) addressOf(reference);
  return decode(bytes, 0, length);
}

/**
 * Puts items together if there is room for all.
 *
 * @param settle Ends the wait of a put that has waited.
 * @returns Whether they are in.
 */
export function tryPut(
  handle: Hooked,
  queue: number,
  items: readonly unknown[],
  settle?: () => void,
): boolean {
  let done = false;
  transact(handle, PUT, () => {
    if (words[queue + QueueField.shutDown] !== 0) throw putShutDown();
    if (words[queue + QueueField.putters] !== 0 && settle === undefined) {
      return {};
    }
    const size = sizeBy(handle) + words[queue + QueueField.returnedCount] -
      words[queue + QueueField.reserved];
    if (size > words[queue + QueueField.limit] - items.length) return {};
    for (const item of items) handle._put(item);
    done = true;
    return { settle };
  });
  return done;
}

/**
 * Gets up to `n` items.
 *
 * @param patient Whether it waits for what may come back after a shutdown.
 * @param into Has an empty parcel for the item, if it is to be delivered.
 * @param node The node of a get that has waited and one is reserved for, or 0.
 * @returns The items; none if the queue is empty.
 * @throws {ShutDown} If it is shut down and empty.
 */
export function tryGet(
  handle: Hooked,
  queue: number,
  n: number,
  patient: boolean,
  into: Delivering | undefined,
  node = 0,
): unknown[] {
  const items = getReturned(queue, into, node);
  if (items.length > 0) return items;
  let record = 0;
  transact(handle, GET, () => {
    const claimed = node !== 0 && isClaimed(node);
    let size = sizeBy(handle);
    const available = size + words[queue + QueueField.returnedCount] -
      words[queue + QueueField.reserved];
    const spare = available - waitingIn(queue, available);
    const most = Math.min(n, claimed ? Math.max(0, spare) + 1 : spare);
    while (items.length < most && size > 0) {
      items.push(handle._get());
      if (items.length < most) size = sizeBy(handle);
    }
    const found = items.length > 0;
    if (!found && hasEnded(queue, patient)) throw getShutDown();
    if (found && into !== undefined) record = ownRecord(items[0]);
    const settle = () => {
      if (record !== 0) {
        removeDraft(record | COUNTED);
        deliverRecord(queue, into!.parcel, record);
      }
      if (node === 0) return;
      if (isClaimed(node)) releaseClaim(queue, node);
      if (found) endWoken(node, Put.done);
    };
    return { taken: items.length, claims: claimed ? 1 : 0, settle };
  }, () => {
    if (record !== 0) dropRecord(record);
  });
  return items;
}

/**
 * A record that this thread owns as if it had taken it over. A draft could still
 * be written to, so it would keep a thread that stays in a hook from being killed.
 */
function ownRecord(item: unknown): number {
  const record = draftRecord(item);
  lock(self + Slot.mutex);
  commitRecord(record);
  takeRecord(record);
  unlock(self + Slot.mutex);
  return record;
}

/** Whether a get ends with `ShutDown` that has found nothing. */
function hasEnded(queue: number, patient: boolean): boolean {
  if (words[queue + QueueField.shutDown] === 0) return false;
  lock(queue + Field.mutex);
  const comes = words[queue + QueueField.returnedCount] !== 0 ||
    (patient && mayComeBack(queue));
  unlock(queue + Field.mutex);
  return !comes;
}

/**
 * Gets an item that came back: those come before what `_get` gives, and need no
 * hooks. It is this thread's delivery until it has been read.
 *
 * @returns The item, or nothing.
 * @throws Why it cannot be read; then it is where it was.
 */
function getReturned(
  queue: number,
  into: Delivering | undefined,
  node: number,
): unknown[] {
  if (
    (load(queue + QueueField.returned) | load(queue + QueueField.delayed)) === 0
  ) return [];
  const mine = into ?? { parcel: draftParcel() };
  const { parcel } = mine;
  const found = takeReturned(queue, parcel, node);
  let item: unknown;
  try {
    if (found) item = readDelivery(queue, parcel);
  } catch (error) {
    // The parcel goes with its item, and the next attempt needs another one.
    mine.parcel = 0;
    undoDelivery(queue, parcel);
    if (into !== undefined) mine.parcel = draftParcel();
    throw error;
  }
  if (into === undefined) {
    if (found) settle(queue, parcel, false);
    else discardParcel(parcel);
  }
  if (!found) return [];
  if (node !== 0) {
    lock(queue + Field.mutex);
    endWoken(node, Put.done);
    unlock(queue + Field.mutex);
  }
  return [item];
}

/** Delivers an item that came back, if there is one that nobody else waits for. */
function takeReturned(queue: number, parcel: number, node: number): boolean {
  lock(queue + Field.mutex);
  admitDue(queue);
  const claimed = node !== 0 && isClaimed(node);
  const found = words[queue + QueueField.returned] !== 0 &&
    (claimed || spareIn(queue) > 0);
  if (found) {
    if (claimed) releaseClaim(queue, node);
    deliverNext(queue, parcel);
    feedGetters(queue);
    nudge(queue, firstOf(queue, QueueField.putters));
  }
  unlock(queue + Field.mutex);
  return found;
}

/** How a put waits at a queue with hooks. */
export class PutWait implements Protocol {
  /** Whether the block belongs to the node. */
  linked = false;
  /** The error of a hook that ran in this thread. */
  error: unknown;

  constructor(
    readonly handle: Hooked,
    readonly items: readonly unknown[],
    readonly block: number,
  ) {}

  take(queue: number, node: number): number {
    const end = endOf(node);
    if (end !== undefined) return end;
    if (words[node + Node.flags] & WaitFlag.nudged) {
      dequeue(node);
      words[node + Node.flags] &= ~WaitFlag.nudged;
    }
    if (!this.linked && words[queue + QueueField.shutDown] !== 0) {
      return Put.shutDown;
    }
    // Between the attempt and here, or between two looks, there may be room.
    const isFirst = words[queue + QueueField.putters] === 0 || this.linked;
    if (isFirst && hasRoom(queue, countOf(this.block))) {
      if (this.linked) unlinkBlock(this.block);
      this.linked = false;
      return Put.again;
    }
    if (!this.linked) {
      linkBlock(this.block);
      setTicket(this.block, nextSequence(queue));
      words[node + NodeItem.block] = this.block;
      this.linked = true;
    }
    return Wake.waiting;
  }

  /** The put was nudged, or its hooks threw in another thread. */
  attend(queue: number, node: number): void {
    try {
      if (endOf(node) !== undefined) return;
      if (words[node + Node.flags] & WaitFlag.nudged) serve(this.handle);
      const flags = words[node + Node.flags];
      // It is put in, or still in line.
      if (flags & (WaitFlag.ended | WaitFlag.nudged)) return;
      if (words[queue + QueueField.shutDown] !== 0) throw putShutDown();
      tryPut(this.handle, queue, this.items, () => this.#end(node, Put.done));
    } catch (error) {
      this.error = error;
      // If the queue is damaged, the wait throws that.
      if (!tryLock(queue + Field.mutex)) return;
      if (endOf(node) === undefined) {
        if (words[node + Node.flags] & WaitFlag.nudged) dequeue(node);
        this.#end(node, Put.failed);
      }
      unlock(queue + Field.mutex);
    }
  }

  #end(node: number, end: number): void {
    releaseReference(this.block);
    endWoken(node, end);
  }

  withdraw = withdraw;
  undo = undoWake;
  decline = decline;
}

/** How a get waits at a queue with hooks. */
export class GetWait implements Protocol {
  items: unknown[] = [];
  /** The error of a hook. */
  error: unknown;

  constructor(
    readonly handle: Hooked,
    readonly n: number,
    readonly patient: boolean,
    readonly into: Delivering | undefined,
  ) {}

  take(queue: number, node: number): number {
    const end = endOf(node);
    if (end !== undefined) return end;
    if (this.patient) words[node + Node.flags] |= WaitFlag.patient;
    if (words[queue + QueueField.delayed] !== 0) admitDue(queue);
    if (spareIn(queue) > 0) return Put.again;
    // Somebody in line has given something back that nobody else could take.
    if (availableIn(queue) > 0) feedGetters(queue);
    if (words[queue + QueueField.shutDown] === 0) return Wake.waiting;
    if (!this.patient || !mayComeBack(queue)) return Wake.refused;
    return Wake.waiting;
  }

  tick = tick;

  /** The get was woken, and an item is reserved for it. */
  attend(queue: number, node: number): void {
    if (!isClaimed(node)) return;
    try {
      const { handle, n, patient, into } = this;
      this.items = tryGet(handle, queue, n, patient, into, node);
    } catch (error) {
      this.error = error;
      if (!tryLock(queue + Field.mutex)) return;
      if (isClaimed(node)) releaseClaim(queue, node);
      endWoken(node, Put.failed);
      feedGetters(queue);
      unlock(queue + Field.mutex);
    }
  }

  withdraw = withdraw;
  undo = undoWake;
  decline = decline;
}

/** Waits in the blocking form; with a node of its own, since hooks may wait. */
export function waitBlocked(
  protocol: Protocol,
  queue: number,
  line: number,
  end: number,
  what: string,
): number {
  const node = allocateNode(0);
  try {
    return waitSync(protocol, queue, line, leftUntil(end), what, node);
  } finally {
    freeNode(node);
  }
}

export function deadlineOf(timeout: number): number {
  return timeout === Infinity ? Infinity : performance.now() + timeout;
}

export function leftUntil(end: number): number {
  return end === Infinity ? Infinity : Math.max(0, end - performance.now());
}

/** The error of a put that waited and failed. */
export function putError(end: number, wait: PutWait): unknown {
  return end === Put.failed ? wait.error : putShutDown();
}

/**
 * Loads the module of an item that a hook could not read.
 *
 * @throws The error, if it is another one.
 */
export async function loadModuleOf(error: unknown): Promise<void> {
  if (!(error instanceof ModuleNotLoaded)) throw error;
  await loadModule(error.url);
}

/** Ends a queue with hooks. */
export function endCustom(handle: Hooked, immediate: boolean): void {
  const queue = addressOf(handle);
  transact(handle, "shut down a queue", () => {
    while (immediate && sizeBy(handle) > 0) handle._get();
    return { ends: true, settle: () => shutDown(queue, immediate) };
  });
}
