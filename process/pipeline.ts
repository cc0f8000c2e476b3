/**
 * Pipelines.
 *
 * @module
 */

import {
  checkCommandOptions,
  checkSink,
  checkSource,
  checkStages,
  checkTextOptions,
  type Chunk,
  type Command,
  type CommandOptions,
  type Sink,
  type Source,
  splitOptions,
  type Stage,
  type TextOptions,
} from "./_command/options.ts";
import { execute, Execution } from "./_command/execution.ts";
import { Lines, linesSync } from "./_command/output.ts";
import {
  checkReadable,
  readableOf,
  type ReadableOptions,
  requireInput,
  requireOutput,
  type RunningPipeline,
  startRunning,
  transformOf,
} from "./_running/running_pipeline.ts";
import {
  type RunningPipelineSync,
  startRunningSync,
} from "./_running/running_pipeline_sync.ts";
import { shown } from "../_internal/check.ts";
import { type Plan, withAll } from "./_command/plan.ts";
import {
  checkSync,
  executeSync,
  openSync,
  type OutputSync,
} from "./_blocking/pipeline_sync.ts";
import {
  type CommandResult,
  createResult,
  outputOf,
} from "./_command/result.ts";

/** A stage without what it leaves open. */
function definedOf(stage: Stage): Stage {
  const entries = Object.entries(stage);
  return Object.fromEntries(
    entries.filter(([, value]) => value !== undefined),
  ) as unknown as Stage;
}

/** What was captured, as text. */
function textOf(result: CommandResult): string {
  return result.all ?? result.stdout;
}

/**
 * The decoder for captured output.
 *
 * @throws {RangeError} If there is no such encoding.
 * @throws {TypeError} If an option is of the wrong kind.
 */
function textDecoder(
  options: TextOptions = {},
): (result: CommandResult) => string {
  const { trim = false, encoding = "utf-8" } = checkTextOptions(options);
  const decoder = encoding === "utf-8"
    ? undefined
    : new TextDecoder(encoding, { ignoreBOM: true });
  return (result) => {
    const text = decoder?.decode(outputOf(result)) ?? textOf(result);
    return trim ? text.trim() : text;
  };
}

/** What a pipeline was made of. */
export let planOf: (pipeline: Pipeline) => Plan;

/**
 * A pipeline that can be run, any number of times. It does not change: what
 * seems to change it gives a new one. Made by {@linkcode pipeline}.
 *
 * @example
 * ```ts
 * import { pipeline } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const sorted = pipeline(["sort"], ["uniq"]);
 * assertEquals(await sorted.from("b\na\nb\n").text(), "a\nb\n");
 * ```
 */
export class Pipeline {
  #plan: Plan;

  static {
    planOf = (pipeline) => pipeline.#plan;
  }

