/**
 * The error that stands for a signal.
 *
 * @module
 */

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
 * As with any handler that throws, that is an uncaught error of its thread,
 * which ends the process, with `unload` events and the status 1. Python sets it
 * for SIGINT at the start; here that is left to the kernel, until you do.
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
