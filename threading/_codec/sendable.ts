/**
 * Marked functions and classes: marking them, the names under which they
 * travel (the URL of their module, `#`, and their own name), and loading the
 * modules of those that this thread does not know yet.
 *
 * @module
 */

import * as errors from "../errors.ts";
import { NotSendableError, ThreadingError } from "../errors.ts";
import { intern, interned } from "../_memory/shared_object.ts";
import {
  misplacement,
  nameByPlace,
  privateNameOf,
  type Stack,
  stackOf,
} from "./mark_check.ts";
import { nameOf } from "./writer.ts";
import { builtIn, pathOfUrl } from "../../_internal/built_in.ts";
import { shown } from "../../_internal/check.ts";

/** A marked function or class. */
export interface SendableEntry {
  /** The module that marks it. */
  readonly url: string;
  /** Its name there. */
  readonly name: string;
  // deno-lint-ignore ban-types
  readonly value: Function;
  /** The stack of the mark, until it was looked at. */
  stack: Stack | undefined;
  /** The number of its name in this process, once it was sent. */
  id: number | undefined;
}

const byValue = new WeakMap<object, SendableEntry>();
const byText = new Map<string, SendableEntry>();
const byId = new Map<number, SendableEntry>();

/**
 * A function or class cannot be decoded as its module is not loaded in this
 * thread and cannot be loaded without waiting. Caught by whoever can wait, or
 * can tell the user.
 */
export class ModuleNotLoaded extends Error {
  override name = "ModuleNotLoaded";

  /**
   * @param url The URL of the module, for `loadModule`.
   * @param cause Why it cannot be loaded without waiting.
   */
  constructor(readonly url: string, cause?: unknown) {
    super(
      `Cannot load a module without waiting for it: received ${url}`,
      { cause },
    );
  }
}

/** Makes `value` known. */
export function register(
  url: string,
  name: string,
  // deno-lint-ignore ban-types
  value: Function,
  stack?: Stack,
): void {
  const text = `${url}#${name}`;
  const known = byText.get(text);
  if (known !== undefined) {
    if (known.value === value) return;
    throw new ThreadingError(
      nameOf(value) === ""
        ? `Cannot mark as sendable: the module ${url} has marked another one ` +
          `in this place, give each a name of its own, received a ${name}`
        : `Cannot mark as sendable: the module ${url} has marked another ` +
          `function or class of this name, received ${name}`,
    );
  }
  const entry = { url, name, value, stack, id: undefined };
  byText.set(text, entry);
  byValue.set(value, entry);
}

/** How a marked function or class is named, undefined for any other. */
// deno-lint-ignore ban-types
export function sendableEntry(value: Function): SendableEntry | undefined {
  return byValue.get(value);
}

/** The marked function or class of a module that is loaded. */
export function sendableOf(
  url: string,
  name: string,
): SendableEntry | undefined {
  return byText.get(`${url}#${name}`);
}

/** The number of a marked function or class, undefined for any other. */
// deno-lint-ignore ban-types
export function sendableId(value: Function): number | undefined {
  const entry = byValue.get(value);
  if (entry === undefined) return undefined;
  if (entry.id === undefined) {
    entry.id = intern(`${entry.url}#${entry.name}`);
    byId.set(entry.id, entry);
  }
  return entry.id;
}

/** The marked function or class of that number, if its module is loaded. */
export function knownSendable(id: number): SendableEntry | undefined {
  const known = byId.get(id);
  if (known !== undefined) return known;
  const entry = byText.get(interned(id));
  if (entry !== undefined) {
    entry.id = id;
    byId.set(id, entry);
  }
  return entry;
}

/** The module and the name of a number. */
export function sendableName(id: number): { url: string; name: string } {
  const text = interned(id);
  const end = text.lastIndexOf("#");
  return { url: text.slice(0, end), name: text.slice(end + 1) };
}

for (const value of Object.values(errors)) {
  register(
    new URL("../errors.ts", import.meta.url).href,
    nameOf(value),
    value,
  );
}

