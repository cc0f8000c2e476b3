/**
 * The text streams of a child, in the promise form.
 *
 * @module
 */

import { checkWrite } from "./_check.ts";
import { countOf, linesOf, TextBuffer } from "./_text_reader.ts";

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
