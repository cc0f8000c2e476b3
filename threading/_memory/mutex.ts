/**
 * The ground mutex: guards the inner state of one shared object, the allocator
 * or a table for a few dozen instructions.
 *
 * A thread can be killed between any two instructions, and may run on for an
 * instant after it was told to stop. So it keeps a promise to its killers: its
 * slot says when it is changing the heap, from before it takes a ground mutex
 * until after it has released it (`Slot.ground`, `Slot.innerGround`), and from
 * the allocation of a block until it is linked somewhere (`Slot.openDrafts`). A
 * killer marks the victim as dying and waits until it is doing none of these; a
 * thread that begins one of them while it is marked parks for ever instead,
 * before it has touched anything. Both marks are separated from the reads
 * behind them by an atomic operation, so at least one of the two sees the
 * other's. What a victim still does outside of these, it does to what it has; so
 * that is given to others when it has stopped (`worker_pool.ts`).
 *
 * A thread that runs out of memory or of stack can leave a critical section in
 * the middle. Its slot still says so (`Slot.ground`), so the thread itself, when
 * it next comes here, or whoever cleans up after it, finishes the section: the
 * object is marked as damaged, and its mutex stays {@linkcode DAMAGED} for ever,
 * so that nobody enters a half-changed object (`finishSection` in
 * `shared_object.ts`).
 *
 * @module
 */

import { ThreadingError } from "../errors.ts";
import {
  add,
  compareExchange,
  exchange,
  futex,
  isExplored,
  isGone,
  isMain,
  load,
  self,
  Slot,
  store,
  wakeSlot,
  words,
} from "./heap.ts";

/** Set in the word when somebody sleeps on it. */
const CONTENDED = 0x4000_0000;
/** The mutex of a damaged object: nobody can take it any more. */
const DAMAGED = -1;
const SPINS = isExplored ? 0 : 400;
/**
 * How long a waiter sleeps before it looks again by itself: the one that a
 * release woke may have been killed before it could take the mutex.
 */
const RECHECK_MS = 10;

/** How long the main thread may be blocked without a sentinel. */
export const LONG_MS = 200;

/**
 * What the layers above do for the memory layer in this JavaScript thread. Each
 * is set when the module is loaded that does it. None of them runs user code,
 * but for `turn`.
 */
export const callbacks = {
  /** The thread finds itself marked as dying. Never returns. */
  dying(): void {},
  /** Finishes a section that the thread has left in the middle. */
  unfinished(_mutex: number): void {},
  /** Takes over the mutex of a worker that is gone; false if it is closed now. */
  inherit(_mutex: number): boolean {
    return true;
  },
  /** The thread has woken a promise-form wait of its own. */
  ownWake(): void {},
  /** A first promise-form wait begins, some were woken, or all have ended. */
  pendingChange(): void {},
  /** The thread was woken, whatever for. */
  wake(): void {},
  /** Waits of a dead thread have been left to those who know their objects. */
  waitsLeft(): void {},
  /** The main thread has been blocked for long; false to be asked again. */
  longWait(): boolean {
    return true;
  },
  /** The event loop turns. */
  turn(): void {},
  /** Does what is due; returns when to call again, by `performance.now()`. */
  due(): number {
    return Infinity;
  },
};

/**
 * Set in a worker that boots, which nobody kills by force, and while a thread
 * cleans up after itself before it parks.
 */
let exempt = true;

/** Says whether a thread that is marked as dying may take mutexes, to clean up. */
export function setExempt(cleansUp: boolean): void {
  exempt = cleansUp;
}

/**
 * Does what must not be left half-done, but has several critical sections. A
 * killer waits for the end of it, as for that of a section.
 */
export function doWholly(action: () => void): void {
  const before = exempt;
  // Atomic, so that the mark stands before `dying` is looked at.
  add(self + Slot.openDrafts, 1);
  if (isDying()) {
    add(self + Slot.openDrafts, -1);
    callbacks.dying();
  }
  exempt = true;
  try {
    action();
  } finally {
    exempt = before;
    add(self + Slot.openDrafts, -1);
  }
}

function isDying(): boolean {
  return words[self + Slot.dying] !== 0 && !exempt;
}

