/**
 * The ends of a pipeline that runs, as streams of the caller's: room `_running`
 * is about pipelines that run beside the program.
 *
 * @module
 */

import { Execution, type Own } from "../_command/execution.ts";
import { readOptions } from "../_command/check_options.ts";
import type { Chunk } from "../_command/options.ts";
import type { Plan } from "../_command/plan.ts";
import {
  bytesOf,
  closeWriter,
  nobodyReads,
  unlessUnread,
} from "../_command/streams.ts";
import { byteStream, errorStream } from "../_command/tap.ts";
import { shown } from "../../_internal/check.ts";

type Bytes = Uint8Array<ArrayBuffer>;

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
export function inputStream(
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
