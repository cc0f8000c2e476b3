/**
 * What can be told of an error in another thread.
 *
 * @module
 */

import { encode } from "../_memory/codec/encode.ts";

/** An error, or what can be sent of it. */
export function sendableError(error: unknown): unknown {
  try {
    encode(error);
    return error;
  } catch (reason) {
    const text = error instanceof Error ? error.stack : typeof error;
    return new Error(`A thread threw what cannot be sent: ${text}`, {
      cause: reason instanceof Error ? reason.message : undefined,
    });
  }
}
