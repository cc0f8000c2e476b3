/**
 * Waiting for a moment: the event, which somebody sets, and the barrier, which is
 * open when enough threads have come.
 *
 * @module
 */

import {
  checkFunction,
  checkOptions,
  durationOf,
  shown,
  timeoutError,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/check.ts";
import { loadSendableSync, sendableId } from "../_codec/sendable.ts";
import { Field, load, store, words } from "../_memory/heap.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import { CASE, type CaseKind, settlingCase } from "../_memory/selection.ts";
import { lookAtWaiters, registerClass } from "../_memory/shared_class.ts";
import {
  addressOf,
  createObject,
  pin,
  type Pins,
  SharedObject,
  unpin,
} from "../_memory/shared_object.ts";
import {
  OWN_NODE,
  waitEpoch,
  waitPromise,
  waitSurrender,
  waitSync,
  waitSyncTimeout,
  waitTimeout,
} from "../_memory/wait.ts";
import {
  allocateNode,
  dequeue,
  firstOf,
  freeNode,
  MAIN_QUEUE,
  Node,
  NodeFlag,
  type Protocol,
  Wake,
  wake,
  wakeAll,
  wakeFirst,
} from "../_memory/wait_queue.ts";
import { BrokenBarrierError, NotSendableError } from "../errors.ts";

const FLAG = Field.own;
const EVENT_WORDS = Field.own + 1;
const EVENT_WAIT = "wait for an Event";

const eventProtocol: Protocol = {
  take(object) {
    return load(object + FLAG) === 0 ? Wake.waiting : Wake.granted;
  },
  undo: () => true,
  news: true,
};

/**
 * A flag that threads wait for: `set` lets all of them go on, and any that come
 * later, until `clear`. After `Event` of Python's threading.
 *
 * @example Wait for another task
 * ```ts
 * import { Event } from "@skein/std/threading";
 *
 * const ready = new Event();
 * setTimeout(() => ready.set(), 10);
 * await ready.wait();
 * ```
 */
export class Event extends SharedObject {
  /** Makes an event whose flag is not set. */
  constructor() {
    super(createObject(EVENT_KIND, EVENT_WORDS));
  }

  /**
   * Whether the flag is set.
   *
   * @returns `true` after `set`, `false` after `clear` and at first.
   *
   * @example
   * ```ts
   * import { Event } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * assert(!new Event().isSet());
   * ```
   */
  isSet(): boolean {
    return load(addressOf(this) + FLAG) !== 0;
  }

  /**
   * Sets the flag and lets all go on that wait for it.
   *
   * @example
   * ```ts
   * import { Event } from "@skein/std/threading";
   *
   * const event = new Event();
   * event.set();
   * event.waitSync();
   * ```
   */
  set(): void {
    const address = addressOf(this);
    lock(address + Field.mutex);
    store(address + FLAG, 1);
    wakeAll(address, MAIN_QUEUE, Wake.granted);
    unlock(address + Field.mutex);
  }

  /**
   * Clears the flag: whoever waits from now on waits for the next `set`.
   *
   * @example
   * ```ts
   * import { Event } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * const event = new Event();
   * event.set();
   * event.clear();
   * assert(!event.isSet());
   * ```
   */
  clear(): void {
    store(addressOf(this) + FLAG, 0);
  }

  /**
   * Waits until the flag is set, without blocking the thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Event } from "@skein/std/threading";
   * import { assertRejects } from "@std/assert";
   *
   * await assertRejects(() => new Event().wait({ timeout: 5 }), DOMException);
   * ```
   */
  async wait(options?: WaitOptions): Promise<void> {
    const surrender = waitSurrender(options, EVENT_WAIT);
    const address = addressOf(this);
    if (load(address + FLAG) !== 0) return;
    await waitPromise(eventProtocol, address, MAIN_QUEUE, surrender);
  }

  /**
   * Blocks the thread until the flag is set.
   *
   * @param options A timeout in milliseconds.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {DeadlockError} If no other thread is left that could set it.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   *
   * @example
   * ```ts
   * import { Event } from "@skein/std/threading";
   *
   * const event = new Event();
   * event.set();
   * event.waitSync({ timeout: 1000 });
   * ```
   */
  waitSync(options?: WaitSyncOptions): void {
    const timeout = waitSyncTimeout(options, EVENT_WAIT);
    const address = addressOf(this);
    if (load(address + FLAG) !== 0) return;
    const end = waitSync(
      eventProtocol,
      address,
      MAIN_QUEUE,
      timeout,
      EVENT_WAIT,
    );
    if (end === Wake.waiting) throw timeoutError(EVENT_WAIT, timeout);
  }

  /** How `select` waits for it. @ignore */
  get [CASE](): { readonly value?: undefined } {
    return eventCase;
  }
}

const eventCase: CaseKind<undefined> = settlingCase<Event, undefined>({
  protocol: eventProtocol,
  isSettled: (event) => event.isSet(),
  read: () => undefined,
});

const EVENT_KIND = registerClass(import.meta, {
  constructor: Event,
  protocol: eventProtocol,
  look: (event) => [
    load(event + FLAG) === 0 ? "not set" : "set",
    ...lookAtWaiters(event),
  ],
});

// The barrier

const NOT_MARKED = -1;
const BARRIER_WAIT = "wait at a Barrier";
const ACTION: unique symbol = Symbol("action");

/** What a barrier does each time all parties have come. */
export type BarrierAction = () => unknown;

/** What a barrier is made with. */
export interface BarrierOptions {
  /**
   * Called each time all parties have come, by the one that came last, before
   * any of them goes on. It must be marked with `sendable` if threads share the
   * barrier.
   */
  action?: BarrierAction;
  /**
   * Milliseconds after which a wait gives up that says nothing else.
   *
   * @default {Infinity}
   */
  timeout?: number;
}

/**
 * A place where a fixed number of threads wait for each other: when the last
 * has come, all go on, and the barrier is ready for the next round. After
 * `Barrier` of Python's threading.
 *
 * Other than in Python, a wait whose timeout passes does not break the barrier:
 * it is as if that thread had not come.
 *
 * @example Two tasks that meet
 * ```ts
 * import { Barrier } from "@skein/std/threading";
 *
 * const barrier = new Barrier(2);
 * await Promise.all([barrier.wait(), barrier.wait()]);
 * ```
 */
export class Barrier extends SharedObject {
  /** @ignore */
  declare [ACTION]: BarrierAction | undefined;

  /**
   * Makes a barrier.
   *
   * @param parties How many wait for each other, an integer from 1.
   * @param options What to do in each round, how long to wait.
   * @throws {TypeError} If `parties` is not a number, or the action not a
   * function.
   * @throws {RangeError} If `parties` is not an integer from 1, or the timeout
   * is negative, NaN or too large.
   */
  constructor(parties: number, options: BarrierOptions = {}) {
    const what = "make a Barrier";
    checkOptions(options, what, ["action", "timeout"]);
    const { action } = options;
    if (typeof parties !== "number") {
      throw new TypeError(
        `Cannot ${what}: parties must be a number, received ${shown(parties)}`,
      );
    }
    if (!Number.isInteger(parties) || parties < 1 || parties >= 2 ** 31) {
      throw new RangeError(
        `Cannot ${what}: parties must be an integer from 1, received ${parties}`,
      );
    }
    if (action !== undefined) checkFunction(action, what, "action");
    const timeout = durationOf(options.timeout, what, "timeout");
    const id = action === undefined ? 0 : sendableId(action) ?? NOT_MARKED;
    const address = createObject(BARRIER_KIND, BARRIER_WORDS);
    words[address + BarrierField.parties] = parties;
    words[address + BarrierField.action] = id;
    words[address + BarrierField.timeout] = timeout === Infinity
      ? -1
      : Math.ceil(timeout);
    super(address);
    this[ACTION] = action;
  }

  /** How many wait for each other. */
  get parties(): number {
    return words[addressOf(this) + BarrierField.parties];
  }

  /**
   * Waits until all parties have come, without blocking the thread.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The caller's place in the order of arrival, from 0.
   * @throws {BrokenBarrierError} If the barrier is or gets broken, or reset.
   * @throws {NotSendableError} If the action is not marked and belongs to
   * another thread.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   * @throws What the action throws, for the one that came last.
   *
   * @example
   * ```ts
   * import { Barrier } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await new Barrier(1).wait(), 0);
   * ```
   */
  async wait(options?: WaitOptions): Promise<number> {
    const address = addressOf(this);
    const given = waitTimeout(options, BARRIER_WAIT);
    const timeout = timeoutAt(options, given, address);
    options?.signal?.throwIfAborted();
    const action = actionOf(this, address);
    using turn = action === undefined ? noTurn() : new Turn(address);
    let index = 0;
    const end = await waitPromise(barrierProtocol, address, MAIN_QUEUE, {
      timeout,
      signal: options?.signal,
      timeoutError: () => timeoutError(BARRIER_WAIT, timeout),
    }, (node) => index = words[node + Node.value]);
    if (end === Wake.refused) throw broken();
    if (end === COMPLETE) {
      try {
        await action!();
      } catch (error) {
        turn!.fail();
        throw error;
      }
      turn!.finish();
      index = this.parties - 1;
    }
    return index;
  }

  /**
   * Blocks the thread until all parties have come.
   *
   * @param options A timeout in milliseconds.
   * @returns The caller's place in the order of arrival, from 0.
   * @throws {BrokenBarrierError} If the barrier is or gets broken, or reset.
   * @throws {NotSendableError} If the action is not marked and belongs to
   * another thread.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {DeadlockError} If no other thread is left that could come.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If the timeout is not a number.
   * @throws What the action throws, for the one that came last.
   *
   * @example
   * ```ts
   * import { Barrier } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new Barrier(1).waitSync(), 0);
   * ```
   */
  waitSync(options?: WaitSyncOptions): number {
    const address = addressOf(this);
    const given = waitSyncTimeout(options, BARRIER_WAIT);
    const timeout = timeoutAt(options, given, address);
    const action = actionOf(this, address);
    using turn = action === undefined ? noTurn() : new Turn(address);
    const end = waitSync(
      barrierProtocol,
      address,
      MAIN_QUEUE,
      timeout,
      BARRIER_WAIT,
    );
    if (end === Wake.refused) throw broken();
    if (end === Wake.waiting) throw timeoutError(BARRIER_WAIT, timeout);
    const index = words[OWN_NODE + Node.value];
    if (end === COMPLETE) {
      try {
        action!();
      } catch (error) {
        turn!.fail();
        throw error;
      }
      turn!.finish();
    }
    return index;
  }

  /**
   * Breaks the barrier: all waits, those to come too, throw, until `reset`.
   *
   * @example
   * ```ts
   * import { Barrier } from "@skein/std/threading";
   *
   * new Barrier(2).abort();
   * ```
   */
  abort(): void {
    clear(addressOf(this), Phase.broken);
  }

  /**
   * Resets the barrier: its waiters get a `BrokenBarrierError`.
   *
   * @example
   * ```ts
   * import { Barrier } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * const barrier = new Barrier(2);
   * barrier.abort();
   * barrier.reset();
   * assert(!barrier.broken());
   * ```
   */
  reset(): void {
    clear(addressOf(this), Phase.filling);
  }

  /**
   * How many wait now. The answer may be out of date when it arrives.
   *
   * @returns A number from 0.
   *
   * @example
   * ```ts
   * import { Barrier } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new Barrier(2).nWaiting(), 0);
   * ```
   */
  nWaiting(): number {
    return load(addressOf(this) + BarrierField.waiting);
  }

  /**
   * Whether the barrier is broken.
   *
   * @returns `true` after `abort`, or an action that threw, until `reset`.
   *
   * @example
   * ```ts
   * import { Barrier } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * assert(!new Barrier(2).broken());
   * ```
   */
  broken(): boolean {
    return load(addressOf(this) + BarrierField.phase) === Phase.broken;
  }
}

function timeoutAt(
  options: WaitSyncOptions | undefined,
  given: number,
  address: number,
): number {
  if (options?.timeout !== undefined) return given;
  const timeout = words[address + BarrierField.timeout];
  return timeout < 0 ? Infinity : timeout;
}

function actionOf(
  barrier: Barrier,
  address: number,
): BarrierAction | undefined {
  const id = words[address + BarrierField.action];
  if (id === 0) return undefined;
  if (id !== NOT_MARKED) return loadSendableSync(id).value as BarrierAction;
  if (barrier[ACTION] !== undefined) return barrier[ACTION];
  throw new NotSendableError(
    `Cannot ${BARRIER_WAIT}: its action is not marked, so only the thread that made the barrier has it; mark it with sendable(import.meta, \u2026)`,
  );
}

// The rounds of a barrier: who has arrived, who runs the action, who goes on.
//
//     filling ---- the last party comes ----> filling (next round), all wake
//        |  with an action:
//        +-------> acting -- action done ---> filling (next round), all wake
//                    +------ action failed -> broken, all are sent away
//
// The thread that runs the action has the turn: a node of its thread (see
// `wait_queue.ts`) that is in no queue and names the barrier from the section
// in which the round became complete to the one in which it ends. So whoever
// cleans up after a thread that died in its action finds the turn, and breaks
// the barrier.
//
// Wake-ups: the queue changes under the barrier's mutex only, and whoever makes
// a round complete, ends it or breaks the barrier wakes all waiters concerned
// in the same section.

/** The words of a barrier. */
const BarrierField = {
  parties: Field.own,
  /** Nodes in the queue. */
  waiting: Field.own + 1,
  /** A `Phase`. */
  phase: Field.own + 2,
  /** Counts the resets, which an action that runs meanwhile must notice. */
  generation: Field.own + 3,
  /** Number of the marked action, 0 for none, -1 for one that is not marked. */
  action: Field.own + 4,
  /** The default timeout in milliseconds, negative for none. */
  timeout: Field.own + 5,
} as const;
/** Size of a barrier in words. */
const BARRIER_WORDS = Field.own + 6;

/** Where in a round a barrier is. */
const Phase = { filling: 0, acting: 1, broken: 2 } as const;

/** How a wait ends for the one that all others wait for. */
const COMPLETE = 4;

/** Flags of a node: it is a turn; `Node.value` has the turn it would take. */
const TURN = 1 << 8;
const ENTERED = 1 << 9;

/** The turn that the wait that is about to begin would take. */
let offered = 0;

/** How to wait for a barrier. */
const barrierProtocol: Protocol = {
  take(object, node) {
    if (!(words[node + Node.flags] & ENTERED)) {
      words[node + Node.flags] |= ENTERED;
      words[node + Node.value] = offered;
    }
    const phase = words[object + BarrierField.phase];
    if (phase === Phase.broken) return Wake.refused;
    const parties = words[object + BarrierField.parties];
    const others = words[object + BarrierField.waiting];
    // Whoever comes while the action runs is an early one of the next round.
    if (phase === Phase.filling && others >= parties - 1) {
      const turn = words[node + Node.value];
      words[node + Node.value] = parties - 1;
      bindOthers(object);
      if (turn === 0) {
        open(object);
        return Wake.granted;
      }
      words[turn + Node.value] = words[object + BarrierField.generation];
      words[turn + Node.state] = Wake.granted;
      words[turn + Node.object] = object;
      words[object + BarrierField.phase] = Phase.acting;
      return COMPLETE;
    }
    words[object + BarrierField.waiting] = others + 1;
    return Wake.waiting;
  },
  withdraw(object) {
    words[object + BarrierField.waiting]--;
  },
  undo(object, node, state) {
    // A party of a round that is complete cannot leave it any more.
    if (state !== Wake.retry) return false;
    abandonRound(object, node, state);
    return true;
  },
};

/**
 * Makes the waiters parties of this round: from now on none can give up and so
 * make the round one too small. In the critical section.
 */
function bindOthers(address: number): void {
  const parties = words[address + BarrierField.parties];
  let node = firstOf(address);
  for (let index = 0; index < parties - 1; index++) {
    words[node + Node.value] = index;
    words[node + Node.flags] |= NodeFlag.bound;
    node = words[node + Node.next];
  }
}

/** Lets the parties of this round go on. In the critical section. */
function open(address: number): void {
  for (let node = firstOf(address); node !== 0;) {
    const next = words[node + Node.next];
    // Others are early ones of the next round.
    if (words[node + Node.flags] & NodeFlag.bound) {
      dequeue(node);
      // Before the wake-up: `nWaiting()` looks without the mutex.
      words[address + BarrierField.waiting]--;
      wake(node, Wake.granted);
    }
    node = next;
  }
  words[address + BarrierField.phase] = Phase.filling;
  completeNext(address);
}

/** More early ones than a round takes: one of them is sent to complete it. */
function completeNext(address: number): void {
  if (
    words[address + BarrierField.phase] !== Phase.filling ||
    words[address + BarrierField.waiting] <
      words[address + BarrierField.parties]
  ) return;
  words[address + BarrierField.waiting]--;
  wakeFirst(address, MAIN_QUEUE, Wake.retry);
}

/** Sends all away that wait. In the critical section. */
function refuseAll(address: number, phase: number): void {
  words[address + BarrierField.phase] = phase;
  words[address + BarrierField.waiting] = 0;
  words[address + BarrierField.generation]++;
  wakeAll(address, MAIN_QUEUE, Wake.refused);
}

/** Sends all away that wait, and leaves the barrier in a phase. */
function clear(address: number, phase: number): void {
  lock(address + Field.mutex);
  refuseAll(address, phase);
  unlock(address + Field.mutex);
}

/** The error of waiting at a barrier that is broken. */
function broken(): BrokenBarrierError {
  return new BrokenBarrierError(
    "Cannot wait at a Barrier: it was broken or reset; reset() makes it usable again",
  );
}

/** What a dead thread leaves behind: its turn, or the completing of a round. */
function abandonRound(
  address: number,
  node: number,
  state: number,
): void {
  lock(address + Field.mutex);
  if (words[node + Node.flags] & TURN) {
    if (isCurrent(address, node)) refuseAll(address, Phase.broken);
  } else if (state === Wake.retry) {
    completeNext(address);
  }
  unlock(address + Field.mutex);
}

/** Whether the barrier has not been reset or broken since a turn was taken. */
function isCurrent(address: number, turn: number): boolean {
  return words[turn + Node.value] === words[address + BarrierField.generation];
}

/** The next wait of this thread is at a barrier without an action. */
function noTurn(): undefined {
  offered = 0;
}

/** The right to run the action of a round that this thread may complete. */
class Turn {
  readonly #address: number;
  readonly #node: number;
  readonly #pins: Pins;
  /** With the thread its turns end, though its code may run on. */
  readonly #epoch = waitEpoch;

  /** The next wait of this thread, to begin at once, may take it. */
  constructor(address: number) {
    this.#address = address;
    this.#node = offered = allocateNode(TURN);
    // The action must not free the barrier under its own round.
    this.#pins = pin(address);
  }

  /**
   * The action is done: lets the parties go on.
   *
   * @throws {BrokenBarrierError} If the barrier was reset or broken meanwhile.
   */
  finish(): void {
    if (!this.#close(open)) throw broken();
  }

  /** The action failed: breaks the barrier. */
  fail(): void {
    this.#close((address) => refuseAll(address, Phase.broken));
  }

  #close(end: (address: number) => void): boolean {
    if (this.#epoch !== waitEpoch) return false;
    const address = this.#address;
    const turn = this.#node;
    lock(address + Field.mutex);
    const same = isCurrent(address, turn);
    if (same) end(address);
    words[turn + Node.object] = 0;
    unlock(address + Field.mutex);
    return same;
  }

  /** Gives the turn back, whether it was taken or not. */
  [Symbol.dispose](): void {
    unpin(this.#address, this.#pins);
    if (this.#epoch === waitEpoch) freeNode(this.#node);
  }
}

const BARRIER_KIND = registerClass(import.meta, {
  constructor: Barrier,
  protocol: barrierProtocol,
  abandon: abandonRound,
  look(address) {
    const isBroken = words[address + BarrierField.phase] === Phase.broken;
    const parties = words[address + BarrierField.parties];
    const waiting = words[address + BarrierField.waiting];
    return isBroken ? ["broken"] : [`${waiting} of ${parties} waiting`];
  },
});
