/**
 * Asking the helper: room `_blocking` is about the blocking forms. Deno has no
 * blocking wait for a child that it has started. So a helper thread
 * (`helper_worker.ts`) runs the promise form, and this thread sleeps until it has
 * answered. What goes between the two, bytes, outcomes and errors, is made fit for
 * it at the end of this file.
 *
 * @module
 */

import type { MessagePort } from "node:worker_threads";
import { builtIn, pathOfUrl } from "../../_internal/built_in.ts";
import {
  asOwn,
  lifeLockName,
  moduleUrl,
  requireImport,
  workerUrl,
} from "../../_internal/worker_module.ts";
import { cancelling, type WakeWord } from "../../_internal/hooks.ts";
import type { Part } from "../_command/launch.ts";
import type { Own } from "../_command/execution.ts";
import type { SentPlan } from "../_command/plan.ts";
import { type CheckedSyncSource, InputSync } from "../_command/streams.ts";
import type { SpawnOptions } from "../_command/child_process.ts";
import type { FilePath, Stage } from "../_command/options.ts";
import {
  CommandError,
  type CommandErrorInit,
  type CommandTimeout,
  createResult,
  madeOf,
  type Outcome,
  withResult,
} from "../_command/result.ts";

/** What the helper can be asked to do. */
export type Request =
  | { type: "execute" } & Sent
  | { type: "open"; own: Own; handle: boolean } & Sent
  | { type: "read"; id: number; name: OutputName; window: SharedBytes }
  | { type: "write"; id: number; bytes: SharedBytes }
  | { type: "closeInput"; id: number }
  | { type: "pids"; id: number }
  | { type: "signal"; id: number; signal: Deno.Signal }
  | { type: "leave"; id: number; name: OutputName }
  | { type: "finish"; id: number; early: boolean }
  | { type: "close"; id: number; early: boolean }
  | { type: "exec"; argv: readonly string[]; options: SpawnOptions }
  | {
    type: "spawn";
    part: Part;
    fifos: readonly string[] | "handover";
    state: SharedArrayBuffer;
  }
  | { type: "opened"; pid: number; all: boolean }
  | { type: "ready" }
  | { type: "kill"; pid: number; signal: Deno.Signal };

/** A pipeline that the helper runs, and its processes so far. */
export interface Opened {
  id: number;
  pids: readonly number[];
}

/** A plan as it is sent. */
export interface Sent {
  plan: SentPlan;
  /** Its source, if that is here. */
  input?: SentInput;
  /**
   * The open files whose descriptors it has. If this thread is killed they are
   * closed, and their numbers may mean other files before the helper ends.
   */
  files: readonly { fd: number; dev: number; ino: number | null }[];
}

/** An output of a pipeline that is read piece by piece. */
export type OutputName = "stdout" | "stderr";

/**
 * A request as it is sent, or how much of an input is in its window now, or that
 * the asker of a request has been cancelled; a ping is answered by counting it.
 */
export type Message =
  | { id: number; request: Request }
  | { fed: number; size: number }
  | { cancel: number }
  | "ping";

/** The helper asks for more of an input. */
export interface Hungry {
  input: number;
}

/** The answer to the request of this number. */
export type Answer = { id: number; value: unknown } | {
  id: number;
  error: unknown;
};

/** Tells the data of a helper from that of other workers. */
export const HELPER = "@skein/std/process";

/** The words that this thread and its helper share. */
export const Word = { answers: 0, pongs: 1 } as const;

/** The name of the helper's error when a source fails, which is here. */
export const SOURCE_FAILED = "SourceFailed";

/** What a helper is started with. */
export interface HelperData {
  [HELPER]: true;
  port: MessagePort;
  /** By `Word`: how many answers it has given, how many pings it has seen. */
  words: Int32Array<SharedArrayBuffer>;
  /** The web lock that this thread holds until its end, if it is a `Thread`. */
  life?: string;
  /**
   * The word on which this thread sleeps, if it can be cancelled; to be changed
   * whenever one is that it sleeps for.
   */
  wake?: WakeWord;
}

