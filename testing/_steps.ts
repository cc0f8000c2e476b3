/**
 * The scheduler, as it is in each worker that explores. It is loaded before the
 * heap, and takes the place of what the heap is made of ({@linkcode Seam}).
 *
 * One thread goes on at a time. Each access to the heap is a step. Before a step
 * the thread asks whether another one is to go on (`step`); most of the time that
 * is one comparison with a number, the step at which something is to happen next.
 * There is no other thread that decides: whoever goes on hands over itself, and
 * sleeps on a word of its own, its gate, until it is handed the run back.
 *
 * What happened goes into the trace, two words a step, from which `_search.ts`
 * sees what else could have happened.
 *
 * Which accesses are no steps: those of the allocator's own tables, in its critical
 * section, which no two threads are in at once; those to the bytes of records,
 * which are written before they are linked (what the user writes to a `view` is
 * his); and all outside of a run.
 *
 * @module
 */

import { builtIn, seam } from "../_internal/built_in.ts";

import {
  At,
  Fault,
  Over,
  type Report,
  ROLE,
  type Role,
  type Row,
  Step,
  type Told,
  WATCHED_WORDS,
} from "./_layout.ts";
import { describe, whereIs } from "./_words.ts";

const data = builtIn("node:worker_threads").workerData as
  | Record<string, Role>
  | null;
/** What this worker is. */
export const role: Role = data![ROLE];
const { shared } = role;
/** The words of `At`. */
export const control: Int32Array = new Int32Array(shared.control);
const times = new Float64Array(shared.control);
const CLOCK = At.clock / 2;
const DEADLINE = At.deadline / 2;
/** Two words a step: word of the heap, and thread, kind and who could go on. */
export const trace: Int32Array = new Int32Array(shared.trace);
const used = new Uint8Array(shared.used);

let own: Int32Array;
let me = 0;
let bit = 0;
let active = false;
let step = 0;
let next = 0;
let explains = false;
/** The thread's words on the heap whose waits can time out, see `begin`. */
let timedWords: number[] = [];
let slot = 0;
let allocatorMutex = 0;
let fields: Words["fields"];

const { performance } = globalThis;
const realNow = performance.now.bind(performance);
const realRandom = Math.random;

// Handing over.

/** The thread that goes on if `me` does not, or -1. */
function another(): number {
  const enabled = control[At.enabled];
  const threads = control[At.threads];
  if (control[At.random]) return highest();
  for (let i = 0; i < threads; i++) {
    if (enabled & 1 << i) return i;
  }
  return last();
}

/** When nothing else can go on the clock moves, or the victim dies in its sleep. */
function last(): number {
  const found = soonest();
  if (found >= 0) return found;
  const victim = control[At.victim] - 1;
  if (victim < 0 || control[At.ended] & 1 << victim) return -1;
  return markDead(victim);
}

/** Notes that a thread has died; the one that buries it can go on now. */
function markDead(victim: number): number {
  const undertaker = control[At.threads] - 1;
  control[At.remains] = control[At.victimSlot];
  control[At.enabled] &= ~(1 << victim);
  control[At.enabled] |= 1 << undertaker;
  control[At.ended] |= 1 << victim;
  control[At.ended] &= ~(1 << undertaker);
  return undertaker;
}

function soonest(): number {
  let found = -1;
  for (let i = 0; i < control[At.threads]; i++) {
    if (!(control[At.timed] & 1 << i)) continue;
    if (found < 0 || times[DEADLINE + i] < times[DEADLINE + found]) found = i;
  }
  return found;
}

function highest(): number {
  let found = -1;
  for (let i = 0; i < control[At.threads]; i++) {
    if (!(control[At.enabled] & 1 << i)) continue;
    if (
      found < 0 || control[At.priority + i] > control[At.priority + found]
    ) found = i;
  }
  return found < 0 ? last() : found;
}

