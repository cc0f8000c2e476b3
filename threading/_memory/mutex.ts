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
 * other's. What a victim executes after that changes nothing on the heap.
 *
 * @module
 */

import { compareExchange, exchange, load, store, words } from "./heap.ts";
import { self, Slot } from "./slot.ts";

/** Set in the word when somebody sleeps on it. */
const CONTENDED = 0x4000_0000;
const SPINS = 400;
/**
 * A sleeper looks again by itself after so many milliseconds: the one that a
 * release woke may have been killed before it could take the mutex.
 */
const RECHECK_MS = 10;

/** What a thread does that finds itself marked as dying; never returns. */
let park: () => void = () => {};

/** Sets what a thread does that finds itself marked as dying. */
export function onDying(parkForever: () => void): void {
  park = parkForever;
  exempt = false;
}

/**
 * Set in a worker that boots, which nobody kills by force, and while a thread
 * cleans up after itself before it parks.
 */
let exempt = true;

/** Lets a thread that has been marked as dying take mutexes to clean up. */
export function setExempt(cleansUp: boolean): void {
  exempt = cleansUp;
}

function isDying(): boolean {
  return words[self + Slot.dying] !== 0 && !exempt;
}

/** Parks for ever if this thread has been marked as dying. */
export function checkDying(): void {
  if (isDying()) park();
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
  if (!never) return;
  // deno-fmt-ignore
  registers(
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

/**
 * Takes a ground mutex. Nothing may be thrown until {@linkcode unlock}, no
 * user code may run, and only {@linkcode lockInner} may nest in it.
 */
export function lock(mutex: number): void {
  reserveStack();
  // Atomic, so that the mark stands before `dying` is looked at.
  exchange(self + Slot.ground, mutex);
  if (isDying()) {
    words[self + Slot.ground] = 0;
    park();
  }
  if (compareExchange(mutex, 0, self) !== 0) lockSlow(mutex);
}

/** Releases a ground mutex. */
export function unlock(mutex: number): void {
  if (exchange(mutex, 0) & CONTENDED) Atomics.notify(words, mutex, 1);
  store(self + Slot.ground, 0);
}

/** Takes a ground mutex inside or outside of another one's section. */
export function lockInner(mutex: number): void {
  exchange(self + Slot.innerGround, mutex);
  // Inside another section the outer one must be finished first.
  if (isDying() && words[self + Slot.ground] === 0) {
    words[self + Slot.innerGround] = 0;
    park();
  }
  if (compareExchange(mutex, 0, self) !== 0) lockSlow(mutex);
}

/** Releases a ground mutex taken with {@linkcode lockInner}. */
export function unlockInner(mutex: number): void {
  if (exchange(mutex, 0) & CONTENDED) Atomics.notify(words, mutex, 1);
  store(self + Slot.innerGround, 0);
}

/** Whether the thread of a slot is changing the heap. */
export function isChangingHeap(slot: number): boolean {
  return load(slot + Slot.ground) !== 0 ||
    load(slot + Slot.innerGround) !== 0 ||
    load(slot + Slot.openDrafts) !== 0;
}

function lockSlow(mutex: number): void {
  for (let spin = 0; spin < SPINS; spin++) {
    if (load(mutex) === 0 && compareExchange(mutex, 0, self) === 0) return;
  }
  // From here on the word is taken as contended: there may be other sleepers.
  for (;;) {
    const holder = load(mutex);
    if (holder === 0) {
      if (compareExchange(mutex, 0, self | CONTENDED) === 0) return;
    } else if (
      holder & CONTENDED ||
      compareExchange(mutex, holder, holder | CONTENDED) === holder
    ) {
      Atomics.wait(words, mutex, holder | CONTENDED, RECHECK_MS);
    }
  }
}

/** The slot of the mutex' holder, or 0. */
export function holderOf(mutex: number): number {
  return load(mutex) & ~CONTENDED;
}

/** Releases a mutex for a holder that is dead. */
export function breakMutex(mutex: number): void {
  exchange(mutex, 0);
  Atomics.notify(words, mutex);
}
