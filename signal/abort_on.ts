/**
 * Signals that abort.
 *
 * @module
 */

import { subscribe } from "./_delivery.ts";
import { SignalInterrupt } from "./interrupt.ts";
import { catchable } from "./_catchable.ts";
import type { Signum } from "./signals.ts";

/**
 * Makes an AbortSignal that is aborted by the first of some signals, with a
 * `SignalInterrupt` as its reason. Give it to whatever takes one: a `fetch`, a
 * `Lock.acquire`, a server.
 *
 * The first signal asks; from then on the signals have the kernel's action again
 * (or the handler's, where one is set), so that a second one ends the process.
 * Handlers are called as well. It does not keep the process alive.
 *
 * Dispose of it, with `using`, where it is no longer needed: it is kept as long
 * as a signal could abort it.
 *
 * @param signals The signals, by number or name; at least one.
 * @returns The AbortSignal; disposed of, it is never aborted any more.
 * @throws {TypeError} If a signal cannot be caught.
 * @throws {RangeError} If there are none, or this platform has no such signal.
 *
 * @example
 * ```ts
 * import { abortOn, raiseSignal, SignalInterrupt, sleep } from "@skein/std/signal";
 * import { assertRejects } from "@std/assert";
 *
 * using signal = abortOn("SIGINT", "SIGTERM");
 * raiseSignal("SIGTERM");
 * await assertRejects(() => sleep(10_000, { signal }), SignalInterrupt);
 * ```
 */
export function abortOn(
  ...signals: readonly Signum[]
): AbortSignal & Disposable {
  const what = "abort on a signal";
  const numbers = new Set(signals.map((signum) => catchable(signum, what)));
  if (numbers.size === 0) {
    throw new RangeError(
      `Cannot ${what}: there must be at least one, received none`,
    );
  }
  const controller = new AbortController();
  const stops: (() => void)[] = [];
  const stop = () => {
    for (const stop of stops.splice(0)) stop();
  };
  try {
    for (const number of numbers) {
      stops.push(subscribe(number, "watchers", (signum, name) => {
        stop();
        controller.abort(new SignalInterrupt(signum, name));
      }));
    }
  } catch (error) {
    stop();
    throw error;
  }
  return Object.assign(controller.signal, { [Symbol.dispose]: stop });
}
