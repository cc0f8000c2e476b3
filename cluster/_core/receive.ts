/**
 * Receiving items from a queue of the servers, and answering.
 *
 * @module
 */

import {
  createInbox,
  type Msg,
  type Subscription,
} from "@nats-io/transport-node";
import { deadline } from "@std/async/deadline";
import { Empty } from "../../queue/mod.ts";
import { explained } from "./link.ts";
import { isPatience, Moment, Patience } from "./patience.ts";
import type { Putting } from "./put.ts";
import { CONSUMER, type QueueStream } from "./stream.ts";

/** How long one question for items stands, in milliseconds. */
const LONG_POLL = 5000;

/** Why an item is in a queue of dead ones. */
export interface Death {
  /** What the last receiver said, or that its lease ended. */
  readonly error: string;
  /** How often the item was received. */
  readonly deliveries: number;
}

/** An item on its way to a receiver, as bytes. */
export interface Arrival {
  readonly bytes: Uint8Array;
  readonly id: string | undefined;
  readonly deliveries: number;
  readonly died: Death | undefined;
  /** Where the receiver answers. */
  readonly reply: string;
  /** A moment at which its lease had certainly not begun. */
  readonly since: Moment;
  /** The lease, in milliseconds. */
  readonly lease: number;
}

/** The half of a queue that items are received from. */
export class Receiving {
  readonly #queue: QueueStream;
  readonly #dead: () => Putting;

  /**
   * @param queue The queue.
   * @param dead Where its dead items go.
   */
  constructor(queue: QueueStream, dead: () => Putting) {
    this.#queue = queue;
    this.#dead = dead;
  }

  /**
   * Takes items: one, or what there is up to a number.
   *
   * The question for an item stands with the servers, which answer it when
   * there is one; it is asked again every few seconds, since it can be lost with
   * a server, and since the lease counts from the question. After a shutdown
   * each acknowledgement may be the last one, so they are listened to before
   * the items are counted.
   *
   * @throws {Empty} If the patience ends first.
   * @throws {ShutDown} If the queue was shut down and every item is done.
   */
  async receive(most: number, patience: Patience): Promise<Arrival[]> {
    let stop: (() => void) | undefined;
    try {
      const { lease } = await this.#queue.opened(patience);
      for (let first = true;; first = false) {
        await this.#queue.link.ready(patience);
        const seen = this.#queue.news.count;
        const left = patience.left();
        if (this.#queue.isShutDown) stop ??= this.#queue.watchAcks();
        if (!first || left === 0 || this.#queue.isShutDown) {
          await this.#checkDone(patience);
        }
        const noWait = left === 0 || first && most > 1;
        const expires = noWait
          ? 0
          : Math.max(Math.min(LONG_POLL, lease / 3, left), 1);
        const outcome = await this.#pull(most, expires, seen, patience);
        const arrivals = await this.#living(outcome, lease, patience);
        if (arrivals.length > 0) return arrivals;
        if (outcome.error !== undefined) {
          throw explained(outcome.error, patience.what);
        }
        if (outcome.gone) this.#queue.forget();
        if (outcome.pause) await patience.pause(100);
        if (left === 0) throw this.#emptyError(patience.what);
        await this.#queue.opened(patience);
      }
    } catch (error) {
      if (!isPatience(error)) throw error;
      throw this.#emptyError(patience.what, error);
    } finally {
      stop?.();
    }
  }

  #emptyError(what: string, cause?: unknown): Empty {
    return new Empty(
      `Cannot ${what}: the queue ${this.#queue.name} has no item, and the timeout has passed`,
      { cause },
    );
  }

