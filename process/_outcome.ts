// How a pipeline ended.
import { textOf } from "./_argv.ts";
import { signalOf, SIGPIPE } from "./_status.ts";
import { CommandError } from "./command_error.ts";
import type { Stage } from "./options.ts";

/** How one stage ended, with the bytes it wrote to a captured stderr. */
export interface StageEnd {
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
export function decode(bytes: Uint8Array): string {
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
