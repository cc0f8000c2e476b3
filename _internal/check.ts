/**
 * Checks of what a caller gives, among them the options that every wait takes. The
 * messages read `Cannot <do> <what>: <why>, received <value>`.
 *
 * @module
 */

/** A wrong value as messages show it. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}

/** Whether a value is a promise, or is awaited like one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then ===
    "function";
}

function wrong(what: string, rule: string, value: unknown): TypeError {
  return new TypeError(`Cannot ${what}: ${rule}, received ${shown(value)}`);
}

/**
 * Checks that options are an object, and that there are such: a bare number, as
 * other languages have it, or a `timout`, would never be heeded.
 *
 * @param names What options there are.
 * @throws {TypeError} If they are no object, or one of them does not exist.
 */
export function checkOptions(
  options: unknown,
  what: string,
  names?: readonly string[],
): asserts options is object {
  if (typeof options !== "object" || options === null) {
    throw wrong(what, "options must be an object", options);
  }
  if (names === undefined) return;
  const other = Object.keys(options).find((name) => !names.includes(name));
  if (other === undefined) return;
  const known = names.length === 1
    ? `the only option is ${names[0]}`
    : `the options are ${names.join(", ")}`;
  throw wrong(what, known, other);
}

/**
 * Checks the signal that may end a wait.
 *
 * @throws {TypeError} If it is neither an AbortSignal nor `undefined`.
 */
export function checkSignal(signal: unknown, what: string): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw wrong(what, "signal must be an AbortSignal", signal);
}

/**
 * Checks a function.
 *
 * @throws {TypeError} If it is none.
 */
export function checkFunction(fn: unknown, what: string, name: string): void {
  if (typeof fn === "function") return;
  throw wrong(what, `${name} must be a function`, fn);
}

/**
 * Checks what a function returned that must end before it returns.
 *
 * @param result What it returned.
 * @param what What is being done, for messages.
 * @param rule What it breaks, for messages.
 * @throws {TypeError} If it is a promise, or another thenable.
 */
export function checkNotThenable(
  result: unknown,
  what: string,
  rule = "fn must not return a promise, use run()",
): void {
  const then = (result as PromiseLike<unknown> | null | undefined)?.then;
  if (typeof then !== "function") return;
  throw wrong(what, rule, result);
}

/**
 * Classes whose iterators block until somebody ends them, so that nobody takes
 * one for a list.
 */
// deno-lint-ignore ban-types
export const blockingIterables: Function[] = [];

/**
 * Checks an argument that will be iterated.
 *
 * @throws {TypeError} If it cannot be, or if that would block.
 */
export function checkIterable(
  items: unknown,
  what: string,
  name: string,
): void {
  const blocking = blockingIterables.find((each) => items instanceof each);
  if (blocking !== undefined) {
    throw new TypeError(
      `Cannot ${what}: ${name} must not be a queue, which would be waited for until it is shut down, give its drain(), received a ${blocking.name}`,
    );
  }
  if (typeof Object(items)[Symbol.iterator] === "function") return;
  throw wrong(what, `${name} must be iterable`, items);
}

/**
 * Checks an integer.
 *
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is not an integer, or less than the least.
 */
export function checkInteger(
  value: unknown,
  what: string,
  name: string,
  least = -Infinity,
): asserts value is number {
  if (typeof value !== "number") {
    throw wrong(what, `${name} must be a number`, value);
  }
  if (Number.isSafeInteger(value) && value >= least) return;
  const from = least === -Infinity ? "" : ` from ${least}`;
  throw new RangeError(
    `Cannot ${what}: ${name} must be an integer${from}, received ${value}`,
  );
}

/**
 * Checks a text.
 *
 * @throws {TypeError} If it is none.
 */
export function checkString(
  value: unknown,
  what: string,
  name: string,
): asserts value is string {
  if (typeof value !== "string") {
    throw wrong(what, `${name} must be a string`, value);
  }
}

