/**
 * Calling a function for each of many items, on all workers of a pool.
 *
 * A feeder takes items from the source, in chunks, and gives them to the pool,
 * never more than `ahead` in front of the one that takes the results. It runs
 * beside that one, so results come while the source is waited for.
 *
 * @module
 */

import {
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  shown,
} from "../_internal/check.ts";
import { words } from "../threading/_ground.ts";
import { encode, type SendableFunction } from "../threading/_threads.ts";
import { type ChunkResult, runChunk, Watch } from "./_engine/chunk.ts";
import { Core, isSettled } from "./_engine/layout.ts";
import { breathe } from "./_engine/run.ts";
import { waitForAny } from "./completed.ts";
import { cancel } from "./task.ts";
import {
  checkTask,
  type Held,
  holdTask,
  letGo,
  submit,
  submitSync,
  wasOffered,
} from "./submit.ts";
import {
  loadResult,
  resultOf,
  waitForResult,
  waitForResultSync,
} from "./future.ts";

const MAP = "map over items";

/** How far a map has come. */
export interface MapProgress {
  /** The items whose results are there. */
  items: number;
  /** How many items there are, if that is known. */
  total?: number;
  /** Whether that was the last time. */
  done: boolean;
}

/** How `mapSync` calls its function. */
export interface MapSyncOptions {
  /**
   * Whether the results come in the order of the items, or as they come.
   *
   * @default {true}
   */
  ordered?: boolean;
  /**
   * How many items one task does; `"auto"` chooses by the time they take, and has
   * a task leave the rest of its items to others if they take much longer.
   *
   * @default {"auto"}
   */
  chunk?: number | "auto";
  /**
   * How many items are at most taken from the source before the result of the
   * first of them is taken; by default enough for all workers.
   */
  ahead?: number;
  /**
   * Whether the results are outcomes, as those of `Promise.allSettled`; if not,
   * the first error ends the map. An item that throws, or that cannot be sent, or
   * whose result cannot, fails alone; a worker that dies fails the chunk that it
   * had.
   *
   * @default {false}
   */
  settled?: boolean;
  /** Told after each task how far the map has come. */
  onProgress?: (progress: MapProgress) => void;
}

/** How `map` calls its function. */
export interface MapOptions extends MapSyncOptions {
  /** Ends the map; what waits for a result rejects with its reason. */
  signal?: AbortSignal;
}

const SYNC_NAMES = ["ordered", "chunk", "ahead", "settled", "onProgress"];
const NAMES = [...SYNC_NAMES, "signal"];

interface Plan {
  core: number;
  fn: SendableFunction;
  ordered: boolean;
  settled: boolean;
  ahead: number;
  size: ChunkSize;
  total: number | undefined;
  onProgress: ((progress: MapProgress) => void) | undefined;
  signal: AbortSignal | undefined;
}

/** What is done in a map, checked at the call. */
export function planMap(
  core: number,
  fn: unknown,
  items: unknown,
  options: MapOptions | undefined,
  isSync: boolean,
): Plan {
  checkFunction(fn, MAP, "fn");
  checkItems(items, isSync);
  if (options !== undefined) {
    checkOptions(options, MAP, isSync ? SYNC_NAMES : NAMES);
  }
  const {
    ordered = true,
    chunk = "auto",
    ahead,
    settled = false,
    onProgress,
    signal,
  } = options ?? {};
  checkBoolean(ordered, "ordered");
  checkBoolean(settled, "settled");
  if (chunk !== "auto") checkInteger(chunk, MAP, "chunk", 1);
  if (ahead !== undefined && ahead !== Infinity) {
    checkInteger(ahead, MAP, "ahead", 1);
  }
  if (onProgress !== undefined) checkFunction(onProgress, MAP, "onProgress");
  checkSignal(signal, MAP);
  signal?.throwIfAborted();
  checkTask(core, fn as SendableFunction);
  const workers = words[core + Core.size];
  return {
    core,
    fn: fn as SendableFunction,
    ordered,
    settled,
    ahead: ahead ?? Infinity,
    size: new ChunkSize(
      fn as SendableFunction,
      chunk === "auto" ? undefined : Math.min(chunk, ahead ?? Infinity),
      Math.max(1, Math.floor((ahead ?? Infinity) / workers)),
    ),
    total: countOf(items),
    onProgress,
    signal,
  };
}

