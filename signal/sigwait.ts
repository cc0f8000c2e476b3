/**
 * Waiting for certain signals.
 *
 * @module
 */

import type { WaitOptions } from "../threading/mod.ts";
import { checkIterable } from "../_internal/check.ts";
import { subscribe } from "./_delivery.ts";
import { catchable } from "./_catchable.ts";
import type { Signum } from "./signals.ts";
import { wait } from "./_wait.ts";

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
