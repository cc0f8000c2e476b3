/**
 * Handlers of signals, and the delivery to all who want a signal in a thread.
 *
 * A thread has at most one Deno listener per signal, and has it exactly as long
 * as somebody in it wants the signal: a listener in any thread takes the
 * kernel's action away from the whole process. Deno's message of a signal waits
 * for the event loop. What it meets then is what is set then, as with a signal
 * that is pending in the kernel: a handler, or if there is none any more the
 * kernel's action, for which the signal is raised again.
 *
 * @module
 */

import { killSignalOf, nameOf, numberOf } from "../_internal/platform.ts";
import { builtIn } from "../_internal/built_in.ts";
import { shown } from "../_internal/check.ts";
import { ensureKeeper, keepIgnoring, stopListening } from "./_keeper.ts";
import {
  add,
  closeSpan,
  hasBit,
  Header,
  isHandledElsewhere,
  isMain,
  isTracing,
  kernelIgnores,
  linger,
  load,
  noteHandling,
  onThreadEnd,
  onTold,
  openSpan,
  SpanKind,
  takeFromKernel,
  tell,
  TraceBit,
  wasIgnored,
} from "./_process.ts";
import { catchable, type Signum } from "./signals.ts";

/**
 * The action that stands for what the kernel does by itself, which for most
 * signals is to end the process.
 *
 * @example
 * ```ts
 * import { SIG_DFL, SIG_IGN, signal } from "@skein/std/signal";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(signal("SIGHUP", SIG_IGN), SIG_DFL);
 * assertEquals(signal("SIGHUP", SIG_DFL), SIG_IGN);
 * ```
 */
export const SIG_DFL: unique symbol = Symbol("SIG_DFL");

/**
 * The action that stands for nothing: the signal is ignored.
 *
 * @example
 * ```ts
 * import { raiseSignal, SIG_IGN, signal } from "@skein/std/signal";
 *
 * signal("SIGHUP", SIG_IGN);
 * raiseSignal("SIGHUP"); // Nothing happens.
 * ```
 */
export const SIG_IGN: unique symbol = Symbol("SIG_IGN");

/**
 * A handler: called with the number of the signal and its name. A promise that
 * it returns is not waited for, but if it rejects, that is an uncaught error.
 */
export type SignalHandler = (signum: number, name: Deno.Signal) => unknown;

/** What `signal` takes and `getSignal` returns. */
export type SignalAction = SignalHandler | typeof SIG_DFL | typeof SIG_IGN;

/**
 * A signal, as an error: what `defaultIntHandler` throws and the reason of an
 * `abortOn`. After `KeyboardInterrupt` of Python.
 *
 * @example
 * ```ts
 * import { SignalInterrupt } from "@skein/std/signal";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new SignalInterrupt(2, "SIGINT").message, "SIGINT was received");
 * ```
 */
export class SignalInterrupt extends Error {
  /** The name of the class. */
  override name = "SignalInterrupt";
  /** The number of the signal. */
  readonly signum: number;
  /** The name of the signal. */
  readonly signal: Deno.Signal;

  /**
   * Makes the error.
   *
   * @param signum The number of the signal.
   * @param signal Its name.
   */
  constructor(signum: number, signal: Deno.Signal) {
    super(`${signal} was received`);
    this.signum = signum;
    this.signal = signal;
  }
}

/**
 * A handler that throws a `SignalInterrupt`. After
 * `signal.default_int_handler` of Python.
 *
 * Python raises it between two lines of the main thread, where `try` can catch
 * it. Here it is thrown in the event loop, as by any handler, so it is an
 * uncaught error of its thread: that of the main thread ends the process with
 * the status 1, without `unload` events. Use `abortOn` for what should be caught,
 * `onShutdown` to clean up. Python sets this handler for SIGINT at the start;
 * here the kernel's action stays until you set one.
 *
 * @param signum The number of the signal.
 * @param name Its name.
 * @throws {SignalInterrupt} Always.
 *
 * @example
 * ```ts
 * import { defaultIntHandler, SignalInterrupt } from "@skein/std/signal";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => defaultIntHandler(2, "SIGINT"), SignalInterrupt);
 * ```
 */
