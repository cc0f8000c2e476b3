/**
 * The event.
 *
 * @module
 */

import { Field, load, store } from "../_memory/heap.ts";
import { lookAtWaiters } from "../_memory/looking.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import {
  timeoutError,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/options.ts";
import {
  addressOf,
  createObject,
  registerClass,
  SharedObject,
} from "../_memory/shared_object.ts";
import { CASE, type CaseKind, settlingCase } from "../_memory/selection.ts";
import {
  waitPromise,
  waitSurrender,
  waitSync,
  waitTimeout,
} from "../_memory/wait.ts";
import {
  MAIN_QUEUE,
  type Protocol,
  Wake,
  wakeAll,
} from "../_memory/wait_queue.ts";

const FLAG = Field.own;
const EVENT_WORDS = Field.own + 1;
const WAIT = "wait for an Event";

const protocol: Protocol = {
  take(object) {
    return load(object + FLAG) === 0 ? Wake.waiting : Wake.granted;
  },
  undo: () => true,
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
    super(createObject(KIND, EVENT_WORDS));
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
    const surrender = waitSurrender(options, WAIT);
    const address = addressOf(this);
    if (load(address + FLAG) !== 0) return;
    await waitPromise(protocol, address, MAIN_QUEUE, surrender);
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
    const timeout = waitTimeout(options, WAIT);
    const address = addressOf(this);
    if (load(address + FLAG) !== 0) return;
    const end = waitSync(protocol, address, MAIN_QUEUE, timeout, WAIT);
    if (end === Wake.waiting) throw timeoutError(WAIT, timeout);
  }

  /** How `select` waits for it. @ignore */
  get [CASE](): { readonly value?: undefined } {
    return eventCase;
  }
}

const eventCase: CaseKind<undefined> = settlingCase<Event, undefined>({
  protocol,
  isSettled: (event) => event.isSet(),
  read: () => undefined,
});

const KIND = registerClass(import.meta, {
  constructor: Event,
  protocol,
  look: (event) => [
    load(event + FLAG) === 0 ? "not set" : "set",
    ...lookAtWaiters(event),
  ],
});
