/**
 * What a thread knows of itself and of the others: which threads there are,
 * which one runs here, its local values, what all of them do, and sleeping.
 *
 * @module
 */

import { checkDuration, checkFunction } from "../_internal/check.ts";
import {
  commitRecord,
  draftRecord,
  readRecord,
  releaseRecord,
} from "./_codec/record.ts";
import { ModuleNotLoaded, sendableEntry } from "./_codec/sendable.ts";
import { discard, removeDraft } from "./_memory/allocator.ts";
import {
  add,
  Field,
  Header,
  isMain,
  load,
  MAIN_SLOT,
  self,
  Slot,
  slotOf,
  tid,
  words,
} from "./_memory/heap.ts";
import { lock, lockInner, unlock, unlockInner } from "./_memory/mutex.ts";
import { checkInterrupted, runShielded } from "./_memory/scope.ts";
import { classOf, registerClass } from "./_memory/shared_class.ts";
import {
  addressOf,
  borrow,
  createObject,
  giveBack,
  objectAt,
  SharedObject,
} from "./_memory/shared_object.ts";
import { onThreadEnd, sleepFor } from "./_memory/wait.ts";
import { Node, Wake } from "./_memory/wait_queue.ts";
import {
  countLiving,
  livingThreads,
  ThreadField,
  ThreadStage,
} from "./_runtime/thread_table.ts";
import { ThreadingError } from "./errors.ts";
import { heldLocks } from "./sync/lock_word.ts";
import { createThread, setName, type Thread } from "./thread.ts";

let current: Thread | undefined;

/** Makes a Thread the one that runs here. */
export function setCurrentThread(thread: Thread | undefined): void {
  current = thread;
}

/**
 * The thread that runs this code.
 *
 * @returns The thread; in the main module, the main thread.
 *
 * @example
 * ```ts
 * import { currentThread, mainThread } from "@skein/std/threading";
 * import { assertStrictEquals } from "@std/assert";
 *
 * assertStrictEquals(currentThread(), mainThread());
 * ```
 */
export function currentThread(): Thread {
  return current ?? mainThread();
}

/**
 * The thread that the program started with.
 *
 * @returns The main thread.
 *
 * @example
 * ```ts
 * import { mainThread } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(mainThread().name, "MainThread");
 * ```
 */
export function mainThread(): Thread {
  return objectAt(words[MAIN_SLOT + Slot.thread]) as Thread;
}

/**
 * All threads that are alive, daemons included, the main thread first.
 *
 * @returns The threads.
 *
 * @example
 * ```ts
 * import { enumerate, mainThread } from "@skein/std/threading";
 * import { assert } from "@std/assert";
 *
 * assert(enumerate().includes(mainThread()));
 * ```
 */
export function enumerate(): Thread[] {
  const threads = livingThreads().map((address) => {
    const thread = objectAt(address) as Thread;
    giveBack(address);
    return thread;
  });
  return [mainThread(), ...threads.reverse()];
}

/**
 * The number of threads that are alive, the main thread included.
 *
 * @returns The length of `enumerate()`.
 *
 * @example
 * ```ts
 * import { activeCount } from "@skein/std/threading";
 * import { assert } from "@std/assert";
 *
 * assert(activeCount() >= 1);
 * ```
 */
export function activeCount(): number {
  // Not `Header.allThreads`, from which a thread goes behind those who join it.
  return countLiving() + 1;
}

/**
 * What tells this thread from every other living one. After
 * `threading.get_ident` of Python.
 *
 * @returns `currentThread().ident`, an integer above 0.
 *
 * @example
 * ```ts
 * import { currentThread, getIdent } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getIdent(), currentThread().ident);
 * ```
 */
export function getIdent(): number {
  return tid;
}

if (isMain) {
  const thread = createThread(false);
  setName(thread, "MainThread");
  words[thread + ThreadField.tid] = tid;
  words[thread + ThreadField.state] = ThreadStage.alive;
  words[MAIN_SLOT + Slot.thread] = thread;
  // This handle, which is never freed, keeps the object.
  current = objectAt(thread) as Thread;
  removeDraft(thread);
}

// Thread-local values.

