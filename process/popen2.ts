/**
 * The functions of Python 2's `popen2` module, in both forms.
 *
 * @module
 */

import { builtIn } from "../_internal/built_in.ts";
import { argvOf, type Command, mergedArgvOf } from "./_command/command_line.ts";
import { checkPlace, type PopenOptions } from "./_command/options.ts";
import { join, unlessUnread } from "./_command/streams.ts";
import { CAT, mayRun, takePipes } from "./_command/descriptors.ts";
import { exists } from "./_command/program.ts";
import { wrap } from "./_command/launch.ts";
import { startChild, type Stdio } from "./_command/child_process.ts";
import {
  type Child,
  type ChildSync,
  createChild,
  createChildSync,
  startPiped,
} from "./child.ts";
import {
  createTextReader,
  createTextReaderSync,
  createTextWriter,
  createTextWriterSync,
  type TextReader,
  type TextReaderSync,
  type TextWriter,
  type TextWriterSync,
} from "./text_stream.ts";

/**
 * A child with its input and output. At the end of the block that `await using`
 * is in, the streams are closed: the child reads the end of its input, and gets
 * SIGPIPE if it goes on writing. What was written to it and not awaited is
 * waited for, its end is not.
 */
export interface Popen2 extends AsyncDisposable {
  /** What it writes. */
  stdout: TextReader;
  /** What it reads. */
  stdin: TextWriter;
  /** The process. */
  process: Child;
}

/** A child with its input, its output and its standard error. */
export interface Popen3 extends Popen2 {
  /** What it writes to its standard error. */
  stderr: TextReader;
}

function start(
  argv: readonly string[],
  options: PopenOptions,
  stderr: Stdio,
  stdout: Stdio = "piped",
): Deno.ChildProcess {
  return startChild(argv, {
    ...checkPlace(options),
    stdin: "piped",
    stdout,
    stderr,
  });
}

function together(
  cmd: Command,
  child: Deno.ChildProcess,
  output: ReadableStream<Uint8Array>,
  error?: ReadableStream<Uint8Array>,
): Popen3 {
  const stdin = createTextWriter(child.stdin);
  const stdout = createTextReader(output);
  // Without a stream of its own it could not be read.
  const stderr = error === undefined ? undefined! : createTextReader(error);
  return {
    stdin,
    stdout,
    stderr,
    process: createChild(child, cmd),
    async [Symbol.asyncDispose]() {
      // At once: the child may read no more before it can write.
      await Promise.all([
        stdout.close(),
        stderr?.close(),
        unlessUnread(stdin.close()),
      ]);
    },
  };
}

/**
 * Starts a command and gives its input and output as streams of text; its
 * standard error is that of this program. After `popen2.popen2` of Python 2.
 *
 * A child whose streams are not read or written to their ends is closed with
 * `await using`.
 *
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`).
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs.
 * @returns The streams and the process.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { popen2 } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { stdout, stdin } = popen2("sort");
 * await stdin.write("foo\n");
 * await stdin.write("bar\n");
 * await stdin.close();
 * assertEquals(await stdout.readline(), "bar\n");
 * assertEquals(await stdout.readline(), "foo\n");
 * await stdout.close();
 *
 * await using child = popen2(["yes"]); // closed at the end of the block
 * assertEquals(await child.stdout.readline(), "y\n");
 * ```
 */
export function popen2(cmd: Command, options: PopenOptions = {}): Popen2 {
  const child = start(argvOf(cmd), options, "inherit");
  return together(cmd, child, child.stdout);
}

/**
 * Like {@linkcode popen2}, with the standard error as a stream of its own. A
 * child that writes much to both must be read from both. After
 * `popen2.popen3` of Python 2.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs.
 * @returns The streams and the process.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { popen3 } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { stdout, stderr } = popen3("echo spam; echo oops >&2");
 * assertEquals(await stdout.read(), "spam\n");
 * assertEquals(await stderr.read(), "oops\n");
 * ```
 */
export function popen3(cmd: Command, options: PopenOptions = {}): Popen3 {
  const child = start(argvOf(cmd), options, "piped");
  return together(cmd, child, child.stdout, child.stderr);
}

/**
 * Like {@linkcode popen2}, with the standard error in the same stream as the
 * output. After `popen2.popen4` of Python 2.
 *
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`). The
 * two streams of an array keep their order on Linux with `--allow-run=/bin/sh`
 * and the permission to look for the program (`--allow-read`, `--allow-env=PATH`),
 * and elsewhere with
 * `--allow-run=mkfifo,cat --allow-read=/tmp --allow-write=/tmp`; `/tmp` stands for
 * the folder that `TMPDIR` names, if this program may read that.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs.
 * @returns The streams and the process.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { popen4 } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { stdout } = popen4("echo spam; echo oops >&2");
 * assertEquals(await stdout.read(), "spam\noops\n");
 * ```
 */
export function popen4(cmd: Command, options: PopenOptions = {}): Popen2 {
  if (typeof cmd === "string") {
    const child = start(mergedArgvOf(cmd), options, "null");
    return together(cmd, child, child.stdout);
  }
  const argv = argvOf(cmd);
  const place = checkPlace(options);
  const part = {
    stage: { cmd, ...place },
    stdin: "piped",
    stdout: "piped",
    stderr: "merge",
  } as const;
  const wrapped = exists(part.stage)
    ? wrap([part], { found: true })?.[0]
    : undefined;
  if (wrapped !== undefined) {
    const child = startChild(wrapped.argv, wrapped.options, wrapped.name);
    return together(cmd, child, child.stdout);
  }
  const pipe = mayRun(CAT) ? takePipes(1)?.[0] : undefined;
  if (pipe === undefined) {
    const child = start(argv, place, "piped");
    return together(cmd, child, join(child.stdout, child.stderr));
  }
  const { reader, writer } = pipe;
  try {
    // First, since a child that has no cat would be left behind.
    const cat = startChild([CAT], {
      cwd: "/",
      stdin: reader,
      stdout: "piped",
      stderr: "null",
    });
    try {
      return together(cmd, start(argv, place, writer, writer), cat.stdout);
    } catch (error) {
      cat.stdout.cancel().catch(() => {});
      throw error;
    }
  } finally {
    const { closeSync } = builtIn("node:fs");
    closeSync(reader);
    closeSync(writer);
  }
}

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

function startSync(
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
  // Without a pipe of its own it could not be read.
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
 * `--allow-read` for skein's own files. Without all permissions (`-A`), or not on
 * Linux, it also needs
 * `--allow-run=mkfifo --allow-read=/tmp --allow-write=/tmp`; `/tmp` stands for the
 * folder that `TMPDIR` names, if this program may read that. Not on Windows.
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
  return startSync(cmd, options, "inherit");
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
  return startSync(cmd, options, "piped");
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
  return startSync(cmd, options, "merge");
}
