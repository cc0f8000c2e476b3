/**
 * The low-level interface of Python's `thread` module. New code is better off
 * with `Thread` and `Lock`.
 *
 * @module
 */

import { exitNow, signalSelf } from "../_internal/runtime.ts";
import { checkArray, checkFunction, shown } from "../_internal/check.ts";
import { Lock } from "./sync/lock.ts";
import { exchange, Header, isMain, load } from "./_memory/heap.ts";
import { ThreadExit } from "./_runtime/worker_pool.ts";
import { Thread } from "./thread.ts";

/**
 * Starts a thread that dies with the main program, and gives no handle of it.
 * After `thread.start_new_thread` of Python.
 *
 * What the function returns is dropped; an error it throws goes to the
 * excepthook, which prints it.
 *
 * @typeParam A The function's arguments.
 * @param fn The function to run, marked with `sendable`.
 * @param args What it is called with; copied, shared objects shared.
 * @returns The thread's identity, as its `getIdent` returns it.
 * @throws {TypeError} If `fn` is not a function, or `args` not an array.
 * @throws {NotSendableError} If the function is not marked, or an argument
 * cannot be sent.
 * @throws {HeapExhaustedError} If the shared heap has no room for them.
 * @throws {ThreadingError} If a new thread is loading the module of this call.
 * @throws {Deno.errors.NotCapable} If a module that its worker imports may
 * not be read.
 *
 * @example
 * ```ts
 * import { Event, sendable, startNewThread } from "@skein/std/threading";
 *
 * export const ring = sendable(import.meta, function ring(bell: Event) {
 *   bell.set();
 * });
 *
 * Deno.test("startNewThread", async () => {
 *   const bell = new Event();
 *   startNewThread(ring, [bell]);
 *   await bell.wait();
 * });
 * ```
 */
export function startNewThread<A extends readonly unknown[]>(
  fn: (...args: A) => unknown,
  args: Readonly<A>,
): number;
/**
 * Starts a thread of a function without arguments that dies with the main
 * program.
 *
 * @param fn The function to run, marked with `sendable`.
 * @returns The thread's identity, as its `getIdent` returns it.
 * @throws {TypeError} If `fn` is not a function.
 * @throws {NotSendableError} If the function is not marked.
 * @throws {HeapExhaustedError} If the shared heap has no room.
 * @throws {Deno.errors.NotCapable} If a module that its worker imports may
 * not be read.
 *
 * @example
 * ```ts
 * import { sendable, startNewThread } from "@skein/std/threading";
 *
 * export const hello = sendable(import.meta, function hello() {
 *   console.log("hello");
 * });
 *
 * Deno.test("startNewThread without arguments", () => {
 *   startNewThread(hello);
 * });
 * ```
 */
export function startNewThread(fn: () => unknown): number;
export function startNewThread<A extends readonly unknown[]>(
  fn: (...args: A) => unknown,
  args?: Readonly<A>,
): number {
  checkFunction(fn, "start a new thread", "fn");
  if (args !== undefined) checkArray(args, "start a new thread", "args");
  const thread = new Thread<unknown>({
    target: fn,
    args: args ?? [],
    daemon: true,
  });
  thread.start();
  return thread.ident!;
}

/**
 * Makes a lock. After `thread.allocate_lock` of Python.
 *
 * @returns A free lock, `new Lock()`.
 *
 * @example
 * ```ts
 * import { allocateLock } from "@skein/std/threading";
 * import { assert } from "@std/assert";
 *
 * using lock = allocateLock().acquireSync();
 * assert(lock.locked());
 * ```
 */
export function allocateLock(): Lock {
  return new Lock();
}

/**
 * Ends the thread that calls it, silently: joining it gives `undefined`. In the
 * main thread it ends the process with status 0. After `thread.exit` of
 * Python.
 *
 * In a thread it works by throwing an error, so `finally` blocks run, and a
 * `catch` that swallows everything keeps the thread going.
 *
 * @returns Never.
 *
 * @example
 * ```ts
 * import { exit, sendable, Thread } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const leave = sendable(import.meta, function leave() {
 *   exit();
 * });
 *
 * Deno.test("exit", async () => {
 *   const thread = new Thread({ target: leave });
 *   thread.start();
 *   assertEquals(await thread.join(), undefined);
 * });
 * ```
 */
export function exit(): never {
  if (isMain) exitNow(0);
  throw new ThreadExit("exit() was called and its error caught");
}

/**
 * Raises SIGINT, as Ctrl+C does: the process's handlers of the signal run in
 * the threads that set them, the main thread's as a rule; without one the
 * process ends. After `thread.interrupt_main` of Python.
 *
 * A handler runs when its thread's event loop turns, so not while that thread
 * is blocked. No permission is needed.
 *
 * @example
 * ```ts
 * import { interruptMain, sendable, sleepSync } from "@skein/std/threading";
 *
 * export const watchdog = sendable(import.meta, function watchdog(ms: number) {
 *   sleepSync(ms);
 *   interruptMain();
 * });
 * ```
 */
export function interruptMain(): void {
  signalSelf("SIGINT");
}

// The stack size of new threads.

/** As in Python: less would not carry the interpreter. */
const MIN_BYTES = 32 * 1024;
const MAX_BYTES = 2 ** 30;

/**
 * Asks for a stack size for the threads that are started from now on, anywhere
 * in the process, or tells what was asked for. After `threading.stack_size` of
 * Python.
 *
 * It is a request to the platform, passed on with each worker that is started
 * (an idle one is not made anew). Deno 2.9 accepts it and does not act on it:
 * threads recurse as deep as before, some ten thousand calls.
 *
 * @param bytes The size: 0 for the platform's default, or 32 KiB to 1 GiB.
 * Left out, nothing changes.
 * @returns The size asked for before, 0 at first.
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is not an integer, or out of range.
 *
 * @example
 * ```ts
 * import { stackSize } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const before = stackSize(4 * 1024 * 1024);
 * assertEquals(stackSize(), 4 * 1024 * 1024);
 * stackSize(before);
 * ```
 */
export function stackSize(bytes?: number): number {
  if (bytes === undefined) return load(Header.stackSize);
  if (typeof bytes !== "number") {
    throw new TypeError(
      `Cannot set the stack size: it must be a number of bytes, received ${
        shown(bytes)
      }`,
    );
  }
  const inRange = bytes >= MIN_BYTES && bytes <= MAX_BYTES;
  if (!Number.isInteger(bytes) || (bytes !== 0 && !inRange)) {
    throw new RangeError(
      `Cannot set the stack size: it must be 0 or an integer between ${MIN_BYTES} and ${MAX_BYTES} bytes, received ${bytes}`,
    );
  }
  return exchange(Header.stackSize, bytes);
}
