/**
 * Recording what a thread does, for a trace. `threading/trace.ts` starts one,
 * `threading/_trace/writer.ts` writes it.
 *
 * While no trace runs, {@linkcode TRACING} is 0: the slow paths look at this
 * word and do nothing more. The fast paths of locks look at it, too, since a hold
 * that nobody waited for belongs in the trace; such a lock is taken with
 * `WAITERS` set, so that its release comes by the slow path without a look.
 *
 * Each thread has a ring of its own in a region of the heap: only its owner
 * writes cells and `head`, only the writer of the trace (`_trace/writer.ts`)
 * writes `tail`. So no thread ever waits for another one. What does not fit is
 * counted and left out. A cell counts from the moment in which `head` is moved
 * behind it: a thread that is killed meanwhile leaves all cells before it.
 *
 * The region is allocated for the first trace and kept for the next ones. Whoever
 * saw `TRACING` just before the trace ended still writes into it, and is welcome.
 *
 * What has begun and not ended lies on a stack at the head of the ring, so that
 * what a thread was doing when it died, or the trace ended, is there as well.
 *
 * @module
 */

import {
  add,
  birth,
  bytes,
  clockOffset,
  compareExchange,
  doubles,
  Field,
  load,
  MAIN_SLOT,
  self,
  Slot,
  store,
  tid,
  words,
} from "./heap.ts";

/** The word that says which `TraceBit`s are recorded; 0 if none is. */
export const TRACING: number = MAIN_SLOT + Slot.tracing;
/** The word with the address of the region, 0 before the first trace. */
export const TRACE_REGION: number = MAIN_SLOT + Slot.traceRegion;

/** What can be recorded. */
export const TraceBit = {
  threads: 1,
  waits: 2,
  locks: 4,
  spans: 8,
  queues: 16,
  tasks: 32,
  processes: 64,
  signals: 128,
} as const;
/** Beside them: whether commands are shown with their arguments. */
export const WITH_ARGUMENTS = 1 << 16;

/** Words of the region. */
export const Region = {
  /** How many rings there are, and how many cells each has: a power of two. */
  rings: 0,
  cells: 1,
  /** Events of threads that found no ring, and counters that found no place. */
  homeless: 2,
  /** Bumped when the writer has something to do; it sleeps on it. */
  signal: 3,
  /** What the trace is doing: see `trace.ts`. */
  state: 4,
  /** Counts the traces. */
  epoch: 5,
  /** Record of what the writer is started with, or 0. */
  request: 6,
  /** Set when the writer is to end. */
  stop: 7,
  /** (doubles) What the writer has written, and what is missing. */
  events: 8,
  lost: 10,
  bytes: 12,
  /** Length in bytes and text of what went wrong. */
  errorLength: 14,
  /** The number of the last flush asked for, and of the last one done. */
  flush: 15,
  flushed: 16,
  /** Set if the environment asked for the trace, of the whole program. */
  isAsked: 17,
  error: 18,
  /** What is counted of which classes: `COUNTER_WORDS` for each. */
  counters: 80,
  first: 464,
} as const;
/** Room for the text of an error, in bytes. */
export const ERROR_BYTES = (Region.counters - Region.error) * 4;

/**
 * Where objects of a class say how many things they have. The writer looks there
 * now and then: so the count costs those who change it nothing.
 */
export interface CounterWords {
  /** What is counted: `items`. */
  what: number;
  /** The number of things. */
  length: number;
  /** While this word is odd, it is that of the tail less that of the head. */
  opening?: number;
  head?: number;
  tail?: number;
}
/** What a counter counts. */
export const CountedThings = { items: 1, pending: 2 } as const;
/** The kind, what is counted, and the words; that of the length is written last. */
export const COUNTER_WORDS = 6;
const MAX_COUNTERS = Math.floor(
  (Region.first - Region.counters) / COUNTER_WORDS,
);
/** Those that this thread knows. */
const counters = new Map<number, CounterWords>();

/** Makes the words known where a class of objects says how much there is. */
export function addCounter(kind: number, counter: CounterWords): void {
  counters.set(kind, counter);
  if (words[TRACE_REGION] !== 0) tellCounter(kind, counter);
}

function tellCounter(kind: number, counter: CounterWords): void {
  const first = words[TRACE_REGION] + Region.counters;
  for (let i = 0; i < MAX_COUNTERS; i++) {
    const at = first + i * COUNTER_WORDS;
    // Taken first: the writer waits for the last word.
    const found = compareExchange(at, 0, kind);
    if (found === kind) return;
    if (found !== 0) continue;
    const { what, opening = 0, head = 0, tail = 0, length } = counter;
    words.set([what, opening, head, tail], at + 1);
    store(at + 5, length);
    return;
  }
  // There are more classes than anybody looks at.
  add(words[TRACE_REGION] + Region.homeless, 1);
}

