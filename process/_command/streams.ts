/**
 * The byte streams between this program and its children: what a source gives is
 * written to a child's standard input, what a child writes is collected.
 *
 * @module
 */

import type { CheckedSource, Chunk, FilePath } from "./options.ts";

/** What the blocking forms read. */
export type CheckedSyncSource = Exclude<
  CheckedSource,
  Blob | Response | Request | ReadableStream<Chunk> | AsyncIterable<Chunk>
>;

const CHUNK = 65536;
const encoder = new TextEncoder();

/** The bytes of a chunk. */
export function bytesOf(chunk: Chunk): Uint8Array {
  if (typeof chunk === "string") return encoder.encode(chunk);
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError(
    `Cannot feed a command: a source must give strings or bytes, received ${
      Object.prototype.toString.call(chunk)
    }`,
  );
}

/** A source that is being read. */
export interface Input {
  /** The next chunk. */
  next(): Promise<IteratorResult<Chunk, unknown>>;
  /**
   * Ends the reading at once: a stream is cancelled and unlocked, an iterator
   * told to return, unless it is at its end or has failed.
   *
   * @param reason Why, for a stream.
   * @returns What the source does for that; it need not come to an end.
   */
  leave(reason: unknown): unknown;
}

/**
 * Begins to read a source that is not a path.
 *
 * @throws {TypeError} If it is a locked stream, or a body that was read.
 */
export function openInput(
  source: Exclude<CheckedSource, URL | FilePath>,
): Input {
  if (source instanceof Response || source instanceof Request) {
    if (source.bodyUsed) {
      // By a run before this one; what is left of it is no input.
      throw new TypeError(
        "Cannot run a command: the body of a source must be unread, received one that was read",
      );
    }
    source = source.body ?? "";
  } else if (source instanceof Blob) source = source.stream();
  if (source instanceof ReadableStream) {
    const reader = source.getReader();
    return reading(() => reader.read(), (reason) => {
      // This ends a read that waits; the return() of an iterator would not.
      const cancelled = reader.cancel(reason);
      reader.releaseLock();
      return cancelled;
    }, () => reader.releaseLock());
  }
  const iterator = iterate(source);
  return reading(() => iterator.next(), () => iterator.return?.());
}

function reading(
  next: () => unknown,
  leave: (reason: unknown) => unknown,
  close?: () => void,
): Input {
  // At the end, or after an error.
  let over = false;
  return {
    async next() {
      try {
        const step = await next() as IteratorResult<Chunk, unknown>;
        if (step.done) over = true;
        return step;
      } catch (error) {
        over = true;
        throw error;
      }
    },
    leave(reason) {
      if (over) return close?.();
      over = true;
      return leave(reason);
    },
  };
}

/**
 * Leaves the source and the sink of a pipeline that could not start. Errors of
 * theirs are ignored: there is one already.
 */
export function discard(
  source: unknown,
  sinks: readonly unknown[],
  reason: unknown,
): void {
  const quietly = (work: () => unknown) => {
    try {
      Promise.resolve(work()).catch(() => {});
    } catch {
      // A generator may throw when it is told to return.
    }
  };
  if (source instanceof Response || source instanceof Request) {
    source = source.body;
  }
  if (source instanceof ReadableStream) {
    const stream = source;
    quietly(() => stream.cancel(reason));
  } else if (!(source instanceof Deno.FsFile)) {
    // Of what can be iterated, only an iterator has begun.
    quietly(() => {
      const iterator = source as Iterator<unknown> | undefined;
      return typeof iterator?.next === "function" ? iterator.return?.() : null;
    });
  }
  for (const sink of new Set(sinks)) {
    if (sink instanceof WritableStream) quietly(() => sink.abort(reason));
  }
}

function iterate(
  source: Exclude<CheckedSyncSource, URL | FilePath> | AsyncIterable<Chunk>,
): AsyncIterator<Chunk> | Iterator<Chunk> {
  if (typeof source === "string" || source instanceof Uint8Array) {
    return [source][Symbol.iterator]();
  }
  if (source instanceof Deno.FsFile) return readFile(source);
  return Symbol.asyncIterator in source
    ? source[Symbol.asyncIterator]()
    : source[Symbol.iterator]();
}

async function* readFile(file: Deno.FsFile): AsyncGenerator<Uint8Array> {
  while (true) {
    const buffer = new Uint8Array(CHUNK);
    const read = await file.read(buffer);
    if (read === null) return;
    yield buffer.subarray(0, read);
  }
}

