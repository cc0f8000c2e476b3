/**
 * The text streams of a child, in the blocking form.
 *
 * @module
 */

import { checkWrite } from "./_check.ts";
import { countOf, linesOf, TextBuffer } from "./_text_reader.ts";

const BUFFER = 65536;

/** Reads a pipe as text; the file belongs to the reader. */
export let createTextReaderSync: (file: Deno.FsFile) => TextReaderSync;

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
  readonly #file: Deno.FsFile;
  readonly #bytes = new Uint8Array(BUFFER);
  readonly #buffer = new TextBuffer();
  #ended = false;
  #closed = false;

  static {
    createTextReaderSync = (file) => new TextReaderSync(file);
  }

  private constructor(file: Deno.FsFile) {
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
export let createTextWriterSync: (file: Deno.FsFile) => TextWriterSync;

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
  readonly #file: Deno.FsFile;
  readonly #encoder = new TextEncoder();
  #closed = false;

  static {
    createTextWriterSync = (file) => new TextWriterSync(file);
  }

  private constructor(file: Deno.FsFile) {
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
