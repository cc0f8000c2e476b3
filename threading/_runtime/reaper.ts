/**
 * Cleaning up after a thread that died: its locks are poisoned, what its waits
 * were given is passed on, its blocks are given back, and its joiners are
 * woken.
 *
 * The dying thread does it itself, as its last act, where it can; else it is
 * done by the main thread, or by any thread that waits. `Slot.dying` decides
 * who: only the one that moved it from `no` or `asked` to another stage cleans
 * up.
 *
 * @module
 */

import { addDraft, removeDraft } from "../_memory/allocator.ts";
import {
  compareExchange,
  Dying,
  exchange,
  Field,
  futex,
  Header,
  heapName,
  isExplored,
  isGone,
  load,
  requestHost,
  self,
  Slot,
  slotAt,
  SlotState,
  store,
  words,
} from "../_memory/heap.ts";
import {
  callbacks,
  doWholly,
  isClosed,
  lock,
  unlock,
} from "../_memory/mutex.ts";
import {
  draftRecord,
  refersTo,
  releaseDraftsOf,
  releaseRecord,
} from "../_codec/record.ts";
import { classOf, strangers } from "../_memory/shared_class.ts";
import {
  finishLeaving,
  finishSection,
  giveBack,
  releaseHoldsOf,
  releaseLeavingOf,
} from "../_memory/shared_object.ts";
import {
  deallocateNode,
  dequeue,
  hasWaits,
  lockObjectOf,
  Node,
  unlistNode,
  Wake,
} from "../_memory/wait_queue.ts";
import { heldLocks, poison } from "../sync/lock_word.ts";
import {
  adoptCompanion,
  freeSlot,
  leave,
  nameOf,
  noRoom,
  retire,
  settle,
  ThreadField,
  ThreadStage,
  vacate,
} from "./thread_table.ts";
import { HeapExhaustedError, ThreadingError } from "../errors.ts";
import { setLifeLock } from "../../_internal/worker_module.ts";
import { addOnWake } from "../_memory/wait.ts";
import { builtIn } from "../../_internal/built_in.ts";

/** Tries to become the one that cleans up; false if somebody else does. */
export function claimDeath(slot: number, stage: number): boolean {
  return moveDying(slot, [Dying.no, Dying.asked], stage);
}

/** The same for a worker that has ended, at whatever stage. */
export function claimRemains(slot: number): boolean {
  return moveDying(
    slot,
    [Dying.no, Dying.asked, Dying.parking],
    Dying.buried,
  );
}

/*
 * Workers that ended without last words: they ran out of memory. The main
 * thread hears of it by an event, or, if it is blocked, from the sentinel
 * (`worker_pool.ts`), which marks the slot (`isGone`), counts
 * `Header.goneWorkers` and wakes the main thread, and a little later, should
 * that be busy with something else, all threads. A thread looks at the count
 * whenever it wakes, before it sleeps; so whoever waits for what a dead one
 * holds is, at worst, the one that cleans up.
 */

let seenGone = 0;

/** Cleans up after workers that are gone, unless somebody else does. */
function buryGone(): void {
  const gone = load(Header.goneWorkers);
  if (gone === seenGone) return;
  seenGone = gone;
  const used = load(Header.usedSlots);
  for (let i = 1; i < used; i++) {
    const slot = slotAt(i);
    if (isGone(slot)) doWholly(() => bury(slot));
  }
}

addOnWake(buryGone);

function bury(slot: number): void {
  // The slot is set free, and `guarded` reset, under the registry mutex.
  lock(Header.registryMutex);
  const found = isGone(slot) && claimRemains(slot);
  unlock(Header.registryMutex);
  if (!found) return;
  const thread = words[slot + Slot.thread];
  const name = thread === 0 ? "" : nameOf(thread);
  reap(slot, outOfMemory(name));
  store(slot + Slot.dying, Dying.parked);
  requestHost();
}

