/**
 * The shared heap: one memory that every thread of the process sees, and in it
 * a slot for each of them.
 *
 * The main thread makes it, a thread started by skein finds it in its
 * `workerData`, and any other worker that imports skein has one of its own.
 * An address is a word index into {@linkcode words}; 0 is no address.
 *
 * Layout, in words:
 *
 *     0     null page, never used
 *     16    header: the fields of `Header`
 *     64    a place that handles point to after `free()`: its lock word is
 *           never free, so every fast path falls through to its slow path
 *     128   slots, one for each JavaScript thread, the main thread's first
 *     ...   tables and blocks of the allocator, to the end
 *
 * All of the address space is asked for at once and the kernel backs a page
 * when it is first touched: a view that had to follow a growing buffer would
 * cost ten times as much per access, and memory that is never touched costs
 * nothing.
 *
 * A worker owns its slot for as long as it lives and runs one thread after the
 * other in it. Only the owner writes to its slot, but for the fields marked
 * (shared), which are changed atomically, and those marked (registry), which
 * are changed under the registry mutex.
 *
 * @module
 */

import { environment } from "../../_internal/runtime.ts";
import { builtIn, seam } from "../../_internal/built_in.ts";

// The operations. V8 compiles a call of `Atomics.compareExchange` to a call of a
// builtin (about 11 ns), and a call of one of these functions, inlined, to the bare
// WebAssembly instruction (about 4 ns): an uncontended lock is that much cheaper.
// All are sequentially consistent, like `Atomics`.

type Word = number;

/** The operations, bound to one memory. */
interface AtomicOperations {
  /** The word's value. */
  load(word: Word): number;
  /** Writes the word. */
  store(word: Word, value: number): void;
  /** Writes the word and returns what it was. */
  exchange(word: Word, value: number): number;
  /** Adds to the word and returns what it was. */
  add(word: Word, value: number): number;
  /** Sets bits of the word and returns what it was. */
  or(word: Word, value: number): number;
  /** Writes `replacement` if the word is `expected`; returns what it was. */
  compareExchange(word: Word, expected: number, replacement: number): number;
  /** The double at the (even) word. */
  loadDouble(word: Word): number;
  /** Writes the double at the (even) word. */
  storeDouble(word: Word, value: number): void;
  /** Adds to the double at the (even) word and returns the sum. */
  addDouble(word: Word, value: number): number;
}

const I32 = 0x7f;
const F64 = 0x7c;
const EMPTY_BLOCK = 0x40;
const I64 = 0x7e;

/** Pushes the byte address of local 0: `local.get 0; i32.const 2; i32.shl`. */
const ADDRESS = [0x20, 0, 0x41, 2, 0x74];
/** Pushes local n: `local.get n`. */
const local = (n: number) => [0x20, n];
/** An atomic instruction with its alignment (2 = 4 bytes, 3 = 8) and offset. */
const atomic = (opcode: number, align: number) => [0xfe, opcode, align, 0];

interface WasmFunction {
  name: keyof AtomicOperations;
  parameters: number[];
  results: number[];
  locals: number[];
  body: number[];
}

