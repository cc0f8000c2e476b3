/**
 * An item that was received.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import { checkDuration, type WaitOptions } from "../_internal/options.ts";
import { ThreadingError } from "../threading/mod.ts";
import { decode } from "./_decode.ts";
import { Moment, Patience, Term, unref } from "./_patience.ts";
import type { Arrival, QueueCore } from "./_queue_core.ts";

/** What {@linkcode ClusterDelivery.nak} takes. */
export interface ClusterNakOptions extends WaitOptions {
  /**
   * The milliseconds before the item can be received again.
   *
   * @default {0}
   */
  delay?: number;
  /**
   * Why it could not be dealt with. It is kept with the item if this was its
   * last delivery.
   */
  error?: unknown;
}

/** What happened to an item that is in a queue of dead ones. */
export interface ClusterDeath {
  /** Why the last receiver gave it back. */
  readonly error: string;
  /** How often it was received. */
  readonly deliveries: number;
}

/** Makes a delivery of what has arrived. */
export let deliver: <T>(
  arrival: Arrival,
  core: QueueCore,
  autoExtend: boolean,
) => ClusterDelivery<T>;

/**
 * An item of a queue of a cluster, leased to whoever has received it: until it
 * is acknowledged the servers keep it, and when the lease ends without an
 * answer another receiver gets it.
 *
 * At the end of an `await using` block it is given back, unless it was answered.
 *
 * @typeParam T The item.
 *
 * @example
 * ```ts ignore
 * await using delivery = await queue.receive();
 * await work(delivery.item, delivery.lost);
 * await delivery.ack();
 * ```
 */
export class ClusterDelivery<T> implements AsyncDisposable, Disposable {
  /** The item. */
  readonly item: T;
  /** How often the item has been received, this time included: 1 at first. */
  readonly deliveries: number;
  /** The id that it was put with. */
  readonly id: string | undefined;
  /** Why it is in this queue, if this is a queue of dead items. */
  readonly died: ClusterDeath | undefined;
  readonly #arrival: Arrival;
  readonly #core: QueueCore;
  readonly #term: Term;
  #answer: string | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(arrival: Arrival, core: QueueCore, autoExtend: boolean) {
    this.item = decode(arrival.bytes, "item") as T;
    this.deliveries = arrival.deliveries;
    this.id = arrival.id;
    this.died = arrival.died;
    this.#arrival = arrival;
    this.#core = core;
    this.#term = new Term(
      arrival.since,
      arrival.lease,
      () =>
        new ThreadingError(
          `Cannot keep an item of a queue of a cluster: its lease of ${arrival.lease} ms has ended`,
        ),
    );
    if (autoExtend) this.#extendAlways();
  }

  static {
    deliver = (arrival, core, autoExtend) =>
      new ClusterDelivery(arrival, core, autoExtend);
  }

  /**
   * Aborted when the lease has ended, somewhat before the servers give the item
   * to somebody else. `aborted` is right at any moment, also in a program that
   * was stopped and goes on.
   */
  get lost(): AbortSignal {
    return this.#term.lost;
  }

  /**
   * Says that the item has been dealt with, and waits until the servers have
   * removed it.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {ThreadingError} If it has been answered before, or its lease has
   * ended.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first: the item
   * may have been removed or not.
   */
  async ack(options?: WaitOptions): Promise<void> {
    const patience = new Patience("acknowledge an item", options);
    this.#settle("acknowledged", patience.what);
    await this.#answering(
      patience,
      (patience) => this.#core.acknowledge(this.#arrival, patience),
    );
  }

  /**
   * Gives the item back: it is received again, or, if this was the last of its
   * deliveries, moved to the queue of dead items.
   *
   * @param options After how long it can be received again, and why; a timeout
   * in milliseconds, a signal that ends the wait.
   * @throws {ThreadingError} If it has been answered before, or its lease has
   * ended.
   */
  async nak(options?: ClusterNakOptions): Promise<void> {
    const what = "give an item back";
    const patience = new Patience(what, options, ["delay", "error"]);
    const { delay, error } = nakOptions(options, what);
    this.#settle("given back", what);
    await this.#answering(
      patience,
      (patience) => this.#core.giveBack(this.#arrival, delay, error, patience),
    );
  }

  /**
   * Begins the lease anew.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {ThreadingError} If it has been answered before, or its lease has
   * ended.
   */
  async extend(options?: WaitOptions): Promise<void> {
    const patience = new Patience("extend the lease of an item", options);
    this.#check(patience.what);
    const since = new Moment();
    await this.#answering(
      patience,
      (patience) => this.#core.extend(this.#arrival, patience),
    );
    this.#term.renew(since);
  }

  /** Gives the item back, unless it has been answered; does not wait. */
  [Symbol.dispose](): void {
    if (this.#answer !== undefined || this.#term.left() === 0) return;
    this.#settle("given back", "give an item back");
    this.#core.letGo(this.#arrival);
  }

  /** Gives the item back, unless it has been answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#answer !== undefined || this.#term.left() === 0) return;
    // What cannot be told to the servers ends with the lease.
    await this.nak().catch(() => {});
  }

  #check(what: string): void {
    if (this.#answer !== undefined) {
      throw new ThreadingError(
        `Cannot ${what}: it has been answered before, received one that was ${this.#answer}`,
      );
    }
    this.#term.check();
  }

  #settle(answer: string, what: string): void {
    this.#check(what);
    this.#answer = answer;
    this.#term.settle();
    clearInterval(this.#timer);
  }

  /** Waits for an answer of the servers, but not beyond the lease. */
  async #answering(
    patience: Patience,
    ask: (patience: Patience) => Promise<void>,
  ): Promise<void> {
    const left = this.#term.left();
    try {
      await ask(patience.between(0, left));
    } catch (error) {
      if (patience.left() > 0) this.#term.check();
      throw error;
    }
  }

  /** Extends the lease as long as somebody has this object. */
  #extendAlways(): void {
    const weak = new WeakRef(this);
    const timer = setInterval(() => {
      const delivery = weak.deref();
      if (delivery === undefined || delivery.#term.left() === 0) {
        clearInterval(timer);
      } else delivery.extend().catch(() => {});
    }, this.#arrival.lease / 3);
    unref(timer);
    this.#timer = timer;
  }
}

function nakOptions(
  options: ClusterNakOptions | undefined,
  what: string,
): { delay: number; error: string | undefined } {
  if (options === undefined) return { delay: 0, error: undefined };
  const { delay = 0, error } = options;
  checkDuration(delay, what, "delay");
  if (error === undefined) return { delay, error };
  return {
    delay,
    error: error instanceof Error
      ? `${error.name}: ${error.message}`
      : typeof error === "string"
      ? error
      : shown(error),
  };
}