// `mod.ts` imports it too, see `worker_module.ts`.
const WORKER_URL = moduleUrl("process/_blocking/helper_worker");

/** How often a sleeping thread asks whether its helper lives, in ms. */
const PING_MS = 1000;
/** How often in vain, until it takes it for dead. */
const PINGS = 30;

let helper: HelperData | undefined;
let lastId = 0;

/** A worker that starts without one dies. */
function requireCurrentDirectory(): void {
  try {
    Deno.cwd();
  } catch (error) {
    throw new Deno.errors.NotFound(
      "Cannot block for a command: the helper thread needs a current directory, received one that is gone",
      { cause: error },
    );
  }
}

/** Starts the helper of this thread, which does not keep the program alive. */
function start(): HelperData {
  requireImport(WORKER_URL.href, "block for a command");
  requireCurrentDirectory();
  const { MessageChannel, Worker } = builtIn("node:worker_threads");
  const { port1, port2 } = asOwn(() => new MessageChannel());
  const words = new Int32Array(new SharedArrayBuffer(8));
  const life = lifeLockName();
  const wake = cancelling.wakeWord();
  const data: HelperData = { [HELPER]: true, port: port2, words, life, wake };
  const worker = asOwn(() =>
    new Worker(workerUrl(WORKER_URL), {
      workerData: data,
      transferList: [port2],
    })
  );
  worker.unref();
  port1.unref();
  return { ...data, port: port1 };
}

/**
 * Answers that came while another request waited: a source that this thread
 * reads for one request may itself make requests.
 */
const early = new Map<number, Answer>();

/** The requests that wait for their answers. */
const asking = new Set<number>();

/**
 * Has the helper do something, and blocks this thread until it is done.
 *
 * @param request What to do. No typed arrays: on its way each of their elements
 * costs time.
 * @param endsEarly Whether it ends when the code that asks is cancelled; the
 * helper ends its children then. Anything else is short, or cleans up.
 * @returns What the helper answers.
 * @throws {Error} If the helper died.
 * @throws The reason, if it was cancelled.
 */
export function ask(request: Request, endsEarly = false): unknown {
  if (endsEarly) cancelling.check();
  const from = helper ??= start();
  const id = ++lastId;
  asking.add(id);
  try {
    from.port.postMessage({ id, request } satisfies Message);
    const answer = waitForAnswer(id, from, endsEarly);
    // The reader closes what was opened.
    if (endsEarly && !("value" in answer && request.type === "open")) {
      cancelling.check();
    }
    if ("error" in answer) throw revive(answer.error);
    return answer.value;
  } finally {
    asking.delete(id);
    early.delete(id);
  }
}

function waitForAnswer(
  id: number,
  from: HelperData,
  endsEarly: boolean,
): Answer {
  const { port, words } = from;
  let told = false;
  const { receiveMessageOnPort } = builtIn("node:worker_threads");
  while (!early.has(id)) {
    // The helper posts an answer and counts it then. So an answer that this
    // thread does not find here is counted after `counted` was read, which ends
    // the sleep or keeps it from starting. No wake-up is lost.
    const counted = Atomics.load(words, Word.answers);
    const received: { message: Answer | Hungry } | undefined =
      receiveMessageOnPort(
        port,
      );
    if (received === undefined) {
      const heeds = endsEarly && !told;
      sleepUntilChanged(words, Word.answers, counted, Infinity, heeds, from);
      if (heeds && cancelling.isCancelled()) {
        port.postMessage({ cancel: id } satisfies Message);
        told = true;
      }
      continue;
    }
    const answer = received.message;
    if ("input" in answer) {
      port.postMessage({ fed: answer.input, size: fillFrom(answer) });
      continue;
    }
    // Answers to requests that were given up are dropped.
    if (asking.has(answer.id)) early.set(answer.id, answer);
  }
  return early.get(id)!;
}

