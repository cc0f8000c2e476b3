/**
 * How commands and pipelines end: statuses, results, and the error of one that
 * failed.
 *
 * @module
 */

import { baseName, nameOf, NUMBERS } from "../../_internal/platform.ts";
import { tracing } from "../../_internal/hooks.ts";
import { pipelineTextOf, quote, textOf } from "./command_line.ts";
import type { Stage as WholeStage } from "./options.ts";

/** What a result needs to know of a stage. */
type Stage = Pick<WholeStage, "cmd" | "cwd">;

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
  /** How the whole pipeline ended; by default, what the rest says of it. */
  result?: CommandResult;
}

/**
 * A command ended with a status other than 0, or wrote more than it may. In a
 * pipeline it is the first stage that failed, whose failure usually explains
 * those after it. What was captured until then is in its `result`.
 *
 * @example
 * ```ts
 * import { CommandError, run } from "@skein/std/process";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const failing = () => run("echo so far; exit 3");
 * const error = await assertRejects(failing, CommandError);
 * assertEquals(error.status, 3);
 * assertEquals(error.result.stdout, "so far\n");
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
  /** How the whole pipeline ended, and what was captured until then. */
  readonly result: CommandResult;

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
    this.result = init.result ?? resultOf(init);
  }
}

/**
 * The error of a command whose `timeout` passed: a `DOMException` of the name
 * `TimeoutError`, which has what was captured until then.
 */
export interface CommandTimeout extends DOMException {
  /** How the processes ended, and what was captured until then. */
  readonly result: CommandResult;
}

/** How one stage ended, with the bytes it wrote to a captured stderr. */
interface StageEnd {
  readonly status: number;
  readonly stderr: Uint8Array;
}

/** How a pipeline ended, with the output if it was captured. */
export interface Outcome {
  readonly stages: readonly StageEnd[];
  /** The captured output; with `all`, both streams. */
  readonly stdout: Uint8Array;
  readonly all?: boolean;
  /** Until its processes had ended and their output was read, in milliseconds. */
  readonly durationMs: number;
  /** Why it was ended early, if it was. */
  readonly early?: Early;
  /** Whether the output was not read to its end, by the reader's own choice. */
  readonly unread?: boolean;
  /** How the pipelines ended that got the output, if it went to such. */
  readonly branches?: readonly BranchOutcome[];
}

/** How a pipeline ended that got the output of another one. */
export interface BranchOutcome {
  readonly outcome: Outcome;
  readonly stages: readonly Stage[];
}

/** Why this program ends a command before its end. */
export type Early = "timeout" | "abort" | "maxBuffer";

const TAIL = 2000;
const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text of captured bytes. */
function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/**
 * The first stage that failed. A stage is not to blame for SIGPIPE when whoever
 * reads its output had read enough.
 *
 * @param outcome How the stages ended.
 * @param stages The stages.
 * @returns Its index, or -1.
 */
export function failed(outcome: Outcome, stages: readonly Stage[]): number {
  return outcome.stages.findIndex((_, i) => isFailure(outcome, i, stages));
}

function isFailure(
  { stages: ends, unread }: Outcome,
  i: number,
  stages: readonly Stage[],
): boolean {
  const { status } = ends[i];
  if (status === 0) return false;
  if (i === stages.length - 1 && !unread) return true;
  // A shell whose last program was ended so says 128 + the number.
  const viaShell = typeof stages[i].cmd === "string" &&
    status === 128 + SIGPIPE;
  return status !== -SIGPIPE && !viaShell;
}

/** The end of what a stage wrote to its standard error. */
function tailOf({ stderr }: StageEnd): string {
  return decode(stderr.subarray(-TAIL)).trimEnd();
}

/** The parts of a message: which stage, of which command, and how it ended. */
function describe(
  stages: readonly Stage[],
  ends: readonly StageEnd[],
  stage: number,
) {
  const { cmd, cwd } = stages[stage];
  const { status } = ends[stage];
  const tail = tailOf(ends[stage]);
  return {
    place: stages.length === 1
      ? ""
      : ` (stage ${stage + 1} of ${stages.length})`,
    command: textOf(cmd),
    how: status < 0
      ? `ended by ${signalOf(status) ?? `signal ${-status}`}`
      : `exit status ${status}`,
    rest: (cwd === undefined ? "" : `, in "${cwd}"`) + (tail && `\n${tail}`),
  };
}

/**
 * The error of a stage that failed.
 *
 * @param stages The stages.
 * @param outcome How they ended.
 * @param stage Which one failed.
 * @param why What was wrong, if it is not its status.
 */
export function commandError(
  stages: readonly Stage[],
  outcome: Outcome,
  stage: number,
  why?: string,
): CommandError {
  const ends = outcome.stages;
  const { place, command, how, rest } = describe(stages, ends, stage);
  const { status } = ends[stage];
  return new CommandError(
    `Command failed${place}: ${command}: ${why ?? how}${rest}`,
    {
      command,
      stage,
      status,
      signal: signalOf(status),
      stderr: tailOf(ends[stage]),
      result: createResult(outcome, stages),
    },
  );
}

