// A pipeline that runs.
import { closeSync } from "node:fs";
import { collect } from "./_collect.ts";
import { feed, isClosedPipe } from "./_feed.ts";
import { join } from "./_join.ts";
import { takePipes } from "./_kernel_pipe.ts";
import { end, type Ending, endingOf } from "./_kill.ts";
import { commandError, failed, type Outcome } from "./_outcome.ts";
import {
  Descriptors,
  type Job,
  jobsOf,
  pipesFor,
  type SentPlan,
} from "./_plan.ts";
import { lengthOf, startReports } from "./_progress.ts";
import { concat, iterate, streamTo } from "./_source.ts";
import { spawn } from "./_spawn.ts";
import { statusOf } from "./_status.ts";
import { durationOf, timeoutError } from "../_internal/options.ts";
import type { Source } from "./options.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const WHAT = "run a command";
const NOTHING = new Uint8Array(0);

/**
 * A pipeline that runs: its processes, and all that this program does for
 * them. `finish` must be awaited, whatever happens.
 */
export class Execution {
  readonly #plan: SentPlan;
  readonly #ending: Ending;
  readonly #children: Deno.ChildProcess[] = [];
  /** What must be over before the pipeline is; none of these rejects. */
  readonly #tasks: Promise<void>[] = [];
  readonly #readers: ReadableStreamDefaultReader<Bytes>[] = [];
  readonly #stderr: Bytes[][] = [];
  readonly #stdout: Bytes[] = [];
  readonly #cleanups: (() => void)[] = [];
  /** Aborted when whoever still waits for a child should stop. */
  readonly #over = new AbortController();
  #jobs: readonly Job[] = [];
  /** The bytes of the source that a child has got from this program. */
  #fed = 0;
  #statuses!: Promise<number[]>;
  #failure?: { error: unknown };
  #overflow?: { stage: number; name: string };
  #killing?: Promise<void>;
  #stopped = false;

  /** Gives the output, when the caller of `start` is who reads it. */
  output?: ReadableStreamDefaultReader<Bytes>;

  private constructor(plan: SentPlan) {
    this.#plan = plan;
    this.#ending = endingOf(plan.options);
  }

  /**
   * Starts a pipeline.
   *
   * @param plan What is to be run, checked.
   * @param own Whether the caller reads the output.
   * @returns The running pipeline.
   */
  static async start(plan: SentPlan, own = false): Promise<Execution> {
    const { options } = plan;
    options.signal?.throwIfAborted();
    const timeout = durationOf(options.timeout, WHAT, "timeout");
    const execution = new Execution(plan);
    const pipes = takePipes(pipesFor(plan));
    const descriptors = new Descriptors(pipes);
    try {
      const jobs = jobsOf(plan, pipes, descriptors);
      await execution.#spawnAll(jobs);
      execution.#watch(timeout, descriptors);
    } finally {
      // The children have copies; ours would keep their pipes from ending.
      descriptors.close();
    }
    execution.#connect(own);
    return execution;
  }

