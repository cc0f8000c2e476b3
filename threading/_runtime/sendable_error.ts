/**
 * What can be told of an error in another thread.
 *
 * @module
 */

import { HeapExhaustedError } from "../errors.ts";
import { draftRecord } from "../_codec/record.ts";
import { nameOf, noRoom } from "./thread_object.ts";

/**
 * Encodes an error that a thread did not catch, or what can be told of it. Does
 * not throw: an ending must not fail, too.
 *
 * @param error What was thrown.
 * @param thread The Thread object.
 * @param wrap Makes of it the value to be encoded.
 * @returns The record, a draft; 0 if the heap has no room for it.
 */
export function draftError(
  error: unknown,
  thread: number,
  wrap = (error: unknown): unknown => error,
): number {
  let reason: unknown;
  const told = () => {
    if (reason instanceof HeapExhaustedError) return noRoom(nameOf(thread));
    return new Error(
      `A thread threw what cannot be sent: ${textOf(error, true)}`,
      { cause: textOf(reason) },
    );
  };
  for (const attempt of [() => error, told, () => noRoom(nameOf(thread))]) {
    try {
      return draftRecord(wrap(attempt()));
    } catch (why) {
      // Want of room, or an accessor of the error, which is code of the user.
      reason = why;
    }
  }
  return 0;
}

/** Names an error for people, whatever its accessors do. */
export function textOf(error: unknown, withStack = false): string {
  try {
    const stack = withStack && error instanceof Error;
    return String(stack ? error.stack : error);
  } catch {
    return typeof error;
  }
}
