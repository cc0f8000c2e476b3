/**
 * Looking for a while before sleeping.
 *
 * @module
 */

/**
 * So many looks, with a pause after each, take about as long as it would take to
 * wake a thread: so one that is nearly as fast as the other end never sleeps.
 */
export const LOOKS = 400;

/**
 * Takes a tenth of a microsecond and touches nothing that is shared: each look
 * takes a cache line away from the thread at the other end.
 */
export function pause(): void {
  performance.now();
}
