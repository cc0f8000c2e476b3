/**
 * The items of a map that are under way, in batches, each with the task that does
 * them; and how many make one.
 *
 * @module
 */

import { addressOf, holdObject, words } from "../threading/_ground.ts";
import {
  encode,
  readRecord,
  type SendableFunction,
} from "../threading/_threads.ts";
import {
  CHUNK_MS,
  type ChunkResult,
  runChunk,
  sizeOfChunk,
  SMALLEST,
} from "./_engine/chunk.ts";
import { Core, isSettled, Task } from "./_engine/layout.ts";
import type { Part } from "./_engine/run.ts";
import {
  closedError,
  type Held,
  holdTask,
  letGo,
  wasOffered,
} from "./submit.ts";
import { resultOf } from "./future.ts";
import { cancel } from "./task.ts";

/** How far a map has come. */
export interface MapProgress {
  /** The items whose results are there. */
  items: number;
  /** How many items there are, if that is known. */
  total?: number;
  /** Whether that was the last time. */
  done: boolean;
}

/** What is done in a map. */
export interface Plan {
  /** The core of the pool, which is kept until the map ends. */
  core: () => number;
  fn: SendableFunction;
  ordered: boolean;
  settled: boolean;
  ahead: number;
  size: ChunkSize;
  total: number | undefined;
  onProgress: ((progress: MapProgress) => void) | undefined;
  signal: AbortSignal | undefined;
}

/** A chunk that was given to the pool. */
export interface Batch {
  held: Held;
  items: unknown[];
  /** Why those of them cannot be sent that cannot, by their index. */
  refused: Map<number, unknown> | undefined;
  /** Whether the pool has it; until then, whoever gives it lets it go. */
  isGiven: boolean;
  /** The wait for its end, in the promise form. */
  wait: Promise<void> | undefined;
}

function newBatch(items: unknown[]): Batch {
  return {
    held: holdTask(),
    items,
    refused: undefined,
    isGiven: false,
    wait: undefined,
  };
}

/** The batches that a settled task has left, which the pool has. */
function restOf(task: number, items: unknown[], refused: Batch["refused"]) {
  const record = words[task + Task.rest];
  if (record <= 0) return [];
  const parts = readRecord(record) as Part[];
  let from = items.length - parts.reduce((sum, [count]) => sum + count, 0);
  return parts.map(([count, future]): Batch => {
    const end = from + count;
    const those = [...refused ?? []].filter(([i]) => i >= from && i < end);
    const batch: Batch = {
      held: hold(future),
      items: items.slice(from, end),
      refused: new Map(those.map(([i, reason]) => [i - from, reason])),
      isGiven: true,
      wait: undefined,
    };
    from = end;
    return batch;
  });
}

/** Holds the task of a future, which goes. */
function hold(future: Part[1]): Held {
  const task = addressOf(future);
  const held = { task, hold: holdObject(task, false) };
  future.free();
  return held;
}

/**
 * Whether some items of a batch are why it could not be given to the pool. It is
 * given again then, without them.
 */
export function refuses(batch: Batch): boolean {
  // One that was offered was encoded.
  if (batch.refused !== undefined || wasOffered(batch.held)) return false;
  const refused = new Map<number, unknown>();
  for (const [i, item] of batch.items.entries()) {
    try {
      encode(item);
    } catch (reason) {
      refused.set(i, reason);
    }
  }
  batch.refused = refused;
  return refused.size > 0;
}

/** What both forms have in common: the batches under way, and their results. */
export class Flow {
  /** Batches under way or ended, in the order of the items. */
  readonly batches: Batch[] = [];
  /** How many items are in them, or wait to be taken as results. */
  outstanding = 0;
  /** How many items were taken from the source. */
  taken = 0;
  #done = 0;
  readonly #workers: number;

  constructor(readonly plan: Plan) {
    this.#workers = words[plan.core() + Core.size];
  }