export function defaultIntHandler(signum: number, name: Deno.Signal): never {
  throw new SignalInterrupt(signum, name);
}

/** Is told of a signal. */
export type Taker = (signum: number, name: Deno.Signal) => void;

/** What this thread does about one signal. */
export interface Entry {
  readonly number: number;
  readonly name: Deno.Signal;
  /** What `signal` has set. */
  action: SignalAction;
  /** Those that take the signal away from the handler, and leave: `sigwait`. */
  readonly waiters: Set<Taker>;
  /** Those that are told besides the handler. */
  readonly watchers: Set<Taker>;
  /** The listener of Deno. */
  readonly listener: () => void;
  listening: boolean;
  /** Called when the thread no longer listens. */
  onUnlistened?: () => void;
  /** Raises the signal a last time if that is due, before the program ends. */
  raiseLast?: () => void;
  /** The program may go on: raises it again when it is due. */
  goOn?: () => void;
}

// A worker runs many threads, one after the other.
const entries = new Map<number, Entry>();

let ending = false;

onThreadEnd(() => {
  ending = true;
  for (const entry of entries.values()) {
    const before = entry.action;
    entry.onUnlistened = undefined;
    entry.action = SIG_DFL;
    entry.waiters.clear();
    entry.watchers.clear();
    settle(entry, before);
  }
  entries.clear();
  sleepers.clear();
  ending = false;
});

/** What this thread does about a signal; for a change, see `settle`. */
export function entryOf(number: number): Entry {
  let entry = entries.get(number);
  if (entry === undefined) {
    const fresh: Entry = entry = {
      number,
      name: nameOf(number),
      action: wasIgnored(number) ? SIG_IGN : SIG_DFL,
      waiters: new Set(),
      watchers: new Set(),
      listener: () => {
        if (fresh.action === SIG_IGN && !isWatched(fresh)) return;
        // Later, so that Deno waits for the next one already: a handler that
        // removes itself loses none that came while it ran.
        queueMicrotask(() => deliver(fresh));
      },
      listening: false,
    };
    entries.set(number, entry);
  }
  return entry;
}

function isWatched({ waiters, watchers }: Entry): boolean {
  return waiters.size > 0 || watchers.size > 0;
}

/**
 * Listens to the signal, or no longer, after a change of who wants it.
 *
 * @param before What the action was before the change.
 */
export function settle(entry: Entry, before: SignalAction = SIG_DFL): void {
  const { number, action } = entry;
  const wanted = isWatched(entry) || typeof action === "function" ||
    action === SIG_IGN && !kernelIgnores(number);
  if (wanted && !entry.listening) listen(entry);
  if (!wanted && entry.listening) unlisten(entry, before);
  noteHandling(number, wanted);
}

function listen(entry: Entry): void {
  const { number, name } = entry;
  if (isMain && !hasLastTurn) {
    hasLastTurn = true;
    addEventListener("beforeunload", takeLastTurn);
  }
  const lost = takeFromKernel([number]);
  forgetLate(number);
  Deno.addSignalListener(name, entry.listener);
  entry.listening = true;
  if (lost.length > 0) goOnIgnoring(lost);
}

let hasLastTurn = false;
let tookLastTurn = false;

/**
 * Lets the event loop turn once more before the program ends, so that it hears of
 * the signals that came while the last lines blocked or computed.
 */
function takeLastTurn(event: globalThis.Event): void {
  tookLastTurn = !tookLastTurn;
  const listening = [...entries.values()].filter(({ listening }) => listening);
  if (!tookLastTurn || listening.length === 0) return;
  event.preventDefault();
  for (const { raiseLast } of listening) raiseLast?.();
  setTimeout(() => {
    for (const { goOn } of listening) goOn?.();
  }, LATE_MS);
}

/** Ignores signals for the process that the kernel did ignore. */
function goOnIgnoring(numbers: number[]): void {
  if (isMain) {
    for (const number of numbers) settle(entryOf(number));
  } else if (ensureKeeper()) {
    // The keeper, since this thread may end.
    keepIgnoring(numbers, true);
  }
}

function unlisten(entry: Entry, before: SignalAction): void {
  const { name } = entry;
  entry.listening = false;
  if (before === SIG_IGN) Deno.removeSignalListener(name, entry.listener);
  else unlistenLate(entry);
  entry.onUnlistened?.();
}

