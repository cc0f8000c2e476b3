/**
 * What one sees of a shared object, and what JavaScript must not do to it.
 *
 * `console.log` shows an object's state: `Lock { held by Thread-3, 2 waiting }`.
 * It reads words that others change meanwhile, without a mutex: it never waits
 * and never throws, and what it says may be of two moments. So a class's `look`
 * must make do with any words.
 *
 * To JavaScript a handle is an object without fields. `structuredClone`,
 * `postMessage` and `JSON.stringify` would make an empty object of it, silently.
 * They throw instead. Deno asks an object for the key of a host object before it
 * clones it, also its prototype: so this costs nothing for each handle.
 *
 * @module
 */

import { load, WORD_COUNT, words } from "./heap.ts";
import { MAIN_QUEUE, Node } from "./wait_queue.ts";
import { NotSendableError } from "../errors.ts";

/** What the rooms above tell. */
export const naming = {
  /** The name of a thread; of one that has ended its number. */
  nameOf: (tid: number): string => `thread ${tid}`,
  /** The locks that the thread in a slot holds. */
  heldBy: (_slot: number): number[] => [],
};

/** So many waiters are counted. */
const MAX_COUNTED = 10_000;

/** How many wait in a queue of an object, as far as can be seen. */
function countWaiters(object: number, queue: number): number {
  let count = 0;
  let node = load(object + queue);
  while (
    node > 0 && node < WORD_COUNT - Node.origin && count < MAX_COUNTED &&
    words[node + Node.object] === object
  ) {
    count++;
    node = words[node + Node.next];
  }
  return count;
}

/** `2 waiting`, or nothing. */
export function lookAtWaiters(
  object: number,
  queue: number = MAIN_QUEUE,
  what = "waiting",
): string[] {
  const count = countWaiters(object, queue);
  return count === 0 ? [] : [`${count} ${what}`];
}

/** A number of things: `1 item`, `2 items`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

type Inspect = (value: unknown, options: unknown) => string;

/** Handles that are being shown: one may be in its own fields. */
const shown = new Set<object>();
const WIDTH = 76;

function show(
  handle: object,
  stateOf: (handle: object) => string[],
  inspect: Inspect,
  options: unknown,
): string {
  let name = "SharedObject";
  try {
    name = String(handle.constructor.name);
    if (shown.has(handle)) return `${name} { \u2026 }`;
    shown.add(handle);
    const parts = [...stateOf(handle), ...fieldsOf(handle, inspect, options)];
    const line = parts.join(", ");
    if (parts.length === 0) return `${name} {}`;
    if (line.length <= WIDTH && !line.includes("\n")) {
      return `${name} { ${line} }`;
    }
    const lines = parts.map((part) => `  ${part.replaceAll("\n", "\n  ")},\n`);
    return `${name} {\n${lines.join("")}}`;
  } catch {
    // Too little stack, or what the user made of the handle.
    return `${name} {}`;
  } finally {
    shown.delete(handle);
  }
}

function fieldsOf(
  handle: object,
  inspect: Inspect,
  options: unknown,
): string[] {
  return Object.keys(handle).map((key) => {
    try {
      return `${key}: ${inspect(Reflect.get(handle, key), options)}`;
    } catch {
      return `${key}: \u2026`;
    }
  });
}

/**
 * Gives a prototype what all handles have of this.
 *
 * @param prototype The prototype.
 * @param stateOf What there is to see of a handle. Must not throw.
 * @param check Throws if the handle was freed.
 */
export function makeVisible(
  prototype: object,
  stateOf: (handle: object) => string[],
  check: (handle: object) => void,
): void {
  const methods: [PropertyKey, (...args: never[]) => unknown][] = [
    [
      Symbol.for("Deno.customInspect"),
      function (this: object, inspect: Inspect, options: unknown) {
        return show(this, stateOf, inspect, options);
      },
    ],
    [
      Symbol.for("Deno.core.hostObject"),
      function (this: object) {
        throw refusal(
          this,
          "clone or post a",
          "it is shared, not copied; send it in the args or fields of a Thread, in a queue or in a SharedMap",
        );
      },
    ],
    [
      "toJSON",
      function toJSON(this: object) {
        check(this);
        throw refusal(
          this,
          "make JSON of a",
          "it is memory that threads share; write down what its methods tell",
        );
      },
    ],
  ];
  for (const [key, value] of methods) {
    Object.defineProperty(prototype, key, {
      value,
      writable: true,
      configurable: true,
    });
  }
}

function refusal(handle: object, what: string, why: string): NotSendableError {
  return new NotSendableError(
    `Cannot ${what} ${handle.constructor.name}: ${why}`,
  );
}