/**
 * Blocks this thread until its helper changes a word, the time is up, or it is
 * cancelled. A helper that died changes nothing any more; so it is asked now and
 * then.
 *
 * Who wakes it: the helper changes the word, then wakes this thread. Whoever
 * cancels it wakes it by the word that all of its waits sleep on; if there is such
 * a word the helper knows it, and changes it too.
 *
 * @param heeds Whether being cancelled ends the sleep.
 * @throws {Error} If the helper died.
 */
export function sleepUntilChanged(
  words: Int32Array<SharedArrayBuffer>,
  index: number,
  value: number,
  timeout: number,
  heeds: boolean,
  from = helper,
): void {
  const own = [words, index] as const;
  const wake = wordOf(from?.wake);
  const end = performance.now() + timeout;
  let pingAt = performance.now() + PING_MS;
  let pongs = -1;
  let silent = 0;
  for (;;) {
    const event = wake === undefined ? value : Atomics.load(...wake);
    if (Atomics.load(words, index) !== value) return;
    if (heeds && cancelling.isCancelled()) return;
    const now = performance.now();
    if (now >= end) return;
    if (now < pingAt) {
      Atomics.wait(...wake ?? own, event, Math.min(end, pingAt) - now);
      continue;
    }
    pingAt = now + PING_MS;
    if (from === undefined) continue;
    const answered = Atomics.load(from.words, Word.pongs);
    silent = answered === pongs ? silent + 1 : 0;
    pongs = answered;
    if (silent === PINGS) {
      if (helper === from) helper = undefined;
      throw new Error(
        "Cannot block for a command: the helper thread of this thread died",
      );
    }
    from.port.postMessage("ping" satisfies Message);
  }
}

/** How much of an output is handed over at once. */
export const WINDOW = 1 << 20;

/** The sources that pipelines read from this thread. */
const inputs = new Map<number, { source: InputSync; window: Uint8Array }>();

/** A source as it is sent: piece by piece, through a window of shared memory. */
export interface SentInput {
  input: number;
  window: SharedBytes;
}

/** A source that this thread reads for the helper, as it is sent. */
export function sendInput(
  source: Exclude<CheckedSyncSource, URL | FilePath>,
): SentInput {
  const size = source instanceof Uint8Array ? source.length : WINDOW;
  const window = new SharedArrayBuffer(Math.min(WINDOW, size));
  const input = ++lastId;
  inputs.set(input, {
    source: new InputSync(source),
    window: new Uint8Array(window),
  });
  return { input, window };
}

/** Puts the next piece into the window, and gives its size. */
function fillFrom({ input }: Hungry): number {
  const found = inputs.get(input);
  // Without one nobody reads it any more.
  return found === undefined ? 0 : found.source.fill(found.window);
}

/** The source of a pipeline that nobody reads any more. */
export function leave({ input }: Sent): InputSync | undefined {
  if (input === undefined) return undefined;
  const source = inputs.get(input.input)?.source;
  inputs.delete(input.input);
  return source;
}

/** Wakes the asker, which sleeps until a word is changed; for the helper. */
export function wakeAsker(
  words: Int32Array<SharedArrayBuffer>,
  index: number,
  wake: WakeWord | undefined,
): void {
  Atomics.notify(words, index);
  const word = wordOf(wake);
  if (word === undefined) return;
  Atomics.add(...word, 1);
  Atomics.notify(...word);
}

/** The memory of the word, which is large, and its index. */
function wordOf(
  wake: WakeWord | undefined,
): readonly [Int32Array<SharedArrayBuffer>, number] | undefined {
  if (wake === undefined) return undefined;
  if (wakeWords?.buffer !== wake.buffer) {
    wakeWords = new Int32Array(wake.buffer);
  }
  return [wakeWords, wake.index];
}
let wakeWords: Int32Array<SharedArrayBuffer> | undefined;

/** Bytes as they are sent to the other thread and back. */
export type SharedBytes = SharedArrayBuffer;

