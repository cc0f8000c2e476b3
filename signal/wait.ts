/**
 * Waiting for signals.
 *
 * @module
 */

import { cancelling } from "../_internal/hooks.ts";
import {
  checkDuration,
  checkIterable,
  checkOptions,
  TIMEOUT_MAX,
  timeoutError,
  timeoutOf,
  type WaitOptions,
} from "../_internal/check.ts";
import { onHandled, subscribe } from "./handler.ts";
import { catchable, type Signum } from "./signals.ts";

/**
 * Waits until a signal has been handled, in this thread or another. After
 * `signal.pause` of Python. A signal that is ignored, or taken by `sigwait`,
 * does not end it, nor does, in a handler, the signal that called the handler.
 *
 * There is no blocking form: handlers run on the event loop, which such a form
 * would stop. A thread that must block lets another one wait: see
 * {@linkcode sigwait}.
 *
 * @param options A timeout in milliseconds, an AbortSignal that ends the wait.
 * @returns When the handler has been called; a promise that it returned is not
 * waited for.
 * @throws {DOMException} Named `TimeoutError`, if the timeout passes.
 * @throws {TypeError} If the timeout is not a number.
 * @throws {RangeError} If the timeout is negative, NaN or too large.
 *
 * @example
 * ```ts
 * import { alarm, pause, SIG_DFL, signal } from "@skein/std/signal";
 *
 * signal("SIGALRM", () => console.log("ring"));
 * alarm(0.02);
 * await pause();
 * signal("SIGALRM", SIG_DFL);
 * ```
 */
export function pause(options?: WaitOptions): Promise<void> {
  return wait<void>("pause", options, (end) => onHandled(() => end()));
}

/**
 * Waits for one of several signals and takes it: a handler that this thread has
 * set for it is not called. After `signal.sigwait` of Python.
 *
 * While it waits, the signals do not have the kernel's action. Only signals
 * that arrive while it waits count; to lose none between two waits, set a
 * handler. Unlike in C, all who wait for a signal get it, in this thread and in
 * others.
 *
 * There is no blocking form, since signals arrive by the event loop. A thread
 * that must block lets another one wait, and joins it, or waits for an `Event`
 * that it sets.
 *
 * @param signals The signals, by number or name; at least one.
 * @param options A timeout in milliseconds, an AbortSignal that ends the wait.
 * @returns The number of the signal that came.
 * @throws {DOMException} Named `TimeoutError`, if the timeout passes.
 * @throws {TypeError} If a signal cannot be caught, or the timeout is not a
 * number.
 * @throws {RangeError} If there are no signals, this platform has none of that
 * name, or the timeout is negative, NaN or too large.
 *
 * @example
 * ```ts
 * import { raiseSignal, Signals, sigwait } from "@skein/std/signal";
 * import { assertEquals } from "@std/assert";
 *
 * const got = sigwait(["SIGINT", "SIGTERM"]);
 * raiseSignal("SIGTERM");
 * assertEquals(await got, Signals.SIGTERM);
 * ```
 *
 * @example Blocking, by a thread that waits
 * ```ts
 * import { Event, sendable, Thread } from "@skein/std/threading";
 * import { raiseSignal, sigwait } from "@skein/std/signal";
 *
 * export const stopper = sendable(
 *   import.meta,
 *   async function stopper(ready: Event, stop: Event) {
 *     const got = sigwait(["SIGTERM"]);
 *     ready.set();
 *     await got;
 *     stop.set();
 *   },
 * );
 *
 * Deno.test("a blocked main thread hears of SIGTERM", () => {
 *   const [ready, stop] = [new Event(), new Event()];
 *   new Thread({ target: stopper, args: [ready, stop] }).start();
 *   ready.waitSync();
 *   raiseSignal("SIGTERM");
 *   stop.waitSync();
 * });
 * ```
 */
export async function sigwait(
  signals: Iterable<Signum>,
  options?: WaitOptions,
): Promise<number> {
  const numbers = new Set<number>();
  checkIterable(signals, "wait for a signal", "signals");
  for (const signum of signals) {
    numbers.add(catchable(signum, "wait for a signal"));
  }
  if (numbers.size === 0) {
    throw new RangeError(
      "Cannot wait for a signal: there must be at least one, received none",
    );
  }
  return await wait("wait for a signal", options, (end) => {
    const stops: (() => void)[] = [];
    const stop = () => stops.forEach((stop) => stop());
    try {
      for (const number of numbers) {
        stops.push(subscribe(number, "waiters", end));
      }
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  });
}

/** What `sleep` takes besides the time. */
export interface SleepOptions {
  /** Ends the sleep when it is aborted; it rejects with the reason. */
  signal?: AbortSignal;
}

/**
 * Sleeps for a while, or until a signal has been handled, in this thread or
 * another. After `time.sleep` of Python before 3.5 and sleep(3), which end
 * early for a signal too. The event loop goes on meanwhile. In a handler, the
 * signal that called the handler does not end it.
 *
 * The form that blocks is `sleepSync` of threading; no handler can run in its
 * thread meanwhile, so no signal ends it.
 *
 * @param ms Milliseconds, at most `TIMEOUT_MAX`.
 * @param options An AbortSignal that ends the sleep.
 * @returns The milliseconds that were left, with a fraction; 0 after a full
 * sleep.
 * @throws {TypeError} If `ms` is not a number.
 * @throws {RangeError} If `ms` is negative, NaN or too large.
 *
 * @example
 * ```ts
 * import { alarm, SIG_DFL, signal, sleep } from "@skein/std/signal";
 * import { assert, assertEquals } from "@std/assert";
 *
 * assertEquals(await sleep(10), 0);
 *
 * signal("SIGALRM", (signum) => console.log("got signal", signum));
 * alarm(0.02);
 * assert(await sleep(10_000) > 9000);
 * signal("SIGALRM", SIG_DFL);
 * ```
 */
export async function sleep(
  ms: number,
  options?: SleepOptions,
): Promise<number> {
  checkDuration(ms, "sleep", "ms");
  if (options !== undefined) checkOptions(options, "sleep", ["signal"]);
  const until = performance.now() + ms;
  return await wait("sleep", { signal: options?.signal }, (end) => {
    const stop = onHandled(() => end(Math.max(until - performance.now(), 0)));
    const timer = setTimeout(() => end(0), ms);
    return () => {
      clearTimeout(timer);
      stop();
    };
  });
}

/**
 * Waits for something that is no promise, and keeps the event loop alive.
 *
 * @param what What is being done, for messages: `wait for a signal`.
 * @param options The options of the wait.
 * @param start Begins: gets what ends the wait, returns what cleans up.
 * @returns What the wait was ended with.
 */
function wait<T>(
  what: string,
  options: WaitOptions | undefined,
  start: (end: (value: T) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timeout = timeoutOf(options, what);
    const signal = options?.signal;
    signal?.throwIfAborted();
    cancelling.check();
    const timer = timeout === Infinity
      ? setInterval(() => {}, TIMEOUT_MAX)
      : setTimeout(() => {
        stop();
        reject(timeoutError(what, timeout));
      }, timeout);
    const onAbort = () => {
      stop();
      reject(signal!.reason);
    };
    const unsubscribe = cancelling.subscribe((reason) => {
      stop();
      reject(reason);
    });
    let cleanUp = () => {};
    const stop = () => {
      clearTimeout(timer);
      unsubscribe();
      signal?.removeEventListener("abort", onAbort);
      cleanUp();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      cleanUp = start((value) => {
        stop();
        resolve(value);
      });
    } catch (error) {
      stop();
      throw error;
    }
  });
}