/** Finishes the sections of this thread that an error has ended. */
function finishOwn(): void {
  requireStack();
  if (words[self + Slot.innerGround] !== 0) finishInner();
  const outer = words[self + Slot.ground];
  if (outer !== 0) callbacks.unfinished(outer);
  words[self + Slot.ground] = 0;
}

function finishInner(): void {
  const inner = words[self + Slot.innerGround];
  // What finishes it takes inner mutexes itself.
  words[self + Slot.innerGround] = 0;
  callbacks.unfinished(inner);
}

/**
 * To be called outside of critical sections, before this thread waits: finishes
 * what it left in the middle, and parks for ever if it has been marked as dying.
 */
export function checkDying(): void {
  if ((words[self + Slot.ground] | words[self + Slot.innerGround]) !== 0) {
    finishOwn();
  }
  if (isDying()) callbacks.dying();
}

/** Nobody can know before it runs, so the call below is not left out. */
const never = self < 0;

/**
 * Throws a RangeError here rather than in the middle of a change, where a
 * stack overflow would leave the change half-made.
 *
 * V8 looks whether there is room for the whole frame when a function is
 * entered, in compiled code for that of the uncompiled one. A function has a
 * register for each argument of its longest call: 256 of them are 2 KiB, more
 * than any critical section needs, and a check of a few nanoseconds, where a
 * recursion that uses up as much takes sixty.
 */
function reserveStack(): void {
  // deno-fmt-ignore
  if (never) registers(
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  );
}

function registers(..._: number[]): void {}

/** How many frames of 2 KiB leave room for whatever is done rarely. */
const DEEP = 32;

/** Throws a RangeError here unless there is much stack left. */
export function requireStack(frames: number = DEEP): void {
  reserveStack();
  if (frames > 0) requireStack(frames - 1);
}

/** The error of using an object that was left half-changed. */
export function damagedError(name = "a shared object"): ThreadingError {
  return new ThreadingError(
    `Cannot use ${name}: a thread ran out of memory or stack while it changed it; make a new one`,
  );
}

/**
 * Takes a ground mutex. Nothing may be thrown until {@linkcode unlock}, no
 * user code may run, and only {@linkcode lockInner} may nest in it.
 *
 * @throws {ThreadingError} If the object is damaged.
 * @throws {RangeError} If there is too little stack. In both cases nothing has
 * changed.
 */
export function lock(mutex: number): void {
  if (!tryLock(mutex)) throw damagedError();
}

/** Like {@linkcode lock}, but returns false if the object is damaged. */
export function tryLock(mutex: number): boolean {
  reserveStack();
  // Atomic, so that the mark stands before `dying` is looked at.
  const unfinished = exchange(self + Slot.ground, mutex);
  if (unfinished !== 0) {
    words[self + Slot.ground] = unfinished;
    finishOwn();
    exchange(self + Slot.ground, mutex);
  }
  if (words[self + Slot.dying] !== 0 && isDying()) {
    words[self + Slot.ground] = 0;
    callbacks.dying();
  }
  if (compareExchange(mutex, 0, self) === 0 || lockSlow(mutex)) return true;
  words[self + Slot.ground] = 0;
  return false;
}

/** Releases a ground mutex. */
export function unlock(mutex: number): void {
  const holder = exchange(mutex, 0);
  if (holder & CONTENDED) passOn(mutex, holder);
  store(self + Slot.ground, 0);
}

/**
 * Takes a ground mutex inside or outside of another one's section.
 *
 * @returns Whether it was taken; not if its object is damaged. Release it with
 * {@linkcode unlockInner} in either case.
 */
export function lockInner(mutex: number): boolean {
  const unfinished = exchange(self + Slot.innerGround, mutex);
  if (unfinished !== 0) {
    words[self + Slot.innerGround] = unfinished;
    finishInner();
    exchange(self + Slot.innerGround, mutex);
  }
  // Inside another section the outer one must be finished first.
  if (isDying() && words[self + Slot.ground] === 0) {
    words[self + Slot.innerGround] = 0;
    callbacks.dying();
  }
  return compareExchange(mutex, 0, self) === 0 || lockSlow(mutex);
}

/** Releases a ground mutex taken with {@linkcode lockInner}. */
export function unlockInner(mutex: number): void {
  const holder = exchange(mutex, 0);
  if (holder & CONTENDED) passOn(mutex, holder);
  store(self + Slot.innerGround, 0);
}

