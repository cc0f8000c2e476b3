/**
 * A pipeline that runs beside the program, and its ends as streams of the caller's.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { Execution, type Own } from "../_command/execution.ts";
import { byteStream, errorStream, Lines } from "../_command/output.ts";
import type { Plan } from "../_command/plan.ts";
import {
  type CommandResult,
  createResult,
  type StageResult,
  stageResult,
} from "../_command/result.ts";
import { createTextWriter, type TextWriter } from "../text_stream.ts";
import { nameOf, numberOf, type Signum } from "../../_internal/platform.ts";
import { type Chunk, readOptions } from "../_command/options.ts";
import {
  bytesOf,
  closeWriter,
  nobodyReads,
  unlessUnread,
} from "../_command/streams.ts";
import { shown } from "../../_internal/check.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Starts a pipeline that is held by a handle. */
export let startRunning: (plan: Plan) => RunningPipeline;

/**
 * A pipeline that runs, made by {@linkcode Pipeline.start}.
 *
 * Its output is kept for the result, unless somebody takes it by `stdout` or
 * `lines`: then the last stage waits when nobody reads. The same holds for
 * `stderr`. What was taken is not in the result.
 *
 * A failure is thrown by `result`, `status`, `lines` and `stdout`. If nobody has
 * asked for any of them when it happens, and the program has not killed the
 * pipeline itself, it is reported as an unhandled rejection is.
 *
 * @example
 * ```ts
 * import { pipeline } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * await using sorting = pipeline(["sort"], ["uniq"]).start();
 * await sorting.stdin.write("b\na\n");
 * await sorting.stdin.write("b\n");
 * await sorting.stdin.close();
 * assertEquals((await sorting.result()).stdout, "a\nb\n");
 * ```
 */
export class RunningPipeline implements AsyncDisposable {
  readonly #plan: Plan;
  readonly #execution: Execution;
  readonly #result: Promise<CommandResult>;
  /** How each stage ended. */
  readonly #stages: readonly Promise<StageResult>[];
  /** Whether somebody hears of a failure. */
  #heard = false;
  #stdin?: TextWriter;
  #inputClosed = false;
  #stdout?: ReadableStream<Bytes>;
  #stderr?: ReadableStream<Bytes>;
  #lines?: Lines;
  #lineReader?: ReadableStreamDefaultReader<Bytes>;

  static {
    startRunning = (plan) => new RunningPipeline(plan);
  }

