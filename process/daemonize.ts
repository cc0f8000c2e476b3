/**
 * Going into the background.
 *
 * @module
 */

import { closeSync, openSync } from "node:fs";
import { shown } from "../_internal/check.ts";
import { checkPath, isText, readOptions } from "./_check.ts";
import { spawn } from "./_spawn.ts";

/** The variable by which the second start of a program knows that it is. */
const MARK = "SKEIN_DAEMON";

const WHAT = "become a daemon";

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
 * A running program cannot be forked. So this starts the program anew, with the
 * same arguments, and ends the one that called; in the new one the same call
 * returns at once. Call it first, before there is anything to lose.
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
    WHAT,
  );
  if (!Array.isArray(flags) || !flags.every(isText)) {
    throw new TypeError(
      `Cannot ${WHAT}: flags must be an array of strings without NUL, received ${
        shown(flags)
      }`,
    );
  }
  const folder = checkPath(cwd, "cwd", WHAT);
  if (path !== undefined) checkPath(path, "log", WHAT);
  const log = path === undefined ? "null" : openSync(path, "a");
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
    if (log !== "null") closeSync(log);
  }
  Deno.exit(0);
}