function moveDying(slot: number, stages: number[], to: number): boolean {
  return stages.some((from) =>
    compareExchange(slot + Slot.dying, from, to) === from
  );
}

/**
 * Cleans up after the thread in a slot, which runs no more (or is this one).
 *
 * @param slot The slot.
 * @param error What joining the thread is to throw.
 * @param state How the thread ended.
 */
export function reap(
  slot: number,
  error: unknown,
  state: number = ThreadStage.failed,
): void {
  finishSections(slot);
  // One that died while it was idle must not be given another thread.
  retire(slot);
  takeInCompanion(slot);
  abandonWaits(slot, error);
  if (words[slot + Slot.ending] !== 0) settle(slot);
  leave(slot);
  const thread = words[slot + Slot.thread];
  if (thread !== 0) {
    poisonLocks(slot, thread);
    const result = draftError(error, thread);
    if (result !== 0) {
      lock(slot + Slot.mutex);
      removeDraft(result);
      addDraft(result, slot);
      unlock(slot + Slot.mutex);
    }
    vacate(slot, { state, result, fields: 0 }, { idle: false, lingers: false });
    releaseLeavingOf(slot, (address) => refersTo(result, address));
    settle(slot);
    giveBack(thread);
  }
  releaseJob(slot);
  releaseDraftsOf(slot);
  if (!hasWaits(slot)) releaseHoldsOf(slot);
  finishLeaving();
}

/** The node that came with a job that the worker did not come to. */
function takeInCompanion(slot: number): void {
  if (words[slot + Slot.companion] === 0) return;
  lock(slot + Slot.mutex);
  adoptCompanion(slot);
  unlock(slot + Slot.mutex);
}

/** Gives back a job that the worker did not come to. */
function releaseJob(slot: number): void {
  lock(slot + Slot.mutex);
  const job = exchange(slot + Slot.job, 0);
  if (job !== 0) releaseRecord(job);
  unlock(slot + Slot.mutex);
}

/**
 * Finishes the critical sections of a dead thread. One that was killed has none
 * (see `mutex.ts`); one that ran out of memory or stack may have stopped in the
 * middle of a change.
 */
function finishSections(slot: number): void {
  for (const field of [Slot.innerGround, Slot.ground]) {
    const mutex = words[slot + field];
    // First: if it is this thread's own, finishing it takes mutexes, too.
    if (field === Slot.innerGround) words[slot + field] = 0;
    if (mutex !== 0) finishSection(mutex, slot);
    words[slot + field] = 0;
  }
}

/*
 * Only the class of an object knows what a wait at it had been given
 * (`SharedClass.abandon`). The thread that cleans up may not have loaded that
 * class: that of a queue which only other threads import, say. Then the wait is
 * left to others. It stays where it is, and the dead thread keeps its handles
 * and its slot.
 *
 * Who wakes whom: whoever leaves waits counts `Header.leftWaits` and wakes all
 * threads. A thread looks at the count whenever it wakes, before it sleeps, and
 * when it meets an object or has loaded a class. So a waiter that is due the
 * item of a dead one gets it: the waiter knows the class itself.
 */

/**
 * Ends all waits of a thread that has ended, and what it had been given.
 *
 * @param slot Its slot.
 * @param cause What it died of, if that is known here.
 */
export function abandonWaits(slot: number, cause?: unknown): void {
  abandonWait(slot + Slot.node, cause);
  for (let node = words[slot + Slot.nodes]; node !== 0;) {
    const next = words[node + Node.listNext];
    const fate = abandonWait(node, cause);
    if (fate === Fate.left) {
      node = next;
      continue;
    }
    if (fate === Fate.over) {
      lock(slot + Slot.mutex);
      unlistNode(node);
      deallocateNode(node);
      unlock(slot + Slot.mutex);
    }
    // Others may have left the list with it.
    node = words[slot + Slot.nodes];
  }
}