/** Words of a Local. */
const LocalField = {
  /** Tells it from every other Local there ever was; 0 once it is gone. */
  id: Field.own,
  /** Record of `init`, 0 if that is not marked as sendable. */
  init: Field.own + 1,
} as const;
const LOCAL_WORDS = Field.own + 2;

const INIT: unique symbol = Symbol("init");

interface Value {
  /** Where the Local is, if it is still there. */
  address: number;
  value: unknown;
}

/** The values of the thread that runs here, by the ids of their Locals. */
const values = new Map<number, Value>();
const MIN_SWEEP = 256;
let sweepAt = MIN_SWEEP;

onThreadEnd(() => {
  values.clear();
  sweepAt = MIN_SWEEP;
});

/**
 * A variable of which every thread has a value of its own. After `local` of
 * Python's threading.
 *
 * The value is made by `init` when a thread first reads it, and goes when the
 * thread ends. All async tasks of a thread share the thread's value.
 *
 * A Local that is sent to another thread is the same Local there; for that
 * thread to be able to make its value, mark `init` with `sendable`. One at the
 * top level of a module needs no marking: every thread that imports the module
 * makes it there.
 *
 * @typeParam T The type of the value.
 *
 * @example
 * ```ts
 * import { Local, sendable, Thread } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const requests = new Local(() => 0);
 *
 * export const serve = sendable(import.meta, function serve() {
 *   requests.value++;
 *   return requests.value;
 * });
 *
 * Deno.test("Local", async () => {
 *   requests.value = 100;
 *   const thread = new Thread({ target: serve });
 *   thread.start();
 *   assertEquals(await thread.join(), 1);
 *   assertEquals(requests.value, 100);
 * });
 * ```
 */
export class Local<T> extends SharedObject {
  /** @ignore */
  declare [INIT]: (() => T) | undefined;

  /**
   * Makes a variable without a value.
   *
   * @param init Makes the value of a thread that reads it for the first time.
   * @throws {TypeError} If it is not a function.
   */
  constructor(init: () => T) {
    super(createLocal(init));
    this[INIT] = init;
  }

  /**
   * The value of the thread that asks.
   *
   * @returns What this thread has set, or else what `init` made for it.
   * @throws {ThreadingError} If this thread has no value, did not make the
   * Local itself, and `init` is not marked with `sendable`, or its module
   * cannot be loaded while the thread waits. What `init` throws.
   */
  get value(): T {
    const address = addressOf(this);
    const id = words[address + LocalField.id];
    const known = values.get(id);
    if (known !== undefined) return known.value as T;
    const init = this[INIT] ??= initOf<T>(address);
    const value = init();
    keep(id, address, value);
    return value;
  }

  /** Sets the value of the thread that asks. */
  set value(value: T) {
    const address = addressOf(this);
    keep(words[address + LocalField.id], address, value);
  }
}

const KIND = registerClass(import.meta, {
  constructor: Local,
  destroy(address) {
    words[address + LocalField.id] = 0;
    const init = words[address + LocalField.init];
    if (init !== 0) releaseRecord(init);
  },
});

function createLocal(init: () => unknown): number {
  checkFunction(init, "make a Local", "init");
  const record = sendableEntry(init) === undefined ? 0 : draftRecord(init);
  let address: number;
  try {
    address = createObject(KIND, LOCAL_WORDS);
  } catch (error) {
    if (record !== 0) discard(record);
    throw error;
  }
  words[address + LocalField.id] = add(Header.nextLocal, 1) + 1;
  if (record !== 0) {
    lock(self + Slot.mutex);
    words[address + LocalField.init] = record;
    commitRecord(record);
    unlock(self + Slot.mutex);
  }
  return address;
}

/** The `init` that travelled with the Local. */
function initOf<T>(address: number): () => T {
  const record = words[address + LocalField.init];
  if (record === 0) {
    throw new ThreadingError(
      "Cannot read a Local that another thread made: its init is not marked, write sendable(import.meta, function \u2026) where it is defined, or set the value first",
    );
  }
  try {
    return readRecord(record) as () => T;
  } catch (error) {
    if (!(error instanceof ModuleNotLoaded)) throw error;
    throw new ThreadingError(
      `Cannot read a Local that another thread made: import the module of its init in this thread first, received ${error.url}`,
      { cause: error },
    );
  }
}

