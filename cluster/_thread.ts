/**
 * The thread that asks the servers for the blocking forms: it has a connection
 * in an event loop of its own, which goes on while its caller is blocked.
 *
 * A caller is one thread, which waits for one answer at a time. It can give up
 * while the answer is on its way, and says so; what that answer took from the
 * servers is given back here.
 *
 * @module
 */

import { Empty, Full, ShutDown, type SimpleQueue } from "../queue/mod.ts";
import {
  enumerate,
  NotSendableError,
  sendable,
  type SharedArray,
  ThreadingError,
} from "../threading/mod.ts";
import type { Settings } from "./_core/dial.ts";
import { Link } from "./_core/link.ts";
import { type Hold, LockCore } from "./_core/lock.ts";
import { MapCore } from "./_core/map.ts";
import { Moment, Patience } from "./_core/patience.ts";
import { type Arrival, QueueCore, type QueueSettings } from "./_core/queue.ts";

/** What is asked of the thread. */
export interface Request {
  /** Its number, which rises; answers have it, too. 0 if none is wanted. */
  readonly id: number;
  /** What is done, for messages. */
  readonly what: string;
  /** What is done. */
  readonly call: Call;
  /** The milliseconds that it may take. */
  readonly timeout: number;
  /** What the steady clock of the caller shows. */
  readonly now: number;
}

/** The object that a call is about. */
export type Target =
  | { readonly queue: string; readonly settings: QueueSettings }
  | { readonly lock: string; readonly lease: number }
  | { readonly map: string };

/** What is done to an object: a method and its arguments. */
export type Call =
  | { readonly op: "connect" | "abandon" | "close" }
  | { readonly op: "letGo"; readonly hold: number; readonly release: boolean }
  | {
    readonly op: "acquire";
    readonly target: Target;
    readonly ident: number;
    readonly since: SharedArray<Float64Array>;
  }
  | {
    readonly op: "call";
    readonly target: Target;
    readonly method: string;
    readonly args: readonly unknown[];
  };

/** An answer of the thread. */
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: Fault };

/** An error on its way. */
export interface Fault {
  readonly type: string;
  readonly name: string;
  readonly message: string;
  /** What was in the way of a call whose time has run out. */
  readonly cause?: string;
}

/** An arrival on its way, with its moment as the caller's clocks show it. */
export type SentArrival = Omit<Arrival, "since"> & {
  readonly steady: number;
  readonly wall: number;
};

/** A lock that the thread holds and renews for its caller. */
export interface SentHold {
  readonly hold: number;
  readonly holder: string;
  readonly sequence: number;
}

/** The errors that arrive as such. */
export const ERRORS: Record<string, new (message: string) => Error> = {
  Empty,
  Full,
  ShutDown,
  ThreadingError,
  NotSendableError,
  RangeError,
  TypeError,
  PermissionDenied: Deno.errors.PermissionDenied,
  InvalidData: Deno.errors.InvalidData,
  NotSupported: Deno.errors.NotSupported,
  NotCapable: Deno.errors.NotCapable,
};

/** How long it tries what nobody waits for. */
const QUIETLY = 10_000;

/** Serves one caller until it closes. */
export const serve = sendable(
  import.meta,
  async function serve(
    settings: Settings,
    requests: SimpleQueue<Request>,
    replies: SimpleQueue<Reply>,
    state: SharedArray<Int32Array>,
  ): Promise<void> {
    await new Server(settings, replies, state).run(requests);
  },
);

class Server {
  readonly #settings: Settings;
  readonly #replies: SimpleQueue<Reply>;
  readonly #state: SharedArray<Int32Array>;
  readonly #holds = new Map<number, { core: LockCore; hold: Hold }>();
  #holdNumber = 0;
  #link: Link | undefined;
  /** The request under way, or the last one that was answered. */
  #current = 0;
  #answered: Promise<void> | undefined;
  #abort = new AbortController();
  /** Takes back what the last answer gave, if the caller never read it. */
  #undo: (() => void) | undefined;

  constructor(
    settings: Settings,
    replies: SimpleQueue<Reply>,
    state: SharedArray<Int32Array>,
  ) {
    this.#settings = settings;
    this.#replies = replies;
    this.#state = state;
  }

  async run(requests: SimpleQueue<Request>): Promise<void> {
    for (;;) {
      const request = await requests.get();
      const { id, call } = request;
      if (call.op === "close") break;
      if (call.op === "letGo") this.#letGo(call.hold, call.release);
      else if (call.op === "abandon") this.#abandon(id);
      else if (id === 0) this.#doQuietly(request);
      else this.#answered = this.#answer(request);
    }
    // What it brings after its caller has given up goes back first.
    this.#abort.abort();
    await this.#answered;
    for (const { hold } of this.#holds.values()) hold.stop();
    await this.#link?.close();
  }

  #abandon(id: number): void {
    if (id !== this.#current) return;
    this.#abort.abort();
    this.#takeBack();
  }

  #takeBack(): void {
    this.#undo?.();
    this.#undo = undefined;
  }

