/**
 * Running one command: `run`, `system` of Python's `os`, and the functions of
 * Python 2's `commands`.
 *
 * @module
 */

import {
  checkCommandOptions,
  checkSink,
  checkSource,
  checkStages,
  type Command,
  type CommandOptions,
  type CommandSyncOptions,
  type Sink,
  type Source,
  splitOptions,
  type SyncSink,
  type SyncSource,
} from "./_command/options.ts";
import { execute } from "./_command/execution.ts";
import { type Plan, withAll } from "./_command/plan.ts";
import { executeSync } from "./_blocking/pipeline_sync.ts";
import { quote } from "./_command/command_line.ts";
import { type CommandResult, createResult } from "./_command/result.ts";

/** What {@linkcode run} takes. */
export interface RunOptions extends CommandOptions {
  /** What the command reads. */
  input?: Source;
  /**
   * Where its output goes.
   *
   * @default {"capture"}
   */
  stdout?: Sink | "capture";
}

/** What {@linkcode runSync} takes. */
export interface RunSyncOptions extends CommandSyncOptions {
  /** What the command reads. */
  input?: SyncSource;
  /**
   * Where its output goes.
   *
   * @default {"capture"}
   */
  stdout?: SyncSink | "capture";
}

function planOf(cmd: Command, options: RunOptions): Plan {
  const { input, stdout = "capture", ...others } = checkCommandOptions(
    options,
    ["input", "stdout"],
  );
  const { stage, rest } = splitOptions(others);
  return withAll({
    stages: checkStages([{ cmd, ...stage }]),
    source: input === undefined ? undefined : checkSource(input),
    sink: stdout === "capture" ? stdout : checkSink(stdout),
    options: rest,
  });
}

/**
 * Runs a command and waits for it to end. A string goes to `/bin/sh -c`; an
 * array is the program and its arguments, and never meets a shell.
 *
 * The command may write as much as it likes to both of its streams, and need
 * not read its input. When the call throws, the command has ended.
 *
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`),
 * and `--allow-read` or `--allow-write` for files that are named as source or
 * sink.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd The command.
 * @param options Its input, where it runs, what ends it, and so on.
 * @returns Its status and what it wrote.
 * @throws {CommandError} If it ends with another status than 0, unless `check`
 * is `false`, or writes more than `maxBuffer`.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 * @throws {RangeError} If a duration is negative, NaN or too large.
 * @throws {TypeError} If the command or an option is of the wrong kind.
 *
 * @example
 * ```ts
 * import { run } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { stdout } = await run(["sort", "-n"], { input: "10\n9\n" });
 * assertEquals(stdout, "9\n10\n");
 * ```
 */
export async function run(
  cmd: Command,
  options: RunOptions = {},
): Promise<CommandResult> {
  const plan = planOf(cmd, options);
  const outcome = await execute(plan);
  return createResult(outcome, plan.stages);
}

/**
 * Runs a command and blocks the thread until it has ended. Like
 * {@linkcode run}; a source that can be iterated is read to its end first.
 *
 * Needs `--allow-run` for the program. With `input`, `timeout`, `maxBuffer` or
 * files it takes a helper thread, for which Deno wants `--allow-read` for
 * skein's own files.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd The command.
 * @param options Its input, where it runs, what ends it, and so on.
 * @returns Its status and what it wrote.
 * @throws {CommandError} If it ends with another status than 0, unless `check`
 * is `false`, or writes more than `maxBuffer`.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 * @throws {RangeError} If a duration is negative, NaN or too large.
 * @throws {TypeError} If the command or an option is of the wrong kind.
 *
 * @example
 * ```ts
 * import { runSync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(runSync(["echo", "$HOME"]).stdout, "$HOME\n");
 * ```
 */
export function runSync(
  cmd: Command,
  options: RunSyncOptions = {},
): CommandResult {
  const plan = planOf(cmd, options);
  return createResult(executeSync(plan), plan.stages);
}

// What `os` has

/** The streams of `system` are those of this program. */
const SYSTEM = {
  stdin: "inherit",
  stdout: "inherit",
  stderr: "inherit",
  check: false,
} as const;

/**
 * Runs a command with this program's standard streams and waits for it. After
 * `os.system` of Python.
 *
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`).
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs, what ends it, and so on.
 * @returns The exit status, or minus the number of the signal that ended it.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { system } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await system("exit 3"), 3);
 * ```
 */
export async function system(
  cmd: Command,
  options: CommandOptions = {},
): Promise<number> {
  const checked = checkCommandOptions(options);
  return (await run(cmd, { ...SYSTEM, ...checked, check: false })).status;
}

/**
 * Like {@linkcode system}, blocking the thread. Needs what {@linkcode runSync}
 * needs.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs, what ends it, and so on.
 * @returns The exit status, or minus the number of the signal that ended it.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { systemSync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(systemSync(["true"]), 0);
 * ```
 */
export function systemSync(
  cmd: Command,
  options: CommandSyncOptions = {},
): number {
  const checked = checkCommandOptions(options);
  return runSync(cmd, { ...SYSTEM, ...checked, check: false }).status;
}

// What Python 2's `commands` has

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
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`). The
 * two streams of an array keep their order on Linux with `--allow-run=/bin/sh`,
 * and elsewhere with
 * `--allow-run=mkfifo,cat --allow-read=/tmp --allow-write=/tmp`; `/tmp` stands for
 * the folder that `TMPDIR` names, if this program may read that.
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