function unlistenLate({ number, name, listener }: Entry): void {
  forgetLate(number);
  const forget = stopListening(
    name,
    listener,
    // Later, since nobody may be removed while Deno goes through its list.
    () => queueMicrotask(() => deliverLate(number, name)),
  );
  if (forget === undefined) return;
  lates.set(number, forget);
  const drained = turned(ending);
  drained.then(() => {
    if (lates.get(number) === forget) forgetLate(number);
  });
  if (ending) linger(drained);
}

/** Resolves when the event loop has heard of what was on its way. */
function turned(keepsAlive: boolean): Promise<void> {
  return new Promise((resolve) => {
    const wait = (then: () => void) => {
      // Not a worker's global timer, which goes when the thread ends.
      if (!isMain) {
        const timer = builtIn("node:timers").setTimeout(then, LATE_MS);
        if (!keepsAlive) timer.unref();
      } else {
        Deno.unrefTimer(setTimeout(then, LATE_MS));
      }
    };
    // Twice: the first may come before Deno's message does.
    wait(() => wait(resolve));
  });
}

/** Milliseconds in which the event loop hears of what is on its way. */
const LATE_MS = 10;

/** Functions that remove the listeners for late signals. */
const lates = new Map<number, () => void>();

function forgetLate(number: number): void {
  lates.get(number)?.();
  lates.delete(number);
}

/** A signal has come that nobody in this thread wants any more. */
function deliverLate(number: number, name: Deno.Signal): void {
  const entry = entries.get(number);
  if (entry?.listening) return entry.listener();
  // Whoever else listens has been told of it.
  if (!isHandledElsewhere(number)) Deno.kill(Deno.pid, killSignalOf(name));
}

/**
 * Adds a function that is told of a signal.
 *
 * @param role Whether the handler is told as well (`watchers`) or not.
 * @returns A function that removes it.
 */
export function subscribe(
  number: number,
  role: "waiters" | "watchers",
  taker: Taker,
): () => void {
  const entry = entryOf(number);
  entry[role].add(taker);
  try {
    settle(entry);
  } catch (error) {
    entry[role].delete(taker);
    throw error;
  }
  return () => {
    if (entry[role].delete(taker)) settle(entry);
  };
}

function deliver(entry: Entry): void {
  const { number, name, action } = entry;
  if (!entry.listening) return deliverLate(number, name);
  // Those that the handler adds wait for the next signal.
  const waiters = [...entry.waiters];
  const watchers = [...entry.watchers];
  if (waiters.length > 0) {
    for (const take of waiters) take(number, name);
    for (const tell of watchers) tell(number, name);
    return;
  }
  const handles = handlesHere(number);
  const count = handles ? countHandled() : 0;
  let failure: { error: unknown } | undefined;
  if (typeof action === "function") {
    const span = isTracing(TraceBit.signals)
      ? openSpan(`handle ${name}`, SpanKind.signal)
      : undefined;
    try {
      action(number, name);
    } catch (error) {
      failure = { error };
    } finally {
      if (span !== undefined) closeSpan(span);
    }
  }
  for (const tell of watchers) tell(number, name);
  if (handles) tellHandled(number, count);
  if (failure !== undefined) reportError(failure.error);
}

/** Whether this thread is told of a signal and handles it. */
export function handlesHere(number: number): boolean {
  const entry = entries.get(number);
  return typeof entry?.action === "function" || (entry?.watchers.size ?? 0) > 0;
}

/**
 * The waits that end when a signal has been handled, in any thread. A sleep
 * that begins while a handler runs must not be ended by the handler's own
 * signal, nor by an old message. So all threads count the signals together,
 * each before its handler runs, and a sleep ends only for a later one.
 */
interface Sleeper {
  /** The count when the sleep began. */
  readonly since: number;
  readonly wake: () => void;
}

const sleepers = new Set<Sleeper>();

/** Counts a signal that is about to be handled. */
export function countHandled(): number {
  return add(Header.handledSignals, 1) + 1 | 0;
}

/** Ends the sleeps, in all threads, that began before a signal was counted. */
export function tellHandled(number: number, count: number): void {
  wakeSleepers(count);
  if (load(Header.allThreads) > 0) tell({ is: "handled", number, count });
}

