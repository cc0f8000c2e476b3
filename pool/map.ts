/**
 * Calling a function for each of many items, on all workers of a pool.
 *
 * A feeder takes items from the source, in chunks, and gives them to the pool,
 * never more than `ahead` in front of the one that takes the results. It runs
 * beside that one, so results come while the source is waited for.
 *
 * What the pool has accepted it does, also if it is shut down: the results of that
 * come first, and then the error of the chunk that it has refused.
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
import type { SendableFunction } from "../threading/_threads.ts";
import { ShutDown } from "../queue/errors.ts";
import { Watch } from "./_engine/chunk.ts";
import { Core, isSettled } from "./_engine/layout.ts";
import { breathe } from "./_engine/run.ts";
import {
  type Batch,
  ChunkSize,
  Flow,
  type MapProgress,
  type Plan,
  refuses,
} from "./_batches.ts";
import { waitForAny } from "./completed.ts";
import { checkTask, submit, submitSync } from "./submit.ts";
import { loadResult, waitForResult, waitForResultSync } from "./future.ts";

const MAP = "map over items";

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

/** What is done in a map, checked at the call. */
export function planMap(
  core: () => number,
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
  checkTask(core(), fn as SendableFunction);
  const workers = words[core() + Core.size];
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

/** How long the source is asked for the items of one chunk, in milliseconds. */
const FILL_MS = 4;

/** Maps in the blocking form. */
export function* mapItemsSync(
  plan: Plan,
  items: Iterable<unknown>,
): Generator<unknown> {
  const flow = new Flow(plan);
  const source = items[Symbol.iterator]();
  const give = (batch: Batch) => {
    const { task } = batch.held;
    const offer = () => submitSync(plan.core(), task, flow.order(batch));
    try {
      try {
        offer();
      } catch (error) {
        if (!refuses(batch)) throw error;
        offer();
      }
      batch.isGiven = true;
    } catch (error) {
      flow.drop(batch);
      if (!(error instanceof ShutDown)) throw error;
      refusal = error;
    }
  };
  let isOpen = true;
  let refusal: ShutDown | undefined;
  try {
    for (;;) {
      while (isOpen && refusal === undefined) {
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
        give(flow.batch(chunk));
      }
      if (flow.batches.length === 0) break;
      const batch = nextSync(flow);
      const { values, error } = flow.read(batch);
      for (const value of values) {
        yield value;
        flow.outstanding--;
      }
      if (error !== undefined) throw error.reason;
    }
    if (refusal !== undefined) throw refusal;
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
  const onRest = (batch: Batch) => feeder.watch(batch);
  signal?.throwIfAborted();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      const batch = await feeder.next();
      if (batch === undefined) return;
      const loading = loadResult(batch.held.task);
      if (loading !== undefined) await loading;
      const { values, error } = flow.read(batch, onRest);
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

/**
 * Iterates over a stream as it does itself, but that it can be left while an item
 * is waited for: `return()` of its own iterator would wait for that first.
 */
function iterateStream(stream: ReadableStream<unknown>) {
  const reader = stream.getReader();
  return {
    async next(): Promise<IteratorResult<unknown>> {
      let isOver = true;
      try {
        const { done, value } = await reader.read();
        isOver = done;
        return done ? { done, value: undefined } : { done, value };
      } finally {
        if (isOver) reader.releaseLock();
      }
    },
    async return(): Promise<IteratorResult<unknown>> {
      const cancelling = reader.cancel();
      reader.releaseLock();
      await cancelling;
      return { done: true, value: undefined };
    },
  };
}

function isStream(items: unknown): items is ReadableStream<unknown> {
  return items instanceof ReadableStream &&
    items[Symbol.asyncIterator] ===
      ReadableStream.prototype[Symbol.asyncIterator];
}

/** Takes items from the source and gives them to the pool. */
class Feeder {
  readonly #flow: Flow;
  readonly #source: Iterator<unknown> | AsyncIterator<unknown>;
  /** Batches that have ended, in the order of their ends. */
  readonly #ended = new Set<Batch>();
  readonly #isAsync: boolean;
  readonly #isStream: boolean;
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
  /** Why the pool takes no more. */
  #refusal: ShutDown | undefined;
  /** Wakes the feeder, and the one that takes results. */
  #wakeFeeder: (() => void) | undefined;
  #wakeTaker: (() => void) | undefined;

  constructor(flow: Flow, items: Iterable<unknown> | AsyncIterable<unknown>) {
    this.#flow = flow;
    const source = items as Partial<typeof items & AsyncIterable<unknown>>;
    this.#isAsync = source[Symbol.asyncIterator] !== undefined;
    this.#isStream = isStream(items);
    this.#source = isStream(items)
      ? iterateStream(items)
      : source[Symbol.asyncIterator]?.() ??
        (items as Iterable<unknown>)[Symbol.iterator]();
    this.#feed().catch((reason) => this.fail(reason));
  }

  /** The next batch that has ended, `undefined` at the end. */
  async next(): Promise<Batch | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason;
      const { batches, plan } = this.#flow;
      const [first] = plan.ordered ? batches : this.#ended;
      if (first !== undefined && this.#ended.delete(first)) return first;
      if (batches.length === 0 && this.#isOver) {
        if (this.#refusal !== undefined) throw this.#refusal;
        return undefined;
      }
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
    const isWaiting = this.#isTaking || this.#asked !== undefined;
    const ending = this.#source.return?.();
    if (!isWaiting || this.#isStream) {
      await ending;
      return;
    }
    // What is waited for may never come.
    const ended = Promise.resolve(ending).catch(() => {});
    await Promise.race([ended, breathe()]);
  }

  async #feed(): Promise<void> {
    while (this.#isOpen && !this.#isStopped) {
      const room = this.#flow.room();
      if (room < 1) {
        await new Promise<void>((resolve) => this.#wakeFeeder = resolve);
        continue;
      }
      const chunk = await this.#take(room).catch((reason) => {
        this.#isOpen = false;
        throw reason;
      });
      if (this.#isStopped) return;
      if (chunk.length > 0) await this.#give(this.#flow.batch(chunk));
      if (this.#refusal !== undefined) break;
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
  async #give(batch: Batch): Promise<void> {
    const flow = this.#flow;
    const { task } = batch.held;
    const { signal } = this.#stopping;
    const offer = () =>
      submit(flow.plan.core(), task, { ...flow.order(batch), signal });
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
      if (!(error instanceof ShutDown)) throw error;
      this.#refusal = error;
      return;
    }
    batch.isGiven = true;
    this.watch(batch);
  }

  /** Notes the end of a batch that the pool has. */
  watch(batch: Batch): void {
    const { task } = batch.held;
    batch.wait = waitForResult(task, Infinity, undefined).then(() => {
      this.#ended.add(batch);
      this.#wakeTaker?.();
    }, (reason) => this.fail(reason));
  }
}
