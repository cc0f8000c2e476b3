/**
 * Threads that share memory: locks that really exclude, events, semaphores,
 * barriers, and shared data, for workers on Deno. After `threading` and
 * `thread` of Python.
 *
 * Everything that waits has three forms: `op()` returns a promise and leaves
 * the event loop running, `opSync()` blocks the thread, `opNowait()` never
 * waits. Timeouts are in milliseconds and throw a `DOMException` named
 * `TimeoutError`. A lock is its own guard: `using _ = lock.acquireSync();`.
 *
 * A function or class that more than one thread must know is marked with
 * {@linkcode sendable} where it is defined. skein's own objects are shared
 * wherever they are sent; all other values are copied, as `structuredClone`
 * does.
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
export { type CancelOptions, Thread, type ThreadOptions } from "./thread.ts";
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
} from "../_internal/options.ts";
export type { Selectable } from "./_memory/selection.ts";
export type { SharedObject } from "./_memory/shared_object.ts";

// For nothing but to have it in the program: a worker that had to download it
// would wait for the main thread, and `deno compile` would leave it out.
import "./_worker.ts";
