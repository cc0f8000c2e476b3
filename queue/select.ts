/**
 * Waiting for several things at once.
 *
 * @module
 */

import {
  checkDuration,
  checkOptions,
  checkSignal,
  durationOf,
  shown,
  timeoutError,
} from "../_internal/check.ts";
import {
  CASE,
  type CaseKind,
  checkInterrupted,
  type GivenCase,
  Later,
  NOT_READY,
  type Outcome,
  Restart,
  type Selectable,
  selectBlocked,
  selectInTask,
} from "../threading/_ground.ts";
import { staying } from "../threading/_threads.ts";
import {
  PUT_CASE,
  type Puttable,
  type Receivable,
  RECEIVE_CASE,
} from "./_cases.ts";
import type { Delivery } from "./delivery.ts";

/**
 * A case of {@linkcode select}: what can be waited for, or `[queue, item]` to put
 * the item.
 */
export type SelectCase =
  | Selectable<unknown>
  | readonly [queue: Puttable<unknown>, item: unknown];

/**
 * What may stand for an item in a list of cases, whose literals are constant.
 *
 * @typeParam T The items of the queue.
 */
export type SelectItem<T> =
  | T
  | (T extends object ? { readonly [K in keyof T]: SelectItem<T[K]> } : T);

/**
 * Cases whose items are of the types that their queues have.
 *
 * @typeParam C The cases.
 */
export type SelectCases<C extends readonly SelectCase[]> = {
  readonly [I in keyof C]: C[I] extends readonly [Puttable<infer T>, unknown]
    ? readonly [C[I][0], SelectItem<T>]
    : C[I];
};

/**
 * What {@linkcode select} gives: which case took effect, and its value. For a list
 * of cases it is a union with a member for each, told apart by `index`.
 *
 * @typeParam C The cases.
 */
export type Selected<C extends readonly SelectCase[]> = {
  [I in keyof C]: {
    index: I extends `${infer N extends number}` ? N : number;
    value: C[I] extends Selectable<infer T> ? T : undefined;
  };
}[number];

/**
 * What {@linkcode select} gives with `settled`: the value of the case that took
 * effect, or the error that it threw, which is never `undefined`: so
 * `error === undefined` tells that there is a value.
 *
 * @typeParam C The cases.
 */
export type SelectSettled<C extends readonly SelectCase[]> = {
  [I in keyof C]:
    | {
      index: I extends `${infer N extends number}` ? N : number;
      value: C[I] extends Selectable<infer T> ? T : undefined;
      error?: undefined;
    }
    | {
      index: I extends `${infer N extends number}` ? N : number;
      error: NonNullable<unknown> | null;
      value?: undefined;
    };
}[number];

/** What {@linkcode selectNowait} takes. */
export interface SelectNowaitOptions<S extends boolean = boolean> {
  /**
   * Whether the error of a case is given with its index instead of thrown.
   *
   * @default {false}
   */
  settled?: S;
}

/** What {@linkcode selectSync} takes. */
export interface SelectSyncOptions<S extends boolean = boolean>
  extends SelectNowaitOptions<S> {
  /**
   * Milliseconds after which the wait gives up, at most `TIMEOUT_MAX`.
   *
   * @default {Infinity}
   */
  timeout?: number;
}

/** What {@linkcode select} takes. */
export interface SelectOptions<S extends boolean = boolean>
  extends SelectSyncOptions<S> {
  /** Ends the wait when it is aborted; the wait rejects with its reason. */
  signal?: AbortSignal;
}

const SELECT = "select";