  /** How many items the next chunk may have; 0 if none may be taken now. */
  room(): number {
    const { ahead, size, total } = this.plan;
    if (ahead === Infinity && this.batches.length > 2 * this.#workers) return 0;
    const left = total === undefined ? Infinity : total - this.taken;
    return Math.min(
      size.next(Math.max(1, left), this.#workers),
      ahead - this.outstanding,
    );
  }

  /** A task for items from the source, which this thread holds. */
  batch(items: unknown[]): Batch {
    this.taken += items.length;
    this.outstanding += items.length;
    const batch = newBatch(items);
    this.batches.push(batch);
    return batch;
  }

  order({ items, refused }: Batch) {
    const { fn, settled, size } = this.plan;
    const args: unknown[] = [fn, items, settled, size.limit];
    if (refused !== undefined) {
      args[1] = items.map((item, i) => refused.has(i) ? undefined : item);
      args.push([...refused.keys()]);
    }
    return {
      fn: runChunk as SendableFunction,
      args,
      timeout: -1,
      grace: -1,
      attempts: 1,
      signal: undefined,
    };
  }

  /**
   * The results of a batch that has ended. If it has not come to all of its items
   * in its time, the others are in new batches at its place.
   *
   * @param onRest Is told of each of these.
   */
  read(batch: Batch, onRest?: (batch: Batch) => void): ChunkResult {
    const { held: { task }, items } = batch;
    const place = this.batches.indexOf(batch);
    this.batches.splice(place, 1);
    let result: ChunkResult;
    let left = 0;
    try {
      const rest = restOf(task, items, batch.refused);
      this.batches.splice(place, 0, ...rest);
      for (const each of rest) {
        left += each.items.length;
        onRest?.(each);
      }
      result = resultOf(task) as ChunkResult;
    } catch (reason) {
      if (!this.plan.settled) throw reason;
      // Its worker died, or a value cannot be sent.
      const values = Array.from(
        { length: items.length - left },
        () => ({ status: "rejected", reason }),
      );
      result = { values, ms: 0 };
    } finally {
      letGo(batch.held);
    }
    const count = result.values.length;
    for (const [i, reason] of batch.refused ?? []) {
      if (i < count) result.values[i] = { status: "rejected", reason };
      else if (i === count && !this.plan.settled) result.error = { reason };
    }
    if (result.ms > 0) this.plan.size.learn(count, result.ms);
    if (result.error !== undefined) {
      this.outstanding -= items.length - count;
      this.#done += items.length;
    } else {
      this.#done += count;
      // The pool has failed, and accepts no rest.
      if (count + left < items.length) throw closedError(this.plan.core());
    }
    this.#report(false);
    return result;
  }

  #report(done: boolean): void {
    const { onProgress, total } = this.plan;
    if (onProgress === undefined) return;
    onProgress({
      items: this.#done,
      ...total === undefined ? {} : { total },
      done,
    });
  }

  /** The map is over: what is under way is cancelled. */
  end(): void {
    for (const batch of this.batches.filter(({ isGiven }) => isGiven)) {
      this.drop(batch);
    }
    this.#report(true);
  }

  /** Cancels a batch and lets it go. */
  drop(batch: Batch): void {
    this.batches.splice(this.batches.indexOf(batch), 1);
    const { held, wait } = batch;
    abandon(held.task);
    // What is waited for must be there until the wait is over.
    if (wait === undefined) letGo(held);
    else wait.then(() => letGo(held));
  }
}

/** Cancels a task, and what it has left to others. */
export function abandon(task: number): void {
  if (!isSettled(task)) cancel(task, undefined, -1);
  // It has left nothing yet and will not, unless it is settled by now.
  if (!isSettled(task)) return;
  for (const { held } of restOf(task, [], undefined)) {
    abandon(held.task);
    letGo(held);
  }
}

/**
 * After so many milliseconds a chunk ends, and what it has not come to is done by
 * other tasks: its items take longer than those before them.
 */
const LIMIT_MS = 4 * CHUNK_MS;
const MAX_CHUNK = 16_384;
/** A chunk is at most so many times as large as the one before. */
const GROWTH = 16;
/** How many items of each function made a chunk in the last map. */
const sizes = new WeakMap<SendableFunction, number>();

/** Chooses how many items a task does, by the time that the last ones took. */
export class ChunkSize {
  #size: number;
  readonly #fixed: boolean;

  /**
   * @param fn What is called for each item.
   * @param chunk The number that was asked for, `undefined` to choose.
   * @param most The most.
   */
  constructor(
    readonly fn: SendableFunction,
    chunk: number | undefined,
    readonly most: number,
  ) {
    this.#fixed = chunk !== undefined;
    this.#size = chunk ?? sizes.get(fn) ?? 1;
  }

  /** Milliseconds after which a task leaves the rest of its items to others. */
  get limit(): number {
    return this.#fixed ? Infinity : LIMIT_MS;
  }

  /** How many items the next task does. */
  next(left: number, workers: number): number {
    if (this.#fixed) return this.#size;
    return Math.min(sizeOfChunk(this.#size, left, workers), this.most);
  }

  /** Learns how long some items took. */
  learn(count: number, ms: number): void {
    if (this.#fixed || count === 0) return;
    const size = this.#size;
    const ideal = Math.ceil(CHUNK_MS * count / Math.max(ms, 0.001));
    if (ideal <= size) {
      // An average, so that one slow item does not count for all.
      this.#size = Math.max(1, (size + ideal) >> 1);
    } else if (count >= size || ms >= CHUNK_MS * SMALLEST) {
      // A few quick ones do not count, either.
      this.#size = Math.min(ideal, size * GROWTH, MAX_CHUNK);
    }
    sizes.set(this.fn, this.#size);
  }
}