/** Words of a ring. */
export const Ring = {
  /** 1 + the serial number of the worker it belongs to, 0 if it is free. */
  owner: 0,
  slot: 1,
  head: 2,
  tail: 3,
  /** What did not fit. */
  lost: 4,
  /** How many things are open, with more than there is room for. */
  depth: 5,
  open: 6,
  cells: 6 + 8 * 8,
} as const;
/** What is open: kind, tid, start (a double), and three values. */
export const OPEN_WORDS = 8;
/** The number of open things that have room. */
export const MAX_OPEN = 8;
/** Words of a cell: kind, tid, start, end (doubles), and four values. */
export const CELL_WORDS = 10;

/** What a cell says. */
export const TraceKind = {
  /** A thread, its Thread object, the cells of its name; begun, or seen. */
  thread: 1,
  /** A thread has ended, and in which `ThreadStage`. */
  ended: 2,
  /** A wait in the blocking form: object, its kind, node, state. */
  wait: 3,
  /** The same in the promise form. */
  task: 4,
  /** Somebody was woken: thread, node, object and its kind. */
  wake: 5,
  /** A lock was taken or released: object, its kind, thread, `hold`. */
  taken: 6,
  released: 7,
  /** The name of a span, in the cells behind it: its number. */
  text: 8,
  /** A span: the number of its name, which `SpanKind`, a status. */
  span: 9,
  /** The same of an async function. */
  asyncSpan: 10,
  /** What happened to a thread: thread, which `TraceNote`, object, its kind. */
  note: 11,
  /** An object was made, perhaps where another one was: object, its kind. */
  made: 12,
  /**
   * What goes on by itself begins: its number, which `SpanKind`, then the number
   * of its name, or a queue, its kind and how often the item was delivered.
   */
  begun: 13,
  /** And ends: its number, its `SpanKind`, how, and the thread that began it. */
  done: 14,
} as const;
/** In `begun`: the kind of the object is above the `SpanKind`. */
export const KIND_SHIFT = 8;

/** What a span is of. */
export const SpanKind = {
  user: 0,
  task: 1,
  helping: 2,
  command: 3,
  signal: 4,
  /** Not of a thread: a process, an item that is out. */
  process: 5,
  delivery: 6,
} as const;
/** Which of them are recorded. */
const SPAN_BITS = [
  TraceBit.spans,
  TraceBit.tasks,
  TraceBit.tasks,
  TraceBit.processes,
  TraceBit.signals,
  TraceBit.processes,
  TraceBit.queues,
];

/** How a delivery has ended. */
export const DeliveryEnd = {
  ack: 1,
  nak: 2,
  /** Nobody had it any more. */
  dropped: 3,
  /** Its thread has ended. */
  death: 4,
} as const;

/** Instead of an object: it is a selection that waits. */
const NO_OBJECT = -1;
/** Instead of the state of a wait: it was cancelled. */
export const CANCELLED = -3;

/** What happened to a thread. */
export const TraceNote = {
  started: 1,
  cancelled: 2,
  terminated: 3,
} as const;

const offset = birth === undefined ? 0 : clockOffset(birth.clock);

/** Milliseconds by the clock of the main thread. */
export function traceNow(): number {
  return performance.now() + offset;
}

/** Whether some of these things are recorded. */
export function isTracing(bits: number): boolean {
  return (words[TRACING] & bits) !== 0;
}

/** The ring of this worker, or 0. */
let ring = 0;
/** As in the ring; `tail` may be out of date. */
let head = 0;
let tail = 0;
let mask = 0;

/** The size in words of a ring with this many cells. */
export function ringWords(cells: number): number {
  return Ring.cells + cells * CELL_WORDS;
}

/** Takes a ring of its own for this worker; one that dies leaves it to others. */
function takeRing(): boolean {
  const region = words[TRACE_REGION];
  if (region === 0) return false;
  const cells = words[region + Region.cells];
  const owner = words[self + Slot.serial] + 1;
  for (let i = 0; i < words[region + Region.rings]; i++) {
    const at = region + Region.first + i * ringWords(cells);
    if (compareExchange(at + Ring.owner, 0, owner) !== 0) continue;
    head = tail = load(at + Ring.head);
    words[at + Ring.depth] = 0;
    store(at + Ring.slot, self);
    mask = cells - 1;
    ring = at;
    for (const [kind, counter] of counters) tellCounter(kind, counter);
    return true;
  }
  add(region + Region.homeless, 1);
  return false;
}

/** Cells that only the lives of threads may fill: all else stands on them. */
const RESERVE = 16;

/** Whether a number of cells has room; counts those that have not. */
function hasRoom(cells: number, reserve = RESERVE): boolean {
  if (ring === 0 && !takeRing()) return false;
  const room = mask + 1 - reserve - cells;
  if ((head - tail | 0) <= room) return true;
  tail = load(ring + Ring.tail);
  if ((head - tail | 0) <= room) return true;
  words[ring + Ring.lost]++;
  return false;
}

