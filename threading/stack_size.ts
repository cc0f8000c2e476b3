/**
 * The stack size of new threads.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import { exchange, Header, load } from "./_memory/heap.ts";

/** As in Python: less would not carry the interpreter. */
const MIN_BYTES = 32 * 1024;
const MAX_BYTES = 2 ** 30;

/**
 * Asks for a stack size for the threads that are started from now on, anywhere
 * in the process, or tells what was asked for. After `threading.stack_size` of
 * Python.
 *
 * It is a request to the platform, passed on with each worker that is started
 * (an idle one is not made anew). Deno 2.9 accepts it and does not act on it:
 * threads recurse as deep as before, some ten thousand calls.
 *
 * @param bytes The size: 0 for the platform's default, or 32 KiB to 1 GiB.
 * Left out, nothing changes.
 * @returns The size asked for before, 0 at first.
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is not an integer, or out of range.
 *
 * @example
 * ```ts
 * import { stackSize } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const before = stackSize(4 * 1024 * 1024);
 * assertEquals(stackSize(), 4 * 1024 * 1024);
 * stackSize(before);
 * ```
 */
export function stackSize(bytes?: number): number {
  if (bytes === undefined) return load(Header.stackSize);
  if (typeof bytes !== "number") {
    throw new TypeError(
      `Cannot set the stack size: it must be a number of bytes, received ${
        shown(bytes)
      }`,
    );
  }
  const inRange = bytes >= MIN_BYTES && bytes <= MAX_BYTES;
  if (!Number.isInteger(bytes) || (bytes !== 0 && !inRange)) {
    throw new RangeError(
      `Cannot set the stack size: it must be 0 or an integer between ${MIN_BYTES} and ${MAX_BYTES} bytes, received ${bytes}`,
    );
  }
  return exchange(Header.stackSize, bytes);
}
