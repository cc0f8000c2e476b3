/**
 * What joining a thread throws that did not end by itself.
 *
 * @module
 */

import { ThreadingError } from "../errors.ts";

/** It was terminated. */
export function terminated(name: string): ThreadingError {
  return new ThreadingError(`The thread ${name} was terminated`);
}

/** It ran out of memory. */
export function outOfMemory(name: string): ThreadingError {
  return new ThreadingError(`The thread ${name} ran out of memory`);
}

/** It left by `Deno.exit`, `process.exit` or `close`. */
export function exited(name: string): ThreadingError {
  return new ThreadingError(
    `The thread ${name} ended its worker (Deno.exit, process.exit or close); use exit() of threading to end a thread`,
  );
}

/** Its worker ended, nobody knows why. */
export function died(name: string, cause: unknown): ThreadingError {
  return new ThreadingError(`The thread ${name} died`, { cause });
}
