import { TIMEOUT_MAX, type WaitOptions } from "../threading/mod.ts";
import { timeoutError, timeoutOf } from "../_internal/options.ts";

/**
 * Waits for something that is no promise, and keeps the event loop alive.
 *
 * @param what What is being done, for messages: `wait for a signal`.
 * @param options The options of the wait.
 * @param start Begins: gets what ends the wait, returns what cleans up.
 * @returns What the wait was ended with.
 */
export function wait<T>(
  what: string,
  options: WaitOptions | undefined,
  start: (end: (value: T) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timeout = timeoutOf(options, what);
    const signal = options?.signal;
    signal?.throwIfAborted();
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
    let cleanUp = () => {};
    const stop = () => {
      clearTimeout(timer);
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
