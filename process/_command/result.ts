/**
 * How commands and pipelines end: statuses, results, and the error of one that
 * failed.
 *
 * @module
 */

import { nameOf, NUMBERS } from "../../_internal/signum.ts";
import { textOf } from "./command_line.ts";
import type { Stage } from "./options.ts";

/**
 * The status of a process: its exit status, or minus the signal's number.
 *
 * @param status What Deno says.
 * @returns A number from -64 to 255.
 */
export function statusOf(status: Deno.CommandStatus): number {
  if (status.signal === null) return status.code;
  return -(NUMBERS[status.signal] ?? status.code - 128);
}

/**
 * The status of a process, from what a call of Deno's threw that tells how it
 * ended: Deno has no name for real-time signals, and fails at them.
 *
 * @param error What the call threw.
 * @returns Minus the number of the signal.
 * @throws The error, if it is another one.
 */
export function statusOfError(error: unknown): number {
  const [, number] = error instanceof TypeError
    ? /^Invalid signal: (\d+)$/.exec(error.message) ?? []
    : [];
  if (number === undefined) throw error;
  return -Number(number);
}

/** The status of a process, once it has ended. */
export async function endOf(child: Deno.ChildProcess): Promise<number> {
  try {
    return statusOf(await child.status);
  } catch (error) {
    return statusOfError(error);
  }
}

/** The name of the signal that ended a process of this status, if one did. */
export function signalOf(status: number): string | undefined {
  return status < 0 ? nameOf(-status) : undefined;
}

/** The number of SIGPIPE. */
const SIGPIPE = NUMBERS.SIGPIPE;

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

/** How one stage ended, with the bytes it wrote to a captured stderr. */
interface StageEnd {
  readonly status: number;
  readonly stderr: Uint8Array;
}

/** How a pipeline ended, with the output if it was captured. */
export interface Outcome {
  readonly stages: readonly StageEnd[];
  readonly stdout: Uint8Array;
}

const TAIL = 2000;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text of captured bytes. */
function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/**
 * The first stage that failed. A stage is not to blame for SIGPIPE when the
 * one after it had read enough.
 *
 * @param ends How the stages ended.
 * @param stages The stages.
 * @returns Its index, or -1.
 */
export function failed(
  ends: readonly StageEnd[],
  stages: readonly Stage[],
): number {
  return ends.findIndex(({ status }, i) => {
    if (status === 0) return false;
    if (i === ends.length - 1) return true;
    // A shell whose last program was ended so says 128 + the number.
    const viaShell = typeof stages[i].cmd === "string" &&
      status === 128 + SIGPIPE;
    return status !== -SIGPIPE && !viaShell;
  });
}

/** The error of a stage that failed. */
export function commandError(
  stages: readonly Stage[],
  ends: readonly StageEnd[],
  stage: number,
  why?: string,
): CommandError {
  const { status, stderr } = ends[stage];
  const command = textOf(stages[stage].cmd);
  const signal = signalOf(status);
  const tail = decode(stderr.subarray(-TAIL)).trimEnd();
  why ??= status < 0
    ? `ended by ${signal ?? `signal ${-status}`}`
    : `exit status ${status}`;
  const place = stages.length === 1
    ? ""
    : ` (stage ${stage + 1} of ${stages.length})`;
  return new CommandError(
    `Command failed${place}: ${command}: ${why}${tail && `\n${tail}`}`,
    { command, stage, status, signal, stderr: tail },
  );
}

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
