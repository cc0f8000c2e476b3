/**
 * Noticing that this worker ran out of memory.
 *
 * Where that happens in a timer's callback, the worker ends and its owner is
 * told. In a microtask (behind an `await`, that is) V8 only drops the microtask
 * and the worker goes on as if nothing had happened, with a higher limit.
 *
 * @module
 */

import { getHeapStatistics } from "node:v8";

const CHECK_MS = 200;

function limit(): number {
  return getHeapStatistics().heap_size_limit;
}

/** Calls back, from the event loop, when the limit has been reached. */
export function onOutOfMemory(callback: () => void): void {
  const initial = limit();
  const timer = setInterval(() => {
    if (limit() === initial) return;
    clearInterval(timer);
    callback();
  }, CHECK_MS);
}