/**
 * Checks a list of arguments.
 *
 * @throws {TypeError} If it is no array.
 */
export function checkArray(
  value: unknown,
  what: string,
  name: string,
): asserts value is unknown[] {
  if (!Array.isArray(value)) {
    throw wrong(what, `${name} must be an array`, value);
  }
}

/**
 * The longest timeout that a wait accepts, in milliseconds (about 24.8 days,
 * the range of a timer). `Infinity` and `undefined` mean for ever.
 *
 * @example
 * ```ts
 * import { Event, TIMEOUT_MAX } from "@skein/std/threading";
 * import { assertThrows } from "@std/assert";
 *
 * const event = new Event();
 * assertThrows(() => event.waitSync({ timeout: TIMEOUT_MAX + 1 }), RangeError);
 * ```
 */
export const TIMEOUT_MAX = 2_147_483_647;

/** What the blocking form of a wait takes. */
export interface WaitSyncOptions {
  /**
   * Milliseconds after which the wait gives up, at most `TIMEOUT_MAX`.
   *
   * @default {Infinity}
   */
  timeout?: number;
}

/** What the promise form of a wait takes. */
export interface WaitOptions extends WaitSyncOptions {
  /** Ends the wait when it is aborted; the wait rejects with its reason. */
  signal?: AbortSignal;
}

const WAIT_OPTIONS = ["timeout", "signal"];
const SYNC_OPTIONS = ["timeout"];

/**
 * The timeout of the options, in milliseconds.
 *
 * @param options The options of a wait.
 * @param what What is being waited for, for messages: `acquire a Lock`.
 * @returns The timeout, `Infinity` if there is none.
 * @throws {TypeError} If it is not a number, or the options are of a wrong type,
 * or there is one that does not exist.
 * @throws {RangeError} If it is negative, NaN or above `TIMEOUT_MAX`.
 */
export function timeoutOf(
  options: WaitOptions | undefined,
  what: string,
): number {
  if (options === undefined) return Infinity;
  checkOptions(options, what, WAIT_OPTIONS);
  checkSignal(options.signal, what);
  return durationOf(options.timeout, what, "timeout");
}

/**
 * Like {@linkcode timeoutOf}, for a wait that blocks: there is no event loop that
 * could tell of a signal.
 */
export function timeoutOfSync(
  options: WaitSyncOptions | undefined,
  what: string,
): number {
  if (options === undefined) return Infinity;
  checkOptions(options, what, SYNC_OPTIONS);
  return durationOf(options.timeout, what, "timeout");
}

/**
 * A duration in milliseconds that may be missing.
 *
 * @returns The duration; for `undefined` and `Infinity`, `Infinity`.
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is negative, NaN or above `TIMEOUT_MAX`.
 */
export function durationOf(
  duration: unknown,
  what: string,
  name: string,
): number {
  if (duration === undefined || duration === Infinity) return Infinity;
  checkDuration(duration, what, name);
  return duration;
}

/**
 * Checks a duration in milliseconds.
 *
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is negative, NaN or above `TIMEOUT_MAX`.
 */
export function checkDuration(
  duration: unknown,
  what: string,
  name: string,
): asserts duration is number {
  if (typeof duration !== "number") {
    throw new TypeError(
      `Cannot ${what}: ${name} must be a number of milliseconds, received ${
        shown(duration)
      }`,
    );
  }
  if (!(duration >= 0 && duration <= TIMEOUT_MAX)) {
    throw new RangeError(
      `Cannot ${what}: ${name} must be between 0 and ${TIMEOUT_MAX} milliseconds, received ${duration}`,
    );
  }
}

/** The error of a wait whose time ran out. */
export function timeoutError(what: string, timeout: number): DOMException {
  return new DOMException(
    `Cannot ${what}: ${timeout} ms have passed`,
    "TimeoutError",
  );
}
