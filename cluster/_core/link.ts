/**
 * This room knows the servers: what a queue, a lock and a map are there, in
 * bytes. It is used in the event loop of whoever has the connection, be it the
 * caller's or that of the thread of the blocking forms.
 *
 * Here: a connection to the servers.
 *
 * Every question may be asked twice: what changes something carries an id or
 * the revision that it expects. So a question without an answer is repeated,
 * through elections, restarts and reconnections, until the patience ends.
 *
 * @module
 */

import {
  errors,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from "@nats-io/transport-node";
import { JetStreamApiError } from "@nats-io/jetstream";
import { deadline } from "@std/async/deadline";
import { ThreadingError } from "../../threading/mod.ts";
import {
  checkDemand,
  checkServer,
  describe,
  dial,
  isPassing,
  refusal,
  type Settings,
} from "./dial.ts";
import { News, type Patience } from "./patience.ts";

/** How long an answer is waited for before the question is repeated. */
const ANSWER = 2000;

/** How long a connection is kept for what has to be given back. */
const DEBTS = 1000;

/** An answer of the server that is an error. */
export class ApiError extends Error {
  constructor(
    readonly code: number,
    readonly status: number,
    readonly description: string,
  ) {
    super(description);
  }

  /** Whether it is one of elections and restarts, which pass. */
  get passes(): boolean {
    return [10004, 10005, 10006, 10007, 10008, 10009, 10118].includes(
      this.code,
    ) || this.status === 429 ||
      /temporarily|not available|no leader|shutdown|in progress|in process/i
        .test(
          this.description,
        );
  }

  /** Whether a limit of the server's storage has been reached. */
  get isQuota(): boolean {
    return [10002, 10023, 10028, 10047].includes(this.code) ||
      /maximum bytes|no space|resource/i.test(this.description);
  }
}

/** Nobody answers for a subject, at this moment. */
export class Silence extends Error {}

/** A connection to the servers. */
export class Link {
  readonly settings: Settings;
  /** Told when the connection is lost, is there again, or is closed. */
  readonly changes: News = new News();
  readonly #objects = new Map<string, unknown>();
  /** What is being given back, see {@linkcode Link.owe}. */
  readonly #debts = new Set<Promise<unknown>>();
  #connection!: NatsConnection;
  #connected = true;
  #closed: Error | undefined;
  #closing: Promise<void> | undefined;

  private constructor(settings: Settings) {
    this.settings = settings;
  }

  /**
   * Connects to one of the servers, whichever answers first.
   *
   * @param settings Where they are, and the credentials.
   * @param patience How long it may take.
   */
  static async open(settings: Settings, patience: Patience): Promise<Link> {
    const link = new Link(settings);
    if (settings.tls) await checkDemand(settings, patience.what);
    let last: unknown;
    for (let pause = 50;; pause = Math.min(2 * pause, 1000)) {
      try {
        link.#connection = await dial(settings, patience, last);
        break;
      } catch (error) {
        patience.check();
        if (!isPassing(error)) throw refusal(error, settings, patience.what);
        last = error;
      }
      await patience.pause(pause);
      if (patience.left() === 0) throw patience.timeoutError(last);
    }
    try {
      checkServer(link.#connection, patience.what);
    } catch (error) {
      await link.#connection.close();
      throw error;
    }
    link.#watch();
    return link;
  }

  /** The connection itself, for subscriptions and for what needs no answer. */
  get connection(): NatsConnection {
    return this.#connection;
  }

  /** Whether it stands now. */
  get connected(): boolean {
    return this.#connected && this.#closed === undefined;
  }

  /** The most bytes that an item or a value may have. */
  get maxItem(): number {
    const most = this.#connection.info?.max_payload ?? 1 << 20;
    // The headers, which count, have less than this.
    return most - Math.min(4096, most >> 1);
  }

  /**
   * What stands for something of the servers here: one for all who use it, since
   * it has subscriptions that last as long as the connection.
   *
   * @param key Its kind, name and settings.
   * @param make Makes it.
   */
  shared<T>(key: string, make: () => T): T {
    let object = this.#objects.get(key) as T | undefined;
    if (object === undefined) this.#objects.set(key, object = make());
    return object;
  }

  async #watch(): Promise<void> {
    this.#connection.closed().then((error) => {
      const reason = error instanceof Error ? error.message : "it was closed";
      this.#end(new ThreadingError(`the connection has ended: ${reason}`));
    });
    for await (const { type } of this.#connection.status()) {
      if (type === "disconnect") this.#connected = false;
      else if (type === "reconnect") {
        try {
          checkServer(this.#connection, "use a cluster");
          this.#connected = true;
        } catch (error) {
          this.#end(error as Error);
          await this.#connection.close();
        }
      } else continue;
      this.changes.tell();
    }
  }

  #end(reason: Error): void {
    this.#connected = false;
    this.#closed ??= reason;
    this.changes.tell();
  }

  /** Throws if it has been closed. */
  check(what: string): void {
    if (this.#closed === undefined) return;
    throw new ThreadingError(`Cannot ${what}: ${this.#closed.message}`);
  }

  /** Waits until it stands. */
  async ready(patience: Patience): Promise<void> {
    this.check(patience.what);
    while (!this.#connected) {
      const told = await patience.until<true>((settle) =>
        this.changes.listen(() => settle(true))
      );
      this.check(patience.what);
      if (told === undefined) {
        throw patience.timeoutError(new Error("no server can be reached"));
      }
    }
  }

  /**
   * Asks once.
   *
   * @returns The answer, or `undefined` if there is none: the question may have
   * arrived nevertheless.
   * @throws {Silence} If there is nobody to answer, who would have received it.
   */
  async #askOnce(
    subject: string,
    payload: Uint8Array | string,
    headers: MsgHdrs | undefined,
    patience: Patience,
    most: number,
  ): Promise<Msg | undefined> {
    const answer = await patience.until<Msg | Error>((settle) => {
      this.#connection.request(subject, payload, {
        timeout: Math.ceil(most),
        headers,
      }).then(settle, settle);
      return this.changes.listen(() => {
        if (!this.connected) settle(new errors.TimeoutError());
      });
    }, Infinity); // The request has a timer of its own.
    if (answer instanceof errors.TimeoutError) return undefined;
    if (!(answer instanceof Error)) return answer;
    if (answer.cause instanceof errors.TimeoutError) return undefined;
    if (answer instanceof errors.RequestError && answer.isNoResponders()) {
      throw new Silence(`nobody answers for ${subject}`);
    }
    if (isClosed(answer)) return undefined;
    throw explained(answer, patience.what);
  }

  /**
   * Asks until there is an answer.
   *
   * @param silent Called when nobody is there to answer, before the next try.
   * @returns The answer.
   */
  async ask(
    subject: string,
    payload: Uint8Array | string,
    patience: Patience,
    headers?: MsgHdrs,
    silent?: () => Promise<void>,
  ): Promise<Msg> {
    let last: unknown;
    for (let tries = 0;; tries++) {
      await this.ready(patience);
      // A timeout shorter than the way there and back is rounded up to it.
      const most = Math.min(
        Math.max(patience.left(), tries ? 0 : 1000),
        ANSWER,
      );
      try {
        const answer = await this.#askOnce(
          subject,
          payload,
          headers,
          patience,
          most,
        );
        if (answer !== undefined) return answer;
      } catch (error) {
        if (!(error instanceof Silence)) throw error;
        last = error;
        await silent?.();
        if (patience.left() > 0) {
          await patience.pause(Math.min(20 << tries, 250));
        }
      }
      this.check(patience.what);
      if (patience.left() === 0) throw patience.timeoutError(last);
    }
  }

  /**
   * Asks for something in JSON; errors that pass are waited for.
   *
   * @throws {ApiError} If the answer is another error.
   */
  async askJson<T>(
    subject: string,
    payload: Uint8Array | string,
    patience: Patience,
    headers?: MsgHdrs,
    silent?: () => Promise<void>,
  ): Promise<T> {
    for (;;) {
      const answer = await this.ask(
        subject,
        payload,
        patience,
        headers,
        silent,
      );
      const { error, ...rest } = JSON.parse(answer.string());
      if (error === undefined) return rest;
      const problem = new ApiError(
        error.err_code ?? 0,
        error.code,
        error.description,
      );
      if (!problem.passes) throw problem;
      await patience.pause(100);
      if (patience.left() === 0) throw patience.timeoutError(problem);
    }
  }

  /** Whether it was closed, and will not be there again. */
  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /**
   * Does something by a package that does not wait for servers: begun anew after
   * a failure that passes, until the patience ends or the connection is closed.
   */
  async persist<T>(begin: () => Promise<T>, patience: Patience): Promise<T> {
    for (;;) {
      await this.ready(patience);
      const most = Math.min(Math.max(patience.left(), 1000), 10_000);
      const result = await patience.until<{ value: T } | { error: unknown }>(
        (settle) => {
          begin().then(
            (value) => settle({ value }),
            (error) => settle({ error }),
          );
          return this.changes.listen(() => {
            if (this.isClosed) settle({ error: this.#closed });
          });
        },
        most,
      );
      this.check(patience.what);
      if (result !== undefined && "value" in result) return result.value;
      const error = result?.error;
      const passes = result === undefined ||
        /timeout|no responders|not enabled|temporarily|unavailable|no leader/i
          .test(describe(error));
      if (!passes) {
        const isAnswer = error instanceof JetStreamApiError;
        throw explained(
          isAnswer
            ? new ApiError(error.code, error.status, error.message)
            : error,
          patience.what,
        );
      }
      if (patience.left() === 0) throw patience.timeoutError(error);
      await patience.pause(100);
    }
  }

  /** Asks the interface of JetStream: `STREAM.INFO.name`. */
  api<T>(name: string, body: object, patience: Patience): Promise<T> {
    return this.askJson(`$JS.API.${name}`, JSON.stringify(body), patience);
  }

  /**
   * Notes what is being given back: nobody may be waiting for that any more, and
   * the connection is to stand for so long.
   */
  owe<T>(debt: Promise<T>): Promise<T> {
    this.#debts.add(debt);
    const paid = () => void this.#debts.delete(debt);
    debt.then(paid, paid);
    return debt;
  }

  /** Waits until all has been given back, but not for long. */
  async #payDebts(): Promise<void> {
    const end = performance.now() + DEBTS;
    while (this.connected && this.#debts.size > 0) {
      const left = end - performance.now();
      if (left <= 0) return;
      await deadline(Promise.allSettled(this.#debts), left).catch(() => {});
    }
  }

  /** Ends it, when what was sent has gone out. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#payDebts();
    this.#end(new ThreadingError("the cluster has been closed"));
    const connection = this.#connection;
    const flushed = connection.isClosed()
      ? Promise.resolve()
      : connection.flush().catch(() => {});
    await deadline(flushed, 1000).catch(() => {});
    await connection.close();
  }
}

/** What an error of the server means to the caller. */
export function explained(error: unknown, what: string): unknown {
  if (error instanceof ApiError) {
    if (error.isQuota) {
      return new DOMException(
        `Cannot ${what}: a limit of the server's storage has been reached, received "${error.description}"`,
        "QuotaExceededError",
      );
    }
    if (error.code === 10074) {
      return new RangeError(
        `Cannot ${what}: only several servers can keep several replicas, received "${error.description}"`,
      );
    }
    return new Error(
      `Cannot ${what}: the server refuses it, received "${error.description}"`,
      { cause: error },
    );
  }
  const violation = error instanceof errors.PermissionViolationError
    ? error
    : (error as Error)?.cause;
  if (violation instanceof errors.PermissionViolationError) {
    const verb = violation.operation === "publish"
      ? "publish to"
      : "subscribe to";
    return new Deno.errors.PermissionDenied(
      `Cannot ${what}: the server does not let this user ${verb} a subject, received ${violation.subject}`,
      { cause: violation },
    );
  }
  return error;
}

function isClosed(error: Error): boolean {
  return error instanceof errors.ClosedConnectionError ||
    error instanceof errors.DrainingConnectionError ||
    error.cause instanceof errors.ClosedConnectionError;
}
