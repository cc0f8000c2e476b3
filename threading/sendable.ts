/**
 * Marking what more than one thread must know.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import { nameByPlace, privateNameOf, stackOf } from "./_memory/codec/marks.ts";
import { nameOf } from "./_memory/codec/refusal.ts";
import { register } from "./_memory/codec/registry.ts";

export { loadModule, loadSendable } from "./_memory/codec/load.ts";
export { sendableEntry } from "./_memory/codec/registry.ts";

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
 * not in a function that is called later, and not under `if (import.meta.main)`.
 * What has no name is known by the place where it is marked, and its text.
 *
 * An instance arrives as a copy with the fields of the original, without a call
 * of the constructor. So TypeScript's `private` fields travel, and a class whose
 * instances have `#private` fields, methods or accessors is refused; static ones
 * do no harm.
 *
 * All other values are copied as `structuredClone` does it. Not so a
 * `WebAssembly.Module`, a `SharedArrayBuffer` and a shared `WebAssembly.Memory`,
 * which are refused, as is what structured cloning would make plain objects of:
 * instances of classes that are not marked, and of the platform's. The bytes of
 * a Blob or File are not copied. Keys travel with their content, also if they
 * are not extractable.
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
