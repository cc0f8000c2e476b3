// Starting one process, with errors that name it.
import { checkPlace } from "./_check.ts";
import type { PopenOptions } from "./popen2.ts";

/** What a standard stream of a child is; a number is a descriptor. */
export type Stdio = "inherit" | "null" | "piped" | number;

/** How a child is started. */
export interface SpawnOptions {
  cwd?: string | URL;
  env?: Record<string, string>;
  clearEnv?: boolean;
  detached?: boolean;
  stdin: Stdio;
  stdout: Stdio;
  stderr: Stdio;
}

/**
 * Where a child runs, with the standard streams of this program.
 *
 * @throws {TypeError} If an option is of the wrong kind.
 */
export function inheriting(options: PopenOptions): SpawnOptions {
  checkPlace(options);
  const { cwd, env, clearEnv } = options;
  const inherit = "inherit";
  const streams = { stdin: inherit, stdout: inherit, stderr: inherit } as const;
  return { cwd, env, clearEnv, ...streams };
}

/**
 * Starts a process.
 *
 * @param argv The program and its arguments.
 * @param options Where, and with which streams.
 * @returns The child.
 * @throws {Deno.errors.NotFound} If there is no such program, or no such
 * working directory.
 * @throws {Deno.errors.PermissionDenied} If the program cannot be executed.
 * @throws {Deno.errors.NotCapable} Without permission to run it.
 */
export function spawn(
  argv: readonly string[],
  options: SpawnOptions,
): Deno.ChildProcess {
  const [file, ...args] = argv;
  try {
    // Deno takes descriptors too; only its types do not say so.
    return new Deno.Command(file, {
      ...options as Deno.CommandOptions,
      args,
    }).spawn();
  } catch (error) {
    throw explain(error, file, options.cwd);
  }
}

/** The same error, saying which command could not be run and why. */
export function explain(
  error: unknown,
  file: string,
  cwd?: string | URL,
): unknown {
  if (error instanceof Deno.errors.NotFound) {
    return new Deno.errors.NotFound(
      isAboutCwd(error.message, file, cwd)
        ? `Cannot run "${file}": there is no such working directory, received "${cwd}"`
        : `Cannot run a command: there is no such program, received "${file}"`,
      { cause: error },
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new Deno.errors.PermissionDenied(
      `Cannot run a command: the file cannot be executed, received "${file}"`,
      { cause: error },
    );
  }
  return error;
}

/** Whether the working directory is what is missing; Deno mostly says it. */
function isAboutCwd(
  message: string,
  file: string,
  cwd: string | URL | undefined,
): boolean {
  if (cwd === undefined) return false;
  // A program that is looked for in PATH gets this message instead.
  return message.includes("cwd") ||
    !file.includes("/") && !message.includes("entity not found");
}
