/**
 * The signals of the platform: their names, numbers and descriptions.
 *
 * @module
 */

import { constants } from "node:os";
import { DESCRIPTIONS } from "./_descriptions.ts";
import { numberOf, type Signum } from "../_internal/signum.ts";

export type { Signum };

/**
 * The numbers of this platform's signals, by name. After `signal.Signals` of
 * Python.
 *
 * Numbers differ: `SIGUSR1` is 10 on Linux and 30 on macOS. What the platform
 * does not have is `undefined`; Windows, for one, has neither `SIGALRM` nor
 * `SIGUSR1`.
 *
 * @example
 * ```ts
 * import { Signals } from "@skein/std/signal";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(Signals.SIGTERM, 15);
 * ```
 */
export const Signals: Readonly<Record<Deno.Signal, number>> = Object.freeze<
  Record<string, number>
>({ ...constants.signals }) as Readonly<Record<Deno.Signal, number>>;

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
  return new Set(Object.values(Signals));
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
  const names = Object.keys(Signals) as Deno.Signal[];
  // A signal may have several names; one of them has a description.
  const name = names.find((name) =>
    Signals[name] === number && DESCRIPTIONS[name] !== undefined
  );
  return name === undefined ? `Signal ${number}` : DESCRIPTIONS[name]!;
}
