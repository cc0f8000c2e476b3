/**
 * How `exit()` leaves a thread.
 *
 * @module
 */

/** Thrown by `exit`; ends the thread silently if nobody catches it. */
export class ThreadExit extends Error {
  /** The name of the class. */
  override name = "ThreadExit";
}
