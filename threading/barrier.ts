/**
 * The barrier.
 *
 * @module
 */

import { checkFunction, checkOptions, shown } from "../_internal/check.ts";
import {
  abandonRound,
  BARRIER_WORDS,
  BarrierField,
  barrierProtocol,
  broken,
  clear,
  COMPLETE,
  noTurn,
  Phase,
  Turn,
} from "./_barrier_round.ts";
import { NotSendableError } from "./errors.ts";
import { loadSendableSync, sendableId } from "./_codec/sendable.ts";
import { load, words } from "./_memory/heap.ts";
import {
  durationOf,
  timeoutError,
  timeoutOf,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/options.ts";
import {
  addressOf,
  createObject,
  registerClass,
  SharedObject,
} from "./_memory/shared_object.ts";
import { OWN_NODE, waitPromise, waitSync } from "./_memory/wait.ts";
import { MAIN_QUEUE, Node, Wake } from "./_memory/wait_queue.ts";

const NOT_MARKED = -1;
const WAIT = "wait at a Barrier";
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
    const address = createObject(KIND, BARRIER_WORDS);
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
    const timeout = timeoutAt(options, address);
    options?.signal?.throwIfAborted();
    const action = actionOf(this, address);
    using turn = action === undefined ? noTurn() : new Turn(address);
    let index = 0;
    const end = await waitPromise(barrierProtocol, address, MAIN_QUEUE, {
      timeout,
      signal: options?.signal,
      timeoutError: () => timeoutError(WAIT, timeout),
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
   * @throws {ThreadingError} If no other thread is left that could come.
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
    const timeout = timeoutAt(options, address);
    const action = actionOf(this, address);
    using turn = action === undefined ? noTurn() : new Turn(address);
    const end = waitSync(barrierProtocol, address, MAIN_QUEUE, timeout, WAIT);
    if (end === Wake.refused) throw broken();
    if (end === Wake.waiting) throw timeoutError(WAIT, timeout);
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
   * Makes the barrier new: those that wait get a `BrokenBarrierError`.
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
  address: number,
): number {
  const given = timeoutOf(options, WAIT);
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
    `Cannot ${WAIT}: its action is not marked, so only the thread that made the barrier has it; mark it with sendable(import.meta, …)`,
  );
}

const KIND = registerClass(import.meta, {
  constructor: Barrier,
  protocol: barrierProtocol,
  abandon: abandonRound,
});
