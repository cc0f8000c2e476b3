/**
 * The functions and classes that this thread knows by the names under which
 * they travel: the URL of their module, `#`, and their own name.
 *
 * @module
 */

import * as errors from "../../errors.ts";
import { ThreadingError } from "../../errors.ts";
import { intern, interned } from "../shared_object.ts";
import type { Stack } from "./marks.ts";
import { nameOf } from "./refusal.ts";

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
    new URL("../../errors.ts", import.meta.url).href,
    nameOf(value),
    value,
  );
}