/** Bytes, to be sent. */
export function share(bytes: Uint8Array): SharedBytes {
  const { buffer, byteLength } = bytes;
  if (buffer instanceof SharedArrayBuffer && buffer.byteLength === byteLength) {
    return buffer;
  }
  const shared = new SharedArrayBuffer(bytes.length);
  new Uint8Array(shared).set(bytes);
  return shared;
}

/** Bytes that were sent, as memory of this thread. */
function unshare(shared: SharedBytes): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Uint8Array(shared));
}

/** How a pipeline ended, as it is sent. */
export interface SentOutcome
  extends Omit<Outcome, "stages" | "stdout" | "branches"> {
  readonly stages: readonly { status: number; stderr: SharedBytes }[];
  readonly stdout: SharedBytes;
  readonly branches?: readonly SentBranch[];
}

/** The same of a branch. */
interface SentBranch {
  readonly outcome: SentOutcome;
  readonly stages: readonly Stage[];
}

/** How a pipeline ended, to be sent. */
export function sentOutcome(
  { stages, stdout, branches, ...rest }: Outcome,
): SentOutcome {
  return {
    ...rest,
    stages: stages.map(({ status, stderr }) => ({
      status,
      stderr: share(stderr),
    })),
    stdout: share(stdout),
    branches: branches?.map(({ outcome, stages }) => ({
      outcome: sentOutcome(outcome),
      stages,
    })),
  };
}

/** How a pipeline ended, as it was before it was sent. */
export function received(
  { stages, stdout, branches, ...rest }: SentOutcome,
): Outcome {
  return {
    ...rest,
    stages: stages.map(({ status, stderr }) => ({
      status,
      stderr: unshare(stderr),
    })),
    stdout: unshare(stdout),
    branches: branches?.map(({ outcome, stages }) => ({
      outcome: received(outcome),
      stages,
    })),
  };
}

interface FlatError {
  name: string;
  message: string;
  dom: boolean;
  init?: Omit<CommandErrorInit, "result">;
  result?: { outcome: SentOutcome; stages: readonly Stage[] };
}

/** An error as something that can be sent. */
export function flatten(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message } = error;
  const dom = error instanceof DOMException;
  const flat: FlatError = { name, message, dom };
  if (error instanceof CommandError) {
    const { command, stage, status, signal, stderr } = error;
    flat.init = { command, stage, status, signal, stderr };
  }
  const { result } = error as Partial<CommandTimeout>;
  if (result !== undefined) {
    const { outcome, stages } = madeOf(result);
    flat.result = { outcome: sentOutcome(outcome), stages };
  }
  return flat;
}

const CLASSES: Record<string, new (message: string) => Error> = {
  ...Deno.errors as unknown as Record<string, new (message: string) => Error>,
  TypeError,
  RangeError,
};

/** The error again, with the stack of the caller. */
function revive(value: unknown): unknown {
  const { name, message, dom, init, result: sent } = value as FlatError;
  const result = sent && createResult(received(sent.outcome), sent.stages);
  if (init !== undefined) return new CommandError(message, { ...init, result });
  if (dom) {
    const error = new DOMException(message, name);
    return result === undefined ? error : withResult(error, result);
  }
  if (Object.hasOwn(CLASSES, name)) return new CLASSES[name](message);
  const error = new Error(message);
  error.name = name;
  return error;
}

/** Options that can be sent: a URL cannot be. */
export function plainOptions<T extends { cwd?: string | URL }>(options: T): T {
  const { cwd } = options;
  return { ...options, cwd: cwd instanceof URL ? pathOfUrl(cwd) : cwd };
}

/**
 * Runs a program in place of this one, and blocks the thread meanwhile.
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

/** The words that tell how a process is. */
export const State = { done: 0, status: 1 } as const;

/** Says that the process of this state ended; for the helper. */
export function settle(
  buffer: SharedArrayBuffer,
  status: number,
  wake: WakeWord | undefined,
): void {
  const state = new Int32Array(buffer);
  Atomics.store(state, State.status, status);
  Atomics.store(state, State.done, 1);
  wakeAsker(state, State.done, wake);
}
