/**
 * Leaving in good order when a signal asks for it.
 *
 * @module
 */

import {
  checkDuration,
  checkFunction,
  checkIterable,
  checkOptions,
} from "../_internal/check.ts";
import { askingToEnd } from "../_internal/platform.ts";
import { ThreadingError } from "../threading/errors.ts";
import {
  ensureKeeper,
  keeperIsUp,
  keepIgnoring,
  request,
  withNames,
} from "./_keeper.ts";
import {
  Header,
  isKilled,
  isMain,
  load,
  type Message,
  onThreadEnd,
  onTold,
  processNow,
  self,
  takeFromKernel,
  tell,
  tid,
} from "./_process.ts";
import {
  countHandled,
  handlesHere,
  type SignalHandler,
  SignalInterrupt,
  subscribe,
  tellHandled,
} from "./handler.ts";
import { catchable, type Signum } from "./signals.ts";

/**
 * Makes an AbortSignal that is aborted by the first of some signals, with a
 * `SignalInterrupt` as its reason. Give it to whatever takes one: a `fetch`, a
 * `Lock.acquire`, a server.
 *
 * The first signal asks; from then on the signals have the kernel's action again
 * (or the handler's, where one is set), so that a second one ends the process,
 * also while the thread that was asked, or the main thread, is blocked or busy.
 * Handlers are called as well. It does not keep the process alive.
 *
 * The first call in a process starts a worker, which takes some 30 ms. In another
 * thread than the main one, it is the main thread that must start it: if that is
 * busy for longer than a second, a second signal must wait for the event loop
 * of the thread that called.
 *
 * Dispose of it, with `using`, where it is no longer needed: it is kept as long
 * as a signal could abort it. A signal that has come, but not yet aborted it, has
 * the kernel's action then.
 *
 * @param signals The signals, by number or name; at least one.
 * @returns The AbortSignal; disposed of, it is never aborted any more.
 * @throws {TypeError} If a signal cannot be caught.
 * @throws {RangeError} If there are none, or this platform has no such signal.
 *
 * @example
 * ```ts
 * import { abortOn, raiseSignal, SignalInterrupt, sleep } from "@skein/std/signal";
 * import { assertRejects } from "@std/assert";
 *
 * using signal = abortOn("SIGINT", "SIGTERM");
 * raiseSignal("SIGTERM");
 * await assertRejects(() => sleep(10_000, { signal }), SignalInterrupt);
 * ```
 */
export function abortOn(
  ...signals: readonly Signum[]
): AbortSignal & Disposable {
  const what = "abort on a signal";
  const numbers = new Set(signals.map((signum) => catchable(signum, what)));
  if (numbers.size === 0) {
    throw new RangeError(
      `Cannot ${what}: there must be at least one, received none`,
    );
  }
  const controller = new AbortController();
  const stop = listen(numbers, (number, name) => {
    controller.abort(new SignalInterrupt(number, name));
  });
  return Object.assign(controller.signal, { [Symbol.dispose]: stop });
}

/** Waits for the first of some signals. */
function listen(
  numbers: Iterable<number>,
  take: (number: number, name: Deno.Signal) => void,
): () => void {
  const stop = ask(numbers, undefined, (came) => {
    noteHandled(came);
    take(came.number, came.name);
  });
  if (stop !== undefined) return stop;
  // Without the keeper the thread listens itself.
  const stops: (() => void)[] = [];
  const stopAll = () => {
    for (const stop of stops.splice(0)) stop();
  };
  try {
    for (const number of numbers) {
      stops.push(subscribe(number, "watchers", (number, name) => {
        stopAll();
        take(number, name);
      }));
    }
  } catch (error) {
    stopAll();
    throw error;
  }
  return stopAll;
}

let lastCame: Came | undefined;

/** Ends the sleeps of all threads, once for each signal, when all have it. */
function noteHandled(came: Came): void {
  const { number } = came;
  // The delivery to a handler ends them, too.
  if (came === lastCame || handlesHere(number)) return;
  lastCame = came;
  const count = countHandled();
  queueMicrotask(() => tellHandled(number, count));
}

