/**
 * Waiting for any signal.
 *
 * @module
 */

import type { WaitOptions } from "../threading/mod.ts";
import { onHandled } from "./_handled.ts";
import { wait } from "./_wait.ts";

/**
 * Waits until a signal has been handled, in this thread or another. After
 * `signal.pause` of Python. A signal that is ignored, or taken by `sigwait`,
 * does not end it.
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