/**
 * Completes the error of a command whose time was up, which was made when it
 * was: whatever the command fed or filled has got it since.
 *
 * @param error The error.
 * @param stages The stages.
 * @param outcome How they ended.
 */
export function commandTimeout(
  error: DOMException,
  stages: readonly Stage[],
  outcome: Outcome,
): CommandTimeout {
  const ends = outcome.stages;
  // The one that this program ended, unless one failed before.
  const stage = Math.max(0, failed(outcome, stages));
  const { place, command, how, rest } = describe(stages, ends, stage);
  const { message, stack } = error;
  const value = `${message}${place}, received ${command}: ${how}${rest}`;
  Object.defineProperty(error, "message", { value, configurable: true });
  if (stack !== undefined) {
    Object.defineProperty(error, "stack", {
      value: stack.replace(message, () => value),
      configurable: true,
      writable: true,
    });
  }
  return withResult(error, createResult(outcome, stages));
}

/** An exception with the result of the command that it ended. */
export function withResult(
  error: DOMException,
  value: CommandResult,
): CommandTimeout {
  // One that is frozen goes without.
  Reflect.defineProperty(error, "result", {
    value,
    configurable: true,
    enumerable: true,
  });
  return error as CommandTimeout;
}

/**
 * Says in a trace, and on standard error if that is asked for, which command runs.
 *
 * @returns What says how it ended.
 */
export function announce(
  stages: readonly Stage[],
  options: { verbose?: boolean },
): ((outcome: Outcome) => void) | undefined {
  const told = showInTrace(stages);
  const said = options.verbose === true ? say(stages) : undefined;
  if (told === undefined) return said;
  return (outcome) => {
    told(outcome.stages.find(({ status }) => status !== 0)?.status);
    said?.(outcome);
  };
}

/**
 * Shows a command in a trace.
 *
 * @returns What says that it has ended, with its status.
 */
export function showInTrace(
  stages: readonly Stage[],
): ((status?: number) => void) | undefined {
  return tracing.command((withArguments) =>
    withArguments
      ? pipelineTextOf(stages.map(({ cmd }) => cmd))
      : stages.map(({ cmd }) => programOf(cmd)).join(" | ")
  );
}

/** Shows a process that runs beside others in a trace, until that is called. */
export function showProcess(
  cmd: Stage["cmd"],
): ((status: number) => void) | undefined {
  return tracing.process((withArguments) =>
    withArguments ? pipelineTextOf([cmd]) : programOf(cmd)
  );
}

function programOf(cmd: Stage["cmd"]): string {
  if (typeof cmd === "string") return "sh";
  return baseName(String(cmd[0]));
}

function say(stages: readonly Stage[]): (outcome: Outcome) => void {
  const text = stages.length === 1 && stages[0].cwd === undefined
    ? pipelineTextOf([stages[0].cmd])
    : stages.map(({ cmd, cwd }) => {
      const words = pipelineTextOf([
        typeof cmd === "string" ? ["sh", "-c", cmd] : cmd,
      ]);
      return cwd === undefined
        ? words
        : `(cd ${quote(String(cwd))} && ${words})`;
    }).join(" | ");
  console.error(`$ ${text}`);
  return (outcome) => {
    const stage = failed(outcome, stages);
    const { how } = describe(stages, outcome.stages, Math.max(0, stage));
    const ended = stage < 0 ? "exit status 0" : how;
    // What has several lines is known by its first one.
    const [first] = text.split("\n");
    console.error(`# ${Math.round(outcome.durationMs)} ms, ${ended}: ${first}`);
  };
}

/**
 * The error of a pipeline whose output went to others, some of which failed.
 *
 * @param errors What they failed with.
 * @param stages The stages before them.
 * @param outcome How everything ended.
 * @returns The first error, with the whole result; `undefined` if there is none.
 */
