/**
 * Sending signals.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import { nameOf, numberOf } from "../_internal/signum.ts";
import type { Signum } from "./signals.ts";

/**
 * Sends a signal to this process. After `signal.raise_signal` of Python.
 *
 * It is a real one: with no handler in any thread, most end the process. A
 * handler runs when the event loop turns, so after this function has returned;
 * a program that ends meanwhile, since nothing waits, does not run it.
 * No permission is needed.
 *
 * @param signum The signal, by number or name.
 * @throws {TypeError} If it is neither a number nor a string.
 * @throws {RangeError} If this platform has no such signal.
 *
 * @example
 * ```ts
 * import { pause, raiseSignal, SIG_DFL, signal } from "@skein/std/signal";
 *
 * signal("SIGTERM", () => console.log("asked to end"));
 * raiseSignal("SIGTERM");
 * await pause();
 * signal("SIGTERM", SIG_DFL);
 * ```
 */
export function raiseSignal(signum: Signum): void {
  Deno.kill(Deno.pid, nameOf(numberOf(signum, "raise a signal")));
}

/**
 * Sends a signal to a process. After `os.kill` of Python.
 *
 * For a process other than this one it needs the permission `--allow-run`,
 * without a list of programs. On Windows a process can only be ended, by
 * `SIGINT`, `SIGTERM`, `SIGQUIT` or `SIGKILL`.
 *
 * @param pid The process; 0 is the group of this process, a negative number
 * the group of that process.
 * @param signum The signal, by number or name; 0 sends nothing, but throws if
 * there is no such process.
 * @throws {TypeError} If the pid is not an integer, or the signal neither a
 * number nor a string.
 * @throws {RangeError} If this platform has no such signal.
 * @throws {Deno.errors.NotFound} If there is no such process.
 * @throws {Deno.errors.PermissionDenied} If it belongs to somebody else.
 * @throws {Deno.errors.NotCapable} If `--allow-run` is missing.
 *
 * @example
 * ```ts
 * import { kill } from "@skein/std/signal";
 *
 * kill(Deno.pid, 0); // There is such a process.
 *
 * export function stop(child: Deno.ChildProcess) {
 *   kill(child.pid, "SIGTERM");
 * }
 * ```
 */
export function kill(pid: number, signum: Signum = "SIGTERM"): void {
  if (!Number.isInteger(pid)) {
    throw new TypeError(
      `Cannot kill a process: pid must be an integer, received ${shown(pid)}`,
    );
  }
  if (signum === 0) return Deno.kill(pid, 0 as unknown as Deno.Signal);
  Deno.kill(pid, nameOf(numberOf(signum, "kill a process")));
}