const FUNCTIONS: WasmFunction[] = [
  {
    name: "load",
    parameters: [I32],
    results: [I32],
    locals: [],
    body: [...ADDRESS, ...atomic(0x10, 2)],
  },
  {
    name: "store",
    parameters: [I32, I32],
    results: [],
    locals: [],
    body: [...ADDRESS, ...local(1), ...atomic(0x17, 2)],
  },
  {
    name: "exchange",
    parameters: [I32, I32],
    results: [I32],
    locals: [],
    body: [...ADDRESS, ...local(1), ...atomic(0x41, 2)],
  },
  {
    name: "add",
    parameters: [I32, I32],
    results: [I32],
    locals: [],
    body: [...ADDRESS, ...local(1), ...atomic(0x1e, 2)],
  },
  {
    name: "or",
    parameters: [I32, I32],
    results: [I32],
    locals: [],
    body: [...ADDRESS, ...local(1), ...atomic(0x33, 2)],
  },
  {
    name: "compareExchange",
    parameters: [I32, I32, I32],
    results: [I32],
    locals: [],
    body: [...ADDRESS, ...local(1), ...local(2), ...atomic(0x48, 2)],
  },
  {
    name: "loadDouble",
    parameters: [I32],
    results: [F64],
    locals: [],
    // f64.reinterpret_i64
    body: [...ADDRESS, ...atomic(0x11, 3), 0xbf],
  },
  {
    name: "storeDouble",
    parameters: [I32, F64],
    results: [],
    locals: [],
    // i64.reinterpret_f64
    body: [...ADDRESS, ...local(1), 0xbd, ...atomic(0x18, 3)],
  },
  {
    name: "addDouble",
    parameters: [I32, F64],
    results: [F64],
    // 2: the value found, 3: the sum
    locals: [I64, F64],
    // deno-fmt-ignore
    body: [
      0x03, EMPTY_BLOCK,                            // loop
      ...ADDRESS, ...atomic(0x11, 3), 0x22, 2,      //   found = load
      0xbf, ...local(1), 0xa0, 0x21, 3,             //   sum = found + value
      ...ADDRESS, ...local(2), ...local(3), 0xbd, ...atomic(0x49, 3), // cmpxchg
      ...local(2), 0x52, 0x0d, 0,                   //   until it was found
      0x0b,                                         // end
      ...local(3),
    ],
  },
];

/** A section: id, size, content. Every size here is below 2^14. */
function section(id: number, content: number[]): number[] {
  return [id, ...leb128(content.length), ...content];
}

function leb128(n: number): number[] {
  return n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...leb128(n >>> 7)];
}

function vector(items: number[][]): number[] {
  return [...leb128(items.length), ...items.flat()];
}

function ascii(text: string): number[] {
  return [text.length, ...Array.from(text, (c) => c.charCodeAt(0))];
}

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const types = FUNCTIONS.map((f) => [
    0x60,
    ...vector(f.parameters.map((p) => [p])),
    ...vector(f.results.map((r) => [r])),
  ]);
  // A shared memory of at most 65536 pages, whatever the real one has.
  const memory = [
    ...ascii("heap"),
    ...ascii("memory"),
    0x02,
    0x03,
    0x00,
    ...leb128(65536),
  ];
  const exports = FUNCTIONS.map((f, i) => [...ascii(f.name), 0x00, i]);
  const code = FUNCTIONS.map((f) => {
    const locals = vector(f.locals.map((type) => [1, type]));
    const body = [...locals, ...f.body, 0x0b];
    return [...leb128(body.length), ...body];
  });
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector(types)),
    ...section(2, vector([memory])),
    ...section(3, vector(FUNCTIONS.map((_, i) => [i]))),
    ...section(7, vector(exports)),
    ...section(10, vector(code)),
  ]);
}

/**
 * The operations on one shared memory.
 *
 * @param memory The memory.
 * @returns The operations.
 */
function atomicOperations(
  memory: WebAssembly.Memory,
): AtomicOperations {
  const module = new WebAssembly.Module(moduleBytes());
  const instance = new WebAssembly.Instance(module, { heap: { memory } });
  return instance.exports as unknown as AtomicOperations;
}

// The memory

/** What a worker started by skein finds in its `workerData`. */
interface ThreadBirth {
  /** The shared heap. */
  memory: WebAssembly.Memory;
  /** The address of the slot this worker owns. */
  slot: number;
  /** The URL of the heap module of the process that made the heap. */
  heapUrl: string;
  /** What the main thread's clock said when the worker was started. */
  clock: ClockPair;
}

const KEY = "@skein/std";

/** Wraps what a worker must know at its birth for its `workerData`. */
export function birthCertificate(slot: number): Record<string, ThreadBirth> {
  const heapUrl = import.meta.url;
  return { [KEY]: { memory, slot, heapUrl, clock: clockPair() } };
}

function readBirth(): ThreadBirth | undefined {
  // The main thread and web workers have it, a worker that starts has not.
  if ("self" in globalThis) return undefined;
  const { workerData } = builtIn("node:worker_threads");
  const birth = (workerData as Record<string, ThreadBirth> | null)?.[KEY];
  // Two copies of skein (two versions, say) must not share one heap.
  return birth?.heapUrl === import.meta.url ? birth : undefined;
}