/** The thread that is to go on at this step by the plan, or -1. */
function planned(): number {
  const plans = control[At.plans];
  let at = control[At.planned];
  while (at < plans && control[At.plan + 2 * at] < step) at++;
  control[At.planned] = at;
  if (at >= plans || control[At.plan + 2 * at] !== step) return -1;
  const thread = control[At.plan + 2 * at + 1];
  if (!((control[At.enabled] | control[At.timed]) & 1 << thread)) return -1;
  control[At.planned] = at + 1;
  return thread;
}

/** Sets when something is to happen next. */
function lookAhead(): void {
  const { plans, turn, since, limit, random } = At;
  next = Math.min(control[limit], control[since] + control[turn]);
  if (control[random]) {
    next = Math.min(next, control[At.change + control[At.changes]]);
  } else if (control[At.planned] < control[plans]) {
    next = Math.min(next, control[At.plan + 2 * control[At.planned]]);
  }
}

/** At a step at which something is to happen. */
function happen(): void {
  if (step >= control[At.limit]) abort(Over.endless);
  let to = planned();
  const isLong = step >= control[At.since] + control[At.turn];
  if (to < 0 && control[At.random]) {
    const isChange = step >= control[At.change + control[At.changes]];
    if (isChange) control[At.changes]++;
    if (isChange || isLong) control[At.priority + me] = --control[At.lowest];
    to = highest();
  } else if (to < 0 && isLong) {
    // Others may be what it waits for in a loop.
    to = me;
    for (let i = 1; i < control[At.threads] && to === me; i++) {
      const other = (me + i) % control[At.threads];
      if (control[At.enabled] & 1 << other) to = other;
    }
  }
  if (to < 0 || to === me) {
    if (isLong) control[At.since] = step;
    lookAhead();
  } else {
    handOver(to);
  }
}

/** Lets another thread go on, and sleeps until this one is to. */
function handOver(to: number): void {
  leaveTo(to);
  arrive();
}

function leaveTo(to: number): void {
  control[At.step] = step;
  control[At.since] = step;
  if (!(control[At.enabled] & 1 << to)) {
    // Its timeout is over.
    control[At.timedOut + to] = 1;
    control[At.enabled] |= 1 << to;
    times[CLOCK] = Math.max(times[CLOCK], times[DEADLINE + to]);
  }
  control[At.timed] &= ~(1 << to);
  if (to !== me) open(to);
  else control[At.gate + me] = 1;
}

function open(thread: number): void {
  Atomics.store(control, At.gate + thread, 1);
  Atomics.notify(control, At.gate + thread);
}

function arrive(): void {
  while (Atomics.exchange(control, At.gate + me, 0) === 0) {
    Atomics.wait(control, At.gate + me, 0);
  }
  goOn();
}

function goOn(): void {
  if (control[At.over] !== Over.no) lie();
  lastRow = "";
  step = control[At.step];
  lookAhead();
}

/** Ends the run for all. */
function abort(over: number): never {
  control[At.step] = step;
  control[At.over] = over;
  for (let i = 0; i < control[At.threads]; i++) if (i !== me) open(i);
  lie();
}

/** The run is over in the midst of what this thread does: it never goes on. */
function lie(): never {
  active = false;
  report();
  leave();
  for (;;) Atomics.wait(control, At.slept, control[At.slept]);
}

function leave(): void {
  Atomics.add(control, At.left, 1);
  Atomics.notify(control, At.left);
}

// Steps.

/** Before an access. */
function before(word: number, writes: number): void {
  if (mortal) comeToPoint(writes);
  if (step >= next) happen();
  note(word, writes);
  if (writes && word < WATCHED_WORDS && used[word] === 2) {
    fault(Fault.written, word);
  }
}

function note(word: number, how: number): void {
  trace[2 * step] = word;
  trace[2 * step + 1] = me | how |
    control[At.enabled] << Step.enabledShift |
    control[At.timed] << Step.timedShift;
  step++;
  if (explains) explain(undefined);
}

/** The last step has written nothing. */
function readOnly(): void {
  trace[2 * step - 1] &= ~Step.writes;
}

