/**
 * Where the output of a process goes in this program: to the holder of a running
 * pipeline, piece by piece, as a stream, in lines, or kept until the end; and to
 * other pipelines.
 *
 * @module
 */

import {
  closeWriter,
  type Interruptible,
  join,
  nobodyReads,
  unlessUnread,
} from "./streams.ts";
import { GO } from "./launch.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Where a tap gets its bytes, and what it does with them besides. */
interface Supply {
  /** The stream of the process. */
  readonly reader: ReadableStreamDefaultReader<Bytes>;
  /** The most bytes that are kept. */
  readonly limit: number;
  /** Where the bytes are written too, if they are. */
  readonly copy?: WritableStreamDefaultWriter<Uint8Array>;
  /** Interrupted when nobody is to wait for the copy any more. */
  readonly until: Interruptible;
}

/** How much is known of an error output that went to a stream. */
const TAIL = 2000;

/**
 * The bytes of one output. As long as nobody has taken it, it is read ahead and
 * kept, so that the process never waits. Once it is taken it is read when it is
 * asked for, and not otherwise: then the process waits for the reader.
 *
 * The supply comes later than the tap, when the process has started. Whoever reads
 * before waits for it. It comes, or `end()` is called, in any case.
 */
export class Tap {
  readonly #kept: Bytes[] = [];
  #size = 0;
  #taken: boolean;
  #supply?: Supply;
  readonly #supplied = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<boolean>();
  readonly #settled = Promise.withResolvers<void>();
  #ended = false;
  /** The reading ahead; it does not reject. */
  #ahead?: Promise<void>;
  #tail: Uint8Array = new Uint8Array(0);
  #left = false;

  /** Makes a tap, taken or not. */
  constructor(taken: boolean) {
    this.#taken = taken;
    if (taken) this.#settled.resolve();
    this.#done.promise.catch(() => {});
  }

  /**
   * Resolves when all was read, or nobody reads any more: says whether there was
   * more than may be kept. Rejects if the copy cannot be written.
   */
  get done(): Promise<boolean> {
    return this.#done.promise;
  }

  /** Resolves when nothing is kept any more: it was read, or it was taken. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Whether it was left before its end by who had taken it. */
  get left(): boolean {
    return this.#left;
  }

  /** What is kept, and was not taken. */
  get kept(): readonly Bytes[] {
    return this.#kept;
  }

