/**
 * How the encoder says that a value cannot be sent, and where it sits.
 *
 * @module
 */

import { isProxy } from "node:util/types";
import { NotSendableError } from "../../errors.ts";

/** Thrown by the encoder where it meets what it refuses. */
export class Refusal {
  /** The way to the refused value, innermost step first. */
  readonly path: string[] = [];

  constructor(readonly why: string, readonly value: unknown) {}

  /** The error for the caller of `encode`, which has its name for the value. */
  toError(root: string): NotSendableError {
    const where = `${root}${this.path.toReversed().join("")}`
      // Of a job, its parts are what the user knows.
      .replace(/^\.fields\b/, "this").replace(/^\./, "");
    return new NotSendableError(
      `Cannot send ${where}: ${this.why}, received ${describe(this.value)}`,
    );
  }
}

/**
 * Adds the step from a container to the value whose encoding threw `error`.
 * Errors of the user's own getters pass unchanged.
 */
export function within(step: string, error: unknown): unknown {
  if (error instanceof Refusal) error.path.push(step);
  return error;
}

/** The step to a property: `.name`, `[0]` or `["any thing"]`. */
export function property(key: string): string {
  if (/^(0|[1-9]\d*)$/.test(key)) return `[${key}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
    ? `.${key}`
    : `[${JSON.stringify(key)}]`;
}

/** The step to a value of a map, by its key where that can be written. */
export function entry(key: unknown, index: number): string {
  if (typeof key === "string") return `.get(${JSON.stringify(key)})`;
  return typeof key === "number" ? `.get(${key})` : `.values()[${index}]`;
}

function describe(value: unknown): string {
  if (isProxy(value)) return "[Proxy]";
  if (typeof value === "function") {
    return `[${isClass(value) ? "class" : "Function"} ${
      nameOf(value) || "(anonymous)"
    }]`;
  }
  if (typeof value !== "object" || value === null) return String(value);
  return `[object ${classNameOf(value)}]`;
}

/** The name of the class of `value`, without running code of the user's. */
export function classNameOf(value: object): string {
  const constructor = constructorOf(Object.getPrototypeOf(value));
  return (constructor && nameOf(constructor)) || "Object";
}

/**
 * The constructor whose `prototype` is exactly `prototype`; not an inherited
 * one, not one that a getter makes up.
 */
export function constructorOf(
  prototype: object | null,
  // deno-lint-ignore ban-types
): Function | undefined {
  if (prototype === null) return undefined;
  const value = Object.getOwnPropertyDescriptor(prototype, "constructor")
    ?.value;
  return typeof value === "function" && value.prototype === prototype
    ? value
    : undefined;
}

/** The name of a function or class, `""` when it has none. */
// deno-lint-ignore ban-types
export function nameOf(value: Function): string {
  const name = Object.getOwnPropertyDescriptor(value, "name")?.value;
  return typeof name === "string" ? name : "";
}

/** Whether `value` was written as a class. */
// deno-lint-ignore ban-types
export function isClass(value: Function): boolean {
  return Function.prototype.toString.call(value).startsWith("class");
}

/** Whether a class is none of the user's. */
// deno-lint-ignore ban-types
export function isOfPlatform(constructor: Function): boolean {
  return Reflect.get(globalThis, nameOf(constructor)) === constructor ||
    Function.prototype.toString.call(constructor).endsWith("[native code] }");
}
