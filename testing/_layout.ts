/**
 * The memory that the workers of an explored program share, and what they say
 * there.
 *
 * @module
 */

/** What the workers that explore together share. */
export interface Shared {
  /** The words of `At`, and the plan. */
  control: SharedArrayBuffer;
  /** Two words a step. */
  trace: SharedArrayBuffer;
  /** For each word of the heap whether it lies in a block that is in use. */
  used: SharedArrayBuffer;
  /** What each thread writes about its run, as text. */
  reports: SharedArrayBuffer[];
}

/** What such a worker finds in its `workerData`. */
export interface Role {
  shared: Shared;
  /** Whether it is the director, which makes the heap, and not a thread. */
  directs: boolean;
}

/** Its key in the `workerData`. */
export const ROLE = "@skein/std/testing";

/** No program has more threads. */
export const MAX_THREADS = 8;

/** Words of `control`. */
export const At = {
  /** Bumped by the director when a run is to begin. */
  run: 0,
  /** How many threads are ready for the run, and how many have left it. */
  ready: 1,
  left: 2,
  /** An `Over`. */
  over: 3,
  /** How many threads there are. */
  threads: 4,
  /** Record of the objects. */
  objects: 5,
  /** How many steps were made. */
  step: 6,
  /** Bits of the threads that can go on. */
  enabled: 7,
  /** Bits of those that sleep with a timeout. */
  timed: 8,
  ended: 9,
  /** The next entry of the plan, and their number. */
  planned: 10,
  plans: 11,
  /** The step at which the thread that goes on was handed the run. */
  since: 12,
  /** More steps are a livelock. */
  limit: 13,
  /** A thread goes on for so many steps at most while others can. */
  turn: 14,
  /** Set if priorities decide, and the next change of them. */
  random: 15,
  changes: 16,
  /** Counts those that fell asleep, and the priorities given. */
  sleepers: 17,
  lowest: 18,
  /** Set if each thread is to report where it is. */
  explains: 19,
  /** The first fault on the heap: which, where, whose. */
  fault: 20,
  faultWord: 21,
  faultThread: 22,
  seed: 23,
  /** The thread that is to die, one more than its index, and at which point. */
  victim: 24,
  deathAt: 25,
  /** Set if it is asked to end itself. */
  asks: 26,
  /** Its slot, and the same when it has died. */
  victimSlot: 27,
  remains: 28,
  /** Counts the threads that have come to wait for their first run. */
  came: 29,
  /** Set if it died at its point, and not in its sleep. */
  cameToPoint: 30,
  /** One for each thread. */
  gate: 32,
  sleepsAt: 40,
  asleepSince: 48,
  timedOut: 56,
  priority: 64,
  reported: 72,
  threw: 80,
  slept: 88,
  /** Doubles: the clock, and when each thread's timeout is over. */
  clock: 96,
  deadline: 98,
  /** Steps at which PCT lowers a priority. */
  change: 128,
  /** Pairs: a step, and which thread is to go on there. */
  plan: 192,
} as const;
const CONTROL_WORDS = 2 ** 14;
/** The longest plan. */
export const MAX_PLAN = (CONTROL_WORDS - At.plan) / 2;
/** Bytes of `control`. */
export const CONTROL_BYTES = CONTROL_WORDS * 4;
/** Bytes of a report. */
export const REPORT_BYTES = 2 ** 20;
/** The words of the heap that are watched. */
export const WATCHED_WORDS = 2 ** 22;

/** How a run ended. */
export const Over = {
  no: 0,
  /** All threads have ended. */
  done: 1,
  /** Nobody can go on. */
  stuck: 2,
  /** It has come to the limit. */
  endless: 3,
} as const;

/** Faults on the heap. */
export const Fault = { none: 0, written: 1, freed: 2 } as const;

/** How the second word of a step is put together. */
export const Step = {
  thread: 7,
  /** Set if it wrote, woke or went to sleep. */
  writes: 8,
  /** Set if the thread goes on since its timeout is over. */
  late: 16,
  enabledShift: 8,
  timedShift: 16,
} as const;

/** An error as it is told. */
export interface Told {
  name: string;
  message: string;
  stack?: string;
}

/** What a thread did: at which step, what, and in which line. */
export interface Row {
  thread: number;
  step: number;
  what: string;
  line: string;
}

/** What a thread reports of a run. */
export interface Report {
  thrown?: Told;
  rows: Row[];
}
