/**
 * Handlers of signals.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import { entries, entryOf, settle } from "./_delivery.ts";
import { numberOf } from "../_internal/signum.ts";
import { catchable } from "./_catchable.ts";
import { SIG_DFL, SIG_IGN, type SignalAction } from "./action.ts";
import type { Signum } from "./signals.ts";

/**
 * Says what is to happen in this thread when a signal arrives. After
 * `signal.signal` of Python.
 *
 * The handler is called with the number and the name, from the event loop of
 * the thread that set it: a thread that is blocked or busy meanwhile runs it as
 * soon as it is not. Signals that arrive faster than they are handled become
 * one, but after the last of them the handler runs at least once. An error that
 * the handler throws, or rejects with, is an uncaught error of its thread; if
 * the program survives that, later signals still arrive. A handler may set and
 * remove handlers. None of them keeps the process alive; `pause`, `sigwait` and
 * `sleep` do.
 *
 * Every thread has its own handlers, and each that has one for a signal is told
 * of it. `SIG_DFL` gives the kernel's action back once no thread, and no
 * listener of `Deno.addSignalListener`, handles the signal any more. A thread's
 * handlers go when it ends; those of a thread that is killed a moment later.
 *
 * `SIG_IGN` ignores the signal in this process only: a program that it starts
 * does not inherit that, as it would in C.
 *
 * No permission is needed. Windows knows only `SIGINT` and `SIGBREAK`, and
 * `SIGHUP` when its console is closed.
 *
 * @param signum The signal, by number or name.
 * @param handler The function, or `SIG_DFL`, or `SIG_IGN`.
 * @returns What was there before.
 * @throws {TypeError} If the signal cannot be caught (`SIGKILL`, `SIGSTOP`,
 * `SIGILL`, `SIGFPE`, `SIGSEGV`), or the handler is none.
 * @throws {RangeError} If this platform has no such signal.
 *
 * @example
 * ```ts
 * import { pause, raiseSignal, signal } from "@skein/std/signal";
 * import { assertEquals } from "@std/assert";
 *
 * let got = "";
 * const before = signal("SIGTERM", (signum, name) => {
 *   got = `${signum} is ${name}`;
 * });
 * raiseSignal("SIGTERM");
 * await pause();
 * assertEquals(got, "15 is SIGTERM");
 * signal("SIGTERM", before);
 * ```
 */
export function signal(signum: Signum, handler: SignalAction): SignalAction {
  const number = catchable(signum, "set a handler");
  if (
    typeof handler !== "function" && handler !== SIG_DFL && handler !== SIG_IGN
  ) {
    throw new TypeError(
      `Cannot set a handler: it must be a function, SIG_DFL or SIG_IGN, received ${
        shown(handler)
      }`,
    );
  }
  const entry = entryOf(number);
  const before = entry.action;
  entry.action = handler;
  try {
    settle(entry);
  } catch (error) {
    entry.action = before;
    throw error;
  }
  return before;
}

/**
 * What this thread has set for a signal. After `signal.getsignal` of Python.
 *
 * @param signum The signal, by number or name.
 * @returns The handler, or `SIG_IGN`; `SIG_DFL` if none was ever set.
 * @throws {TypeError} If it is neither a number nor a string.
 * @throws {RangeError} If this platform has no such signal.
 *
 * @example
 * ```ts
 * import { getSignal, SIG_DFL } from "@skein/std/signal";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getSignal("SIGINT"), SIG_DFL);
 * ```
 */
export function getSignal(signum: Signum): SignalAction {
  const number = numberOf(signum, "get a handler");
  return entries().get(number)?.action ?? SIG_DFL;
}
