/**
 * The alarm of the process, which raises SIGALRM when its time has come.
 *
 * It is armed in the memory that all threads share, and several wait for the
 * same moment; whoever comes first strikes:
 *
 * - the thread that has set it, by a timer;
 * - the main thread, by another, so that the alarm outlives its thread;
 * - the keeper, a worker that does nothing else. An alarm without a handler is a
 *   watchdog, so it must strike even while the others are blocked or busy. With
 *   a handler, which could not run then either, the time to start the keeper is
 *   saved.
 *
 * Word 0 is `IDLE`, `BUSY`, or the number of the setting that is armed; word 1
 * the last number given; doubles 1 and 2 are the deadline and the interval in
 * milliseconds, by the main thread's clock. Whoever turns word 0 into `BUSY` may
 * write the others, and ends by writing word 0. So a double that was read while
 * word 0 stayed the same is whole. A thread does that under the ground mutex,
 * where it cannot be killed; the keeper never is.
 *
 * @module
 */

import { SHARE_ENV, Worker } from "node:worker_threads";
import { clearImmediate, setImmediate } from "node:timers";
import type { IntervalTimer } from "./alarm.ts";
import { entryOf } from "./_delivery.ts";
import { isMain } from "./_main.ts";
import {
  clockPair,
  Header,
  lock,
  onTold,
  processNow,
  tell,
  unlock,
  words,
} from "./_shared.ts";
import { Signals } from "./signals.ts";

interface Face {
  now: () => number;
  words: Int32Array;
  times: Float64Array;
}

const IDLE = 0;
const BUSY = -1;
const NUMBER: number = Header.alarm;
const LAST = NUMBER + 1;
const DEADLINE = NUMBER / 2 + 1;
const INTERVAL = NUMBER / 2 + 2;
/** What an alarm that is due has left: more than one that is off. */
const EPSILON = 0.001;
/** Milliseconds that are left for a timer of their own. */
const LAST_LEG = 50;
/** Milliseconds that a timer may be late. */
const LATE = 2.5;

function faceOn(buffer: ArrayBufferLike, now: () => number): Face {
  return {
    now,
    words: new Int32Array(buffer),
    times: new Float64Array(buffer),
  };
}

/** Ends a change: writes word 0. */
function release({ words }: Face, armed: boolean): void {
  const number = armed ? words[LAST] % 0x7fff_ffff + 1 : IDLE;
  if (armed) words[LAST] = number;
  Atomics.store(words, NUMBER, number);
  Atomics.notify(words, NUMBER);
}

/** Strikes, unless somebody else has, or the alarm was set anew. */
function strike(face: Face, number: number): void {
  const { now, words, times } = face;
  if (Atomics.compareExchange(words, NUMBER, number, BUSY) !== number) return;
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
    const number = Atomics.load(words, NUMBER);
    const left = number > IDLE ? times[DEADLINE] - now() : Infinity;
    if (left > 0) Atomics.wait(words, NUMBER, number, left);
    else strike(face, number);
  }
}

/** A module of its own would need the permission to read its file. */
const KEEPER = `
  import { workerData } from "node:worker_threads";
  const IDLE = ${IDLE}, BUSY = ${BUSY}, NUMBER = ${NUMBER}, LAST = ${LAST};
  const DEADLINE = ${DEADLINE}, INTERVAL = ${INTERVAL};
  ${[faceOn, release, strike, keep].join("\n")}
  const { buffer, now, wall } = workerData;
  const offset = now + performance.timeOrigin - wall;
  keep(faceOn(buffer, () => performance.now() + offset));
`;

const face = faceOn(words.buffer, processNow);
let keeper: Worker | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let immediate: ReturnType<typeof setImmediate> | undefined;

/** What the alarm is set to. */
export function getAlarm(): IntervalTimer {
  const { now, words, times } = face;
  while (true) {
    const number = Atomics.load(words, NUMBER);
    if (number === IDLE) return { value: 0, interval: 0 };
    const value = Math.max(times[DEADLINE] - now(), EPSILON);
    const interval = times[INTERVAL];
    if (number !== BUSY && Atomics.load(words, NUMBER) === number) {
      return { value, interval };
    }
  }
}

/** Sets the alarm, and gives what it was set to. */
export function setAlarm({ value, interval }: IntervalTimer): IntervalTimer {
  const { now, words, times } = face;
  let before: IntervalTimer;
  let number: number;
  lock(Header.alarmMutex);
  do {
    before = getAlarm();
    number = Atomics.load(words, NUMBER);
  } while (
    number === BUSY ||
    Atomics.compareExchange(words, NUMBER, number, BUSY) !== number
  );
  times[DEADLINE] = now() + value;
  times[INTERVAL] = interval;
  release(face, value > 0);
  unlock(Header.alarmMutex);
  const { listening } = entryOf(Signals.SIGALRM);
  if (isMain) guard();
  else tell(listening ? "alarm set" : "alarm set, not handled");
  tick();
  return number === IDLE ? { value: 0, interval: 0 } : before;
}

/** Starts the keeper if the main thread does not handle what will be raised. */
function guard(): void {
  const entry = entryOf(Signals.SIGALRM);
  entry.onUnlistened = guard;
  const armed = Atomics.load(words, NUMBER) !== IDLE;
  if (armed && !entry.listening) keeper ??= startKeeper();
}

/** Strikes if it is time to, and comes back when it will be. */
function tick(): void {
  clearTimeout(timer);
  clearImmediate(immediate);
  const number = Atomics.load(words, NUMBER);
  if (number > IDLE && getAlarm().value <= EPSILON) {
    lock(Header.alarmMutex);
    strike(face, number);
    unlock(Header.alarmMutex);
  }
  const { value: left, interval } = getAlarm();
  if (left === 0) return;
  // What comes again and again does not gather delay, and need not be hurried.
  if (left <= LATE && interval === 0) {
    // Keeps the event loop alive, but for so short a time.
    immediate = setImmediate(tick);
    return;
  }
  // A long timer may be late by 1 %; a short one after it makes up for that.
  const early = left > 2 * LAST_LEG ? LAST_LEG : interval === 0 ? LATE : 0;
  timer = setTimeout(tick, Math.ceil(left - early));
  Deno.unrefTimer(timer);
}

function startKeeper(): Worker {
  const url = `data:text/javascript,${encodeURIComponent(KEEPER)}`;
  const keeper = new Worker(new URL(url), {
    workerData: { buffer: words.buffer, ...clockPair() },
    // The default, a copy, would ask for every environment variable.
    env: SHARE_ENV,
  });
  keeper.unref();
  return keeper;
}

if (isMain) {
  onTold((message) => {
    if (message === "handled") return;
    if (message === "alarm set, not handled") guard();
    tick();
  });
}
