/**
 * The error of a command that failed.
 *
 * @module
 */

/** What a {@linkcode CommandError} is made of. */
export interface CommandErrorInit {
  /** The command, as it was given; an array is written as a shell would. */
  command: string;
  /** Which stage of the pipeline it was, from 0. */
  stage: number;
  /** Its exit status, or minus the number of the signal that ended it. */
  status: number;
  /** The signal that ended it, if one did. */
  signal?: string;
  /** The end of what it wrote to its standard error, if that was captured. */
  stderr: string;
}

/**
 * A command ended with a status other than 0, or wrote more than it may. In a
 * pipeline it is the first stage that failed, whose failure usually explains
 * those after it.
 *
 * @example
 * ```ts
 * import { CommandError, run } from "@skein/std/process";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const error = await assertRejects(() => run("exit 3"), CommandError);
 * assertEquals(error.status, 3);
 * ```
 */
export class CommandError extends Error {
  /** The name of the class. */
  override name = "CommandError";
  /** The command, as it was given; an array is written as a shell would. */
  readonly command: string;
  /** Which stage of the pipeline it was, from 0. */
  readonly stage: number;
  /** Its exit status, or minus the number of the signal that ended it. */
  readonly status: number;
  /** The signal that ended it, if one did. */
  readonly signal?: string;
  /** The end of what it wrote to its standard error, if that was captured. */
  readonly stderr: string;

  /**
   * Makes an error.
   *
   * @param message What was wrong.
   * @param init The command, and how it ended.
   */
  constructor(message: string, init: CommandErrorInit) {
    super(message);
    this.command = init.command;
    this.stage = init.stage;
    this.status = init.status;
    this.signal = init.signal;
    this.stderr = init.stderr;
  }
}