function publish(cells: number): void {
  const before = head;
  head = head + cells | 0;
  store(ring + Ring.head, head);
  // Half of the ring is full: time to write it.
  if (((before ^ head) & (mask + 1 >> 1)) === 0) return;
  wakeWriter();
}

/** Wakes the writer. */
export function wakeWriter(): void {
  const signal = words[TRACE_REGION] + Region.signal;
  add(signal, 1);
  Atomics.notify(words, signal);
}

/** Records an event. */
function record(
  kind: number,
  start: number,
  end: number,
  a: number,
  b: number,
  c: number,
  d: number,
  reserve = RESERVE,
): void {
  if (!hasRoom(1, reserve)) return;
  const cell = ring + Ring.cells + (head & mask) * CELL_WORDS;
  words[cell] = kind;
  words[cell + 1] = tid;
  doubles[cell + 2 >> 1] = start;
  doubles[cell + 4 >> 1] = end;
  words[cell + 6] = a;
  words[cell + 7] = b;
  words[cell + 8] = c;
  words[cell + 9] = d;
  publish(1);
}

const CELL_BYTES = CELL_WORDS * 4;
/** A longer name is cut. */
const MAX_TEXT = 200;
const encoder = new TextEncoder();
const text = new Uint8Array(MAX_TEXT);

/** Records an event with a name; false if there was no room for it. */
function recordText(
  kind: number,
  of: number,
  a: number,
  name: string,
  start = traceNow(),
): boolean {
  const { written } = encoder.encodeInto(name, text);
  const more = Math.ceil(written / CELL_BYTES);
  const reserve = kind === TraceKind.thread ? 0 : RESERVE;
  if (!hasRoom(1 + more, reserve)) return false;
  const cell = ring + Ring.cells + (head & mask) * CELL_WORDS;
  words[cell] = kind;
  words[cell + 1] = of;
  doubles[cell + 2 >> 1] = start;
  doubles[cell + 4 >> 1] = traceNow();
  words[cell + 6] = a;
  words[cell + 7] = written;
  for (let i = 0; i < more; i++) {
    const to = ring + Ring.cells + (head + 1 + i & mask) * CELL_WORDS;
    const part = text.subarray(i * CELL_BYTES, (i + 1) * CELL_BYTES);
    bytes.set(part, to * 4);
  }
  publish(1 + more);
  return true;
}

/** Something begins that ends before whatever is open in this thread. */
function open(kind: number, a: number, b: number): number {
  const now = traceNow();
  if (ring === 0 && !takeRing()) return now;
  const depth = words[ring + Ring.depth];
  if (depth < MAX_OPEN) {
    const at = ring + Ring.open + depth * OPEN_WORDS;
    words[at] = kind;
    words[at + 1] = tid;
    doubles[at + 2 >> 1] = now;
    words[at + 4] = a;
    words[at + 5] = b;
  }
  store(ring + Ring.depth, depth + 1);
  return now;
}

function close(): void {
  if (ring === 0) return;
  const depth = words[ring + Ring.depth];
  if (depth > 0) store(ring + Ring.depth, depth - 1);
}

/** An object has been made. */
export function noteMade(object: number): void {
  const now = traceNow();
  record(TraceKind.made, now, now, object, words[object + Field.kind], 0, 0);
}

// Waits

/** A blocking wait begins. Returns when. */
export function beginWait(object: number, node: number): number {
  // A selection is at no object, but at its own head.
  if (object === node) return open(TraceKind.wait, NO_OBJECT, 0);
  return open(TraceKind.wait, object, words[object + Field.kind]);
}

/** It has ended. */
export function endWait(
  began: number,
  object: number,
  node: number,
  state: number,
): void {
  close();
  const kind = words[object + Field.kind];
  record(TraceKind.wait, began, traceNow(), object, kind, node, state);
}

/** A wait in the promise form has ended. */
export function endTask(
  began: number,
  object: number,
  node: number,
  state: number,
): void {
  const kind = words[object + Field.kind];
  record(TraceKind.task, began, traceNow(), object, kind, node, state);
}

/** This thread is about to wake a node. */
export function noteWake(of: number, node: number, object: number): void {
  const kind = words[object + Field.kind];
  const now = traceNow();
  record(TraceKind.wake, now, now, of, node, object, kind);
}

// Locks

/**
 * A thread has got a lock.
 *
 * @param hold Names what it has, if others can have it of the same object.
 */
export function noteTaken(object: number, by: number, hold = 0): void {
  if (!isTracing(TraceBit.locks)) return;
  const kind = words[object + Field.kind];
  const now = traceNow();
  record(TraceKind.taken, now, now, object, kind, by, hold);
}

