/**
 * What shared objects of all classes start with, and what the ground must know of
 * each class.
 *
 * @module
 */

import { words } from "./heap.ts";
import { intern, interned } from "./intern.ts";
import type { SharedObject } from "./shared_object.ts";
import type { Protocol } from "./wait_queue.ts";

/** The words that every shared object starts with. */
export const Field = {
  /** Which class: an interned `url#name`. */
  kind: 0,
  /** Handles and records that refer to it. */
  references: 1,
  /** Ground mutex of the object. */
  mutex: 2,
  /** Not 0 if a thread ran out of memory while it changed the object. */
  damaged: 3,
  /** First and last node of the (main) wait queue. */
  head: 4,
  tail: 5,
  /** The first word that belongs to the class. */
  own: 6,
} as const;

/** What the ground must know of a class of shared objects. */
export interface SharedClass {
  /** The class; its prototype becomes that of handles. */
  // deno-lint-ignore ban-types
  constructor: Function & { prototype: SharedObject };
  /**
   * Gives back what the object owns, before its own block goes. Runs in a
   * critical section: no user code, no ground mutex but inner ones.
   */
  destroy?(address: number): void;
  /**
   * Undoes what a dead thread's wait in the object had been given: `state` is
   * the state its node was woken with. Outside of critical sections.
   */
  abandon?(address: number, node: number, state: number): void;
  /**
   * Lets another one go on in place of a waiter that was moved from the object's
   * queue to that of another object, and whose thread has ended since. Outside
   * of critical sections.
   */
  replace?(address: number): void;
  /** Set for locks that only the thread that took them can release. */
  reentrant?: true;
  /** How the object lets wait, if it does. */
  protocol?: Protocol;
}

const classes = new Map<number, SharedClass>();

/**
 * The first of the objects that wait for a thread that knows their class, when
 * none of them was known here, see `shared_object.ts`.
 */
export const strangers = { seen: 0 };

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
  strangers.seen = 0;
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
