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
 * A read-write lock has more words; they are in the second half.
 *
 * @module
 */

import {
  addOwner,
  glanceText,
  readRecord,
  releaseRecord,
} from "../_codec/record.ts";
import { addDraft, referenceDraft } from "../_memory/allocator.ts";
import {
  add,
  compareExchange,
  Field,
  load,
  MAX_LOCKS,
  MAX_SLOTS,
  or,
  ownerWord,
  self,
  Slot,
  slotOf,
  store,
  tid,
  words,
} from "../_memory/heap.ts";
import { lock, tryLock, unlock } from "../_memory/mutex.ts";
import {
  classOf,
  counted,
  lookAtWaiters,
  naming,
} from "../_memory/shared_class.ts";
import { giveBack } from "../_memory/shared_object.ts";
import {
  isTracing,
  noteReleased,
  noteTaken,
  TraceBit,
  TRACING,
} from "../_memory/trace.ts";
import {
  allocateNode,
  dequeue,
  firstOf,
  freeNode,
  isOwnTask,
  isUnseen,
  MAIN_QUEUE,
  Node,
  NodeFlag,
  type Protocol,
  Wake,
  wake,
  wakeAll,
} from "../_memory/wait_queue.ts";
import { DeadlockError, OwnerDiedError } from "../errors.ts";

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

