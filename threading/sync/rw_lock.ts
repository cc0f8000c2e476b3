/**
 * The read-write lock: many readers or one writer, each with a guard. Its words
 * are in `lock_word.ts`.
 *
 * @module
 */

import {
  timeoutOfSync,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/check.ts";
import { staying } from "../_codec/writer.ts";
import { add, load, self, Slot, tid, words } from "../_memory/heap.ts";
import { requireStack } from "../_memory/mutex.ts";
import { registerClass } from "../_memory/shared_class.ts";
import {
  ADDRESS,
  addressOf,
  createObject,
  SharedObject,
} from "../_memory/shared_object.ts";
import { noteReleased, noteTaken, TRACING } from "../_memory/trace.ts";
import {
  onThreadEnd,
  surrenderOf,
  waitPromise,
  waitSync,
} from "../_memory/wait.ts";
import { MAIN_QUEUE, type Protocol, Wake } from "../_memory/wait_queue.ts";
import { ThreadingError } from "../errors.ts";
import { checkEnd } from "./lock.ts";
import {
  abandonRw,
  addShare,
  COUNT,
  countReaders,
  destroyLock,
  endWrite,
  holdersOfRw,
  isPoisoned,
  LockField,
  lookAtRw,
  note,
  ownerDied,
  readProtocol,
  recoverLock,
  refuseOwn,
  removeShare,
  RW_WORDS,
  RwField,
  serveLocked,
  tryRead,
  tryWrite,
  writeProtocol,
} from "./lock_word.ts";

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

/** What a lock is taken for. */
interface Purpose {
  readonly mode: number;
  /** What errors say that the caller wants. */
  readonly what: string;
  readonly protocol: Protocol;
  /** Takes the lock if nobody is in the way. */
  readonly begin: (object: number, share: number) => boolean;
}

const reading: Purpose = {
  mode: Mode.read,
  what: "acquire an RwLock for reading",
  protocol: readProtocol,
  begin: tryRead,
};

const writing: Purpose = {
  mode: Mode.write,
  what: "acquire an RwLock for writing",
  protocol: writeProtocol,
  begin: tryWrite,
};

/**
 * A lock that many threads may have for reading, or one for writing. After
 * `RwLock` of Rust and `ReentrantReadWriteLock` of Java.
 *
 * Taking it gives a guard, which `using` or `release()` releases. A guard
 * belongs to the thread that took it and cannot be sent. The lock is not
 * reentrant: a thread that has it for writing must not take it again, and one
 * that has it for reading must not take it for writing.
 *
 * Writers go first: readers that come while a writer waits, wait, too. But after
 * a few writers the readers that have waited are let in, so nobody starves.
 *
 * A thread that dies while it has the lock for writing poisons it: `acquire...`
 * then throws {@linkcode OwnerDiedError} until {@linkcode recover}. So does one
 * that returns without having released it, since nobody else could. When a
 * thread ends, the guards that it still reads with are released.
 *
 * @example Many readers, one writer
 * ```ts
 * import { RwLock } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new RwLock();
 * {
 *   using _ = lock.acquireReadSync();
 *   using __ = await lock.acquireRead();
 *   assertEquals(lock.readers(), 2);
 *   assertEquals(lock.acquireWriteNowait(), undefined);
 * }
 * using _ = lock.acquireWriteSync();
 * assertEquals(lock.acquireReadNowait(), undefined);
 * ```
 */
export class RwLock extends SharedObject {
  /** The share by which this thread uses the lock. @ignore */
  declare [SHARE]: object | undefined;

  /** Makes a free lock. */
  constructor() {
    super(createObject(KIND, RW_WORDS));
  }

  /**
   * Takes the lock for reading, and waits for it without blocking the thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns A guard, to be released, or disposed of by `using`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {OwnerDiedError} If a thread died while it wrote.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { RwLock } from "@skein/std/threading";
   *
   * const lock = new RwLock();
   * using _ = await lock.acquireRead({ timeout: 1000 });
   * ```
   */
  acquireRead(options?: WaitOptions): Promise<ReadGuard> {
    return acquire(this, options, reading);
  }

  /**
   * Takes the lock for reading, and blocks the thread while another one writes.
   *
   * @param options A timeout in milliseconds.
   * @returns A guard, to be released, or disposed of by `using`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {OwnerDiedError} If a thread died while it wrote.
   * @throws {DeadlockError} If the wait could never end: this thread itself has
   * the lock for writing, whoever has it waits for this thread, or every thread
   * waits.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { RwLock } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RwLock();
   * using _ = lock.acquireReadSync();
   * assertEquals(lock.readers(), 1);
   * ```
   */
  acquireReadSync(options?: WaitSyncOptions): ReadGuard {
    const share = this[SHARE] as Share | undefined;
    if (options === undefined && share !== undefined && share.node !== 0) {
      // Made first: it could fail.
      const guard = new Guard(share);
      requireStack(0);
      const address = this[ADDRESS];
      if (load(address + RwField.gate) === 0) {
        const { node } = share;
        add(node + COUNT, 1);
        if (load(address + RwField.gate) === 0) {
          return Guard.begin(guard, Mode.read);
        }
        // A writer may have seen this count, and wait for it.
        add(node + COUNT, -1);
        serveLocked(address);
      }
    }
    return acquireSync(this, options, reading);
  }

  /**
   * Takes the lock for reading if nobody writes or waits to write.
   *
   * @returns A guard, or `undefined`.
   * @throws {OwnerDiedError} If a thread died while it wrote.
   *
   * @example
   * ```ts
   * import { RwLock } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RwLock();
   * using _ = lock.acquireWriteSync();
   * assertEquals(lock.acquireReadNowait(), undefined);
   * ```
   */
  acquireReadNowait(): ReadGuard | undefined {
    return acquireNowait(this, reading);
  }

  /**
   * Takes the lock for writing, and waits for it without blocking the thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns A guard, to be released, or disposed of by `using`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {OwnerDiedError} If a thread died while it wrote.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { RwLock } from "@skein/std/threading";
   *
   * const lock = new RwLock();
   * using guard = await lock.acquireWrite({ timeout: 1000 });
   * // ... write, then let others read as well:
   * guard.downgrade();
   * ```
   */
  acquireWrite(options?: WaitOptions): Promise<WriteGuard> {
    return acquire(this, options, writing);
  }

  /**
   * Takes the lock for writing, and blocks the thread until nobody else has it.
   *
   * @param options A timeout in milliseconds.
   * @returns A guard, to be released, or disposed of by `using`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {OwnerDiedError} If a thread died while it wrote.
   * @throws {DeadlockError} If the wait could never end: this thread itself has
   * the lock, whoever has it waits for this thread, or every thread waits.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { RwLock } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * const lock = new RwLock();
   * const guard = lock.acquireWriteSync();
   * assert(lock.locked());
   * guard.release();
   * ```
   */
  acquireWriteSync(options?: WaitSyncOptions): WriteGuard {
    return acquireSync(this, options, writing);
  }

  /**
   * Takes the lock for writing if nobody has it.
   *
   * @returns A guard, or `undefined`.
   * @throws {OwnerDiedError} If a thread died while it wrote.
   *
   * @example
   * ```ts
   * import { RwLock } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RwLock();
   * using _ = lock.acquireReadSync();
   * assertEquals(lock.acquireWriteNowait(), undefined);
   * ```
   */
  acquireWriteNowait(): WriteGuard | undefined {
    return acquireNowait(this, writing);
  }

  /**
   * How many guards have the lock for reading, in all threads. The answer may be
   * out of date when it arrives.
   *
   * @returns The number; 0 while somebody writes.
   *
   * @example
   * ```ts
   * import { RwLock } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RwLock();
   * using _ = lock.acquireReadSync();
   * assertEquals(lock.readers(), 1);
   * ```
   */
  readers(): number {
    return countReaders(addressOf(this));
  }

  /**
   * Whether a writer has the lock, or died with it. The answer may be out of
   * date when it arrives.
   *
   * @returns `true` if nobody could read now.
   *
   * @example
   * ```ts
   * import { RwLock } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * const lock = new RwLock();
   * assert(!lock.locked());
   * using _ = lock.acquireWriteSync();
   * assert(lock.locked());
   * ```
   */
  locked(): boolean {
    return load(addressOf(this) + LockField.word) !== 0;
  }

  /**
   * Makes a lock usable again whose writer died, free to be taken. To be called
   * when what it guards has been repaired; does nothing with any other lock.
   *
   * @example
   * ```ts
   * import { RwLock } from "@skein/std/threading";
   *
   * new RwLock().recover();
   * ```
   */
  recover(): void {
    const address = addressOf(this);
    recoverLock(address);
    // Opens the gate.
    serveLocked(address);
  }

  /**
   * Gives this thread's handle back at once instead of when it is garbage
   * collected. Guards that are out keep what they have until they are released.
   *
   * @throws {ThreadingError} If it has been freed already, or an async task of
   * this thread waits for it.
   */
  override free(): void {
    super.free();
    leaveShare(this);
  }
}

async function acquire(
  lock: RwLock,
  options: WaitOptions | undefined,
  purpose: Purpose,
): Promise<Guard> {
  const { what, mode, protocol } = purpose;
  const surrender = surrenderOf(options, what);
  const address = addressOf(lock);
  const share = shareOf(lock, address);
  const guard = new Guard(share);
  if (!purpose.begin(address, share.node)) {
    // Other locks may have taken its place in the table meanwhile.
    const inspect = mode === Mode.write ? () => note(address) : undefined;
    share.waits++;
    try {
      const end = await waitPromise(
        protocol,
        address,
        MAIN_QUEUE,
        surrender,
        inspect,
      );
      if (end === Wake.refused) throw ownerDied(address, what);
    } finally {
      share.waits--;
    }
  }
  return Guard.begin(guard, mode);
}

function acquireSync(
  lock: RwLock,
  options: WaitSyncOptions | undefined,
  purpose: Purpose,
): Guard {
  const { what, mode, protocol } = purpose;
  const timeout = timeoutOfSync(options, what);
  const address = addressOf(lock);
  const share = shareOf(lock, address);
  const guard = new Guard(share);
  if (!purpose.begin(address, share.node)) {
    // Its own readers are in the way of a writer only.
    const own = mode === Mode.write ? share.node : 0;
    refuseOwn(address, own, timeout, what);
    const end = waitSync(protocol, address, MAIN_QUEUE, timeout, what);
    checkEnd(end, address, timeout, what);
  }
  return Guard.begin(guard, mode);
}

function acquireNowait(lock: RwLock, purpose: Purpose): Guard | undefined {
  const address = addressOf(lock);
  const share = shareOf(lock, address);
  const guard = new Guard(share);
  if (purpose.begin(address, share.node)) {
    return Guard.begin(guard, purpose.mode);
  }
  if (isPoisoned(address)) throw ownerDied(address, purpose.what);
  return undefined;
}

const KIND = registerClass(import.meta, {
  constructor: RwLock,
  destroy: destroyLock,
  look: lookAtRw,
  holders: holdersOfRw,
  abandon: abandonRw,
  protocol: readProtocol,
  reentrant: true, // only its owner can release it
});
