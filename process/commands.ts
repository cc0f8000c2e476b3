/**
 * The functions of Python 2's `commands` module.
 *
 * @module
 */

import { checkCommandOptions } from "./_check.ts";
import { quote } from "./quote.ts";
import { run, runSync } from "./run.ts";
import type { Command, CommandOptions, CommandSyncOptions } from "./options.ts";

/** What {@linkcode getStatusOutput} gives. */
export interface StatusOutput {
  /** The exit status, or minus the number of the signal that ended it. */
  status: number;
  /** What it wrote to both streams, without one newline at the end. */
  output: string;
}

/** The options of a run whose status is no error, as in Python. */
function settings<T extends CommandSyncOptions>(options: T = {} as T) {
  return {
    stdin: "inherit",
    stderr: "merge",
    ...checkCommandOptions(options),
    check: false,
    stdout: "capture",
  } as const;
}

function stripped(text: string): string {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

/**
 * Runs a command and gives its status and its output, standard error among it.
 * After `commands.getstatusoutput` of Python 2.
 *
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`). For
 * the two streams of an array to keep their order it also needs
 * `--allow-run=mkfifo,cat` and `--allow-read=/tmp --allow-write=/tmp`.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs, what ends it, and so on.
 * @returns The status and the output.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {Deno.errors.NotFound} If there is no such program; a shell says so
 * in its output instead.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { getStatusOutput } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { status, output } = await getStatusOutput("echo spam; exit 2");
 * assertEquals(status, 2);
 * assertEquals(output, "spam");
 * ```
 */
export async function getStatusOutput(
  cmd: Command,
  options?: CommandOptions,
): Promise<StatusOutput> {
  const { status, stdout } = await run(cmd, settings(options));
  return { status, output: stripped(stdout) };
}

/**
 * Like {@linkcode getStatusOutput}, blocking the thread. For an array it takes a
 * helper thread, for which Deno wants `--allow-read` for skein's own files.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs, what ends it, and so on.
 * @returns The status and the output.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {Deno.errors.NotFound} If there is no such program; a shell says so
 * in its output instead.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { getStatusOutputSync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { status, output } = getStatusOutputSync("echo spam; exit 2");
 * assertEquals([status, output], [2, "spam"]);
 * ```
 */
export function getStatusOutputSync(
  cmd: Command,
  options?: CommandSyncOptions,
): StatusOutput {
  const { status, stdout } = runSync(cmd, settings(options));
  return { status, output: stripped(stdout) };
}

/**
 * Runs a command and gives its output, standard error among it, whatever its
 * status. After `commands.getoutput` of Python 2. Needs what
 * {@linkcode getStatusOutput} needs.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs, what ends it, and so on.
 * @returns The output, without one newline at the end.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {Deno.errors.NotFound} If there is no such program; a shell says so
 * in its output instead.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { getOutput } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await getOutput("echo spam"), "spam");
 * ```
 */
export async function getOutput(
  cmd: Command,
  options?: CommandOptions,
): Promise<string> {
  return (await getStatusOutput(cmd, options)).output;
}

/**
 * Like {@linkcode getOutput}, blocking the thread. Needs what
 * {@linkcode getStatusOutputSync} needs.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs, what ends it, and so on.
 * @returns The output, without one newline at the end.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {Deno.errors.NotFound} If there is no such program; a shell says so
 * in its output instead.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { getOutputSync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getOutputSync("echo spam"), "spam");
 * ```
 */
export function getOutputSync(
  cmd: Command,
  options?: CommandSyncOptions,
): string {
  return getStatusOutputSync(cmd, options).output;
}

/** How ls shows a file, whatever its name starts with. */
function listing(file: string): string {
  return `ls -ld -- ${quote(file)}`;
}

/**
 * Gives what `ls -ld` says about a file. After `commands.getstatus` of
 * Python 2. Needs `--allow-run=/bin/sh`.
 *
 * @param file The path of the file.
 * @param options Where it runs, what ends it, and so on.
 * @returns The line, or what ls says instead.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { getStatus } from "@skein/std/process";
 * import { assert } from "@std/assert";
 *
 * assert((await getStatus("/")).startsWith("d"));
 * ```
 */
export async function getStatus(
  file: string,
  options?: CommandOptions,
): Promise<string> {
  return await getOutput(listing(file), options);
}

/**
 * Like {@linkcode getStatus}, blocking the thread. Needs `--allow-run=/bin/sh`.
 *
 * @param file The path of the file.
 * @param options Where it runs, what ends it, and so on.
 * @returns The line, or what ls says instead.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { getStatusSync } from "@skein/std/process";
 * import { assert } from "@std/assert";
 *
 * assert(getStatusSync("/").startsWith("d"));
 * ```
 */
export function getStatusSync(
  file: string,
  options?: CommandSyncOptions,
): string {
  return getOutputSync(listing(file), options);
}
