/**
 * The way from a thread that blocks to the one that asks the servers for it.
 *
 * @module
 */

import { Empty, SimpleQueue } from "../queue/mod.ts";
import { SharedArray, Thread, ThreadingError } from "../threading/mod.ts";
import type { Settings } from "./_core/dial.ts";
import { Moment, type Patience } from "./_core/patience.ts";
import type { Arrival } from "./_core/queue.ts";
import {
  type Call,
  ERRORS,
  type Fault,
  type Reply,
  type Request,
  type SentArrival,
  serve,
  type Target,
} from "./_thread.ts";

/** How often it looks whether the other thread still lives. */
const LOOK = 1000;

/** The way to the thread of the blocking forms. */
export class Channel {
  readonly #requests = new SimpleQueue<Request>();
  readonly #replies = new SimpleQueue<Reply>();
  readonly #state = new SharedArray(Int32Array, 1);
  readonly #thread: Thread<void>;
  #id = 0;
  #closed = false;

  private constructor(settings: Settings) {
    this.#thread = new Thread({
      name: "skein-cluster",
      target: serve,
      args: [settings, this.#requests, this.#replies, this.#state] as const,
      daemon: true,
    });
    this.#thread.start();
  }

  /** Starts the thread and waits until it is connected. */
  static open(settings: Settings, patience: Patience): Channel {
    const channel = new Channel(settings);
    try {
      channel.ask({ op: "connect" }, patience);
      return channel;
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  /** Whether its connection stands. */
  get connected(): boolean {
    return !this.#closed && Atomics.load(this.#state.view, 0) === 1;
  }

  /** Calls a method of an object, which gets a patience as its last argument. */
  call<T>(
    target: Target,
    method: string,
    args: readonly unknown[],
    patience: Patience,
  ): T {
    return this.ask({ op: "call", target, method, args }, patience) as T;
  }

  /**
   * Asks, and blocks until there is an answer. The other thread heeds the
   * timeout. If this one is interrupted, what the answer brings is given back.
   */
  ask(call: Call, patience: Patience): unknown {
    const { what } = patience;
    if (this.#closed) {
      throw new ThreadingError(`Cannot ${what}: the cluster has been closed`);
    }
    const id = ++this.#id;
    const timeout = patience.left();
    const now = performance.now();
    this.#requests.putNowait({ id, what, call, timeout, now });
    let answered = false;
    try {
      for (;;) {
        const reply = this.#next(what);
        // An earlier one is of a call that was interrupted.
        if (reply?.id !== id) continue;
        answered = true;
        if ("error" in reply) throw errorOf(reply.error, patience);
        return reply.value;
      }
    } finally {
      if (!answered) this.post({ op: "abandon" }, id);
    }
  }

  #next(what: string): Reply | undefined {
    try {
      return this.#replies.getSync({ timeout: LOOK });
    } catch (error) {
      if (!(error instanceof Empty)) throw error;
      if (this.#thread.isAlive()) return undefined;
      throw new ThreadingError(
        `Cannot ${what}: the thread that holds the connection has ended`,
      );
    }
  }

  /** Tells something that needs no answer. */
  post(call: Call, id = 0): void {
    if (this.#closed) return;
    const now = performance.now();
    this.#requests.putNowait({ id, what: "", call, timeout: 0, now });
  }

  /** Ends the thread; does not wait. */
  close(): void {
    this.post({ op: "close" });
    this.#closed = true;
  }
}

/** What an arrival of the other thread is here. */
export function arrivalOf({ steady, wall, ...rest }: SentArrival): Arrival {
  return { ...rest, since: new Moment(steady, wall) };
}

/** What an arrival is for the other thread. */
export function sentOf({ since, ...rest }: Arrival): SentArrival {
  return { ...rest, steady: since.steady, wall: since.wall };
}

function errorOf(
  { type, name, message, cause }: Fault,
  patience: Patience,
): Error {
  // The other thread knows only what was left of the timeout.
  if (name === "TimeoutError") return patience.timeoutError(cause);
  if (type === "DOMException") return new DOMException(message, name);
  return new (ERRORS[type] ?? Error)(message);
}