function keep(id: number, address: number, value: unknown): void {
  const known = values.get(id);
  if (known !== undefined) {
    known.value = value;
    return;
  }
  if (values.size >= sweepAt) sweep();
  values.set(id, { address, value });
}

/**
 * Drops the values of Locals that are gone. Ids are never used again, so the
 * word where the id was holds it by mere chance, and then a value stays.
 */
function sweep(): void {
  for (const [id, { address }] of values) {
    if (words[address + LocalField.id] !== id) values.delete(id);
  }
  sweepAt = Math.max(MIN_SWEEP, values.size * 2);
}

// Sleeping.

/**
 * Blocks this thread for a while; the others go on. After `time.sleep` of
 * Python, in milliseconds.
 *
 * The thread can be terminated meanwhile. Its event loop stands still: use
 * `delay` of `@std/async` in code that others share a thread with.
 *
 * @param ms Milliseconds, at most `TIMEOUT_MAX`.
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is negative, NaN or too large.
 * @throws The reason, if its thread or task is cancelled.
 *
 * @example
 * ```ts
 * import { sleepSync } from "@skein/std/threading";
 * import { assert } from "@std/assert";
 *
 * const start = performance.now();
 * sleepSync(20);
 * assert(performance.now() - start >= 19);
 * ```
 */
export function sleepSync(ms: number): void {
  checkDuration(ms, "sleep", "ms");
  checkInterrupted();
  // Asleep, by its own choice and for no object: see `threadStates`.
  words[self + Slot.waitsFor] = -tid;
  try {
    sleepFor(ms);
  } finally {
    words[self + Slot.waitsFor] = 0;
  }
}

// What all threads are doing.

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
   * What it is blocked for: a lock, a thread that it joins, the first case of a
   * `select`, ... `undefined` if it is not, or sleeps.
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
  const object = waiting ? words[node + Node.object] : 0;
  // A selection has a node for each case, and names the first.
  return object || Math.max(words[slot + Slot.waitsFor], 0);
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

// Cancelling, as the code that is cancelled sees it

/**
 * Throws the reason if the code that calls it has been cancelled: its thread, by
 * {@linkcode Thread.cancel}, or the task of a pool that it belongs to. Every wait
 * does so by itself; this is for code that computes for long without one. It
 * costs a nanosecond.
 *
 * @throws The reason, if it has been cancelled.
 *
 * @example
 * ```ts
 * import { checkCancelled, sendable, Thread } from "@skein/std/threading";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * export const compute = sendable(import.meta, function compute() {
 *   for (;;) checkCancelled();
 * });
 *
 * Deno.test("checkCancelled", async () => {
 *   const thread = new Thread({ target: compute });
 *   thread.start();
 *   thread.cancel(new Error("enough"));
 *   await assertRejects(() => thread.join(), Error, "enough");
 * });
 * ```
 */
export function checkCancelled(): void {
  checkInterrupted();
}

/**
 * Calls a function that is not to be cancelled: the waits in it, and in what it
 * calls and awaits, go on as if nobody had cancelled its thread or task. For
 * cleaning up. What was asked for meanwhile is found by the next wait behind it.
 *
 * @param fn The function, which may be async. Shields may be nested.
 * @returns What it returns.
 * @throws {TypeError} If `fn` is not a function; what it throws.
 *
 * @example
 * ```ts
 * import { Queue, sendable, shield, Thread } from "@skein/std";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * export const work = sendable(
 *   import.meta,
 *   function work(jobs: Queue<string>, log: Queue<string>) {
 *     try {
 *       for (const job of jobs) log.putSync(job);
 *     } finally {
 *       shield(() => log.putSync("end")); // would throw without
 *     }
 *   },
 * );
 *
 * Deno.test("shield", () => {
 *   const jobs = new Queue<string>();
 *   const log = new Queue<string>();
 *   const thread = new Thread({ target: work, args: [jobs, log] });
 *   thread.start();
 *   jobs.putSync("job");
 *   assertEquals(log.getSync(), "job");
 *   thread.cancel();
 *   assertThrows(() => thread.joinSync(), DOMException, "cancelled");
 *   assertEquals(log.getSync(), "end");
 * });
 * ```
 */
export function shield<T>(fn: () => T): T {
  checkFunction(fn, "shield a function", "fn");
  return runShielded(fn);
}
