/**
 * What threading does for modules that do not import it: cancelling the code that
 * waits, and showing commands in a trace. Threading sets these functions when it is
 * loaded; before that nothing can be cancelled, and nothing is traced.
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

/** Called with whether arguments may be shown; says what a command is called. */
type NameOf = (withArguments: boolean) => string;

/** Where commands are shown. */
export const tracing = {
  /**
   * A command begins, which its caller waits for.
   *
   * @param _nameOf What it is called, with the arguments of the programs or
   * without. Not called if no trace has it.
   * @returns What says that it has ended, with its exit status; `undefined` if
   * no trace has it.
   */
  command(_nameOf: NameOf): ((status?: number) => void) | undefined {
    return undefined;
  },
  /** The same of a process that runs beside others. */
  process(_nameOf: NameOf): ((status: number) => void) | undefined {
    return undefined;
  },
};
