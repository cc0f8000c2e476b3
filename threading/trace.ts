/**
 * A timeline of the threads: what each did, what it waited for, and who ended
 * that wait.
 *
 * @module
 */

// Before anything here runs, the main thread has to have its name.
import "./current_thread.ts";
import {
  checkFunction,
  checkOptions,
  isThenable,
  shown,
} from "../_internal/check.ts";
import { isMain } from "./_memory/heap.ts";
import { tracing } from "../_internal/tracing.ts";
import {
  beginProcess,
  closeSpan,
  endProcess,
  isTracing,
  openSpan,
  SpanKind,
  TraceBit,
  WITH_ARGUMENTS,
} from "./_memory/trace.ts";
import {
  begin,
  end,
  type TraceEvents,
  type TraceSummary,
} from "./_trace/start.ts";

export type { TraceEvents, TraceSummary };

/** Options of {@linkcode startTrace}. */
export interface TraceOptions {
  /** The file, which is made, or written anew. */
  path: string | URL;
  /** What is to be in it; everything by default. */
  events?: readonly TraceEvents[];
  /** How many bytes the file may have; as many as it takes by default. */
  limit?: number;
  /**
   * Whether commands are shown with their arguments, where secrets may be;
   * `false` by default: then they are shown by the names of their programs.
   */
  args?: boolean;
}

const WHAT = "start a trace";
const OPTIONS = ["path", "events", "limit", "args"] as const;
const EVENTS = Object.keys(TraceBit) as TraceEvents[];

/** A trace that runs, see {@linkcode startTrace}. */
export interface Trace extends Disposable {
  /**
   * Ends the trace, and waits until its file is written. A second call does
   * nothing. `using` calls it at the end of the block.
   *
   * @returns How many events the file has, and how many did not fit.
   * @throws {ThreadingError} If the file is not written in ten seconds.
   *
   * @example
   * ```ts
   * import { startTrace } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const trace = startTrace({ path: "/tmp/stopped.json" });
   * const { lost } = trace.stop();
   * assertEquals(lost, 0);
   * ```
   */
  stop(): TraceSummary;
}

/**
 * Starts to record what all threads of this process do, until `stop()`, or the
 * end of the process: their lives, each wait and who ended it, who held which
 * Lock, RLock or InterpreterLock for how long, the tasks of pools, commands and
 * pipelines of `process`, handlers of signals, and spans; and how many items the queues have, which is looked at some fifty times a second.
 *
 * The file is in the Trace Event Format, which Perfetto (`ui.perfetto.dev`),
 * `chrome://tracing` and speedscope open. It is written all the time by a thread
 * of skein's own, also while the program blocks or computes. If the process is
 * killed, what was written until then can be opened, and so can what a thread
 * recorded that was killed.
 *
 * Each thread records into memory of its own, without waiting for anybody. What
 * comes faster than it can be written is left out, and counted. While no trace
 * runs, it costs next to nothing.
 *
 * @param options The file, what is to be in it, and how large it may get.
 * @returns The trace, to be stopped, or disposed of by `using`.
 * @throws {ThreadingError} If another one runs; so it does if the whole program
 * is traced, by the command `trace` or `SKEIN_TRACE`.
 * @throws {TypeError} If an option is of the wrong type, or does not exist.
 * @throws {RangeError} If `limit` is not an integer above 0.
 * @throws {HeapExhaustedError} If the shared heap has no room.
 * @throws {Deno.errors.NotCapable} If the file may not be written; any other
 * error of opening it, too.
 *
 * @example
 * ```ts
 * import { sleepSync, span, startTrace } from "@skein/std/threading";
 * import { assert } from "@std/assert";
 *
 * using trace = startTrace({ path: "/tmp/trace.json" });
 * span("a nap", () => sleepSync(10));
 * assert(trace.stop().events > 0);
 * ```
 */
export function startTrace(options: TraceOptions): Trace {
  return startFor(options, false);
}

function startFor(options: TraceOptions, isAsked: boolean): Trace {
  checkOptions(options, WHAT, OPTIONS);
  const { path, events = EVENTS, limit = Infinity, args = false } = options;
  const file = pathOf(path);
  checkEvents(events);
  checkLimit(limit);
  if (typeof args !== "boolean") {
    throw new TypeError(
      `Cannot ${WHAT}: args must be a boolean, received ${shown(args)}`,
    );
  }
  const epoch = begin({ path: file, events, limit, args, isAsked });
  let summary: TraceSummary | undefined;
  const stop = () => summary ??= end(epoch, file);
  return { stop, [Symbol.dispose]: () => void stop() };
}

