/**
 * How long a call may still wait, and waiting.
 *
 * Whoever waits may be cancelled. A patience is made at the call of the user's,
 * looks then whether that code has been cancelled, and each of its waits ends when
 * it is. What several calls have in common, or what goes on behind a call, has a
 * patience of its own ({@linkcode Patience.own}): it may run in the async flow of
 * a call that has been cancelled, and goes on all the same.
 *
 * @module
 */

import { cancelling } from "../../_internal/hooks.ts";
import {
  checkOptions,
  checkSignal,
  durationOf,
  timeoutError,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/check.ts";

/**
 * The time that has passed since a moment. The steady clock stands still while
 * the machine sleeps, and the clock on the wall can be set back; so the greater
 * of the two counts. It may be too long, and then a lease ends early.
 */
export class Moment {
  /** What the steady clock of this thread showed. */
  readonly steady: number;
  /** What the clock on the wall showed. */
  readonly wall: number;

  /** Now, or when the clocks showed something else. */
  constructor(steady = performance.now(), wall = Date.now()) {
    this.steady = steady;
    this.wall = wall;
  }

  /** The milliseconds since then. */
  elapsed(): number {
    return Math.max(performance.now() - this.steady, Date.now() - this.wall);
  }
}

/** The longest time of a timer. */
const LONGEST = 2 ** 31 - 1;

/** What a call has been given: a timeout, a signal. */
export class Patience {
  readonly what: string;
  readonly signal: AbortSignal | undefined;
  readonly #isOwn: boolean;
  readonly #timeout: number;
  readonly #end: number;

  /**
   * @param what What the call does, for messages: `put an item`.
   * @param options What its caller has given, which is checked.
   * @param others What other options the call has.
   * @param isOwn Whether it is nobody's who could be cancelled.
   * @throws The reason, if the code that calls has been cancelled.
   */
  constructor(
    what: string,
    options?: WaitOptions,
    others: readonly string[] = [],
    isOwn = false,
  ) {
    if (options !== undefined) {
      checkOptions(options, what, [...others, "timeout", "signal"]);
      checkSignal(options.signal, what);
    }
    this.what = what;
    this.#timeout = durationOf(options?.timeout, what, "timeout");
    this.#end = performance.now() + this.#timeout;
    this.signal = options?.signal;
    this.#isOwn = isOwn;
    if (!isOwn) cancelling.check();
  }

  /** That of what goes on by itself, whoever is cancelled. */
  static own(what: string, options?: WaitOptions): Patience {
    return new Patience(what, options, [], true);
  }

  /** That of a blocking form, which no signal ends. */
  static ofSync(
    what: string,
    options?: WaitSyncOptions,
    others: readonly string[] = [],
  ): Patience {
    if (options !== undefined) {
      checkOptions(options, what, [...others, "timeout"]);
    }
    return new Patience(what, options, others);
  }

  /** The milliseconds that are left; 0 if there are none. */
  left(): number {
    return Math.max(this.#end - performance.now(), 0);
  }

  /**
   * The error of a call whose time has run out.
   *
   * @param cause What was in its way, an error or its message.
   */
  timeoutError(cause?: unknown): DOMException {
    let error = timeoutError(this.what, this.#timeout);
    if (cause !== undefined) {
      const why = cause instanceof Error ? cause.message : String(cause);
      error = new DOMException(`${error.message} (${why})`, error.name);
      Object.defineProperty(error, "cause", { value: cause });
    }
    ranOut.add(error);
    return error;
  }

  /**
   * Throws if it has been given up before its time: the signal's reason, or that
   * of the cancelling.
   */
  check(): void {
    this.signal?.throwIfAborted();
    if (!this.#isOwn) cancelling.check();
  }

  /** Whether it has been given up before its time. */
  isGivenUp(): boolean {
    try {
      this.check();
      return false;
    } catch {
      return true;
    }
  }

  /**
   * Calls back when it is given up before its time.
   *
   * @returns What ends that.
   */
  follow(callback: (reason: unknown) => void): () => void {
    const { signal } = this;
    const abort = () => callback(signal!.reason);
    signal?.addEventListener("abort", abort);
    const unsubscribe = this.#isOwn
      ? undefined
      : cancelling.subscribe(callback);
    return () => {
      signal?.removeEventListener("abort", abort);
      unsubscribe?.();
    };
  }

  /** The same for a part of the call: its rest, within limits. */
  between(least: number, most: number): Patience {
    const timeout = Math.min(Math.max(this.left(), least), most);
    const options = { timeout, signal: this.signal };
    return new Patience(this.what, options, [], this.#isOwn);
  }

  /** The rest of it, but at least some time, for a single answer. */
  atLeast(least: number): Patience {
    return this.between(least, Infinity);
  }

  /**
   * Waits for what somebody else reports.
   *
   * @param begin Starts the wait; gets what settles it, returns what ends it.
   * @param most The most milliseconds, if that is sooner than the timeout.
   * @returns What it was settled with, `undefined` if the time has passed.
   * @throws The signal's reason, if it is aborted; that of a cancelling.
   */
  async until<T>(
    begin: (settle: (value: T) => void) => (() => void) | void,
    most: number = this.left(),
  ): Promise<T | undefined> {
    this.check();
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (most <= LONGEST) timer = setTimeout(() => resolve(undefined), most);
    const forget = this.follow(reject);
    let end: (() => void) | void = undefined;
    try {
      end = begin(resolve);
      return await promise;
    } finally {
      clearTimeout(timer);
      forget();
      end?.();
    }
  }

  /** Waits for a time, or until the patience ends. */
  async pause(ms: number): Promise<void> {
    await this.until(() => {}, Math.min(ms, this.left()));
  }
}

/** Those who wait for news, and how many pieces of it there have been. */
export class News {
  /** How many there have been. */
  count = 0;
  readonly #listeners = new Set<() => void>();

  /** @returns What ends the listening. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells everybody who listens now. */
  tell(): void {
    this.count++;
    for (const listener of [...this.#listeners]) listener();
  }

  /**
   * Waits for news that are later than those somebody has seen. What came
   * between the look at `count` and this call has not been missed.
   *
   * @param seen What `count` was.
   * @param patience Whose wait it is.
   * @param most The most milliseconds.
   * @returns Whether there were any.
   */
  async after(
    seen: number,
    patience: Patience,
    most: number,
  ): Promise<boolean> {
    const told = await patience.until<true>((settle) => {
      if (this.count !== seen) settle(true);
      return this.listen(() => settle(true));
    }, Math.min(most, patience.left()));
    return told === true;
  }
}

/** Those who want the same; one after the other tries to get it. */
export class Line {
  readonly #places: Array<() => void> = [];

  /** Whether nobody stands here. */
  get isEmpty(): boolean {
    return this.#places.length === 0;
  }

  /**
   * Waits until everybody who came before has left.
   *
   * @param error Makes the error if the patience ends first.
   * @returns What leaves the line, and tells the next one if this was the first.
   */
  async stand(patience: Patience, error: () => Error): Promise<() => void> {
    const places = this.#places;
    let turn = () => {};
    const place = () => turn();
    const leave = () => {
      const at = places.indexOf(place);
      places.splice(at, 1);
      if (at === 0) places[0]?.();
    };
    places.push(place);
    if (places[0] === place) return leave;
    try {
      const isFirst = await patience.until<true>((settle) => {
        turn = () => settle(true);
      });
      if (isFirst === undefined) throw error();
      return leave;
    } catch (error) {
      leave();
      throw error;
    }
  }
}

/** The errors of calls whose time has run out; a reason may look like one. */
const ranOut = new WeakSet<object>();

/** Whether an error says that the patience of a call has ended. */
export function isPatience(error: unknown): boolean {
  return error instanceof DOMException && ranOut.has(error);
}

/**
 * What is made once, at its first use. Several calls wait for it, and none of
 * them ends it for the others.
 */
export class Once<T> {
  readonly #make: (patience: Patience) => Promise<T>;
  #made: Promise<T> | undefined;
  /** What was made, in an object of its own since it may be `undefined`. */
  #result: { readonly value: T } | undefined;

  constructor(make: (patience: Patience) => Promise<T>) {
    this.#make = make;
  }

  /** Whether it has been made, or is being made. */
  get isBegun(): boolean {
    return this.#made !== undefined;
  }

  /** It is made anew at the next use. */
  forget(): void {
    this.#made = undefined;
    this.#result = undefined;
  }

  /** Waits for it. */
  async get(patience: Patience): Promise<T> {
    for (;;) {
      if (this.#result !== undefined) return this.#result.value;
      const made = this.#made ??= this.#begin(patience.what);
      const result = await patience.until<{ value: T } | { error: unknown }>(
        (settle) =>
          void made.then(
            (value) => settle({ value }),
            (error) => settle({ error }),
          ),
        // A timeout shorter than the way there and back is rounded up to it.
        Math.max(patience.left(), 1000),
      );
      if (result !== undefined && "value" in result) return result.value;
      const error = result?.error;
      if (result !== undefined && !isPatience(error)) throw error;
      if (patience.left() === 0) throw patience.timeoutError(error);
    }
  }

  #begin(what: string): Promise<T> {
    const made = this.#make(Patience.own(what, { timeout: 30_000 }));
    made.then((value) => {
      if (this.#made === made) this.#result = { value };
    }, () => {
      if (this.#made === made) this.#made = undefined;
    });
    return made;
  }
}

/** The share of a lease after which its holder no longer believes in it. */
const SURE = 0.9;

/**
 * The time for which somebody holds something. It ends before the servers think
 * so: it counts from before they were asked, and a part of it is left as a
 * margin for clocks that run differently.
 */
export class Term {
  readonly #lease: number;
  readonly #reason: () => Error;
  #since: () => Moment;
  #settled = false;
  #over = false;
  #controller: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param since A moment before the servers began to count, or what tells the
   * last one if another thread renews it.
   * @param lease The milliseconds that they count.
   * @param reason The error of what is lost.
   */
  constructor(
    since: Moment | (() => Moment),
    lease: number,
    reason: () => Error,
  ) {
    this.#since = typeof since === "function" ? since : () => since;
    this.#lease = lease;
    this.#reason = reason;
  }

  /** The milliseconds that are left; 0 if it is over. */
  left(): number {
    if (this.#over) return 0;
    return Math.max(SURE * this.#lease - this.#since().elapsed(), 0);
  }

  /** Begins anew, unless it is over. */
  renew(since: Moment): void {
    if (this.left() === 0) return;
    this.#since = () => since;
    this.#arm();
  }

  /** Ends at once, for somebody else holds it. */
  lose(): void {
    if (!this.#settled) this.#abort();
  }

  /** The holder has given it back, so nothing can be lost any more. */
  settle(): void {
    this.#settled = true;
    clearTimeout(this.#timer);
  }

  /** Nothing has come of that. */
  unsettle(): void {
    this.#settled = false;
    this.#arm();
  }

  /** The error of what is lost, and what brought it about. */
  reason(cause: unknown): Error {
    const error = this.#reason();
    Object.defineProperty(error, "cause", { value: cause });
    return error;
  }

  /** Throws if it is over. */
  check(): void {
    if (this.left() > 0) return;
    this.#abort();
    throw this.lost.reason;
  }

  /**
   * Aborted when it is over. A thread that was stopped, or that does not return
   * to its event loop, is told as soon as it asks for `aborted`: no timer has
   * to run for that.
   */
  get lost(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const { signal } = this.#controller = new AbortController();
    const look = () => {
      if (!this.#over && !this.#settled && this.left() === 0) this.#abort();
    };
    Object.defineProperties(signal, {
      aborted: {
        get() {
          look();
          return nativeAborted(signal);
        },
      },
      throwIfAborted: {
        value() {
          if (signal.aborted) throw signal.reason;
        },
      },
    });
    this.#arm();
    return signal;
  }

  #arm(): void {
    if (this.#controller === undefined || this.#settled) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.left() === 0) this.#abort();
      else this.#arm();
    }, Math.min(this.left() + 1, LONGEST));
    unref(this.#timer);
  }

  #abort(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#controller ??= new AbortController();
    this.#controller.abort(this.#reason());
  }
}

const { get: aborted } = Object.getOwnPropertyDescriptor(
  AbortSignal.prototype,
  "aborted",
)!;

function nativeAborted(signal: AbortSignal): boolean {
  return aborted!.call(signal);
}

/** Lets the program end although a timer runs. */
export function unref(
  timer: ReturnType<typeof setTimeout> | ReturnType<typeof setInterval>,
): void {
  Deno.unrefTimer(timer as unknown as number);
}
