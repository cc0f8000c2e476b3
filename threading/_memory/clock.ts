/**
 * One clock for all threads. Each has its own, `performance.now()`, which starts
 * with it; none of them is set back, but the time of day, by which they could be
 * compared, is. So the two are compared once, while a worker starts.
 *
 * @module
 */

/** What two clocks of a thread say at the same moment. */
export interface ClockPair {
  /** The time of day. */
  wall: number;
  /** `performance.now()`. */
  now: number;
}

/** What the clocks of this thread say. */
export function clockPair(): ClockPair {
  const now = performance.now();
  const wall = performance.timeOrigin + now;
  const today = Date.now();
  // Exact, as long as the time of day was not set since the thread began.
  return { wall: Math.abs(today - wall) < 2 ? wall : today, now };
}

/**
 * How far the clock of this worker, which has just started, is behind that of
 * the thread that started it.
 *
 * @param starter What that one's clocks said when it did.
 */
export function clockOffset(starter: ClockPair): number {
  return starter.now + performance.timeOrigin - starter.wall;
}
