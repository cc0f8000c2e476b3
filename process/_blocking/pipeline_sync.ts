/**
 * Pipelines in the blocking form: as a whole, or opened and read piece by piece.
 *
 * @module
 */

import { cancelling } from "../../_internal/hooks.ts";
import { descriptorOf } from "../_command/descriptors.ts";
import {
  ask,
  leave,
  type Opened,
  type OutputName,
  plainOptions,
  received,
  type Request,
  sendInput,
  type Sent,
  type SentOutcome,
  share,
  type SharedBytes,
  SOURCE_FAILED,
  WINDOW,
} from "./helper.ts";
import type { LineSourceSync } from "../_command/output.ts";
import {
  type CommandError,
  type CommandTimeout,
  madeOf,
  type Outcome,
  showInTrace,
} from "../_command/result.ts";
import type { Own } from "../_command/execution.ts";
import type { Plan, SentStage } from "../_command/plan.ts";
import { isQuick, quickSync } from "../_command/quick.ts";
import { type CheckedSyncSource, writeAllSync } from "../_command/streams.ts";
import { type FilePath, pathOf } from "../_command/options.ts";

/**
 * Checks that nothing of a plan needs the event loop of this thread.
 *
 * @throws {TypeError} If something does.
 */
export function checkSync(
  { stages, source, sink, options, branches }: Plan,
): void {
  for (const branch of branches ?? []) {
    checkSync(branch);
    requireNames(branch);
  }
  const name = (["signal", "tee", "onProgress"] as const)
    .find((name) => options[name] !== undefined) ??
    ([sink, ...stages.map(({ stderr }) => stderr)].some((to) =>
        to instanceof WritableStream
      ) || needsLoop(source)
      ? "a stream"
      : undefined);
  if (name === undefined) return;
  throw new TypeError(
    `Cannot run a command in the blocking form: it takes nothing that needs the event loop, received ${name}`,
  );
}

function needsLoop(source: unknown): boolean {
  return source instanceof Blob || source instanceof Response ||
    source instanceof Request ||
    typeof source === "object" && source !== null &&
      Symbol.asyncIterator in source;
}

/**
 * Checks that the helper can write to the files of a plan by itself.
 *
 * @throws {TypeError} If one is open, and its descriptor is not known.
 */
export function requireNames({ stages, sink }: Plan): void {
  if (![sink, ...stages.map(({ stderr }) => stderr)].some(isOurs)) return;
  throw new TypeError(
    "Cannot run a command in the blocking form: a file that is written to while this thread goes on must be named by its path here, received an open file",
  );
}

/**
 * Runs a pipeline to its end, and blocks the thread meanwhile.
 *
 * @param plan The commands.
 * @returns How it ended.
 */
export function executeSync(plan: Plan): Outcome {
  checkSync(plan);
  if (isQuick(plan)) return quickSync(plan);
  const { sink } = plan;
  if (sink instanceof Deno.FsFile && descriptorOf(sink) === undefined) {
    return writeSync({ ...plan, sink: "capture" }, sink);
  }
  const sent = plain(plan);
  // The helper that runs it knows nothing of traces.
  const told = showInTrace(plan.stages);
  let status: number | undefined;
  try {
    const outcome = ended(
      plan,
      () => askLast(sent, { type: "execute", ...sent }),
    );
    status = outcome.stages.find(({ status }) => status !== 0)?.status;
    return outcome;
  } catch (error) {
    ({ status } = error as Partial<CommandError>);
    throw error;
  } finally {
    told?.(status);
  }
}

/**
 * How a pipeline ended, once this thread has written what is left to it; also
 * when it failed.
 */
function ended(plan: Plan, ask: () => unknown): Outcome {
  try {
    return writeErrors(plan, received(ask() as SentOutcome));
  } catch (error) {
    const { result } = error as Partial<CommandTimeout>;
    if (result !== undefined) writeErrors(plan, madeOf(result).outcome);
    throw error;
  }
}

/** Writes the standard errors for which only this thread has the files. */
function writeErrors({ stages }: Plan, outcome: Outcome): Outcome {
  const ends = outcome.stages.map((end, i) => {
    const { stderr } = stages[i];
    if (!isOurs(stderr)) return end;
    writeAllSync(stderr, end.stderr);
    return { ...end, stderr: new Uint8Array(0) };
  });
  return { ...outcome, stages: ends };
}

/** Whether something is an open file that only this thread can write to. */
function isOurs(place: unknown): place is Deno.FsFile {
  return place instanceof Deno.FsFile && descriptorOf(place) === undefined;
}

/**
 * Runs a pipeline to its end, and writes its output to a file that only this
 * thread can write to. The file gets what came before an error, too.
 */
function writeSync(plan: Plan, file: Deno.FsFile): Outcome {
  const output = openSync(plan);
  let early = true;
  let outcome: Outcome;
  try {
    let bytes: Uint8Array | undefined;
    while ((bytes = output.read()) !== undefined) writeAllSync(file, bytes);
    early = false;
  } finally {
    outcome = output.close(early);
  }
  return outcome;
}

/** The output of a pipeline that runs. */
export interface OutputSync extends LineSourceSync {
  close(early: boolean): Outcome;
}

/**
 * Runs a pipeline whose output is read block by block; it waits when nobody
 * reads.
 *
 * @param plan The commands.
 * @returns Its output.
 */