/** Set if this JavaScript thread was started by skein. */
export const birth: ThreadBirth | undefined = readBirth();

const PAGE_BYTES = 65536;
const PAGES_PER_MIB = 16;
/**
 * Nearly 1 GiB. From 1023 MiB on, V8 collects all garbage in each thread that
 * meets the memory, which makes each start 12 ms longer.
 */
const DEFAULT_LIMIT_MIB = 1008;
/** 8 GiB would not fit the word index of a 32-bit wasm memory: 4 GiB. */
const MAX_LIMIT_MIB = 4095;
const MIN_LIMIT_MIB = 2;
const LIMIT_VARIABLE = "SKEIN_HEAP_MIB";

/** The limit asked for in the environment, where that may be read. */
function limitMib(): number {
  const text = environment(LIMIT_VARIABLE);
  if (text === undefined) return DEFAULT_LIMIT_MIB;
  const mib = Number(text);
  if (!Number.isInteger(mib) || mib < MIN_LIMIT_MIB || mib > MAX_LIMIT_MIB) {
    throw new RangeError(
      `Cannot make the shared heap: ${LIMIT_VARIABLE} must be an integer between ${MIN_LIMIT_MIB} and ${MAX_LIMIT_MIB}, received ${text}`,
    );
  }
  return mib;
}

function createMemory(): WebAssembly.Memory {
  // A small machine or a strict overcommit policy may refuse the whole.
  for (let mib = limitMib();; mib >>= 1) {
    const pages = mib * PAGES_PER_MIB;
    try {
      return new WebAssembly.Memory({
        initial: pages,
        maximum: pages,
        shared: true,
      });
    } catch (error) {
      if (mib <= MIN_LIMIT_MIB) throw error;
    }
  }
}

/** The shared memory. */
export const memory: WebAssembly.Memory = birth?.memory ?? createMemory();

/** The heap as 32-bit words; the unit of every address. */
export const words: Int32Array<ArrayBufferLike> = seen(
  new Int32Array(memory.buffer),
);
/** The heap as bytes. */
export const bytes: Uint8Array<ArrayBufferLike> = new Uint8Array(memory.buffer);
/** The heap as doubles: index is the word index divided by two. */
export const doubles: Float64Array<ArrayBufferLike> = seen(
  new Float64Array(memory.buffer),
);

function seen<T extends Int32Array | Float64Array>(own: T): T {
  return seam.view === undefined ? own : seam.view(own);
}

/** Number of words in the heap. */
export const WORD_COUNT: number = memory.buffer.byteLength / PAGE_BYTES *
  (PAGE_BYTES / 4);

const ownOperations = atomicOperations(memory);
const operations: AtomicOperations = seam.operations === undefined
  ? ownOperations
  : seam.operations(ownOperations);

/** How threads sleep on words and wake each other: `Atomics`. */
export const futex: Pick<Atomics, "wait" | "waitAsync" | "notify"> =
  seam.futex ?? Atomics;
/** Set in a heap whose threads `testing` lets go on one at a time. */
export const isExplored: boolean = seam.futex !== undefined;

/** Atomic read of a word. */
export const load: AtomicOperations["load"] = operations.load;
/** Atomic write of a word. */
export const store: AtomicOperations["store"] = operations.store;
/** Atomic swap; returns what the word was. */
export const exchange: AtomicOperations["exchange"] = operations.exchange;
/** Atomic addition; returns what the word was. */
export const add: AtomicOperations["add"] = operations.add;
/** Atomic or; returns what the word was. */
export const or: AtomicOperations["or"] = operations.or;
/** Atomic compare-exchange; returns what the word was. */
export const compareExchange: AtomicOperations["compareExchange"] =
  operations.compareExchange;
/** Atomic read of a double at an even word. */
export const loadDouble: AtomicOperations["loadDouble"] = operations.loadDouble;
/** Atomic write of a double at an even word. */
export const storeDouble: AtomicOperations["storeDouble"] =
  operations.storeDouble;
/** Atomic addition to a double at an even word; returns the sum. */
export const addDouble: AtomicOperations["addDouble"] = operations.addDouble;