function fault(kind: number, word: number): void {
  if (control[At.fault] !== Fault.none) return;
  control[At.fault] = kind;
  control[At.faultWord] = word;
  control[At.faultThread] = me;
  if (explains) explain(kind === Fault.freed ? "frees it again" : "writes");
}

// Dying.

/** Whether this thread is to die in this run. */
let mortal = false;
/** Whether it has written since the last point at which it might have died. */
let isAnother = false;
let points = 0;
let isAsked = false;

/**
 * Before an access: a point at which the thread may be killed, unless it is in the
 * midst of a change. Points between which it writes nothing are one.
 */
function comeToPoint(writes: number): void {
  const { ground, innerGround, openDrafts, dying, event } = fields;
  const isChanging = own[ground] !== 0 || own[innerGround] !== 0 ||
    own[openDrafts] !== 0;
  if (!isChanging && isAnother && !isAsked) {
    isAnother = false;
    if (++points === control[At.deathAt]) {
      if (!control[At.asks]) die();
      isAsked = true;
      own[dying] = 1;
      own[event]++;
    }
  }
  if (writes) isAnother = true;
}

/** Stops for ever. Another thread cleans up. */
function die(): never {
  active = false;
  note(fields.dying, W);
  if (explains) row("dies", "");
  report();
  control[At.step] = step;
  control[At.cameToPoint] = 1;
  markDead(me);
  leave();
  let to = planned();
  if (to < 0) to = another();
  leaveTo(to);
  for (;;) Atomics.wait(control, At.slept, control[At.slept]);
}

const W = Step.writes;

/** The operations of `threading/_memory/heap.ts`. */
interface Operations {
  load(word: number): number;
  store(word: number, value: number): void;
  exchange(word: number, value: number): number;
  add(word: number, value: number): number;
  or(word: number, value: number): number;
  compareExchange(word: number, expected: number, replacement: number): number;
  loadDouble(word: number): number;
  storeDouble(word: number, value: number): void;
  addDouble(word: number, value: number): number;
}

function wrap(raw: Operations): Operations {
  return {
    load(word) {
      if (active) before(word, 0);
      return raw.load(word);
    },
    store(word, value) {
      if (active) before(word, W);
      raw.store(word, value);
    },
    exchange(word, value) {
      if (active) before(word, W);
      return raw.exchange(word, value);
    },
    add(word, value) {
      if (active) before(word, W);
      return raw.add(word, value);
    },
    or(word, value) {
      if (active) before(word, W);
      return raw.or(word, value);
    },
    compareExchange(word, expected, replacement) {
      if (active) before(word, W);
      const found = raw.compareExchange(word, expected, replacement);
      if (active && found !== expected) readOnly();
      return found;
    },
    loadDouble(word) {
      if (active) before(word, 0);
      return raw.loadDouble(word);
    },
    storeDouble(word, value) {
      if (active) before(word, W);
      raw.storeDouble(word, value);
    },
    addDouble(word, value) {
      if (active) before(word, W);
      return raw.addDouble(word, value);
    },
  };
}

/** Whether the thread is in the allocator, whose tables are its own. */
function isAllocating(): boolean {
  return own[fields.innerGround] === allocatorMutex &&
    (own[allocatorMutex] & 0x3fff_ffff) === slot;
}

/** The words or doubles, each plain access to which is a step. */
function watched<T extends Int32Array | Float64Array>(raw: T): T {
  if (raw instanceof Int32Array) own = raw;
  const wordsEach = raw.BYTES_PER_ELEMENT / 4;
  return new Proxy(raw, {
    get(target, name) {
      if (typeof name === "symbol") return Reflect.get(target, name, target);
      const index = +name;
      if (index !== index) {
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      }
      if (active && !isAllocating()) before(index * wordsEach, 0);
      return target[index];
    },
    set(target, name, value) {
      const index = +(name as string);
      if (active && !isAllocating()) before(index * wordsEach, W);
      target[index] = value;
      return true;
    },
  });
}

// Sleeping and waking.

