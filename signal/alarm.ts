/**
 * Signals that a timer raises: SIGALRM, when the time of the process's alarm has
 * come.
 *
 * The alarm is armed in the memory that all threads share, and several wait for
 * the same moment; whoever comes first strikes:
 *
 * - the thread that has set it, by a timer;
 * - the main thread, by another, so that the alarm outlives its thread;
 * - the keeper, if it runs. An alarm without a handler is a watchdog, which must
 *   strike even while the others are blocked or busy, so it starts the keeper.
 *   With a handler, which could not run then either, the time is saved.
 *
 * @module
 */

import {
  checkDuration,
  checkInteger,
  shown,
  TIMEOUT_MAX,
} from "../_internal/check.ts";
import {
  ALARM,
  type AlarmView,
  releaseAlarm,
  requestKeeper,
  strike,
} from "./_keeper.ts";
import {
  Header,
  isHandledElsewhere,
  isMain,
  lock,
  onTold,
  processNow,
  tell,
  unlock,
  words,
} from "./_process.ts";
import { entryOf } from "./handler.ts";
import { Signals } from "./signals.ts";

/** What an interval timer is set to; both numbers are 0 when it is off. */
export interface IntervalTimer {
  /** Milliseconds until the next signal. */
  readonly value: number;
  /** Milliseconds between the signals after that; 0 if there are none. */
  readonly interval: number;
}

/**
 * The timer that counts real time and raises `SIGALRM`; the only one there is.
 * Those of C that count processor time, `ITIMER_VIRTUAL` and `ITIMER_PROF`, are
 * out of reach here.
 *
 * @example
 * ```ts
 * import { getitimer, ITIMER_REAL } from "@skein/std/signal";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getitimer(ITIMER_REAL), { value: 0, interval: 0 });
 * ```
 */
export const ITIMER_REAL = 0;

/** 0 where there is none. */
const SIGALRM = Signals.SIGALRM ?? 0;

function checkPlatform(what: string): void {
  if (SIGALRM === 0) {
    throw new Deno.errors.NotSupported(
      `Cannot ${what}: there is no SIGALRM on ${Deno.build.os}; use setTimeout`,
    );
  }
}

/**
 * Raises a real SIGALRM after some seconds. After `signal.alarm` of Python and
 * alarm(2), and so the one function here that counts in **seconds**.
 *
 * Without a handler for it, SIGALRM ends the process. It does so even while the
 * thread is blocked or busy, which makes the alarm a watchdog; a handler runs
 * when its thread is free again. There is one alarm in a process: a thread that
 * sets it replaces what another has set, and it stays when its thread ends. An
 * alarm does not keep the process alive. Set the handler first: the first alarm
 * without one starts a worker, which takes some 30 ms.
 *
 * One that another thread than the main one sets, without a handler, is raised
 * as well while both are blocked, if the main thread was not busy when it was set.
 *
 * No permission is needed.
 *
 * @param seconds Seconds, also with a fraction, at most `TIMEOUT_MAX` / 1000; 0
 * cancels the alarm.
 * @returns The whole seconds that the alarm before this one, which it replaces,
 * had left, rounded as the kernel does: to the nearest, but at least 1; 0 if
 * there was none. `getitimer` tells exactly.
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is negative, NaN or too large.
 * @throws {Deno.errors.NotSupported} On Windows, which has no SIGALRM.
 *
 * @example
 * ```ts
 * import { alarm, SIG_DFL, signal } from "@skein/std/signal";
 * import { assertEquals } from "@std/assert";
 *
 * signal("SIGALRM", () => console.log("ring"));
 * assertEquals(alarm(10), 0);
 * assertEquals(alarm(20), 10);
 * assertEquals(alarm(0), 20);
 * signal("SIGALRM", SIG_DFL);
 * ```
 */
export function alarm(seconds: number): number {
  const most = TIMEOUT_MAX / 1000;
  if (typeof seconds !== "number") {
    throw new TypeError(
      `Cannot set an alarm: seconds must be a number, received ${
        shown(seconds)
      }`,
    );
  }
  if (!(seconds >= 0 && seconds <= most)) {
    throw new RangeError(
      `Cannot set an alarm: seconds must be between 0 and ${most}, received ${seconds}`,
    );
  }
  checkPlatform("set an alarm");
  const { value } = setAlarm({ value: seconds * 1000, interval: 0 });
  return value === 0 ? 0 : Math.max(Math.round(value / 1000), 1);
}

/**
 * Raises a real SIGALRM after some time, and then again and again. After
 * `signal.setitimer` of Python, in milliseconds. It is the same timer as that of
 * `alarm`, where more is said about it; each replaces what the other has set.
 *
 * A signal that would come while one of the same kind still waits to be handled
 * is one with it, so a handler that is late is not called more often for it.
 *
 * @param which `ITIMER_REAL`.
 * @param value Milliseconds until the first signal; 0 turns the timer off.
 * @param interval Milliseconds between the signals after that; 0 for none.
 * @returns What the timer was set to, and how long it had left.
 * @throws {TypeError} If `which` or a time is not a number.
 * @throws {RangeError} If `which` is another timer, or a time is negative, NaN
 * or too large.
 * @throws {Deno.errors.NotSupported} On Windows, which has no SIGALRM.
 *
 * @example
 * ```ts
 * import {
 *   ITIMER_REAL,
 *   pause,
 *   setitimer,
 *   SIG_DFL,
 *   signal,
 * } from "@skein/std/signal";
 *
 * signal("SIGALRM", () => console.log("tick"));
 * setitimer(ITIMER_REAL, 10, 10);
 * for (let i = 0; i < 3; i++) await pause();
 * setitimer(ITIMER_REAL, 0);
 * signal("SIGALRM", SIG_DFL);
 * ```
 */