  /** @ignore */
  private constructor(plan: Plan) {
    this.#plan = plan;
    const execution = this.#execution = Execution.begin(plan, {
      stdin: isWritable(plan),
      stdout: "kept",
      stderr: "kept",
    });
    // Nobody may ask for it. Then its rejection is reported.
    this.#result = execution.finish()
      .then((outcome) => createResult(outcome, plan.stages));
    this.#stages = plan.stages.map(async (stage, i) =>
      stageResult(stage, await execution.endOf(i))
    );
    for (const end of this.#stages) end.catch(() => {});
  }

  /**
   * The numbers of the processes, in the order of the stages. They are there at
   * once, unless a process waits for somebody to open the other end of a named
   * pipe.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * await using running = pipeline(["sleep", "60"]).start();
   * assertEquals(running.pids.length, 1);
   * ```
   */
  get pids(): readonly number[] {
    return this.#execution.pids;
  }

  /**
   * How the stages end, in their order: a promise for each, which resolves when
   * its process has ended, whatever its status. `for await` reads them one by
   * one. They reject if the pipeline could not start.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const running = pipeline(["yes"], ["head", "-n", "1"]).start();
   * const { command, status } = await running.stages[1];
   * assertEquals([command, status], ["head -n 1", 0]);
   * ```
   */
  get stages(): readonly Promise<StageResult>[] {
    this.#closeInput();
    return this.#stages;
  }

  /**
   * Writes to the first stage, if nothing else is its input. The stage waits for
   * the end of its input until the writer is closed; if nobody has taken the
   * writer when `result`, `status` or `stages` is asked for, it is closed then.
   *
   * @throws {TypeError} If its input comes from `from()` or the option `stdin`,
   * or has been closed.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const running = pipeline(["cat"]).start();
   * await running.stdin.write("spam");
   * await running.stdin.close();
   * assertEquals((await running.result()).stdout, "spam");
   * ```
   */
  get stdin(): TextWriter {
    requireInput(this.#plan);
    if (this.#inputClosed) {
      throw new TypeError(
        "Cannot write to a pipeline: its input was closed when its end was asked for, received a call after that",
      );
    }
    // createTextWriter encodes texts, so that only bytes come.
    return this.#stdin ??= createTextWriter(this.#openInput());
  }

  #openInput(): WritableStream<Uint8Array> {
    return inputStream(() => this.#execution) as WritableStream<Uint8Array>;
  }

  /** Closes the input in a moment, if nobody has taken it by then. */
  #closeInput(): void {
    if (this.#inputClosed || !isWritable(this.#plan)) return;
    delay(0).then(async () => {
      if (this.#stdin !== undefined || this.#inputClosed) return;
      this.#inputClosed = true;
      await this.#openInput().close();
    }).catch(() => {}); // If it could not start, the result says so.
  }

  /**
   * The output of the last stage, from its beginning, as a byte stream: always
   * the same one. A failure of the pipeline is the stream's error, after the last
   * bytes. Cancelling it leaves the pipeline alone: a stage that goes on writing
   * gets SIGPIPE, which is no failure then.
   *
   * Whoever takes it must read or cancel it, or the pipeline does not end.
   *
   * @throws {TypeError} If the output goes elsewhere.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * await using running = pipeline("echo spam").start();
   * assertEquals(await new Response(running.stdout).text(), "spam\n");
   * ```
   */
  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> {
    requireOutput(this.#plan, "stdout");
    const { stdout } = this.#execution;
    if (this.#stdout === undefined) {
      stdout.take();
      this.#stdout = byteStream({
        read: () => {
          stdout.take();
          this.#hear();
          return stdout.read();
        },
        end: () => this.#execution.verdict(),
        leave: () => stdout.leave(),
      });
    }
    return this.#stdout;
  }

  /**
   * What the stages write to their captured standard errors, from its beginning
   * and in the order of its arrival, as a byte stream: always the same one. It
   * ends without an error, whatever the pipeline does. The results of the stages
   * have the end of what was read here.
   *
   * Whoever takes it must read or cancel it, or the pipeline does not end.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * await using running = pipeline("echo spam >&2").start();
   * assertEquals(await new Response(running.stderr).text(), "spam\n");
   * ```
   */
  get stderr(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#stderr ??= errorStream(this.#execution.stderr);
  }

  /**
   * The lines of the output, as they come, without their ends (`\n` or `\r\n`).
   * Leaving the loop early leaves the pipeline running: what comes then is kept,
   * for the next call or for the result. The lines that came in one piece with
   * those that were read are not in the result.
   *
   * @returns An iterator over the lines.
   * @throws {TypeError} If the output goes elsewhere, or is being read already.
   * @throws {CommandError} After the last line, if a stage failed, unless
   * `check` is `false`.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = pipeline("echo ready; sleep 60").start();
   * for await (const line of server.lines()) {
   *   if (line === "ready") break;
   * }
   * // It goes on; the end of the block ends it.
   * assertEquals(server.pids.length, 1);
   * ```
   */
  lines(): AsyncIterableIterator<string> {
    requireOutput(this.#plan, "lines");
    if (this.stdout.locked) {
      throw new TypeError(
        "Cannot read the lines of a pipeline: its output is being read already, received a locked stream",
      );
    }
    const reader = this.#lineReader = this.stdout.getReader();
    const lines = this.#lines ??= new Lines(() =>
      Promise.resolve({
        read: async () => (await this.#lineReader!.read()).value,
        close: async () => {},
      })
    );
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      reader.releaseLock();
      this.#execution.stdout.giveBack();
    };
    return {
      async next() {
        if (left) return { value: undefined, done: true };
        try {
          const step = await lines.next();
          if (step.done) leave();
          return step;
        } catch (error) {
          leave();
          throw error;
        }
      },
      return() {
        leave();
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /**
   * Sends a signal to all processes of the pipeline, the last stage first; with
   * `killTree` to the groups that they lead. Does nothing when they have ended.
   * A pipeline that is about to start gets it as soon as it has. Needs no
   * permission, unless `killTree` is set.
   *
   * @param signum The signal, by number or name.
   * @throws {TypeError} If it is neither a number nor a string.
   * @throws {RangeError} If this platform has no such signal.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const running = pipeline(["sleep", "60"]).with({ check: false }).start();
   * running.kill();
   * assertEquals(await running.status(), -15);
   * ```
   */
  kill(signum: Signum = "SIGTERM"): void {
    const signal = nameOf(numberOf(signum, "kill a pipeline"));
    // It fails because the program wants it so.
    this.#hear();
    this.#execution.kill(signal);
  }

  /** From now on somebody hears of a failure. */
  #hear(): void {
    if (this.#heard) return;
    this.#heard = true;
    this.#result.catch(() => {});
  }

  /**
   * Waits for the end of the pipeline.
   *
   * @returns The status of the first stage that failed, or 0. Without
   * `check: false` it can only be 0.
   * @throws {CommandError} If a stage fails, unless `check` is `false`.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const running = pipeline("exit 3").with({ check: false }).start();
   * assertEquals(await running.status(), 3);
   * ```
   */
  async status(): Promise<number> {
    return (await this.result()).status;
  }

  /**
   * Waits for the end of the pipeline. It can be called any number of times.
   *
   * @returns The status of every stage, and what was captured and not taken.
   * @throws {CommandError} If a stage fails, unless `check` is `false`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {Deno.errors.NotFound} If there is no such program.
   * @throws {Deno.errors.PermissionDenied} If a file cannot be executed.
   * @throws {Deno.errors.NotCapable} Without the permission to run one.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const running = pipeline("echo spam").start();
   * assertEquals((await running.result()).stdout, "spam\n");
   * ```
   */
  result(): Promise<CommandResult> {
    this.#heard = true;
    this.#closeInput();
    return this.#result;
  }

  /**
   * Ends the pipeline, if it still runs, as `timeout` would (with `killSignal`,
   * `killGrace` and `killTree`), and waits until it has ended. Called by
   * `await using`. It throws a failure that happened before and that nobody has
   * asked for.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const running = pipeline(["sleep", "60"]).start();
   * await running[Symbol.asyncDispose]();
   * assertEquals((await running.result()).killedBy, "SIGTERM");
   * ```
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const heard = this.#heard;
    this.#heard = true;
    this.#execution.stop();
    try {
      await this.#result;
    } catch (error) {
      if (!heard) throw error;
    }
  }
}

/**
 * Checks that the output of a plan can be read.
 *
 * @param what What the caller wants, for the message.
 * @throws {TypeError} If it goes elsewhere.
 */
export function requireOutput(
  { sink, branches }: Plan,
  what: string,
): void {
  const captured = sink === "capture" || sink === "tee";
  if (captured && branches === undefined) return;
  const how = branches === undefined ? "to()" : "tee()";
  throw new TypeError(
    `Cannot get the ${what} of a pipeline: its output goes elsewhere by ${how}, use status()`,
  );
}

/**
 * Checks that the caller of a plan may write to it.
 *
 * @throws {TypeError} If its input comes from elsewhere.
 */
export function requireInput({ source, options }: Plan): void {
  const from = source !== undefined
    ? "from()"
    : options.stdin !== undefined
    ? `stdin: "${options.stdin}"`
    : undefined;
  if (from === undefined) return;
  throw new TypeError(
    `Cannot write to a pipeline: its input comes from elsewhere, received ${from}`,
  );
}

/** Whether the caller of a plan may write to it. */
export function isWritable({ source, options }: Plan): boolean {
  return source === undefined && options.stdin === undefined;
}

/** Which output of a pipeline a stream gives. */
export interface ReadableOptions {
  /**
   * The output of the last stage, or what all stages write to their captured
   * standard errors, in the order of its arrival. What is not given is dropped.
   *
   * @default {"stdout"}
   */
  from?: "stdout" | "stderr";
}

/**
 * Checks which output a stream is to give.
 *
 * @throws {TypeError} If it is none of the two, or an option is unknown.
 */
export function checkReadable(options: ReadableOptions): "stdout" | "stderr" {
  const { from = "stdout" } = readOptions(options, ["from"], "read a pipeline");
  if (from === "stdout" || from === "stderr") return from;
  throw new TypeError(
    `Cannot read a pipeline: from must be one of stdout, stderr, received ${
      shown(from)
    }`,
  );
}

/** Starts a pipeline, whose output goes into a stream. */
function startFor(
  plan: Plan,
  from: "stdout" | "stderr",
  own: Own,
): { execution: Execution; read: () => Promise<Bytes | undefined> } {
  if (from === "stdout") {
    const execution = Execution.begin(plan, { ...own, stdout: "taken" });
    return { execution, read: () => execution.stdout.read() };
  }
  const sink = plan.sink === "capture"
    ? "null"
    : plan.sink === "tee"
    ? "inherit"
    : plan.sink;
  const execution = Execution.begin({ ...plan, sink }, {
    ...own,
    stderr: "taken",
  });
  const reader = errorStream(execution.stderr).getReader();
  return { execution, read: async () => (await reader.read()).value };
}

/** The output of a pipeline, which starts when it is first read. */
export function readableOf(
  plan: Plan,
  from: "stdout" | "stderr",
): ReadableStream<Bytes> {
  return new Ends(plan, from).readable();
}

/** Both ends of a pipeline, which starts when one of them is first used. */
export function transformOf(plan: Plan, from: "stdout" | "stderr"): {
  readable: ReadableStream<Bytes>;
  writable: WritableStream<Chunk>;
} {
  const ends = new Ends(plan, from, { stdin: true });
  return { writable: ends.writable(), readable: ends.readable() };
}

/** The ends of one run of a pipeline. */
class Ends {
  readonly #start: () => ReturnType<typeof startFor>;
  readonly #plan: Plan;
  #started?: ReturnType<typeof startFor>;
  #input?: WritableStreamDefaultController;
  /** Why there is nothing to start, if its input failed before that. */
  #aborted?: { reason: unknown };

  constructor(plan: Plan, from: "stdout" | "stderr", own: Own = {}) {
    this.#plan = plan;
    this.#start = () => startFor(plan, from, own);
  }

  get #run(): ReturnType<typeof startFor> {
    if (this.#aborted !== undefined) throw this.#aborted.reason;
    if (this.#started === undefined) {
      this.#started = this.#start();
      // A source that waits for something would never learn of it.
      this.#started.execution.ended(0)
        .then(() => this.#input?.error(nobodyReads()), () => {});
    }
    return this.#started;
  }

  readable(): ReadableStream<Bytes> {
    return byteStream({
      read: async () => await this.#run.read(),
      end: () => this.#run.execution.finish(),
      leave: async (reason) => {
        this.#input?.error(reason);
        if (this.#started !== undefined) {
          const { execution } = this.#started;
          execution.stop();
          await execution.finish();
          return;
        }
        // It never starts; its source is left, too.
        const { source } = this.#plan;
        if (source instanceof ReadableStream) await source.cancel(reason);
      },
    });
  }

  writable(): WritableStream<Chunk> {
    return inputStream(() => this.#run.execution, {
      start: (controller) => void (this.#input = controller),
      abort: async (reason) => {
        if (this.#started === undefined) {
          this.#aborted = { reason };
          return;
        }
        const { execution } = this.#started;
        execution.fail(reason);
        await execution.finish().catch(() => {});
      },
    });
  }
}

/**
 * A stream into the first stage of a pipeline.
 *
 * @param begin Starts the pipeline, or gives it if it runs.
 * @param more What else the stream does.
 */
function inputStream(
  begin: () => Execution,
  more?: Pick<UnderlyingSink<Chunk>, "start" | "abort">,
): WritableStream<Chunk> {
  let stdin: Promise<WritableStreamDefaultWriter<Uint8Array>> | undefined;
  const open = async () => {
    const execution = begin();
    await execution.started;
    const writer = execution.stdin!.getWriter();
    execution.ended(0).then(() => writer.abort(nobodyReads())).catch(() => {});
    return writer;
  };
  return new WritableStream<Chunk>({
    ...more,
    async write(chunk) {
      const bytes = bytesOf(chunk);
      const writer = await (stdin ??= open());
      if (bytes.length === 0) return;
      if (!await unlessUnread(writer.write(bytes))) throw nobodyReads();
    },
    async close() {
      const writer = await (stdin ??= open());
      await unlessUnread(closeWriter(writer));
    },
  });
}
