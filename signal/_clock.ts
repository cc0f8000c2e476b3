/**
 * The clock of a thread, which raises SIGALRM when its time has come.
 *
 * An alarm without a handler is a watchdog, so that of the main thread must
 * strike even while that thread is blocked or busy. For this a second thread,
 * the keeper, waits for the same moment as a timer of the thread itself; whoever
 * comes first strikes. With a handler, which could not run then either, the
 * timer does, and the time to start the keeper is saved.
 *
 * They share 40 bytes: word 0 is `IDLE`, `BUSY`, or the number of the setting
 * that is armed; word 1 the last number given; doubles 1 and 2 are the deadline
 * and the interval in milliseconds. Whoever turns word 0 into `BUSY` may write
 * the others, and ends by writing word 0. So a double that was read while word 0
 * stayed the same is whole.
 *
 * Double 3 is the time at which the keeper was started, and word 8 is 1 when that
 * is written. From it the keeper learns what the thread's clock says: the clocks
 * of two threads differ by as much as the system's was set, or slept, between
 * their starts.
 *
 * @module
 */

import { SHARE_ENV, Worker } from "node:worker_threads";
import { Local } from "../threading/mod.ts";
import type { IntervalTimer } from "./alarm.ts";
import { type Entry, entryOf } from "./_delivery.ts";
import { isMain } from "./_main.ts";
import { Signals } from "./signals.ts";

interface Face {
  /** The thread's clock, in milliseconds. */
  now: () => number;
  words: Int32Array<SharedArrayBuffer>;
  times: Float64Array<SharedArrayBuffer>;
}

const IDLE = 0;
const BUSY = -1;
const DEADLINE = 1;
const INTERVAL = 2;
const STARTED_AT = 3;
const STARTED = 8;
/** What a clock that is due has left: more than one that is off. */
const EPSILON = 0.001;
/** Milliseconds that are left for a timer of their own. */
const LAST_LEG = 50;

function faceOn(buffer: SharedArrayBuffer, offset: number): Face {
  return {
    now: () => performance.now() + offset,
    words: new Int32Array(buffer),
    times: new Float64Array(buffer),
  };
}

/** Ends a change: writes word 0. */
function release({ words }: Face, armed: boolean): void {
  const number = armed ? words[1] % 0x7fff_ffff + 1 : IDLE;
  if (armed) words[1] = number;
  Atomics.store(words, 0, number);
  Atomics.notify(words, 0);
}

/** Strikes, unless somebody else has, or the clock was set anew. */
function strike(face: Face, number: number): void {
  const { now, words, times } = face;
  if (Atomics.compareExchange(words, 0, number, BUSY) !== number) return;
  const interval = times[INTERVAL];
  if (interval > 0) {
    // A beat that was missed is not made up for.
    const missed = Math.floor((now() - times[DEADLINE]) / interval);
    times[DEADLINE] += interval * (Math.max(missed, 0) + 1);
  }
  release(face, interval > 0);
  Deno.kill(Deno.pid, "SIGALRM");
}

/** What the keeper runs, for ever. */
function keep(face: Face): void {
  const { now, words, times } = face;
  while (true) {
    const number = Atomics.load(words, 0);
    const left = number > IDLE ? times[DEADLINE] - now() : Infinity;
    if (left > 0) Atomics.wait(words, 0, number, left);
    else strike(face, number);
  }
}

/** A module of its own would need the permission to read its file. */
const KEEPER = `
  import { workerData } from "node:worker_threads";
  const IDLE = ${IDLE}, BUSY = ${BUSY};
  const DEADLINE = ${DEADLINE}, INTERVAL = ${INTERVAL};
  ${[faceOn, release, strike, keep].join("\n")}
  const { now, words, times } = faceOn(workerData, 0);
  Atomics.wait(words, ${STARTED}, 0);
  keep(faceOn(workerData, times[${STARTED_AT}] - now()));
`;

/** The clock of one thread. */
class Clock {
  readonly #buffer = new SharedArrayBuffer(40);
  readonly #face = faceOn(this.#buffer, 0);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #keeper: Worker | undefined;

  /** What it is set to. */
  get(): IntervalTimer {
    const { now, words, times } = this.#face;
    while (true) {
      const number = Atomics.load(words, 0);
      if (number === IDLE) return { value: 0, interval: 0 };
      const value = Math.max(times[DEADLINE] - now(), EPSILON);
      const interval = times[INTERVAL];
      if (number !== BUSY && Atomics.load(words, 0) === number) {
        return { value, interval };
      }
    }
  }

  /** Sets it, and gives what it was set to. */
  set({ value, interval }: IntervalTimer): IntervalTimer {
    const { now, words, times } = this.#face;
    let before: IntervalTimer;
    let number: number;
    do {
      before = this.get();
      number = Atomics.load(words, 0);
    } while (
      number === BUSY ||
      Atomics.compareExchange(words, 0, number, BUSY) !== number
    );
    times[DEADLINE] = now() + value;
    times[INTERVAL] = interval;
    release(this.#face, value > 0);
    const entry = entryOf(Signals.SIGALRM);
    entry.onUnlistened = () => this.#guard(entry);
    this.#guard(entry);
    clearTimeout(this.#timer);
    this.#tick();
    return number === IDLE ? { value: 0, interval: 0 } : before;
  }

  /** Starts the keeper if nobody handles what the clock will raise. */
  #guard(entry: Entry): void {
    const armed = Atomics.load(this.#face.words, 0) !== IDLE;
    if (isMain && armed && !entry.listening) {
      this.#keeper ??= startKeeper(this.#buffer, this.#face);
    }
  }

  /** Strikes if it is time to, and comes back when it will be. */
  readonly #tick = (): void => {
    const number = Atomics.load(this.#face.words, 0);
    if (number > IDLE && this.get().value <= EPSILON) {
      strike(this.#face, number);
    }
    const left = this.get().value;
    if (left === 0) return;
    // A long timer may be late by 1 %; a short one after it makes up for that.
    const next = left > 2 * LAST_LEG ? left - LAST_LEG : Math.ceil(left);
    this.#timer = setTimeout(this.#tick, next);
    Deno.unrefTimer(this.#timer);
  };
}

function startKeeper(
  buffer: SharedArrayBuffer,
  { now, words, times }: Face,
): Worker {
  const url = `data:text/javascript,${encodeURIComponent(KEEPER)}`;
  const keeper = new Worker(new URL(url), {
    workerData: buffer,
    // The default, a copy, would ask for every environment variable.
    env: SHARE_ENV,
  });
  keeper.unref();
  times[STARTED_AT] = now();
  Atomics.store(words, STARTED, 1);
  Atomics.notify(words, STARTED);
  return keeper;
}

const clocks = new Local(() => new Clock());

/** The clock of this thread. */
export function clock(): Clock {
  return clocks.value;
}
