/**
 * The functions of Python 2's `popen2` module, in the blocking form.
 *
 * @module
 */

import { argvOf, type Command } from "./_argv.ts";
import { checkPlace } from "./_check.ts";
import { startPiped } from "./_sync.ts";
import { type ChildSync, createChildSync } from "./child.ts";
import type { PopenOptions } from "./options.ts";
import {
  createTextReaderSync,
  createTextWriterSync,
  type TextReaderSync,
  type TextWriterSync,
} from "./text_stream_sync.ts";

/**
 * A child with its input and output. At the end of the block that `using` is
 * in, the streams are closed: the child reads the end of its input, and gets
 * SIGPIPE if it goes on writing. Its end is not waited for.
 */
export interface Popen2Sync extends Disposable {
  /** What it writes. */
  stdout: TextReaderSync;
  /** What it reads. */
  stdin: TextWriterSync;
  /** The process. */
  process: ChildSync;
}

/** A child with its input, its output and its standard error. */
export interface Popen3Sync extends Popen2Sync {
  /** What it writes to its standard error. */
  stderr: TextReaderSync;
}

/** Where the standard error goes. */
type Stderr = "inherit" | "piped" | "merge";

function start(
  cmd: Command,
  options: PopenOptions,
  stderr: Stderr,
): Popen3Sync {
  argvOf(cmd);
  const stage = { cmd, ...checkPlace(options) };
  const streams = { stdin: "piped", stdout: "piped", stderr } as const;
  const child = startPiped(stage, streams);
  const stdin = createTextWriterSync(child.stdin!);
  const stdout = createTextReaderSync(child.stdout!);
  // Without a pipe of its own nobody can get at it.
  const error = child.stderr && createTextReaderSync(child.stderr);
  return {
    stdin,
    stdout,
    stderr: error!,
    process: createChildSync(child.process),
    [Symbol.dispose]() {
      stdin.close();
      stdout.close();
      error?.close();
    },
  };
}

/**
 * Starts a command and gives its input and output as streams of text that
 * block the thread; its standard error is that of this program. After
 * `popen2.popen2` of Python 2.
 *
 * As in Python, a program that writes much before it has read all can wait for
 * this one while this one waits for it; the promise form does not have that.
 * Close the streams, or declare the result with `using`.
 *
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`) and
 * for mkfifo, `--allow-read=/tmp` and `--allow-write=/tmp`, and `--allow-read`
 * for skein's own files.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs.
 * @returns The streams and the process.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without one of the permissions.
 *
 * @example
 * ```ts
 * import { popen2Sync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { stdout, stdin } = popen2Sync("sort");
 * stdin.write("foo\n");
 * stdin.write("bar\n");
 * stdin.close();
 * assertEquals(stdout.readline(), "bar\n");
 * assertEquals(stdout.readline(), "foo\n");
 * stdout.close();
 * ```
 */
export function popen2Sync(
  cmd: Command,
  options: PopenOptions = {},
): Popen2Sync {
  return start(cmd, options, "inherit");
}

/**
 * Like {@linkcode popen2Sync}, with the standard error as a stream of its own.
 * After `popen2.popen3` of Python 2.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs.
 * @returns The streams and the process.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without one of the permissions.
 *
 * @example
 * ```ts
 * import { popen3Sync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * using child = popen3Sync("echo spam; echo oops >&2");
 * assertEquals(child.stdout.read(), "spam\n");
 * assertEquals(child.stderr.read(), "oops\n");
 * ```
 */
export function popen3Sync(
  cmd: Command,
  options: PopenOptions = {},
): Popen3Sync {
  return start(cmd, options, "piped");
}

/**
 * Like {@linkcode popen2Sync}, with the standard error in the same stream as
 * the output. After `popen2.popen4` of Python 2.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs.
 * @returns The streams and the process.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without one of the permissions.
 *
 * @example
 * ```ts
 * import { popen4Sync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * using child = popen4Sync("echo spam; echo oops >&2");
 * assertEquals(child.stdout.read(), "spam\noops\n");
 * ```
 */
export function popen4Sync(
  cmd: Command,
  options: PopenOptions = {},
): Popen2Sync {
  return start(cmd, options, "merge");
}
