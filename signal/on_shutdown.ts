/**
 * Leaving in good order.
 *
 * @module
 */

import { ThreadingError } from "../threading/mod.ts";
import {
  checkFunction,
  checkIterable,
  checkOptions,
} from "../_internal/check.ts";
import { checkDuration } from "../_internal/options.ts";
import { subscribe } from "./_delivery.ts";
import type { SignalHandler } from "./action.ts";
import { isMain } from "./_main.ts";
import { catchable } from "./_catchable.ts";
import type { Signum } from "./signals.ts";

/** What `onShutdown` takes besides the cleanup. */
export interface OnShutdownOptions {
  /**
   * The signals that ask the process to end.
   *
   * @default {["SIGINT", "SIGTERM"]}, on Windows `["SIGINT", "SIGBREAK"]`
   */
  signals?: Iterable<Signum>;
  /**
   * Milliseconds after which the process ends although the cleanup has not.
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
const ASKING: readonly Signum[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

const shutdowns = new Set<Shutdown>();
/** What takes back `leave`, for each signal that some shutdown waits for. */
const stops = new Map<number, () => void>();
let leaving = false;

/**
 * Runs a cleanup when a signal asks the process to end, and then ends it. The
 * first signal asks, a second one ends the process at once.
 *
 * The process ends with the status 128 + the signal's number, as a shell tells
 * it, when the cleanup is done, has failed (its error is printed), or its
 * deadline passes. Cleanups that are given in several calls run at the same
 * time. Handlers are called as well. It does not keep the process alive, until
 * the signal has come.
 *
 * @param cleanup Called with the number and the name of the signal; a promise
 * that it returns is waited for.
 * @param options The signals and the deadline.
 * @returns Disposed of, the cleanup is not run any more.
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
 * using _ = onShutdown(() => server.shutdown(), { deadline: 5000 });
 * // ... and here the program does its work.
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
  try {
    listen();
  } catch (error) {
    shutdowns.delete(shutdown);
    listen();
    throw error;
  }
  return {
    [Symbol.dispose]: () => {
      shutdowns.delete(shutdown);
      listen();
    },
  };
}

/** Waits for just those signals that some shutdown wants. */
function listen(): void {
  const wanted = new Set<number>();
  for (const { numbers } of shutdowns) {
    for (const number of numbers) wanted.add(number);
  }
  for (const [number, stop] of stops) {
    if (wanted.has(number)) continue;
    stops.delete(number);
    stop();
  }
  for (const number of wanted) {
    if (stops.has(number)) continue;
    stops.set(number, subscribe(number, "watchers", leave));
  }
}

async function leave(signum: number, name: Deno.Signal): Promise<void> {
  if (leaving) Deno.exit(128 + signum);
  leaving = true;
  const due = [...shutdowns].filter(({ numbers }) => numbers.has(signum));
  await Promise.all(due.map((shutdown) => finish(shutdown, signum, name)));
  Deno.exit(128 + signum);
}

/** Runs a cleanup, but not beyond its deadline. */
async function finish(
  { cleanup, deadline }: Shutdown,
  signum: number,
  name: Deno.Signal,
): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  // Keeps the event loop alive, too, which a cleanup need not do.
  const timer = setTimeout(resolve, deadline);
  try {
    await Promise.race([cleanup(signum, name), late]);
  } catch (error) {
    console.error("The cleanup of a shutdown failed:", error);
  } finally {
    clearTimeout(timer);
  }
}
