/**
 * A pipeline that runs beside the program, in the blocking form.
 *
 * @module
 */

import {
  checkSync,
  OpenedPipeline,
  requireNames,
} from "../_blocking/pipeline_sync.ts";
import { outputsSync } from "../_command/options.ts";
import { linesSync } from "../_command/output.ts";
import type { Plan } from "../_command/plan.ts";
import { type CommandResult, createResult } from "../_command/result.ts";
import { nobodyReads } from "../_command/streams.ts";
import { isWritable, requireInput, requireOutput } from "./running_pipeline.ts";
import {
  createTextReaderSync,
  createTextWriterSync,
  type ReadSync,
  type TextReaderSync,
  type TextWriterSync,
} from "../text_stream.ts";
import { cancelling } from "../../_internal/hooks.ts";
import { nameOf, numberOf, type Signum } from "../../_internal/platform.ts";

/** How a pipeline ended, or what it failed with. */
type End = { result: CommandResult } | { error: unknown };

/** Starts a pipeline that is held by a handle. */
export let startRunningSync: (plan: Plan) => RunningPipelineSync;

/**
 * A pipeline that runs, made by {@linkcode Pipeline.startSync}, whose methods
 * block the thread while they wait.
 *
 * Its output is kept for the result, unless it is taken by `stdout` or
 * `linesSync`: then the last stage waits when nobody reads. The same holds for
 * `stderr`. What was taken is not in the result.
 *
 * A failure is thrown by `resultSync`, `statusSync` and `linesSync`. Nobody hears
 * of it who calls none of them.
 *
 * @example
 * ```ts
 * import { pipeline } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * using sorting = pipeline(["sort"], ["uniq"]).startSync();
 * sorting.stdin.write("b\na\nb\n");
 * sorting.stdin.close();
 * assertEquals(sorting.resultSync().stdout, "a\nb\n");
 * ```
 */
export class RunningPipelineSync implements Disposable {
  readonly #plan: Plan;
  readonly #opened: OpenedPipeline;
  readonly #taken: Partial<Record<"stdout" | "stderr", TextReaderSync>> = {};
  #lines?: Iterator<string>;
  #stdin?: TextWriterSync;
  #inputClosed = false;
  #end?: End;

  static {
    startRunningSync = (plan) => new RunningPipelineSync(plan);
  }

