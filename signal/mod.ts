/**
 * Signals: handlers that can be trusted, alarms, waiting for signals, and
 * leaving in good order. After `signal` of Python.
 *
 * - {@linkcode signal} sets a handler, {@linkcode getSignal} tells which is set.
 * - {@linkcode raiseSignal} and {@linkcode kill} send real signals;
 *   {@linkcode alarm} and {@linkcode setitimer} do so after a while.
 * - {@linkcode pause}, {@linkcode sigwait} and {@linkcode sleep} wait for them.
 * - {@linkcode abortOn} and {@linkcode onShutdown} end things in good order.
 *
 * A handler runs in the event loop of the thread that set it, so never between
 * two lines of other code. While that thread is blocked (`acquireSync`, say) or
 * busy, signals wait; they are handled as soon as it is free. What ends the
 * process does so also then: an alarm without a handler, and the second signal and
 * the deadline of a shutdown.
 *
 * Signals are given by number or by name. The numbers are those of the platform
 * ({@linkcode Signals}). Windows has few signals: its console sends `SIGINT`
 * (Ctrl+C), `SIGBREAK`, `SIGHUP` (it is closed) and `SIGWINCH`. There is no alarm
 * and no interval timer, and raising or killing ends the process in place of
 * calling its handler.
 *
 * What Deno cannot do is not to be had here either:
 *
 * - Handling `SIGKILL`, `SIGSTOP`, `SIGILL`, `SIGFPE` and `SIGSEGV`. The first two
 *   no program can.
 * - Real-time signals, a mask of signals, and timers of processor time.
 * - Having `SIGUSR1` to oneself: it opens Deno's inspector, besides the handler.
 * - Ignoring a signal in the kernel. So a program that this one starts does not
 *   ignore it, and what `nohup` has the kernel ignore is known to a program with
 *   all permissions (`-A`) only; others say `signal("SIGHUP", SIG_IGN)`.
 * - Giving back the kernel's action of `SIGPWR`, `SIGSTKFLT` and `SIGIO` once they
 *   had a handler: the first two then end the process with the status 1, and
 *   SIGIO is ignored.
 *
 * No permission is needed, except for killing another process: `--allow-run`.
 *
 * @example An alarm that interrupts a sleep
 * ```ts
 * import { alarm, SIG_DFL, signal, sleep } from "@skein/std/signal";
 * import { assert } from "@std/assert";
 *
 * signal("SIGALRM", (signum) => console.log("got signal", signum));
 * alarm(0.1);
 * const left = await sleep(200_000);
 * assert(left > 199_000);
 * signal("SIGALRM", SIG_DFL);
 * ```
 *
 * @module
 */

// Handlers
export {
  defaultIntHandler,
  getSignal,
  SIG_DFL,
  SIG_IGN,
  signal,
  type SignalAction,
  type SignalHandler,
  SignalInterrupt,
} from "./handler.ts";

// Sending, now or later
export { kill, raiseSignal } from "./signals.ts";
export {
  alarm,
  getitimer,
  type IntervalTimer,
  ITIMER_REAL,
  setitimer,
} from "./alarm.ts";

// Waiting
export { pause, sigwait, sleep, type SleepOptions } from "./wait.ts";

export type { WaitOptions, WaitSyncOptions } from "../_internal/check.ts";

// Ending in good order
export { abortOn, onShutdown, type OnShutdownOptions } from "./shutdown.ts";

// The signals there are
export { Signals, type Signum, strsignal, validSignals } from "./signals.ts";
