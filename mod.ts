/**
 * Threads, queues, processes and signals for TypeScript on Deno, after the
 * chapter of Python's standard library that has them.
 *
 * This module exports everything; each part also stands alone:
 *
 * - `@skein/std/threading`: threads that share memory, locks that really
 *   exclude, shared data.
 * - `@skein/std/queue`: queues that any thread reads and writes directly.
 * - `@skein/std/pool`: functions run on all cores.
 * - `@skein/std/process`: commands and pipelines, joined by the kernel.
 * - `@skein/std/signal`: handlers of signals, alarms, leaving in good order.
 *
 * A wait has up to three forms: `op()` returns a promise, `opSync()` blocks the
 * thread, and where something may be had at once `opNowait()` never waits.
 * Durations are milliseconds, but for `alarm()`, which takes seconds as alarm(2)
 * does.
 *
 * Names are Python's, in the style of JavaScript: `task_done` is `taskDone`,
 * `getoutput` is `getOutput`, and the names of classes stay. What Python itself
 * took from C stays as C writes it, in lower case: `getpid`, `waitpid`,
 * `setitimer`, `sigwait`, `strsignal`; and so do constants, in upper case:
 * `SIG_IGN`, `P_NOWAIT`.
 *
 * @example One of each
 * ```ts
 * import { alarm, Lock, pipeline, Queue, SIG_DFL, signal, sleep } from "@skein/std";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const lock = new Lock();
 * {
 *   using _ = lock.acquireSync();
 *   // Only one thread at a time is here.
 * }
 *
 * const queue = new Queue<string>();
 * queue.putSync("spam");
 * assertEquals(await queue.get(), "spam");
 *
 * const sorted = await pipeline(["printf", "b\\na\\n"], ["sort"]).text();
 * assertEquals(sorted, "a\nb\n");
 *
 * signal("SIGALRM", () => console.log("ring"));
 * alarm(0.02);
 * assert(await sleep(10_000) > 9000);
 * signal("SIGALRM", SIG_DFL);
 * ```
 *
 * @module
 */

// Threads, locks, shared data
export * from "./threading/mod.ts";

// Queues between threads
export * from "./queue/mod.ts";

// Work on all cores
export * from "./pool/mod.ts";

// Commands, pipelines, processes
export * from "./process/mod.ts";

// Handlers, alarms, shutdown
export * from "./signal/mod.ts";
