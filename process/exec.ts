/**
 * Letting another program take over, and going into the background.
 *
 * @module
 */

import { builtIn } from "../_internal/built_in.ts";
import { shown } from "../_internal/check.ts";
import { argvOf, type Command } from "./_command/command_line.ts";
import { checkPath, isText, readOptions } from "./_command/check_options.ts";
import type { PopenOptions } from "./_command/options.ts";
import { inheriting, spawn, standIn } from "./_command/child_process.ts";
import { signalOf } from "./_command/result.ts";
import { standInSync } from "./_blocking/helped_process.ts";

/**
 * Lets another program take over: it gets this program's streams and signals,
 * and when it ends this program ends the same way. After `os.execv` of Python.
 *
 * Deno cannot replace its process; so the program has a number of its own, and
 * this one waits for it and does nothing else.
 *
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`).
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs.
 * @returns Never, unless the program cannot be started.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { exec } from "@skein/std/process";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => exec(["no-such-program"]), Deno.errors.NotFound);
 * ```
 */
export async function exec(
  cmd: Command,
  options: PopenOptions = {},
): Promise<never> {
  return endAs(await standIn(argvOf(cmd), inheriting(options)));
}

/**
 * Like {@linkcode exec}, blocking the thread. It takes a helper thread, for
 * which Deno wants `--allow-read` for skein's own files.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs.
 * @returns Never, unless the program cannot be started.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { execSync } from "@skein/std/process";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => execSync(["no-such-program"]), Deno.errors.NotFound);
 * ```
 */
export function execSync(cmd: Command, options: PopenOptions = {}): never {
  return endAs(standInSync(argvOf(cmd), inheriting(options)));
}

/** Ends this program as one of this status did. */
function endAs(status: number): never {
  const signal = signalOf(status);
  if (signal !== undefined) {
    try {
      Deno.kill(Deno.pid, signal as Deno.Signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotCapable)) throw error;
    }
    // Some do not end it; and it may take a moment to arrive.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  Deno.exit(status < 0 ? 128 - status : status);
}

/**
 * Cannot be done: it throws. A running program with its threads cannot be
 * doubled; start a thread, a command by `popen2` or `spawn`, or this program
 * anew by `daemonize`.
 *
 * @returns Never.
 * @throws {Deno.errors.NotSupported} Always.
 *
 * @example
 * ```ts
 * import { fork } from "@skein/std/process";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => fork(), Deno.errors.NotSupported);
 * ```
 */
export function fork(): never {
  throw new Deno.errors.NotSupported(
    "Cannot fork: a running program with its threads cannot be doubled, use a Thread, popen2(), spawn() or daemonize() instead",
  );
}

/** The variable by which the second start of a program knows that it is. */
const MARK = "SKEIN_DAEMON";

const DAEMONIZE = "become a daemon";

/** What {@linkcode daemonize} takes. */
export interface DaemonizeOptions {
  /**
   * The flags of `deno run` for the daemon, its permissions above all: they are
   * not passed on by themselves. It needs `--allow-env=SKEIN_DAEMON`.
   *
   * @default {["--allow-env=SKEIN_DAEMON"]}
   */
  flags?: readonly string[];
  /**
   * The working directory of the daemon.
   *
   * @default {"/"}
   */
  cwd?: string | URL;
  /** A file that the daemon's output is added to; without, it is dropped. */
  log?: string;
}

/**
 * Makes a daemon of this program: a process with a session of its own, without
 * a terminal and standard streams, that outlives whoever started it.
 *
 * A running program cannot be forked. So this starts the program again, with
 * the same arguments, and ends the one that called; in the new one the same
 * call returns at once. Call it first, before there is anything to lose.
 *
 * Needs `--allow-env=SKEIN_DAEMON`, `--allow-run` for deno, `--allow-read` for
 * the main module and, with a log, `--allow-write` for it.
 *
 * @param options The permissions of the daemon, where it works and logs.
 * @throws {TypeError} If an option is of the wrong kind, or unknown.
 * @throws {Deno.errors.NotCapable} Without one of the permissions.
 *
 * @example
 * ```ts ignore
 * import { daemonize } from "@skein/std/process";
 *
 * daemonize({ flags: ["--allow-env=SKEIN_DAEMON", "--allow-net"] });
 * Deno.serve(() => new Response("served by a daemon"));
 * ```
 */
export function daemonize(options: DaemonizeOptions = {}): void {
  if (Deno.env.get(MARK) === "1") {
    // What the daemon starts is not a daemon for that.
    Deno.env.delete(MARK);
    return;
  }
  const { flags = [`--allow-env=${MARK}`], cwd = "/", log: path } = readOptions(
    options,
    ["flags", "cwd", "log"],
    DAEMONIZE,
  );
  if (!Array.isArray(flags) || !flags.every(isText)) {
    throw new TypeError(
      `Cannot ${DAEMONIZE}: flags must be an array of strings without NUL, received ${
        shown(flags)
      }`,
    );
  }
  const folder = checkPath(cwd, "cwd", DAEMONIZE);
  if (path !== undefined) checkPath(path, "log", DAEMONIZE);
  const log = path === undefined
    ? "null"
    : builtIn("node:fs").openSync(path, "a");
  try {
    spawn([
      Deno.execPath(),
      "run",
      "--no-prompt",
      ...flags,
      Deno.mainModule,
      ...Deno.args,
    ], {
      cwd: folder,
      env: { [MARK]: "1" },
      stdin: "null",
      stdout: log,
      stderr: log,
      detached: true,
    }).unref();
  } finally {
    if (log !== "null") builtIn("node:fs").closeSync(log);
  }
  Deno.exit(0);
}