/** Abandons the waits left by others whose objects this thread knows. */
function abandonLeft(): void {
  while (load(Header.leftWaits) !== strangers.seenWaits) {
    strangers.seenWaits = load(Header.leftWaits);
    const used = load(Header.usedSlots);
    for (let i = 1; i < used; i++) {
      const slot = slotAt(i);
      if (load(slot + Slot.state) >= SlotState.left) {
        doWholly(() => abandonLeftIn(slot));
      }
    }
  }
}

/** Another thread that is at it needs no longer than a few sections. */
const PATIENCE_MS = 1000;

function abandonLeftIn(slot: number): void {
  const { left, claimed } = SlotState;
  const deadline = performance.now() + PATIENCE_MS;
  const state = slot + Slot.state;
  while (compareExchange(state, left, claimed) !== left) {
    if (load(state) !== claimed || performance.now() > deadline) return;
    // Nobody notifies this word.
    const word = self + Slot.waitsFor;
    futex.wait(words, word, words[word], 0.05);
  }
  abandonWaits(slot);
  if (hasWaits(slot)) {
    store(state, left);
  } else {
    releaseHoldsOf(slot);
    freeSlot(slot);
  }
}

callbacks.waitsLeft = abandonLeft;
addOnWake(abandonLeft);

/** What has become of a dead thread's node. */
const Fate = {
  /** It is of no more use. */
  over: 0,
  /** It belongs to the object, and has left the list of its thread. */
  taken: 1,
  /** It is as it was: this thread does not know the object's class. */
  left: 2,
} as const;

/** Takes a dead thread's node out of its queue, or passes on what it got. */
function abandonWait(node: number, cause: unknown): number {
  const at = words[node + Node.object];
  if (at === 0) return Fate.over;
  if (classOf(at) === undefined && !isClosed(at + Field.mutex)) {
    return Fate.left;
  }
  const object = lockObjectOf(node);
  // A damaged object has no waiters, and nothing to give.
  if (object === 0) {
    words[node + Node.object] = 0;
    return Fate.over;
  }
  const shared = classOf(object);
  const state = words[node + Node.state];
  if (state === Wake.waiting) dequeue(node);
  if (state === Wake.waiting || state === Wake.passed) {
    shared?.protocol?.withdraw?.(object, node);
  }
  unlock(object + Field.mutex);
  if (state !== Wake.waiting && shared?.abandon?.(object, node, state, cause)) {
    return Fate.taken;
  }
  words[node + Node.object] = 0;
  const origin = words[node + Node.origin];
  words[node + Node.origin] = 0;
  if (origin !== 0) classOf(origin)?.replace?.(origin);
  return Fate.over;
}

/** Poisons all locks that a dead thread held. */
function poisonLocks(slot: number, thread: number): void {
  poisonEach(heldLocks(slot), slot, thread);
}

/**
 * Poisons what a thread that ends by itself holds and nobody could release any
 * more: after an error everything, after a return its RLocks, which only their
 * owner can release.
 */
export function poisonLeft(slot: number, thread: number, state: number): void {
  const held = heldLocks(slot);
  poisonEach(
    state === ThreadStage.failed
      ? held
      : held.filter((address) => classOf(address)?.reentrant),
    slot,
    thread,
  );
}

function poisonEach(locks: number[], slot: number, thread: number): void {
  if (locks.length === 0) return;
  const name = words[thread + ThreadField.name];
  for (const held of locks) poison(held, words[slot + Slot.tid], name);
}

// The errors that joining throws if the thread did not end by itself.

/** It was terminated. */
export function terminated(name: string): ThreadingError {
  return new ThreadingError(`The thread ${name} was terminated`);
}

/** It ran out of memory. */
export function outOfMemory(name: string): ThreadingError {
  return new ThreadingError(`The thread ${name} ran out of memory`);
}

