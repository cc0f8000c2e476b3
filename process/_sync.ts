// Blocking forms. Deno has no blocking wait for a child it has started, so a
// helper thread runs the promise form, while this thread sleeps.
import { fileURLToPath } from "node:url";
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from "node:worker_threads";
import { requireImport, workerUrl } from "../_internal/worker_module.ts";
import { revive } from "./_error_wire.ts";
import { descriptorOf } from "./_file_descriptor.ts";
import type { LineSourceSync } from "./_lines.ts";
import type { Outcome } from "./_outcome.ts";
import type { Plan, SentPlan } from "./_plan.ts";
import { isQuick, quickSync } from "./_quick.ts";
import { pathOf, settled, writeAllSync } from "./_source.ts";
import type { SpawnOptions } from "./_spawn.ts";
import type { Stage, SyncSource } from "./options.ts";

/** What the helper is asked to do. */
export type Request =
  | { type: "execute"; plan: SentPlan }
  | { type: "open"; plan: SentPlan }
  | { type: "read"; id: number }
  | { type: "close"; id: number; early: boolean }
  | { type: "exec"; argv: readonly string[]; options: SpawnOptions }
  | {
    type: "spawn";
    argv: readonly string[];
    options: SpawnOptions;
    state: SharedArrayBuffer;
  }
  | { type: "kill"; pid: number; signal: Deno.Signal };

/** What it answers. */
export type Answer = { value: unknown } | { error: unknown };

/** Marks what a helper is started with, among the data of other workers. */
export const HELPER = "@skein/std/process";

/** What it is started with. */
export interface HelperData {
  [HELPER]: true;
  port: MessagePort;
  /** Counts the answers; this thread sleeps on it. */
  answers: Int32Array<SharedArrayBuffer>;
}

// `mod.ts` imports it too, see `worker_module.ts`.
const WORKER_URL = new URL("./_sync_worker.ts", import.meta.url);

let helper: HelperData | undefined;

/** The helper of this thread, which does not keep the program alive. */
function start(): HelperData {
  requireImport(WORKER_URL.href, "block for a command");
  const { port1, port2 } = new MessageChannel();
  const answers = new Int32Array(new SharedArrayBuffer(4));
  const data: HelperData = { [HELPER]: true, port: port2, answers };
  const worker = new Worker(workerUrl(WORKER_URL), {
    workerData: data,
    transferList: [port2],
  });
  worker.unref();
  port1.unref();
  return { ...data, port: port1 };
}

/**
 * Has the helper do something, and blocks this thread until it is done.
 *
 * @param request What is to be done.
 * @returns What the helper answers.
 */
export function ask(request: Request): unknown {
  const { port, answers } = helper ??= start();
  const before = Atomics.load(answers, 0);
  port.postMessage(request);
  Atomics.wait(answers, 0, before);
  let received: { message: Answer } | undefined;
  // The answer was posted before it was counted, and may still be on its way.
  while ((received = receiveMessageOnPort(port)) === undefined);
  const answer = received.message;
  if ("error" in answer) throw revive(answer.error);
  return answer.value;
}

/**
 * Checks that nothing of a plan needs the event loop of this thread.
 *
 * @throws {TypeError} If something does.
 */
export function checkSync({ source, sink, options }: Plan): void {
  const name = (["signal", "tee", "onProgress"] as const)
    .find((name) => options[name] !== undefined) ??
    (sink instanceof WritableStream ||
        typeof source === "object" && Symbol.asyncIterator in source
      ? "a stream"
      : undefined);
  if (name === undefined) return;
  throw new TypeError(
    `Cannot run a command in the blocking form: it takes nothing that needs the event loop, received ${name}`,
  );
}

/**
 * Runs a pipeline to its end, and blocks the thread meanwhile.
 *
 * @param plan What is to be run.
 * @returns How it ended.
 */
export function executeSync(plan: Plan): Outcome {
  checkSync(plan);
  if (isQuick(plan)) return quickSync(plan);
  const sent = plain(plan);
  const outcome = ask({ type: "execute", plan: sent }) as Outcome;
  if (sent.sink !== "capture" || plan.sink === "capture") return outcome;
  writeAllSync(plan.sink as Deno.FsFile, outcome.stdout);
  return { ...outcome, stdout: new Uint8Array(0) };
}

/**
 * Runs a pipeline whose output is read block by block; it waits when nobody
 * reads.
 *
 * @param plan What is to be run.
 * @returns Its output.
 */
export function openSync(plan: Plan): LineSourceSync {
  const id = ask({ type: "open", plan: plain(plan) }) as number;
  return {
    read: () => ask({ type: "read", id }) as Uint8Array | undefined,
    close: (early) => void ask({ type: "close", id, early }),
  };
}

/**
 * A plan that can be sent: URLs cannot, nor open files, nor what can be
 * iterated. The output for a file that only this thread can write is captured.
 */
function plain({ stages, source, sink, options }: Plan): SentPlan {
  return {
    stages: stages.map((stage): Stage => ({
      ...plainOptions(stage),
      stderr: pathOf(stage.stderr) ?? stage.stderr,
    })),
    source: source === undefined
      ? undefined
      : (source instanceof Deno.FsFile ? descriptorOf(source) : undefined) ??
        settled(source as SyncSource),
    sink: sink instanceof Deno.FsFile
      ? descriptorOf(sink) ?? "capture"
      : pathOf(sink) ?? sink,
    options: { ...options, signal: undefined, tee: undefined },
  };
}

function plainOptions<T extends { cwd?: string | URL }>(options: T): T {
  const { cwd } = options;
  return { ...options, cwd: cwd instanceof URL ? fileURLToPath(cwd) : cwd };
}

/**
 * Runs a program in the place of this one, and blocks the thread meanwhile.
 *
 * @param argv The program and its arguments.
 * @param options Where it runs, with which streams.
 * @returns Its status.
 */
export function standInSync(
  argv: readonly string[],
  options: SpawnOptions,
): number {
  return ask({ type: "exec", argv, options: plainOptions(options) }) as number;
}

const DONE = 0;
const STATUS = 1;

/** A process that this thread can block for. */
export class HelpedProcess {
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  /** Its number. */
  readonly pid: number;

  /** Starts a process; the descriptors in the options stay the caller's. */
  constructor(argv: readonly string[], options: SpawnOptions) {
    this.pid = ask({
      type: "spawn",
      argv,
      options: plainOptions(options),
      state: this.#state.buffer,
    }) as number;
  }

  /** Its status, or `undefined` as long as it runs. */
  poll(): number | undefined {
    if (Atomics.load(this.#state, DONE) === 0) return undefined;
    return Atomics.load(this.#state, STATUS);
  }

  /** Its status, waited for; or `undefined` if the time passes first. */
  wait(timeout: number): number | undefined {
    Atomics.wait(this.#state, DONE, 0, timeout);
    return this.poll();
  }

  /** Sends a signal, unless it has ended. */
  kill(signal: Deno.Signal): void {
    ask({ type: "kill", pid: this.pid, signal });
  }
}

/** Says that the process of this state ended; for the helper. */
export function settle(buffer: SharedArrayBuffer, status: number): void {
  const state = new Int32Array(buffer);
  Atomics.store(state, STATUS, status);
  Atomics.store(state, DONE, 1);
  Atomics.notify(state, DONE);
}
