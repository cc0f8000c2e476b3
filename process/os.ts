/**
 * What `os` of Python has for processes: starting them, waiting for them by number,
 * letting another program take over, going into the background, and opening files.
 *
 * @module
 */

import { cancelling } from "../_internal/hooks.ts";
import {
  checkInteger,
  shown,
  timeoutError,
  timeoutOf,
  timeoutOfSync,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import { argvOf, type Command } from "./_command/command_line.ts";
import {
  checkPath,
  isText,
  type PopenOptions,
  readOptions,
} from "./_command/options.ts";
import type { Part } from "./_command/launch.ts";
import { inheriting, standIn, startChild } from "./_command/child_process.ts";
import { Child, createChild, HelpedProcess } from "./child.ts";
import { system, systemSync } from "./run.ts";
import { builtIn } from "../_internal/built_in.ts";
import { signalOf } from "./_command/result.ts";
import { standInSync } from "./_blocking/helper.ts";

/** Mode of {@linkcode spawn}: wait for the end and give the status. */
export const P_WAIT = 0;
/** Mode of {@linkcode spawn}: give the number at once, for `waitpid`. */
export const P_NOWAIT = 1;
/**
 * Mode of {@linkcode spawn}: give the number at once; the process has a session
 * of its own and no streams, and outlives this program.
 */
export const P_DETACH = 4;

/** One of {@linkcode P_WAIT}, {@linkcode P_NOWAIT}, {@linkcode P_DETACH}. */
export type SpawnMode = typeof P_WAIT | typeof P_NOWAIT | typeof P_DETACH;

/** The children of P_NOWAIT that nobody has waited for. */
const children = new Map<number, Child | HelpedProcess>();

/** How often the promise form looks at a child of the helper thread. */
const STEP = 5;

function checkMode(mode: SpawnMode): void {
  if (mode === P_WAIT || mode === P_NOWAIT || mode === P_DETACH) return;
  checkInteger(mode, "spawn a process", "the mode");
  throw new RangeError(
    `Cannot spawn a process: the mode must be P_WAIT, P_NOWAIT or P_DETACH, received ${mode}`,
  );
}

function helped(cmd: Command, options: PopenOptions): Part {
  argvOf(cmd);
  const { cwd, env, clearEnv, stdin, stdout, stderr } = inheriting(options);
  return { stage: { cmd, cwd, env, clearEnv }, stdin, stdout, stderr };
}

function detach(cmd: Command, options: PopenOptions): number {
  const child = startChild(argvOf(cmd), {
    ...inheriting(options),
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  });
  child.unref();
  return child.pid;
}

/**
 * Starts a command with this program's standard streams. After `os.spawnv` of
 * Python.
 *
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`).
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param mode Whether to wait for its end.
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs.
 * @returns With P_WAIT the exit status, or minus the number of the signal that
 * ended it; else the number of the process.
 * @throws {RangeError} If the mode is none of the three.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { P_NOWAIT, spawn, waitpid } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const pid = await spawn(P_NOWAIT, "exit 3");
 * assertEquals(await waitpid(pid), 3);
 * ```
 */
export async function spawn(
  mode: SpawnMode,
  cmd: Command,
  options: PopenOptions = {},
): Promise<number> {
  checkMode(mode);
  if (mode === P_WAIT) return await system(cmd, options);
  if (mode === P_DETACH) return detach(cmd, options);
  const child = createChild(startChild(argvOf(cmd), inheriting(options)), cmd);
  children.set(child.pid, child);
  return child.pid;
}

/**
 * Like {@linkcode spawn}, blocking the thread with P_WAIT. A process that it
 * started with P_NOWAIT can be waited for in both forms.
 *
 * P_NOWAIT takes a helper thread, for which Deno wants `--allow-read` for
 * skein's own files.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 *
 * @param mode Whether to wait for its end.
 * @param cmd A string for the shell, or an array that never meets one.
 * @param options Where it runs.
 * @returns With P_WAIT the exit status, or minus the number of the signal that
 * ended it; else the number of the process.
 * @throws {RangeError} If the mode is none of the three.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws {Deno.errors.PermissionDenied} If the file cannot be executed.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts
 * import { P_WAIT, spawnSync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(spawnSync(P_WAIT, ["true"]), 0);
 * ```
 */
export function spawnSync(
  mode: SpawnMode,
  cmd: Command,
  options: PopenOptions = {},
): number {
  checkMode(mode);
  if (mode === P_WAIT) return systemSync(cmd, options);
  if (mode === P_DETACH) return detach(cmd, options);
  const child = new HelpedProcess(helped(cmd, options));
  children.set(child.pid, child);
  return child.pid;
}

function childOf(pid: number): Child | HelpedProcess {
  if (!Number.isInteger(pid)) {
    throw new TypeError(
      `Cannot wait for a process: pid must be an integer, received ${
        shown(pid)
      }`,
    );
  }
  const child = children.get(pid);
  if (child !== undefined) return child;
  throw new Deno.errors.NotFound(
    `Cannot wait for a process: spawn() with P_NOWAIT did not start it in this thread, or it has been waited for, received ${pid}`,
  );
}

/**
 * Waits for a process that {@linkcode spawn} started with P_NOWAIT. It can be
 * waited for once. After `os.waitpid` of Python.
 *
 * Needs no permission.
 *
 * @param pid The number of the process.
 * @param options A timeout, a signal that ends the wait.
 * @returns The exit status, or minus the number of the signal that ended it.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first; it can
 * then be waited for again.
 * @throws {Deno.errors.NotFound} If it is no such process.
 *
 * @example
 * ```ts
 * import { P_NOWAIT, spawn, waitpid } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const pid = await spawn(P_NOWAIT, ["true"]);
 * assertEquals(await waitpid(pid, { timeout: 5000 }), 0);
 * ```
 */
export async function waitpid(
  pid: number,
  options: WaitOptions = {},
): Promise<number> {
  const child = childOf(pid);
  const status = child instanceof Child
    ? await child.wait(options)
    : await pollFor(child, options);
  children.delete(pid);
  return status;
}

/** Waits for a child that lives with the helper thread, looking at it. */
async function pollFor(
  child: HelpedProcess,
  options: WaitOptions,
): Promise<number> {
  const what = "wait for a process";
  const most = timeoutOf(options, what);
  const { signal } = options;
  const start = performance.now();
  while (true) {
    signal?.throwIfAborted();
    cancelling.check();
    const status = child.poll();
    if (status !== undefined) return status;
    if (performance.now() - start >= most) throw timeoutError(what, most);
    await new Promise((resolve) => setTimeout(resolve, STEP));
  }
}

/**
 * Like {@linkcode waitpid}, blocking the thread. Only a process that
 * {@linkcode spawnSync} started can be waited for so: the others need the event
 * loop. Needs no permission.
 *
 * @param pid The number of the process.
 * @param options A timeout.
 * @returns The exit status, or minus the number of the signal that ended it.
 * @throws {DOMException} `TimeoutError`, if the timeout passes first.
 * @throws {Deno.errors.NotFound} If it is no such process.
 * @throws {TypeError} If the promise form started it.
 *
 * @example
 * ```ts
 * import { P_NOWAIT, spawnSync, waitpidSync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const pid = spawnSync(P_NOWAIT, ["true"]);
 * assertEquals(waitpidSync(pid), 0);
 * ```
 */
export function waitpidSync(
  pid: number,
  options: WaitSyncOptions = {},
): number {
  const what = "wait for a process";
  const timeout = timeoutOfSync(options, what);
  const child = childOf(pid);
  if (child instanceof Child && child.poll() === undefined) {
    throw new TypeError(
      `Cannot wait for a process in the blocking form: spawn() started it, use spawnSync() or waitpid(), received ${pid}`,
    );
  }
  const status = child instanceof Child ? child.poll() : child.wait(timeout);
  if (status === undefined) throw timeoutError(what, timeout);
  children.delete(pid);
  return status;
}

/**
 * The status of a process that {@linkcode spawn} started with P_NOWAIT, without
 * waiting. After `os.waitpid` with `WNOHANG` of Python. Needs no permission.
 *
 * @param pid The number of the process.
 * @returns The exit status, or minus the number of the signal that ended it;
 * `undefined` as long as it runs.
 * @throws {Deno.errors.NotFound} If it is no such process.
 *
 * @example
 * ```ts
 * import { P_NOWAIT, spawn, waitpid, waitpidNowait } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const pid = await spawn(P_NOWAIT, "sleep 0.1");
 * assertEquals(waitpidNowait(pid), undefined);
 * await waitpid(pid);
 * ```
 */
export function waitpidNowait(pid: number): number | undefined {
  const status = childOf(pid).poll();
  if (status !== undefined) children.delete(pid);
  return status;
}

/**
 * The number of this process. After `os.getpid` of Python. Needs no permission.
 *
 * @returns The number.
 *
 * @example
 * ```ts
 * import { getpid } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getpid(), Deno.pid);
 * ```
 */
export function getpid(): number {
  return Deno.pid;
}

/**
 * The number of the process that started this one. After `os.getppid` of
 * Python. Needs no permission.
 *
 * @returns The number.
 *
 * @example
 * ```ts
 * import { getppid } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getppid(), Deno.ppid);
 * ```
 */
export function getppid(): number {
  return Deno.ppid;
}

const OPENERS: Partial<Record<typeof Deno.build.os, readonly string[]>> = {
  darwin: ["open"],
  windows: ["explorer.exe"],
};

/**
 * Opens a file or a web address as a double click would, and does not wait. The
 * program outlives this one. After `os.startfile` of Python, on every system.
 *
 * Needs `--allow-run` for the opener: `xdg-open` on Linux, `open` on macOS,
 * `explorer.exe` on Windows.
 *
 * @param path The path, or an address.
 * @throws {TypeError} If the path is none.
 * @throws {Deno.errors.NotFound} If there is no opener.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts ignore
 * import { startFile } from "@skein/std/process";
 *
 * startFile("chart.svg");
 * ```
 */
export function startFile(path: string | URL): void {
  if (!isText(path) && !(path instanceof URL)) {
    throw new TypeError(
      `Cannot start a file: path must be a path without NUL or a URL, received ${
        shown(path)
      }`,
    );
  }
  const [opener] = OPENERS[Deno.build.os] ?? ["xdg-open"];
  // A path must not be taken for an option.
  const target = String(path).startsWith("-") ? `./${path}` : String(path);
  startChild([opener, target], {
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).unref();
}

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
    startChild([
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
