/**
 * The processes of one pipeline, from the first that is started until all have
 * ended. `launch.ts` says how each is started.
 *
 * @module
 */

import {
  end,
  type Ending,
  sendSignal,
  signalTo,
  startChild,
} from "./child_process.ts";
import {
  argvAfter,
  type Job,
  numbered,
  openGates,
  type Part,
  requireMasked,
  teeJob,
  wrap,
  type WrappedJob,
} from "./launch.ts";
import type { Files } from "./plan.ts";
import { endOf, showProcess } from "./result.ts";
import { NUMBERS } from "../../_internal/platform.ts";

/** What processes are started from. */
interface Start {
  /** What each of them is. */
  readonly parts: readonly Part[];
  /** The files that they get, open as far as that could not take long. */
  readonly files: Files;
  /** How they are ended. */
  readonly ending: Ending;
  /** Whether the gate of the first one is opened by whoever writes to it. */
  readonly held: boolean;
  /** The processes of the pipelines that get the output. */
  readonly branches: readonly Processes[];
  /** Waits until all of these run. */
  readonly branchesStarted: () => Promise<void>;
}

/** The processes of a pipeline. */
export class Processes {
  #ending!: Ending;
  #jobs: readonly Job[] = [];
  /** Signals for processes that are not there yet. */
  readonly #pending: Deno.Signal[] = [];
  #ended?: Promise<void>;
  #stopped = false;
  /** Resolved when they are to end. */
  readonly #stopping = Promise.withResolvers<void>();
  #parts: readonly Part[] = [];
  #teed = false;
  #atGate = false;

  /** The processes in the order of the stages; none before they are started. */
  readonly children: Deno.ChildProcess[] = [];
  /**
   * Resolves to the statuses of all, when all have ended; there from when they
   * have started.
   */
  statuses!: Promise<number[]>;

  /** How they were started. */
  get jobs(): readonly Job[] {
    return this.#jobs;
  }

  /** Whether they were told to end. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Whether the last one is no stage, but sends the output to the branches. */
  get teed(): boolean {
    return this.#teed;
  }

  /** Whether the first one waits for the holder to open its gate. */
  get atGate(): boolean {
    return this.#atGate;
  }

  /**
   * Starts them. Those that need nothing that takes long are there when this
   * returns its promise. If they were stopped before, there are none.
   *
   * @param start What they are started from.
   */
  async start(start: Start): Promise<void> {
    const { parts, files, held } = start;
    this.#ending = start.ending;
    this.#parts = parts;
    // Nothing is awaited before the processes are there, if that can be.
    const teed = this.#withTee(start);
    if (teed !== undefined && await this.#startWithTee(teed, start)) return;
    const jobs = wrap(parts, { gate: parts.length > 1 || held });
    if (jobs !== undefined && await this.#startWrapped(jobs, held)) return;
    await this.#startNumbered(parts, files);
  }

  /**
   * Starts the processes as shells first.
   *
   * @param held Whether the gate of the first one is left to the holder.
   * @param before What is waited for before they become programs; it may say that
   * they are not to.
   * @returns Whether there are programs.
   */
  async #startWrapped(
    jobs: readonly WrappedJob[],
    held: boolean,
    before?: () => Promise<boolean>,
  ): Promise<boolean> {
    this.#atGate = held && jobs[0].gated;
    await this.#spawnAll(jobs);
    const stopped = () => this.#stopped;
    const { children } = this;
    if (await openGates(jobs, children, stopped, before, this.#atGate)) {
      return true;
    }
    this.#atGate = false;
    await this.statuses;
    children.length = 0;
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
  #withTee({ parts, branches }: Start): WrappedJob[] | undefined {
    if (branches.length === 0 || !branches.every((one) => one.#atGate)) {
      return undefined;
    }
    const through = parts.map((part, i): Part =>
      i < parts.length - 1 ? part : { ...part, stdout: "joint", passes: true }
    );
    const readers = branches.map(({ children }) => children[0].pid);
    return wrap(through, { gate: true })
      ?.concat(teeJob(readers, parts[0].detached === true));
  }

  /** Starts them; says whether there are programs. */
  async #startWithTee(
    jobs: readonly WrappedJob[],
    { held, branches, branchesStarted }: Start,
  ): Promise<boolean> {
    this.#teed = true;
    return this.#teed = await this.#startWrapped(jobs, held, async () => {
      await branchesStarted();
      return branches.every((branch) => branch.#atGate);
    });
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
      this.statuses = Promise.resolve(statuses);
      return;
    }
    await this.#spawnAll(numbered(parts, files));
  }

  async #spawnAll(jobs: readonly (Job | WrappedJob)[]): Promise<void> {
    const { children } = this;
    try {
      for (const job of jobs) {
        children.push(
          "gated" in job
            ? startChild(argvAfter(job, children.at(-1)), job.options, job.name)
            : startChild(job.argv, job.options),
        );
      }
    } catch (error) {
      // The other stages are ended: they are of no use without this one.
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
    this.statuses = Promise.all(children.map(endOf));
    this.#showStages();
    this.#jobs = jobs;
    for (const signal of this.#pending.splice(0)) this.kill(signal);
  }

  /** Shows each stage in a trace, if there are several. */
  #showStages(): void {
    if (this.#parts.length === 1) return;
    for (const [i, { stage }] of this.#parts.entries()) {
      const told = showProcess(stage.cmd);
      if (told !== undefined) endOf(this.children[i]).then(told);
    }
  }

  /** Sends a signal to all stages, those too that are about to start. */
  kill(signal: Deno.Signal): void {
    if (this.children.length === 0) this.#pending.push(signal);
    const stages = this.#teed ? this.children.slice(0, -1) : this.children;
    // The last one first, as in `stop`.
    for (const child of stages.toReversed()) {
      signalTo(child, signal, this.#ending);
    }
  }

  /** Ends the process that sends the output to the branches. */
  killTee(): void {
    sendSignal(this.children.at(-1)!, "SIGKILL");
  }

  /**
   * Ends them all; those that are not there yet are not started.
   *
   * @returns A promise for the end of all that this program may end.
   */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#stopping.resolve();
    // The last stage first: when a stage ends, the next one reads the end of its
    // input and would take that for complete.
    return this.#ended ??= Promise.all(
      this.children.toReversed().map((child) => end(child, this.#ending)),
    ).then(() => {});
  }
}
