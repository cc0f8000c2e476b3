/**
 * The words of a read-write lock: who reads, who writes, and who waits.
 *
 * @module
 */

import { DeadlockError } from "../errors.ts";
import { addDraft, referenceDraft } from "../_memory/allocator.ts";
import {
  add,
  Field,
  load,
  MAX_SLOTS,
  ownerWord,
  self,
  Slot,
  store,
  tid,
  words,
} from "../_memory/heap.ts";
import { counted, lookAtWaiters } from "../_memory/looking.ts";
import { lock, tryLock, unlock } from "../_memory/mutex.ts";
import { giveBack } from "../_memory/shared_object.ts";
import { noteReleased, TRACING } from "../_memory/trace.ts";
import {
  allocateNode,
  dequeue,
  firstOf,
  freeNode,
  isOwnTask,
  isUnseen,
  Node,
  type Protocol,
  Wake,
  wake,
} from "../_memory/wait_queue.ts";
import { wordOf } from "./lock.ts";
import {
  isPoisoned,
  LOCK_WORDS,
  LockField,
  lookAtOwner,
  note,
  ownerOf,
} from "./lock_word.ts";

// The writer is the owner of a lock word, as that of a Lock is: a thread that
// dies with it poisons the lock in the same way (`lock_word.ts`).
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
// wait are let in, all at once, when no writer waits, or after so many writers
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
