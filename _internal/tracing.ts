/**
 * What a module tells a trace that does not import threading. Threading sets this
 * when it is loaded; nothing is traced before.
 *
 * @module
 */

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
