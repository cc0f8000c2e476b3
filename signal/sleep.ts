/**
 * Sleeping until a signal comes.
 *
 * @module
 */

import { checkOptions } from "../_internal/check.ts";
import { checkDuration } from "../_internal/options.ts";
import { onHandled } from "./_handled.ts";
import { wait } from "./_wait.ts";

/** What `sleep` takes besides the time. */
export interface SleepOptions {
  /** Ends the sleep when it is aborted; it rejects with the reason. */
  signal?: AbortSignal;
}

/**
 * Sleeps for a while, or until a signal has been handled, in this thread or
 * another. After `time.sleep` of Python before 3.5 and sleep(3), which end
 * early for a signal too. The event loop goes on meanwhile.
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