  /** The same, after the end of what was taken. */
  get bytes(): readonly Uint8Array[] {
    return [this.#tail, ...this.#kept];
  }

  /** Sets where the bytes come from. */
  attach(supply: Supply): void {
    this.#supply = supply;
    this.#supplied.resolve();
    if (this.#ended) supply.reader.cancel().catch(() => {});
    else if (!this.#taken) this.#ahead = this.#readAhead();
  }

  /** Keeps a piece that was taken after all. */
  keep(bytes: Bytes): void {
    this.#size += bytes.length;
    this.#kept.push(bytes);
  }

  /** From now on the bytes are read as they are asked for. */
  take(): void {
    this.#taken = true;
    this.#settled.resolve();
  }

  /** From now on what comes is kept again. */
  giveBack(): void {
    if (!this.#taken) return;
    this.#taken = false;
    if (this.#supply === undefined || this.#ended) return;
    const before = this.#ahead;
    this.#ahead = (async () => {
      await before;
      await this.#readAhead();
    })();
  }

  async #readAhead(): Promise<void> {
    while (!this.#taken && !this.#ended) {
      let value: Bytes | undefined;
      try {
        value = await this.#next();
      } catch {
        return; // `done` has the error.
      }
      if (value === undefined) return;
      const left = this.#supply!.limit - this.#size;
      if (value.length > left) {
        this.#kept.push(value.subarray(0, left));
        return this.#end(true);
      }
      this.#size += value.length;
      this.#kept.push(value);
    }
  }

  /** The next piece from the process. */
  async #next(): Promise<Bytes | undefined> {
    const { reader, copy, until } = this.#supply!;
    try {
      const { value } = await reader.read();
      if (value === undefined) {
        this.#end(false);
        return undefined;
      }
      if (copy === undefined) return value;
      // Copied, because a stream takes the memory of what is put into it.
      await until.wait(copy.write(value.slice()));
      return value;
    } catch (error) {
      this.#done.reject(error);
      this.#end(false);
      throw error;
    }
  }

  /**
   * The next piece, for the taker.
   *
   * @param keepTail Whether to keep the end of it.
   * @returns The bytes, or `undefined` at the end.
   */
  async read(keepTail = false): Promise<Bytes | undefined> {
    if (this.#supply === undefined) await this.#supplied.promise;
    let value = this.#kept.shift();
    const ahead = this.#ahead;
    if (value === undefined && ahead !== undefined) {
      // What it still waits for comes first.
      await ahead;
      if (this.#ahead === ahead) this.#ahead = undefined;
      value = this.#kept.shift();
    }
    if (value !== undefined) this.#size -= value.length;
    else if (!this.#ended) value = await this.#next();
    if (keepTail && value !== undefined) this.#remember(value);
    return value;
  }

  #remember(bytes: Uint8Array): void {
    const last = bytes.subarray(-TAIL);
    const before = this.#tail.subarray(
      Math.max(0, this.#tail.length + last.length - TAIL),
    );
    const tail = new Uint8Array(before.length + last.length);
    tail.set(before);
    tail.set(last, before.length);
    this.#tail = tail;
  }

  /** Stops reading, for the taker; a process that goes on gets SIGPIPE. */
  async leave(): Promise<void> {
    this.#kept.length = 0;
    if (this.#ended) return;
    this.#left = true;
    this.#end(false);
    await this.#supply?.reader.cancel();
  }

  /** Says that no more comes: the processes were ended, or never started. */
  end(): void {
    if (this.#ended) return;
    this.#end(false);
    this.#supply?.reader.cancel().catch(() => {});
  }

  #end(exceeds: boolean): void {
    this.#ended = true;
    this.#supplied.resolve();
    this.#settled.resolve();
    this.#done.resolve(exceeds);
    // Whoever still writes must know that nobody reads.
    if (exceeds) this.#supply?.reader.cancel().catch(() => {});
  }
}

/** What a stream of the caller's does for its bytes. */
interface StreamSource {
  /** The next piece, or `undefined` at the end. */
  read(): Promise<Bytes | undefined>;
  /** Is called at the end; what it rejects with is the stream's error. */
  end(): Promise<unknown>;
  /** Is called when the reader wants no more. */
  leave(reason: unknown): Promise<unknown>;
}

/**
 * A byte stream that holds nothing: it asks for a piece when its reader does. So
 * there is back-pressure up to the process.
 */
export function byteStream(
  { read, end, leave }: StreamSource,
): ReadableStream<Bytes> {
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      let value: Bytes | undefined;
      do value = await read(); while (value?.length === 0);
      if (value !== undefined) return controller.enqueue(value);
      await end();
      controller.close();
      // A reader with a buffer of its own gets it back.
      controller.byobRequest?.respond(0);
    },
    async cancel(reason) {
      await leave(reason);
    },
  }, { highWaterMark: 0 }) as ReadableStream<Bytes>;
}

/**
 * The error outputs of all stages as one stream, in the order of arrival. They
 * know the end of what went through.
 */
export function errorStream(taps: readonly Tap[]): ReadableStream<Bytes> {
  const streams = taps.map((tap) => {
    tap.take();
    return byteStream({
      read: () => tap.read(true),
      end: () => Promise.resolve(),
      leave: () => tap.leave(),
    });
  });
  return streams.length === 1 ? streams[0] : join(...streams);
}

/** A pipeline that gets the output of another one. */
interface Branch {
  /** Whether its first stage waits for a line before its input. */
  readonly atGate: boolean;
  /** Its input, once it has started. */
  readonly stdin: WritableStream<Uint8Array> | undefined;
  /** Resolves when one of its stages has ended. */
  ended(stage: number): Promise<number>;
}

/** What goes to several pipelines. */
interface FanOut {
  /** The pipelines, which have started. */
  readonly branches: readonly Branch[];
  /** Interrupted when nobody is to wait for their inputs any more. */
  readonly until: Interruptible;
  /** Whether the pipeline was stopped, so that its output is not complete. */
  readonly stopped: () => boolean;
}

/** The inputs of the branches that have started. */
function inputsOf(
  branches: readonly Branch[],
): (WritableStreamDefaultWriter<Uint8Array> | undefined)[] {
  return branches.map((branch) => {
    const writer = branch.stdin?.getWriter();
    // An input that is not complete stays open as long as somebody reads it.
    if (writer !== undefined) {
      branch.ended(0).then(() => writer.abort(nobodyReads())).catch(() => {});
    }
    return writer;
  });
}

/**
 * Writes the output of a pipeline to several others, and closes their inputs if
 * it was complete. The slowest one sets the pace; one that reads no more is left
 * out.
 *
 * @param reader The output.
 * @returns Whether somebody read it to its end.
 */
export async function fanOut(
  reader: ReadableStreamDefaultReader<Bytes>,
  { branches, until, stopped }: FanOut,
): Promise<boolean> {
  const writers = inputsOf(branches);
  if (!stopped()) {
    branches.forEach(({ atGate }, i) => {
      if (atGate) writers[i]?.write(GO).catch(() => {});
    });
  }
  const readers = new Set(writers.filter((writer) => writer !== undefined));
  type Writer = WritableStreamDefaultWriter<Uint8Array>;
  const each = (work: (writer: Writer) => Promise<void>) =>
    until.wait(Promise.all(Array.from(readers, async (writer) => {
      if (await unlessUnread(work(writer))) return;
      readers.delete(writer);
      writer.abort().catch(() => {});
    })));
  while (readers.size > 0) {
    const { value } = await reader.read();
    if (value === undefined) {
      if (!stopped()) await each(closeWriter);
      return true;
    }
    await each((writer) => writer.write(value));
  }
  await reader.cancel();
  return false;
}

/**
 * Waits for the process that sends the output of a pipeline to several others.
 * Their inputs stay open in this program too, so that only an output that is
 * complete ends them.
 *
 * @param status Resolves to the status of that process.
 * @param kill Ends it.
 * @throws {Error} If it failed.
 */
export async function awaitTee(
  status: Promise<number>,
  kill: () => void,
  { branches, until, stopped }: FanOut,
): Promise<void> {
  const inputs = inputsOf(branches);
  let left = branches.length;
  let unread = false;
  for (const branch of branches) {
    branch.ended(0).catch(() => {}).then(() => {
      if (--left > 0) return;
      // It may wait for output that nobody would read.
      unread = true;
      kill();
    });
  }
  const ended = await status;
  // It has a status of 1 when a reader was gone before it began, and some kinds
  // of it when one has ended.
  const failed = ended < 0 || ended >= 126;
  if (failed && !unread && !stopped()) {
    throw new Error(
      `Cannot send the output to several pipelines: the tee between them failed, received ${
        ended < 0 ? `signal ${-ended}` : `exit status ${ended}`
      }`,
    );
  }
  if (stopped()) return;
  await until.wait(
    Promise.all(
      inputs.map((input) => input && unlessUnread(closeWriter(input))),
    ),
  );
}

// `TextLineStream` of @std/streams is as fast, but a stream: the blocking form
// needs one that is none, and both are to cut the same lines.
/**
 * Cuts text into lines as it comes. A line ends with "\n" or "\r\n"; "\r" alone
 * is a character like others. A line may be of any length: what is left of one
 * is only searched once.
 */
class LineSplitter {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #rest = "";