/** How many bytes there are from where a source stands, if that is known. */
export function sizeOf(source: unknown): number | undefined {
  if (typeof source === "string") return encoder.encode(source).length;
  if (source instanceof Uint8Array) return source.length;
  if (source instanceof Blob) return source.size;
  if (!(source instanceof Deno.FsFile)) return undefined;
  const { isFile, size } = source.statSync();
  if (!isFile) return undefined;
  return Math.max(0, size - source.seekSync(0, Deno.SeekMode.Current));
}

/** How long the blocking forms put small chunks together before they go on. */
const PATIENCE = 5;

/** A source that the blocking forms read piece by piece, as it is needed. */
export class InputSync {
  readonly #source: Exclude<CheckedSyncSource, URL | FilePath>;
  #iterator?: Iterator<Chunk>;
  #rest: Uint8Array = new Uint8Array(0);
  #ended = false;
  /** What the source threw, if it did. */
  failure?: { error: unknown };

  /** Takes a source that is not a path; reads nothing of it yet. */
  constructor(source: Exclude<CheckedSyncSource, URL | FilePath>) {
    this.#source = source;
  }

  /**
   * Puts the next bytes into a window.
   *
   * @returns How many; 0 at the end, -1 if the source failed.
   */
  fill(window: Uint8Array): number {
    const end = performance.now() + PATIENCE;
    let size = 0;
    try {
      while (size < window.length && this.#pull()) {
        const piece = this.#rest.subarray(0, window.length - size);
        window.set(piece, size);
        size += piece.length;
        this.#rest = this.#rest.subarray(piece.length);
        if (performance.now() > end) break;
      }
    } catch (error) {
      // The next call says so, if there are bytes before it.
      this.failure = { error };
    }
    return size === 0 && this.failure !== undefined ? -1 : size;
  }

  /** Sees that there are bytes; says whether there are any. */
  #pull(): boolean {
    while (this.#rest.length === 0 && !this.#ended) {
      if (this.failure !== undefined) return false;
      this.#iterator ??= iterateSync(this.#source);
      // It has ended, too, if this throws.
      this.#ended = true;
      const { value, done } = this.#iterator.next();
      if (done) break;
      this.#ended = false;
      this.#rest = bytesOf(value);
    }
    return this.#rest.length > 0;
  }

  /** Tells an iterator that was not read to its end to return. */
  leave(): void {
    if (this.#ended) return;
    this.#ended = true;
    // Of what can be iterated, only an iterator has begun by itself.
    const source = this.#source as unknown as Iterator<Chunk>;
    const iterator = this.#iterator ?? source;
    if (typeof iterator.next === "function") iterator.return?.();
  }
}

function iterateSync(
  source: Exclude<CheckedSyncSource, URL | FilePath>,
): Iterator<Chunk> {
  if (typeof source === "string" || source instanceof Uint8Array) {
    return [source][Symbol.iterator]();
  }
  return source instanceof Deno.FsFile
    ? readFileSync(source)
    : source[Symbol.iterator]();
}

function* readFileSync(file: Deno.FsFile): Generator<Uint8Array> {
  while (true) {
    const buffer = new Uint8Array(CHUNK);
    const read = file.readSync(buffer);
    if (read === null) return;
    yield buffer.subarray(0, read);
  }
}

/** Something open to write to: a file, or a stream of this program. */
interface OpenFile {
  write(bytes: Uint8Array): Promise<number>;
}

/**
 * What gets output: streams of the user's, and what is open. Each has one writer,
 * however many processes write to it, so that no piece is cut into another one.
 */
export class Sinks {
  readonly #writers = new Map<
    object,
    WritableStreamDefaultWriter<Uint8Array>
  >();

  /**
   * The writer of one.
   *
   * @throws {TypeError} If it is a stream that is locked.
   */
  writerOf(
    to: WritableStream<Uint8Array> | OpenFile,
  ): WritableStreamDefaultWriter<Uint8Array> {
    let writer = this.#writers.get(to);
    if (writer === undefined) {
      const stream = to instanceof WritableStream ? to : streamTo(to);
      this.#writers.set(to, writer = stream.getWriter());
    }
    return writer;
  }