// Loading the modules of marked functions and classes.

/** The modules that were loaded here: what they do not mark is missing. */
const loaded = new Set<string>();

/**
 * Loads a module unless that needs waiting.
 *
 * @throws {ModuleNotLoaded} If it does, or if loading it fails.
 */
export function loadModuleSync(url: string): void {
  if (loaded.has(url)) return;
  // `require` takes a path, so it would load another instance of a module that
  // has a query.
  if (!/^file:[^?#]*$/.test(url)) throw new ModuleNotLoaded(url);
  // One that marks something already is being loaded, by an `import`.
  const isFresh = marksOf(url).length === 0;
  try {
    // Deno loads ES modules with `require` too, as the same instance as
    // `import`, unless they await something. The `process` object and
    // `node:module` take 30 ms to start, which no other thread should pay.
    builtIn("node:module").createRequire(url)(pathOfUrl(new URL(url)));
  } catch (error) {
    if (isFresh) forgetMarks(url);
    throw new ModuleNotLoaded(url, error);
  }
  loaded.add(url);
}

/**
 * Loads a module.
 *
 * @param url Its URL, from a `ModuleNotLoaded`; what could not be decoded
 * without it can be decoded then.
 * @throws Whatever loading it throws.
 */
export async function loadModule(url: string): Promise<void> {
  try {
    await import(url);
  } catch (error) {
    forgetMarks(url);
    throw error;
  }
  loaded.add(url);
}

/** What a module has marked until now. */
function marksOf(url: string): SendableEntry[] {
  return [...byText.values()].filter((entry) => entry.url === url);
}

/**
 * Forgets what a module marked before it failed. Loading it again fails with
 * the same error; functions of half a module must not run.
 */
function forgetMarks(url: string): void {
  for (const { name, id } of marksOf(url)) {
    byText.delete(`${url}#${name}`);
    if (id !== undefined) byId.delete(id);
  }
}

/**
 * The marked function or class of that number; loads its module if that can
 * be done without waiting.
 *
 * @throws {ModuleNotLoaded} If it cannot.
 * @throws {ThreadingError} If the module does not mark such a thing.
 */
export function loadSendableSync(id: number): SendableEntry {
  const known = knownSendable(id);
  if (known !== undefined) return known;
  const { url, name } = sendableName(id);
  loadModuleSync(url);
  return knownSendable(id) ?? missing(url, name);
}

/**
 * Loads the module of a marked function or class.
 *
 * @param id Its number.
 * @throws {ThreadingError} If the module does not mark such a thing. Whatever
 * loading the module throws comes through.
 */
export async function loadSendable(id: number): Promise<void> {
  if (knownSendable(id) !== undefined) return;
  const { url, name } = sendableName(id);
  await loadModule(url);
  if (knownSendable(id) === undefined) missing(url, name);
}

/**
 * Checks that other threads can find marked functions and classes.
 *
 * @param ids Their numbers.
 * @param what What is being done, for the message.
 * @throws {NotSendableError} If it is certain that they cannot.
 */
export function checkMarks(ids: readonly number[], what: string): void {
  for (const id of ids) {
    const entry = knownSendable(id);
    if (entry?.stack === undefined) continue;
    const { url, name, stack } = entry;
    const where = misplacement(stack, url, () => sourceOf(url));
    if (where !== undefined) {
      throw new NotSendableError(
        `Cannot ${what}: ${name} is marked ${where}, which no other thread ` +
          "does when it imports the module; mark it at the top level, " +
          `received ${name} of ${url}`,
      );
    }
    entry.stack = undefined;
  }
}

/** The source text of the program's main module; of others an empty one. */
function sourceOf(url: string): string {
  try {
    return url === Deno.mainModule ? Deno.readTextFileSync(new URL(url)) : "";
  } catch {
    return "";
  }
}

function missing(url: string, name: string): never {
  throw new ThreadingError(
    `Cannot find a marked function or class: the module ${url} does not mark ` +
      "it when it is imported; mark it at the top level of the module, not in a " +
      `function or under if (import.meta.main), received ${name}`,
  );
}

// Marking what more than one thread must know.

/** A function that can be marked. */
export type SendableFunction = (...args: never[]) => unknown;

/** A class that can be marked. */
export type SendableClass = abstract new (...args: never[]) => unknown;

/**
 * Marks a function or a class, so that it can be sent to other threads: as the
 * target of a thread, in a queue, in a shared map, and, a class, with its
 * instances.
 *
 * A thread that meets one for the first time imports its module (where
 * `import.meta.main` is `false`) and gets the same function or class. So mark
 * it at the top level of the module, where importing the module does it again,
 * not in a function that is called later, and not under `if
 * (import.meta.main)`. A function without a name is known by the place of its
 * mark, and by its text.
 *
 * An instance arrives as a copy with the fields of the original, without a call
 * of the constructor. So TypeScript's `private` fields travel, and a class
 * whose instances have `#private` fields, methods or accessors is refused;
 * static ones do no harm.
 *
 * All other values are copied as `structuredClone` does it, and what that
 * shares is shared: a `SharedArrayBuffer`, views on it and a
 * `WebAssembly.Memory` made with `shared: true` arrive as the same memory, a
 * `WebAssembly.Module` is not compiled again, and the bytes of a Blob or File
 * are not copied. Keys travel with their content, also if they are not
 * extractable. Refused is what structured cloning would make plain objects of:
 * instances of classes that are not marked, and of the platform's, such as
 * `ImageData`.
 *
 * An instance of a subclass of `Lock`, `Queue` or another shared class is
 * shared, and its own fields are copied each time it is sent. In the thread
 * that made it, and in the one that a `Thread` runs in, they stay as that
 * thread's code has left them; everywhere else they are those of the last
 * arrival. A shared map takes it as a key only if it has no fields.
 *
 * @typeParam T The function or class.
 * @param meta The `import.meta` of the module that defines it.
 * @param value The function or class.
 * @returns The function or class itself.
 * @throws {TypeError} If it is not a function or class, `meta` is not
 * `import.meta`, or instances of the class have something `#private`.
 * @throws {ThreadingError} If the module has marked another one of this name, or
 * another one without a name, of the same text, in the same place.
 *
 * @example A class
 * ```ts
 * import { Lock, sendable, SharedNumber } from "@skein/std/threading";
 *
 * export class Counter {
 *   static {
 *     sendable(import.meta, this);
 *   }
 *   lock = new Lock();
 *   value = new SharedNumber(0);
 * }
 * ```
 *
 * @example Functions
 * ```ts
 * import { sendable } from "@skein/std/threading";
 *
 * export const greet = sendable(import.meta, function greet(name: string) {
 *   console.log(`Hello ${name}`);
 * });
 * export const double = sendable(import.meta, (n: number) => n * 2);
 * ```
 */
export function sendable<T extends SendableFunction | SendableClass>(
  meta: ImportMeta,
  value: T,
): T {
  if (typeof value !== "function") {
    throw new TypeError(
      `Cannot mark as sendable: it is neither a function nor a class, ` +
        `received ${shown(value)}`,
    );
  }
  if (typeof meta?.url !== "string") {
    throw new TypeError(
      `Cannot mark as sendable: meta must be import.meta, ` +
        `received ${shown(meta)}`,
    );
  }
  const stack = stackOf();
  const name = nameOf(value) || nameByPlace(stack, value);
  if (name === undefined || name.includes("#")) {
    throw new TypeError(
      `Cannot mark as sendable: the function or class must have a name by ` +
        `which other threads can find it, received ${name || "none"}`,
    );
  }
  const hidden = privateNameOf(value);
  if (hidden !== undefined) {
    throw new TypeError(
      `Cannot mark as sendable: the class ${name} has ${hidden}, which its ` +
        "instances lose on the way to another thread; write TypeScript's " +
        `private instead, received ${hidden}`,
    );
  }
  register(meta.url, name, value, stack);
  return value;
}
