/**
 * A pipeline that runs, from the start of its processes to its result.
 *
 * @module
 */

import { builtIn } from "../../_internal/built_in.ts";
import {
  closeWriter,
  collect,
  concat,
  discard,
  feed,
  forOneTurn,
  type Input,
  Interruptible,
  join,
  nobodyReads,
  openInput,
  Sinks,
  streamToAll,
} from "./streams.ts";
import { type Ending, endingOf } from "./child_process.ts";
import {
  announce,
  type BranchOutcome,
  commandError,
  commandTimeout,
  createResult,
  type Early,
  endOf,
  errorOfBranches,
  failed,
  type Outcome,
  withResult,
} from "./result.ts";
import { Files, partsOf, type Plan, type SentPlan } from "./plan.ts";
import { Processes } from "./processes.ts";
import { isQuick, quick } from "./quick.ts";
import { awaitTee, fanOut, Tap } from "./output.ts";
import { lengthOf, startReports } from "../progress.ts";
import { cancelling } from "../../_internal/hooks.ts";
import { durationOf, timeoutError } from "../../_internal/check.ts";
import type { CheckedSource } from "./options.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Writer = WritableStreamDefaultWriter<Uint8Array>;

const WHAT = "run a command";
const NOTHING = new Uint8Array(0);

/** What the holder of an execution reads and writes itself. */
export interface Own {
  /** Whether it writes to the first stage. */
  stdin?: boolean;
  /** Whether the output is read as it is asked for, or kept until it is taken. */
  stdout?: "taken" | "kept";
  /** The same for the captured error outputs of the stages. */
  stderr?: "taken" | "kept";
  /**
   * Whether the holder opens the gate of the first stage, if it has one, by a line
   * before what it writes.
   */
  gate?: boolean;
}

/**
 * A pipeline that runs: its processes, and everything that this program does for
 * them. `finish` must be awaited, whatever happens.
 */
export class Execution {
  readonly #plan: SentPlan;
  readonly #own: Own;
  readonly #processes = new Processes();
  /** The pipeline waits for these before it ends. None of them rejects. */
  readonly #tasks: Promise<void>[] = [];
  /** What the holder reads. Neither do these. */
  readonly #taps: Promise<void>[] = [];
  readonly #readers: ReadableStreamDefaultReader<Bytes>[] = [];
  readonly #stderr: Bytes[][] = [];
  readonly #stdout: Bytes[] = [];
  readonly #cleanups: (() => void)[] = [];
  /** Interrupted when nobody needs more of the source. */
  readonly #sourceWait = new Interruptible();
  /** Interrupted when the children were ended: then nothing is waited for. */
  readonly #waits: Interruptible[] = [];
  /** Whether the children were ended. */
  #over = false;
  /** The bytes of the source that a child has got from this program. */
  #fed = 0;
  /** Gets a copy of the output, if set. */
  #copy?: Writer;
  /** The streams of the user's and open files that get output. */
  readonly #sinks = new Sinks();
  #stopReports?: () => Promise<void>;
  /** Is told of the end. */
  readonly #said?: (outcome: Outcome) => void;
  readonly #started = performance.now();
  #failure?: { error: unknown; early?: Early };
  #overflow?: { stage: number; name: string };
  #killing?: Promise<void>;

  /** The output, for the holder. */
  readonly stdout: Tap;
  /** The error outputs of the stages, for the holder. */
  readonly stderr: readonly Tap[];
  /** Resolves when all processes run; rejects if they could not be started. */
  readonly started: Promise<void>;
  /** The pipelines that get the output. */
  readonly #branches: Execution[] = [];
  /** Whether nobody read the output to its end, and that was no failure. */
  #unread = false;
  #finished?: Promise<Outcome>;
  #last?: Outcome;

  private constructor(plan: SentPlan, own: Own) {
    this.#plan = plan;
    this.#said = announce(plan.stages, plan.options);
    this.#own = own;
    this.stdout = new Tap(own.stdout === "taken");
    this.stderr = plan.stages.map(() => new Tap(own.stderr === "taken"));
    this.started = this.#start();
    // The error is thrown at the end.
    this.started.catch(() => {});
  }

