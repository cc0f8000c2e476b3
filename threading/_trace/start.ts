/**
 * Starting and ending a trace; see `_memory/trace.ts` for how events are
 * recorded, and `writer.ts` for how they are written.
 *
 * Only the main thread can start the writer. Another thread leaves a request, and
 * the main thread sees it in its event loop and in any of skein's blocking waits.
 * Meanwhile the rings fill.
 *
 * @module
 */

import { allocate, discard, removeDraft } from "../_memory/allocator.ts";
import {
  bytes,
  clockPair,
  compareExchange,
  doubles,
  Header,
  isMain,
  load,
  MAIN_SLOT,
  Slot,
  slotAt,
  store,
  wakeSlot,
  words,
} from "../_memory/heap.ts";
import { naming } from "../_memory/looking.ts";
import { checkDying, doWholly, lock, unlock } from "../_memory/mutex.ts";
import {
  noteThread,
  Region,
  Ring,
  ringWords,
  TRACE_REGION,
  TraceBit,
  traceNow,
  TRACING,
  wakeWriter,
  WITH_ARGUMENTS,
} from "../_memory/trace.ts";
import { addOnWake } from "../_memory/wait.ts";
import {
  commitRecord,
  draftRecord,
  readShared,
  takeRecord,
} from "../_codec/record.ts";
import { HeapExhaustedError, ThreadingError } from "../errors.ts";
import { startWriter, TraceState, type WriterRequest } from "./writer.ts";

const WHAT = "start a trace";

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

/** What a trace is started with. */
export interface TraceStart {
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
  const why = words[region + Region.isAsked] === 0
    ? "another one runs; stop that one first"
    : "the whole program is traced, as SKEIN_TRACE or the command that started it asks; run it by itself";
  return new ThreadingError(`Cannot ${WHAT}: ${why}`);
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
export function begin(start: TraceStart): number {
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
    Deno.openSync(path, { write: true, create: true }).close();
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
    pid: Deno.pid,
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
    return Deno.mainModule.slice(Deno.mainModule.lastIndexOf("/") + 1);
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
export function end(epoch: number, path: string): TraceSummary {
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
  addEventListener("unload", () => {
    const region = words[TRACE_REGION];
    try {
      end(words[region + Region.epoch], "");
    } catch {
      // What was written can be read.
    }
  });
  // They end the process without an `unload`.
  addEventListener("error", flush);
  addEventListener("unhandledrejection", flush);
}

/** Has all written that was recorded so far. */
function flush(): void {
  const region = words[TRACE_REGION];
  if (load(region + Region.state) !== TraceState.running) return;
  const number = ++words[region + Region.flush];
  wakeWriter();
  awaitChange(region + Region.flushed, (value) => value === number);
}