export function openSync(plan: Plan): OutputSync {
  const opened = new OpenedPipeline(plan, { stdout: "taken" });
  return {
    read: () => opened.read("stdout"),
    close: (early) => opened.end({ type: "close", early }),
  };
}

/** A pipeline that the helper runs, for a thread that holds it meanwhile. */
export class OpenedPipeline {
  readonly #plan: Plan;
  readonly #sent: Sent;
  readonly #id: number;
  readonly #windows: Partial<Record<OutputName, Uint8Array>> = {};
  #pids: readonly number[];

  /**
   * Starts the pipeline.
   *
   * @param plan The commands.
   * @param own What this thread reads and writes. If it may write, errors of the
   * start are those of the end.
   */
  constructor(plan: Plan, own: Own, handle = false) {
    this.#plan = plan;
    const sent = this.#sent = plain(plan);
    try {
      const request = { type: "open", ...sent, own, handle } as const;
      ({ id: this.#id, pids: this.#pids } = ask(request, true) as Opened);
    } catch (error) {
      throw errorOf(sent, error);
    }
  }

  /** The numbers of its processes. */
  get pids(): readonly number[] {
    const { length } = this.#sent.plan.stages;
    if (this.#pids.length < length) {
      this.#pids = ask({ type: "pids", id: this.#id }) as number[];
    }
    return this.#pids;
  }

  /** What comes next of an output, valid until the next call. */
  read(name: OutputName): Uint8Array | undefined {
    // The helper fills the window when it is asked for more, and not otherwise.
    const window = this.#windows[name] ??= new Uint8Array(
      new SharedArrayBuffer(WINDOW),
    );
    const buffer = window.buffer as SharedBytes;
    const request = {
      type: "read",
      id: this.#id,
      name,
      window: buffer,
    } as const;
    const size = ask(request, true);
    return size === 0 ? undefined : window.subarray(0, size as number);
  }

  /** Writes to the first stage. */
  write(bytes: Uint8Array): void {
    ask({ type: "write", id: this.#id, bytes: share(bytes) }, true);
  }

  /** Says that no more will be written. */
  closeInput(): void {
    ask({ type: "closeInput", id: this.#id });
  }

  /** Reads no more of an output; a process that goes on gets SIGPIPE. */
  leave(name: OutputName): void {
    ask({ type: "leave", id: this.#id, name });
  }

  /** Sends all processes a signal. */
  kill(signal: Deno.Signal): void {
    ask({ type: "signal", id: this.#id, signal });
  }

  /**
   * Waits for its end, after which it is not to be used any more. Where the thread
   * is cancelled already, nothing is waited for: it is ended.
   */
  end(how: { type: "finish" | "close"; early: boolean }): Outcome {
    const stops = how.type === "finish" && cancelling.isCancelled();
    const end = stops ? { type: "close", early: true } as const : how;
    const request: Request = { ...end, id: this.#id };
    let outcome: Outcome;
    try {
      outcome = ended(this.#plan, () => askLast(this.#sent, request));
    } catch (error) {
      // That may be why it failed.
      cancelling.check();
      throw error;
    }
    if (stops) cancelling.check();
    return outcome;
  }
}

/** Asks the last thing of a pipeline, whose source is left then. */
function askLast(sent: Sent, request: Request): unknown {
  let answer: unknown;
  try {
    answer = ask(
      request,
      request.type === "execute" || request.type === "finish",
    );
  } catch (error) {
    throw errorOf(sent, error);
  }
  leave(sent)?.leave();
  return answer;
}

/** The error of a pipeline that failed, whose source is left. */
function errorOf(sent: Sent, error: unknown): unknown {
  const source = leave(sent);
  try {
    source?.leave();
  } catch {
    // There is an error already.
  }
  const { failure } = source ?? {};
  const fromSource = error instanceof Error && error.name === SOURCE_FAILED;
  return failure !== undefined && fromSource ? failure.error : error;
}

/**
 * A plan that can be sent, and the bytes of its source beside it: URLs cannot be
 * sent, nor open files or iterables.
 */
function plain({ stages, source, sink, options, branches = [] }: Plan): Sent {
  const sent = branches.map(plain);
  const places = [source, sink, ...stages.map(({ stderr }) => stderr)];
  const files = places.filter((place) => place instanceof Deno.FsFile)
    .flatMap((file) => {
      const fd = descriptorOf(file);
      const { dev, ino } = file.statSync();
      return fd === undefined ? [] : [{ fd, dev, ino }];
    });
  const there = source === undefined ? undefined : pathOf(source) ??
    (source instanceof Deno.FsFile ? descriptorOf(source) : undefined);
  const plan = {
    stages: stages.map(({ stderr, ...stage }): SentStage => ({
      ...plainOptions(stage),
      stderr: stderr instanceof Deno.FsFile
        ? descriptorOf(stderr) ?? "capture"
        : pathOf(stderr) ?? stderr,
    })),
    source: there,
    sink: sink instanceof Deno.FsFile
      ? descriptorOf(sink)!
      : pathOf(sink) ?? sink,
    options: { ...options, signal: undefined, tee: undefined },
    branches: branches.length > 0 ? sent.map(({ plan }) => plan) : undefined,
  };
  const input = source === undefined || there !== undefined
    ? undefined
    : sendInput(source as Exclude<CheckedSyncSource, URL | FilePath>);
  return { plan, input, files: [...files, ...sent.flatMap((s) => s.files)] };
}
