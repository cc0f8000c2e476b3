/**
 * The helper of `helper.ts`, in a thread of its own: a file, since a worker is
 * started from one.
 *
 * @module
 */

import { builtIn } from "../../_internal/built_in.ts";
import {
  type Answer,
  flatten,
  HELPER,
  type HelperData,
  type Hungry,
  type Message,
  type Opened,
  type OutputName,
  type Request,
  type Sent,
  type SentInput,
  sentOutcome,
  settle,
  type SharedBytes,
  SOURCE_FAILED,
  wakeAsker,
  Word,
} from "./helper.ts";
import { Execution } from "../_command/execution.ts";
import { errorStream } from "../_command/output.ts";
import { sendSignal, standIn, startChild } from "../_command/child_process.ts";
import { endOf } from "../_command/result.ts";
import { numbered, openGates, type Part, wrap } from "../_command/launch.ts";
import { Files, type SentPlan } from "../_command/plan.ts";

const children = new Map<number, Deno.ChildProcess>();
/** The pipelines that an asker reads from and writes to. */
const running = new Map<number, Running>();
let lastId = 0;
/** The waiters for more of an input, by the number of the input. */
const fed = new Map<number, (size: number) => void>();
let askForMore: (message: Hungry) => void;
/** The word that wakes the asker, if there is one. */
let wake: HelperData["wake"];
/** What ends the pipelines of requests whose asker was cancelled. */
const controllers = new Map<number, AbortController>();

// The module is also imported, for nothing, by every other thread: see `mod.ts`.
// Looking at the data of a worker loads a module, so a thread that is none does
// without: workers of this kind have no `self`.
if (typeof self === "undefined") {
  const { workerData } = builtIn("node:worker_threads");
  if (isHelperData(workerData)) serve(workerData);
}

function isHelperData(data: unknown): data is HelperData {
  return typeof data === "object" && data !== null && HELPER in data;
}

/** The part of `LockManager` used here; Deno's own types do not have it. */
interface WebLocks {
  request(
    name: string,
    options: { mode: "shared" },
    callback: () => void,
  ): Promise<void>;
}

function serve({ port, words, life, wake: word }: HelperData): void {
  wake = word;
  if (life !== undefined) {
    const webLocks: WebLocks = Reflect.get(navigator, "locks");
    webLocks.request(life, { mode: "shared" }, () => Deno.exit(0));
  }
  /**
   * The requests under way: whoever sent them sleeps until the last one is
   * answered. There are several if a source of the asker's makes requests.
   */
  const asked = new Set<number>();
  const answer = (answer: Answer) => {
    if (!asked.delete(answer.id)) return;
    // The asker looks for an answer after it has read this count, and before it
    // sleeps on it: posted first, counted second, none is missed.
    post(answer);
  };
  const post = (message: Answer | Hungry) => {
    port.postMessage(message);
    Atomics.add(words, Word.answers, 1);
    wakeAsker(words, Word.answers, wake);
  };
  askForMore = post;
  // An error that nobody caught would end this thread, and the asker would sleep
  // for ever. Nobody knows what it belongs to, so it is the answer.
  const rescue = (event: Event, error: unknown) => {
    event.preventDefault();
    const last = [...asked].at(-1);
    if (last !== undefined) answer({ id: last, error: flatten(error) });
  };
  addEventListener("error", (event) => rescue(event, event.error));
  addEventListener(
    "unhandledrejection",
    (event) => rescue(event, event.reason),
  );
  port.on("message", async (message: Message) => {
    if (message === "ping") return void Atomics.add(words, Word.pongs, 1);
    if ("fed" in message) return fed.get(message.fed)?.(message.size);
    if ("cancel" in message) return controllers.get(message.cancel)?.abort();
    const { id, request } = message;
    asked.add(id);
    try {
      answer({ id, value: await answerTo(request, id) });
    } catch (error) {
      answer({ id, error: flatten(error) });
    } finally {
      controllers.delete(id);
    }
  });
}

/**
 * The output of a pipeline that the asker reads piece by piece. This thread reads
 * ahead, so that there is something when the asker asks; everything that has come
 * since then goes into the window together.
 */