export function setitimer(
  which: typeof ITIMER_REAL,
  value: number,
  interval = 0,
): IntervalTimer {
  checkWhich(which, "set a timer");
  checkDuration(value, "set a timer", "value");
  checkDuration(interval, "set a timer", "interval");
  checkPlatform("set a timer");
  return setAlarm({ value, interval: value === 0 ? 0 : interval });
}

/**
 * What a timer of the process is set to. After `signal.getitimer` of Python, in
 * milliseconds.
 *
 * @param which `ITIMER_REAL`.
 * @returns How long it has left, and its interval.
 * @throws {TypeError} If `which` is not a number.
 * @throws {RangeError} If it is another timer.
 *
 * @example
 * ```ts
 * import { alarm, getitimer, ITIMER_REAL } from "@skein/std/signal";
 * import { assert } from "@std/assert";
 *
 * alarm(10);
 * assert(getitimer(ITIMER_REAL).value > 9000);
 * alarm(0);
 * ```
 */
export function getitimer(which: typeof ITIMER_REAL): IntervalTimer {
  checkWhich(which, "get a timer");
  return getAlarm();
}

function checkWhich(which: unknown, what: string): void {
  if (which === ITIMER_REAL) return;
  checkInteger(which, what, "which");
  throw new RangeError(
    `Cannot ${what}: there is only ITIMER_REAL, received ${which}`,
  );
}

/** What an alarm that is due has left: more than one that is off. */
const EPSILON = 0.001;
/** Milliseconds that are left for a timer of their own. */
const LAST_LEG = 50;
/** Milliseconds that a timer may be late. */
const LATE = 2.5;

const view: AlarmView = {
  at: ALARM,
  words,
  times: new Float64Array(words.buffer),
  now: processNow,
};
let timer: ReturnType<typeof setTimeout> | undefined;
let immediate: ReturnType<typeof globalThis.setImmediate> | undefined;

/** What the alarm is set to. */
function getAlarm(): IntervalTimer {
  const { now, words, times } = view;
  while (true) {
    const number = Atomics.load(words, ALARM.number);
    if (number === ALARM.IDLE) return { value: 0, interval: 0 };
    const value = Math.max(times[ALARM.deadline] - now(), EPSILON);
    const interval = times[ALARM.interval];
    if (number !== ALARM.BUSY && Atomics.load(words, ALARM.number) === number) {
      return { value, interval };
    }
  }
}

/** Sets the alarm, and gives what it was set to. */
function setAlarm({ value, interval }: IntervalTimer): IntervalTimer {
  const { now, words, times } = view;
  let before: IntervalTimer;
  let number: number;
  lock(Header.alarmMutex);
  do {
    before = getAlarm();
    number = Atomics.load(words, ALARM.number);
  } while (
    number === ALARM.BUSY ||
    Atomics.compareExchange(words, ALARM.number, number, ALARM.BUSY) !== number
  );
  times[ALARM.deadline] = now() + value;
  times[ALARM.interval] = interval;
  releaseAlarm(view, value > 0);
  unlock(Header.alarmMutex);
  guard();
  if (!isMain) tell({ is: "alarm set" });
  tick();
  return number === ALARM.IDLE ? { value: 0, interval: 0 } : before;
}

/** Starts the keeper if what will be raised is not handled. */
function guard(): void {
  const entry = entryOf(SIGALRM);
  entry.onUnlistened = guard;
  entry.raiseLast = raiseLast;
  entry.goOn = goOn;
  const armed = Atomics.load(words, ALARM.number) !== ALARM.IDLE;
  const isHandled = entry.listening ||
    !isMain && isHandledElsewhere(SIGALRM);
  if (armed && !isHandled) requestKeeper();
}

/**
 * Strikes if it is time to, and then no more: what is raised while the program
 * takes its listeners away would kill it.
 */
function raiseLast(): void {
  tick();
  clearTimeout(timer);
  globalThis.clearImmediate(immediate);
}

/** Comes back a moment later, by which time the program has ended or goes on. */
function goOn(): void {
  tickIn(LAST_LEG);
}

function tickIn(ms: number): void {
  timer = setTimeout(tick, ms);
  Deno.unrefTimer(timer);
}

/** Strikes if it is time to, and comes back when it will be. */
function tick(): void {
  clearTimeout(timer);
  globalThis.clearImmediate(immediate);
  const number = Atomics.load(words, ALARM.number);
  if (number > ALARM.IDLE && getAlarm().value <= EPSILON) {
    lock(Header.alarmMutex);
    strike(view, number);
    unlock(Header.alarmMutex);
  }
  const { value: left, interval } = getAlarm();
  if (left === 0) return;
  // What comes again and again does not gather delay, and need not be hurried.
  if (left <= LATE && interval === 0) {
    // Keeps the event loop alive, but for so short a time.
    immediate = globalThis.setImmediate(tick);
    return;
  }
  // A long timer may be late by 1 %; a short one after it makes up for that.
  const early = left > 2 * LAST_LEG ? LAST_LEG : interval === 0 ? LATE : 0;
  tickIn(Math.ceil(left - early));
}

if (isMain) {
  onTold((message) => {
    if (message.is !== "alarm set") return;
    guard();
    tick();
  });
}
