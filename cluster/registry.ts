/**
 * The names by which classes and functions travel between machines.
 *
 * @module
 */

import { checkString, shown } from "../_internal/check.ts";
import { ThreadingError } from "../threading/mod.ts";

/** What can be given a name: a class or a function. */
export type Registered =
  | (abstract new (...args: never[]) => unknown)
  | ((...args: never[]) => unknown);

const byName = new Map<string, Registered>();
const names = new Map<Registered, string>();

/**
 * Gives a class or a function a name by which it travels to other machines.
 *
 * Only what this program has registered is ever made from what a server sends:
 * a name that it does not know is an error, and no module is imported. Every
 * program that reads a queue registers the same names, and every thread of it,
 * so call it at the top level of the module that defines the class.
 *
 * An instance arrives as a copy with the fields of the original, without a call
 * of the constructor; `#private` fields cannot travel. A function arrives as
 * the function that the reader has registered under that name.
 *
 * @typeParam T The class or function.
 * @param name The name, the same in all programs.
 * @param value The class or function.
 * @returns The class or function itself.
 * @throws {TypeError} If the name is not a string, or the value neither a class
 * nor a function.
 * @throws {ThreadingError} If the name or the value is already registered
 * otherwise.
 *
 * @example
 * ```ts
 * import { register } from "@skein/std/cluster";
 *
 * class Order {
 *   constructor(public number: number) {}
 * }
 * register("Order", Order);
 * ```
 */
export function register<T extends Registered>(name: string, value: T): T {
  const what = "register a name";
  checkString(name, what, "the name");
  if (name === "") {
    throw new TypeError(`Cannot ${what}: it must not be empty, received ""`);
  }
  if (typeof value !== "function") {
    throw new TypeError(
      `Cannot ${what}: only a class or a function can have one, received ${
        shown(value)
      }`,
    );
  }
  const other = byName.get(name);
  if (other !== undefined && other !== value) {
    throw new ThreadingError(
      `Cannot ${what}: another class or function has it, received ${name}`,
    );
  }
  const known = names.get(value);
  if (known !== undefined && known !== name) {
    throw new ThreadingError(
      `Cannot ${what}: the class or function is known as ${known}, received ${name}`,
    );
  }
  byName.set(name, value);
  names.set(value, name);
  return value;
}

/** What this program has registered under a name. */
export function registeredAs(name: string): Registered | undefined {
  return byName.get(name);
}

/** The name under which this program has registered something. */
export function nameOf(value: unknown): string | undefined {
  return names.get(value as Registered);
}