function wakeSleepers(count: number): void {
  for (const { since, wake } of [...sleepers]) {
    // The difference, since the count goes round.
    if ((count - since | 0) > 0) wake();
  }
}

onTold((message) => {
  // A thread that handles a signal itself goes by its own delivery: the other's
  // would end what its handler of the same signal has begun.
  if (message.is === "handled" && !handlesHere(message.number)) {
    wakeSleepers(message.count);
  }
});

/**
 * Calls back once when a signal has been handled, in whichever thread.
 *
 * @returns A function that removes it.
 */
export function onHandled(callback: () => void): () => void {
  const sleeper: Sleeper = {
    since: load(Header.handledSignals),
    wake: () => {
      sleepers.delete(sleeper);
      callback();
    },
  };
  sleepers.add(sleeper);
  return () => sleepers.delete(sleeper);
}

/**
 * Sets what this thread does when a signal arrives. After `signal.signal` of
 * Python.
 *
 * The handler is called with the number and the name, from the event loop of
 * the thread that set it: a thread that is blocked or busy meanwhile runs it as
 * soon as it is not. Signals that arrive faster than they are handled become
 * one, but after the last of them the handler runs at least once. None of the
 * handlers keeps the process alive; `pause`, `sigwait` and `sleep` do.
 *
 * An error that the handler throws, or rejects with, is an uncaught error of its
 * thread: it ends the process with the status 1, or fails the thread if that is
 * not the main one. If an `error` or `unhandledrejection` listener prevents that,
 * later signals still arrive.
 *
 * A handler may set and remove handlers. A signal that is on its way meanwhile
 * meets what is set when the event loop turns: the new handler, `SIG_IGN`, or
 * with `SIG_DFL` the kernel's action.
 *
 * Every thread has its own handlers, and each that has one for a signal is told
 * of it. `SIG_DFL` gives the kernel's action back once no thread, and no
 * listener of `Deno.addSignalListener`, handles the signal any more. A thread's
 * handlers go when it ends; those of a thread that is killed a moment later.
 *
 * What was ignored when the program was started (by `nohup`, or in the
 * background of a shell) stays so until the main thread says otherwise, and is
 * `SIG_IGN` here. Deno always ignores SIGPIPE. Which others are ignored only
 * Linux tells, and only a program with all permissions (`-A`): one that has
 * fewer, and is to survive its terminal under `nohup`, says
 * `signal("SIGHUP", SIG_IGN)` itself, since the first handler of any signal makes
 * Deno end the process for SIGHUP, SIGINT and SIGTERM again.
 *
 * What the process ignores programs that it starts do not ignore, but for what
 * was ignored from the start and never had a handler: Deno cannot ask the kernel
 * to ignore a signal.
 *
 * No permission is needed. On Windows only `SIGINT`, `SIGBREAK`, `SIGHUP`, when its
 * console is closed, and `SIGWINCH` ever come. Once they had a handler, Deno cannot give
 * the kernel's action back for three signals of Linux: for SIGPWR and SIGSTKFLT it
 * then ends the process with the status 1, and SIGIO is ignored.
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
  if (isMain && handler === SIG_DFL && before === SIG_IGN) {
    stopIgnoring(entry);
  }
  entry.action = handler;
  try {
    settle(entry, before);
  } catch (error) {
    entry.action = before;
    throw error;
  }
  return before;
}

/** Has the process no longer ignore what it ignored when it began. */
function stopIgnoring(entry: Entry): void {
  const { number } = entry;
  if (!wasIgnored(number)) return;
  // Having listened once makes Deno take the default action.
  if (kernelIgnores(number)) listen(entry);
  // Somebody of another thread may have made it ignored there.
  if (hasBit(Header.keptSignals, number)) keepIgnoring([number], false);
}

/**
 * What this thread has set for a signal. After `signal.getsignal` of Python.
 *
 * @param signum The signal, by number or name.
 * @returns The handler, or `SIG_IGN`, also if the process was started with the
 * signal ignored and that is known, see {@linkcode signal}; else `SIG_DFL`.
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
  return entries.get(number)?.action ??
    (wasIgnored(number) ? SIG_IGN : SIG_DFL);
}
