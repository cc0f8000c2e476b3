/**
 * What a thread has of read-write locks: a share of each lock that it uses, and
 * the guards by which it reads or writes.
 *
 * @module
 */

import { ThreadingError } from "../errors.ts";
import { add, load, self, Slot, tid, words } from "../_memory/heap.ts";
import { requireStack } from "../_memory/mutex.ts";
import { noteReleased, noteTaken, TRACING } from "../_memory/trace.ts";
import { onThreadEnd } from "../_memory/wait.ts";
import { staying } from "../_codec/writer.ts";
import {
  addShare,
  COUNT,
  endWrite,
  removeShare,
  RwField,
  serveLocked,
} from "./rw_word.ts";

/** Key of the share of a handle's thread. */
export const SHARE: unique symbol = Symbol("share");

/** A handle of a lock. */
interface Handle {
  [SHARE]: object | undefined;
}

/** This thread's part in a lock that it has used. */
export class Share {
  /** The share; 0 when it is gone, with its thread at the latest. */
  node: number;
  readonly object: number;
  /** Tasks that wait to read or write. */
  waits = 0;
  /** Whether a writer's guard is out. */
  writes = false;
  /** Set when the handle is gone: the last guard gives the share back. */
  orphan = false;

  constructor(node: number, object: number) {
    this.node = node;
    this.object = object;
  }
}

/** The shares of the thread that runs here, by lock. */
const shares = new Map<number, Share>();

onThreadEnd(() => {
  for (const share of shares.values()) share.node = 0;
  shares.clear();
});

const finalizers = new FinalizationRegistry<Share>((share) => {
  // If the thread has died, or is about to, others give everything back.
  if (words[self + Slot.dying] === 0) orphan(share);
});

/** The share by which this thread uses the lock; it keeps the lock alive. */
export function shareOf(handle: Handle, address: number): Share {
  const known = handle[SHARE] as Share | undefined;
  if (known !== undefined && known.node !== 0) {
    known.orphan = false;
    return known;
  }
  let share = shares.get(address);
  if (share === undefined) {
    share = new Share(addShare(address), address);
    shares.set(address, share);
  }
  if (handle[SHARE] !== share) {
    finalizers.register(handle, share, handle);
    handle[SHARE] = share;
  }
  share.orphan = false;
  return share;
}

/** To be called when a handle has been freed. */
export function leaveShare(handle: Handle): void {
  const share = handle[SHARE] as Share | undefined;
  if (share === undefined) return;
  handle[SHARE] = undefined;
  finalizers.unregister(handle);
  orphan(share);
}

/** The handle is gone: the share goes with the last guard. */
function orphan(share: Share): void {
  share.orphan = true;
  dropIfUnused(share);
}

function dropIfUnused(share: Share): void {
  const { node, object } = share;
  if (node === 0 || share.waits > 0 || share.writes) return;
  if (!removeShare(object, node)) return;
  share.node = 0;
  shares.delete(object);
}

/**
 * Holds an {@linkcode RwLock} for reading, until it is released. It belongs to
 * the thread that took it, and cannot be sent.
 *
 * @example
 * ```ts
 * import { type ReadGuard, RwLock } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new RwLock();
 * const guard: ReadGuard = lock.acquireReadSync();
 * guard.release();
 * assertEquals(lock.readers(), 0);
 * ```
 */
export interface ReadGuard {
  /**
   * Releases the lock. A second call does nothing.
   *
   * @throws {ThreadingError} If the lock is damaged.
   */
  release(): void;
  /** Releases the lock, at the end of the block that `using` is in. */
  [Symbol.dispose](): void;
}

/**
 * Holds an {@linkcode RwLock} for writing, until it is released or downgraded.
 * It belongs to the thread that took it, and cannot be sent.
 *
 * @example
 * ```ts
 * import { RwLock, type WriteGuard } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new RwLock();
 * using guard: WriteGuard = lock.acquireWriteSync();
 * guard.downgrade();
 * assertEquals(lock.readers(), 1);
 * ```
 */
export interface WriteGuard extends ReadGuard {
  /**
   * Goes on as a reader, without letting a writer in between. Readers that wait
   * come in if no writer waits.
   *
   * @returns This guard, which has the lock for reading now.
   * @throws {ThreadingError} If it was released, or reads already.
   */
  downgrade(): ReadGuard;
}

export const Mode = { none: 0, read: 1, write: 2 } as const;

/** Names in a trace what a guard has: a writer has it alone. */
function holdOf({ node }: Share, mode: number): number {
  return mode === Mode.write ? 0 : node;
}

/** Holds the lock for one caller in one thread. */
export class Guard implements WriteGuard {
  #share: Share;
  #mode: number = Mode.none;

  constructor(share: Share) {
    this.#share = share;
  }

  /** The guard holds the lock from now on. @ignore */
  static begin(guard: Guard, mode: number): Guard {
    guard.#mode = mode;
    const share = guard.#share;
    if (mode === Mode.write) share.writes = true;
    if (words[TRACING] !== 0) {
      noteTaken(share.object, tid, holdOf(share, mode));
    }
    return guard;
  }

  release(): void {
    const mode = this.#mode;
    if (mode === Mode.none) return;
    const share = this.#share;
    const { node, object } = share;
    if (node === 0) return;
    if (words[TRACING] !== 0) noteReleased(object, tid, holdOf(share, mode));
    if (mode === Mode.write) {
      endWrite(object, 0);
      share.writes = false;
      this.#mode = Mode.none;
      if (share.orphan) dropIfUnused(share);
      return;
    }
    // Nothing may fail between counting down and serving the waiters.
    requireStack(0);
    this.#mode = Mode.none;
    add(node + COUNT, -1);
    if (load(object + RwField.gate) !== 0) serveLocked(object);
    if (share.orphan) dropIfUnused(share);
  }

  downgrade(): this {
    const share = this.#share;
    if (this.#mode !== Mode.write || share.node === 0) {
      throw new ThreadingError(
        `Cannot downgrade a guard of an RwLock: it does not have the lock for writing${
          this.#mode === Mode.read ? ", but for reading already" : ""
        }`,
      );
    }
    if (words[TRACING] !== 0) noteReleased(share.object, tid);
    endWrite(share.object, share.node);
    share.writes = false;
    Guard.begin(this, Mode.read);
    return this;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

staying.set(
  Guard,
  "a guard of an RwLock belongs to the thread that took it, " +
    "send the lock and take it there",
);
