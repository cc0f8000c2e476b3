/**
 * Items of a map that one task does. Every worker has this file, and needs no more
 * of a map.
 *
 * A task whose items take much longer than those before them leaves the rest of
 * them to others: it makes tasks for them, which get into the line in the section
 * in which it is settled. So there is no instant at which the pool could end, or
 * be shut down, and has not accepted them; and nobody is left with tasks of which
 * he does not know, should it be cancelled or die. Whoever reads its result finds
 * them in `Task.rest`.
 *
 * @module
 */

import { isThenable } from "../../_internal/check.ts";
import {
  addressOf,
  isScopeCancelled,
  lock,
  self,
  Slot,
  unlock,
  words,
} from "../../threading/_ground.ts";
import {
  draftRecord,
  encode,
  type SendableFunction,
  sendableOwn,
} from "../../threading/_threads.ts";
import { makeFuture } from "../future.ts";
import { Core, SALVAGE, Task } from "./layout.ts";
import { giveJob } from "./line.ts";
import { currentRunning, type Part } from "./run.ts";

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
  { ms }: Watch,
  settled: boolean,
  error?: { reason: unknown },
): ChunkResult {
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

  /** Milliseconds until now. */
  get ms(): number {
    return performance.now() - this.begun;
  }

  /** Whether the time is up when so many items are done. */
  isUp(done: number): boolean {
    const { ms } = this;
    this.next = done + Math.ceil(done / Math.max(ms, 1));
    return ms >= this.limit;
  }
}

/** So long a chunk is to take, in milliseconds. */
export const CHUNK_MS = 4;
/** The last chunks are not smaller than this part: each costs something, too. */
export const SMALLEST = 1 / 16;

/**
 * How many items a chunk has.
 *
 * @param size How many it would have if there were enough.
 * @param left How many are left: the last chunks are smaller, so that all workers
 * end at about one time.
 */
export function sizeOfChunk(
  size: number,
  left: number,
  workers: number,
): number {
  const fair = Math.ceil(Math.max(left / (2 * workers), size * SMALLEST));
  return Math.max(1, Math.min(size, fair, left));
}

/** What a chunk is called with. */
type ChunkArguments = [
  fn: SendableFunction,
  items: unknown[],
  settled: boolean,
  limit: number,
  refused?: number[],
];

/**
 * Leaves the items of the running chunk that it has not come to.
 *
 * @returns Whether it has ended with that. If not, it is to go on: there is no
 * room, or an item cannot be sent by now.
 */
function leave(chunk: ChunkArguments, watch: Watch, done: number): boolean {
  const running = currentRunning();
  if (running === undefined) return false;
  const { place: { core }, task } = running;
  // Then nobody wants them.
  if (isScopeCancelled(task + Task.scope)) return true;
  const [fn, items, settled, limit, refused] = chunk;
  const ideal = Math.ceil(CHUNK_MS * done / watch.ms);
  const size = Math.max(1, items.length + ideal >> 1);
  const parts: Part[] = [];
  try {
    for (let from = done; from < items.length;) {
      const left = items.length - from;
      const count = sizeOfChunk(size, left, words[core + Core.size]);
      const future = makeFuture();
      parts.push([count, future]);
      const args: ChunkArguments = [
        fn,
        items.slice(from, from + count),
        settled,
        limit,
      ];
      const end = from + count;
      if (refused !== undefined) {
        const those = refused.filter((i) => i >= from && i < end);
        args.push(those.map((i) => i - from));
      }
      prepare(addressOf(future), core, args);
      from = end;
    }
  } catch {
    for (const [, future] of parts) future.free();
    watch.next = Infinity;
    return false;
  }
  running.rest = parts;
  return true;
}

/** Makes a task one for a chunk, so that it can get into the line. */
function prepare(task: number, core: number, args: ChunkArguments): void {
  const job = draftRecord({ fn: runChunk, args });
  words[task + Task.attempts] = 1;
  words[task + Task.timeout] = words[task + Task.grace] = -1;
  // Nobody else can ask for its result.
  words[task + Task.asked] = 1;
  lock(self + Slot.mutex);
  giveJob(core, task, job);
  unlock(self + Slot.mutex);
}

/**
 * Calls a function for each item of a chunk, for so many milliseconds. Those that
 * could not be sent fail; whoever sent the chunk knows why.
 */
export const runChunk = sendableOwn(
  import.meta,
  function runChunk(
    ...chunk: ChunkArguments
  ): ChunkResult | Promise<ChunkResult> {
    const [fn, items, settled, limit, refused] = chunk;
    const watch = new Watch(limit);
    const values: unknown[] = new Array(items.length);
    const call = fn as (item: unknown) => unknown;
    for (let i = 0; i < items.length; i++) {
      if (i >= watch.next && watch.isUp(i) && leave(chunk, watch, i)) {
        values.length = i;
        break;
      }
      let value: unknown;
      try {
        if (refused?.includes(i)) throw undefined;
        value = call(items[i]);
        if (isThenable(value)) {
          return goOn(chunk, watch, values, i, value);
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
  chunk: ChunkArguments,
  watch: Watch,
  values: unknown[],
  from: number,
  first: unknown,
): Promise<ChunkResult> {
  const [fn, items, settled, , refused] = chunk;
  const call = fn as (item: unknown) => unknown;
  for (let i = from; i < items.length; i++) {
    const isLate = i > from && i >= watch.next && watch.isUp(i);
    if (isLate && leave(chunk, watch, i)) {
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