  /** The lines that these bytes complete, without their ends. */
  push(bytes: Uint8Array): string[] {
    // The decoder keeps the first bytes of a character that is cut in two.
    const lines = this.#decoder.decode(bytes, { stream: true }).split("\n");
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop()!;
    for (let i = 0; i < lines.length; i++) {
      if (lines[i].endsWith("\r")) lines[i] = lines[i].slice(0, -1);
    }
    return lines;
  }

  /** The last line, if the text does not end with a newline. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = "";
    return rest === "" ? [] : [rest];
  }
}

/** Where lines come from, and what happens when nobody wants more of them. */
interface LineSource {
  /** The next bytes, or `undefined` at the end. */
  read(): Promise<Uint8Array | undefined>;
  /** Is called once: at the end, after an error, or when the reader stops. */
  close(early: boolean): Promise<void>;
}

/**
 * The lines of a source, read as they are asked for. Written by hand, because
 * an async generator takes three turns of the queue for each line.
 */
export class Lines implements AsyncIterableIterator<string> {
  readonly #open: () => Promise<LineSource>;
  readonly #splitter = new LineSplitter();
  #source?: Promise<LineSource>;
  #lines: string[] = [];
  #next = 0;
  #ended = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** Makes an iterator; the source is opened by the first `next`. */
  constructor(open: () => Promise<LineSource>) {
    this.#open = open;
  }

  /** The next line. */
  next(): Promise<IteratorResult<string, undefined>> {
    if (this.#next < this.#lines.length) {
      return Promise.resolve({ value: this.#lines[this.#next++], done: false });
    }
    // One at a time, in case it is called again before the last one resolved.
    const result = this.#turn.then(() => this.#refill());
    this.#turn = result.catch(() => {});
    return result;
  }

  async #refill(): Promise<IteratorResult<string, undefined>> {
    while (this.#next >= this.#lines.length) {
      if (this.#ended) return { value: undefined, done: true };
      try {
        const source = await (this.#source ??= this.#open());
        const bytes = await source.read();
        if (bytes === undefined) {
          this.#lines = this.#splitter.end();
          await this.#close(false);
        } else {
          this.#lines = this.#splitter.push(bytes);
        }
        this.#next = 0;
      } catch (error) {
        await this.#close(true).catch(() => {});
        throw error;
      }
    }
    return { value: this.#lines[this.#next++], done: false };
  }

  async #close(early: boolean): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const source = await this.#source;
    await source?.close(early);
  }

  /** Stops; whoever writes the lines is ended. */
  async return(): Promise<IteratorResult<string, undefined>> {
    this.#lines = [];
    await this.#close(true);
    return { value: undefined, done: true };
  }

  /** The iterator itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** A source of lines that blocks the thread. */
export interface LineSourceSync {
  /** The next bytes, or `undefined` at the end. */
  read(): Uint8Array | undefined;
  /** Is called once: at the end, after an error, or when the reader stops. */
  close(early: boolean): void;
}

/** The lines of a source, which is opened and read as they are asked for. */
export function* linesSync(
  open: () => LineSourceSync,
): Generator<string, undefined, undefined> {
  const source = open();
  const splitter = new LineSplitter();
  let early = true;
  try {
    let bytes: Uint8Array | undefined;
    while ((bytes = source.read()) !== undefined) yield* splitter.push(bytes);
    yield* splitter.end();
    early = false;
  } finally {
    source.close(early);
  }
}