/**
 * Waits until one of several cases can take effect, and lets exactly that one do
 * so, without blocking the thread. After Go's `select`.
 *
 * | case | takes effect when | value |
 * | --- | --- | --- |
 * | a queue | an item was got | the item |
 * | `receiving(queue)` | an item was received | its {@linkcode Delivery} |
 * | `[queue, item]` | the item was put | `undefined` |
 * | an Event | it is set | `undefined` |
 * | a Thread | it has ended, which joins it | what it returned |
 * | a Future | its task is done | what that returned |
 * | `after(ms)` | the time has passed | `undefined` |
 * | `every(ms)` | it ticks | `undefined` |
 *
 * Among several that are ready, one is chosen at random, each with the same
 * chance. The others are as if they had not been there: no item is taken, put or
 * lost. A case whose own operation would throw is ready, too: `select` throws that
 * if it is chosen. The item of a put is copied at the call.
 *
 * Waits of a `select` are served like all others at a queue, in order of
 * arrival.
 *
 * @param cases What to wait for.
 * @param options A timeout in milliseconds, a signal that ends the wait; with
 * `settled`, an error comes with the index of its case.
 * @returns The index of the case that took effect, and its value.
 * @throws What the case that was chosen throws.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {TypeError} If there are no cases, or one is something else.
 * @throws {RangeError} If the timeout is negative, NaN or too large.
 *
 * @example
 * ```ts
 * import { after, Queue, select } from "@skein/std/queue";
 *
 * const numbers = new Queue<number>();
 * const words = new Queue<string>();
 * words.putNowait("spam");
 * const chosen = await select([numbers, words, after(1000)]);
 * if (chosen.index === 0) console.log(chosen.value + 1);
 * else if (chosen.index === 1) console.log(chosen.value.toUpperCase());
 * else console.log("nothing came");
 * ```
 */
export function select<const C extends readonly SelectCase[]>(
  cases: C & SelectCases<C>,
  options: SelectOptions<true> & { settled: true },
): Promise<SelectSettled<C>>;
/**
 * Waits until one of several cases can take effect.
 *
 * @param cases What to wait for.
 * @param options A timeout in milliseconds, a signal that ends the wait.
 * @returns The index of the case that took effect, and its value.
 */
export function select<const C extends readonly SelectCase[]>(
  cases: C & SelectCases<C>,
  options?: SelectOptions<false>,
): Promise<Selected<C>>;
export async function select(
  cases: readonly SelectCase[],
  options?: SelectOptions,
): Promise<unknown> {
  if (options !== undefined) check(options, OPTIONS);
  const timeout = durationOf(options?.timeout, SELECT, "timeout");
  const signal = options?.signal;
  checkSignal(signal, SELECT);
  signal?.throwIfAborted();
  checkInterrupted();
  const deadline = timeout === Infinity
    ? Infinity
    : performance.now() + timeout;
  for (;;) {
    let outcome = poll(cases, false);
    if (outcome === undefined) {
      const left = Math.max(0, deadline - performance.now());
      const limits = { what: SELECT, timeout: left, signal };
      outcome = await selectInTask(cases.map(givenCase), limits);
      if (outcome.index < 0) throw timeoutError(SELECT, timeout);
    }
    const { value } = outcome;
    if (value instanceof Later || value instanceof Restart) {
      try {
        outcome.value = await value.promise;
        if (value instanceof Restart) continue;
      } catch (error) {
        outcome.error = error;
        outcome.failed = true;
      }
    }
    return settle(outcome, options?.settled);
  }
}

/**
 * Waits until one of several cases can take effect, and lets exactly that one do
 * so, and blocks the thread until then: see {@linkcode select}.
 *
 * @param cases What to wait for.
 * @param options A timeout in milliseconds; with `settled`, an error comes with the
 * index of its case.
 * @returns The index of the case that took effect, and its value.
 * @throws What the case that was chosen throws.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {DeadlockError} If no other thread is left that could let one take
 * effect.
 * @throws {TypeError} If there are no cases, or one is something else.
 * @throws {RangeError} If the timeout is negative, NaN or too large.
 *
 * @example
 * ```ts
 * import { Queue, selectSync } from "@skein/std/queue";
 * import { Event } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const results = new Queue<number>(10);
 * const stop = new Event();
 * // There is room, and nobody has set the event.
 * assertEquals(selectSync([[results, 42], stop]).index, 0);
 * assertEquals(results.getSync(), 42);
 * ```
 */
