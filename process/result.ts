/**
 * What a command or a pipeline gives back.
 *
 * @module
 */

import { textOf } from "./_argv.ts";
import { decode, failed, type Outcome } from "./_outcome.ts";
import type { Stage } from "./options.ts";

/** How one stage of a pipeline ended. */
export interface StageResult {
  /** The command, as messages show it. */
  command: string;
  /** Its exit status, or minus the number of the signal that ended it. */
  status: number;
  /** What it wrote to its standard error, if that was captured. */
  stderr: string;
}

/** Makes a result. */
export let createResult: (
  outcome: Outcome,
  stages: readonly Stage[],
) => CommandResult;

/**
 * How a command or a pipeline ended, and what it wrote.
 *
 * @example
 * ```ts
 * import { run } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { status, stdout } = await run(["sort"], { input: "b\na\n" });
 * assertEquals(status, 0);
 * assertEquals(stdout, "a\nb\n");
 * ```
 */
export class CommandResult {
  /**
   * The status of the first stage that failed, or 0: an exit status, or minus
   * the number of a signal.
   */
  readonly status: number;
  /** How each stage ended. */
  readonly stages: readonly StageResult[];
  /** The output, as bytes; empty if it was not captured. */
  readonly bytes: Uint8Array;
  #text?: string;

  static {
    createResult = (outcome, stages) => new CommandResult(outcome, stages);
  }

  private constructor(outcome: Outcome, stages: readonly Stage[]) {
    const ends = outcome.stages;
    const failure = failed(ends, stages);
    this.status = failure < 0 ? 0 : ends[failure].status;
    this.stages = ends.map(({ status, stderr }, i) => ({
      command: textOf(stages[i].cmd),
      status,
      stderr: decode(stderr),
    }));
    this.bytes = outcome.stdout;
  }

  /** The output, as text; empty if it was not captured. */
  get stdout(): string {
    return this.#text ??= decode(this.bytes);
  }

  /** What the stages wrote to their captured standard errors, in their order. */
  get stderr(): string {
    return this.stages.map(({ stderr }) => stderr).join("");
  }
}