/** A thread, or what is left of it, is about to lose a lock. */
export function noteReleased(object: number, by: number, hold = 0): void {
  if (!isTracing(TraceBit.locks)) return;
  const kind = words[object + Field.kind];
  const now = traceNow();
  record(TraceKind.released, now, now, object, kind, by, hold);
}

// What goes on by itself

/** An item of a queue is out with this thread. */
export function noteReceived(
  parcel: number,
  queue: number,
  deliveries: number,
): void {
  if (!isTracing(TraceBit.queues)) return;
  const what = SpanKind.delivery | words[queue + Field.kind] << KIND_SHIFT;
  const now = traceNow();
  record(TraceKind.begun, now, now, parcel, what, queue, deliveries);
}

/** It is so no longer, see `DeliveryEnd`; `by` is the thread that had it. */
export function noteSettled(parcel: number, by: number, how: number): void {
  if (!isTracing(TraceBit.queues)) return;
  const now = traceNow();
  record(TraceKind.done, now, now, parcel, SpanKind.delivery, how, by);
}

let lastProcess = 0;

/** A process of this thread runs. Returns its number here. */
export function beginProcess(name: string): number {
  const number = numberOf(name);
  const now = traceNow();
  lastProcess = lastProcess + 1 & 0x3fff_ffff;
  record(
    TraceKind.begun,
    now,
    now,
    lastProcess,
    SpanKind.process,
    number,
    0,
  );
  return lastProcess;
}

/** It has ended. */
export function endProcess(process: number, status: number): void {
  if (!isTracing(TraceBit.processes)) return;
  const now = traceNow();
  record(TraceKind.done, now, now, process, SpanKind.process, status, tid);
}

// Threads

/**
 * A thread has begun, now or when the trace did. Always recorded, as its end is:
 * its name is needed for whatever it does.
 */
export function noteThread(
  of: number,
  object: number,
  name: string,
  start?: number,
): void {
  if (words[TRACING] !== 0) {
    recordText(TraceKind.thread, of, object, name, start);
  }
}

/** A thread has ended, by itself or not. */
export function noteEnded(of: number, stage: number): void {
  if (words[TRACING] === 0) return;
  const now = traceNow();
  record(TraceKind.ended, now, now, of, stage, 0, 0, 0);
}

/**
 * This thread did something to another one, or to an object that runs in it: a
 * `TraceNote`.
 */
export function noteDone(note: number, of: number, object = 0): void {
  if (!isTracing(TraceBit.threads)) return;
  const kind = object === 0 ? 0 : words[object + Field.kind];
  const now = traceNow();
  record(TraceKind.note, now, now, of, note, object, kind);
}

// Spans

/** The names that the writer knows from this worker. */
const names = new Map<string, number>();
let lastName = 0;
let epoch = 0;
/** Then they are forgotten: a name for each call is no name. */
export const MAX_NAMES = 1000;

/** The number of a span's name; 0 if it could not be told. */
function numberOf(name: string): number {
  const current = words[words[TRACE_REGION] + Region.epoch];
  if (epoch !== current || names.size >= MAX_NAMES) names.clear();
  epoch = current;
  const known = names.get(name);
  if (known !== undefined) return known;
  lastName = lastName + 1 & 0x3fff_ffff;
  if (!recordText(TraceKind.text, tid, lastName, name)) return 0;
  names.set(name, lastName);
  return lastName;
}

/** Counts the jobs of this thread in which spans began. */
let jobs = 0;
let watchesJob = false;

/**
 * Behind this job nothing is open in it: what has not ended goes on behind an
 * `await`, where spans overlap as they like.
 */
function endJob(): void {
  watchesJob = false;
  jobs++;
  if (ring !== 0) store(ring + Ring.depth, 0);
}

/** A span that has begun. */
export interface OpenSpan {
  kind: number;
  began: number;
  number: number;
  epoch: number;
  job: number;
}

/** A span begins. */
export function openSpan(name: string, kind: number = SpanKind.user): OpenSpan {
  if (!watchesJob) {
    watchesJob = true;
    queueMicrotask(endJob);
  }
  const number = numberOf(name);
  const began = open(TraceKind.span, number, kind);
  return { kind, began, number, epoch, job: jobs };
}

/** It has ended. */
export function closeSpan(span: OpenSpan, status = 0): void {
  const { kind, began, number } = span;
  const isAsync = span.job !== jobs;
  if (!isAsync) close();
  const current = words[words[TRACE_REGION] + Region.epoch];
  const isWanted = isTracing(SPAN_BITS[kind]);
  if (!isWanted || number === 0 || span.epoch !== current) return;
  const cell = isAsync ? TraceKind.asyncSpan : TraceKind.span;
  record(cell, began, traceNow(), number, kind, status, 0);
}
