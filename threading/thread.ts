/**
 * Threads.
 *
 * @module
 */

import { NotSendableError, ThreadingError } from "./errors.ts";
import {
  type SendableClass,
  sendableEntry,
  type SendableFunction,
} from "./_codec/sendable.ts";
import {
  add,
  Header,
  isMain,
  load,
  MAIN_SLOT,
  self,
  Slot,
  slotOf,
  words,
} from "./_memory/heap.ts";
import { callbacks, checkDying, lock, unlock } from "./_memory/mutex.ts";
import {
  checkArray,
  checkFunction,
  checkOptions,
  checkSignal,
  checkString,
  durationOf,
  timeoutError,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import {
  commitRecord,
  draftRecord,
  loadModulesOf,
  readRecord,
} from "./_codec/record.ts";
import { registerClass } from "./_memory/shared_class.ts";
import {
  ADDRESS,
  addressOf,
  createObject,
  pinUntil,
  SharedObject,
} from "./_memory/shared_object.ts";
import {
  CASE,
  type CaseKind,
  Later,
  settlingCase,
} from "./_memory/selection.ts";
import {
  waitPromise,
  waitSync,
  waitSyncTimeout,
  waitTimeout,
} from "./_memory/wait.ts";
import { MAIN_QUEUE, Wake } from "./_memory/wait_queue.ts";
import {
  fieldsOf,
  settleKeepAlive,
  startThread,
} from "./_runtime/worker_pool.ts";
import {
  condemn,
  destroyThread,
  hasEnded,
  holdersOfEnd,
  joinProtocol,
  labelOfEnd,
  lookAtThread,
  nameOf,
  noRoom,
  THREAD_WORDS,
  ThreadField,
  ThreadStage,
} from "./_runtime/thread_table.ts";
import {
  cancelBy,
  cancelScope,
  draftReason,
  heed,
  signalOfScope,
  terminateAfter,
} from "./_runtime/cancelling.ts";
import { discard } from "./_memory/allocator.ts";
import { scopeOfThread } from "./_memory/scope.ts";

const TARGET: unique symbol = Symbol("target");
const ARGS: unique symbol = Symbol("args");
const SIGNAL: unique symbol = Symbol("signal");
/** Whether the fields of this object are those that were sent. */
const STARTER: unique symbol = Symbol("starter");

/**
 * A thread: a function that runs at the same time as the others, on a core of
 * its own if there is one, and shares skein's objects with them. After `Thread`
 * of Python's threading.
 *
 * Give it a `target`, or make a subclass with a `run`. A subclass is marked
 * with `sendable`; the fields of the instance travel to the thread at
 * `start()`, and what `run` made of them is on the starter's object after
 * `join()`. TypeScript's `private` fields travel, `#private` ones cannot.
 *
 * Any thread may start threads and join any thread. The process ends when the
 * main module is done and no thread is left that is not a daemon.
 *
 * A thread imports the module of its target or class, and those of what it is
 * sent. So put what starts threads under `if (import.meta.main)`, or into a
 * function: what runs whenever the module is imported would start one thread
 * more in every thread, and is refused. Modules that a thread imports when it
 * runs may start threads.
 *
 * A thread has ended when `run` or its target has returned, or its promise is
 * settled. Timers and listeners that it left are taken away. Await everything
 * else that you begin in it.
 *
 * Starting a thread needs permission to read what its worker imports, as Deno
 * demands: skein's own modules and the one that marks the target.
 *
 * @typeParam R What the thread returns.
 * @typeParam A The arguments of its target. Both are found by themselves; if
 * only `R` is given, the arguments are not checked.
 *
 * @example A function in a thread
 * ```ts
 * import { sendable, Thread } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const add = sendable(import.meta, function add(a: number, b: number) {
 *   return a + b;
 * });
 *
 * Deno.test("add in a thread", async () => {
 *   const thread = new Thread({ target: add, args: [1, 2] });
 *   thread.start();
 *   assertEquals(await thread.join(), 3);
 * });
 * ```
 *
 * @example A subclass
 * ```ts
 * import { sendable, Thread } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export class Squarer extends Thread<void> {
 *   static {
 *     sendable(import.meta, this);
 *   }
 *   square = 0;
 *   constructor(private n: number) {
 *     super();
 *   }
 *   override run() {
 *     this.square = this.n ** 2;
 *   }
 * }
 *
 * Deno.test("a squarer", () => {
 *   const squarer = new Squarer(12);
 *   squarer.start();
 *   squarer.joinSync();
 *   assertEquals(squarer.square, 144);
 * });
 * ```
 */
export class Thread<
  R = unknown,
  // deno-lint-ignore no-explicit-any
  A extends readonly unknown[] = any[],
> extends SharedObject {
  /** @ignore */
  declare [TARGET]: SendableFunction | undefined;
  /** @ignore */
  declare [ARGS]: unknown[];
  /** @ignore */
  declare [SIGNAL]: AbortSignal | undefined;
  /** @ignore */
  declare [STARTER]: boolean | undefined;

  // By itself: in a union with the other one, nothing is found of a generic target.
  /**
   * Makes a thread with a target and its arguments, to be started.
   *
   * @param options Its target with the arguments, its name, whether it is a
   * daemon, a signal that cancels it.
   * @throws {TypeError} If the target is not a function, the arguments are not
   * an array, the name is not a string, or the signal not an AbortSignal.
   */
  constructor(options: ThreadCall<R, A>);
  /**
   * Makes a thread, to be started.
   *
   * @param options Its target with the arguments, or none; its name, whether it is
   * a daemon, a signal that cancels it.
   * @throws {TypeError} If the target is not a function, the arguments are not
   * an array or have no target, the name is not a string, or the signal not an
   * AbortSignal.
   */
  constructor(options?: ThreadOptions<R, A>);
  constructor(options?: ThreadOptions<R, A>) {
    const { target, args, name, daemon, signal } = readOptions(options);
    super(createThread(daemon ?? isDaemonHere()));
    setName(addressOf(this), name ?? nextName());
    this[TARGET] = target;
    this[ARGS] = [...(args ?? [])];
    if (signal !== undefined) this[SIGNAL] = signal;
  }

  /**
   * What the thread does; to be overridden. This one calls the target.
   *
   * @returns What `join` returns.
   *
   * @example
   * ```ts
   * import { Thread } from "@skein/std/threading";
   *
   * class Greeter extends Thread<string> {
   *   override run() {
   *     return "Hello";
   *   }
   * }
   * new Greeter();
   * ```
   */
  run(): R | PromiseLike<R> {
    return this[TARGET]?.(...this[ARGS] as never[]) as R;
  }

  /**
   * Starts the thread. It goes on by itself from here.
   *
   * @throws {ThreadingError} If it was started before, or by code of a module
   * that a new thread loads.
   * @throws {NotSendableError} If the target, an argument or a field cannot be
   * sent.
   * @throws {HeapExhaustedError} If the shared heap has no room for them.
   * @throws {Deno.errors.NotCapable} If a module that its worker imports may
   * not be read.
   *
   * @example
   * ```ts
   * import { sendable, Thread } from "@skein/std/threading";
   *
   * export const hello = sendable(import.meta, function hello() {
   *   console.log("hello from a thread");
   * });
   *
   * Deno.test("start", async () => {
   *   const thread = new Thread({ target: hello });
   *   thread.start();
   *   await thread.join();
   * });
   * ```
   */
  start(): void {
    const address = addressOf(this);
    if (load(address + ThreadField.state) !== ThreadStage.created) {
      throw new ThreadingError(
        `Cannot start the thread ${this.name}: it was started before; make a new Thread`,
      );
    }
    const signal = this[SIGNAL];
    if (signal?.aborted) cancelBy(this, signal);
    const target = this[TARGET];
    const args = this[ARGS];
    if (this.constructor === Thread) {
      startThread(
        address,
        { target, args },
        target && sendableEntry(target)?.url,
      );
      if (signal !== undefined) heed(this, signal);
      return;
    }
    const constructor = this.constructor as unknown as SendableClass;
    const entry = sendableEntry(constructor);
    if (entry === undefined) throw unmarkedSubclass(this);
    startThread(
      address,
      { constructor, fields: fieldsOf(this), target, args },
      entry.url,
    );
    if (signal !== undefined) heed(this, signal);
    this[STARTER] = true;
  }

  /**
   * Waits until the thread has ended, without blocking this one.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns What the thread returned.
   * @throws What the thread threw.
   * @throws {ThreadingError} If the thread was killed or died, was not started,
   * or is the one that runs here.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { sendable, Thread } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const answer = sendable(import.meta, function answer() {
   *   return 42;
   * });
   *
   * Deno.test("join", async () => {
   *   const thread = new Thread({ target: answer });
   *   thread.start();
   *   assertEquals(await thread.join({ timeout: 10_000 }), 42);
   * });
   * ```
   */
  async join(options?: WaitOptions): Promise<R> {
    const what = `join the thread ${this.name}`;
    const timeout = waitTimeout(options, what);
    options?.signal?.throwIfAborted();
    const address = joinable(this, what);
    if (!hasEnded(address)) {
      await waitPromise(joinProtocol, address, MAIN_QUEUE, {
        timeout,
        signal: options?.signal,
        timeoutError: () => timeoutError(what, timeout),
      });
    }
    await pinUntil(address, loadOutcome(address));
    return outcome(this, address) as R;
  }

  /**
   * Blocks this thread until the other has ended.
   *
   * @param options A timeout in milliseconds.
   * @returns What the thread returned.
   * @throws What the thread threw.
   * @throws {ThreadingError} If the thread was killed or died, was not started,
   * or is the one that runs here.
   * @throws {DeadlockError} If the thread waits for this one, step by step, or
   * every thread waits.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { sendable, Thread } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const six = sendable(import.meta, function six() {
   *   return 6;
   * });
   *
   * Deno.test("joinSync", () => {
   *   const thread = new Thread({ target: six });
   *   thread.start();
   *   assertEquals(thread.joinSync(), 6);
   * });
   * ```
   */
  joinSync(options?: WaitSyncOptions): R {
    const what = options === undefined
      ? "join a thread"
      : `join the thread ${this.name}`;
    const timeout = waitSyncTimeout(options, what);
    const address = joinable(this, "join a thread");
    if (!hasEnded(address)) {
      const end = waitSync(joinProtocol, address, MAIN_QUEUE, timeout, what);
      if (end === Wake.waiting) throw timeoutError(what, timeout);
    }
    return outcome(this, address) as R;
  }

  /**
   * Whether the thread was started and has not ended.
   *
   * @returns `true` from `start` until its end.
   *
   * @example
   * ```ts
   * import { currentThread } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * assert(currentThread().isAlive());
   * ```
   */
  isAlive(): boolean {
    return load(addressOf(this) + ThreadField.state) === ThreadStage.alive;
  }

  /**
   * Kills the thread, wherever it is. It stops at once if it waits in skein or
   * is in its event loop, else as soon as the main thread can see to it. What
   * it held is poisoned (see `Lock`), joining it throws. Does nothing if it has
   * ended.
   *
   * To be a last resort: the thread gets no chance to finish what it is doing.
   *
   * @throws {ThreadingError} If it was not started, or is the main thread.
   *
   * @example
   * ```ts
   * import { sendable, Thread, ThreadingError } from "@skein/std/threading";
   * import { assertThrows } from "@std/assert";
   *
   * export const spin = sendable(import.meta, function spin() {
   *   for (;;);
   * });
   *
   * Deno.test("terminate", () => {
   *   const thread = new Thread({ target: spin });
   *   thread.start();
   *   thread.terminate();
   *   assertThrows(() => thread.joinSync(), ThreadingError, "terminated");
   * });
   * ```
   */
  terminate(): void {
    const address = addressOf(this);
    if (load(address + ThreadField.state) === ThreadStage.created) {
      throw new ThreadingError(
        `Cannot terminate the thread ${this.name}: it was not started`,
      );
    }
    if (words[MAIN_SLOT + Slot.thread] === address) {
      throw new ThreadingError(
        "Cannot terminate the main thread: use Deno.exit() to end the process",
      );
    }
    condemn(address);
    checkDying();
  }

  /**
   * Asks the thread to stop. From then on every call in it that waits throws the
   * reason, under way or to come, also if it need not wait: the promise forms
   * and the blocking ones. Only a free `Lock`, `RLock` or `Semaphore` is still
   * taken; and what never waits (`...Nowait`, `release`, `notify`, `set`) goes on as
   * ever. The call that was interrupted is as if it had never been made. So the
   * thread cleans up (`using`, `finally`, see `shield`) and ends; joining
   * it throws the reason, unless it catches that.
   *
   * Code that computes without waiting finds out by `checkCancelled`, or by the
   * thread's {@linkcode signal}.
   *
   * The first reason counts. A thread that was not started never runs: starting
   * it ends it. With one that has ended nothing happens.
   *
   * @param reason What the waits throw; by default a `DOMException` named
   * `AbortError`. A copy arrives.
   * @param options `grace`: how many milliseconds later the thread is terminated
   * if it has not ended.
   * @throws {NotSendableError} If the reason cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap has no room for it.
   * @throws {ThreadingError} If it is the main thread.
   * @throws {RangeError} If the grace is negative, NaN or too large.
   * @throws {TypeError} If the grace is not a number.
   *
   * @example
   * ```ts
   * import { Event, sendable, Thread } from "@skein/std/threading";
   * import { assertThrows } from "@std/assert";
   *
   * export const wait = sendable(import.meta, function wait(event: Event) {
   *   event.waitSync();
   * });
   *
   * Deno.test("cancel", () => {
   *   const thread = new Thread({ target: wait, args: [new Event()] });
   *   thread.start();
   *   thread.cancel(new Error("closing"), { grace: 5000 });
   *   assertThrows(() => thread.joinSync(), Error, "closing");
   * });
   * ```
   */
  cancel(reason?: unknown, options?: CancelOptions): void {
    const what = "cancel a thread";
    if (options !== undefined) checkOptions(options, what, ["grace"]);
    const grace = durationOf(options?.grace, what, "grace");
    const address = addressOf(this);
    if (words[MAIN_SLOT + Slot.thread] === address) {
      throw new ThreadingError(
        "Cannot cancel the main thread: use Deno.exit() to end the process",
      );
    }
    const record = reason === undefined ? 0 : draftReason(reason);
    // Encoding may have run code that freed it.
    if (this[ADDRESS] !== address || hasEnded(address)) {
      if (record !== 0) discard(record);
      addressOf(this);
      return;
    }
    cancelScope(address, address + ThreadField.scope, record);
    if (grace !== Infinity) terminateAfter(address, grace);
  }

  /**
   * Tells the thread itself, and nobody else, when it is cancelled: for `fetch`,
   * and for whatever else takes a signal. It is aborted at once, also in a thread
   * that does not return to its event loop; listeners are called when the loop
   * turns. That of the main thread is never aborted.
   *
   * @throws {ThreadingError} If another thread asks.
   */
  get signal(): AbortSignal {
    const address = addressOf(this);
    if (words[self + Slot.thread] === address) {
      return signalOfScope(scopeOfThread());
    }
    throw new ThreadingError(
      `Cannot read the signal of the thread ${this.name}: it is for code of that thread, which gets it by currentThread().signal`,
    );
  }

  /** The name, for people: given, or `Thread-1`, `Thread-2`, ... */
  get name(): string {
    return nameOf(addressOf(this));
  }

  /** What tells it from every other living thread; `undefined` before start. */
  get ident(): number | undefined {
    return load(addressOf(this) + ThreadField.tid) || undefined;
  }

  /**
   * The number of the worker that runs the thread, 0 in the main thread;
   * `undefined` when none does.
   */
  get nativeId(): number | undefined {
    const address = addressOf(this);
    const slot = slotOf(load(address + ThreadField.tid));
    return words[slot + Slot.thread] === address
      ? words[slot + Slot.serial]
      : undefined;
  }

  /** Whether the process may end while the thread runs. */
  get daemon(): boolean {
    return words[addressOf(this) + ThreadField.daemon] !== 0;
  }

  /** How `select` waits for its end. @ignore */
  get [CASE](): { readonly value?: R } {
    return joinCase as CaseKind<R>;
  }
}

const joinCase: CaseKind<unknown> = settlingCase<Thread, unknown>({
  protocol: joinProtocol,
  isSettled: (thread) => hasEnded(joinable(thread, "join a thread")),
  read(thread, blocking) {
    const address = addressOf(thread);
    if (blocking) return outcome(thread, address);
    const loading = loadOutcome(address).then(() => outcome(thread, address));
    return new Later(pinUntil(address, loading));
  },
});

const KIND = registerClass(import.meta, {
  constructor: Thread,
  destroy: destroyThread,
  protocol: joinProtocol,
  look: lookAtThread,
  holders: holdersOfEnd,
  label: labelOfEnd,
});

/** Makes a Thread object on the heap, a draft without a name. */
export function createThread(daemon: boolean): number {
  const thread = createObject(KIND, THREAD_WORDS);
  words[thread + ThreadField.daemon] = daemon ? 1 : 0;
  return thread;
}

/** Names a new Thread object. */
export function setName(thread: number, name: string): void {
  const record = draftRecord(name);
  lock(self + Slot.mutex);
  words[thread + ThreadField.name] = record;
  commitRecord(record);
  unlock(self + Slot.mutex);
}

function nextName(): string {
  return `Thread-${add(Header.nextThreadNumber, 1) + 1}`;
}

function isDaemonHere(): boolean {
  const thread = words[self + Slot.thread];
  return thread !== 0 && words[thread + ThreadField.daemon] !== 0;
}

function unmarkedSubclass(thread: Thread): NotSendableError {
  const { name } = thread.constructor;
  return new NotSendableError(
    `Cannot start the thread ${thread.name}: its class ${name} is not marked, write static { sendable(import.meta, this); } in it`,
  );
}

function joinable(thread: Thread, what: string): number {
  const address = addressOf(thread);
  if (load(address + ThreadField.state) === ThreadStage.created) {
    throw new ThreadingError(`Cannot ${what}: it was not started`);
  }
  if (words[self + Slot.thread] === address) {
    throw new ThreadingError(
      `Cannot ${what}: it is the current thread, which would wait for itself`,
    );
  }
  return address;
}

/** Loads the modules of what an ended thread left. */
async function loadOutcome(address: number): Promise<void> {
  const result = words[address + ThreadField.result];
  if (result !== 0) await loadModulesOf(result);
  const fields = words[address + ThreadField.fields];
  if (fields !== 0) await loadModulesOf(fields);
}

/** What joining an ended thread gives or throws. */
function outcome(thread: Thread, address: number): unknown {
  if (isMain) settleKeepAlive();
  callbacks.turn();
  const fields = words[address + ThreadField.fields];
  if (fields !== 0 && thread[STARTER]) {
    thread[STARTER] = undefined;
    Object.assign(thread, readRecord(fields));
  }
  const result = words[address + ThreadField.result];
  const returned = load(address + ThreadField.state) === ThreadStage.returned;
  if (result === 0 && !returned) throw noRoom(thread.name);
  const value = result === 0 ? undefined : readRecord(result);
  if (returned) return value;
  throw value;
}

/** Gives a Thread, in its own thread, the function to run. */
export function equip(
  thread: Thread,
  target: SendableFunction | undefined,
  args: unknown[],
): void {
  thread[TARGET] = target;
  thread[ARGS] = args;
}

// What a thread is made of.

/** What any thread can be made with. */
export interface ThreadSettings {
  /**
   * The name, for people.
   *
   * @default {"Thread-1"}, `Thread-2`, ...
   */
  name?: string;
  /**
   * Whether the process may end while the thread runs.
   *
   * @default {false}, in a daemon true
   */
  daemon?: boolean;
  /**
   * Cancels the thread when it is aborted, with its reason. The thread that calls
   * `start` listens for it in its event loop. If it is aborted already, `run` is
   * not called.
   */
  signal?: AbortSignal;
}

/**
 * What a thread with a target and arguments is made of.
 *
 * @typeParam R What the target returns.
 * @typeParam A The target's arguments.
 */
export interface ThreadCall<R, A extends readonly unknown[]>
  extends ThreadSettings {
  /** The function to run, marked with `sendable`. */
  // A method: as a function it would refuse that of a generic caller.
  target(...args: [...A]): R | PromiseLike<R>;
  /** What the target is called with; copied, shared objects shared. */
  args: Readonly<A>;
}

/**
 * What a thread is made of whose target needs no arguments, or that has none.
 *
 * @typeParam R What the target returns.
 */
export interface PlainThread<R> extends ThreadSettings {
  /**
   * The function to run, marked with `sendable`. Without one, `run` of a
   * subclass is.
   */
  target?(): R | PromiseLike<R>;
  /** None. */
  args?: undefined;
}

/**
 * What a thread is made of.
 *
 * @typeParam R What the target returns.
 * @typeParam A The target's arguments; any, if they are not given.
 */
export type ThreadOptions<
  R = unknown,
  // deno-lint-ignore no-explicit-any
  A extends readonly unknown[] = any[],
> = ThreadCall<R, A> | PlainThread<R>;

/** The options of a thread, of the right types. */
interface CheckedOptions {
  target?: SendableFunction;
  args?: readonly unknown[];
  name?: string;
  daemon?: boolean;
  signal?: AbortSignal;
}

const NAMES = ["target", "args", "name", "daemon", "signal"];

/**
 * Reads the options of a thread.
 *
 * @throws {TypeError} If one is of another type than it should be.
 */
function readOptions(options: unknown): CheckedOptions {
  if (options !== undefined) checkOptions(options, "make a Thread", NAMES);
  const { target, args, name, daemon, signal } =
    (options ?? {}) as CheckedOptions;
  if (target !== undefined || args !== undefined) {
    checkFunction(target, "make a Thread", "target");
  }
  if (args !== undefined) checkArray(args, "make a Thread", "args");
  if (name !== undefined) checkString(name, "make a Thread", "name");
  checkSignal(signal, "make a Thread");
  return { target, args, name, daemon: daemon && true, signal };
}

/** What `Thread.cancel` takes besides the reason. */
export interface CancelOptions {
  /**
   * Milliseconds after which the thread is terminated if it has not ended, at
   * most `TIMEOUT_MAX`.
   *
   * @default {Infinity}
   */
  grace?: number;
}
