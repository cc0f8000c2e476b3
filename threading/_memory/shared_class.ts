/**
 * The classes of shared objects, and what one sees of their objects.
 *
 * A class, as every marked function, is known to all threads by the number of
 * its name, `url#name`. The names are in a list on the heap that only grows, the
 * newest first: word 0 of an entry is the next, word 1 the number, word 2 the
 * length in bytes, then the text in UTF-8. A thread looks into the list only for
 * what it has not met before.
 *
 * @module
 */

import { allocate, ALLOCATOR_END, discard, removeDraft } from "./allocator.ts";
import {
  bytes,
  Field,
  Header,
  load,
  self,
  wakeSlot,
  WORD_COUNT,
  words,
} from "./heap.ts";
import { lock, unlock } from "./mutex.ts";
import { addCounter, type CounterWords } from "./trace.ts";
import { MAIN_QUEUE, Node, type Protocol } from "./wait_queue.ts";
import { NotSendableError } from "../errors.ts";

const FIRST = ALLOCATOR_END;
const Text = { next: 0, id: 1, length: 2, bytes: 3 } as const;
/** Where the names are, for the writer of a trace. */
export const TEXTS = { first: FIRST, ...Text } as const;

const ids = new Map<string, number>();
const texts: string[] = [];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Learns what other threads have added. */
function catchUp(): void {
  let entry = words[FIRST];
  while (entry !== 0 && texts[words[entry + Text.id]] === undefined) {
    const start = (entry + Text.bytes) * 4;
    const text = decoder.decode(
      bytes.slice(start, start + words[entry + Text.length]),
    );
    ids.set(text, words[entry + Text.id]);
    texts[words[entry + Text.id]] = text;
    entry = words[entry + Text.next];
  }
}

/**
 * The number of a text; the same in every thread.
 *
 * @param text The text.
 * @returns Its number, from 1.
 */
export function intern(text: string): number {
  let id = ids.get(text);
  if (id !== undefined) return id;
  const utf8 = encoder.encode(text);
  const entry = allocate(Text.bytes + (utf8.length + 3 >> 2));
  bytes.set(utf8, (entry + Text.bytes) * 4);
  words[entry + Text.length] = utf8.length;
  lock(Header.internMutex);
  catchUp();
  id = ids.get(text);
  if (id === undefined) {
    id = ++words[Header.internCount];
    words[entry + Text.id] = id;
    words[entry + Text.next] = words[FIRST];
    words[FIRST] = entry;
    removeDraft(entry);
    ids.set(text, id);
    texts[id] = text;
    unlock(Header.internMutex);
  } else {
    unlock(Header.internMutex);
    discard(entry);
  }
  return id;
}

/**
 * The text of a number that {@linkcode intern} returned in any thread.
 *
 * @param id The number.
 * @returns The text.
 */
export function interned(id: number): string {
  if (texts[id] === undefined) {
    lock(Header.internMutex);
    catchUp();
    unlock(Header.internMutex);
  }
  return texts[id];
}