/** What `onShutdown` takes besides the cleanup. */
export interface OnShutdownOptions {
  /**
   * The signals that ask the process to end.
   *
   * @default {["SIGINT", "SIGTERM"]}, on Windows `["SIGINT", "SIGBREAK"]`
   */
  signals?: Iterable<Signum>;
  /**
   * Milliseconds after the signal when the process ends although the cleanup has
   * not.
   *
   * @default {10000}
   */
  deadline?: number;
}

interface Shutdown {
  readonly cleanup: SignalHandler;
  readonly numbers: ReadonlySet<number>;
  readonly deadline: number;
}

const WHAT = "prepare a shutdown";
const ASKING: readonly Signum[] = askingToEnd();

const shutdowns = new Set<Shutdown>();
/** The signal for which the process ends. */
let leavingFor: Came | undefined;

/**
 * Runs a cleanup when a signal asks the process to end, and then ends it. The
 * first signal asks, a second one ends the process at once.
 *
 * The process ends with the status 128 + the signal's number, as a shell tells
 * it, when the cleanup is done, has failed, or its deadline passes. Cleanups that
 * are given in several calls run at the same time. One that fails does not stop
 * the others: its error goes to the `error` listeners, and is printed unless one
 * of them prevents that. Handlers are called as well. It does not keep the
 * process alive, until the signal has come.
 *
 * The second signal and the deadline end the process also while the main thread
 * is blocked or busy and the cleanup cannot even begin: then by the signal
 * itself, which a shell tells as the same status (by SIGKILL a second later, if a
 * handler or somebody else listens to it). For that, the first call in a process starts a worker,
 * which takes some 30 ms.
 *
 * @param cleanup Called with the number and the name of the signal; a promise
 * that it returns is waited for.
 * @param options The signals and the deadline.
 * @returns Disposed of, the cleanup is not run any more. A `using` at the top of
 * a module disposes of it behind the last line, while the program may go on for
 * long: use one in a block that ends with the program, or none.
 * @throws {ThreadingError} In a thread other than the main one, which alone can
 * end the process.
 * @throws {TypeError} If the cleanup is not a function, a signal cannot be
 * caught, or the deadline is not a number.
 * @throws {RangeError} If there are no signals, this platform has none of that
 * name, or the deadline is negative, NaN or too large.
 *
 * @example
 * ```ts
 * import { onShutdown } from "@skein/std/signal";
 *
 * const server = Deno.serve({ port: 0, hostname: "127.0.0.1" }, () => {
 *   return new Response("Hello");
 * });
 * onShutdown(() => server.shutdown(), { deadline: 5000 });
 * // ... which it does for as long as the server runs. Here it ends at once.
 * await server.shutdown();
 * ```
 */
export function onShutdown(
  cleanup: SignalHandler,
  options: OnShutdownOptions = {},
): Disposable {
  if (!isMain) {
    throw new ThreadingError(
      `Cannot ${WHAT}: only the main thread can end the process; call it there, or use abortOn`,
    );
  }
  checkFunction(cleanup, WHAT, "cleanup");
  checkOptions(options, WHAT, ["signals", "deadline"]);
  const { signals = ASKING, deadline = 10_000 } = options;
  checkIterable(signals, WHAT, "signals");
  checkDuration(deadline, WHAT, "deadline");
  const numbers = new Set<number>();
  for (const signum of signals) numbers.add(catchable(signum, WHAT));
  if (numbers.size === 0) {
    throw new RangeError(
      `Cannot ${WHAT}: there must be at least one signal, received none`,
    );
  }
  const shutdown = { cleanup, numbers, deadline };
  shutdowns.add(shutdown);
  let stop: (() => void) | undefined;
  try {
    stop = ask(numbers, deadline, take);
    if (stop === undefined) {
      throw new ThreadingError(
        `Cannot ${WHAT}: the worker that keeps the deadline does not start`,
      );
    }
  } catch (error) {
    shutdowns.delete(shutdown);
    throw error;
  }
  return {
    [Symbol.dispose]: () => {
      shutdowns.delete(shutdown);
      stop();
    },
  };
}

/** Called for each shutdown that wants the signal: the first call leaves. */
function take(came: Came): void {
  if (came === leavingFor) return;
  if (came.again || leavingFor !== undefined) Deno.exit(128 + came.number);
  leavingFor = came;
  noteHandled(came);
  leave(came);
}

