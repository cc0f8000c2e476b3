/**
 * Items of a map that one task does. Every worker has this file, and needs no more
 * of a map.
 *
 * @module
 */

import { isThenable } from "../../_internal/check.ts";
import {
  encode,
  sendable,
  type SendableFunction,
} from "../../threading/_threads.ts";
import { SALVAGE } from "./layout.ts";

/** What a chunk has come to. */
export interface ChunkResult {
  /** What was returned for each item that was done, or the outcomes. */
  values: unknown[];
  /** What an item threw that is to end the map; those behind it were not done. */
  error?: { reason: unknown };
  /** Milliseconds it took. */
  ms: number;
}

/** What a chunk has come to if something in it cannot be sent. */
function salvage(
  { values, error, ms }: ChunkResult,
  settled: boolean,
): ChunkResult {
  for (const [i, value] of values.entries()) {
    const outcome = value as PromiseSettledResult<unknown>;
    try {
      if (!settled) encode(value, "result");
      else if (outcome.status === "fulfilled") encode(outcome.value, "result");
      else encode(outcome.reason, "result");
    } catch (reason) {
      if (!settled) {
        return { values: values.slice(0, i), error: { reason }, ms };
      }
      values[i] = { status: "rejected", reason };
    }
  }
  if (error === undefined) return { values, ms };
  try {
    encode(error.reason, "result");
    return { values, error, ms };
  } catch (reason) {
    return { values, error: { reason }, ms };
  }
}

/** What a chunk has come to, which is not lost as a whole. */
function chunkResult(
  values: unknown[],
  { begun }: Watch,
  settled: boolean,
  error?: { reason: unknown },
): ChunkResult {
  const ms = performance.now() - begun;
  const result: ChunkResult = error === undefined
    ? { values, ms }
    : { values, error, ms };
  return Object.assign(result, { [SALVAGE]: () => salvage(result, settled) });
}

/**
 * Looks whether the time for a chunk is up: at the first items, and then about once
 * a millisecond, since a look at the clock takes longer than many an item.
 */
export class Watch {
  readonly begun = performance.now();
  /** How many items are done when it is looked at next. */
  next: number;

  constructor(readonly limit: number) {
    this.next = limit === Infinity ? Infinity : 1;
  }

  /** Whether the time is up when so many items are done. */
  isUp(done: number): boolean {
    const ms = performance.now() - this.begun;
    this.next = done + Math.ceil(done / Math.max(ms, 1));
    return ms >= this.limit;
  }
}

/**
 * Calls a function for each item of a chunk, for so many milliseconds. Those that
 * could not be sent fail; whoever sent the chunk knows why.
 */
export const runChunk = sendable(
  import.meta,
  function runChunk(
    fn: SendableFunction,
    items: unknown[],
    settled: boolean,
    limit: number,
    refused?: number[],
  ): ChunkResult | Promise<ChunkResult> {
    const watch = new Watch(limit);
    const values: unknown[] = new Array(items.length);
    const call = fn as (item: unknown) => unknown;
    for (let i = 0; i < items.length; i++) {
      if (i >= watch.next && watch.isUp(i)) {
        values.length = i;
        break;
      }
      let value: unknown;
      try {
        if (refused?.includes(i)) throw undefined;
        value = call(items[i]);
        if (isThenable(value)) {
          return goOn(call, items, settled, watch, values, i, value, refused);
        }
      } catch (reason) {
        if (!settled) return failed(values, i, reason, watch);
        values[i] = { status: "rejected", reason };
        continue;
      }
      values[i] = settled ? { status: "fulfilled", value } : value;
    }
    return chunkResult(values, watch, settled);
  },
);

/** The same from an item on whose result is a promise. */
async function goOn(
  call: (item: unknown) => unknown,
  items: unknown[],
  settled: boolean,
  watch: Watch,
  values: unknown[],
  from: number,
  first: unknown,
  refused?: number[],
): Promise<ChunkResult> {
  for (let i = from; i < items.length; i++) {
    if (i > from && i >= watch.next && watch.isUp(i)) {
      values.length = i;
      break;
    }
    try {
      if (refused?.includes(i)) throw undefined;
      const value = await (i === from ? first : call(items[i]));
      values[i] = settled ? { status: "fulfilled", value } : value;
    } catch (reason) {
      if (!settled) return failed(values, i, reason, watch);
      values[i] = { status: "rejected", reason };
    }
  }
  return chunkResult(values, watch, settled);
}

function failed(
  values: unknown[],
  at: number,
  reason: unknown,
  watch: Watch,
): ChunkResult {
  values.length = at;
  return chunkResult(values, watch, false, { reason });
}
