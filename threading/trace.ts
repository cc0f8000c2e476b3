/**
 * A timeline of the threads: what each did, what it waited for, and who ended
 * that wait. `_memory/trace.ts` says how events are recorded, and
 * `_trace/writer.ts` how they are written.
 *
 * @module
 */

import {
  currentFolder,
  environment,
  mainModule,
  onProcessEnd,
  processId,
  removeEnvironment,
} from "../_internal/runtime.ts";
import { openToWrite } from "./_trace/format.ts";
import {
  checkFunction,
  checkOptions,
  isThenable,
  shown,
} from "../_internal/check.ts";
import { tracing } from "../_internal/hooks.ts";
import { isAbsolute, pathOfUrl } from "../_internal/built_in.ts";
import {
  commitRecord,
  draftRecord,
  readShared,
  takeRecord,
} from "./_codec/record.ts";
import { allocate, discard, removeDraft } from "./_memory/allocator.ts";
import {
  bytes,
  clockPair,
  compareExchange,
  doubles,
  Header,
  isExplored,
  isMain,
  load,
  MAIN_SLOT,
  Slot,
  slotAt,
  store,
  wakeSlot,
  words,
} from "./_memory/heap.ts";
import { checkDying, doWholly, lock, unlock } from "./_memory/mutex.ts";
import { naming } from "./_memory/shared_class.ts";
import {
  beginProcess,
  closeSpan,
  endProcess,
  isTracing,
  noteThread,
  openSpan,
  Region,
  Ring,
  ringWords,
  SpanKind,
  TRACE_REGION,
  TraceBit,
  traceNow,
  TRACING,
  wakeWriter,
  WITH_ARGUMENTS,
} from "./_memory/trace.ts";
import { addOnWake } from "./_memory/wait.ts";
import { TraceState, type WriterRequest } from "./_trace/events.ts";
import { startWriter } from "./_trace/writer.ts";
import { HeapExhaustedError, ThreadingError } from "./errors.ts";

// Before anything here runs, the main thread has to have its name.
import "./current_thread.ts";

/** What can be recorded, as the option `events` names it. */
export type TraceEvents =
  | "threads"
  | "waits"
  | "locks"
  | "spans"
  | "queues"
  | "tasks"
  | "processes"
  | "signals";

/** What `Trace.stop` tells. */
export interface TraceSummary {
  /** The file. */
  path: string;
  /** How many events it has. */
  events: number;
  /** How many it lacks, since they did not fit. */
  lost: number;
  /** Its size. */
  bytes: number;
  /** Why it could not be written to its end, if it could not. */
  error?: string;
}

/** Options of {@linkcode startTrace}. */
export interface TraceOptions {
  /** The file, which is made, or written anew. */
  path: string | URL;
  /** What to record; everything by default. */
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
 * pipelines of `process`, handlers of signals, and spans; and how many items the
 * queues have, which is looked at some fifty times a second.
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
 * @param options The file, what to record, and how large it may get.
 * @returns The trace, to be stopped, or disposed of by `using`.
 * @throws {ThreadingError} If another one runs; so it does if the whole program
 * is traced, by the command `trace` or `SKEIN_TRACE`. Also in a thread that
 * `explore` of testing runs.
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
  if (isExplored) {
    throw new ThreadingError(
      `Cannot ${WHAT}: this thread is run by explore(), whose failures have a table of what the threads did; trace the program by itself`,
    );
  }
  const epoch = begin({ path: file, events, limit, args, isAsked });
  let summary: TraceSummary | undefined;
  const stop = () => summary ??= end(epoch, file);
  return { stop, [Symbol.dispose]: () => void stop() };
}