function isTimed(word: number): boolean {
  return timedWords.includes(word);
}

/** Sleeps at a word. */
function sleepAt(word: number, ms: number): boolean {
  control[At.enabled] &= ~bit;
  control[At.sleepsAt + me] = word;
  control[At.asleepSince + me] = ++control[At.sleepers];
  control[At.timedOut + me] = 0;
  // A mutex is looked at again in vain, and what that would hide is to be seen.
  if (ms !== Infinity && isTimed(word)) {
    control[At.timed] |= bit;
    times[DEADLINE + me] = times[CLOCK] + Math.max(ms, 0);
  }
  if (explains) explain("waits");
  let to = planned();
  if (to < 0) to = another();
  if (to < 0) abort(Over.stuck);
  handOver(to);
  control[At.sleepsAt + me] = 0;
  const isLate = control[At.timedOut + me] !== 0;
  note(word, isLate ? Step.late : 0);
  return !isLate;
}

function wakeAt(word: number, count: number): number {
  let woken = 0;
  for (; woken < count; woken++) {
    let first = -1;
    for (let i = 0; i < control[At.threads]; i++) {
      if (control[At.enabled] & 1 << i || control[At.sleepsAt + i] !== word) {
        continue;
      }
      const since = control[At.asleepSince + i];
      if (first < 0 || since < control[At.asleepSince + first]) first = i;
    }
    if (first < 0) break;
    control[At.enabled] |= 1 << first;
    control[At.timed] &= ~(1 << first);
    if (control[At.random]) next = step;
  }
  return woken;
}

/** What the event loop of this thread waits for. */
let pending:
  | { word: number; value: number; wake: (how: "ok") => void }
  | undefined;

const futex: Pick<Atomics, "wait" | "waitAsync" | "notify"> = {
  wait(_view: unknown, word: number, value: number | bigint, ms = Infinity) {
    if (!active) return Atomics.wait(own, word, value as number, ms);
    // It has cleaned up after itself.
    if (isAsked && word === fields.dying) die();
    before(word, W);
    if (own[word] !== value) {
      readOnly();
      return "not-equal";
    }
    return sleepAt(word, ms) ? "ok" : "timed-out";
  },
  notify(_view: unknown, word: number, count = Infinity) {
    if (!active) return Atomics.notify(own, word, count);
    before(word, W);
    return wakeAt(word, count);
  },
  waitAsync(_view: unknown, word: number, value: number | bigint) {
    if (active) before(word, 0);
    if (own[word] !== value) return { async: false, value: "not-equal" };
    const { promise, resolve } = Promise.withResolvers<"ok">();
    pending = { word, value, wake: resolve };
    return { async: true, value: promise };
  },
};

/**
 * In a turn of the event loop in which nothing is left to do: sleeps as the
 * event loop would. Does nothing if it waits for something else than the heap.
 */
export function sleepInLoop(): void {
  if (pending === undefined) return;
  const { word, value, wake } = pending;
  before(word, W);
  if (own[word] === value) sleepAt(word, Infinity);
  pending = undefined;
  wake("ok");
}

// The run of a thread.

/** What a thread must know of itself. */
export interface Words {
  index: number;
  slot: number;
  allocatorMutex: number;
  /** Words of its slot. */
  fields: {
    event: number;
    waitsFor: number;
    dying: number;
    ground: number;
    innerGround: number;
    openDrafts: number;
  };
}

/** Tells who this thread is. */
export function introduce(words: Words): void {
  me = words.index;
  bit = 1 << me;
  ({ slot, allocatorMutex, fields } = words);
  timedWords = [fields.event, fields.waitsFor];
}

/** Says that this thread is there. */
export function come(): void {
  Atomics.add(control, At.came, 1);
  Atomics.notify(control, At.came);
}

/** Sleeps until a run is to begin. */
export function awaitRun(last: number): number {
  for (;;) {
    const run = Atomics.load(control, At.run);
    if (run !== last) return run;
    Atomics.wait(control, At.run, last);
  }
}

