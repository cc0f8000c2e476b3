/**
 * The blocking forms. Deno has no blocking wait for a child that it has started. So
 * a helper thread (`helper_worker.ts`) runs the promise form, and this thread sleeps
 * until it has answered.
 *
 * @module
 */

import type { MessagePort } from "node:worker_threads";
import { builtIn, pathOfUrl } from "../../_internal/built_in.ts";
import {
  asOwn,
  lifeLockName,
  requireImport,
  workerUrl,
} from "../../_internal/worker_module.ts";
import { cancelling, type WakeWord } from "../../_internal/cancelling.ts";
import { descriptorOf, makeFifos, mayReadProc } from "./descriptors.ts";
import {
  received,
  revive,
  type SentOutcome,
  share,
  type SharedBytes,
} from "./sent.ts";
import type { LineSourceSync } from "./lines.ts";
import { type End, type FileEnd, type Part, wrap } from "./launch.ts";
import { type CommandTimeout, madeOf, type Outcome } from "./result.ts";
import type { Own } from "./execution.ts";
import type { Plan, SentPlan, SentStage } from "./plan.ts";
import { isQuick, quickSync } from "./quick.ts";
import { type CheckedSyncSource, InputSync, writeAllSync } from "./streams.ts";
import type { SpawnOptions } from "./child_process.ts";
import { type FilePath, pathOf } from "./options.ts";

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
const WORKER_URL = new URL("./helper_worker.ts", import.meta.url);

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
 * @param request What is to be done. No typed arrays: on its way each of their
 * elements costs time.
 * @param endsEarly Whether it is to end when the code that asks is cancelled; the
 * helper ends its children then. Anything else is short, or cleans up.
 * @returns What the helper answers.
 * @throws {Error} If the helper died.
 * @throws The reason, if it was cancelled.
 */