function pathOf(path: unknown): string {
  if (path instanceof URL && path.protocol === "file:") {
    return decodeURIComponent(path.pathname);
  }
  if (typeof path !== "string" || path === "") {
    throw new TypeError(
      `Cannot ${WHAT}: path must be a string or a file: URL, received ${
        shown(path)
      }`,
    );
  }
  // The program may change its directory before the writer opens the file.
  return path.startsWith("/") ? path : Deno.cwd() + "/" + path;
}

function checkEvents(events: unknown): void {
  const isList = Array.isArray(events);
  const wrong = isList
    ? events.find((name) => !EVENTS.includes(name))
    : undefined;
  if (isList && wrong === undefined) return;
  throw new TypeError(
    `Cannot ${WHAT}: events must be an array of ${
      EVENTS.join(", ")
    }, received ${shown(isList ? wrong : events)}`,
  );
}

function checkLimit(limit: unknown): void {
  if (typeof limit !== "number") {
    throw new TypeError(
      `Cannot ${WHAT}: limit must be a number, received ${shown(limit)}`,
    );
  }
  if (limit === Infinity || (Number.isInteger(limit) && limit > 0)) return;
  throw new RangeError(
    `Cannot ${WHAT}: limit must be an integer above 0, received ${limit}`,
  );
}

tracing.command = (nameOf) => {
  if (!isTracing(TraceBit.processes)) return undefined;
  const name = nameOf(isTracing(WITH_ARGUMENTS));
  const open = openSpan(name, SpanKind.command);
  return (status) => closeSpan(open, status);
};

tracing.process = (nameOf) => {
  if (!isTracing(TraceBit.processes)) return undefined;
  const process = beginProcess(nameOf(isTracing(WITH_ARGUMENTS)));
  return (status) => endProcess(process, status);
};

const NO_SPAN: Disposable = { [Symbol.dispose]() {} };

/**
 * Names a stretch of the calling thread's time, to be seen in a trace: what a
 * function does, an async one until its promise is settled, or the rest of a
 * block. Does nothing but call the function while no trace runs.
 *
 * @param name What the stretch is called.
 * @param fn The function.
 * @returns What the function returns.
 * @throws {TypeError} If `name` is not a string, or `fn` not a function.
 *
 * @example
 * ```ts
 * import { span } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(span("add", () => 1 + 1), 2);
 * assertEquals(await span("add later", async () => await 1 + 1), 2);
 * ```
 */
export function span<T>(name: string, fn: () => T): T;
/**
 * Names the rest of a block.
 *
 * @param name What the stretch is called.
 * @returns What ends it, for `using`.
 * @throws {TypeError} If `name` is not a string.
 *
 * @example
 * ```ts
 * import { span } from "@skein/std/threading";
 *
 * {
 *   using _ = span("the first part");
 *   // ...
 * }
 * ```
 */
export function span(name: string): Disposable;
export function span<T>(name: string, fn?: () => T): T | Disposable {
  if (typeof name !== "string") {
    throw new TypeError(
      `Cannot make a span: name must be a string, received ${shown(name)}`,
    );
  }
  const isWanted = isTracing(TraceBit.spans);
  if (arguments.length === 1) return isWanted ? beginSpan(name) : NO_SPAN;
  checkFunction(fn, "make a span", "fn");
  return isWanted ? callIn(name, fn!) : fn!();
}

function beginSpan(name: string): Disposable {
  const open = openSpan(name);
  let isOver = false;
  return {
    [Symbol.dispose]() {
      if (!isOver) closeSpan(open);
      isOver = true;
    },
  };
}

function callIn<T>(name: string, fn: () => T): T {
  const open = openSpan(name);
  let isAsync = false;
  try {
    const result = fn();
    isAsync = isThenable(result);
    return isAsync ? endLater(open, result) as T : result;
  } finally {
    if (!isAsync) closeSpan(open);
  }
}

async function endLater(
  open: ReturnType<typeof openSpan>,
  promise: unknown,
): Promise<unknown> {
  try {
    return await promise;
  } finally {
    closeSpan(open);
  }
}

/** Names the file of a trace that begins with the program. */
const VARIABLE = "SKEIN_TRACE";

/** Starts the trace that the environment asks for, where that may be read. */
function startAsked(): void {
  const permission = { name: "env", variable: VARIABLE } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") return;
  const path = Deno.env.get(VARIABLE);
  if (!path) return;
  // Programs that this one starts must not write to the same file.
  Deno.env.delete(VARIABLE);
  startFor({ path }, true);
}

if (isMain) startAsked();