function pathOf(path: unknown): string {
  if (path instanceof URL && path.protocol === "file:") return pathOfUrl(path);
  if (typeof path !== "string" || path === "") {
    throw new TypeError(
      `Cannot ${WHAT}: path must be a string or a file: URL, received ${
        shown(path)
      }`,
    );
  }
  // The program may change its directory before the writer opens the file.
  return isAbsolute(path) ? path : currentFolder() + "/" + path;
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

// Starting and ending. Only the main thread can start the writer. Another thread
// leaves a request, and the main thread sees it in its event loop and in any of
// skein's blocking waits. Meanwhile the rings fill.

/** What a trace is started with. */
interface TraceStart {
  path: string;
  /** Whether commands are shown with their arguments. */
  args: boolean;
  events: readonly TraceEvents[];
  limit: number;
  /** Whether the environment asks for it, not the program. */
  isAsked: boolean;
}

/** The region of the rings: the first trace allocates it, and it stays. */
function requireRegion(): number {
  if (words[TRACE_REGION] !== 0) return words[TRACE_REGION];
  const region = allocateRegion();
  lock(Header.registryMutex);
  const isFirst = words[TRACE_REGION] === 0;
  if (isFirst) {
    words[TRACE_REGION] = region;
    removeDraft(region);
  }
  unlock(Header.registryMutex);
  // Another thread was quicker.
  if (!isFirst) discard(region);
  return words[TRACE_REGION];
}

/** 64 rings of 320 KiB, of which only what is written to costs memory. */
const MOST = { rings: 64, cells: 8192 };
/** On a small heap. */
const LEAST = { rings: 8, cells: 64 };

function allocateRegion(): number {
  let { rings, cells } = MOST;
  for (;;) {
    try {
      const region = allocate(Region.first + rings * ringWords(cells));
      words.fill(0, region, region + Region.first);
      words[region + Region.rings] = rings;
      words[region + Region.cells] = cells;
      for (let i = 0; i < rings; i++) {
        const ring = ringIn(region, i);
        words.fill(0, ring, ring + Ring.cells);
      }
      return region;
    } catch (error) {
      const isLast = cells <= LEAST.cells;
      if (isLast || !(error instanceof HeapExhaustedError)) throw error;
      rings = Math.max(rings >> 1, LEAST.rings);
      cells >>= 1;
    }
  }
}

function ringIn(region: number, i: number): number {
  const cells = words[region + Region.cells];
  return region + Region.first + i * ringWords(cells);
}

function twice(region: number): ThreadingError {
  if (words[region + Region.isAsked] !== 0) {
    return new ThreadingError(
      `Cannot ${WHAT}: the whole program is traced, as SKEIN_TRACE or the command that started it asks; run it by itself`,
    );
  }
  return new ThreadingError(
    `Cannot ${WHAT}: another one runs; stop that one first`,
  );
}

/** Whether the trace of that number runs. */
function runs(epoch: number): boolean {
  const region = words[TRACE_REGION];
  return region !== 0 && words[region + Region.epoch] === epoch &&
    load(region + Region.state) !== TraceState.idle;
}

/**
 * Starts a trace.
 *
 * @returns Its number.
 * @throws {ThreadingError} If another one runs.
 * @throws {HeapExhaustedError} If there is no room for what is recorded.
 * @throws What opening the file throws.
 */
function begin(start: TraceStart): number {
  const { path } = start;
  const region = requireRegion();
  const state = region + Region.state;
  if (load(state) !== TraceState.idle) throw twice(region);
  tryToOpen(path);
  let epoch = 0;
  let error: unknown;
  // Killed in the middle of it, this thread would leave a trace that never ends.
  doWholly(() => {
    if (compareExchange(state, TraceState.idle, TraceState.claimed) !== 0) {
      error = twice(region);
      return;
    }
    try {
      epoch = claim(region, start);
    } catch (reason) {
      error = reason;
      store(TRACING, 0);
      store(state, TraceState.idle);
    }
  });
  if (error !== undefined) throw error;
  return epoch;
}

/** A file that cannot be written is an error of the call, not of the writer. */
function tryToOpen(path: string): void {
  try {
    openToWrite(path, false).close();
  } catch (error) {
    if (error instanceof Error) {
      error.message = `Cannot ${WHAT}: ${error.message}`;
    }
    throw error;
  }
}

function claim(
  region: number,
  { path, limit, events, args, isAsked }: TraceStart,
): number {
  const epoch = ++words[region + Region.epoch];
  let lostBefore = words[region + Region.homeless];
  for (let i = 0; i < words[region + Region.rings]; i++) {
    const ring = ringIn(region, i);
    store(ring + Ring.tail, load(ring + Ring.head));
    lostBefore += words[ring + Ring.lost];
  }
  words[region + Region.stop] = 0;
  words[region + Region.isAsked] = isAsked ? 1 : 0;
  words[region + Region.errorLength] = 0;
  words[region + Region.flushed] = words[region + Region.flush];
  const request: WriterRequest = {
    path,
    limit,
    hasLives: events.includes("threads"),
    hasQueues: events.includes("queues"),
    began: traceNow(),
    lostBefore,
    program: programName(),
    pid: processId(),
    mainTid: words[MAIN_SLOT + Slot.tid],
  };
  if (isMain) {
    startWriter(region, request, clockPair());
    store(region + Region.state, TraceState.running);
    watchEnd();
  } else {
    const record = draftRecord(request);
    lock(Header.registryMutex);
    commitRecord(record);
    words[region + Region.request] = record;
    unlock(Header.registryMutex);
    store(region + Region.state, TraceState.wanted);
    wakeSlot(MAIN_SLOT);
  }
  const more = args ? WITH_ARGUMENTS : 0;
  store(TRACING, events.reduce((bits, name) => bits | TraceBit[name], more));
  // Those that begin from now on tell it themselves.
  for (let i = 0; i < words[Header.usedSlots]; i++) {
    const slot = slotAt(i);
    const tid = load(slot + Slot.tid);
    if (tid === 0) continue;
    const name = naming.nameOf(tid);
    noteThread(tid, words[slot + Slot.thread], name, request.began);
  }
  return epoch;
}

function programName(): string {
  try {
    const url = mainModule();
    return url.slice(url.lastIndexOf("/") + 1);
  } catch {
    // It may not be read.
    return "Deno";
  }
}

/** Starts the writer that another thread has asked for. */
function startWanted(): void {
  const region = words[TRACE_REGION];
  if (region === 0 || load(region + Region.state) !== TraceState.wanted) return;
  lock(Header.registryMutex);
  const record = words[region + Region.request];
  words[region + Region.request] = 0;
  takeRecord(record);
  unlock(Header.registryMutex);
  const request = readShared(record) as WriterRequest;
  try {
    startWriter(region, request, clockPair());
    store(region + Region.state, TraceState.running);
    watchEnd();
  } catch {
    // The platform has no room for it now.
    store(TRACING, 0);
    store(region + Region.state, TraceState.idle);
    Atomics.notify(words, region + Region.state);
  }
}

if (isMain) addOnWake(startWanted);

/** So long a thread waits for the main one, which may be busy, or the disk. */
const PATIENCE_MS = 10_000;
const CHECK_MS = 50;

/** Waits until a word has another value; false if that takes too long. */
function awaitChange(word: number, is: (value: number) => boolean): boolean {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const value = load(word);
    if (is(value)) return true;
    if (performance.now() >= deadline) return false;
    Atomics.wait(words, word, value, CHECK_MS);
    checkDying();
  }
}