  async #spawnAll(jobs: readonly Job[]): Promise<void> {
    try {
      for (const { argv, options } of jobs) {
        this.#children.push(spawn(argv, options));
      }
    } catch (error) {
      // The neighbours of a stage that did not start are of no use.
      const children = this.#children;
      await Promise.all(children.map((child, i) => {
        const { stdin, stdout, stderr } = jobs[i].options;
        return Promise.all([
          end(child, this.#ending),
          stdin === "piped" ? child.stdin.abort().catch(() => {}) : undefined,
          stdout === "piped" ? child.stdout.cancel() : undefined,
          stderr === "piped" ? child.stderr.cancel() : undefined,
        ]);
      }));
      throw error;
    }
    this.#statuses = Promise.all(
      this.#children.map(async (child) => statusOf(await child.status)),
    );
    this.#jobs = jobs;
  }

  /** Sets what ends the pipeline early, and what tells how far it is. */
  #watch(timeout: number, descriptors: Descriptors): void {
    const { sink, options } = this.#plan;
    const { signal, onProgress } = options;
    if (timeout !== Infinity) {
      const timer = setTimeout(
        () => this.fail(timeoutError(WHAT, timeout)),
        timeout,
      );
      this.#cleanups.push(() => clearTimeout(timer));
    }
    if (signal !== undefined) {
      const abort = () => this.fail(signal.reason);
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort);
      this.#cleanups.push(() => signal.removeEventListener("abort", abort));
    }
    if (onProgress === undefined) return;
    const fed = this.#jobs[0].options.stdin === "piped";
    const kept = fed ? undefined : descriptors.keepSink();
    if (kept !== undefined) this.#cleanups.push(() => closeSync(kept));
    const file = kept ?? (sink instanceof Deno.FsFile ? sink : undefined);
    this.#cleanups.unshift(startReports({
      onProgress,
      total: descriptors.sourceSize,
      bytes: fed || file === undefined ? () => this.#fed : lengthOf(file),
      fail: (error) => this.fail(error),
    }));
  }

  /** Starts everything this program does for the children. */
  #connect(own: boolean): void {
    const { source, sink, options } = this.#plan;
    const children = this.#children;
    const last = children.length - 1;
    const piped = (i: number, name: "stdin" | "stdout" | "stderr") =>
      this.#jobs[i].options[name] === "piped";
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
        this.#task(this.#collect(i, "stderr", stderr, this.#stderr[i]));
      }
      if (i < last && piped(i, "stdout")) {
        this.#task(
          output(i).pipeTo(children[i + 1].stdin, {
            signal: this.#over.signal,
          }),
        );
      }
    }
    if (piped(0, "stdin")) {
      this.#task(feed(
        () => iterate(source as Exclude<Source, URL | { path: string }>),
        children[0].stdin,
        this.#statuses.then(() => {}),
        (bytes) => this.#fed += bytes,
      ));
    }
    if (!piped(last, "stdout")) return;
    const target = sink instanceof Deno.FsFile ? streamTo(sink) : sink;
    if (target instanceof WritableStream) {
      this.#task(
        this.#collect(last, "stdout", output(last), undefined, target),
      );
    } else if (own) {
      this.output = output(last).getReader();
      this.#readers.push(this.output);
    } else {
      const { tee } = options;
      this.#task(
        this.#collect(last, "stdout", output(last), this.#stdout, tee),
      );
    }
  }

  #task(work: Promise<unknown>): void {
    this.#tasks.push(work.then(
      () => {},
      (error) => {
        if (isClosedPipe(error) || this.#over.signal.aborted) return;
        this.fail(error);
      },
    ));
  }

  /** Reads a stream of a child to its end. */
  async #collect(
    stage: number,
    name: "stdout" | "stderr",
    stream: ReadableStream<Bytes>,
    chunks?: Bytes[],
    copy?: WritableStream<Uint8Array>,
  ): Promise<void> {
    const { maxBuffer: limit = Infinity, tee } = this.#plan.options;
    const reader = stream.getReader();
    this.#readers.push(reader);
    const over = this.#over.signal;
    const closes = copy !== tee;
    if (await collect(reader, { chunks, limit, copy, closes, over })) {
      this.#overflow ??= { stage, name };
      this.stop();
    }
  }

  /** Ends the pipeline, which then fails with this error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.stop();
  }

  /** Ends the pipeline, without an error. */
  stop(): void {
    this.#stopped = true;
    this.#killing ??= Promise.all(
      this.#children.map((child) => end(child, this.#ending)),
    ).then(() => {
      // Children of theirs may have the pipes still open.
      this.#over.abort();
      for (const reader of this.#readers) reader.cancel().catch(() => {});
    });
    this.#killing.catch(() => {});
  }

  /**
   * Ends it for who reads the output: before its end, or there.
   *
   * @throws {CommandError} If a stage failed, unless it was ended early, or
   * `check` is `false`.
   */
  async close(early: boolean): Promise<void> {
    if (early) this.stop();
    await this.output!.cancel();
    await this.finish();
  }

  /** Does all of it, also when one throws. */
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
  async finish(): Promise<Outcome> {
    const statuses = await this.#statuses;
    await this.#killing;
    await Promise.all(this.#tasks);
    await this.#killing;
    this.#cleanUp();
    if (this.#failure !== undefined) throw this.#failure.error;
    const { stages, options } = this.#plan;
    // How cat ended, if there is one, tells nothing.
    const ends = statuses.slice(0, stages.length).map((status, i) => ({
      status,
      stderr: this.#stderr[i].length === 0 ? NOTHING : concat(this.#stderr[i]),
    }));
    if (this.#overflow !== undefined) {
      const { name } = this.#overflow;
      const stage = Math.min(this.#overflow.stage, stages.length - 1);
      const why =
        `${name} is larger than maxBuffer, ${options.maxBuffer} bytes`;
      throw commandError(stages, ends, stage, why);
    }
    const stage = failed(ends, stages);
    if (stage >= 0 && options.check !== false && !this.#stopped) {
      throw commandError(stages, ends, stage);
    }
    return { stages: ends, stdout: concat(this.#stdout) };
  }
}

/**
 * Runs a pipeline to its end.
 *
 * @param plan What is to be run.
 * @returns How it ended.
 */
export async function execute(plan: SentPlan): Promise<Outcome> {
  const execution = await Execution.start(plan);
  return await execution.finish();
}
