/**
 * The shared heap: one memory that every thread of the process sees.
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
 *     128   intern table roots and thread slots, see `slot.ts`
 *     ...   blocks of the allocator, to the end
 *
 * All of the address space is asked for at once and the kernel backs a page
 * when it is first touched: a view that had to follow a growing buffer would
 * cost ten times as much per access, and memory that is never touched costs
 * nothing.
 *
 * @module
 */

import { workerData } from "node:worker_threads";
import { type AtomicOperations, atomicOperations } from "./atomics.ts";
import { type ClockPair, clockPair } from "./clock.ts";

/** What a worker started by skein finds in its `workerData`. */
export interface ThreadBirth {
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
  const permission = { name: "env", variable: LIMIT_VARIABLE } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") {
    return DEFAULT_LIMIT_MIB;
  }
  const text = Deno.env.get(LIMIT_VARIABLE);
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
export const words: Int32Array<ArrayBufferLike> = new Int32Array(memory.buffer);
/** The heap as bytes. */
export const bytes: Uint8Array<ArrayBufferLike> = new Uint8Array(memory.buffer);
/** The heap as doubles: index is the word index divided by two. */
export const doubles: Float64Array<ArrayBufferLike> = new Float64Array(
  memory.buffer,
);
/** Number of words in the heap. */
export const WORD_COUNT: number = memory.buffer.byteLength / PAGE_BYTES *
  (PAGE_BYTES / 4);

const operations: AtomicOperations = atomicOperations(memory);

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
  /** Counter behind the names `Thread-1`, `Thread-2`, … */
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
  /** Slot of the sentinel worker, or 0. */
  sentinelSlot: 31,
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
  /** A random number: part of the name of the signals' channel. */
  signalChannel: 57,
} as const;

/** Where the handle of a freed object points: all fast paths miss here. */
export const FREED = 64;
/** First word after header and freed place. */
export const TABLES = 128;

if (!birth) words.fill(-1, FREED, TABLES);