  /**
   * Makes a pipeline; {@linkcode pipeline} is the shorter way.
   *
   * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
   * into it, or use an array, which needs no quoting.
   *
   * @param stages The stages, at least one.
   * @param source What the first stage reads.
   * @param sink Where the output of the last stage goes.
   * @param options What holds for the whole pipeline.
   * @throws {TypeError} If there is no stage, or one of these is of the wrong
   * kind.
   * @throws {RangeError} If a number is negative, NaN or too large.
   */
  constructor(
    stages: readonly Stage[],
    source?: Source,
    sink: Sink | "capture" = "capture",
    options: CommandOptions = {},
  ) {
    this.#plan = {
      stages: checkStages(stages),
      source: source === undefined ? undefined : checkSource(source),
      sink: sink === "capture" ? sink : checkSink(sink),
      options: checkCommandOptions(options),
    };
  }

  /**
   * Says what the first stage reads. A file named by `{ path }` or by a URL is
   * given to it as it is, so its bytes never pass through this program.
   *
   * @param source The source.
   * @returns The new pipeline.
   * @throws {TypeError} If it is nothing that can be read.
   * @throws {Deno.errors.BadResource} If it is a file that was closed.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const numbers = ["2\n", "1\n"];
   * assertEquals(await pipeline(["sort"]).from(numbers).text(), "1\n2\n");
   * ```
   */
  from(source: Source): this {
    return this.#changed({ source: checkSource(source) });
  }

  /**
   * Says where the output of the last stage goes. A file named by `{ path }` or
   * by a URL is given to it as it is.
   *
   * @param sink The sink.
   * @returns The new pipeline.
   * @throws {TypeError} If output cannot go there.
   * @throws {Deno.errors.BadResource} If it is a file that was closed.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const path = await Deno.makeTempFile({ dir: "/tmp" });
   * await pipeline(["sort"]).from("b\na\n").to({ path }).status();
   * assertEquals(await Deno.readTextFile(path), "a\nb\n");
   * await Deno.remove(path);
   * ```
   */
  to(sink: Sink): this {
    checkSink(sink);
    return this.#changed({ sink, branches: undefined });
  }

  /**
   * Sets options for the whole pipeline. `cwd`, `env`, `clearEnv` and `stderr`
   * are for the stages that do not say otherwise.
   *
   * @param options The options, added to those that are set.
   * @returns The new pipeline.
   * @throws {TypeError} If an option is of the wrong kind.
   * @throws {RangeError} If a number is negative, NaN or too large.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const failing = pipeline("exit 3").with({ check: false });
   * assertEquals(await failing.status(), 3);
   * ```
   */
  with(options: CommandOptions): this {
    const more = checkCommandOptions(options);
    return this.#changed({ options: { ...this.#plan.options, ...more } });
  }

  /**
   * Sends the output of the last stage to several pipelines, as it comes: each
   * of them gets all of it. The slowest one sets the pace; one that reads no
   * more is left out. They have options and sinks of their own; `timeout` and
   * `signal` of this pipeline end them too. Their results are the `branches` of
   * the result. If one of them fails, the call throws; the others run to their
   * ends.
   *
   * The kernel moves the bytes on Linux with `--allow-run=/bin/sh`, by `tee` of
   * the system; else they pass through this program, as they do where a stage or
   * the first one of a branch cannot be joined by the kernel.
   *
   * @param branches The pipelines, at least one.
   * @returns The new pipeline.
   * @throws {TypeError} If there is none, or one is none, or has an input already.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const { branches: [sorted, count] } = await pipeline("echo b; echo a")
   *   .tee(pipeline(["sort"]), pipeline(["wc", "-l"]))
   *   .run();
   * assertEquals(sorted.stdout, "a\nb\n");
   * assertEquals(count.stdout.trim(), "2");
   * ```
   */
  tee(...branches: Pipeline[]): this {
    if (branches.length === 0) {
      throw new TypeError(
        "Cannot tee a pipeline: it needs a pipeline that gets the output, received none",
      );
    }
    const plans = branches.map((branch) => {
      if (!(branch instanceof Pipeline)) {
        throw new TypeError(
          `Cannot tee a pipeline: the output must go to pipelines, received ${
            shown(branch)
          }`,
        );
      }
      requireInput(branch.#plan);
      return branch.#final();
    });
    return this.#changed({ sink: "capture", branches: plans });
  }

  /** Another one of the same class, whose constructor takes the same. */
  #changed(change: Partial<Plan>): this {
    const plan = { ...this.#plan, ...change };
    const made = [
      plan.stages,
      plan.source,
      plan.sink as Sink,
      plan.options,
    ] as const;
    const Class = this.constructor as new (...args: typeof made) => this;
    const changed = new Class(...made);
    const { branches } = plan;
    if (branches !== undefined) changed.#plan = { ...changed.#plan, branches };
    return changed;
  }

  /** The plan, with the common options in the stages. */
  #final(): Plan {
    const { stages, source, sink, options, branches } = this.#plan;
    const { stage: common, rest } = splitOptions(options);
    return withAll({
      stages: stages.map((stage) => ({ ...common, ...definedOf(stage) })),
      source,
      sink,
      options: rest,
      branches,
    });
  }

  /** The plan, with its output captured. */
  #captured(what: string): Plan {
    const plan = this.#final();
    requireOutput(plan, what);
    return plan;
  }

  /**
   * Runs the pipeline to its end.
   *
   * Needs `--allow-run` for each program. The kernel joins neighbours on Linux
   * with `--allow-run=/bin/sh`, and elsewhere with
   * `--allow-run=mkfifo --allow-read=/tmp --allow-write=/tmp`; without, their
   * bytes pass through this program.
   *
   * @returns The status of every stage, and what was captured.
   * @throws {CommandError} If a stage fails, unless `check` is `false`. A stage
   * whose reader had read enough may end by SIGPIPE.
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
   * const { stages } = await pipeline(["yes"], ["head", "-n", "1"]).run();
   * assertEquals(stages[1].status, 0);
   * ```
   */
  async run(): Promise<CommandResult> {
    const plan = this.#final();
    const outcome = await execute(plan);
    return createResult(outcome, plan.stages);
  }

  /**
   * Like {@linkcode Pipeline.run}, blocking the thread. Needs `--allow-read`
   * for skein's own files too, for a helper thread.
   *
   * @returns The status of every stage, and what was captured.
   * @throws {CommandError} If a stage fails, unless `check` is `false`.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {TypeError} If the source, the sink or an option needs the event
   * loop.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(pipeline("echo b; echo a", ["sort"]).runSync().stdout, "a\nb\n");
   * ```
   */
  runSync(): CommandResult {
    const plan = this.#final();
    return createResult(executeSync(plan), plan.stages);
  }

  /**
   * Runs the pipeline and gives its output as text. Needs what
   * {@linkcode Pipeline.run} needs.
   *
   * @param options How the text is made of the bytes.
   * @returns The text.
   * @throws {CommandError} If a stage fails, unless `check` is `false`.
   * @throws {RangeError} If there is no such encoding.
   * @throws {TypeError} If an option is of the wrong kind.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await pipeline("echo spam").text(), "spam\n");
   * const latin = pipeline("printf 'caf\\351\\n'");
   * const text = await latin.text({ encoding: "latin1", trim: true });
   * assertEquals(text, "caf\u00e9");
   * ```
   */
  async text(options?: TextOptions): Promise<string> {
    const text = textDecoder(options);
    this.#captured("text");
    return text(await this.run());
  }

  /**
   * Like {@linkcode Pipeline.text}, blocking the thread. Needs what
   * {@linkcode Pipeline.runSync} needs.
   *
   * @param options How the text is made of the bytes.
   * @returns The text.
   * @throws {CommandError} If a stage fails, unless `check` is `false`.
   * @throws {RangeError} If there is no such encoding.
   * @throws {TypeError} If an option is of the wrong kind.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(pipeline("echo spam").textSync(), "spam\n");
   * ```
   */
  textSync(options?: TextOptions): string {
    const text = textDecoder(options);
    this.#captured("text");
    return text(this.runSync());
  }

  /**
   * Runs the pipeline and gives its output as bytes. Needs what
   * {@linkcode Pipeline.run} needs.
   *
   * @returns The bytes.
   * @throws {CommandError} If a stage fails, unless `check` is `false`.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const bytes = await pipeline(["head", "-c", "3", "/dev/zero"]).bytes();
   * assertEquals(bytes, new Uint8Array(3));
   * ```
   */
  async bytes(): Promise<Uint8Array> {
    this.#captured("bytes");
    return outputOf(await this.run());
  }

  /**
   * Like {@linkcode Pipeline.bytes}, blocking the thread. Needs what
   * {@linkcode Pipeline.runSync} needs.
   *
   * @returns The bytes.
   * @throws {CommandError} If a stage fails, unless `check` is `false`.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const bytes = pipeline(["head", "-c", "3", "/dev/zero"]).bytesSync();
   * assertEquals(bytes, new Uint8Array(3));
   * ```
   */
  bytesSync(): Uint8Array {
    this.#captured("bytes");
    return outputOf(this.runSync());
  }

  /**
   * Runs the pipeline and parses its output as JSON. Needs what
   * {@linkcode Pipeline.run} needs.
   *
   * @returns The value; what it is made of is not checked.
   * @throws {CommandError} If a stage fails, unless `check` is `false`.
   * @throws {SyntaxError} If the output is no JSON.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const value = await pipeline(["echo", '{"spam": 1}']).json();
   * assertEquals(value, { spam: 1 });
   * ```
   */
  async json<T = unknown>(): Promise<T> {
    this.#captured("JSON");
    return JSON.parse(textOf(await this.run()));
  }

  /**
   * Like {@linkcode Pipeline.json}, blocking the thread. Needs what
   * {@linkcode Pipeline.runSync} needs.
   *
   * @returns The value; what it is made of is not checked.
   * @throws {CommandError} If a stage fails, unless `check` is `false`.
   * @throws {SyntaxError} If the output is no JSON.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(pipeline(["echo", "[1]"]).jsonSync(), [1]);
   * ```
   */
  jsonSync<T = unknown>(): T {
    this.#captured("JSON");
    return JSON.parse(textOf(this.runSync()));
  }

  /**
   * The lines of the output, as they are asked for: the pipeline starts with
   * the first, and waits when nobody reads. Leaving the loop early ends it. A
   * line is given without its end, which is `\n` or `\r\n`; `readline` of
   * {@linkcode TextReader} leaves both as they are. Needs what
   * {@linkcode Pipeline.run} needs.
   *
   * @returns An iterator over the lines.
   * @throws {CommandError} After the last line, if a stage failed, unless
   * `check` is `false`.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * for await (const line of pipeline(["yes"]).lines()) {
   *   assertEquals(line, "y");
   *   break;
   * }
   * ```
   */
  lines(): AsyncIterableIterator<string> {
    const plan = this.#captured("lines");
    return new Lines(async () => {
      const execution = await Execution.start(plan, { stdout: "taken" });
      return {
        read: () => execution.stdout.read(),
        close: async (early) => void await execution.close(early),
      };
    });
  }

  /**
   * Like {@linkcode Pipeline.lines}, with the same ends of lines, blocking the
   * thread while it waits for the next one. Needs what {@linkcode Pipeline.runSync} needs.
   *
   * @returns An iterator over the lines.
   * @throws {CommandError} After the last line, if a stage failed, unless
   * `check` is `false`.
   * @throws {TypeError} If the source or an option needs the event loop.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const lines = [];
   * for (const line of pipeline(["yes"], ["head", "-n", "2"]).linesSync()) {
   *   lines.push(line);
   * }
   * assertEquals(lines, ["y", "y"]);
   * ```
   */
  linesSync(): IterableIterator<string> {
    const plan = this.#captured("lines");
    checkSync(plan);
    return linesSync(() => openSync(plan));
  }

  /**
   * The output as a byte stream while the pipeline runs: for `new Response()`,
   * `pipeThrough()`, a file. The pipeline starts with the first read, and its
   * last stage waits when nobody reads. A failure is the stream's error, after
   * the last bytes. Cancelling the stream ends the pipeline, which is no failure.
   *
   * Each call runs the pipeline again. What it writes to its captured standard
   * errors is kept for the error; send it elsewhere (`stderr`) if that is much.
   * Needs what {@linkcode Pipeline.run} needs.
   *
   * @param options Which output it is.
   * @returns The stream, which also fills the buffers of its readers (BYOB).
   * @throws {TypeError} If the output goes elsewhere.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { TextLineStream } from "@std/streams/text-line-stream";
   * import { assertEquals } from "@std/assert";
   *
   * const lines = pipeline("echo spam; echo eggs").readable()
   *   .pipeThrough(new TextDecoderStream())
   *   .pipeThrough(new TextLineStream());
   * assertEquals(await Array.fromAsync(lines), ["spam", "eggs"]);
   * ```
   */
  readable(
    options: ReadableOptions = {},
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    const from = checkReadable(options);
    const plan = from === "stdout" ? this.#captured("stream") : this.#final();
    return readableOf(plan, from);
  }

  /**
   * Like {@linkcode Pipeline.readable} of the output, blocking the thread while
   * it waits for the next bytes. Leaving the loop early ends the pipeline. With
   * {@linkcode Pipeline.from} of something that can be iterated it is also the
   * blocking form of {@linkcode Pipeline.transform}. Needs what
   * {@linkcode Pipeline.runSync} needs.
   *
   * @returns An iterator over the bytes, in pieces of any length.
   * @throws {CommandError} After the last bytes, if a stage failed, unless
   * `check` is `false`.
   * @throws {TypeError} If the output goes elsewhere, or the source or an option
   * needs the event loop.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * let size = 0;
   * const zeros = pipeline(["head", "-c", "1000000", "/dev/zero"]);
   * for (const bytes of zeros.readableSync()) size += bytes.length;
   * assertEquals(size, 1_000_000);
   * ```
   */
  readableSync(): IterableIterator<Uint8Array<ArrayBuffer>> {
    const plan = this.#captured("bytes");
    checkSync(plan);
    return piecesSync(() => openSync(plan));
  }

  /**
   * The two ends of the pipeline, as `pipeThrough()` takes them: what is written
   * to `writable` is the input of the first stage, `readable` is the output of
   * the last one. There is back-pressure through the whole of it. The pipeline
   * starts when one of its ends is first used.
   *
   * A failure is the error of `readable`, after the last bytes. Cancelling
   * `readable` and aborting `writable` end the pipeline. If the first stage
   * reads no more, `writable` fails with `BrokenPipe`, which cancels what is
   * piped into it; that is no failure of the pipeline. Needs what
   * {@linkcode Pipeline.run} needs.
   *
   * @param options Which output it is.
   * @returns The two streams.
   * @throws {TypeError} If the input comes from elsewhere, or the output goes
   * elsewhere.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { toText } from "@std/streams/to-text";
   * import { assertEquals } from "@std/assert";
   *
   * const body = new Response("b\na\nb\n").body!;
   * const sorted = body.pipeThrough(pipeline(["sort"], ["uniq"]).transform());
   * assertEquals(await toText(sorted), "a\nb\n");
   * ```
   */
  transform(options: ReadableOptions = {}): {
    readable: ReadableStream<Uint8Array<ArrayBuffer>>;
    writable: WritableStream<Chunk>;
  } {
    const from = checkReadable(options);
    const plan = from === "stdout" ? this.#captured("stream") : this.#final();
    requireInput(plan);
    return transformOf(plan, from);
  }

  /**
   * Starts the pipeline and gives a handle of what runs, at once: to write to
   * it, to read it as it goes, to send it signals, and to wait for its end.
   *
   * What can go wrong after that, also that there is no such program, is thrown
   * when the handle is asked for the result. Needs what
   * {@linkcode Pipeline.run} needs.
   *
   * @returns The running pipeline.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * await using running = pipeline(["cat"], ["sort"]).start();
   * await running.stdin.write("b\na\n");
   * await running.stdin.close();
   * assertEquals(await Array.fromAsync(running.lines()), ["a", "b"]);
   * assertEquals(await running.status(), 0);
   * ```
   */
  start(): RunningPipeline {
    return startRunning(this.#final());
  }

  /**
   * Like {@linkcode Pipeline.start}, with a handle whose methods block the
   * thread. Needs what {@linkcode Pipeline.runSync} needs.
   *
   * @returns The running pipeline.
   * @throws {TypeError} If the source, the sink or an option needs the event
   * loop.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using running = pipeline(["cat"], ["sort"]).startSync();
   * running.stdin.write("b\na\n");
   * running.stdin.close();
   * assertEquals([...running.linesSync()], ["a", "b"]);
   * assertEquals(running.statusSync(), 0);
   * ```
   */
  startSync(): RunningPipelineSync {
    return startRunningSync(this.#final());
  }

  /**
   * Runs the pipeline to its end. Needs what {@linkcode Pipeline.run} needs.
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
   * assertEquals(await pipeline(["true"]).to("null").status(), 0);
   * ```
   */
  async status(): Promise<number> {
    return (await this.run()).status;
  }

  /**
   * Like {@linkcode Pipeline.status}, blocking the thread. Needs what
   * {@linkcode Pipeline.runSync} needs.
   *
   * @returns The status of the first stage that failed, or 0.
   * @throws {CommandError} If a stage fails, unless `check` is `false`.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(pipeline(["true"]).to("null").statusSync(), 0);
   * ```
   */
  statusSync(): number {
    return this.runSync().status;
  }
}

/** The bytes of an output, as they are asked for. */
function* piecesSync(
  open: () => OutputSync,
): Generator<Uint8Array<ArrayBuffer>, undefined, undefined> {
  const output = open();
  let early = true;
  try {
    let bytes: Uint8Array | undefined;
    // Copied: the memory gets what comes next.
    while ((bytes = output.read()) !== undefined) yield bytes.slice();
    early = false;
  } finally {
    output.close(early);
  }
}

function isStage(command: Command | Stage): command is Stage {
  return typeof command === "object" && command !== null && "cmd" in command;
}

/**
 * Makes a pipeline of commands: each reads what its predecessor writes.
 *
 * Neighbours are joined by the kernel, and so are files at the ends: this
 * program touches no byte, unless it is the source or the sink. Nothing runs
 * until the output or the status is asked for. {@linkcode Pipeline.run} says
 * which permissions that needs.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param commands The commands: strings for the shell, arrays of a program and
 * its arguments, or objects with such a `cmd` and options of their own.
 * @returns The pipeline.
 * @throws {TypeError} If there is no command, or one is none.
 *
 * @example
 * ```ts
 * import { pipeline } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const text = await pipeline(["sort"], { cmd: ["uniq"], cwd: "/" })
 *   .from("b\na\nb\n")
 *   .text();
 * assertEquals(text, "a\nb\n");
 * ```
 */
export function pipeline(...commands: (Command | Stage)[]): Pipeline {
  return new Pipeline(
    commands.map((command) => isStage(command) ? command : { cmd: command }),
  );
}