  /** Throws if nothing can come any more. */
  async #checkDone(patience: Patience): Promise<void> {
    const items = await this.#queue.look(patience.atLeast(1000));
    if (this.#queue.isShutDown && items === 0) {
      throw this.#queue.shutDownError(patience.what);
    }
  }

  /**
   * Asks the servers once for items.
   *
   * An item can be on its way when the wait ends. So the subscription is kept
   * until the server has confirmed that it sends nothing more; what arrives till
   * then is taken when the time has passed, and given back when the wait was
   * aborted.
   *
   * @param batch How many; one if they are waited for.
   * @param expires How long the servers may wait; 0 asks for what is there.
   * @param seen The news that are known.
   */
  async #pull(
    batch: number,
    expires: number,
    seen: number,
    patience: Patience,
  ): Promise<Outcome> {
    const { connection } = this.#queue.link;
    const outcome: Outcome = {
      messages: [],
      since: new Moment(),
      pause: false,
      gone: false,
    };
    const inbox = createInbox();
    const wanted = expires === 0 ? batch : 1;
    let abandoned = false;
    let settle = () => {};
    const subscription = connection.subscribe(inbox, {
      // One answer, an item or a word about it, ends the question for one.
      ...wanted === 1 && { max: 1 },
      callback: (error, message) => {
        if (error !== null) outcome.error = error;
        else if (message.subject === inbox || !message.reply) {
          note(message, outcome);
        } else if (abandoned) return this.#giveBack(message);
        else if (outcome.messages.push(message) < wanted) return;
        settle();
      },
    });
    const question = expires === 0
      ? { batch, no_wait: true }
      : { batch: 1, expires: Math.ceil(expires * 1e6) };
    const subject =
      `$JS.API.CONSUMER.MSG.NEXT.${this.#queue.stream}.${CONSUMER}`;
    connection.publish(subject, JSON.stringify(question), { reply: inbox });
    try {
      const most = expires === 0 ? 1000 : expires + 500;
      await patience.until<true>((resolve) => {
        settle = () => resolve(true);
        const look = () => {
          if (!this.#queue.link.connected || this.#queue.isShutDown) settle();
        };
        if (this.#queue.news.count !== seen) look();
        return this.#queue.news.listen(look);
      }, Math.min(most, Math.max(patience.left(), 1000)));
      if (outcome.messages.length < wanted) await settled(subscription);
      return outcome;
    } catch (error) {
      abandoned = true;
      for (const message of outcome.messages) this.#giveBack(message);
      void this.#queue.link.owe(settled(subscription));
      throw error;
    }
  }

  #giveBack(message: Msg): void {
    if (message.reply === undefined || !this.#queue.link.connected) return;
    this.#queue.link.connection.publish(message.reply, "-NAK");
  }

  /** The items that may be received; the others go to the queue of dead ones. */
  async #living(
    { messages, since }: Outcome,
    lease: number,
    patience: Patience,
  ): Promise<Arrival[]> {
    const { maxDeliveries } = await this.#queue.opened(patience);
    const arrivals: Arrival[] = [];
    try {
      for (const message of messages) {
        const arrival = arrivalOf(message, since, lease);
        if (arrival.deliveries <= maxDeliveries) arrivals.push(arrival);
        else {
          const error = "its lease ended without an answer";
          const before = { ...arrival, deliveries: arrival.deliveries - 1 };
          await this.#bury(before, error, patience.atLeast(1000));
        }
      }
      return arrivals;
    } catch (error) {
      for (const message of messages) this.#giveBack(message);
      throw error;
    }
  }

  // Answering

  /** Says that an item has been dealt with. */
  async acknowledge(arrival: Arrival, patience: Patience): Promise<void> {
    await this.#queue.link.ask(arrival.reply, "+ACK", patience);
  }

  /** Prolongs the lease of an item. */
  async extend(arrival: Arrival, patience: Patience): Promise<void> {
    await this.#queue.link.ask(arrival.reply, "+WPI", patience);
  }

  /** Gives an item back. */
  giveBack(
    arrival: Arrival,
    delay: number,
    error: string | undefined,
    patience: Patience,
  ): Promise<void> {
    const giving = this.#returnItem(arrival, delay, error, patience);
    return this.#queue.link.owe(giving);
  }

  async #returnItem(
    arrival: Arrival,
    delay: number,
    error: string | undefined,
    patience: Patience,
  ): Promise<void> {
    const { maxDeliveries } = await this.#queue.opened(patience);
    if (arrival.deliveries >= maxDeliveries) {
      await this.#bury(arrival, error ?? "it was given back", patience);
      return;
    }
    const nak = delay > 0
      ? `-NAK ${JSON.stringify({ delay: Math.ceil(delay * 1e6) })}`
      : "-NAK";
    await this.#queue.link.ask(arrival.reply, nak, patience);
  }

  /** The same without an answer, where nobody can wait for it. */
  letGo(arrival: Arrival, delay: number, error: string | undefined): void {
    const patience = Patience.own("give an item back", {
      timeout: arrival.lease,
    });
    this.giveBack(arrival, delay, error, patience).catch(() => {});
  }

  /**
   * Moves an item to the queue of dead ones. It is put there first and then
   * acknowledged here: whoever dies in between leaves it to the next receiver,
   * and its number keeps it from being put there twice.
   */
  async #bury(
    arrival: Arrival,
    error: string,
    patience: Patience,
  ): Promise<void> {
    await this.#dead().putAs(arrival.bytes, {
      "Nats-Msg-Id": `!${numberOf(arrival.reply)}`,
      "Skein-Error": shortened(error),
      "Skein-Deliveries": String(arrival.deliveries),
      ...arrival.id !== undefined &&
        { "Skein-Id": encodeURIComponent(arrival.id) },
    }, patience);
    await this.acknowledge(arrival, patience);
  }
}

