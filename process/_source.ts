// Where the bytes of a source come from.
import { fileURLToPath } from "node:url";
import type {
  Chunk,
  FilePath,
  Source,
  SyncSource,
} from "./_command/options.ts";

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

/** The path, if this names a file. */
export function pathOf(place: unknown): FilePath | undefined {
  if (place instanceof URL) return { path: fileURLToPath(place) };
  if (
    typeof place === "object" && place !== null &&
    typeof (place as FilePath).path === "string"
  ) {
    return place as FilePath;
  }
  return undefined;
}

/** A source that is being read. */
export interface Input {
  /** The next chunk. */
  next(): Promise<IteratorResult<Chunk, unknown>>;
  /**
   * Ends the reading, wherever it stands: a stream is cancelled and unlocked, an
   * iterator told to return, unless it is at its end or has failed.
   *
   * @param reason Why, for a stream.
   * @returns What the source does for that; it need not come to an end.
   */
  leave(reason: unknown): unknown;
}

/**
 * Begins to read a source that is not a path.
 *
 * @throws {TypeError} If it is a locked stream.
 */
export function openInput(source: Exclude<Source, URL | FilePath>): Input {
  if (source instanceof ReadableStream) {
    const reader = source.getReader();
    return reading(() => reader.read(), (reason) => {
      // A read that waits ends by that, which an iterator's return() does not
      // bring about.
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
 * Leaves a source and a sink that were given to a pipeline that could not
 * start. What they say to that is not heard: there is an error already.
 */
export function discard(source: unknown, sink: unknown, reason: unknown): void {
  const quietly = (work: () => unknown) => {
    try {
      Promise.resolve(work()).catch(() => {});
    } catch {
      // A generator may throw when it is told to return.
    }
  };
  if (source instanceof ReadableStream) {
    quietly(() => source.cancel(reason));
  } else if (!(source instanceof Deno.FsFile)) {
    // Of what can be iterated, only an iterator has begun.
    quietly(() => {
      const iterator = source as Iterator<unknown> | undefined;
      return typeof iterator?.next === "function" ? iterator.return?.() : null;
    });
  }
  if (sink instanceof WritableStream) quietly(() => sink.abort(reason));
}

function iterate(
  source: Exclude<Source, URL | FilePath | ReadableStream<Chunk>>,
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
  if (!(source instanceof Deno.FsFile)) return undefined;
  const { isFile, size } = source.statSync();
  if (!isFile) return undefined;
  return Math.max(0, size - source.seekSync(0, Deno.SeekMode.Current));
}

/** A source as one that can be sent to another thread. */
export function settled(source: SyncSource): Chunk | FilePath {
  const path = pathOf(source);
  if (path !== undefined) return path;
  if (typeof source === "string" || source instanceof Uint8Array) return source;
  const chunks = source instanceof Deno.FsFile
    ? [...readFileSync(source)]
    : [...source as Iterable<Chunk>].map(bytesOf);
  return concat(chunks);
}

function* readFileSync(file: Deno.FsFile): Generator<Uint8Array> {
  while (true) {
    const buffer = new Uint8Array(CHUNK);
    const read = file.readSync(buffer);
    if (read === null) return;
    yield buffer.subarray(0, read);
  }
}

/** A stream into an open file, which it leaves open. */
export function streamTo(file: Deno.FsFile): WritableStream<Uint8Array> {
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
