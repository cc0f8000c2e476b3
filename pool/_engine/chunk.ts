/**
 * Items of a map that one task does, and how many those are.
 *
 * @module
 */

import { isThenable } from "../../_internal/check.ts";
import {
  encode,
  sendable,
  type SendableFunction,
} from "../../threading/_values.ts";
import { SALVAGE } from "./layout.ts";

/** What a chunk has come to. */
export interface ChunkResult {
  /** What was returned for each item, or the outcomes. */
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

/** The result of a chunk, which is not lost as a whole. */
function resultOf(
  values: unknown[],
  begun: number,
  settled: boolean,
  error?: { reason: unknown },
): ChunkResult {
  const ms = performance.now() - begun;
  const result: ChunkResult = error === undefined
    ? { values, ms }
    : { values, error, ms };
  return Object.assign(result, { [SALVAGE]: () => salvage(result, settled) });
}

/** Calls a function for each item of a chunk. */
export const runChunk = sendable(
  import.meta,
  function runChunk(
    fn: SendableFunction,
    items: unknown[],
    settled: boolean,
  ): ChunkResult | Promise<ChunkResult> {
    const begun = performance.now();
    const values: unknown[] = new Array(items.length);
    const call = fn as (item: unknown) => unknown;
    for (let i = 0; i < items.length; i++) {
      let value: unknown;
      try {
        value = call(items[i]);
        if (isThenable(value)) {
          return goOn(call, items, settled, begun, values, i, value);
        }
      } catch (reason) {
        if (!settled) return failed(values, i, reason, begun);
        values[i] = { status: "rejected", reason };
        continue;
      }
      values[i] = settled ? { status: "fulfilled", value } : value;
    }
    return resultOf(values, begun, settled);
  },
);

/** The same from an item on whose result is a promise. */
async function goOn(
  call: (item: unknown) => unknown,
  items: unknown[],
  settled: boolean,
  begun: number,
  values: unknown[],
  from: number,
  first: unknown,
): Promise<ChunkResult> {
  for (let i = from; i < items.length; i++) {
    try {
      const value = await (i === from ? first : call(items[i]));
      values[i] = settled ? { status: "fulfilled", value } : value;
    } catch (reason) {
      if (!settled) return failed(values, i, reason, begun);
      values[i] = { status: "rejected", reason };
    }
  }
  return resultOf(values, begun, settled);
}

function failed(
  values: unknown[],
  at: number,
  reason: unknown,
  begun: number,
): ChunkResult {
  values.length = at;
  return resultOf(values, begun, false, { reason });
}

/** So long a chunk is to take, in milliseconds. */
const CHUNK_MS = 4;
const MAX_CHUNK = 16_384;
/** A chunk is at most so many times as large as the one before. */
const GROWTH = 16;

/** Chooses how many items a task does, by the time that the last ones took. */
export class ChunkSize {
  #size: number;
  readonly #fixed: boolean;

  /**
   * @param chunk The number that was asked for, `undefined` to choose.
   * @param most The most.
   */
  constructor(chunk: number | undefined, readonly most: number) {
    this.#fixed = chunk !== undefined;
    this.#size = chunk ?? 1;
  }

  /** How many items the next task does. */
  next(left: number, workers: number): number {
    if (this.#fixed) return this.#size;
    // The last chunks are smaller, so that all workers end at about one time.
    const fair = Math.ceil(left / (2 * workers));
    return Math.max(1, Math.min(this.#size, fair, this.most));
  }

  /** Learns how long some items took. */
  learn(count: number, ms: number): void {
    if (this.#fixed || count === 0) return;
    const ideal = Math.ceil(CHUNK_MS * count / Math.max(ms, 0.001));
    const larger = Math.min(ideal, this.#size * GROWTH, MAX_CHUNK);
    // An average, so that one slow item does not count for all.
    this.#size = larger > this.#size
      ? larger
      : Math.max(1, (this.#size + larger) >> 1);
  }
}