export function selectSync<const C extends readonly SelectCase[]>(
  cases: C & SelectCases<C>,
  options: SelectSyncOptions<true> & { settled: true },
): SelectSettled<C>;
/**
 * Blocks the thread until one of several cases can take effect.
 *
 * @param cases What to wait for.
 * @param options A timeout in milliseconds.
 * @returns The index of the case that took effect, and its value.
 */
export function selectSync<const C extends readonly SelectCase[]>(
  cases: C & SelectCases<C>,
  options?: SelectSyncOptions<false>,
): Selected<C>;
export function selectSync(
  cases: readonly SelectCase[],
  options?: SelectSyncOptions,
): unknown {
  let timeout = Infinity;
  if (options !== undefined) {
    check(options, SYNC_OPTIONS);
    timeout = durationOf(options.timeout, SELECT, "timeout");
  }
  checkInterrupted();
  let outcome = poll(cases, true);
  if (outcome === undefined) {
    const limits = { what: SELECT, timeout };
    outcome = selectBlocked(cases.map(givenCase), limits);
    if (outcome.index < 0) throw timeoutError(SELECT, timeout);
  }
  return settle(outcome, options?.settled);
}

/**
 * Lets one of several cases take effect if one can without waiting: see
 * {@linkcode select}.
 *
 * @param cases What there may be.
 * @param options With `settled`, an error comes with the index of its case.
 * @returns The index of the case that took effect, and its value; `undefined` if
 * none could.
 * @throws What the case that was chosen throws.
 * @throws {TypeError} If there are no cases, or one is something else.
 *
 * @example
 * ```ts
 * import { Queue, selectNowait } from "@skein/std/queue";
 * import { assertEquals } from "@std/assert";
 *
 * const queues = [new Queue<string>(), new Queue<string>()];
 * assertEquals(selectNowait(queues), undefined);
 * queues[1].putNowait("spam");
 * assertEquals(selectNowait(queues), { index: 1, value: "spam" });
 * ```
 */
export function selectNowait<const C extends readonly SelectCase[]>(
  cases: C & SelectCases<C>,
  options: SelectNowaitOptions<true> & { settled: true },
): SelectSettled<C> | undefined;
/**
 * Lets one of several cases take effect if one can without waiting.
 *
 * @param cases What there may be.
 * @param options None.
 * @returns The index of the case that took effect, and its value; `undefined` if
 * none could.
 */
export function selectNowait<const C extends readonly SelectCase[]>(
  cases: C & SelectCases<C>,
  options?: SelectNowaitOptions<false>,
): Selected<C> | undefined;
export function selectNowait(
  cases: readonly SelectCase[],
  options?: SelectNowaitOptions,
): unknown {
  if (options !== undefined) check(options, NOWAIT_OPTIONS);
  const outcome = poll(cases, true);
  return outcome && settle(outcome, options?.settled);
}

const NOWAIT_OPTIONS = ["settled"];
const SYNC_OPTIONS = ["timeout", "settled"];
const OPTIONS = ["timeout", "signal", "settled"];

function check(
  options: SelectNowaitOptions,
  names: readonly string[],
): void {
  checkOptions(options, SELECT, names);
  const { settled } = options;
  if (settled === undefined || typeof settled === "boolean") return;
  throw new TypeError(
    `Cannot ${SELECT}: settled must be a boolean, received ${shown(settled)}`,
  );
}

function settle(outcome: Outcome, settled: boolean | undefined): unknown {
  const { index, value, error, failed } = outcome;
  if (!failed) return { index, value };
  if (!settled) throw error;
  if (error !== undefined) return { index, error };
  return { index, error: new Error("The case threw undefined") };
}

/** How a case is waited for, or `undefined` if it is none. */
function kindOf(given: SelectCase): CaseKind<unknown> | undefined {
  const kind = (given as Partial<Selectable<unknown>> | null | undefined)
    ?.[CASE];
  if (kind !== undefined) return kind as CaseKind<unknown>;
  if (!Array.isArray(given) || given.length !== 2) return undefined;
  const target = given[0] as Partial<Puttable<unknown>> | null | undefined;
  return target?.[PUT_CASE] as CaseKind<unknown> | undefined;
}

