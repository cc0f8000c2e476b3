import { nameOf, numberOf } from "../_internal/signum.ts";

/** Deno refuses to listen to these; the kernel allows it for three of them. */
const UNCATCHABLE = new Set([
  "SIGKILL",
  "SIGSTOP",
  "SIGILL",
  "SIGFPE",
  "SIGSEGV",
]);

/**
 * The number of a signal that can be caught.
 *
 * @throws {TypeError} If it cannot be caught, or is no signal at all.
 * @throws {RangeError} If this platform has no such signal.
 */
export function catchable(signum: unknown, what: string): number {
  const number = numberOf(signum, what);
  if (UNCATCHABLE.has(nameOf(number))) {
    throw new TypeError(
      `Cannot ${what}: ${
        nameOf(number)
      } cannot be caught; a program that is to clean up is sent SIGTERM, received ${
        JSON.stringify(signum)
      }`,
    );
  }
  return number;
}
