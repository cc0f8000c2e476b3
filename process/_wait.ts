// Waiting for a limited time.

import { timeoutError } from "../_internal/options.ts";

/**
 * Waits for a promise for a limited time. The promise goes on after that.
 *
 * @throws {DOMException} `TimeoutError`, if the time passes first.
 */
export async function within<T>(
  promise: Promise<T>,
  { timeout, signal }: { timeout: number; signal?: AbortSignal },
  what: string,
): Promise<T> {
  signal?.throwIfAborted();
  if (timeout === Infinity && signal === undefined) return await promise;
  const { promise: end, reject } = Promise.withResolvers<never>();
  const timer = timeout === Infinity
    ? undefined
    : setTimeout(() => reject(timeoutError(what, timeout)), timeout);
  const abort = () => reject(signal!.reason);
  signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
