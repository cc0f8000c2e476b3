/**
 * What can be done about a signal.
 *
 * @module
 */

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
