/**
 * Thread-local values.
 *
 * @module
 */

import { checkFunction } from "../_internal/check.ts";
import { ThreadingError } from "./errors.ts";
import { discard } from "./_memory/allocator.ts";
import { ModuleNotLoaded, sendableEntry } from "./_codec/sendable.ts";
import { add, Field, Header, self, Slot, words } from "./_memory/heap.ts";
import { lock, unlock } from "./_memory/mutex.ts";
import {
  commitRecord,
  draftRecord,
  readRecord,
  releaseRecord,
} from "./_codec/record.ts";
import {
  addressOf,
  createObject,
  registerClass,
  SharedObject,
} from "./_memory/shared_object.ts";
import { onThreadEnd } from "./_runtime/globals.ts";

/** Words of a Local. */
const LocalField = {
  /** Tells it from every other Local there ever was; 0 once it is gone. */
  id: Field.own,
  /** Record of `init`, 0 if that is not marked as sendable. */
  init: Field.own + 1,
} as const;
const LOCAL_WORDS = Field.own + 2;

const INIT: unique symbol = Symbol("init");

interface Value {
  /** Where the Local is, if it is still there. */
  address: number;
  value: unknown;
}

/** The values of the thread that runs here, by the ids of their Locals. */
const values = new Map<number, Value>();
const MIN_SWEEP = 256;
let sweepAt = MIN_SWEEP;

onThreadEnd(() => {
  values.clear();
  sweepAt = MIN_SWEEP;
});

/**
 * A variable of which every thread has a value of its own. After `local` of
 * Python's threading.
 *
 * The value is made by `init` when a thread first reads it, and goes when the
 * thread ends. All async tasks of a thread share the thread's value.
 *
 * A Local that is sent to another thread is the same Local there; for that
 * thread to be able to make its value, mark `init` with `sendable`. One at the
 * top level of a module needs no marking: every thread that imports the module
 * makes it there.
 *
 * @typeParam T The type of the value.
 *
 * @example
 * ```ts
 * import { Local, sendable, Thread } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const requests = new Local(() => 0);
 *
 * export const serve = sendable(import.meta, function serve() {
 *   requests.value++;
 *   return requests.value;
 * });
 *
 * Deno.test("Local", async () => {
 *   requests.value = 100;
 *   const thread = new Thread({ target: serve });
 *   thread.start();
 *   assertEquals(await thread.join(), 1);
 *   assertEquals(requests.value, 100);
 * });
 * ```
 */
export class Local<T> extends SharedObject {
  /** @ignore */
  declare [INIT]: (() => T) | undefined;

  /**
   * Makes a variable without a value.
   *
   * @param init Makes the value of a thread that reads it for the first time.
   * @throws {TypeError} If it is not a function.
   */
  constructor(init: () => T) {
    super(createLocal(init));
    this[INIT] = init;
  }

  /**
   * The value of the thread that asks.
   *
   * @returns What this thread has set, or else what `init` made for it.
   * @throws {ThreadingError} If this thread has no value, did not make the
   * Local itself, and `init` is not marked with `sendable`, or its module
   * cannot be loaded while the thread waits. What `init` throws.
   */
  get value(): T {
    const address = addressOf(this);
    const id = words[address + LocalField.id];
    const known = values.get(id);
    if (known !== undefined) return known.value as T;
    const init = this[INIT] ??= initOf<T>(address);
    const value = init();
    keep(id, address, value);
    return value;
  }

  /** Sets the value of the thread that asks. */
  set value(value: T) {
    const address = addressOf(this);
    keep(words[address + LocalField.id], address, value);
  }
}

const KIND = registerClass(import.meta, {
  constructor: Local,
  destroy(address) {
    words[address + LocalField.id] = 0;
    const init = words[address + LocalField.init];
    if (init !== 0) releaseRecord(init);
  },
});

function createLocal(init: () => unknown): number {
  checkFunction(init, "make a Local", "init");
  const record = sendableEntry(init) === undefined ? 0 : draftRecord(init);
  let address: number;
  try {
    address = createObject(KIND, LOCAL_WORDS);
  } catch (error) {
    if (record !== 0) discard(record);
    throw error;
  }
  words[address + LocalField.id] = add(Header.nextLocal, 1) + 1;
  if (record !== 0) {
    lock(self + Slot.mutex);
    words[address + LocalField.init] = record;
    commitRecord(record);
    unlock(self + Slot.mutex);
  }
  return address;
}

/** The `init` that travelled with the Local. */
function initOf<T>(address: number): () => T {
  const record = words[address + LocalField.init];
  if (record === 0) {
    throw new ThreadingError(
      "Cannot read a Local that another thread made: its init is not marked, write sendable(import.meta, function …) where it is defined, or set the value first",
    );
  }
  try {
    return readRecord(record) as () => T;
  } catch (error) {
    if (!(error instanceof ModuleNotLoaded)) throw error;
    throw new ThreadingError(
      `Cannot read a Local that another thread made: import the module of its init in this thread first, received ${error.url}`,
      { cause: error },
    );
  }
}

function keep(id: number, address: number, value: unknown): void {
  const known = values.get(id);
  if (known !== undefined) {
    known.value = value;
    return;
  }
  if (values.size >= sweepAt) sweep();
  values.set(id, { address, value });
}

/**
 * Drops the values of Locals that are gone. Ids are never used again, so the
 * word where the id was holds it by mere chance, and then a value stays.
 */
function sweep(): void {
  for (const [id, { address }] of values) {
    if (words[address + LocalField.id] !== id) values.delete(id);
  }
  sweepAt = Math.max(MIN_SWEEP, values.size * 2);
}
