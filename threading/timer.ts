/**
 * The timer.
 *
 * @module
 */

import {
  checkArray,
  checkDuration,
  checkFunction,
} from "../_internal/check.ts";
import { Event } from "./sync/event.ts";
import { isInterrupted } from "./_memory/scope.ts";
import { addressOf } from "./_memory/shared_object.ts";
import { sendableOwn } from "./_codec/sendable.ts";
import { type CancelOptions, Thread } from "./thread.ts";

/**
 * A thread that runs a function once, after a while, unless it is cancelled
 * first. After `Timer` of Python's threading.
 *
 * Like any thread it is started with `start()`, which is when the time begins
 * to run, and holds the process open until it has ended. Joining it gives what
 * the function returned, `undefined` if it was cancelled.
 *
 * @typeParam R What the function returns.
 *
 * @example
 * ```ts
 * import { sendable, Timer } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const greet = sendable(import.meta, function greet(name: string) {
 *   return `Hello ${name}`;
 * });
 *
 * Deno.test("Timer", async () => {
 *   const timer = new Timer(10, greet, ["skein"]);
 *   timer.start();
 *   assertEquals(await timer.join(), "Hello skein");
 * });
 * ```
 */
export class Timer<
  R = unknown,
  // deno-lint-ignore no-explicit-any
  A extends readonly unknown[] = any[],
> extends Thread<R | undefined> {
  static {
    sendableOwn(import.meta, this);
  }

  private readonly _ms: number;
  private readonly _finished: Event;

  /**
   * Makes a timer, to be started.
   *
   * @param ms Milliseconds, at most `TIMEOUT_MAX`.
   * @param fn The function to run, marked with `sendable`.
   * @param args What it is called with; copied, shared objects shared.
   * @throws {TypeError} If `ms` is not a number, `fn` not a function, or `args`
   * not an array.
   * @throws {RangeError} If `ms` is negative, NaN or too large.
   */
  constructor(
    ms: number,
    fn: (...args: A) => R | PromiseLike<R>,
    args: Readonly<A>,
  );
  /**
   * Makes a timer of a function without arguments, to be started.
   *
   * @param ms Milliseconds, at most `TIMEOUT_MAX`.
   * @param fn The function to run, marked with `sendable`.
   * @throws {TypeError} If `ms` is not a number, or `fn` not a function.
   * @throws {RangeError} If `ms` is negative, NaN or too large.
   */
  constructor(ms: number, fn: () => R | PromiseLike<R>);
  constructor(
    ms: number,
    fn: (...args: A) => R | PromiseLike<R>,
    args?: Readonly<A>,
  ) {
    checkDuration(ms, "make a Timer", "ms");
    checkFunction(fn, "make a Timer", "fn");
    if (args !== undefined) checkArray(args, "make a Timer", "args");
    super({ target: fn, args: args ?? [] });
    this._ms = ms;
    this._finished = new Event();
  }

  /** Set when the function has run, or the timer was cancelled. */
  get finished(): Event {
    addressOf(this); // says that the handle was freed
    return this._finished;
  }

  /**
   * Stops the timer, from any thread: its function will not run, and its thread
   * ends at once. Does nothing if the function runs already, or has run.
   *
   * With a reason or options it cancels the thread as {@linkcode Thread.cancel}
   * does: the function, if it runs, is asked to stop, and joining the timer
   * throws the reason.
   *
   * @param args None; or the reason, and `grace` in milliseconds.
   * @throws As {@linkcode Thread.cancel} does, if there are any.
   *
   * @example
   * ```ts
   * import { sendable, Timer } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * export const explode = sendable(import.meta, function explode() {
   *   throw new Error("boom");
   * });
   *
   * Deno.test("cancel", async () => {
   *   const timer = new Timer(60_000, explode);
   *   timer.start();
   *   timer.cancel();
   *   assertEquals(await timer.join(), undefined);
   * });
   * ```
   */
  override cancel(
    ...args: [reason?: unknown, options?: CancelOptions]
  ): void {
    if (args.length === 0) this.finished.set();
    else super.cancel(...args);
  }

  /**
   * Waits, and calls the function.
   *
   * @returns What the function returned.
   * @throws What the function throws.
   *
   * @example
   * ```ts
   * import { sendable, Timer } from "@skein/std/threading";
   *
   * class LoudTimer extends Timer<void> {
   *   static {
   *     sendable(import.meta, this);
   *   }
   *   override async run() {
   *     await super.run();
   *     console.log("Ding!");
   *   }
   * }
   * new LoudTimer(10, sendable(import.meta, function ding() {}));
   * ```
   */
  override run(): R | undefined | PromiseLike<R | undefined> {
    const { finished } = this;
    if (isSetWithin(finished, this._ms)) return undefined;
    return callAndSet(() => super.run(), finished);
  }
}

async function callAndSet<T>(
  call: () => T | PromiseLike<T>,
  finished: Event,
): Promise<T> {
  try {
    return await call();
  } finally {
    finished.set();
  }
}

function isSetWithin(event: Event, ms: number): boolean {
  try {
    event.waitSync({ timeout: ms });
    return true;
  } catch (error) {
    // It may have been cancelled, with such a reason.
    if (isInterrupted() || (error as Error).name !== "TimeoutError") {
      throw error;
    }
    return false;
  }
}
