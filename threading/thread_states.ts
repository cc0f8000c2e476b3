/**
 * What all threads are doing.
 *
 * @module
 */

import { heldLocks } from "./sync/lock_word.ts";
import { Header, load, Slot, slotOf, words } from "./_memory/heap.ts";
import { lock, lockInner, unlock, unlockInner } from "./_memory/mutex.ts";
import {
  borrow,
  classOf,
  giveBack,
  objectAt,
  type SharedObject,
} from "./_memory/shared_object.ts";
import { Node, Wake } from "./_memory/wait_queue.ts";
import { enumerate } from "./current_thread.ts";
import type { Thread } from "./thread.ts";

/** What a thread was doing when it was looked at. */
export interface ThreadState {
  /** What tells it from every other living thread. */
  ident: number;
  /** Its name. */
  name: string;
  /** Whether the process may end while it runs. */
  daemon: boolean;
  /**
   * `"waiting"` if it is blocked in one of skein's waits or in `sleepSync`. A
   * thread that awaits a promise is in its event loop, that is running.
   */
  state: "running" | "waiting";
  /**
   * What it is blocked for: a lock, a thread that it joins, … `undefined` if it
   * is not, or sleeps.
   */
  waitsFor: SharedObject | undefined;
  /** The locks it holds, in no order. */
  holds: SharedObject[];
}

/**
 * What all living threads are doing, the main thread first. For a look at a
 * program that hangs; the answer is out of date when it arrives, and was not
 * taken at one instant. After the `PyThreadState` of Python's interpreter.
 *
 * @returns An entry for each thread.
 *
 * @example
 * ```ts
 * import { Lock, threadStates } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * using lock = new Lock().acquireSync();
 * const [main] = threadStates();
 * assertEquals(main.name, "MainThread");
 * assertEquals(main.state, "running");
 * assertEquals(main.holds, [lock]);
 * ```
 */
export function threadStates(): ThreadState[] {
  return enumerate().flatMap((thread) => stateOf(thread) ?? []);
}

function stateOf(thread: Thread): ThreadState | undefined {
  const ident = thread.ident!;
  const slot = slotOf(ident);
  const blockedOn = objectWaitedFor(slot);
  const asleep = words[slot + Slot.waitsFor] === -ident;
  const waitsFor = blockedOn === 0 ? undefined : seen(slot, ident, blockedOn);
  const holds = heldLocks(slot).flatMap((address) =>
    seen(slot, ident, address) ?? []
  );
  // It has ended meanwhile, what was seen may have been its successor's.
  if (load(slot + Slot.tid) !== ident) return undefined;
  return {
    ident,
    name: thread.name,
    daemon: thread.daemon,
    state: blockedOn !== 0 || asleep ? "waiting" : "running",
    waitsFor,
    holds,
  };
}

/** The object in whose queue the thread of a slot is blocked, or 0. */
function objectWaitedFor(slot: number): number {
  const node = slot + Slot.node;
  const waiting = load(node + Node.state) === Wake.waiting;
  return waiting ? words[node + Node.object] : 0;
}

/**
 * This thread's handle of an object that another one waits for or holds;
 * `undefined` if that has let go of it meanwhile.
 */
function seen(
  slot: number,
  ident: number,
  address: number,
): SharedObject | undefined {
  if (!borrowFrom(slot, ident, address)) return undefined;
  try {
    return classOf(address) === undefined ? undefined : objectAt(address);
  } finally {
    giveBack(address);
  }
}

/**
 * Borrows an object of which the thread in a slot has a handle. The slot's mutex
 * keeps that thread from giving the handle back meanwhile, the registry's keeps
 * whoever cleans up after it from doing so.
 */
function borrowFrom(slot: number, ident: number, address: number): boolean {
  lock(Header.registryMutex);
  lockInner(slot + Slot.mutex);
  const found = words[slot + Slot.tid] === ident && hasHandle(slot, address);
  if (found) borrow(address);
  unlockInner(slot + Slot.mutex);
  unlock(Header.registryMutex);
  return found;
}

function hasHandle(slot: number, address: number): boolean {
  const handles = words[slot + Slot.holds];
  const capacity = words[slot + Slot.holdsCapacity];
  for (let i = 0; i < capacity; i++) {
    if (words[handles + i] === address) return true;
  }
  return false;
}
