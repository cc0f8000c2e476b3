/**
 * What a module must do to be cancelled that does not import threading: look
 * whether the code that waits has been cancelled, and be told when it is.
 * Threading sets these functions when it is loaded; nothing can be cancelled
 * before.
 *
 * @module
 */

/** What a thread sleeps on, and whoever wakes it has to change and notify. */
export interface WakeWord {
  /** The memory, as 32-bit words. */
  buffer: SharedArrayBuffer;
  /** The index of the word. */
  index: number;
}

/** What threading does for those who wait. */
export const cancelling = {
  /** Throws the reason if the code that calls it has been cancelled. */
  check(): void {},

  /**
   * Tells code that waits in the promise form when it is cancelled.
   *
   * @param _callback Called once, from the event loop, with the reason.
   * @returns What ends that.
   */
  subscribe(_callback: (reason: unknown) => void): () => void {
    return () => {};
  },

  /** Calls a function, which may be async, whose waits are not cancelled. */
  shield<T>(fn: () => T): T {
    return fn();
  },

  /** Whether the code that calls it could be cancelled while it waits. */
  isPossible(): boolean {
    return false;
  },

  /** Whether code that blocks here has been cancelled. */
  isCancelled(): boolean {
    return false;
  },

  /**
   * The word on which this thread sleeps, so that being cancelled wakes it;
   * `undefined` in a thread that nobody can cancel.
   */
  wakeWord(): WakeWord | undefined {
    return undefined;
  },
};
