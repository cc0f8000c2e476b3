/**
 * Threads that share memory: locks that really exclude, events, semaphores,
 * barriers, and shared data, for workers on Deno. After `threading` and
 * `thread` of Python.
 *
 * A thread is made with {@linkcode Thread}, from a function that is marked with
 * {@linkcode sendable} where it is defined, or as a subclass. skein's own objects
 * are shared wherever they are sent, in arguments, fields, items and values, at any
 * depth; all other values are copied, as `structuredClone` does.
 *
 * Which to choose:
 *
 * | you want                                                | use                                                 |
 * | ------------------------------------------------------- | --------------------------------------------------- |
 * | a function that runs at the same time as the rest       | {@linkcode Thread}                                  |
 * | one that starts later, unless it is cancelled           | {@linkcode Timer}                                   |
 * | many small tasks, and their results                     | `ThreadPool` of `@skein/std/pool`                   |
 * | to hand work or results from thread to thread           | `Queue` of `@skein/std/queue`                       |
 * | one thread at a time in a stretch of code               | {@linkcode Lock}                                    |
 * | the same, in functions that call each other             | {@linkcode RLock}                                   |
 * | many readers, or one writer                             | {@linkcode RwLock}                                  |
 * | to wait until something is so that a lock guards        | {@linkcode Condition}                               |
 * | at most n threads at a time in a stretch of code        | {@linkcode Semaphore}, {@linkcode BoundedSemaphore} |
 * | to tell all who wait that something has happened        | {@linkcode Event}                                   |
 * | threads that wait for each other, round by round        | {@linkcode Barrier}                                 |
 * | one thread at a time in all code that takes part        | {@linkcode InterpreterLock}                         |
 * | a counter, or an array of numbers, that all threads see | {@linkcode SharedNumber}, {@linkcode SharedArray}   |
 * | a list or a map that all threads see                    | {@linkcode SharedList}, {@linkcode SharedMap}       |
 * | a value of its own in each thread                       | {@linkcode Local}                                   |
 *
 * Besides there are:
 *
 * - what a thread knows of itself and the others: {@linkcode currentThread},
 *   {@linkcode mainThread}, {@linkcode enumerate}, {@linkcode activeCount},
 *   {@linkcode getIdent}, and {@linkcode sleepSync};
 * - cancelling: {@linkcode Thread.prototype.cancel Thread.cancel} asks a thread to stop,
 *   {@linkcode checkCancelled} tells a loop that it is to, {@linkcode shield} lets
 *   cleaning up wait undisturbed;
 * - looking: {@linkcode threadStates} tells what each thread waits for and holds,
 *   {@linkcode startTrace} and {@linkcode span} draw a timeline, and `console.log`
 *   shows the state of every shared object;
 * - the chapter's `thread` module: {@linkcode startNewThread},
 *   {@linkcode allocateLock}, {@linkcode exit}, {@linkcode interruptMain},
 *   {@linkcode stackSize};
 * - errors, all of them a {@linkcode ThreadingError}: {@linkcode OwnerDiedError} if
 *   a thread died with a lock, {@linkcode DeadlockError} if a wait could never end,
 *   {@linkcode BrokenBarrierError}, {@linkcode NotSendableError},
 *   {@linkcode HeapExhaustedError}. {@linkcode setExcepthook} is told of what no
 *   thread caught, {@linkcode isTimeout} knows the errors of a timeout.
 *
 * A wait has up to three forms: `op()` returns a promise and leaves the event
 * loop running, `opSync()` blocks the thread, and where something may be had at
 * once `opNowait()` never waits. Timeouts are in milliseconds and throw a `DOMException` named
 * `TimeoutError`. A lock is its own guard: `using _ = lock.acquireSync();`.
 *
 * @example A counter that two threads increment
 * ```ts
 * import { Lock, sendable, SharedNumber, Thread } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const increment = sendable(
 *   import.meta,
 *   function increment(lock: Lock, counter: SharedNumber) {
 *     for (let i = 0; i < 1000; i++) {
 *       using _ = lock.acquireSync();
 *       counter.value = counter.value + 1;
 *     }
 *   },
 * );
 *
 * Deno.test("two threads count to 2000", async () => {
 *   const lock = new Lock();
 *   const counter = new SharedNumber(0);
 *   const threads = [1, 2].map(() =>
 *     new Thread({ target: increment, args: [lock, counter] })
 *   );
 *   for (const thread of threads) thread.start();
 *   for (const thread of threads) await thread.join();
 *   assertEquals(counter.value, 2000);
 * });
 * ```
 *
 * @module
 */

// Threads
export {
  type CancelOptions,
  type PlainThread,
  Thread,
  type ThreadCall,
  type ThreadOptions,
  type ThreadSettings,
} from "./thread.ts";
export { checkCancelled, shield } from "./current_thread.ts";
export {
  activeCount,
  currentThread,
  enumerate,
  getIdent,
  Local,
  mainThread,
  sleepSync,
  type ThreadState,
  threadStates,
} from "./current_thread.ts";
export { Timer } from "./timer.ts";
export {
  sendable,
  type SendableClass,
  type SendableFunction,
} from "./_codec/sendable.ts";

// Locks and what else threads wait for
export { Lock } from "./sync/lock.ts";
export { RLock } from "./sync/rlock.ts";
export type { ReadGuard, WriteGuard } from "./sync/rw_lock.ts";
export { RwLock } from "./sync/rw_lock.ts";
export { Condition } from "./sync/condition.ts";
export { BoundedSemaphore, type Permits, Semaphore } from "./sync/semaphore.ts";
export { Event } from "./sync/event.ts";
export {
  Barrier,
  type BarrierAction,
  type BarrierOptions,
} from "./sync/event.ts";
export { InterpreterLock } from "./sync/interpreter_lock.ts";

// Shared data
export * from "./shared/numbers.ts";
export { SharedList } from "./shared/list.ts";
export { SharedMap } from "./shared/map.ts";

// The chapter's low-level `thread` module, and the size of stacks
export * from "./low_level.ts";

// Seeing what the threads do
export {
  span,
  startTrace,
  type Trace,
  type TraceEvents,
  type TraceOptions,
  type TraceSummary,
} from "./trace.ts";

// Errors
export {
  type ExceptHook,
  type ExceptHookArgs,
  setExcepthook,
} from "./excepthook.ts";
export * from "./errors.ts";

// What they have in common
export {
  TIMEOUT_MAX,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
export type { Selectable } from "./_memory/selection.ts";
export type { SharedObject } from "./_memory/shared_object.ts";

// For nothing but to have it in the program: a worker that had to download it
// would wait for the main thread, and `deno compile` would leave it out.
import "./_worker.ts";
