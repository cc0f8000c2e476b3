/**
 * The text streams of a child, in both forms. The rules are those of Python's
 * files: a line keeps its newline, "" is the end.
 *
 * @module
 */

import { checkInteger, shown } from "../_internal/check.ts";

/** Text that has been decoded and not yet read. */
class TextBuffer {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #parts: string[] = [];
  #length = 0;

  /** How many characters (UTF-16 units) there are. */
  get length(): number {
    return this.#length;
  }

  /** Adds bytes; none means the end. Says whether a newline is among them. */
  push(bytes: Uint8Array | undefined): boolean {
    const text = bytes === undefined
      ? this.#decoder.decode()
      : this.#decoder.decode(bytes, { stream: true });
    this.#parts.push(text);
    this.#length += text.length;
    return text.includes("\n");
  }

  /** Drops all text. */
  clear(): void {
    this.#parts = [];
    this.#length = 0;
  }

  #joined(): string {
    if (this.#parts.length !== 1) this.#parts = [this.#parts.join("")];
    return this.#parts[0];
  }

  /** Takes a line with its newline, if there is one. */
  takeLine(): string | undefined {
    if (this.#length === 0) return undefined;
    const end = this.#joined().indexOf("\n");
    return end < 0 ? undefined : this.take(end + 1);
  }

  /** Takes so many characters, or what there is. */
  take(count: number): string {
    const text = this.#joined();
    if (count >= text.length) {
      this.clear();
      return text;
    }
    // A character beyond the first 65536 is two units, never cut in two.
    const last = text.charCodeAt(count - 1);
    const end = last >= 0xd800 && last < 0xdc00 ? count + 1 : count;
    this.#parts = [text.slice(end)];
    this.#length = text.length - end;
    return text.slice(0, end);
  }
}

/** Cuts text into lines that keep their newlines. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Checks how many characters are asked for. */
function countOf(count: number | undefined): number {
  if (count === undefined || count === Infinity) return Infinity;
  checkInteger(count, "read text", "the number of characters", 0);
  return count;
}

/**
 * Checks what a caller writes to a child.
 *
 * @param closed Whether the stream has been closed.
 * @throws {TypeError} If it is neither text nor bytes, or the stream is closed.
 */
function checkWrite(data: unknown, closed: boolean): void {
  const what = "write to a child";
  if (typeof data !== "string" && !(data instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot ${what}: data must be text or bytes, received ${shown(data)}`,
    );
  }
  if (closed) {
    throw new TypeError(
      `Cannot ${what}: the stream was closed, received ${data.length} more`,
    );
  }
}

/** Reads a stream of bytes as text. */
export let createTextReader: (stream: ReadableStream<Uint8Array>) => TextReader;

/**
 * Reads what a child writes, as text. After the file objects of Python: a line
 * keeps its newline, and the end is an empty string. Made by
 * {@linkcode popen2} and its relatives.
 *
 * @example
 * ```ts
 * import { popen2 } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { stdout, process } = popen2("echo spam; echo eggs");
 * assertEquals(await stdout.readline(), "spam\n");
 * assertEquals(await stdout.read(), "eggs\n");
 * assertEquals(await process.wait(), 0);
 * ```
 */
export class TextReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #buffer = new TextBuffer();
  #ended = false;
  #closed = false;
  #turn: Promise<unknown> = Promise.resolve();
  #busy = 0;

  static {
    createTextReader = (stream) => new TextReader(stream);
  }

  /** @ignore */
  private constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** One call after the other, so that no two cut the text between them. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    this.#busy++;
    try {
      if (this.#busy > 1) await before;
      return await work();
    } finally {
      this.#busy--;
      resolve();
    }
  }

  /** Gets more text; says whether a newline came. */
  async #fill(): Promise<boolean> {
    const { value, done } = await this.#reader.read();
    if (this.#closed) return false;
    this.#ended = done;
    return this.#buffer.push(value);
  }

  /**
   * Reads so many characters, or everything.
   *
   * @param count How many; fewer come only at the end.
   * @returns The text, `""` at the end.
   * @throws {TypeError} If the count is not a number.
   * @throws {RangeError} If it is not an integer from 0.
   *
   * @example
   * ```ts
   * import { popen2 } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const { stdout } = popen2("echo spam");
   * assertEquals(await stdout.read(2), "sp");
   * assertEquals(await stdout.read(), "am\n");
   * ```
   */
  async read(count?: number): Promise<string> {
    const most = countOf(count);
    if (most === 0) return "";
    return await this.#alone(async () => {
      while (!this.#ended && this.#buffer.length < most) await this.#fill();
      return this.#buffer.take(most);
    });
  }

  /**
   * Reads a line, which ends with `\n`. Nothing is changed: also a `\r` before
   * it is given.
   *
   * @returns The line with its newline, which the last may lack; `""` at the
   * end.
   *
   * @example
   * ```ts
   * import { popen2 } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const { stdout } = popen2("echo spam");
   * assertEquals(await stdout.readline(), "spam\n");
   * assertEquals(await stdout.readline(), "");
   * ```
   */
  async readline(): Promise<string> {
    return await this.#alone(async () => {
      const line = this.#buffer.takeLine();
      if (line !== undefined) return line;
      while (!this.#ended && !await this.#fill());
      return this.#buffer.takeLine() ?? this.#buffer.take(Infinity);
    });
  }

  /**
   * Reads all lines that are left.
   *
   * @returns The lines, with their newlines.
   *
   * @example
   * ```ts
   * import { popen2 } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const { stdout } = popen2("echo spam; echo eggs");
   * assertEquals(await stdout.readlines(), ["spam\n", "eggs\n"]);
   * ```
   */
  async readlines(): Promise<string[]> {
    return linesOf(await this.read());
  }

  /**
   * Stops reading; a child that goes on writing gets SIGPIPE. From then on every
   * read is at the end, also one that waits: what came and was not read is
   * dropped. Does nothing the second time, or when reading has failed.
   *
   * @returns When it is done.
   *
   * @example
   * ```ts
   * import { popen2 } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const { stdout, process } = popen2(["yes"]);
   * await stdout.close();
   * assertEquals(await process.wait(), -13);
   * ```
   */
  async close(): Promise<void> {
    this.#ended = true;
    this.#closed = true;
    this.#buffer.clear();
    await this.#reader.cancel().catch(() => {});
  }

  /** The lines that are left, as `readline` gives them. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<string> {
    let line: string;
    while ((line = await this.readline()) !== "") yield line;
  }
}

/** Writes text to a stream of bytes. */
export let createTextWriter: (stream: WritableStream<Uint8Array>) => TextWriter;

/**
 * Writes text, or bytes, to what a child reads. Made by {@linkcode popen2} and
 * its relatives.
 *
 * @example
 * ```ts
 * import { popen2 } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { stdin, stdout } = popen2(["cat"]);
 * await stdin.write("spam\n");
 * assertEquals(await stdout.readline(), "spam\n");
 * await stdin.close();
 * ```
 */
export class TextWriter {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #encoder = new TextEncoder();
  #last: Promise<void> = Promise.resolve();
  #failed = false;
  #closed?: Promise<void>;

  static {
    createTextWriter = (stream) => new TextWriter(stream);
  }

  /** @ignore */
  private constructor(stream: WritableStream<Uint8Array>) {
    this.#writer = stream.getWriter();
  }

  /**
   * Writes text or bytes. They are on their way at once, whether the promise is
   * awaited or not; it waits until the child has room for them.
   *
   * @param data The text or the bytes.
   * @returns When they are written.
   * @throws {Deno.errors.BrokenPipe} If the child does not read any more.
   * @throws {TypeError} If it is neither, or the stream was closed.
   *
   * @example
   * ```ts
   * import { popen2 } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const { stdin, stdout } = popen2(["sort"]);
   * await stdin.write("foo\n");
   * await stdin.write("bar\n");
   * await stdin.close();
   * assertEquals(await stdout.read(), "bar\nfoo\n");
   * ```
   */
  write(data: string | Uint8Array): Promise<void> {
    checkWrite(data, this.#closed !== undefined);
    const bytes = typeof data === "string" ? this.#encoder.encode(data) : data;
    const written = this.#writer.write(bytes);
    this.#last = written;
    // Whoever does not await it learns of the failure by flush().
    written.catch(() => this.#failed = true);
    return written;
  }

  /**
   * Waits until all that was written has gone.
   *
   * @returns When it is done.
   * @throws {Deno.errors.BrokenPipe} If the child does not read any more.
   *
   * @example
   * ```ts
   * import { popen2 } from "@skein/std/process";
   *
   * const { stdin } = popen2(["cat"]);
   * stdin.write("spam");
   * await stdin.flush();
   * await stdin.close();
   * ```
   */
  async flush(): Promise<void> {
    await this.#last;
  }

  /**
   * Says that no more will be written: the child reads the end. Does nothing
   * the second time, or when a write has failed before.
   *
   * @returns When it is done.
   * @throws {Deno.errors.BrokenPipe} If the child does not read what is still
   * being written.
   *
   * @example
   * ```ts
   * import { popen2 } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const { stdin, process } = popen2(["cat"]);
   * await stdin.close();
   * assertEquals(await process.wait(), 0);
   * ```
   */
  close(): Promise<void> {
    return this.#closed ??= this.#failed
      ? Promise.resolve()
      : this.#writer.close();
  }
}

const BUFFER = 65536;

/** What is read: a file, or what stands for one. */
export type ReadSync = Pick<Deno.FsFile, "readSync" | "close">;

/** What is written to: a file, or what stands for one. */
export type WriteSync = Pick<Deno.FsFile, "writeSync" | "close">;

/** Reads a pipe as text; the file belongs to the reader. */
export let createTextReaderSync: (file: ReadSync) => TextReaderSync;

/**
 * Reads what a child writes, as text, blocking the thread. After the file
 * objects of Python: a line keeps its newline, and the end is an empty string.
 * Made by {@linkcode popen2Sync} and its relatives.
 *
 * @example
 * ```ts
 * import { popen2Sync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { stdout, stdin, process } = popen2Sync("echo spam; echo eggs");
 * assertEquals(stdout.readline(), "spam\n");
 * assertEquals(stdout.read(), "eggs\n");
 * stdout.close();
 * stdin.close();
 * assertEquals(process.waitSync(), 0);
 * ```
 */
export class TextReaderSync {
  readonly #file: ReadSync;
  readonly #bytes = new Uint8Array(BUFFER);
  readonly #buffer = new TextBuffer();
  #ended = false;
  #closed = false;

  static {
    createTextReaderSync = (file) => new TextReaderSync(file);
  }

  /** @ignore */
  private constructor(file: ReadSync) {
    this.#file = file;
  }

  /** Gets more text; says whether a newline came. */
  #fill(): boolean {
    const read = this.#file.readSync(this.#bytes);
    if (read !== null) return this.#buffer.push(this.#bytes.subarray(0, read));
    this.#ended = true;
    return this.#buffer.push(undefined);
  }

  /**
   * Reads so many characters, or everything.
   *
   * @param count How many; fewer come only at the end.
   * @returns The text, `""` at the end.
   * @throws {TypeError} If the count is not a number.
   * @throws {RangeError} If it is not an integer from 0.
   *
   * @example
   * ```ts
   * import { popen2Sync } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using child = popen2Sync("echo spam");
   * assertEquals(child.stdout.read(2), "sp");
   * ```
   */
  read(count?: number): string {
    const most = countOf(count);
    if (most === 0) return "";
    while (!this.#ended && this.#buffer.length < most) this.#fill();
    return this.#buffer.take(most);
  }

  /**
   * Reads a line, which ends with `\n`. Nothing is changed: also a `\r` before
   * it is given.
   *
   * @returns The line with its newline, which the last may lack; `""` at the
   * end.
   *
   * @example
   * ```ts
   * import { popen2Sync } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using child = popen2Sync("echo spam");
   * assertEquals(child.stdout.readline(), "spam\n");
   * assertEquals(child.stdout.readline(), "");
   * ```
   */
  readline(): string {
    const line = this.#buffer.takeLine();
    if (line !== undefined) return line;
    while (!this.#ended && !this.#fill());
    return this.#buffer.takeLine() ?? this.#buffer.take(Infinity);
  }

  /**
   * Reads all lines that are left.
   *
   * @returns The lines, with their newlines.
   *
   * @example
   * ```ts
   * import { popen2Sync } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using child = popen2Sync("echo spam; echo eggs");
   * assertEquals(child.stdout.readlines(), ["spam\n", "eggs\n"]);
   * ```
   */
  readlines(): string[] {
    return linesOf(this.read());
  }

  /**
   * Stops reading; a child that goes on writing gets SIGPIPE. From then on every
   * read is at the end: what came and was not read is dropped. Does nothing the
   * second time.
   *
   * @example
   * ```ts
   * import { popen2Sync } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const { stdin, stdout, process } = popen2Sync(["yes"]);
   * stdin.close();
   * stdout.close();
   * assertEquals(process.waitSync(), -13);
   * ```
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ended = true;
    this.#buffer.clear();
    this.#file.close();
  }

  /** The lines that are left, as `readline` gives them. */
  *[Symbol.iterator](): IterableIterator<string> {
    let line: string;
    while ((line = this.readline()) !== "") yield line;
  }
}

/** Writes text to a pipe; the file belongs to the writer. */
export let createTextWriterSync: (file: WriteSync) => TextWriterSync;

/**
 * Writes text, or bytes, to what a child reads, blocking the thread. Made by
 * {@linkcode popen2Sync} and its relatives.
 *
 * @example
 * ```ts
 * import { popen2Sync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * using child = popen2Sync(["cat"]);
 * child.stdin.write("spam\n");
 * assertEquals(child.stdout.readline(), "spam\n");
 * ```
 */
export class TextWriterSync {
  readonly #file: WriteSync;
  readonly #encoder = new TextEncoder();
  #closed = false;

  static {
    createTextWriterSync = (file) => new TextWriterSync(file);
  }

  /** @ignore */
  private constructor(file: WriteSync) {
    this.#file = file;
  }

  /**
   * Writes text or bytes, and waits until the child has room for them.
   *
   * @param data The text or the bytes.
   * @throws {Deno.errors.BrokenPipe} If the child does not read any more.
   * @throws {TypeError} If it is neither, or the stream was closed.
   *
   * @example
   * ```ts
   * import { popen2Sync } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using child = popen2Sync(["sort"]);
   * child.stdin.write("foo\nbar\n");
   * child.stdin.close();
   * assertEquals(child.stdout.read(), "bar\nfoo\n");
   * ```
   */
  write(data: string | Uint8Array): void {
    checkWrite(data, this.#closed);
    const bytes = typeof data === "string" ? this.#encoder.encode(data) : data;
    let written = 0;
    while (written < bytes.length) {
      written += this.#file.writeSync(
        written === 0 ? bytes : bytes.subarray(written),
      );
    }
  }

  /**
   * Does nothing, since nothing is held back; for programs from Python.
   *
   * @example
   * ```ts
   * import { popen2Sync } from "@skein/std/process";
   *
   * using child = popen2Sync(["cat"]);
   * child.stdin.write("spam\n");
   * child.stdin.flush();
   * ```
   */
  flush(): void {}

  /**
   * Says that no more will be written: the child reads the end. Does nothing
   * the second time.
   *
   * @example
   * ```ts
   * import { popen2Sync } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using child = popen2Sync(["cat"]);
   * child.stdin.close();
   * assertEquals(child.stdout.read(), "");
   * ```
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.close();
  }
}
