/**
 * The workers that explore a program together: the director and a worker for each
 * thread. They are kept for a while, for the next program.
 *
 * @module
 */

import type { Worker } from "node:worker_threads";
import { builtIn } from "../_internal/built_in.ts";
import {
  moduleUrl,
  requireImport,
  workerUrl,
} from "../_internal/worker_module.ts";
import type { Answer, Order, Program, Result, Strategy } from "./_director.ts";
import {
  CONTROL_BYTES,
  REPORT_BYTES,
  ROLE,
  type Role,
  type Shared,
  WATCHED_WORDS,
} from "./_layout.ts";

const WORKER_URL = moduleUrl("testing/_worker");
/** A group that is not used for so long ends. */
const IDLE_MS = 5_000;
/** Words of the trace for each step. */
const STEP_BYTES = 8;

/** Workers that explore one program after the other. */
export class Group {
  /**
   * Never called. As it stands here, Deno downloads the module with the program:
   * later the worker would wait for the main thread, which may be blocked.
   */
  static readonly module = (): Promise<unknown> => import("./_worker.ts");
  #workers: Worker[] = [];
  /** Those of threads, by their slots. */
  #bySlot = new Map<unknown, Worker>();
  #answer = Promise.withResolvers<Answer>();
  /** The director's first word. */
  #hello = this.#answer.promise.then((answer) => {
    if ("error" in answer) throw answer.error;
  });
  #shared: Shared;
  #director: Worker;
  /** The most steps that there is room for. */
  readonly steps: number;

  /**
   * Starts the director.
   *
   * @param threads How many threads there will be.
   * @param steps How many steps the trace has room for.
   */
  constructor(threads: number, steps: number) {
    this.steps = steps;
    this.#shared = {
      control: new SharedArrayBuffer(CONTROL_BYTES),
      trace: new SharedArrayBuffer((steps + 8) * STEP_BYTES),
      used: new SharedArrayBuffer(WATCHED_WORDS),
      reports: Array.from(
        { length: threads },
        () => new SharedArrayBuffer(REPORT_BYTES),
      ),
    };
    this.#director = this.#start({}, true);
    this.#director.on("message", (answer: Answer) => {
      if ("worker" in answer) {
        const worker = this.#start(answer.worker, false);
        const [birth] = Object.values(answer.worker) as { slot: number }[];
        this.#bySlot.set(birth.slot, worker);
      } else if ("dead" in answer) this.#bury(answer.dead);
      else this.#answer.resolve(answer);
    });
  }

  #start(data: Record<string, unknown>, directs: boolean): Worker {
    const node = builtIn("node:worker_threads");
    const role: Role = { shared: this.#shared, directs };
    const worker = new node.Worker(workerUrl(WORKER_URL), {
      workerData: { ...data, [ROLE]: role },
      env: node.SHARE_ENV,
    });
    worker.on("error", (error: unknown) => this.#answer.resolve({ error }));
    worker.on("exit", () => {
      const error = new Error("a worker that explores has ended");
      this.#answer.resolve({ error });
    });
    this.#workers.push(worker);
    return worker;
  }

  /** Ends the worker of a thread that has died. */
  #bury(slot: number): void {
    const worker = this.#bySlot.get(slot)!;
    this.#workers = this.#workers.filter((other) => other !== worker);
    worker.removeAllListeners();
    worker.terminate();
  }

  async #ask(order: Order): Promise<Answer> {
    // What comes before it listens is lost.
    await this.#hello;
    this.#answer = Promise.withResolvers();
    this.#director.postMessage(order);
    const answer = await this.#answer.promise;
    if ("error" in answer) throw answer.error;
    return answer;
  }

  /** Has the workers load a program. */
  async load(program: Program): Promise<void> {
    await this.#ask({ program });
  }

  /** Explores it. */
  async explore(strategy: Strategy, explain: boolean): Promise<Result> {
    const answer = await this.#ask({ strategy, explain });
    return (answer as { result: Result }).result;
  }

  /** Whether the workers hold the process open. */
  hold(open: boolean): void {
    for (const worker of this.#workers) {
      if (open) worker.ref();
      else worker.unref();
    }
  }

  /** Ends the workers. */
  end(): void {
    for (const worker of this.#workers) {
      worker.removeAllListeners();
      worker.terminate();
    }
  }
}

type Timer = ReturnType<typeof setTimeout>;

/** Those that wait for a next program, by their number of threads. */
const idle = new Map<number, { group: Group; timer: Timer }>();

/**
 * Lets something be done with workers that have loaded a program.
 *
 * @param program The program.
 * @param steps How many steps a run may have.
 * @param use What is to be done; whether the workers can be used again.
 */
export async function withGroup(
  program: Program,
  steps: number,
  use: (group: Group) => Promise<boolean>,
): Promise<void> {
  requireImport(WORKER_URL.href, "explore");
  const threads = program.threads.length;
  const group = takeIdle(threads, steps) ?? new Group(threads, steps);
  try {
    await group.load(program);
    const isClean = await use(group);
    if (isClean) keep(group, threads);
    else group.end();
  } catch (error) {
    group.end();
    throw error;
  }
}

function takeIdle(threads: number, steps: number): Group | undefined {
  const waiting = idle.get(threads);
  if (waiting === undefined) return undefined;
  const { group, timer } = waiting;
  clearTimeout(timer);
  idle.delete(threads);
  if (group.steps >= steps) {
    group.hold(true);
    return group;
  }
  group.end();
  return undefined;
}

function keep(group: Group, threads: number): void {
  group.hold(false);
  // Another call may have kept one meanwhile.
  const other = takeIdle(threads, 0);
  other?.end();
  const timer = setTimeout(() => {
    idle.delete(threads);
    group.end();
  }, IDLE_MS);
  timer.unref();
  idle.set(threads, { group, timer });
}