function checkItems(items: unknown, isSync: boolean): void {
  const object = Object(items);
  if (typeof object[Symbol.iterator] === "function") return;
  if (!isSync && typeof object[Symbol.asyncIterator] === "function") return;
  throw new TypeError(
    `Cannot ${MAP}: items must be iterable, received ${shown(items)}`,
  );
}

function checkBoolean(value: unknown, name: string): void {
  if (typeof value === "boolean") return;
  throw new TypeError(
    `Cannot ${MAP}: ${name} must be a boolean, received ${shown(value)}`,
  );
}

function countOf(items: unknown): number | undefined {
  if (Array.isArray(items) || ArrayBuffer.isView(items)) {
    return (items as unknown[]).length;
  }
  return items instanceof Set || items instanceof Map ? items.size : undefined;
}

/** A chunk that was given to the pool. */
interface Batch {
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

/**
 * Whether some items of a batch are why it could not be given to the pool. It is
 * given again then, without them.
 */
function refuses(batch: Batch): boolean {
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
class Flow {
  /** Batches under way or ended, in the order of the items. */
  readonly batches: Batch[] = [];
  /** How many items are in them, or wait to be taken as results. */
  outstanding = 0;
  /** How many items were taken from the source. */
  taken = 0;
  #done = 0;
  readonly #workers: number;

  constructor(readonly plan: Plan) {
    this.#workers = words[plan.core + Core.size];
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
   * @param give Gives these to the pool.
   */
  read(batch: Batch, give: (batches: Batch[]) => void): ChunkResult {
    const place = this.batches.indexOf(batch);
    this.batches.splice(place, 1);
    const { items } = batch;
    let result: ChunkResult;
    try {
      result = resultOf(batch.held.task) as ChunkResult;
    } catch (reason) {
      if (!this.plan.settled) throw reason;
      // Its worker died, or a value cannot be sent.
      const values = Array.from(
        { length: items.length },
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
      if (count < items.length) give(this.#split(items.slice(count), place));
    }
    this.#report(false);
    return result;
  }

  /** New batches for items that were in one. */
  #split(items: unknown[], place: number): Batch[] {
    const batches: Batch[] = [];
    for (let at = 0; at < items.length;) {
      const left = items.length - at;
      const count = this.plan.size.next(left, this.#workers);
      const part = items.slice(at, at += count);
      batches.push(newBatch(part));
    }
    this.batches.splice(place, 0, ...batches);
    return batches;
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
    if (!isSettled(held.task)) cancel(held.task, undefined, -1);
    // What is waited for must be there until the wait is over.
    if (wait === undefined) letGo(held);
    else wait.then(() => letGo(held));
  }
}

/** How long the source is asked for the items of one chunk, in milliseconds. */
const FILL_MS = 4;

/** Maps in the blocking form. */
export function* mapItemsSync(
  plan: Plan,
  items: Iterable<unknown>,
): Generator<unknown> {
  const flow = new Flow(plan);
  const source = items[Symbol.iterator]();
  const give = (batches: Batch[]) => {
    for (const batch of batches) {
      batch.isGiven = true;
      const { task } = batch.held;
      try {
        submitSync(plan.core, task, flow.order(batch));
      } catch (error) {
        if (!refuses(batch)) throw error;
        submitSync(plan.core, task, flow.order(batch));
      }
    }
  };
  let isOpen = true;
  try {
    for (;;) {
      while (isOpen) {
        const room = flow.room();
        if (room < 1) break;
        const chunk: unknown[] = [];
        const watch = new Watch(FILL_MS);
        while (chunk.length < room) {
          if (chunk.length >= watch.next && watch.isUp(chunk.length)) break;
          const next = source.next();
          if (next.done) {
            isOpen = false;
            break;
          }
          chunk.push(next.value);
        }
        if (chunk.length === 0) break;
        give([flow.batch(chunk)]);
      }
      if (flow.batches.length === 0) return;
      const batch = nextSync(flow);
      const { values, error } = flow.read(batch, give);
      for (const value of values) {
        yield value;
        flow.outstanding--;
      }
      if (error !== undefined) throw error.reason;
    }
  } finally {
    try {
      flow.end();
    } finally {
      if (isOpen) source.return?.();
    }
  }
}

function nextSync({ plan, batches }: Flow): Batch {
  if (plan.ordered) {
    waitForResultSync(batches[0].held.task);
    return batches[0];
  }
  waitForAny(batches.map(({ held }) => held.task), Infinity, MAP);
  return batches.find(({ held }) => isSettled(held.task))!;
}

/** Maps in the promise form. */
export async function* mapItems(
  plan: Plan,
  items: Iterable<unknown> | AsyncIterable<unknown>,
): AsyncGenerator<unknown> {
  const flow = new Flow(plan);
  const feeder = new Feeder(flow, items);
  const { signal } = plan;
  const onAbort = () => feeder.fail(signal!.reason);
  const give = (batches: Batch[]) => {
    for (const batch of batches) {
      feeder.give(batch).catch((reason) => feeder.fail(reason));
    }
  };
  signal?.throwIfAborted();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      const batch = await feeder.next();
      if (batch === undefined) return;
      const loading = loadResult(batch.held.task);
      if (loading !== undefined) await loading;
      const { values, error } = flow.read(batch, give);
      for (const value of values) {
        yield value;
        flow.outstanding--;
        signal?.throwIfAborted();
        feeder.wake();
      }
      if (error !== undefined) throw error.reason;
      feeder.wake();
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    try {
      flow.end();
    } finally {
      await feeder.stop();
    }
  }
}

/** Takes items from the source and gives them to the pool. */
class Feeder {
  readonly #flow: Flow;
  readonly #source: Iterator<unknown> | AsyncIterator<unknown>;
  /** Batches that have ended, in the order of their ends. */
  readonly #ended = new Set<Batch>();
  readonly #isAsync: boolean;
  /** What the source was asked for, if a chunk did not wait for it. */
  #asked: Promise<IteratorResult<unknown>> | undefined;
  #turning: Promise<void> | undefined;
  #isStopped = false;
  readonly #stopping = new AbortController();
  /** Whether the source has more. */
  #isOpen = true;
  #isTaking = false;
  /** Whether all items have been given to the pool. */
  #isOver = false;
  #failure: { reason: unknown } | undefined;
  /** Wakes the feeder, and the one that takes results. */
  #wakeFeeder: (() => void) | undefined;
  #wakeTaker: (() => void) | undefined;

  constructor(flow: Flow, items: Iterable<unknown> | AsyncIterable<unknown>) {
    this.#flow = flow;
    const source = items as Partial<typeof items & AsyncIterable<unknown>>;
    this.#isAsync = source[Symbol.asyncIterator] !== undefined;
    this.#source = source[Symbol.asyncIterator]?.() ??
      (items as Iterable<unknown>)[Symbol.iterator]();
    this.#feed().catch((reason) => {
      this.#isOpen = false;
      this.fail(reason);
    });
  }

  /** The next batch that has ended, `undefined` at the end. */
  async next(): Promise<Batch | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason;
      const { batches, plan } = this.#flow;
      const [first] = plan.ordered ? batches : this.#ended;
      if (first !== undefined && this.#ended.delete(first)) return first;
      if (batches.length === 0 && this.#isOver) return undefined;
      await new Promise<void>((resolve) => this.#wakeTaker = resolve);
    }
  }

  /** The one that takes results throws. */
  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wakeTaker?.();
  }

  /** There may be room. */
  wake(): void {
    this.#wakeFeeder?.();
  }

  /** Lets the source go. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopping.abort();
    this.wake();
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const ending = this.#source.return?.();
    // What is waited for may never come.
    if (!this.#isTaking && this.#asked === undefined) await ending;
    else {await Promise.race([
        Promise.resolve(ending).catch(() => {}),
        breathe(),
      ]);}
  }

  async #feed(): Promise<void> {
    while (this.#isOpen && !this.#isStopped) {
      const room = this.#flow.room();
      if (room < 1) {
        await new Promise<void>((resolve) => this.#wakeFeeder = resolve);
        continue;
      }
      const chunk = await this.#take(room);
      if (this.#isStopped) return;
      if (chunk.length > 0) await this.give(this.#flow.batch(chunk));
    }
    this.#isOver = true;
    this.#wakeTaker?.();
  }

  async #take(room: number): Promise<unknown[]> {
    const chunk: unknown[] = [];
    const watch = new Watch(FILL_MS);
    if (this.#isAsync) watch.next = 0;
    this.#isTaking = true;
    while (chunk.length < room && !this.#isStopped) {
      if (chunk.length > 0 && chunk.length >= watch.next) {
        if (watch.isUp(chunk.length)) break;
        if (this.#isAsync) watch.next = 0;
      }
      const next = this.#isAsync
        ? await this.#ask(chunk.length === 0)
        : this.#source.next() as IteratorResult<unknown>;
      if (next === undefined) break;
      const { done, value } = next;
      if (done) {
        this.#isOpen = false;
        break;
      }
      chunk.push(value);
    }
    this.#isTaking = false;
    return chunk;
  }

  /**
   * The next item of a source that may have to be waited for.
   *
   * @param isPatient Whether to wait for as long as it takes. If not, there is
   * nothing if it is not there in this turn of the event loop: what has come is
   * not kept waiting for it, since it may come only after its result.
   */
  async #ask(
    isPatient: boolean,
  ): Promise<IteratorResult<unknown> | undefined> {
    const asked = this.#asked ??= Promise.resolve(
      this.#source.next() as PromiseLike<IteratorResult<unknown>>,
    );
    const next =
      await (isPatient ? asked : Promise.race([asked, this.#turn()]));
    if (next !== undefined) this.#asked = undefined;
    return next as IteratorResult<unknown> | undefined;
  }

  /** The end of this turn of the event loop. */
  #turn(): Promise<void> {
    return this.#turning ??= breathe().then(() => {
      this.#turning = undefined;
    });
  }