async function leave({ number, name, at }: Came): Promise<void> {
  const due = [...shutdowns].filter(({ numbers }) => numbers.has(number));
  // The keeper counts from when the signal came, which may be a while ago.
  const late = processNow() - at;
  await Promise.all(
    due.map((shutdown) => finish(shutdown, number, name, late)),
  );
  Deno.exit(128 + number);
}

// `deadline` of @std/async would throw at the deadline, which is no error here.
/** Runs a cleanup, but not beyond its deadline. */
async function finish(
  { cleanup, deadline }: Shutdown,
  number: number,
  name: Deno.Signal,
  late: number,
): Promise<void> {
  const { promise: tooLate, resolve } = Promise.withResolvers<void>();
  // Keeps the event loop alive, too, which a cleanup need not do.
  const timer = setTimeout(resolve, Math.max(deadline - late, 0));
  try {
    await Promise.race([cleanup(number, name), tooLate]);
  } catch (error) {
    report(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Reports an uncaught error without ending the process: others still run. */
function report(error: unknown): void {
  const message = String((error as Error | null)?.message ?? error);
  const event = new ErrorEvent("error", { error, message, cancelable: true });
  if (dispatchEvent(event)) {
    console.error("Uncaught error in the cleanup of a shutdown:", error);
  }
}

/** What the keeper says of a signal that has come. */
type Came = Extract<Message, { is: "came" }>;

interface Asker {
  take: (came: Came) => void;
  once: boolean;
}

/** The requests of this thread. */
const askers = new Map<string, Asker>();
let lastId = 0;

/**
 * Asks the keeper to tell this thread of signals: without a deadline of one
 * signal, with one, as a shutdown, of all. The keeper listens when this returns.
 *
 * @returns What takes it back; `undefined` if there is no keeper.
 */
function ask(
  numbers: Iterable<number>,
  deadline: number | undefined,
  take: (came: Came) => void,
): (() => void) | undefined {
  if (!ensureKeeper()) return undefined;
  const id = `${tid}/${++lastId}`;
  const once = deadline === undefined;
  askers.set(id, { take, once });
  const named = withNames(numbers);
  const lost = takeFromKernel(named.map(([number]) => number));
  if (lost.length > 0) keepIgnoring(lost, true);
  const listens = request((serial) => ({
    is: "ask",
    id,
    slot: self,
    tid,
    numbers: named,
    deadline,
    serial,
  }));
  if (!listens) {
    askers.delete(id);
    throwWhy(named);
  }
  return () => dropAsk(id);
}

/** Throws what Deno throws when it cannot listen to a signal. */
function throwWhy(named: [number, Deno.Signal][]): never {
  const nothing = () => {};
  for (const [, name] of named) {
    Deno.addSignalListener(name, nothing);
    Deno.removeSignalListener(name, nothing);
  }
  throw new Error(`Cannot listen to signals: received ${named.join(", ")}`);
}

function dropAsk(id: string): void {
  if (!askers.delete(id)) return;
  request((serial) => ({ is: "drop", id, slot: self, taken: false, serial }));
}

onTold((message) => {
  // The keeper sees that it is dead, and gives the signal to others.
  if (message.is !== "came" || isKilled()) return;
  const due: Asker[] = [];
  for (const id of message.ids) {
    const asker = askers.get(id);
    if (asker === undefined) continue;
    if (asker.once) askers.delete(id);
    tell({ is: "drop", id, slot: self, taken: true, serial: 0 });
    due.push(asker);
  }
  for (const { take } of due) take(message);
});

if (isMain) {
  // A signal that came before the event loop was empty counts, although the
  // message of it is still on its way: the outcome must not depend on a race.
  addEventListener("beforeunload", (event) => {
    if (askers.size === 0 || !keeperIsUp()) return;
    // Answered when the keeper has done what it had to do before.
    request((serial) => ({
      is: "drop",
      id: "",
      slot: self,
      taken: true,
      serial,
    }));
    if (load(Header.givenSignals) === 0) return;
    event.preventDefault();
    setTimeout(() => {}, 10);
  });
}

onThreadEnd(() => {
  for (const id of [...askers.keys()]) dropAsk(id);
});
