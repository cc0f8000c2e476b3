/**
 * Running one command.
 *
 * @module
 */

import { execute } from "./_execution.ts";
import {
  checkCommandOptions,
  checkSink,
  checkSource,
  checkStages,
} from "./_check.ts";
import type { Plan } from "./_plan.ts";
import { isQuick, quick } from "./_quick.ts";
import { executeSync } from "./_sync.ts";
import type {
  Command,
  CommandOptions,
  CommandSyncOptions,
  Sink,
  Source,
  SyncSink,
  SyncSource,
} from "./options.ts";
import { type CommandResult, createResult } from "./result.ts";

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
  const { input, stdout = "capture", cwd, env, clearEnv, stderr, ...rest } =
    checkCommandOptions(options, ["input", "stdout"]);
  return {
    stages: checkStages([{ cmd, cwd, env, clearEnv, stderr }]),
    source: input === undefined ? undefined : checkSource(input),
    sink: stdout === "capture" ? stdout : checkSink(stdout),
    options: rest,
  };
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
  const outcome = await (isQuick(plan) ? quick(plan) : execute(plan));
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