  /** All the writers, which are none of it any more. */
  take(): WritableStreamDefaultWriter<Uint8Array>[] {
    const writers = [...this.#writers.values()];
    this.#writers.clear();
    return writers;
  }
}

/** A stream that writes to others, one after the other. */
export function streamToAll(
  writers: readonly WritableStreamDefaultWriter<Uint8Array>[],
): WritableStream<Uint8Array> {
  return new WritableStream({
    async write(bytes) {
      for (const writer of writers) await writer.write(bytes);
    },
  });
}

/** A stream into an open file, which it leaves open. */
function streamTo(file: OpenFile): WritableStream<Uint8Array> {
  return new WritableStream({
    async write(bytes) {
      for (let at = 0; at < bytes.length;) {
        at += await file.write(bytes.subarray(at));
      }
    },
  });
}

/** Writes all of the bytes to an open file. */
export function writeAllSync(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    at += file.writeSync(bytes.subarray(at));
  }
}

// `toBytes` of @std/streams has no limit, and no memory that threads share.
/**
 * Joins chunks into one.
 *
 * @param chunks The chunks.
 * @param shared Whether in memory that threads share.
 */
export function concat(
  chunks: readonly Uint8Array[],
  shared?: false,
): Uint8Array<ArrayBuffer>;
export function concat(
  chunks: readonly Uint8Array[],
  shared?: boolean,
): Uint8Array;
export function concat(
  chunks: readonly Uint8Array[],
  shared = false,
): Uint8Array {
  const length = chunks.reduce((sum, c) => sum + c.length, 0);
  const bytes = new Uint8Array(
    shared ? new SharedArrayBuffer(length) : new ArrayBuffer(length),
  );
  let end = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, end);
    end += chunk.length;
  }
  return bytes;
}

/** What to write to which stream, and what to call. */
interface Feeding {
  /** Opens the source. */
  open: () => Input;
  /** The child's standard input. */
  stdin: WritableStream<Uint8Array>;
  /** Interrupted when nobody needs more of the source. */
  until: Interruptible;
  /** Resolves when the children have ended. */
  ended: Promise<unknown>;
  /** Is told of every chunk's size, once it is written. */
  report?: (bytes: number) => void;
  /** Is told of an error of the source; it ends the children. */
  fail: (error: unknown) => void;
  /** The error for which the pipeline ends, if there is one. */
  reason: () => unknown;
}

/**
 * Writes all that a source gives, and closes the child's standard input. A
 * child that reads no more of it ends this early, which is no error; every
 * error of the source is one. A source that is not read to its end is left:
 * cancelled, or told to return.
 */
export async function feed(feeding: Feeding): Promise<void> {
  const { stdin, ended, fail, reason } = feeding;
  const writer = stdin.getWriter();
  let input: Input | undefined;
  let finished = false;
  try {
    input = feeding.open();
    finished = await pump(input, writer, feeding);
  } catch (error) {
    fail(error);
  }
  try {
    await forOneTurn(input?.leave(reason()));
  } catch (error) {
    fail(error);
  }
  // A child that reads the end of its input takes it for complete. So an input
  // that is not complete stays open as long as the child lives.
  if (!finished) await ended;
  writer.abort().catch(() => {});
}

/** Writes the source; says whether the child has got all it wants. */
async function pump(
  input: Input,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  { until, report }: Feeding,
): Promise<boolean> {
  while (true) {
    const step = await until.wait(input.next());
    if (step === INTERRUPTED) return false;
    if (step.done) break;
    const bytes = bytesOf(step.value);
    if (bytes.length === 0) continue;
    const written = await until.wait(unlessUnread(writer.write(bytes)));
    if (written === INTERRUPTED) return false;
    if (!written) return true;
    report?.(bytes.length);
  }
  return await until.wait(unlessUnread(closeWriter(writer))) !== INTERRUPTED;
}

/**
 * Closes a stream. If it has failed before, this rejects with the error of the
 * stream, where `close` itself rejects with another one.
 */
export async function closeWriter(
  writer: WritableStreamDefaultWriter<Uint8Array>,
): Promise<void> {
  try {
    await writer.close();
  } catch (error) {
    if (error instanceof TypeError) await writer.closed;
    throw error;
  }
}

/**
 * Waits until something is written to a child's standard input, or that is
 * closed: the one place where a broken pipe is no error.
 *
 * @returns Whether anybody reads it.
 */
export async function unlessUnread(written: Promise<void>): Promise<boolean> {
  try {
    await written;
    return true;
  } catch (error) {
    if (
      error instanceof Deno.errors.BrokenPipe ||
      error instanceof Deno.errors.ConnectionReset
    ) return false;
    throw error;
  }
}