function givenCase(given: SelectCase): GivenCase {
  const kind = kindOf(given)!;
  return CASE in given
    ? { kind, subject: given, item: undefined }
    : { kind, subject: given[0], item: given[1] };
}

/**
 * Lets one of the cases that are ready take effect, each with the same chance.
 *
 * @throws {TypeError} If they are no cases; then nothing has happened.
 */
function poll(
  cases: readonly SelectCase[],
  blocking: boolean,
): Outcome | undefined {
  checkCases(cases);
  // Mostly there is one, or none.
  let first = -1;
  let more: number[] | undefined;
  for (let i = 0; i < cases.length; i++) {
    if (!mayBeReady(cases[i], i)) continue;
    if (first < 0) first = i;
    else (more ??= [first]).push(i);
  }
  if (first < 0) return undefined;
  if (more === undefined) return attempt(cases, first, blocking);
  for (let left = more.length; left > 0;) {
    const at = Math.floor(Math.random() * left);
    const outcome = attempt(cases, more[at], blocking);
    if (outcome !== undefined) return outcome;
    more[at] = more[--left];
  }
  return undefined;
}

function checkCases(cases: unknown): asserts cases is unknown[] {
  if (!Array.isArray(cases)) {
    throw new TypeError(
      `Cannot ${SELECT}: cases must be an array, received ${shown(cases)}`,
    );
  }
  if (cases.length > 0) return;
  throw new TypeError(
    `Cannot ${SELECT}: there must be a case to wait for, received an empty array`,
  );
}

function mayBeReady(given: SelectCase, index: number): boolean {
  const kind = kindOf(given);
  if (kind === undefined) {
    throw new TypeError(
      `Cannot ${SELECT}: case ${index} must be a queue, receiving(queue), [queue, item], an Event, a Thread, a Future, after(ms) or every(ms), received ${
        shown(given)
      }`,
    );
  }
  try {
    return Array.isArray(given)
      ? kind.mayBeReady(given[0], given[1])
      : kind.mayBeReady(given, undefined);
  } catch {
    // The attempt throws it, too.
    return true;
  }
}

function attempt(
  cases: readonly SelectCase[],
  index: number,
  blocking: boolean,
): Outcome | undefined {
  const given = cases[index];
  const kind = kindOf(given)!;
  try {
    const value = Array.isArray(given)
      ? kind.attempt(given[0], given[1], blocking)
      : kind.attempt(given, undefined, blocking);
    if (value === NOT_READY) return undefined;
    return { index, value, error: undefined, failed: false };
  } catch (error) {
    return { index, value: undefined, error, failed: true };
  }
}

/** Receives from a queue, as a case. */
class Receiving<T> implements Selectable<Delivery<T>> {
  readonly #queue: Receivable<T>;

  constructor(queue: Receivable<T>) {
    this.#queue = queue;
  }

  get [CASE](): CaseKind<Delivery<T>> {
    return receivingKind as CaseKind<Delivery<T>>;
  }

  /** The queue, and how it is received from. */
  static of(subject: object): [queue: object, kind: CaseKind<unknown>] {
    const queue = (subject as Receiving<unknown>).#queue;
    return [queue, queue[RECEIVE_CASE] as CaseKind<unknown>];
  }
}

const receivingKind: CaseKind<unknown> = {
  mayBeReady(subject, item) {
    const [queue, kind] = Receiving.of(subject);
    return kind.mayBeReady(queue, item);
  },
  attempt(subject, item, blocking) {
    const [queue, kind] = Receiving.of(subject);
    return kind.attempt(queue, item, blocking);
  },
  wait(subject, item, blocking) {
    const [queue, kind] = Receiving.of(subject);
    return kind.wait(queue, item, blocking);
  },
};