/** It left by `Deno.exit`, `process.exit` or `close`. */
export function exited(name: string): ThreadingError {
  return new ThreadingError(
    `The thread ${name} ended its worker (Deno.exit, process.exit or close); use exit() of threading to end a thread`,
  );
}

/** Its worker ended, nobody knows why. */
export function died(name: string, cause: unknown): ThreadingError {
  return new ThreadingError(`The thread ${name} died`, { cause });
}

// What can be told of an error in another thread.

/**
 * Encodes an error that a thread did not catch, or what can be told of it. Does
 * not throw: an ending must not fail, too.
 *
 * @param error What was thrown.
 * @param thread The Thread object.
 * @param wrap Makes of it the value to be encoded.
 * @returns The record, a draft; 0 if the heap has no room for it.
 */
export function draftError(
  error: unknown,
  thread: number,
  wrap = (error: unknown): unknown => error,
): number {
  let reason: unknown;
  const told = () => {
    if (reason instanceof HeapExhaustedError) return noRoom(nameOf(thread));
    return new Error(
      `A thread threw what cannot be sent: ${textOf(error, true)}`,
      { cause: textOf(reason) },
    );
  };
  for (const attempt of [() => error, told, () => noRoom(nameOf(thread))]) {
    try {
      return draftRecord(wrap(attempt()));
    } catch (why) {
      // Want of room, or an accessor of the error, which is code of the user.
      reason = why;
    }
  }
  return 0;
}

/** Names an error for people, whatever its accessors do. */
export function textOf(error: unknown, withStack = false): string {
  try {
    const stack = withStack && error instanceof Error;
    return String(stack ? error.stack : error);
  } catch {
    return typeof error;
  }
}

// The web lock that a worker holds while it lives. The platform grants it to
// others when the worker has ended, or has been told to.

/** As much of `LockManager` as is needed; Deno's own types do not have it. */
export interface WebLocks {
  request(
    name: string,
    options: { mode: "exclusive" | "shared" },
    callback: () => Promise<void>,
  ): Promise<void>;
}

/** Takes the web lock of this worker until its end, then calls back. */
export function holdWebLock(
  slot: number,
  serial: number,
  callback: () => void,
): void {
  const name = `${heapName} ${slot} ${serial}`;
  setLifeLock(name);
  // Not at load: to look at them costs a millisecond, and only workers do.
  const webLocks: WebLocks = Reflect.get(navigator, "locks");
  webLocks.request(name, { mode: "exclusive" }, () => {
    callback();
    return new Promise(() => {});
  });
}

// Signs of life. A worker that was told to end may run on, for as long as it has
// no processor, or is in a call that cannot be interrupted. What shows that it
// has stopped for good is that its promises of `Atomics.waitAsync` are gone, which
// the platform takes away with its JavaScript, and not before. To look for one is
// to wake it, so a worker has as many as anybody will look for.

const SIGNS = 40;

/** Has this worker, which begins, give signs of life at a word of its slot. */
export function giveSigns(slot: number): void {
  if (isExplored) return;
  const word = slot + Slot.serial;
  const serial = load(word);
  for (let i = 0; i < SIGNS; i++) futex.waitAsync(words, word, serial);
}

/** Uses up a sign of life of a worker; whether there was one. */
export function takeSign(slot: number): boolean {
  return futex.notify(words, slot + Slot.serial, 1) > 0;
}

// Noticing that this worker ran out of memory.
//
// Where that happens in a timer's callback, the worker ends and its owner is
// told. In a microtask (behind an `await`, that is) V8 only drops the microtask
// and the worker goes on as if nothing had happened, with a higher limit.

const CHECK_MS = 200;

function limit(): number {
  return builtIn("node:v8").getHeapStatistics().heap_size_limit;
}

/** Calls back, from the event loop, when the limit has been reached. */
export function onOutOfMemory(callback: () => void): void {
  const initial = limit();
  const timer = setInterval(() => {
    if (limit() === initial) return;
    clearInterval(timer);
    callback();
  }, CHECK_MS);
}
