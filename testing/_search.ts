/**
 * Which schedule to try next.
 *
 * A schedule is told by its switches: pairs of a step and the thread that goes on
 * there. Between them the same thread goes on.
 *
 * @module
 */

import { At, Step, WATCHED_WORDS } from "./_layout.ts";
import { control, trace } from "./_steps.ts";

/** The switches of a schedule: step, thread, step, thread, ... */
export type Plan = number[];

/** The thread of a step of the last run. */
function threadAt(step: number): number {
  return trace[2 * step + 1] & Step.thread;
}

/** Whether the thread of a step went on since its timeout was over. */
function isLateAt(step: number): boolean {
  return (trace[2 * step + 1] & Step.late) !== 0;
}

/** Where the last run switched. */
export function lastPlan(): Plan {
  const plan: Plan = [];
  const steps = control[At.step];
  let thread = 0;
  for (let step = 0; step < steps; step++) {
    const now = threadAt(step);
    // A thread that has gone to sleep may be the next to go on, too.
    if (now !== thread || isLateAt(step)) plan.push(step, now);
    thread = now;
  }
  return plan;
}

/** A plan as text: `12>2` is that thread 2 goes on at step 12. */
export function textOfPlan(plan: Plan): string {
  const parts: string[] = [];
  for (let i = 0; i < plan.length; i += 2) {
    parts.push(`${plan[i]}>${plan[i + 1] + 1}`);
  }
  return parts.join(" ") || "0>1";
}

/** The same backwards; `undefined` if it is none. */
export function planOfText(text: string): Plan | undefined {
  const plan: Plan = [];
  for (const part of text.trim().split(/\s+/)) {
    const found = /^(\d+)>([1-8])$/.exec(part);
    if (found === null) return undefined;
    plan.push(Number(found[1]), Number(found[2]) - 1);
  }
  return plan;
}

const MASK = WATCHED_WORDS - 1;
/** The threads that touched a word in a run. */
const touched = new Uint8Array(WATCHED_WORDS);
/** Where what is known of a word begins in `known`. */
const places = new Int32Array(WATCHED_WORDS);

/**
 * All schedules with up to so many preemptions, as far as they can differ. A
 * preemption is a switch away from a thread that could have gone on.
 *
 * Two steps are dependent if they touch the same word and one of them writes. An
 * order of the steps that puts dependent ones in the same order gives the same
 * result, so one of all these is enough (dynamic partial-order reduction, Flanagan
 * and Godefroid 2005): when a run is over, each pair of dependent steps that
 * nothing orders otherwise is a race, and the other thread is to go on before the
 * first of the two, too. As preemptions are bounded, that may be too many of them
 * there, and none where the first thread was begun to be run: so the other thread
 * is to go on there as well (Coons, Musuvathi and McKinley 2013).
 */
export class Exhaustive {
  /** Whether schedules were left out for their preemptions. */
  skipped = false;
  /** Whether a run did not go as planned: something else than the order differs. */
  strayed = false;
  #bound: number;
  #threads: number;
  #full: boolean;
  #length = 0;
  #begun = false;
  #chosen: number[] = [];
  /** The threads that could go on by themselves, and those with a timeout. */
  #choices: number[] = [];
  #timed: number[] = [];
  #back: number[] = [];
  #done: number[] = [];
  /** Up to and with each step, how many preemptions there were. */
  #preemptions: number[] = [];
  /** The step at which the thread of each step was begun to be run. */
  #starts: number[] = [];
  #known = new Int32Array(0);

  /**
   * @param bound How many preemptions there may be.
   * @param threads How many threads there are.
   * @param full Whether schedules are tried as well that cannot differ.
   */
  constructor(bound: number, threads: number, full = false) {
    this.#bound = bound;
    this.#threads = threads;
    this.#full = full;
  }

