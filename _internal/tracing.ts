/**
 * What a module tells a trace that does not import threading. Threading sets this
 * when it is loaded; nothing is traced before.
 *
 * @module
 */

/** Where commands are shown. */
export const tracing = {
  /**
   * A command begins.
   *
   * @param _nameOf What it is called, with the arguments of the programs or
   * without. Not called if no trace has it.
   * @returns What says that it has ended, with its exit status; `undefined` if
   * no trace has it.
   */
  command(
    _nameOf: (withArguments: boolean) => string,
  ): ((status?: number) => void) | undefined {
    return undefined;
  },
};