/** Fields of the heap's header: word addresses. */
export const Header = {
  /** Ground mutex of the allocator. */
  allocatorMutex: 16,
  /** Words handed out and not given back, headers included. */
  allocatedWords: 17,
  /** Ground mutex of the thread table: slots, jobs, thread list. */
  registryMutex: 18,
  /** Threads that are alive and not daemons, the main thread not counted. */
  liveThreads: 19,
  /** Threads that are alive, daemons included, the main thread not counted. */
  allThreads: 20,
  /** First of the idle slots, the one that became idle last. */
  idleSlots: 21,
  /** Slots that were ever used: all above are free. */
  usedSlots: 22,
  /** Counter behind the names `Thread-1`, `Thread-2`, ... */
  nextThreadNumber: 23,
  /** Ground mutex and count of the intern table. */
  internMutex: 24,
  internCount: 25,
  /** Records for the excepthook's thread, newest first. */
  uncaughtErrors: 26,
  /** The thread whose closure is the excepthook, or 0. */
  excepthookTid: 27,
  /** Number of the marked function that is the excepthook, or 0. */
  excepthookId: 28,
  /** Stack size asked for with `stackSize`, in bytes; 0 is the default. */
  stackSize: 29,
  /** Bumped when the main thread is to look at the slots. */
  hostRequests: 30,
  /** Counts the workers that have got their web locks, see `worker_pool.ts`. */
  guardedWorkers: 31,
  /** 1 when the heap has been laid out. */
  ready: 32,
  /** First thread of the list of living threads (address of its object). */
  threads: 33,
  /** Process-wide counter for `Local`s. */
  nextLocal: 34,
  /** Slots that were used and are free, the one longest free first. */
  freeSlots: 35,
  lastFreeSlot: 36,
  freeCount: 37,
  /** Ground mutex and words of the process' alarm, see `signal/_keeper.ts`. */
  alarmMutex: 38,
  alarm: 40,
  /** How many signals have been handled, in all threads. */
  handledSignals: 46,
  /** How many objects have been damaged. */
  damages: 47,
  /** A stack of objects that wait to be destroyed, see `shared_object.ts`. */
  strangers: 48,
  /** How far the keeper of the signals is, see `signal/_keeper.ts`. */
  signalKeeper: 49,
  /** Two words of bits: the signals that the keeper listens to. */
  keptSignals: 50,
  /** 2 when the two words behind it tell the signals ignored at the start. */
  ignoredSignals: 52,
  /** Two words of bits: those of them that Deno has listened to since. */
  caughtSignals: 55,
  /** How many signals the keeper has given to threads that did not take them. */
  givenSignals: 58,
  /** Tells this heap from others of the process, see `heapName`. */
  heapNumber: 57,
  /** How often waits of a dead thread were left to others, see `reaper.ts`. */
  leftWaits: 59,
  /** Counts the workers that were found to run no more, see `reaper.ts`. */
  goneWorkers: 60,
  /** A stack of objects that have a last thing to do, see `shared_object.ts`. */
  leaving: 61,
  /** Counter behind the names `ThreadPool-1`, `ThreadPool-2`, ... */
  nextPoolNumber: 62,
  /** The ThreadPool of the process's own, or 0. */
  commonPool: 63,
  /** 1 if the end of a thread may make a deadlock of what was none. */
  doubts: 39,
} as const;

/** The words that every shared object starts with. */
export const Field = {
  /** Which class: an interned `url#name`. */
  kind: 0,
  /** Handles and records that refer to it. */
  references: 1,
  /** Ground mutex of the object. */
  mutex: 2,
  /** Not 0 if a thread left the object half-changed, see `finishSection`. */
  damaged: 3,
  /** First and last node of the (main) wait queue. */
  head: 4,
  tail: 5,
  /** The first word that belongs to the class. */
  own: 6,
} as const;

/** Where the handle of a freed object points: all fast paths miss here. */
export const FREED = 64;
/** First word after header and freed place. */
export const TABLES = 128;

if (!birth) words.fill(-1, FREED, TABLES);