  #letGo(number: number, release: boolean): void {
    const held = this.#holds.get(number);
    if (held === undefined) return;
    if (release) this.#release(held.core, held.hold);
    else held.hold.stop();
  }

  /** Does what nobody waits for. */
  #doQuietly(request: Request): void {
    const patience = Patience.own(request.what, { timeout: QUIETLY });
    this.#do(request, 0, patience).catch(() => {});
  }

  async #answer(request: Request): Promise<void> {
    const { id, what, timeout } = request;
    this.#current = id;
    this.#undo = undefined;
    const { signal } = this.#abort = new AbortController();
    // The steady clocks of two threads begin at different times. What has
    // passed since the question was put makes a moment only earlier.
    const ahead = performance.now() - request.now;
    let reply: Reply;
    try {
      const patience = new Patience(what, { timeout, signal });
      reply = { id, value: await this.#do(request, ahead, patience) };
    } catch (error) {
      reply = { id, error: faultOf(error) };
    }
    if (signal.aborted) this.#takeBack();
    else await this.#replies.put(reply);
  }

  async #do(
    { call }: Request,
    ahead: number,
    patience: Patience,
  ): Promise<unknown> {
    if (call.op === "connect") {
      this.#link = await Link.open(this.#settings, patience);
      const { view } = this.#state;
      const link = this.#link;
      const tell = () => Atomics.store(view, 0, link.connected ? 1 : 0);
      link.changes.listen(tell);
      return tell();
    }
    if (call.op === "acquire") {
      const core = this.#core(call.target) as LockCore;
      return await this.#acquire(core, call, ahead, patience);
    }
    if (call.op !== "call") return;
    const core = this.#core(call.target);
    const args = [...call.args.map(received), patience];
    const result = await invoke(core, call.method, args);
    if (call.method !== "receiving.receive") return result;
    const arrivals = result as Arrival[];
    this.#undo = () => {
      for (const arrival of arrivals) {
        (core as QueueCore).receiving.letGo(arrival, 0, undefined);
      }
    };
    return arrivals.map(({ since, ...rest }): SentArrival => ({
      ...rest,
      steady: since.steady - ahead,
      wall: since.wall,
    }));
  }

  #core(target: Target): QueueCore | LockCore | MapCore {
    const link = this.#link!;
    if ("queue" in target) {
      return QueueCore.of(link, target.queue, target.settings);
    }
    return "lock" in target
      ? LockCore.of(link, target.lock, target.lease)
      : MapCore.of(link, target.map);
  }

  /** Takes a lock and renews it, as long as the thread that asked lives. */
  async #acquire(
    core: LockCore,
    { ident, since }: Extract<Call, { op: "acquire" }>,
    ahead: number,
    patience: Patience,
  ): Promise<SentHold> {
    const hold = await core.acquire(patience);
    const number = ++this.#holdNumber;
    this.#holds.set(number, { core, hold });
    const { view } = since;
    hold.follow((moment) => {
      if (!enumerate().some((thread) => thread.ident === ident)) {
        this.#release(core, hold);
        return;
      }
      view[0] = moment.steady - ahead;
      view[1] = moment.wall;
    }, () => this.#holds.delete(number));
    this.#undo = () => this.#release(core, hold);
    const { holder, sequence } = hold;
    return { hold: number, holder, sequence };
  }

  #release(core: LockCore, hold: Hold): void {
    hold.stop();
    const patience = Patience.own("release a lock", { timeout: QUIETLY });
    core.release(hold.holder, hold.sequence, patience).catch(() => {});
  }
}

/** Calls a method of an object, or of a part of it: `putting.put`. */
function invoke(object: object, path: string, args: unknown[]): unknown {
  const names = path.split(".");
  const method = names.pop()!;
  const owner = names.reduce((at, name) => Reflect.get(at, name), object);
  return Reflect.apply(Reflect.get(owner, method), owner, args);
}

/** An argument as it was before it was sent. */
function received(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (!("steady" in value && "wall" in value)) return value;
  // Its moment matters to its holder alone.
  return { ...value, since: new Moment() };
}

function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) {
    return { type: "Error", name: "Error", message: String(error) };
  }
  const { name, message } = error;
  if (error instanceof DOMException) {
    const { cause } = error as { cause?: unknown };
    return {
      type: "DOMException",
      name,
      message,
      cause: cause instanceof Error ? cause.message : undefined,
    };
  }
  const type = Object.keys(ERRORS).find((key) =>
    error.constructor === ERRORS[key]
  );
  return { type: type ?? "Error", name, message };
}