function ask(request: Request, endsEarly = false): unknown {
  if (endsEarly) cancelling.check();
  const from = helper ??= start();
  const id = ++lastId;
  asking.add(id);
  try {
    from.port.postMessage({ id, request } satisfies Message);
    const answer = waitForAnswer(id, from, endsEarly);
    // What was opened is closed by the one who reads it.
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
function sleepUntilChanged(
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
const WINDOW = 1 << 20;

/** The sources that pipelines read from this thread. */
const inputs = new Map<number, { source: InputSync; window: Uint8Array }>();

/** A source as it is sent: piece by piece, through a window of shared memory. */
export interface SentInput {
  input: number;
  window: SharedBytes;
}

function sendInput(
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
 * @param plan What is to be run.
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
  return ended(plan, () => askLast(sent, { type: "execute", ...sent }));
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
 * @param plan What is to be run.
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
   * @param plan What is to be run.
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

/** The source of a pipeline that nobody reads any more. */
function leave({ input }: Sent): InputSync | undefined {
  if (input === undefined) return undefined;
  const source = inputs.get(input.input)?.source;
  inputs.delete(input.input);
  return source;
}

/** The name of the helper's error when a source fails, which is here. */
export const SOURCE_FAILED = "SourceFailed";

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

function plainOptions<T extends { cwd?: string | URL }>(options: T): T {
  const { cwd } = options;
  return { ...options, cwd: cwd instanceof URL ? pathOfUrl(cwd) : cwd };
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

  /**
   * Starts a process.
   *
   * @param part What it is.
   * @param fifos The named pipes among its streams, or that it is to wait
   * until its pipes were opened here.
   */
  constructor(part: Part, fifos: readonly string[] | "handover" = []) {
    this.pid = ask({
      type: "spawn",
      part: { ...part, stage: plainOptions(part.stage) },
      fifos,
      state: this.#state.buffer,
    }) as number;
  }

  /**
   * Tells the helper that this thread has opened the pipes, or that it will not
   * open all of them.
   */
  opened(all: boolean): void {
    ask({ type: "opened", pid: this.pid, all });
  }

  /** Its status, or `undefined` as long as it runs. */
  poll(): number | undefined {
    if (Atomics.load(this.#state, DONE) === 0) return undefined;
    return Atomics.load(this.#state, STATUS);
  }

  /** Its status, waited for; or `undefined` if the time passes first. */
  wait(timeout: number): number | undefined {
    cancelling.check();
    sleepUntilChanged(this.#state, DONE, 0, timeout, true);
    cancelling.check();
    return this.poll();
  }

  /** Sends a signal, unless it has ended. */
  kill(signal: Deno.Signal): void {
    ask({ type: "kill", pid: this.pid, signal });
  }
}

/** A process with the ends of its pipes that this thread has. */
interface PipedProcess {
  readonly process: HelpedProcess;
  readonly stdin?: Deno.FsFile;
  readonly stdout?: Deno.FsFile;
  readonly stderr?: Deno.FsFile;
}

/** The order in which both sides open pipes, so that neither waits for ever. */
const ORDER = ["stdin", "stderr", "stdout"] as const;

type Streams = Readonly<Record<(typeof ORDER)[number], End>>;

/**
 * Starts a process with pipes that this thread reads and writes at once,
 * blocking. No number of a descriptor leaves its thread.
 *
 * @param stage What is to be run.
 * @param streams What its streams are; "piped" is a pipe to this thread.
 * @returns The process and the ends.
 */
export function startPiped(
  stage: Part["stage"],
  streams: Streams,
): PipedProcess {
  const part = { stage, ...streams };
  return mayReadProc() && wrap([part], { gate: true }) !== undefined
    ? startAtGate(part) ?? startWithFifos(part)
    : startWithFifos(part);
}

/**
 * The pipes are the helper's. While the process waits at its gate, it has them
 * at /proc/<its number>/fd, and this thread opens them there.
 */
function startAtGate(part: Part): PipedProcess | undefined {
  const process = new HelpedProcess(part, "handover");
  if (process.pid < 0) return undefined;
  const path = (name: (typeof ORDER)[number]) =>
    `/proc/${process.pid}/fd/${FD[name]}`;
  try {
    return openEnds(process, part, path);
  } catch (error) {
    // A shell that does not like the command never comes to its gate.
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const FD = { stdin: 0, stdout: 1, stderr: 2 } as const;

/**
 * The pipes have names for a moment. Opening one end waits for the other; if the
 * process ends before it has opened them, the helper does it in its place.
 */
function startWithFifos(part: Part): PipedProcess {
  // Before there are files, since that takes long.
  ask({ type: "ready" });
  const names = ORDER.filter((name) => part[name] === "piped");
  const { paths, remove } = makeFifos(names.length);
  const path = (name: string) => paths[names.findIndex((n) => n === name)];
  try {
    const ends = names.map((name): [string, FileEnd] => [name, {
      path: path(name),
      how: name === "stdin" ? "r" : "w",
    }]);
    const own = { ...part, ...Object.fromEntries(ends) };
    return openEnds(new HelpedProcess(own, paths), part, path);
  } finally {
    remove();
  }
}

function openEnds(
  process: HelpedProcess,
  part: Part,
  path: (name: (typeof ORDER)[number]) => string,
): PipedProcess {
  const own: { -readonly [Name in (typeof ORDER)[number]]?: Deno.FsFile } = {};
  let all = false;
  try {
    for (const name of ORDER) {
      if (part[name] !== "piped") continue;
      const write = name === "stdin";
      own[name] = Deno.openSync(path(name), { read: !write, write });
    }
    all = true;
    return { process, ...own };
  } finally {
    if (!all) { for (const name of ORDER) own[name]?.close(); }
    process.opened(all);
  }
}

/** Says that the process of this state ended; for the helper. */
export function settle(
  buffer: SharedArrayBuffer,
  status: number,
  wake: WakeWord | undefined,
): void {
  const state = new Int32Array(buffer);
  Atomics.store(state, STATUS, status);
  Atomics.store(state, DONE, 1);
  wakeAsker(state, DONE, wake);
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