/** What the memory layer must know of a class of shared objects. */
export interface SharedClass {
  /** The class; its prototype becomes that of handles. */
  // deno-lint-ignore ban-types
  constructor: Function & { prototype: object };
  /**
   * Gives back what the object owns, before its own block goes. Runs in a
   * critical section: no user code, no ground mutex but inner ones. `false` leaves
   * it to another thread, as a stranger.
   */
  destroy?(address: number): boolean | void;
  /**
   * Does a last thing once nobody refers to the object any more, before it is
   * destroyed. Outside of critical sections, in some thread; must not throw.
   */
  leave?(address: number): void;
  /**
   * Undoes what a dead thread's wait in the object had been given: `state` is
   * the state its node was woken with, `cause` what the thread died of, if that
   * is known. Outside of critical sections.
   *
   * @returns `true` if the node belongs to the object now, and has left the list
   * of its thread.
   */
  abandon?(
    address: number,
    node: number,
    state: number,
    cause?: unknown,
  ): boolean | void;
  /**
   * Lets another one go on in place of a waiter that was moved from the object's
   * queue to that of another object, and whose thread has ended since. Outside
   * of critical sections.
   */
  replace?(address: number): void;
  /**
   * Takes a node of this thread back into its queue that was moved from there to
   * the queue of another object, and woken, if the waiter of another thread, or
   * the thread itself, can go on in its place. Outside of critical sections.
   *
   * @returns Whether it did.
   */
  takeBack?(address: number, node: number): boolean;
  /** Set for locks that only their owner can release. */
  reentrant?: true;
  /** How to wait for the object, if that is possible. */
  protocol?: Protocol;
  /**
   * The threads that must all do something before the wait of a node can end,
   * see `deadlock.ts`. The words are read while others change them, in a
   * critical section: it must neither throw nor wait.
   */
  holders?(address: number, node: number): number[];
  /** Set if other threads than its holder can release it, too. */
  lent?: true;
  /**
   * What a message calls the object that a node waits at, if not by its class and
   * a number.
   */
  label?(address: number, node: number): string;
  /** What there is to see of an object, see above `show`. Must not throw. */
  look?(address: number): string[];
  /** Where it says how much there is in it, for a trace. */
  counter?: CounterWords;
}

const classes = new Map<number, SharedClass>();
/** The kinds of those whose objects have a last thing to do. */
export const leavingKinds = new Set<number>();

/** What this thread has seen of what waits for a thread that knows its class. */
export const strangers = {
  /** The first of the objects to be destroyed, when none was known here. */
  seen: 0,
  /** `Header.leftWaits`, when none of the waits was at an object known here. */
  seenWaits: 0,
};

/**
 * Registers a class of shared objects in this thread.
 *
 * @param meta The `import.meta` of its module: a thread that meets an object of
 * a class it does not know imports the module.
 * @param shared The class.
 * @returns The kind, for {@linkcode createObject}.
 */
export function registerClass(meta: ImportMeta, shared: SharedClass): number {
  const kind = intern(`${meta.url}#${shared.constructor.name}`);
  classes.set(kind, shared);
  if (shared.leave !== undefined) leavingKinds.add(kind);
  if (shared.counter !== undefined) addCounter(kind, shared.counter);
  strangers.seen = 0;
  strangers.seenWaits = 0;
  // Its module is still being loaded: it may need what is not there yet.
  if (load(Header.leftWaits) !== 0) wakeSlot(self);
  return kind;
}

/** The class of an object, or undefined if its module is not loaded here. */
export function classOf(address: number): SharedClass | undefined {
  return classes.get(words[address + Field.kind]);
}

/** The URL of the module of an object's class. */
export function classUrl(address: number): string {
  const name = interned(words[address + Field.kind]);
  return name.slice(0, name.lastIndexOf("#"));
}

// What one sees of an object. `console.log` shows its state: `Lock { held by
// Thread-3, 2 waiting }`. It reads words that others change meanwhile, without a
// mutex: it never waits and never throws, and what it says may be of two moments.
// So a class's `look` must make do with any words.
//
// To JavaScript a handle is an object without fields. `structuredClone`,
// `postMessage` and `JSON.stringify` would make an empty object of it, silently.
// They throw instead. Deno asks an object for the key of a host object before it
// clones it, also its prototype: so this costs nothing for each handle.

/** What the rooms above tell. */
export const naming = {
  /** The name of a thread; of one that has ended its number. */
  nameOf: (tid: number): string => `thread ${tid}`,
  /** The locks that the thread in a slot holds. */
  heldBy: (_slot: number): number[] => [],
};

/** Waiters are counted up to this number. */
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
      Symbol.for("nodejs.util.inspect.custom"),
      function (this: object, _: number, options: unknown, inspect: Inspect) {
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