/** Word offsets in a slot. */
export const Slot = {
  /** (registry) Identity of the thread that runs here, 0 if none. */
  tid: 0,
  /** (registry) Counts the threads that ran here; part of the next tid. */
  generation: 1,
  /** (shared) What the worker is doing: a `SlotState`. */
  state: 2,
  /** (shared) `Dying` stage: set by whoever kills the thread. */
  dying: 3,
  /** Ground mutex held or being taken, outermost and inner. */
  ground: 4,
  innerGround: 5,
  /** (shared) Bumped whenever the owner has something to look at. */
  event: 6,
  /** (shared) Nodes of promise-form waits that were woken: a stack. */
  ready: 7,
  /** Address of the Thread object that runs here, 0 in the main thread. */
  thread: 8,
  /** (shared) Record of the job to run, 0 when there is none. */
  job: 9,
  /** (registry) Next in the list of idle or free slots. */
  nextSlot: 10,
  /** Vector of the addresses this thread holds handles of, and its size. */
  holds: 11,
  holdsCapacity: 12,
  /** Nodes of promise-form waits that are under way: a list. */
  nodes: 13,
  /** Locks that the thread may hold: their words tell. */
  locks: 14,
  /** Set if it once held more than `locks` has room for. */
  locksOverflow: 46,
  /** (shared) Set when a scope of the thread is cancelled, see `scope.ts`. */
  cancels: 48,
  /** (registry) When to terminate it, by `graceTime`; 0 for never. */
  grace: 49,
  /**
   * Odd while the thread sleeps without a timeout, another number each time, and
   * the node of that wait; see `deadlock.ts`.
   */
  blocked: 52,
  blockedNode: 53,
  /** Of the main thread: the ground mutex of whoever finds a circle of waits. */
  deadlockMutex: 54,
  /** Up to which `event` a blocked thread has looked for a deadlock. */
  looked: 55,
  /** The wait node of blocking waits. */
  node: 64,
  /** (shared) The serial number of the worker, once it holds its web lock. */
  guarded: 80,
  /** (shared) The same number, once the worker runs no more: see `isGone`. */
  gone: 81,
  /** (shared) Of the main thread: what is traced, and where, see `trace.ts`. */
  tracing: 82,
  traceRegion: 83,
  /**
   * (shared) A thread, and two words of bits: the signals that it handles. They
   * count only while that thread runs here.
   */
  signals: 84,
  /** (shared) What the keeper of the signals has answered last. */
  keeperAnswer: 88,
  /** (registry) A node that comes with the job, see `assign`, or 0. */
  companion: 95,
  /** Serial number of the worker, names its web lock. */
  serial: 96,
  /** Object this thread blocks on, for `threadStates`. */
  waitsFor: 97,
  /** A ground mutex of the slot's own: guards what only the owner changes. */
  mutex: 98,
  /** The thread that is about to be settled, how it ended, with what. */
  ending: 120,
  endingState: 121,
  endingResult: 122,
  endingFields: 123,
  /** (registry) Set while its worker holds the process open, without a thread. */
  lingers: 124,
  /** Blocks this thread has allocated or taken over and not yet linked. */
  draftCount: 99,
  drafts: 100,
  /** How many of them are blocks that it may still write to. */
  openDrafts: 118,
} as const;

/** Room in `locks`; a power of two. */
export const MAX_LOCKS = 32;
/** Room in `drafts`. */
export const MAX_DRAFTS = 16;
/** Words of a slot. */
export const SLOT_WORDS = 128;
/** As many JavaScript threads can be alive at once. */
export const MAX_SLOTS = 1024;
const SLOT_BITS = 10;
/** The main thread's slot. */
export const MAIN_SLOT = TABLES;
/** First word behind the slots. */
export const SLOTS_END = TABLES + MAX_SLOTS * SLOT_WORDS;

/** What the worker of a slot is doing. */
export const SlotState = {
  free: 0,
  /** The main thread is to start a worker for it. */
  requested: 1,
  /** The worker boots, or runs a thread. */
  busy: 2,
  /** The worker waits for a thread to run. */
  idle: 3,
  /** The worker is gone, and there are still waits to be abandoned. */
  left: 4,
  /** A thread is abandoning them. */
  claimed: 5,
} as const;