/** The lock word of a lock that a node's thread holds in the node's form. */
export function wordOf(node: number): number {
  const promise = words[node + Node.flags] & NodeFlag.promise ? PROMISE : 0;
  return words[node + Node.tid] << 2 | promise;
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

/** The holder of a lock that only its holder can release. */
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

// The words of a read-write lock: who reads, who writes, and who waits
//
// The writer is the owner of a lock word, as that of a Lock is: a thread that
// dies with it poisons the lock in the same way.
//
// Readers have no word in common. Each thread that reads has a share of the
// lock, a node of its own with a count of its guards. To read is to count up
// and to look at the lock's gate: if that is open, nobody writes or waits. To
// write is to close the gate and to read all counts. Both are sequentially
// consistent, so at least one of the two sees the other. A reader that finds
// the gate closed counts down and waits in the queue; a writer that finds a
// count waits there, too. The counts tell what a dead thread still had, which
// is given back for it: its share is among its nodes (`reaper.ts`).
//
//     the word   who writes: 0, `tid << 2`, or POISONED
//     the gate   0 only if nobody writes and nobody waits
//
// Who wakes whom: the gate is closed for as long as somebody is in the queue. So
// whoever lets go, of a share or of the word, and whoever gives up waiting, goes
// through the mutex and serves the queue (`serve`). It hands over: a writer is
// made the owner of the word, a reader's count goes up, before either is woken.
// A writer joins the queue in the section in which it saw the counts, with the
// gate closed: the reader whose count it saw finds the gate closed when it
// counts down, and serves the queue behind that section. No wake-up is lost.
//
// Writers go first: a reader that comes while one waits waits, too. Readers that
// wait are let in, all at once, when no writer waits, or after a number of writers
// have gone before them.
//
// A task whose thread blocks cannot use what it was handed. It is taken back and
// goes to others; the task tries again when its thread goes on.

const MAX_OVERTAKEN = 8;

/** Words of an RwLock. */
export const RwField = {
  /** Not 0 if a reader must go through the mutex. */
  gate: LOCK_WORDS,
  /** First of the list of shares, linked by their nodes. */
  shares: LOCK_WORDS + 1,
  /** How many writers have gone before readers that wait. */
  overtaken: LOCK_WORDS + 2,
} as const;
export const RW_WORDS = LOCK_WORDS + 3;

/** Flag of a node: it is a share. */
const SHARE_FLAG = 1 << 8;
/** In a share: the number of guards. Apart from what other threads write. */
export const COUNT = 24;
const SHARE_WORDS = 32;
/** In a node that waits to read: its thread's share; 0 in one to write. */
const SHARE_OF = Node.value;

/** Links a node of this thread as its share; it keeps the lock alive. */
export function addShare(object: number): number {
  const share = allocateNode(SHARE_FLAG, 0, SHARE_WORDS);
  words[share + SHARE_OF] = share;
  lock(object + Field.mutex);
  const first = words[object + RwField.shares];
  words[share + Node.next] = first;
  if (first !== 0) words[first + Node.previous] = share;
  words[object + RwField.shares] = share;
  words[share + Node.state] = Wake.granted;
  words[share + Node.object] = object;
  add(object + Field.references, 1);
  unlock(object + Field.mutex);
  return share;
}

/**
 * Gives a share back that has no guard.
 *
 * @returns Whether it had none, and the lock is whole.
 */
export function removeShare(object: number, share: number): boolean {
  if (load(share + COUNT) > 0 || !tryLock(object + Field.mutex)) return false;
  unlinkShare(object, share);
  unlock(object + Field.mutex);
  freeNode(share);
  giveBack(object);
  return true;
}

/** In the critical section: its reference to the lock is this thread's then. */
function unlinkShare(object: number, node: number): void {
  const next = words[node + Node.next];
  const previous = words[node + Node.previous];
  if (next !== 0) words[next + Node.previous] = previous;
  if (previous === 0) words[object + RwField.shares] = next;
  else words[previous + Node.next] = next;
  store(node + COUNT, 0);
  words[node + Node.object] = 0;
  addDraft(referenceDraft(object));
}

/** Under the mutex: whether anybody reads, or is about to see that it must not. */
function isRead(object: number): boolean {
  let share = words[object + RwField.shares];
  while (share !== 0) {
    if (load(share + COUNT) > 0) return true;
    share = words[share + Node.next];
  }
  return false;
}

/** Under the mutex: the share of this thread, or 0. */
function ownShare(object: number): number {
  let share = words[object + RwField.shares];
  while (share !== 0 && words[share + Node.slot] !== self) {
    share = words[share + Node.next];
  }
  return share;
}

/**
 * Under the mutex: lets in the next in the queue, if possible.
 *
 * @param skipOwn Leaves out tasks of this thread, which blocks.
 */
function serve(object: number, skipOwn = false): void {
  if (load(object + LockField.word) !== 0) return;
  let reader = 0;
  let writer = 0;
  for (let node = firstOf(object); node !== 0; node = words[node + Node.next]) {
    if (skipOwn && isOwnTask(node)) continue;
    if (words[node + SHARE_OF] !== 0) reader ||= node;
    else writer ||= node;
  }
  const patient = words[object + RwField.overtaken] < MAX_OVERTAKEN;
  if (writer === 0 || (reader !== 0 && !patient && !isRead(object))) {
    words[object + RwField.overtaken] = 0;
    letReadersIn(object, skipOwn);
  } else if (!isRead(object)) {
    if (reader !== 0) words[object + RwField.overtaken]++;
    dequeue(writer);
    store(object + LockField.word, wordOf(writer));
    wake(writer, Wake.granted);
    return;
  }
  store(object + RwField.gate, firstOf(object) === 0 ? 0 : 1);
}

function letReadersIn(object: number, skipOwn: boolean): void {
  for (let node = firstOf(object); node !== 0;) {
    const next = words[node + Node.next];
    const share = words[node + SHARE_OF];
    if (share !== 0 && !(skipOwn && isOwnTask(node))) {
      dequeue(node);
      add(share + COUNT, 1);
      wake(node, Wake.granted);
    }
    node = next;
  }
}

/** Under the mutex: begins to read if that need not wait. */
function beginRead(object: number, share: number): boolean {
  // Only tasks of blocked threads are left there.
  if (firstOf(object) !== 0) serve(object);
  if (load(object + LockField.word) !== 0 || firstOf(object) !== 0) {
    return false;
  }
  store(object + RwField.gate, 0);
  add(share + COUNT, 1);
  return true;
}

/** Under the mutex: begins to write if that need not wait, or closes the gate. */
function beginWrite(object: number, word: number): boolean {
  if (firstOf(object) !== 0) serve(object);
  // Before the counts are read.
  store(object + RwField.gate, 1);
  if (
    load(object + LockField.word) !== 0 || firstOf(object) !== 0 ||
    isRead(object)
  ) return false;
  store(object + LockField.word, word);
  return true;
}

/** Under the mutex: takes back what a node was handed. */
function undoGrant(object: number, node: number): void {
  const share = words[node + SHARE_OF];
  if (share !== 0) add(share + COUNT, -1);
  else if (load(object + LockField.word) === wordOf(node)) {
    store(object + LockField.word, 0);
  }
}

function decline(object: number, node: number): void {
  lock(object + Field.mutex);
  if (words[node + Node.state] === Wake.granted) {
    words[node + Node.state] = Wake.retry;
    undoGrant(object, node);
    serve(object, true);
  }
  unlock(object + Field.mutex);
}

export const readProtocol: Protocol = {
  take(object, node) {
    if (isPoisoned(object)) return Wake.refused;
    const share = words[node + SHARE_OF] = ownShare(object);
    if (beginRead(object, share)) return Wake.granted;
    store(object + RwField.gate, 1);
    return Wake.waiting;
  },
  withdraw: (object) => serve(object),
  undo(object, node, state) {
    abandonRw(object, node, state);
    return state !== Wake.refused;
  },
  decline,
};

export const writeProtocol: Protocol = {
  ...readProtocol,
  take(object, node) {
    if (isPoisoned(object)) return Wake.refused;
    words[node + SHARE_OF] = 0;
    note(object);
    return beginWrite(object, wordOf(node)) ? Wake.granted : Wake.waiting;
  },
};

/** What a dead thread had, or had been handed, goes to the next. */
export function abandonRw(object: number, node: number, state: number): void {
  const isShare = (words[node + Node.flags] & SHARE_FLAG) !== 0;
  if (isShare && words[TRACING] !== 0) {
    for (let count = load(node + COUNT); count > 0; count--) {
      noteReleased(object, words[node + Node.tid], node);
    }
  }
  lock(object + Field.mutex);
  if (isShare) unlinkShare(object, node);
  else if (state === Wake.granted) undoGrant(object, node);
  serve(object);
  unlock(object + Field.mutex);
  if (isShare) giveBack(object);
}

export function serveLocked(object: number): void {
  lock(object + Field.mutex);
  serve(object);
  unlock(object + Field.mutex);
}

/** The writer goes, or goes on to read by its share. */
export function endWrite(object: number, share: number): void {
  lock(object + Field.mutex);
  if (ownerOf(load(object + LockField.word)) === tid) {
    if (share !== 0) add(share + COUNT, 1);
    store(object + LockField.word, 0);
    serve(object);
  }
  unlock(object + Field.mutex);
}

export function tryRead(object: number, share: number): boolean {
  lock(object + Field.mutex);
  const begun = beginRead(object, share);
  unlock(object + Field.mutex);
  return begun;
}

export function tryWrite(object: number): boolean {
  note(object);
  lock(object + Field.mutex);
  const begun = beginWrite(object, ownerWord);
  // Nobody was kept out, if there was nothing to wait for but readers.
  if (!begun) serve(object);
  unlock(object + Field.mutex);
  return begun;
}

export function countReaders(object: number): number {
  let count = 0;
  lock(object + Field.mutex);
  if (load(object + LockField.word) === 0) {
    let share = words[object + RwField.shares];
    for (; share !== 0; share = words[share + Node.next]) {
      count += load(share + COUNT);
    }
  }
  unlock(object + Field.mutex);
  return count;
}

/** The threads that a node waits for, see `deadlock.ts`. */
export function holdersOfRw(object: number, node: number): number[] {
  const owner = ownerOf(load(object + LockField.word));
  if (owner !== 0) return [owner];
  const holders: number[] = [];
  if (words[node + SHARE_OF] === 0) {
    eachShare(object, (share) => {
      if (load(share + COUNT) > 0) holders.push(words[share + Node.tid]);
    });
    return holders;
  }
  // A reader waits for the first writer in line, if that sleeps in this wait.
  let next = words[object + Field.head];
  for (let i = 0; i < MAX_SLOTS && words[next + Node.object] === object; i++) {
    const sleeps = words[words[next + Node.slot] + Slot.blockedNode] === next;
    if (words[next + SHARE_OF] === 0) {
      return sleeps ? [words[next + Node.tid]] : [];
    }
    next = words[next + Node.next];
  }
  return holders;
}

/** Looks at all shares, without the mutex: there may be others by now. */
function eachShare(object: number, look: (share: number) => void): void {
  let share = words[object + RwField.shares];
  for (let i = 0; i < MAX_SLOTS; i++) {
    if (share === 0 || words[share + Node.object] !== object) return;
    look(share);
    share = words[share + Node.next];
  }
}

/** What there is to see of a lock. */
export function lookAtRw(object: number): string[] {
  let count = 0;
  eachShare(object, (share) => count += words[share + COUNT]);
  const reads = count > 0 && load(object + LockField.word) === 0;
  return [
    ...reads ? [counted(count, "reader")] : lookAtOwner(object, "written"),
    ...lookAtWaiters(object),
  ];
}

/**
 * To be called before this thread blocks for the lock without a timeout.
 *
 * @param share The thread's share, if readers are in the way.
 * @throws {DeadlockError} If the thread itself has what it would wait for.
 */
export function refuseOwn(
  object: number,
  share: number,
  timeout: number,
  what: string,
): void {
  if (timeout !== Infinity) return;
  lock(object + Field.mutex);
  // What a task was given just now, this thread passes on when it blocks.
  const writes = ownerOf(load(object + LockField.word)) === tid &&
    !isUnseen(object);
  const reads = share !== 0 &&
    load(share + COUNT) > unseenReads(object, share);
  unlock(object + Field.mutex);
  if (!writes && !reads) return;
  throw new DeadlockError(
    `Cannot ${what}: this thread has it for ${
      writes ? "writing" : "reading"
    }, and could never release it while it waits for itself`,
  );
}

/** Under the mutex: how many tasks of this thread may read and do not know. */
function unseenReads(object: number, share: number): number {
  let count = 0;
  let node = words[self + Slot.nodes];
  for (; node !== 0; node = words[node + Node.listNext]) {
    if (
      words[node + Node.object] === object && node !== share &&
      words[node + SHARE_OF] === share &&
      load(node + Node.state) === Wake.granted
    ) count++;
  }
  return count;
}