  /** @ignore */
  private constructor(plan: Plan) {
    checkSync(plan);
    requireNames(plan);
    this.#plan = plan;
    this.#opened = new OpenedPipeline(plan, {
      stdin: isWritable(plan),
      stdout: "kept",
      stderr: "kept",
    }, true);
    outputsSync.set(this, () => this.#pieces());
  }

  #source?: IterableIterator<Uint8Array>;

  /**
   * The output as the source of another command: always the same one. A failure
   * comes after the last bytes.
   */
  #pieces(): IterableIterator<Uint8Array> {
    requireOutput(this.#plan, "stdout");
    if (this.#source !== undefined) return this.#source;
    if (this.#taken.stdout !== undefined || this.#lines !== undefined) {
      throw new TypeError(
        "Cannot run a command: a pipeline whose output is read already is no source, received one",
      );
    }
    let ended = false;
    const done = { value: undefined, done: true } as const;
    return this.#source = {
      next: () => {
        if (ended) return done;
        const bytes = this.#read("stdout");
        // Copied: the memory gets what comes next.
        if (bytes.length > 0) return { value: bytes.slice() };
        ended = true;
        this.resultSync();
        return done;
      },
      return: () => {
        if (!ended && this.#end === undefined) this.#opened.leave("stdout");
        ended = true;
        return done;
      },
      [Symbol.iterator]() {
        return this;
      },
    };
  }

  /**
   * The numbers of the processes, in the order of the stages.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using running = pipeline(["sleep", "60"]).startSync();
   * assertEquals(running.pids.length, 1);
   * ```
   */
  get pids(): readonly number[] {
    return this.#opened.pids;
  }

  /**
   * Writes to the first stage, if nothing else is its input. The stage waits for
   * the end of its input until the writer is closed; if nobody has taken the
   * writer when the result is asked for, it is closed then.
   *
   * @throws {TypeError} If its input comes from `from()` or the option `stdin`,
   * or has been closed.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using running = pipeline(["cat"]).startSync();
   * running.stdin.write("spam");
   * running.stdin.close();
   * assertEquals(running.resultSync().stdout, "spam");
   * ```
   */
  get stdin(): TextWriterSync {
    requireInput(this.#plan);
    if (this.#inputClosed) {
      throw new TypeError(
        "Cannot write to a pipeline: its input was closed when its end was asked for, received a call after that",
      );
    }
    const opened = this.#opened;
    return this.#stdin ??= createTextWriterSync({
      writeSync: (bytes) => {
        if (this.#end !== undefined) throw nobodyReads();
        opened.write(bytes);
        return bytes.length;
      },
      close: () => {
        if (this.#end === undefined) opened.closeInput();
      },
    });
  }

  /**
   * The output of the last stage, from its beginning: always the same reader. It
   * ends without an error, whatever the pipeline does.
   *
   * @throws {TypeError} If the output goes elsewhere, or is the source of another
   * command.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using running = pipeline("echo spam; echo eggs").startSync();
   * assertEquals(running.stdout.readline(), "spam\n");
   * assertEquals(running.stdout.read(), "eggs\n");
   * ```
   */
  get stdout(): TextReaderSync {
    this.#requireUnread("stdout");
    return this.#reader("stdout");
  }

  /**
   * What the stages write to their captured standard errors, from its beginning
   * and in the order of its arrival: always the same reader.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using running = pipeline("echo spam >&2").startSync();
   * assertEquals(running.stderr.read(), "spam\n");
   * ```
   */
  get stderr(): TextReaderSync {
    return this.#reader("stderr");
  }

  /** Checks that the output goes to this program, and not to another command. */
  #requireUnread(what: string): void {
    requireOutput(this.#plan, what);
    if (this.#source === undefined) return;
    throw new TypeError(
      `Cannot get the ${what} of a pipeline: another command reads its output, received a call after from()`,
    );
  }

  #reader(name: "stdout" | "stderr"): TextReaderSync {
    return this.#taken[name] ??= createTextReaderSync(this.#output(name));
  }

  /** An output as something that is read as a file is. */
  #output(name: "stdout" | "stderr"): ReadSync {
    let rest: Uint8Array = new Uint8Array(0);
    return {
      readSync: (buffer) => {
        if (rest.length === 0) rest = this.#read(name);
        if (rest.length === 0) return null;
        const piece = rest.subarray(0, buffer.length);
        buffer.set(piece);
        rest = rest.subarray(piece.length);
        return piece.length;
      },
      close: () => {
        if (this.#end === undefined) this.#opened.leave(name);
      },
    };
  }

  #resultRead = false;

  /** What comes next of an output; nothing at the end. */
  #read(name: "stdout" | "stderr"): Uint8Array {
    const none = new Uint8Array(0);
    if (this.#end === undefined) return this.#opened.read(name) ?? none;
    // After the end it is in the result.
    if (this.#resultRead || !("result" in this.#end)) return none;
    if (name === "stderr") return none;
    this.#resultRead = true;
    return this.#end.result.bytes;
  }

  /**
   * The lines of the output, as they come, without their ends (`\n` or `\r\n`).
   * Leaving the loop early leaves the pipeline running; the next call goes on
   * with the next line.
   *
   * @returns An iterator over the lines.
   * @throws {TypeError} If the output goes elsewhere.
   * @throws {CommandError} After the last line, if a stage failed, unless
   * `check` is `false`.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using server = pipeline("echo ready; sleep 60").startSync();
   * for (const line of server.linesSync()) {
   *   if (line === "ready") break;
   * }
   * assertEquals(server.pids.length, 1);
   * ```
   */
  linesSync(): IterableIterator<string> {
    this.#requireUnread("lines");
    const lines = this.#lines ??= linesSync(() => ({
      read: () => {
        const bytes = this.#read("stdout");
        return bytes.length === 0 ? undefined : bytes;
      },
      close: (early) => {
        if (!early) this.resultSync();
      },
    }));
    return {
      next: () => lines.next(),
      return: () => ({ value: undefined, done: true }),
      [Symbol.iterator]() {
        return this;
      },
    };
  }

  /**
   * Sends a signal to all processes of the pipeline, the last stage first; with
   * `killTree` to the groups that they lead. Does nothing when they have ended.
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
   * const sleeping = pipeline(["sleep", "60"]).with({ check: false });
   * using running = sleeping.startSync();
   * running.kill();
   * assertEquals(running.statusSync(), -15);
   * ```
   */
  kill(signum: Signum = "SIGTERM"): void {
    const signal = nameOf(numberOf(signum, "kill a pipeline"));
    if (this.#end === undefined) this.#opened.kill(signal);
  }

  /**
   * Waits for the end of the pipeline.
   *
   * @returns The status of the first stage that failed, or 0.
   * @throws {CommandError} If a stage fails, unless `check` is `false`.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using running = pipeline("exit 3").with({ check: false }).startSync();
   * assertEquals(running.statusSync(), 3);
   * ```
   */
  statusSync(): number {
    return this.resultSync().status;
  }

  /**
   * Waits for the end of the pipeline. It can be called any number of times. If
   * the output was not read to its end, the rest is in the result.
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
   * using running = pipeline("echo spam").startSync();
   * assertEquals(running.resultSync().stdout, "spam\n");
   * ```
   */
  resultSync(): CommandResult {
    if (this.#end === undefined) {
      if (isWritable(this.#plan) && this.#stdin === undefined) {
        this.#inputClosed = true;
        this.#opened.closeInput();
      }
      this.#finish("finish");
    }
    return this.#outcome();
  }

  #finish(type: "finish" | "close"): void {
    try {
      const outcome = this.#opened.end({ type, early: true });
      this.#end = { result: createResult(outcome, this.#plan.stages) };
    } catch (error) {
      this.#end = { error };
    }
  }

  #outcome(): CommandResult {
    const end = this.#end!;
    if ("error" in end) throw end.error;
    return end.result;
  }

  /**
   * Ends the pipeline, if it still runs, as `timeout` would (with `killSignal`,
   * `killGrace` and `killTree`), and waits until it has ended. Called by `using`.
   *
   * @example
   * ```ts
   * import { pipeline } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const running = pipeline(["sleep", "60"]).startSync();
   * running[Symbol.dispose]();
   * assertEquals(running.resultSync().killedBy, "SIGTERM");
   * ```
   */
  [Symbol.dispose](): void {
    if (this.#end !== undefined) return;
    // Whoever was cancelled has been told; it is why the pipeline ended.
    const told = cancelling.isCancelled();
    this.#finish("close");
    if (!told) this.#outcome();
  }
}
