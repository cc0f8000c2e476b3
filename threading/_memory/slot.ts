/**
 * Slots: one for each JavaScript thread that sees the heap, the main thread's
 * first. A worker owns its slot for as long as it lives and runs one thread
 * after the other in it.
 *
 * Only the owner writes to its slot, but for the fields marked (shared), which
 * are changed atomically, and those marked (registry), which are changed under
 * the registry mutex.
 *
 * @module
 */

import { add, birth, Header, load, TABLES, words } from "./heap.ts";

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
  /** The wait node of blocking waits. */
  node: 64,
  /** (shared) The serial number of the worker, once it holds its web lock. */
  guarded: 80,
  /**
   * (shared) A thread, and two words of bits: the signals that it handles. They
   * count only while that thread runs here.
   */
  signals: 84,
  /** (shared) What the keeper of the signals has answered last. */
  keeperAnswer: 88,
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
  /** The worker is the sentinel. */
  reserved: 4,
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

/** Makes the owner of the slot look at what there is. */
export function wakeSlot(slot: number): void {
  add(slot + Slot.event, 1);
  Atomics.notify(words, slot + Slot.event);
}

/** Makes the main thread look at the slots. */
export function requestHost(): void {
  add(Header.hostRequests, 1);
  wakeSlot(MAIN_SLOT);
}

if (isMain) {
  words[MAIN_SLOT + Slot.state] = SlotState.busy;
  words[Header.usedSlots] = 1;
  words[MAIN_SLOT + Slot.tid] = nextTid(MAIN_SLOT);
}

/** Identity of the thread that runs in this JavaScript thread now. */
export let tid: number = words[self + Slot.tid];
/** How the word of a lock taken in the blocking form names this thread. */
export let ownerWord: number = tid << 2;

/** Called by the worker when a new thread has begun in its slot. */
export function adoptTid(): void {
  tid = words[self + Slot.tid];
  ownerWord = tid << 2;
}