  /** Gives a batch to the pool. */
  async give(batch: Batch): Promise<void> {
    const flow = this.#flow;
    const { task } = batch.held;
    const { signal } = this.#stopping;
    const offer = () =>
      submit(flow.plan.core, task, { ...flow.order(batch), signal });
    try {
      try {
        await offer();
      } catch (error) {
        if (!refuses(batch)) throw error;
        await offer();
      }
      signal.throwIfAborted();
    } catch (error) {
      flow.drop(batch);
      if (this.#isStopped) return;
      throw error;
    }
    batch.isGiven = true;
    batch.wait = waitForResult(task, Infinity, undefined).then(() => {
      this.#ended.add(batch);
      this.#wakeTaker?.();
    }, (reason) => this.fail(reason));
  }
}

/** So long a chunk is to take, in milliseconds. */
const CHUNK_MS = 4;
/**
 * After so many it ends, and what it has not come to is done by other tasks: its
 * items take longer than those before them.
 */
const LIMIT_MS = 4 * CHUNK_MS;
const MAX_CHUNK = 16_384;
/** A chunk is at most so many times as large as the one before. */
const GROWTH = 16;
/** The last chunks are not smaller than this part: each costs something, too. */
const SMALLEST = 1 / 16;

/** How many items of each function made a chunk in the last map. */
const sizes = new WeakMap<SendableFunction, number>();

/** Chooses how many items a task does, by the time that the last ones took. */
class ChunkSize {
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
    // The last chunks are smaller, so that all workers end at about one time.
    const fair = Math.ceil(
      Math.max(left / (2 * workers), this.#size * SMALLEST),
    );
    return Math.max(1, Math.min(this.#size, fair, this.most));
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