/**
 * Begins the run, when all are ready and it is this thread's turn.
 *
 * @returns Whether it came to that: a thread that buries another one has nothing
 * to do if that did not die.
 */
export function begin(): boolean {
  explains = control[At.explains] !== 0;
  rows.length = 0;
  lastRow = "";
  seed = control[At.seed] * 31 + me | 1;
  if (Atomics.add(control, At.ready, 1) === control[At.threads] - 1) {
    // The first to go on.
    step = 0;
    let to = planned();
    if (to < 0) to = another();
    open(to);
  }
  while (Atomics.exchange(control, At.gate + me, 0) === 0) {
    Atomics.wait(control, At.gate + me, 0);
  }
  if (control[At.over] === Over.done) return false;
  goOn();
  mortal = control[At.victim] === me + 1;
  if (mortal) control[At.victimSlot] = slot;
  isAnother = true;
  isAsked = false;
  points = 0;
  active = true;
  // The event loop may have waited since the run before.
  pending?.wake("ok");
  pending = undefined;
  return true;
}

/** Ends the run of this thread; returns when it is over for all. */
export function end(error: unknown, failed: boolean): void {
  if (mortal) {
    comeToPoint(0);
    if (isAsked) die();
  }
  active = false;
  if (failed) {
    thrown = describe(error);
    control[At.threw + me] = 1;
    if (explains) row(`throws ${thrown.name}: ${thrown.message}`, "");
  }
  report();
  control[At.enabled] &= ~bit;
  control[At.ended] |= bit;
  control[At.step] = step;
  if (control[At.ended] === (1 << control[At.threads]) - 1) {
    control[At.over] = Over.done;
    for (let i = 0; i < control[At.threads]; i++) if (i !== me) open(i);
    return;
  }
  let to = planned();
  if (to < 0) to = another();
  if (to < 0) abort(Over.stuck);
  leaveTo(to);
  while (Atomics.exchange(control, At.gate + me, 0) === 0) {
    Atomics.wait(control, At.gate + me, 0);
  }
  if (control[At.over] !== Over.done) lie();
}

/** This thread has given back what it had in the run. */
export function leaveRun(): void {
  leave();
}

// Reports.

const rows: Row[] = [];
let lastRow = "";
let thrown: Told | undefined;

function report(): void {
  if (thrown === undefined && !explains) return;
  const report: Report = { thrown, rows };
  thrown = undefined;
  const text = new TextEncoder().encode(JSON.stringify(report));
  const room = shared.reports[me];
  if (text.length > room.byteLength) return;
  new Uint8Array(room).set(text);
  control[At.reported + me] = text.length;
}

function row(what: string, line: string): void {
  rows.push({ thread: me, step, what, line });
}

/** Notes where this thread is, in the words of its user. */
function explain(what: string | undefined): void {
  const place = whereIs(explain);
  if (place === undefined) return;
  const said = what ? `${place.call} ${what}` : place.call;
  if (`${said} ${place.line}` === lastRow) return;
  lastRow = `${said} ${place.line}`;
  row(said, place.line);
}

// What takes the place of the heap's own.

let seed = 1;

if (!role.directs) {
  performance.now = () => active ? times[CLOCK] : realNow();
  Math.random = () => {
    if (!active) return realRandom();
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) / 2 ** 32;
  };
  seam.operations = (raw) =>
    wrap(raw as unknown as Operations) as unknown as typeof raw;
  seam.view = watched;
  seam.futex = futex;
}

/** What a new block holds. */
const JUNK = 0x5eed5eed;

seam.onBlock = (block, size, isUsed) => {
  if (block + size > WATCHED_WORDS) return;
  if (!isUsed && used[block + 2] !== 1) fault(Fault.freed, block + 2);
  // 2: it was in use and is no more.
  used.fill(isUsed ? 1 : 2, block + 2, block + size);
  // What the run before has left there would be the right values.
  if (isUsed && !role.directs) own.fill(JUNK, block + 2, block + size);
};
