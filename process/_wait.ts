// The options that every wait takes, checked.

/** The longest timer there is. */
const LONGEST = 2_147_483_647;

/**
 * Checks a number of milliseconds.
 *
 * @param duration The number; `undefined` and `Infinity` mean for ever.
 * @param what What is to be done, for messages: `run a command`.
 * @param name What the number is called.
 * @returns The number.
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is negative, NaN or too large for a timer.
 */
export function durationOf(
  duration: unknown,
  what: string,
  name = "timeout",
): number {
  if (duration === undefined || duration === Infinity) return Infinity;
  if (typeof duration !== "number") {
    throw new TypeError(
      `Cannot ${what}: ${name} must be a number of milliseconds, received ${
        typeof duration === "string" ? `"${duration}"` : String(duration)
      }`,
    );
  }
  if (!(duration >= 0 && duration <= LONGEST)) {
    throw new RangeError(
      `Cannot ${what}: ${name} must be between 0 and ${LONGEST} milliseconds, received ${duration}`,
    );
  }
  return duration;
}

/** The error of a wait whose time ran out. */
export function timeoutError(what: string, timeout: number): DOMException {
  return new DOMException(
    `Cannot ${what}: ${timeout} ms have passed`,
    "TimeoutError",
  );
}

/**
 * Waits for a promise for a limited time. The promise goes on after that.
 *
 * @throws {DOMException} `TimeoutError`, if the time passes first.
 */
export async function within<T>(
  promise: Promise<T>,
  { timeout, signal }: { timeout: number; signal?: AbortSignal },
  what: string,
): Promise<T> {
  signal?.throwIfAborted();
  if (timeout === Infinity && signal === undefined) return await promise;
  const { promise: end, reject } = Promise.withResolvers<never>();
  const timer = timeout === Infinity
    ? undefined
    : setTimeout(() => reject(timeoutError(what, timeout)), timeout);
  const abort = () => reject(signal!.reason);
  signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