interface Outcome {
  readonly messages: Msg[];
  /** Before the question was asked. */
  readonly since: Moment;
  error?: unknown;
  /** Whether the servers need a moment. */
  pause: boolean;
  /** Whether the stream or its consumer is not there any more. */
  gone: boolean;
}

/** Reads the word of a server that comes instead of an item. */
function note({ headers }: Msg, outcome: Outcome): void {
  const code = headers?.code ?? 503;
  const text = headers?.description ?? "";
  if (code === 404 || code === 408) return;
  if (/deleted|consumer not found|stream not found/i.test(text)) {
    outcome.gone = true;
  }
  outcome.pause = true;
}

function arrivalOf(message: Msg, since: Moment, lease: number): Arrival {
  const { headers } = message;
  const get = (name: string) => headers?.get(name) ?? "";
  const own = get("Nats-Msg-Id");
  const error = get("Skein-Error");
  const id = error !== "" && get("Skein-Id") !== ""
    ? get("Skein-Id")
    : own.startsWith("=")
    ? own.slice(1)
    : undefined;
  const reply = message.reply!;
  return {
    bytes: message.data,
    id: id === undefined ? undefined : readable(id),
    deliveries: Number(answerParts(reply)[2]),
    died: error === "" ? undefined : {
      error: readable(error),
      deliveries: Number(get("Skein-Deliveries")),
    },
    reply,
    since,
    lease,
  };
}

/** The stream, consumer, deliveries, sequence ... of a subject for answers. */
function answerParts(reply: string): string[] {
  const parts = reply.split(".");
  // Later forms have a domain and an account before the stream.
  return parts.slice(parts.length === 9 ? 2 : 4);
}

/** What no other item has: its number, and when it was put. */
function numberOf(reply: string): string {
  const [stream, , , sequence, , time] = answerParts(reply);
  return `${stream}.${sequence}.${time}`;
}

/** A text as a header that is not too long. */
function shortened(text: string): string {
  for (let length = 1000;; length >>= 1) {
    const header = encodeURIComponent(text.slice(0, length).toWellFormed());
    if (header.length <= 1500) return header;
  }
}

function readable(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Waits until the server has confirmed that it sends nothing more. */
async function settled(subscription: Subscription): Promise<void> {
  if (subscription.isClosed()) return;
  await deadline(subscription.drain(), 1000).catch(() => {});
}