/** The error of writing to a pipeline whose first process has ended. */
export function nobodyReads(): Error {
  return new Deno.errors.BrokenPipe(
    "Cannot write to a pipeline: its first command reads no more of its input",
  );
}

type Bytes = Uint8Array<ArrayBuffer>;

/** What is done with the bytes. */
interface Collecting {
  /** Where they are kept, if they are. */
  chunks?: Bytes[];
  /** How many are kept at most. */
  limit: number;
  /** Where they are written, if they are. */
  copy?: WritableStreamDefaultWriter<Uint8Array>;
  /** Interrupted when nobody is to wait for the copy any more. */
  until: Interruptible;
}

/**
 * Reads a stream to its end.
 *
 * @param reader The stream.
 * @param collecting What is done with the bytes.
 * @returns Whether there are more than the limit; the rest is left unread.
 */
export async function collect(
  reader: ReadableStreamDefaultReader<Bytes>,
  { chunks, limit, copy, until }: Collecting,
): Promise<boolean> {
  let size = 0;
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return false;
      if (chunks !== undefined) {
        size += value.length;
        if (size > limit) {
          chunks.push(value.subarray(0, value.length - (size - limit)));
          return true;
        }
        chunks.push(value);
      }
      // The copy may be stuck; then only the end of the pipeline helps.
      if (copy && await until.wait(copy.write(value)) === INTERRUPTED) {
        return false;
      }
    }
  } finally {
    // Whoever still writes must know that nobody reads.
    await reader.cancel().catch(() => {});
  }
}

// `mergeReadableStreams` of @std/streams reads ahead without end, and cannot be
// cancelled.
/**
 * Joins streams: chunks are passed on in the order of their arrival. It does not
 * read ahead, and cancelling it cancels all of them.
 *
 * @param streams The streams.
 * @returns The stream of all their chunks.
 */
export function join(
  ...streams: readonly ReadableStream<Bytes>[]
): ReadableStream<Bytes> {
  const readers = streams.map((stream) => stream.getReader());
  /** What has come and was not passed on yet; at most one chunk of a stream. */
  const come: (() => Bytes | undefined)[] = [];
  let wake: (() => void) | undefined;
  let left = readers.length;
  const next = (reader: ReadableStreamDefaultReader<Bytes>) => {
    const add = (take: () => Bytes | undefined) => {
      come.push(take);
      wake?.();
    };
    reader.read().then(
      ({ value, done }) =>
        add(() => {
          if (done) return void left--;
          next(reader);
          return value;
        }),
      (error) =>
        add(() => {
          throw error;
        }),
    );
  };
  readers.forEach(next);
  return new ReadableStream({
    async pull(controller) {
      while (left > 0) {
        if (come.length === 0) {
          await new Promise<void>((resolve) => wake = resolve);
        }
        const bytes = come.shift()!();
        if (bytes !== undefined) return controller.enqueue(bytes);
      }
      controller.close();
    },
    async cancel(reason) {
      await Promise.all(readers.map((reader) => reader.cancel(reason)));
    },
  }, { highWaterMark: 0 });
}

/** The result of a wait that was interrupted. */
const INTERRUPTED = Symbol("interrupted");

// `abortable` of @std/async adds a listener, and a promise to a race, for each
// wait: there is one for each chunk.
/**
 * Waits for one promise after the other, until it is interrupted. Unlike
 * `Promise.race` with a promise for the end, it leaves nothing behind at that
 * promise for each wait.
 */
export class Interruptible {
  #interrupted = false;
  #leave?: () => void;

  /** Ends the wait under way, and all that follow. */
  interrupt(): void {
    this.#interrupted = true;
    this.#leave?.();
  }

  /**
   * Waits for a promise. A promise that is not waited for any more may fail
   * without a word.
   */
  wait<T>(promise: T | PromiseLike<T>): Promise<T | typeof INTERRUPTED> {
    return new Promise((resolve, reject) => {
      Promise.resolve(promise).then(resolve, reject);
      if (this.#interrupted) resolve(INTERRUPTED);
      this.#leave = () => resolve(INTERRUPTED);
    });
  }
}

/**
 * Waits for code of the user that may never come to its end. An error within one
 * turn of the event loop is thrown here; a later one is ignored.
 */
export async function forOneTurn(work: unknown): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const turn = new Promise<void>((resolve) => timer = setTimeout(resolve, 0));
  try {
    await Promise.race([work, turn]);
  } finally {
    clearTimeout(timer);
  }
}
