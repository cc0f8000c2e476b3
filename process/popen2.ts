/**
 * The functions of Python 2's `popen2` module, in the promise form.
 *
 * @module
 */

import { closeSync } from "node:fs";
import { argvOf, type Command, mergedArgvOf } from "./_argv.ts";
import { checkPlace } from "./_check.ts";
import { join } from "./_join.ts";
import { CAT, mayRun, takePipes } from "./_kernel_pipe.ts";
import { spawn, type Stdio } from "./_spawn.ts";
import { Child } from "./child.ts";
import { TextReader, TextWriter } from "./text_stream.ts";

/** How {@linkcode popen2} and its relatives start a child. */
export interface PopenOptions {
  /** The working directory; by default that of this program. */
  cwd?: string | URL;
  /** Environment variables, added to those of this program. */
  env?: Record<string, string>;
  /**
   * Whether the child gets no environment but `env`.
   *
   * @default {false}
   */
  clearEnv?: boolean;
}

/** A child with its input and output. */
export interface Popen2 {
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
  checkPlace(options);
  const { cwd, env, clearEnv } = options;
  return spawn(argv, { cwd, env, clearEnv, stdin: "piped", stdout, stderr });
}

function streams(
  child: Deno.ChildProcess,
  stdout: ReadableStream<Uint8Array> = child.stdout,
): Popen2 {
  return {
    stdout: new TextReader(stdout),
    stdin: new TextWriter(child.stdin),
    process: new Child(child),
  };
}

/**
 * Starts a command and gives its input and output as streams of text; its
 * standard error is that of this program. After `popen2.popen2` of Python 2.
 *
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`).
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
 * ```
 */
export function popen2(cmd: Command, options: PopenOptions = {}): Popen2 {
  return streams(start(argvOf(cmd), options, "inherit"));
}

/**
 * Like {@linkcode popen2}, with the standard error as a stream of its own. A
 * child that writes much to both must be read from both. After
 * `popen2.popen3` of Python 2.
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
  return { ...streams(child), stderr: new TextReader(child.stderr) };
}

/**
 * Like {@linkcode popen2}, with the standard error in the same stream as the
 * output. After `popen2.popen4` of Python 2.
 *
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`). For
 * the two streams of an array to keep their order it also needs
 * `--allow-run=mkfifo,cat` and `--allow-read=/tmp --allow-write=/tmp`.
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
    return streams(start(mergedArgvOf(cmd), options, "null"));
  }
  const argv = argvOf(cmd);
  const pipe = mayRun(CAT) ? takePipes(1)?.[0] : undefined;
  if (pipe === undefined) {
    const child = start(argv, options, "piped");
    return streams(child, join(child.stdout, child.stderr));
  }
  const { reader, writer } = pipe;
  try {
    const child = start(argv, options, writer, writer);
    const cat = spawn([CAT], {
      stdin: reader,
      stdout: "piped",
      stderr: "null",
    });
    return streams(child, cat.stdout);
  } finally {
    closeSync(reader);
    closeSync(writer);
  }
}
