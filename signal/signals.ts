/**
 * The signals of the platform, and sending them. Imports nothing of threading,
 * so that process can export `kill`.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import {
  canListenTo,
  nameOf,
  numberOf,
  NUMBERS,
  type Signum,
} from "../_internal/platform.ts";

export type { Signum };

/**
 * The numbers of this platform's signals, by name. After `signal.Signals` of
 * Python.
 *
 * Numbers differ: `SIGUSR1` is 10 on Linux and 30 on macOS. What the platform
 * does not have is `undefined`, and the type says which names those may be;
 * Windows, for one, has neither `SIGALRM` nor `SIGUSR1`.
 *
 * @example
 * ```ts
 * import { Signals } from "@skein/std/signal";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(Signals.SIGTERM, 15);
 * ```
 */
export const Signals:
  & Readonly<
    Record<
      | "SIGABRT"
      | "SIGFPE"
      | "SIGHUP"
      | "SIGILL"
      | "SIGINT"
      | "SIGKILL"
      | "SIGSEGV"
      | "SIGTERM",
      number
    >
  >
  & Readonly<Partial<Record<Deno.Signal, number>>> = NUMBERS as Record<
    Deno.Signal,
    number
  >;

/**
 * All signals of this platform, also those that no handler can catch. After
 * `signal.valid_signals` of Python; the real-time signals are missing, since
 * Deno knows none.
 *
 * @returns Their numbers.
 *
 * @example
 * ```ts
 * import { Signals, validSignals } from "@skein/std/signal";
 * import { assert } from "@std/assert";
 *
 * assert(validSignals().has(Signals.SIGKILL));
 * ```
 */
export function validSignals(): Set<number> {
  return new Set(Object.values(NUMBERS));
}

/**
 * Describes a signal in English. After `signal.strsignal` of Python, with the
 * texts of the GNU C library on every platform.
 *
 * @param signum The signal.
 * @returns The description.
 * @throws {TypeError} If it is neither a number nor a string.
 * @throws {RangeError} If this platform has no such signal.
 *
 * @example
 * ```ts
 * import { strsignal } from "@skein/std/signal";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(strsignal("SIGINT"), "Interrupt");
 * assertEquals(strsignal(15), "Terminated");
 * ```
 */
export function strsignal(signum: Signum): string {
  const number = numberOf(signum, "describe a signal");
  // A signal may have several names; one of them has a description.
  const name = Object.keys(DESCRIPTIONS).find((name) =>
    NUMBERS[name] === number
  );
  return name === undefined
    ? `Signal ${number}`
    : DESCRIPTIONS[name as Deno.Signal]!;
}

/** What the GNU C library calls the signals. */
const DESCRIPTIONS: Partial<Record<Deno.Signal, string>> = {
  SIGABRT: "Aborted",
  SIGALRM: "Alarm clock",
  SIGBREAK: "Break",
  SIGBUS: "Bus error",
  SIGCHLD: "Child exited",
  SIGCONT: "Continued",
  SIGEMT: "EMT trap",
  SIGFPE: "Floating point exception",
  SIGHUP: "Hangup",
  SIGILL: "Illegal instruction",
  SIGINFO: "Information request",
  SIGINT: "Interrupt",
  SIGIO: "I/O possible",
  SIGKILL: "Killed",
  SIGPIPE: "Broken pipe",
  SIGPROF: "Profiling timer expired",
  SIGPWR: "Power failure",
  SIGQUIT: "Quit",
  SIGSEGV: "Segmentation fault",
  SIGSTKFLT: "Stack fault",
  SIGSTOP: "Stopped (signal)",
  SIGSYS: "Bad system call",
  SIGTERM: "Terminated",
  SIGTRAP: "Trace/breakpoint trap",
  SIGTSTP: "Stopped",
  SIGTTIN: "Stopped (tty input)",
  SIGTTOU: "Stopped (tty output)",
  SIGURG: "Urgent I/O condition",
  SIGUSR1: "User defined signal 1",
  SIGUSR2: "User defined signal 2",
  SIGVTALRM: "Virtual timer expired",
  SIGWINCH: "Window changed",
  SIGXCPU: "CPU time limit exceeded",
  SIGXFSZ: "File size limit exceeded",
};

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
 * without a list of programs. On Windows a process can only be ended, whatever
 * the name: by `SIGINT`, `SIGTERM`, `SIGQUIT`, `SIGABRT` or `SIGKILL`.
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

/**
 * The number of a signal that can be caught.
 *
 * @throws {TypeError} If it cannot be caught, or is no signal at all.
 * @throws {RangeError} If this platform has no such signal.
 */
export function catchable(signum: unknown, what: string): number {
  const number = numberOf(signum, what);
  if (!canListenTo(nameOf(number))) {
    throw new TypeError(
      `Cannot ${what}: ${
        nameOf(number)
      } cannot be caught; send SIGTERM to a program that should clean up, received ${
        JSON.stringify(signum)
      }`,
    );
  }
  return number;
}