/**
 * A case of {@linkcode select} that receives from a queue: its value is a
 * {@linkcode Delivery}, as of `queue.receive()`, and not the item alone.
 *
 * @param queue The queue.
 * @returns The case.
 * @throws {TypeError} If it is not a queue from which items can be received.
 *
 * @example
 * ```ts
 * import { Queue, receiving, selectSync } from "@skein/std/queue";
 *
 * const jobs = new Queue<string>();
 * jobs.putNowait("spam");
 * const { value } = selectSync([receiving(jobs)]);
 * using job = value;
 * console.log(job.item);
 * job.ack();
 * ```
 */
export function receiving<T>(
  queue: Receivable<T>,
): Selectable<Delivery<T>> {
  if ((queue as Partial<Receivable<T>> | null | undefined)?.[RECEIVE_CASE]) {
    return new Receiving(queue);
  }
  throw new TypeError(
    `Cannot receive in a selection: queue must be a Queue, a LifoQueue or a PriorityQueue, received ${
      shown(queue)
    }`,
  );
}

/** A time to come, or one after the other. */
class Clock implements Selectable<undefined> {
  /** When it is ready next, by `performance.now()`. */
  next: number;
  /** Milliseconds from one tick to the next; 0 if there is only one. */
  readonly period: number;

  constructor(ms: number, period: number) {
    this.next = performance.now() + ms;
    this.period = period;
  }

  get [CASE](): CaseKind<undefined> {
    return clockKind;
  }
}

const clockKind: CaseKind<undefined> = {
  mayBeReady: (clock) => performance.now() >= (clock as Clock).next,
  attempt(subject) {
    const clock = subject as Clock;
    const late = performance.now() - clock.next;
    if (late < 0) return NOT_READY;
    if (clock.period > 0) {
      clock.next += clock.period * (Math.floor(late / clock.period) + 1);
    }
    return undefined;
  },
  wait() {
    throw new TypeError("A clock has no queue");
  },
  due: (clock) => (clock as Clock).next,
};

staying.set(
  Clock,
  "after() and every() count the time of the thread that called them, call them there",
);
staying.set(
  Receiving,
  "receiving() is a case of the thread that called it, send the queue",
);

/**
 * A case of {@linkcode select} that is ready when so many milliseconds have passed
 * from now on, and stays so. It belongs to this thread and cannot be sent.
 *
 * @param ms Milliseconds; with `Infinity` it is never ready.
 * @returns The case.
 * @throws {RangeError} If it is negative, NaN or above `TIMEOUT_MAX`.
 * @throws {TypeError} If it is not a number.
 *
 * @example
 * ```ts
 * import { after, Queue, selectSync } from "@skein/std/queue";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new Queue<string>();
 * assertEquals(selectSync([queue, after(5)]).index, 1);
 * ```
 */
export function after(ms: number): Selectable<undefined> {
  if (ms !== Infinity) checkDuration(ms, "make a case with after()", "ms");
  return new Clock(ms, 0);
}

/**
 * A case of {@linkcode select} that is ready again and again, each time that so
 * many milliseconds have passed. Missed ticks become one. It belongs to this
 * thread and cannot be sent.
 *
 * @param ms Milliseconds from one tick to the next, more than 0.
 * @returns The case.
 * @throws {RangeError} If it is 0 or negative, NaN or above `TIMEOUT_MAX`.
 * @throws {TypeError} If it is not a number.
 *
 * @example
 * ```ts
 * import { every, selectSync } from "@skein/std/queue";
 *
 * const tick = every(5);
 * for (let i = 0; i < 3; i++) {
 *   selectSync([tick]);
 *   console.log("tick");
 * }
 * ```
 */
export function every(ms: number): Selectable<undefined> {
  const what = "make a case with every()";
  checkDuration(ms, what, "ms");
  if (ms > 0) return new Clock(ms, ms);
  throw new RangeError(
    `Cannot ${what}: ms must be above 0, received ${ms}`,
  );
}
