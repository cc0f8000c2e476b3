/**
 * A merge sort on all cores, over memory that the threads share. Each task sorts
 * one half itself and gives the other one to the pool; while it waits for that it
 * does other parts of it, so any number of workers will do, one included.
 *
 * The chapter has no such program. This prints:
 *
 *     1 worker: sorted
 *     2 workers: sorted
 *     4 workers: sorted
 *
 * @module
 */

import { ThreadPool } from "@skein/std/pool";
import { sendable, SharedArray } from "@skein/std/threading";

const LENGTH = 200_000;
/** Shorter parts are sorted at once. */
const SMALL = 10_000;

/** Sorts a part of the numbers. */
export const sort = sendable(
  import.meta,
  function sort(
    pool: ThreadPool,
    numbers: SharedArray<Float64Array>,
    from: number,
    to: number,
  ): void {
    const { view } = numbers;
    if (to - from <= SMALL) {
      view.subarray(from, to).sort();
      return;
    }
    const middle = (from + to) >> 1;
    const left = pool.submitNowait(sort, [pool, numbers, from, middle]);
    sort(pool, numbers, middle, to);
    left.resultSync();
    merge(view, from, middle, to);
  },
);

function merge(
  view: Float64Array,
  from: number,
  middle: number,
  to: number,
): void {
  const left = view.slice(from, middle);
  let i = 0;
  let j = middle;
  for (let at = from; i < left.length; at++) {
    view[at] = j < to && view[j] < left[i] ? view[j++] : left[i++];
  }
}

if (import.meta.main) {
  for (const size of [1, 2, 4]) {
    using pool = new ThreadPool({ size });
    const numbers = new SharedArray(Float64Array, LENGTH);
    const { view } = numbers;
    for (let i = 0; i < LENGTH; i++) view[i] = Math.random();
    pool.runSync(sort, [pool, numbers, 0, LENGTH]);
    const isSorted = view.every((n, i) => i === 0 || view[i - 1] <= n);
    const workers = size === 1 ? "1 worker" : `${size} workers`;
    console.log(`${workers}: ${isSorted ? "sorted" : "not sorted"}`);
  }
}
