/**
 * Running a command with this program's own streams.
 *
 * @module
 */

import { checkCommandOptions } from "./_check.ts";
import type { Command, CommandOptions, CommandSyncOptions } from "./options.ts";
import { run, runSync } from "./run.ts";

const SETTINGS = {
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
  return (await run(cmd, { ...SETTINGS, ...checked, check: false })).status;
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
  return runSync(cmd, { ...SETTINGS, ...checked, check: false }).status;
}