/** How far the killing of a thread has come. */
export const Dying = {
  no: 0,
  /** Somebody wants it dead. */
  asked: 1,
  /** It has taken its own end in hand and will park. */
  parking: 2,
  /** It has given everything back and will never run again. */
  parked: 3,
  /** The main thread ends it by force. */
  forced: 4,
  /** Its worker has ended, and somebody else cleans up after it. */
  buried: 5,
} as const;

/** This JavaScript thread's slot. */
export const self: number = birth?.slot ?? MAIN_SLOT;
/** Whether this is the thread that made the heap. */
export const isMain: boolean = birth === undefined;

/** Address of the slot with an index. */
export function slotAt(index: number): number {
  return TABLES + index * SLOT_WORDS;
}

/** Index of a slot. */
export function slotIndex(slot: number): number {
  return (slot - TABLES) / SLOT_WORDS;
}

/**
 * The identity of the next thread in a slot: the slot's index in the low bits,
 * so that an identity leads to its slot, and how many ran there before it in
 * the high ones. Never 0.
 */
export function nextTid(slot: number): number {
  const generation = words[slot + Slot.generation] =
    (words[slot + Slot.generation] + 1) & 0x3ffff;
  return (generation << SLOT_BITS | slotIndex(slot)) || nextTid(slot);
}

/** The slot of an identity. */
export function slotOf(tid: number): number {
  return slotAt(tid & (MAX_SLOTS - 1));
}

/** Whether the thread of that identity is alive. */
export function isLiveTid(tid: number): boolean {
  return load(slotOf(tid) + Slot.tid) === tid;
}

/**
 * Whether the worker of a slot runs no more, and has not been cleaned up after.
 * Another one gets the slot only when 64 others have been free for longer.
 */
export function isGone(slot: number): boolean {
  const serial = load(slot + Slot.guarded);
  return serial !== 0 && load(slot + Slot.gone) === serial;
}

/** Wakes the owner of the slot, which looks at what has changed. */
export function wakeSlot(slot: number): void {
  add(slot + Slot.event, 1);
  futex.notify(words, slot + Slot.event);
}

/** Wakes all threads, which look at what has changed. */
export function wakeAllSlots(): void {
  const used = load(Header.usedSlots);
  for (let i = 0; i < used; i++) wakeSlot(slotAt(i));
}

/** Makes the main thread look at the slots. */
export function requestHost(): void {
  add(Header.hostRequests, 1);
  wakeSlot(MAIN_SLOT);
}

if (isMain) {
  // The time, too: `deno run --seed` gives all heaps the same random numbers.
  words[Header.heapNumber] = (Math.random() * 2 ** 32) ^
    (performance.timeOrigin * 1000);
  words[MAIN_SLOT + Slot.state] = SlotState.busy;
  words[Header.usedSlots] = 1;
  words[MAIN_SLOT + Slot.tid] = nextTid(MAIN_SLOT);
}

/**
 * What the names of web locks and channels begin with, which the whole process
 * shares: each `new Worker` of the user's that imports skein has a heap of its
 * own, and so has each file of `deno test`.
 */
export const heapName = `@skein/std ${words[Header.heapNumber]}`;

/** Identity of the thread that runs in this JavaScript thread now. */
export let tid: number = words[self + Slot.tid];
/** How the word of a lock taken in the blocking form names this thread. */
export let ownerWord: number = tid << 2;

/** Called by the worker when a new thread has begun in its slot. */
export function adoptTid(): void {
  tid = words[self + Slot.tid];
  ownerWord = tid << 2;
}

/** What two clocks of a thread say at the same moment. */
interface ClockPair {
  /** The time of day. */
  wall: number;
  /** `performance.now()`. */
  now: number;
}

/** What the clocks of this thread say. */
export function clockPair(): ClockPair {
  const now = performance.now();
  const wall = performance.timeOrigin + now;
  const today = Date.now();
  // Exact, as long as the time of day was not set since the thread began.
  return { wall: Math.abs(today - wall) < 2 ? wall : today, now };
}

/**
 * How far the clock of this worker, which has just started, is behind that of
 * the thread that started it.
 *
 * @param starter What the starter's clocks said then.
 */
export function clockOffset(starter: ClockPair): number {
  return starter.now + performance.timeOrigin - starter.wall;
}
