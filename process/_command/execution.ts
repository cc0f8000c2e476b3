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
  unlessUnread,
} from "./streams.ts";
import {
  end,
  type Ending,
  endingOf,
  sendSignal,
  signalTo,
  spawn,
} from "./child_process.ts";
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
  showProcess,
  withResult,
} from "./result.ts";
import {
  argvAfter,
  GO,
  type Job,
  openGates,
  type Part,
  requireMasked,
  teeJob,
  wrap,
  type WrappedJob,
} from "./launch.ts";
import { Files, numbered, partsOf, type Plan, type SentPlan } from "./plan.ts";
import { isQuick, quick } from "./quick.ts";
import { fanOut, Tap } from "./tap.ts";
import { lengthOf, startReports } from "./reports.ts";
import { cancelling } from "../../_internal/cancelling.ts";
import { durationOf, timeoutError } from "../../_internal/options.ts";
import { NUMBERS } from "../../_internal/signum.ts";
import type { CheckedSource } from "./check_options.ts";

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
  #ending!: Ending;
  readonly #children: Deno.ChildProcess[] = [];
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
  #jobs: readonly Job[] = [];
  /** The bytes of the source that a child has got from this program. */
  #fed = 0;
  #statuses!: Promise<number[]>;
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
  #stopped = false;
  /** Resolved when it is stopped. */
  readonly #stopping = Promise.withResolvers<void>();

  /** The output, for the holder. */
  readonly stdout: Tap;
  /** The error outputs of the stages, for the holder. */
  readonly stderr: readonly Tap[];
  /** Resolves when all processes run; rejects if they could not be started. */
  readonly started: Promise<void>;
  /** Signals for processes that are not there yet. */
  readonly #pending: Deno.Signal[] = [];
  /** The pipelines that get the output. */
  readonly #branches: Execution[] = [];
  /** Whether the last process sends it to them, and not this program. */
  #teed = false;
  /** Whether the first stage waits for the holder to open its gate. */
  #atGate = false;
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
      this.#ending = endingOf(options);
      options.signal?.throwIfAborted();
      cancelling.check();
      const timeout = durationOf(options.timeout, WHAT, "timeout");
      await this.#startProcesses(timeout);
    } catch (error) {
      for (const tap of [this.stdout, ...this.stderr]) tap.end();
      const errors = plan.stages.map(({ stderr }) => stderr);
      discard(plan.source, [plan.sink, ...errors], error);
      throw error;
    }
  }

  async #startProcesses(timeout: number): Promise<void> {
    const files = new Files();
    try {
      const parts = partsOf(this.#plan, files);
      this.#watch(timeout);
      for (const plan of this.#plan.branches ?? []) {
        const own = { stdin: true, gate: true };
        this.#branches.push(Execution.begin(plan, own));
      }
      // Nothing is awaited before the processes are there, if that can be.
      const teed = this.#withTee(parts);
      if (teed === undefined || !await this.#startWithTee(teed)) {
        const gate = parts.length > 1 || this.#own.gate === true;
        const jobs = wrap(parts, { gate });
        if (jobs === undefined || !await this.#startWrapped(jobs)) {
          await this.#startNumbered(parts, files);
        }
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

  /**
   * Starts the processes as shells first.
   *
   * @param before What is waited for before they become programs; it may say that
   * they are not to.
   * @returns Whether there are programs.
   */
  async #startWrapped(
    jobs: readonly WrappedJob[],
    before?: () => Promise<boolean>,
  ): Promise<boolean> {
    const held = this.#atGate = this.#own.gate === true && jobs[0].gated;
    await this.#spawnAll(jobs);
    const stopped = () => this.#stopped;
    if (await openGates(jobs, this.#children, stopped, before, held)) {
      return true;
    }
    this.#atGate = false;
    await this.#statuses;
    this.#children.length = 0;
    requireMasked(jobs);
    return false;
  }

  /**
   * The processes as shells, with one after them that sends the output to the
   * branches: so the kernel moves the bytes. All branches have started and wait at
   * their gates by then, and only the first line that comes through opens these; so
   * the one in between has opened its outputs before any branch runs.
   *
   * @returns The processes, or `undefined` if that is not possible here.
   */
  #withTee(parts: readonly Part[]): WrappedJob[] | undefined {
    const branches = this.#branches;
    if (branches.length === 0 || !branches.every((one) => one.#atGate)) {
      return undefined;
    }
    const through = parts.map((part, i): Part =>
      i < parts.length - 1 ? part : { ...part, stdout: "joint", passes: true }
    );
    const readers = branches.map((branch) => branch.#children[0].pid);
    return wrap(through, { gate: true })
      ?.concat(teeJob(readers, parts[0].detached === true));
  }

  /** Starts them; says whether there are programs. */
  async #startWithTee(jobs: readonly WrappedJob[]): Promise<boolean> {
    this.#teed = true;
    return this.#teed = await this.#startWrapped(jobs, async () => {
      await this.#branchesStarted();
      return this.#branches.every((branch) => branch.#atGate);
    });
  }

  /** Waits until the branches run; if one cannot, the pipeline fails. */
  async #branchesStarted(): Promise<void> {
    try {
      await Promise.all(this.#branches.map(({ started }) => started));
    } catch (error) {
      this.fail(error);
    }
  }

  /** Starts the processes with descriptors. */
  async #startNumbered(parts: readonly Part[], files: Files): Promise<void> {
    const ends = parts.flatMap(({ stdin, stdout, stderr }) => [
      stdin,
      stderr,
      stdout,
    ]);
    if (ends.some((end) => typeof end === "object" && end.fd === undefined)) {
      await files.openRest(ends, this.#stopping.promise);
    }
    // It may have taken long.
    if (this.#stopped) {
      const statuses = parts.map(() => -NUMBERS[this.#ending.signal]);
      if (this.#failure !== undefined) {
        throw this.#error(this.#outcome(statuses));
      }
      this.#statuses = Promise.resolve(statuses);
      return;
    }
    await this.#spawnAll(numbered(parts, files));
  }

  async #spawnAll(jobs: readonly (Job | WrappedJob)[]): Promise<void> {
    try {
      for (const job of jobs) {
        this.#children.push(
          "gated" in job
            ? spawn(
              argvAfter(job, this.#children.at(-1)),
              job.options,
              job.name,
            )
            : spawn(job.argv, job.options),
        );
      }
    } catch (error) {
      // The other stages are ended: they are of no use without this one.
      const children = this.#children;
      await Promise.all(children.map((child, i) => {
        const { stdin, stdout, stderr } = jobs[i].options;
        return Promise.all([
          end(child, this.#ending),
          stdin === "piped" ? child.stdin.abort().catch(() => {}) : undefined,
          stdout === "piped"
            ? child.stdout.cancel().catch(() => {})
            : undefined,
          stderr === "piped"
            ? child.stderr.cancel().catch(() => {})
            : undefined,
        ]);
      }));
      throw error;
    }
    this.#statuses = Promise.all(this.#children.map(endOf));
    this.#showStages();
    this.#jobs = jobs;
    for (const signal of this.#pending.splice(0)) this.kill(signal);
  }

  /** Shows each stage in a trace, if there are several. */
  #showStages(): void {
    const { stages } = this.#plan;
    if (stages.length === 1) return;
    for (const [i, { cmd }] of stages.entries()) {
      const told = showProcess(cmd);
      if (told !== undefined) endOf(this.#children[i]).then(told);
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
    const fed = this.#jobs[0].serves.stdin;
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
      this.#jobs[i].serves[name];
    const output = (i: number) => {
      const child = children[i];
      return this.#jobs[i].joins
        ? join(child.stdout, child.stderr)
        : child.stdout;
    };
    for (let i = 0; i <= last; i++) {
      this.#stderr.push([]);
      if (piped(i, "stderr") && !this.#jobs[i].joins) {
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
      this.#statuses.then(() => until.interrupt());
      const open = () =>
        openInput(source as Exclude<CheckedSource, URL | { path: string }>);
      this.#feed(0, open, until, (bytes) => this.#fed += bytes);
    }
    if (this.#teed) this.#task(this.#seeToTee(children[last]));
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
    const writers = this.#branchInputs();
    if (!this.#stopped) {
      this.#branches.forEach((branch, i) => {
        if (branch.#atGate) writers[i]?.write(GO).catch(() => {});
      });
    }
    const read = await fanOut({
      reader,
      writers: writers.filter((writer) => writer !== undefined),
      until: this.#interruptible(),
      complete: () => !this.#stopped,
    });
    if (!read) this.#unread = true;
  }

  /** The inputs of the branches that have started. */
  #branchInputs(): (Writer | undefined)[] {
    return this.#branches.map((branch) => {
      const writer = branch.stdin?.getWriter();
      // An input that is not complete stays open as long as somebody reads it.
      if (writer !== undefined) {
        branch.ended(0).then(() => writer.abort(nobodyReads())).catch(() => {});
      }
      return writer;
    });
  }

  /**
   * Waits for the process that sends the output to the branches. Their inputs stay
   * open in this program too, so that only an output that is complete ends them.
   */
  async #seeToTee(tee: Deno.ChildProcess): Promise<void> {
    const inputs = this.#branchInputs();
    // Its reader has ended; whether that was early, it knew.
    this.#unread = true;
    let left = this.#branches.length;
    let unread = false;
    for (const branch of this.#branches) {
      branch.ended(0).catch(() => {}).then(() => {
        if (--left > 0) return;
        // It may wait for output that nobody would read.
        unread = true;
        sendSignal(tee, "SIGKILL");
      });
    }
    const status = await endOf(tee);
    // It has a status of 1 when a reader was gone before it began, and some kinds
    // of it when one has ended.
    const failed = status < 0 || status >= 126;
    if (failed && !unread && !this.#stopped) {
      this.fail(
        new Error(
          `Cannot send the output to several pipelines: the tee between them failed, received ${
            status < 0 ? `signal ${-status}` : `exit status ${status}`
          }`,
        ),
      );
    }
    if (this.#stopped) return;
    await this.#interruptible().wait(
      Promise.all(
        inputs.map((input) => input && unlessUnread(closeWriter(input))),
      ),
    );
  }

  #stopBranches(): void {
    for (const branch of this.#branches) branch.stop();
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
      ? (await this.#statuses)[stage]
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
    if (this.#children.length === 0) this.#pending.push(signal);
    const children = this.#teed ? this.#children.slice(0, -1) : this.#children;
    // The last stage first, as in `stop`.
    for (const child of children.toReversed()) {
      signalTo(child, signal, this.#ending);
    }
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
      ended: this.#statuses,
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
    this.#stopped = true;
    this.#stopping.resolve();
    this.#sourceWait.interrupt();
    this.#stopBranches();
    // The last stage first: when a stage ends, the next one reads the end of its
    // input and would take that for complete.
    this.#killing ??= Promise.all(
      this.#children.toReversed().map((child) => end(child, this.#ending)),
    ).then(() => {}, (error) => void (this.#failure ??= { error })).then(() => {
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
    const statuses = await this.#statuses;
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
    const statuses = await this.#statuses;
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
