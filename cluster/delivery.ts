/**
 * An item that was received.
 *
 * @module
 */

import { cancelling } from "../_internal/hooks.ts";
import {
  checkDuration,
  shown,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import { ThreadingError } from "../threading/mod.ts";
import { sentOf } from "./_channel.ts";
import { decode } from "./_wire/decode.ts";
import { Moment, Patience, Term, unref } from "./_core/patience.ts";
import type { Arrival, QueueCore } from "./_core/queue.ts";

const ACK = "acknowledge an item";
const NAK = "give an item back";
const EXTEND = "extend the lease of an item";
const NAK_OPTIONS = ["delay", "error"];

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

/** How a delivery is answered. */
export interface Answering {
  /** The queue, in the event loop of this thread. */
  open(patience: Patience): Promise<QueueCore>;
  /** Calls a method of the queue, and blocks the thread. */
  call(method: string, args: readonly unknown[], patience: Patience): void;
  /** Gives it back without waiting. */
  letGo(arrival: Arrival, delay: number, error: string | undefined): void;
}

/** Makes a delivery of what has arrived. */
export let deliver: <T>(
  arrival: Arrival,
  answering: Answering,
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
  readonly #answering: Answering;
  readonly #term: Term;
  #answer: string | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @ignore */
  private constructor(
    arrival: Arrival,
    answering: Answering,
    autoExtend: boolean,
  ) {
    this.item = decode(arrival.bytes, "item") as T;
    this.deliveries = arrival.deliveries;
    this.id = arrival.id;
    this.died = arrival.died;
    this.#arrival = arrival;
    this.#answering = answering;
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
    deliver = (arrival, answering, autoExtend) =>
      new ClusterDelivery(arrival, answering, autoExtend);
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
    const patience = new Patience(ACK, options);
    this.#settle("acknowledged", patience.what);
    await this.#tell("acknowledge", [], patience);
  }

  /**
   * Does what `ack` does, and blocks the thread meanwhile.
   *
   * @param options A timeout in milliseconds.
   * @throws As `ack` does.
   */
  ackSync(options?: WaitSyncOptions): void {
    const patience = Patience.ofSync(ACK, options);
    this.#settle("acknowledged", patience.what);
    this.#tellSync("acknowledge", [], patience);
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
    const patience = new Patience(NAK, options, NAK_OPTIONS);
    const args = nakArguments(options);
    this.#settle("given back", NAK);
    await this.#tell("giveBack", args, patience);
  }

  /**
   * Does what `nak` does, and blocks the thread meanwhile.
   *
   * @param options After how long it can be received again, and why; a timeout
   * in milliseconds.
   * @throws As `nak` does.
   */
  nakSync(options?: Omit<ClusterNakOptions, "signal">): void {
    const patience = Patience.ofSync(NAK, options, NAK_OPTIONS);
    const args = nakArguments(options);
    this.#settle("given back", NAK);
    this.#tellSync("giveBack", args, patience);
  }

  /**
   * Renews the lease.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {ThreadingError} If it has been answered before, or its lease has
   * ended.
   */
  async extend(options?: WaitOptions): Promise<void> {
    const patience = new Patience(EXTEND, options);
    this.#check(patience.what);
    const since = new Moment();
    await this.#tell("extend", [], patience);
    this.#term.renew(since);
  }

  /**
   * Does what `extend` does, and blocks the thread meanwhile.
   *
   * @param options A timeout in milliseconds.
   * @throws As `extend` does.
   */
  extendSync(options?: WaitSyncOptions): void {
    const patience = Patience.ofSync(EXTEND, options);
    this.#check(patience.what);
    const since = new Moment();
    this.#tellSync("extend", [], patience);
    this.#term.renew(since);
  }

  /** Gives the item back, unless it has been answered; does not wait. */
  [Symbol.dispose](): void {
    if (this.#answer !== undefined || this.#term.left() === 0) return;
    this.#settle("given back", "give an item back");
    this.#answering.letGo(this.#arrival, 0, undefined);
  }

  /** Gives the item back, unless it has been answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#answer !== undefined || this.#term.left() === 0) return;
    // What cannot be told to the servers ends with the lease.
    await cancelling.shield(() => this.nak()).catch(() => {});
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

  /**
   * Makes nothing of an answer whose call was given up before its time. The servers
   * may have it all the same: then they ignore the next one.
   */
  #unsettle(patience: Patience): void {
    if (this.#answer === undefined || !patience.isGivenUp()) return;
    this.#answer = undefined;
    this.#term.unsettle();
    if (this.#timer !== undefined) this.#extendAlways();
  }

  /** Answers, and waits until the servers know, but not beyond the lease. */
  async #tell(
    method: "acknowledge" | "giveBack" | "extend",
    args: Answer,
    patience: Patience,
  ): Promise<void> {
    try {
      const within = patience.between(0, this.#rest());
      const { receiving } = await this.#answering.open(within);
      if (method === "giveBack") {
        await receiving.giveBack(this.#arrival, ...args as NakAnswer, within);
      } else await receiving[method](this.#arrival, within);
    } catch (error) {
      this.#unsettle(patience);
      throw this.#failure(error, patience);
    }
  }

  #tellSync(method: string, args: Answer, patience: Patience): void {
    try {
      const within = patience.between(0, this.#rest());
      this.#answering.call(method, [sentOf(this.#arrival), ...args], within);
    } catch (error) {
      this.#unsettle(patience);
      throw this.#failure(error, patience);
    }
  }

  #rest(): number {
    return Math.max(this.#term.left(), 1);
  }

  /** What it means that the servers did not confirm an answer. */
  #failure(error: unknown, patience: Patience): unknown {
    if (patience.left() === 0 || this.#term.left() > 0) return error;
    return this.#term.reason(error);
  }

  /** Extends the lease as long as somebody has this object. */
  #extendAlways(): void {
    const weak = new WeakRef(this);
    const timer = setInterval(() => {
      const delivery = weak.deref();
      if (delivery === undefined || delivery.#term.left() === 0) {
        clearInterval(timer);
      } else cancelling.shield(() => delivery.extend()).catch(() => {});
    }, this.#arrival.lease / 3);
    unref(timer);
    this.#timer = timer;
  }
}

/** What follows the item in an answer, before the patience. */
type NakAnswer = [delay: number, error: string | undefined];
type Answer = [] | NakAnswer;

function nakArguments(
  options: Omit<ClusterNakOptions, "signal"> | undefined,
): NakAnswer {
  const { delay = 0, error } = options ?? {};
  checkDuration(delay, NAK, "delay");
  if (error === undefined) return [delay, error];
  const text = error instanceof Error
    ? `${error.name}: ${error.message}`
    : typeof error === "string"
    ? error
    : shown(error);
  return [delay, text];
}
