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

/** What a wait gives that was interrupted. */
export const INTERRUPTED = Symbol("interrupted");

/**
 * Waits for one promise after the other, until it is interrupted. Unlike
 * `Promise.race` with a promise for the end, it leaves nothing behind at that
 * promise for each wait.
 */
export class Interruptible {
  #interrupted = false;
  #leave?: () => void;

  /** Ends the wait under way, and all that follow. */
  interrupt(): void {
    this.#interrupted = true;
    this.#leave?.();
  }

  /**
   * Waits for a promise. A promise that is not waited for any more may fail
   * without a word.
   */
  wait<T>(promise: T | PromiseLike<T>): Promise<T | typeof INTERRUPTED> {
    return new Promise((resolve, reject) => {
      Promise.resolve(promise).then(resolve, reject);
      if (this.#interrupted) resolve(INTERRUPTED);
      this.#leave = () => resolve(INTERRUPTED);
    });
  }
}

/**
 * Waits for code of the user that need not come to its end. What it throws
 * within one turn of the event loop is thrown here; what comes later is not
 * heard.
 */
export async function forOneTurn(work: unknown): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const turn = new Promise<void>((resolve) => timer = setTimeout(resolve, 0));
  try {
    await Promise.race([work, turn]);
  } finally {
    clearTimeout(timer);
  }
}