  /**
   * Starts a pipeline. The processes that need nothing that takes long are there
   * when this returns. If it cannot start, its source is left and its sink
   * aborted, as if it had started and failed.
   *
   * @param plan What it runs, checked.
   * @param own What the caller reads and writes itself.
   * @returns The pipeline, which may not have started yet.
   */
  static begin(plan: SentPlan, own: Own = {}): Execution {
    return new Execution(own.stdin ? { ...plan, written: true } : plan, own);
  }

  /**
   * Starts a pipeline, and waits until it runs.
   *
   * @param plan What it runs, checked.
   * @param own What the caller reads and writes itself.
   * @returns The running pipeline.
   */
  static async start(plan: SentPlan, own?: Own): Promise<Execution> {
    const execution = Execution.begin(plan, own);
    await execution.started;
    return execution;
  }

  async #start(): Promise<void> {
    const plan = this.#plan;
    try {
      const { options } = plan;
      const ending = endingOf(options);
      options.signal?.throwIfAborted();
      cancelling.check();
      const timeout = durationOf(options.timeout, WHAT, "timeout");
      await this.#startProcesses(timeout, ending);
    } catch (error) {
      for (const tap of [this.stdout, ...this.stderr]) tap.end();
      const errors = plan.stages.map(({ stderr }) => stderr);
      discard(plan.source, [plan.sink, ...errors], error);
      throw error;
    }
  }

  async #startProcesses(timeout: number, ending: Ending): Promise<void> {
    const files = new Files();
    try {
      const parts = partsOf(this.#plan, files);
      this.#watch(timeout);
      for (const plan of this.#plan.branches ?? []) {
        const own = { stdin: true, gate: true };
        this.#branches.push(Execution.begin(plan, own));
      }
      await this.#processes.start({
        parts,
        files,
        ending,
        held: this.#own.gate === true,
        branches: this.#branches.map((branch) => branch.#processes),
        branchesStarted: () => this.#branchesStarted(),
      });
      const { statuses } = this.#processes;
      if (this.#children.length === 0 && this.#failure !== undefined) {
        throw this.#error(this.#outcome(await statuses));
      }
      if (this.#children.length > 0) this.#report(files);
    } catch (error) {
      this.#stopBranches();
      await Promise.all(this.#branches.map((branch) => branch.#ended()));
      this.#cleanUp();
      throw error;
    } finally {
      // The children have copies; ours would keep their pipes from ending.
      files.close();
    }
    this.#connect();
  }

  /** Waits until the branches run; if one cannot, the pipeline fails. */
  async #branchesStarted(): Promise<void> {
    try {
      await Promise.all(this.#branches.map(({ started }) => started));
    } catch (error) {
      this.fail(error);
    }
  }

  /** Sets what ends the pipeline early. */
  #watch(timeout: number): void {
    const { signal } = this.#plan.options;
    if (timeout !== Infinity) {
      const timer = setTimeout(
        () => this.fail(timeoutError(WHAT, timeout), "timeout"),
        timeout,
      );
      this.#cleanups.push(() => clearTimeout(timer));
    }
    const cancel = (reason: unknown) => this.fail(reason, "abort");
    this.#cleanups.push(cancelling.subscribe(cancel));
    if (signal !== undefined) {
      const abort = () => this.fail(signal.reason, "abort");
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort);
      this.#cleanups.push(() => signal.removeEventListener("abort", abort));
    }
  }

  /** Sets what tells how far the pipeline is. */
  #report(files: Files): void {
    const { sink, options: { onProgress } } = this.#plan;
    if (onProgress === undefined) return;
    const fed = this.#processes.jobs[0].serves.stdin;
    const kept = fed ? undefined : files.keepSink();
    if (kept !== undefined) {
      this.#cleanups.push(() => builtIn("node:fs").closeSync(kept));
    }
    const file = kept ?? (sink instanceof Deno.FsFile ? sink : undefined);
    this.#stopReports = startReports({
      onProgress,
      total: files.sourceSize,
      bytes: fed || file === undefined ? () => this.#fed : lengthOf(file),
      fail: (error) => this.fail(error),
    });
  }

  /** Starts everything this program does for the children. */
  #connect(): void {
    const { source, sink, options } = this.#plan;
    const children = this.#children;
    const last = children.length - 1;
    if (last < 0) return this.#endTaps();
    const piped = (i: number, name: "stdin" | "stdout" | "stderr") =>
      this.#processes.jobs[i].serves[name];
    const output = (i: number) => {
      const child = children[i];
      return this.#processes.jobs[i].joins
        ? join(child.stdout, child.stderr)
        : child.stdout;
    };
    for (let i = 0; i <= last; i++) {
      this.#stderr.push([]);
      if (piped(i, "stderr") && !this.#processes.jobs[i].joins) {
        const { stderr } = children[i];
        const to = this.#plan.stages[i]?.stderr;
        const kept = to === undefined || to === "capture" || to === "tee";
        const copy = this.#errorSink(to);
        if (kept && this.#own.stderr !== undefined && i < this.stderr.length) {
          this.#attach(this.stderr[i], i, "stderr", stderr, copy);
        } else {
          const chunks = kept ? this.#stderr[i] : undefined;
          this.#collect(i, "stderr", stderr, chunks, copy);
          this.stderr[i]?.end();
        }
      } else this.stderr[i]?.end();
      if (i < last && piped(i, "stdout")) {
        const stream = output(i);
        this.#feed(i + 1, () => openInput(stream), this.#interruptible());
      }
    }
    if (piped(0, "stdin") && !this.#own.stdin) {
      const until = this.#sourceWait;
      this.#processes.statuses.then(() => until.interrupt());
      const open = () =>
        openInput(source as Exclude<CheckedSource, URL | { path: string }>);
      this.#feed(0, open, until, (bytes) => this.#fed += bytes);
    }
    if (this.#processes.teed) this.#task(this.#awaitTee());
    if (!piped(last, "stdout")) return this.stdout.end();
    if (this.#plan.branches !== undefined) {
      return this.#task(this.#branchOut(output(last)));
    }
    if (sink instanceof Deno.FsFile || sink instanceof WritableStream) {
      const to = this.#sinkOf(sink);
      this.#collect(last, "stdout", output(last), undefined, to);
      return;
    }
    const copy = this.#copy = this.#copyOf(sink, options.tee);
    if (copy) this.#cleanups.push(() => copy.releaseLock());
    if (this.#own.stdout !== undefined) {
      this.#attach(this.stdout, last, "stdout", output(last), copy);
    } else {
      this.#collect(last, "stdout", output(last), this.#stdout, copy);
    }
  }

  /** Where captured output is written besides, if it is. */
  #copyOf(
    sink: unknown,
    tee: WritableStream<Uint8Array> | undefined,
  ): Writer | undefined {
    const copy = tee && this.#orFail(() => tee.getWriter());
    if (sink !== "tee") return copy;
    const shown = this.#sinkOf(Deno.stdout)!;
    if (copy === undefined) return streamToAll([shown]).getWriter();
    this.#cleanups.push(() => copy.releaseLock());
    return streamToAll([shown, copy]).getWriter();
  }

  /** Where the standard error of a stage is written, if it is. */
  #errorSink(to: unknown): Writer | undefined {
    if (to === "tee") return this.#sinkOf(Deno.stderr);
    return to instanceof Deno.FsFile || to instanceof WritableStream
      ? this.#sinkOf(to)
      : undefined;
  }

  #sinkOf(to: Parameters<Sinks["writerOf"]>[0]): Writer | undefined {
    return this.#orFail(() => this.#sinks.writerOf(to));
  }

  /** Gives an output to the holder. */
  #attach(
    tap: Tap,
    stage: number,
    name: "stdout" | "stderr",
    stream: ReadableStream<Bytes>,
    copy?: WritableStreamDefaultWriter<Uint8Array>,
  ): void {
    const { maxBuffer: limit = Infinity } = this.#plan.options;
    const until = this.#interruptible();
    tap.attach({ reader: stream.getReader(), limit, copy, until });
    if (this.#over) tap.end();
    this.#taps.push(this.#guard(
      tap.done.then((exceeds) => this.#check(exceeds, stage, name)),
    ));
  }

  #check(exceeds: boolean, stage: number, name: "stdout" | "stderr"): void {
    if (!exceeds) return;
    this.#overflow ??= { stage, name };
    this.stop();
  }

  /** Gives the output to the branches, through this program. */
  async #branchOut(stream: ReadableStream<Bytes>): Promise<void> {
    const reader = stream.getReader();
    this.#readers.push(reader);
    await this.#branchesStarted();
    if (!await fanOut(reader, this.#toBranches())) this.#unread = true;
  }

  /** Waits for the process that gives the output to the branches. */
  async #awaitTee(): Promise<void> {
    // Its reader has ended; whether that was early, it knew.
    this.#unread = true;
    const status = endOf(this.#children.at(-1)!);
    const kill = () => this.#processes.killTee();
    await awaitTee(status, kill, this.#toBranches());
  }

  #toBranches(): Parameters<typeof fanOut>[1] {
    return {
      branches: this.#branches,
      until: this.#interruptible(),
      stopped: () => this.#stopped,
    };
  }

  #stopBranches(): void {
    for (const branch of this.#branches) branch.stop();
  }

  /** Its processes. */
  get #children(): readonly Deno.ChildProcess[] {
    return this.#processes.children;
  }

  /** Whether it was told to end. */
  get #stopped(): boolean {
    return this.#processes.stopped;
  }

  /** Whether the first stage waits for the holder to open its gate. */
  get atGate(): boolean {
    return this.#processes.atGate;
  }

  /** The numbers of the processes of the stages that are there. */
  get pids(): number[] {
    const { length } = this.#plan.stages;
    return this.#children.slice(0, length).map(({ pid }) => pid);
  }

  /** What the holder writes to, once it has started, if there is a process. */
  get stdin(): WritableStream<Uint8Array> | undefined {
    return this.#own.stdin ? this.#children[0]?.stdin : undefined;
  }

  /** Resolves when the process of a stage has ended, to its status. */
  async ended(stage: number): Promise<number> {
    await this.started;
    return this.#children.length === 0
      ? (await this.#processes.statuses)[stage]
      : await endOf(this.#children[stage]);
  }

  /** Resolves when a stage has ended, to how. */
  async endOf(stage: number): Promise<{ status: number; stderr: Uint8Array }> {
    const status = await this.ended(stage);
    await this.stderr[stage].settled;
    return { status, stderr: this.#errorOutput(stage) };
  }

  /** Sends a signal to all processes, those too that are about to start. */
  kill(signal: Deno.Signal): void {
    this.#processes.kill(signal);
    for (const branch of this.#branches) branch.kill(signal);
  }

  /** Takes hold of a stream of the user's; a locked one fails the pipeline. */
  #orFail(take: () => Writer): Writer | undefined {
    try {
      return take();
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  /** Something to wait with that does not outlast the children's ending. */
  #interruptible(): Interruptible {
    const wait = new Interruptible();
    if (this.#over) wait.interrupt();
    else this.#waits.push(wait);
    return wait;
  }

  /** Sees that the pipeline waits for this, and fails with it. */
  #task(work: Promise<unknown>): void {
    this.#tasks.push(this.#guard(work));
  }

  #guard(work: Promise<unknown>): Promise<void> {
    return work.then(
      () => {},
      (error) => {
        // The streams of children that were ended break, which is no news.
        if (!this.#over) this.fail(error);
      },
    );
  }

  /** Writes what an input gives to a child. */
  #feed(
    stage: number,
    open: () => Input,
    until: Interruptible,
    report?: (bytes: number) => void,
  ): void {
    this.#task(feed({
      open,
      stdin: this.#children[stage].stdin,
      until,
      ended: this.#processes.statuses,
      report,
      fail: (error) => this.fail(error),
      reason: () => this.#failure?.error,
    }));
  }

  /** Reads a stream of a child to its end. */
  #collect(
    stage: number,
    name: "stdout" | "stderr",
    stream: ReadableStream<Bytes>,
    chunks?: Bytes[],
    copy?: WritableStreamDefaultWriter<Uint8Array>,
  ): void {
    const { maxBuffer: limit = Infinity } = this.#plan.options;
    const reader = stream.getReader();
    this.#readers.push(reader);
    const until = this.#interruptible();
    const collected = collect(reader, { chunks, limit, copy, until });
    this.#task(
      collected.then((exceeds) => this.#check(exceeds, stage, name)),
    );
  }

  /** Ends the pipeline, which then fails with this error. */
  fail(error: unknown, early?: Early): void {
    this.#failure ??= { error, early };
    this.stop();
  }

  /** Ends the pipeline, without an error. */
  stop(): void {
    this.#sourceWait.interrupt();
    this.#stopBranches();
    this.#killing ??= this.#processes.stop().catch(
      (error) => void (this.#failure ??= { error }),
    ).then(() => {
      // Children of theirs may have the pipes still open.
      this.#over = true;
      for (const wait of this.#waits) wait.interrupt();
      for (const reader of this.#readers) reader.cancel().catch(() => {});
      if (this.#children.length > 0) this.#endTaps();
    });
  }

  #endTaps(): void {
    for (const tap of [this.stdout, ...this.stderr]) tap.end();
  }

  /**
   * Ends a pipeline whose output the caller reads.
   *
   * @param early Whether before the end of the output.
   *
   * @returns How the pipeline ended.
   * @throws {CommandError} If a stage failed, unless it was ended early, or
   * `check` is `false`.
   */
  async close(early: boolean): Promise<Outcome> {
    if (early) this.stop();
    await this.stdout.leave();
    return await this.finish();
  }

  /** Runs all cleanups, also when one throws. */
  #cleanUp(): void {
    for (const cleanup of this.#cleanups) {
      try {
        cleanup();
      } catch (error) {
        this.#failure ??= { error };
      }
    }
  }

  /**
   * Waits for the end of everything.
   *
   * @returns How the pipeline ended.
   * @throws {CommandError} If a stage failed, unless `check` is `false`.
   */
  finish(): Promise<Outcome> {
    return this.#finished ??= this.#finish();
  }

  async #finish(): Promise<Outcome> {
    await this.started;
    const statuses = await this.#processes.statuses;
    await this.#killing;
    await Promise.all([...this.#tasks, ...this.#taps]);
    await this.#killing;
    const ended = await Promise.all(
      this.#branches.map((branch) => branch.#ended()),
    );
    const { stdin } = this;
    // The holder may not have taken it.
    if (stdin?.locked === false) stdin.abort(nobodyReads()).catch(() => {});
    const outcome = this.#outcome(statuses, ended.map(({ branch }) => branch));
    this.#said?.(outcome);
    const errors = ended.flatMap(({ errors }) => errors);
    const error = this.#errorOf(outcome) ??
      errorOfBranches(errors, this.#plan.stages, outcome);
    if (error !== undefined) this.#failure ??= { error };
    // Whatever may take long comes before the timer is cleared.
    await this.#endSinks();
    await this.#interruptible().wait(this.#stopReports?.());
    this.#cleanUp();
    this.#last = { ...outcome, early: outcome.early ?? this.#failure?.early };
    if (this.#failure !== undefined) throw this.#error(outcome);
    return outcome;
  }

  /**
   * Waits until it is known whether the pipeline failed, which may be before what
   * the holder has taken was read.
   *
   * @throws {CommandError} If a stage failed, unless `check` is `false`.
   */
  async verdict(): Promise<void> {
    await this.started;
    const statuses = await this.#processes.statuses;
    await this.#killing;
    await Promise.all(this.#tasks);
    await Promise.all(this.stderr.map(({ settled }) => settled));
    await this.#killing;
    const outcome = this.#outcome(statuses);
    if (this.#failure !== undefined) throw this.#error(outcome);
    const error = this.#errorOf(outcome);
    if (error !== undefined) throw error;
  }

  /** Waits for its end as the branch of another one, whatever that is. */
  async #ended(): Promise<{ branch: BranchOutcome; errors: unknown[] }> {
    const { stages } = this.#plan;
    const errors: unknown[] = [];
    await this.finish().catch((error) => errors.push(error));
    const none = { stages: [], stdout: NOTHING, durationMs: 0 };
    return { branch: { outcome: this.#last ?? none, stages }, errors };
  }

  /** The error for which it fails, with how it ended. */
  #error(outcome: Outcome): unknown {
    const { error, early } = this.#failure!;
    const { stages } = this.#plan;
    const ended = { ...outcome, early };
    if (!(error instanceof DOMException)) return error;
    if (early === "timeout") return commandTimeout(error, stages, ended);
    // The reason of an abort is the caller's own, unless none was given.
    if (early === "abort") {
      return withResult(error, createResult(ended, stages));
    }
    return error;
  }

  /**
   * Closes the streams that got output. If the pipeline failed it aborts them, so
   * that nobody takes the output for complete.
   */
  async #endSinks(): Promise<void> {
    for (const writer of this.#sinks.take()) {
      try {
        if (this.#failure === undefined) {
          await this.#interruptible().wait(closeWriter(writer));
        }
      } catch (error) {
        this.fail(error);
      }
      if (this.#failure !== undefined) {
        // Not awaited for long: it may never settle, and the error is known.
        await forOneTurn(writer.abort(this.#failure.error).catch(() => {}));
      }
      writer.releaseLock();
    }
  }

  /** How the pipeline ended. */
  #outcome(
    statuses: readonly number[],
    branches?: readonly BranchOutcome[],
  ): Outcome {
    const { stages, options, shared } = this.#plan;
    // Without cat, if there is one: it is no stage.
    const ends = statuses.slice(0, stages.length).map((status, i) => ({
      status,
      stderr: this.#errorOutput(i),
    }));
    return {
      stages: ends,
      stdout: concat(
        this.#own.stdout === undefined ? this.#stdout : this.stdout.kept,
        shared,
      ),
      all: options.all,
      durationMs: performance.now() - this.#started,
      unread: this.#unread || this.stdout.left,
      branches,
    };
  }

  /** What is known of what a stage wrote to its captured error output. */
  #errorOutput(stage: number): Uint8Array<ArrayBuffer> {
    const chunks = this.#own.stderr === undefined
      ? this.#stderr[stage] ?? []
      : this.stderr[stage].bytes;
    return chunks.length > 0 ? concat(chunks) : NOTHING;
  }

  /** What is wrong with how it ended. */
  #errorOf(outcome: Outcome): unknown {
    const { stages, options } = this.#plan;
    if (this.#overflow !== undefined) {
      const name = options.all && this.#overflow.name === "stdout"
        ? "all"
        : this.#overflow.name;
      const stage = Math.min(this.#overflow.stage, stages.length - 1);
      const why =
        `${name} is larger than maxBuffer, ${options.maxBuffer} bytes`;
      const ended = { ...outcome, early: "maxBuffer" } as const;
      return commandError(stages, ended, stage, why);
    }
    const stage = failed(outcome, stages);
    return stage >= 0 && options.check !== false && !this.#stopped
      ? commandError(stages, outcome, stage)
      : undefined;
  }
}

/**
 * Runs a pipeline to its end, the short way if that is enough.
 *
 * @param plan The commands.
 * @returns How it ended.
 */
export async function execute(plan: Plan): Promise<Outcome> {
  if (isQuick(plan)) return await quick(plan);
  const execution = await Execution.start(plan);
  return await execution.finish();
}