  /** The schedule to try next, `undefined` if there is none. */
  next(): Plan | undefined {
    if (!this.#begun) {
      this.#begun = true;
      return [];
    }
    for (let step = this.#length - 1; step >= 0; step--) {
      for (let thread = 0; thread < this.#threads; thread++) {
        const bit = 1 << thread;
        if (!(this.#back[step] & ~this.#done[step] & bit)) continue;
        this.#done[step] |= bit;
        if (!this.#isWithin(step, thread)) {
          this.skipped = true;
          continue;
        }
        this.#chosen[step] = thread;
        this.#length = step + 1;
        return this.#plan();
      }
    }
    return undefined;
  }

  #isWithin(step: number, thread: number): boolean {
    const before = step === 0 ? 0 : this.#preemptions[step - 1];
    return before + (this.#isPreemption(step, thread) ? 1 : 0) <= this.#bound;
  }

  #isPreemption(step: number, thread: number): boolean {
    if (step === 0) return false;
    const last = this.#chosen[step - 1];
    if (last === thread || !(this.#choices[step] & 1 << last)) return false;
    // It has had its turn.
    return step - this.#starts[step - 1] < control[At.turn];
  }

  #plan(): Plan {
    const plan: Plan = [];
    let thread = 0;
    for (let step = 0; step < this.#length; step++) {
      const now = this.#chosen[step];
      const isLate = !(this.#choices[step] & 1 << now);
      if (now !== thread || isLate) plan.push(step, now);
      thread = now;
    }
    return plan;
  }

  /** Learns from the run that was made by the plan. */
  learn(): void {
    const steps = control[At.step];
    let known = 0;
    while (
      known < Math.min(this.#length, steps) &&
      this.#chosen[known] === threadAt(known)
    ) known++;
    const strays = known < this.#length;
    if (strays) this.strayed = true;
    for (let step = 0; step < steps; step++) {
      const kind = trace[2 * step + 1];
      const thread = kind & Step.thread;
      const late = kind & Step.late ? 1 << thread : 0;
      this.#choices[step] = kind >> Step.enabledShift & 0xff & ~late;
      this.#timed[step] = kind >> Step.timedShift & 0xff | late;
      if (step >= known) {
        // What was tried there is not tried again.
        const before = strays && step === known ? this.#done[step] : 0;
        this.#chosen[step] = thread;
        this.#back[step] = this.#full
          ? this.#choices[step] | this.#timed[step]
          : 0;
        this.#done[step] = before | 1 << thread;
      }
      const isStart = step === 0 || this.#chosen[step - 1] !== thread;
      const before = step === 0 ? 0 : this.#preemptions[step - 1];
      this.#preemptions[step] = before +
        (isStart && this.#isPreemption(step, thread) ? 1 : 0);
      this.#starts[step] = isStart ? step : this.#starts[step - 1];
    }
    this.#length = steps;
    if (!this.#full) this.#findRaces();
  }

  /** Lets a thread go on before a step, too. */
  #retry(step: number, thread: number): void {
    const enabled = this.#choices[step];
    const timed = this.#timed[step];
    this.#back[step] |= (enabled | timed) & 1 << thread ? 1 << thread : enabled;
  }

  #findRaces(): void {
    const steps = this.#length;
    const n = this.#threads;
    const size = 4 * n;
    let places_ = 1;
    for (let step = 0; step < steps; step++) {
      const word = trace[2 * step] & MASK;
      const bits = touched[word];
      const now = bits | 1 << threadAt(step);
      touched[word] = now;
      if (places[word] === 0 && (now & now - 1) !== 0) {
        places[word] = places_++;
      }
    }
    if (this.#known.length < places_ * size) {
      this.#known = new Int32Array(places_ * size * 2);
    }
    const known = this.#known.fill(-1, 0, places_ * size);
    // What each thread knows to be before its next step.
    const clocks = new Int32Array(n * n).fill(-1);
    const lastWord = new Int32Array(n).fill(-1);
    const victim = control[At.victim] - 1;
    let isBuried = victim < 0;
    for (let step = 0; step < steps; step++) {
      const word = trace[2 * step];
      const kind = trace[2 * step + 1];
      const thread = kind & Step.thread;
      const writes = (kind & Step.writes) !== 0;
      const timed = kind >> Step.timedShift & 0xff;
      if (writes && timed !== 0) {
        // A timeout may be over before the wake-up.
        for (let p = 0; p < n; p++) {
          if (timed & 1 << p && lastWord[p] === word) {
            this.#back[step] |= 1 << p;
          }
        }
      }
      lastWord[thread] = word;
      const clock = thread * n;
      if (!isBuried && thread === n - 1) {
        // It began when the victim had died.
        isBuried = true;
        for (let p = 0; p < n; p++) clocks[clock + p] = clocks[victim * n + p];
      }
      const place = places[word & MASK];
      if (place !== 0) {
        // Last write and last read of each thread, and what was before these.
        const write = place * size;
        const read = write + n;
        const writeClock = read + n;
        const readClock = writeClock + n;
        for (let p = 0; p < n; p++) {
          if (p === thread) continue;
          const other = writes
            ? Math.max(known[write + p], known[read + p])
            : known[write + p];
          if (other > clocks[clock + p]) {
            this.#retry(other, thread);
            this.#retry(this.#starts[other], thread);
          }
        }
        for (let p = 0; p < n; p++) {
          let at = Math.max(clocks[clock + p], known[writeClock + p]);
          if (writes) at = Math.max(at, known[readClock + p]);
          clocks[clock + p] = at;
        }
        clocks[clock + thread] = step;
        known[(writes ? write : read) + thread] = step;
        for (let p = 0; p < n; p++) {
          if (writes) known[writeClock + p] = clocks[clock + p];
          else {
            known[readClock + p] = Math.max(
              known[readClock + p],
              clocks[clock + p],
            );
          }
        }
      } else {
        clocks[clock + thread] = step;
      }
    }
    for (let step = 0; step < steps; step++) {
      const word = trace[2 * step] & MASK;
      touched[word] = 0;
      places[word] = 0;
    }
  }
}

/** Random numbers that a seed repeats. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}