/**
 * Ends a trace, and waits until it is written.
 *
 * @param epoch Its number.
 * @param path Its file.
 * @throws {ThreadingError} If the writer cannot be started.
 */
function end(epoch: number, path: string): TraceSummary {
  const region = words[TRACE_REGION];
  if (runs(epoch)) {
    store(TRACING, 0);
    store(region + Region.stop, 1);
    wakeWriter();
    if (isMain) startWanted();
    const state = region + Region.state;
    if (!awaitChange(state, (value) => value === TraceState.idle)) {
      throw new ThreadingError(
        `Cannot stop the trace: its writer has not ended in ${PATIENCE_MS} ms, since the main thread is busy, or the disk is; call stop() again`,
      );
    }
  }
  const length = words[region + Region.errorLength];
  const start = (region + Region.error) * 4;
  return {
    path,
    events: doubles[region + Region.events >> 1],
    lost: doubles[region + Region.lost >> 1],
    bytes: doubles[region + Region.bytes >> 1],
    ...length === 0 ? {} : {
      error: new TextDecoder().decode(bytes.slice(start, start + length)),
    },
  };
}

// The end of the process

let watching = false;

/** Has the trace written to its end when the process ends. */
function watchEnd(): void {
  if (watching) return;
  watching = true;
  onProcessEnd(() => {
    const region = words[TRACE_REGION];
    try {
      end(words[region + Region.epoch], "");
    } catch {
      // What was written can be read.
    }
  }, flush);
}

/** Has all written that was recorded so far. */
function flush(): void {
  const region = words[TRACE_REGION];
  if (load(region + Region.state) !== TraceState.running) return;
  const number = ++words[region + Region.flush];
  wakeWriter();
  awaitChange(region + Region.flushed, (value) => value === number);
}

/** Names the file of a trace that begins with the program. */
const VARIABLE = "SKEIN_TRACE";

/** Starts the trace that the environment asks for, where that may be read. */
function startAsked(): void {
  const path = environment(VARIABLE);
  if (!path) return;
  // Programs that this one starts must not write to the same file.
  removeEnvironment(VARIABLE);
  startFor({ path }, true);
}

if (isMain) startAsked();