/** Wakes the next sleeper; a mutex that somebody has closed stays closed. */
function passOn(mutex: number, holder: number): void {
  if (holder === DAMAGED) closeMutex(mutex);
  else futex.notify(words, mutex, 1);
}

/** Whether the thread of a slot is changing the heap. */
export function isChangingHeap(slot: number): boolean {
  return load(slot + Slot.ground) !== 0 ||
    load(slot + Slot.innerGround) !== 0 ||
    load(slot + Slot.openDrafts) !== 0;
}

/*
 * Who wakes a thread that sleeps here: the holder, when it releases the mutex.
 * If the holder is gone, it was cleaned up after, which releases the mutex or
 * closes it, or it was not: then the sleeper, which looks every few
 * milliseconds, finds it out for itself (`isGone`) and takes the mutex over.
 * That matters when the main thread, which cleans up, is a sleeper, or when it
 * waits for one. The sentinel notices dead workers, so the main thread must
 * start it from here, too.
 *
 * What is taken over: a table as it is, as from a holder that has released it;
 * the allocator, with all that is derived from the sizes of the blocks made anew;
 * of an object, nothing: it is marked as damaged, and its mutex closed. Whoever
 * cleans up later finds the mark, closes the other mutexes of the object, and
 * ends the waits there (`finishSection`). Two sleepers cannot both take over,
 * since one compare-exchange does it.
 */

/** Returns false if the mutex is that of a damaged object. */
function lockSlow(mutex: number): boolean {
  for (let spin = 0; spin < SPINS; spin++) {
    if (load(mutex) === 0 && compareExchange(mutex, 0, self) === 0) return true;
  }
  // From here on the word is taken as contended: there may be other sleepers.
  for (let timeouts = 0;;) {
    const holder = load(mutex);
    if (holder === DAMAGED) return false;
    if (holder === 0) {
      if (compareExchange(mutex, 0, self | CONTENDED) === 0) return true;
    } else if (
      holder & CONTENDED ||
      compareExchange(mutex, holder, holder | CONTENDED) === holder
    ) {
      const seen = holder | CONTENDED;
      const end = futex.wait(words, mutex, seen, RECHECK_MS);
      if (end !== "timed-out") continue;
      const slot = holder & ~CONTENDED;
      if (!isGone(slot)) {
        // So long is no section. Its holder may have left it in the middle: if
        // it is in its event loop, it now finishes it, see `checkDying`.
        wakeSlot(slot);
        if (
          isMain && ++timeouts * RECHECK_MS >= LONG_MS && callbacks.longWait()
        ) {
          timeouts = -Infinity;
        }
      } else if (compareExchange(mutex, seen, self | CONTENDED) === seen) {
        return callbacks.inherit(mutex);
      }
    }
  }
}

/** The slot of the mutex' holder, or 0. */
export function holderOf(mutex: number): number {
  const holder = load(mutex);
  return holder === DAMAGED ? 0 : holder & ~CONTENDED;
}

/** How long a critical section takes at most if nobody died in it. */
const PATIENCE_MS = 1000;

/**
 * Makes this thread the holder of a mutex so that it can close it, also if
 * another thread died with it.
 *
 * @param mutex The mutex.
 * @param dead The slot of the thread that died with it, or 0.
 */
export function takeToClose(mutex: number, dead: number): void {
  exchange(self + Slot.ground, mutex);
  const deadline = performance.now() + PATIENCE_MS;
  while (
    holderOf(mutex) !== dead && !isClosed(mutex) &&
    compareExchange(mutex, 0, self) !== 0 && performance.now() < deadline
  ) {
    // Sections take microseconds; nobody notifies this word.
    const word = self + Slot.waitsFor;
    futex.wait(words, word, words[word], 0.05);
  }
}

/** Releases a mutex for a holder that is dead. */
export function breakMutex(mutex: number): void {
  exchange(mutex, 0);
  futex.notify(words, mutex);
}

/** Closes the mutex of a damaged object for ever. */
export function closeMutex(mutex: number): void {
  exchange(mutex, DAMAGED);
  futex.notify(words, mutex);
}

/** Whether the mutex is that of a damaged object. */
export function isClosed(mutex: number): boolean {
  return load(mutex) === DAMAGED;
}