class Output {
  readonly #source: () => Promise<Uint8Array<ArrayBuffer> | undefined>;
  readonly #window: Uint8Array;
  readonly #come: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;
  #pump?: Promise<void>;
  #ended = false;

  constructor(
    source: () => Promise<Uint8Array<ArrayBuffer> | undefined>,
    window: SharedBytes,
  ) {
    this.#source = source;
    this.#window = new Uint8Array(window);
  }

  /** Reads until the window would be full, or the end. */
  async #fill(): Promise<void> {
    while (!this.#ended && this.#size < this.#window.length) {
      const value = await this.#source();
      if (value === undefined) this.#ended = true;
      else this.#add(value);
    }
  }

  /** From now on somebody else gets what was not read. */
  handOver(keep: (bytes: Uint8Array<ArrayBuffer>) => void): void {
    for (const bytes of this.#come.splice(0)) keep(bytes);
    this.#keep = keep;
  }
  #keep?: (bytes: Uint8Array<ArrayBuffer>) => void;

  #add(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#keep !== undefined) {
      this.#ended = true;
      return this.#keep(bytes);
    }
    this.#come.push(bytes);
    this.#size += bytes.length;
    this.#arrived?.();
  }
  #arrived?: () => void;

  /** Fills the window; says how much is in it, 0 at the end. */
  async read(): Promise<number> {
    if (this.#pump === undefined) {
      this.#pump = this.#fill().finally(() => this.#pump = undefined);
      // It may fail while nobody waits for it; then the next read fails, too.
      this.#pump.catch(() => {});
    }
    if (this.#size === 0) {
      const arrived = new Promise<void>((resolve) => this.#arrived = resolve);
      await Promise.race([arrived, this.#pump]);
    }
    let end = 0;
    while (this.#come.length > 0 && end < this.#window.length) {
      const piece = this.#come[0].subarray(0, this.#window.length - end);
      this.#window.set(piece, end);
      end += piece.length;
      if (piece.length === this.#come[0].length) this.#come.shift();
      else this.#come[0] = this.#come[0].subarray(piece.length);
    }
    this.#size -= end;
    return end;
  }
}

/** A pipeline that runs, with what the asker reads of it. */
class Running {
  readonly execution: Execution;
  /** Ends it when its asker is cancelled. */
  readonly controller: AbortController;
  readonly #outputs: Partial<Record<OutputName, Output>> = {};
  #stdin?: WritableStreamDefaultWriter<Uint8Array>;

  constructor(execution: Execution, controller: AbortController) {
    this.execution = execution;
    this.controller = controller;
  }

  /** Fills the window with what comes next of an output. */
  async read(name: OutputName, window: SharedBytes): Promise<number> {
    const output = this.#outputs[name] ??= this.#open(name, window);
    return await output.read();
  }

  #open(name: OutputName, window: SharedBytes): Output {
    const { stdout, stderr } = this.execution;
    if (name === "stdout") {
      stdout.take();
      return new Output(() => stdout.read(), window);
    }
    const reader = errorStream(stderr).getReader();
    return new Output(async () => (await reader.read()).value, window);
  }

  /** Writes to the first stage. */
  async write(bytes: SharedBytes): Promise<void> {
    await this.execution.started;
    this.#stdin ??= this.execution.stdin!.getWriter();
    // Deno writes no shared memory.
    await this.#stdin.write(new Uint8Array(bytes).slice());
  }

  /** Reads no more of an output. */
  async leave(name: OutputName): Promise<void> {
    const { stdout, stderr } = this.execution;
    const taps = name === "stdout" ? [stdout] : stderr;
    await Promise.all(taps.map((tap) => tap.leave()));
  }

  /** Keeps what was taken and not read for the result. */
  async giveBack(): Promise<void> {
    const { stdout } = this.execution;
    this.#outputs.stdout?.handOver((bytes) => stdout.keep(bytes));
    stdout.giveBack();
    if (this.#outputs.stderr !== undefined) await this.leave("stderr");
  }

  /** Lets go of its input, when it has ended. */
  async letGo(): Promise<void> {
    await this.#stdin?.abort().catch(() => {});
  }

  /** Says that no more will be written. */
  async closeInput(): Promise<void> {
    try {
      await this.execution.started;
      this.#stdin ??= this.execution.stdin!.getWriter();
      await this.#stdin.close();
    } catch {
      // Nobody reads it, or nothing has started: the end says so.
    }
  }
}

/**
 * The bytes of a source of the asker. The asker puts a piece into the window when
 * this thread asks for it; the consumer of a piece must have finished with it when
 * it takes the next one.
 */
async function* piecesOf({ input, window }: SentInput) {
  const shared = new Uint8Array(window);
  // Deno writes no shared memory.
  const own = new Uint8Array(shared.length);
  try {
    while (true) {
      const size = await new Promise<number>((resolve) => {
        fed.set(input, resolve);
        askForMore({ input });
      });
      if (size === 0) return;
      if (size < 0) {
        const error = new Error("The source failed");
        error.name = SOURCE_FAILED;
        throw error;
      }
      own.set(shared);
      yield own.subarray(0, size);
    }
  } finally {
    fed.delete(input);
  }
}

function sharing(plan: SentPlan): SentPlan {
  return { ...plan, branches: plan.branches?.map(sharing), shared: true };
}

/** A plan with the bytes of its source in it, and with what ends it. */
function planOf(
  { plan: sent, input, files }: Sent,
  { signal }: AbortController,
): SentPlan {
  const plan = { ...sent, options: { ...sent.options, signal } };
  for (const { fd, dev, ino } of files) {
    const stat = Deno.statSync(`/proc/self/fd/${fd}`);
    if (stat.dev !== dev || stat.ino !== ino) {
      throw new Deno.errors.BadResource(
        `Cannot run a command: an open file was closed, received ${fd}`,
      );
    }
  }
  const branches = plan.branches?.map(sharing);
  return input === undefined
    ? { ...plan, branches, shared: true }
    : { ...plan, branches, shared: true, source: piecesOf(input) };
}

/** The named pipes of a process that the asker has not opened yet. */
interface Unopened {
  readonly fifos: readonly string[];
  /** Descriptors of both ends, for a process or asker that does not open its own. */
  held: number[];
}
const unopened = new Map<number, Unopened>();

function hold(fifos: readonly string[]): number[] {
  const { constants, openSync } = builtIn("node:fs");
  const both = constants.O_RDWR | constants.O_NONBLOCK;
  return fifos.map((path) => openSync(path, both));
}

function release({ held }: Unopened): void {
  for (const fd of held.splice(0)) builtIn("node:fs").closeSync(fd);
}

/** The functions that open the gates of processes, by their numbers. */
const atGate = new Map<number, (all: boolean) => Promise<void>>();

/**
 * Starts a process that waits at its gate until the asker has opened its pipes.
 *
 * @returns The process, or `undefined` if there is no such program.
 */
async function startAtGate(
  part: Part,
): Promise<Deno.ChildProcess | undefined> {
  const jobs = wrap([part], { gate: true })!;
  const [{ argv, options, name }] = jobs;
  const child = startChild(argv, options, name);
  const opened = Promise.withResolvers<void>();
  let stopped = false;
  return await new Promise((resolve, reject) => {
    const passed = openGates(jobs, [child], () => stopped, () => {
      atGate.set(child.pid, async (all) => {
        atGate.delete(child.pid);
        stopped = !all;
        opened.resolve();
        await passed;
        // The asker has the pipes now. Closed after the line for the gate.
        await Promise.all([
          child.stdin.close().catch(() => {}),
          child.stdout.cancel(),
          part.stderr === "piped" ? child.stderr.cancel() : undefined,
        ]);
      });
      resolve(child);
      return opened.promise;
    });
    passed.then((found) => found || resolve(undefined), reject);
  });
}

async function start(
  part: Part,
  fifos: readonly string[],
): Promise<Deno.ChildProcess> {
  const pipes: Unopened = { fifos, held: [] };
  const child = await startWrapped(part) ?? startNumbered(part, pipes);
  if (fifos.length === 0) return child;
  unopened.set(child.pid, pipes);
  endOf(child).then(() => {
    // It may have ended before it opened them. The asker waits for the other
    // ends, now or later; so they are opened here, until it says that it is done.
    if (unopened.has(child.pid)) pipes.held.push(...hold(fifos));
  });
  return child;
}

async function startWrapped(
  part: Part,
): Promise<Deno.ChildProcess | undefined> {
  const jobs = wrap([part]);
  if (jobs === undefined) return undefined;
  const [{ argv, options, name }] = jobs;
  const child = startChild(argv, options, name);
  if (await openGates(jobs, [child])) return child;
  await endOf(child);
  return undefined;
}

function startNumbered(part: Part, pipes: Unopened): Deno.ChildProcess {
  const files = new Files();
  try {
    // With both ends open here, opening one does not wait.
    pipes.held = hold(pipes.fifos);
    for (const end of [part.stdin, part.stdout, part.stderr]) {
      if (typeof end !== "object") continue;
      files.add(end.fd = builtIn("node:fs").openSync(end.path, end.how));
    }
    const [{ argv, options }] = numbered([part], files);
    return startChild(argv, options);
  } catch (error) {
    release(pipes);
    throw error;
  } finally {
    files.close();
  }
}

/** The pipeline of a request, which it ends when its asker is cancelled. */
function runningOf(request: { id: number }, id: number): Running {
  const pipeline = running.get(request.id)!;
  controllers.set(id, pipeline.controller);
  return pipeline;
}

function controllerOf(id: number): AbortController {
  const controller = new AbortController();
  controllers.set(id, controller);
  return controller;
}

async function answerTo(request: Request, id: number): Promise<unknown> {
  switch (request.type) {
    case "execute": {
      const controller = controllerOf(id);
      const execution = await Execution.start(planOf(request, controller));
      return sentOutcome(await execution.finish());
    }
    case "open": {
      const { own, handle } = request;
      const controller = controllerOf(id);
      const execution = Execution.begin(planOf(request, controller), own);
      // The owner of the handle gets an error at the end.
      if (!handle) await execution.started;
      running.set(++lastId, new Running(execution, controller));
      return { id: lastId, pids: execution.pids } satisfies Opened;
    }
    case "read":
      return await runningOf(request, id).read(request.name, request.window);
    case "write":
      return await runningOf(request, id).write(request.bytes);
    case "closeInput":
      return await running.get(request.id)!.closeInput();
    case "pids":
      return running.get(request.id)!.execution.pids;
    case "signal":
      return running.get(request.id)?.execution.kill(request.signal);
    case "leave":
      return await running.get(request.id)!.leave(request.name);
    case "finish": {
      const pipeline = runningOf(request, id);
      running.delete(request.id);
      await pipeline.giveBack();
      try {
        return sentOutcome(await pipeline.execution.finish());
      } finally {
        await pipeline.letGo();
      }
    }
    case "close": {
      const pipeline = running.get(request.id)!;
      running.delete(request.id);
      try {
        return sentOutcome(await pipeline.execution.close(request.early));
      } finally {
        await pipeline.letGo();
      }
    }
    case "spawn": {
      const { part, fifos } = request;
      const child = fifos === "handover"
        ? await startAtGate(part)
        : await start(part, fifos);
      if (child === undefined) return -1;
      children.set(child.pid, child);
      endOf(child).then((status) => {
        children.delete(child.pid);
        settle(request.state, status, wake);
      });
      return child.pid;
    }
    case "ready":
      return;
    case "opened": {
      const pass = atGate.get(request.pid);
      if (pass !== undefined) return await pass(request.all);
      const pipes = unopened.get(request.pid)!;
      unopened.delete(request.pid);
      // The process may wait for an end that nobody will open. So it is opened
      // here for a moment.
      if (!request.all) pipes.held.push(...hold(pipes.fifos));
      return release(pipes);
    }
    case "exec":
      return await standIn(request.argv, request.options);
    case "kill": {
      const child = children.get(request.pid);
      return child !== undefined && sendSignal(child, request.signal);
    }
  }
}