export function errorOfBranches(
  errors: readonly unknown[],
  stages: readonly Stage[],
  outcome: Outcome,
): unknown {
  const [first] = errors;
  // The reason of an abort stays the caller's own object.
  if (first instanceof DOMException && "result" in first) {
    return withResult(first, createResult(outcome, stages));
  }
  if (!(first instanceof CommandError)) return first;
  const error = new CommandError(first.message, {
    command: first.command,
    stage: first.stage,
    status: first.status,
    signal: first.signal,
    stderr: first.stderr,
    result: createResult(outcome, stages),
  });
  error.cause = errors.length === 1
    ? first
    : new AggregateError(errors, "Several pipelines failed");
  return error;
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

/** How a stage ended, as the caller sees it. */
export function stageResult(
  { cmd }: Stage,
  { status, stderr }: StageEnd,
): StageResult {
  return { command: textOf(cmd), status, stderr: decode(stderr) };
}

/** Makes a result. */
export let createResult: (
  outcome: Outcome,
  stages: readonly Stage[],
) => CommandResult;

/** What a result was made of, to be sent to another thread. */
export let madeOf: (
  result: CommandResult,
) => { outcome: Outcome; stages: readonly Stage[] };

/** The bytes of what was captured: the output, or both streams with `all`. */
export function outputOf(result: CommandResult): Uint8Array {
  return madeOf(result).outcome.stdout;
}

/** A result of what is known of a failure, when there is no more. */
function resultOf({ command, stage, status, stderr }: CommandErrorInit) {
  const ends = Array.from(
    { length: stage + 1 },
    (_, i): StageEnd =>
      i === stage
        ? { status, stderr: new TextEncoder().encode(stderr) }
        : { status: 0, stderr: NOTHING },
  );
  const stages = ends.map((_, i) => ({ cmd: i === stage ? command : "" }));
  return createResult(
    { stages: ends, stdout: NOTHING, durationMs: 0 },
    stages,
  );
}

/** More bytes are not shown as text. */
const MAX_SHOWN = 10_000;

/** What the console shows: the output as text, and nothing that says nothing. */
function shownOf(result: CommandResult): Record<string, unknown> {
  const { status, ok, command, bytes, stages, branches, durationMs } = result;
  const isShort = outputOf(result).length <= MAX_SHOWN;
  const { timedOut, aborted, maxBufferExceeded, killedBy } = result;
  return {
    status,
    ok,
    command,
    ...(isShort ? { stdout: result.stdout } : { bytes }),
    stderr: result.stderr,
    ...(isShort && result.all !== undefined && { all: result.all }),
    ...(stages.length > 1 && { stages }),
    ...(branches.length > 0 && { branches }),
    durationMs,
    ...(timedOut && { timedOut }),
    ...(aborted && { aborted }),
    ...(maxBufferExceeded && { maxBufferExceeded }),
    ...(killedBy !== undefined && { killedBy }),
  };
}

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
   * the number of a signal. The stages of `branches` come after its own.
   */
  readonly status: number;
  /**
   * Whether all is well: the status is 0, and nothing ended it before its end.
   */
  readonly ok: boolean;
  /** The command, as a shell would take it; stages are joined by `|`. */
  readonly command: string;
  /** How each stage ended. */
  readonly stages: readonly StageResult[];
  /**
   * How the pipelines ended that got the output by {@linkcode Pipeline.tee}, in
   * their order; none without.
   */
  readonly branches: readonly CommandResult[];
  /** The output, as bytes; empty if it was not captured. */
  readonly bytes: Uint8Array;
  /**
   * How long it took until its processes had ended and their output was read, in
   * milliseconds.
   */
  readonly durationMs: number;
  /** Whether its `timeout` passed. */
  readonly timedOut: boolean;
  /** Whether its `signal` was aborted. */
  readonly aborted: boolean;
  /** Whether it wrote more than `maxBuffer`. */
  readonly maxBufferExceeded: boolean;
  /**
   * The signal that ended the first stage that was ended by one, whoever sent
   * it. A stage is not counted whose reader had read enough.
   */
  readonly killedBy?: string;
  #text?: string;
  #all?: string;
  readonly #outcome: Outcome;
  readonly #stages: readonly Stage[];

  static {
    createResult = (outcome, stages) => new CommandResult(outcome, stages);
    madeOf = (result) => ({
      outcome: result.#outcome,
      stages: result.#stages,
    });
    Object.defineProperty(this.prototype, Symbol.for("Deno.customInspect"), {
      value(
        this: CommandResult,
        inspect: typeof Deno.inspect,
        options: object,
      ) {
        return `CommandResult ${inspect(shownOf(this), options)}`;
      },
    });
  }

  /** @ignore */
  private constructor(outcome: Outcome, stages: readonly Stage[]) {
    const { stages: ends, early } = outcome;
    this.#outcome = outcome;
    this.#stages = stages;
    const failure = failed(outcome, stages);
    this.branches = (outcome.branches ?? []).map(({ outcome, stages }) =>
      new CommandResult(outcome, stages)
    );
    this.status = failure >= 0
      ? ends[failure].status
      : this.branches.find(({ status }) => status !== 0)?.status ?? 0;
    this.ok = this.status === 0 && early === undefined &&
      this.branches.every(({ ok }) => ok);
    this.command = pipelineTextOf(stages.map(({ cmd }) => cmd));
    this.stages = ends.map((end, i) => stageResult(stages[i], end));
    this.bytes = outcome.all ? NOTHING : outcome.stdout;
    this.durationMs = outcome.durationMs;
    this.timedOut = early === "timeout";
    this.aborted = early === "abort";
    this.maxBufferExceeded = early === "maxBuffer";
    const killed = ends.find(({ status }, i) =>
      status < 0 && isFailure(outcome, i, stages)
    );
    if (killed !== undefined) {
      this.killedBy = signalOf(killed.status) ?? `signal ${-killed.status}`;
    }
  }

  /**
   * Both streams, in the order in which they were written, as text; there if the
   * option `all` was set.
   */
  get all(): string | undefined {
    return this.#outcome.all ? this.#all ??= decode(outputOf(this)) : undefined;
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
