/**
 * Letting another program take over.
 *
 * @module
 */

import { argvOf, type Command } from "./_argv.ts";
import { checkPlace } from "./_check.ts";
import { spawn } from "./_spawn.ts";
import { signalOf, statusOf } from "./_status.ts";
import type { PopenOptions } from "./popen2.ts";

/** What is passed on. SIGUSR1 is missing: in Deno it starts the inspector. */
const SIGNALS: readonly Deno.Signal[] = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGTERM",
  "SIGUSR2",
  "SIGALRM",
  "SIGCONT",
  "SIGWINCH",
];

/** What a terminal sends to all programs on it, the new one among them. */
const BY_TERMINAL: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT", "SIGWINCH"];

/**
 * Lets another program take over: it gets this program's streams and signals,
 * and when it ends this program ends the same way. After `os.execv` of Python.
 *
 * Deno cannot replace its process; so the program has a number of its own, and
 * this one waits for it and does nothing else.
 *
 * Needs `--allow-run` for the program (for a string: `--allow-run=/bin/sh`).
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
  const argv = argvOf(cmd);
  checkPlace(options);
  const { cwd, env, clearEnv } = options;
  const atTerminal = Deno.stdin.isTerminal();
  // Listened to before the program starts, so that none is lost.
  const listeners = SIGNALS.map((signal) => {
    const pass = () => {
      if (atTerminal && BY_TERMINAL.includes(signal)) return;
      try {
        child?.kill(signal);
      } catch {
        // It has ended, and so does this program in a moment.
      }
    };
    Deno.addSignalListener(signal, pass);
    return () => Deno.removeSignalListener(signal, pass);
  });
  let child: Deno.ChildProcess | undefined;
  try {
    child = spawn(argv, {
      cwd,
      env,
      clearEnv,
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    });
  } catch (error) {
    for (const remove of listeners) remove();
    throw error;
  }
  const status = statusOf(await child.status);
  for (const remove of listeners) remove();
  const signal = signalOf(status);
  if (signal !== undefined) await dieOf(signal as Deno.Signal);
  Deno.exit(status < 0 ? 128 - status : status);
}

/** Ends this program by a signal, if that one can. */
async function dieOf(signal: Deno.Signal): Promise<void> {
  Deno.kill(Deno.pid, signal);
  // It may take a moment to arrive.
  await new Promise((resolve) => setTimeout(resolve, 100));
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
