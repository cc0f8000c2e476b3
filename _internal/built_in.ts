/**
 * Modules of `node:`, loaded when they are needed. An import of one costs every
 * program between 12 and 60 milliseconds, whether it ever uses it or not.
 *
 * @module
 */

interface BuiltIns {
  "node:async_hooks": typeof import("node:async_hooks");
  "node:buffer": typeof import("node:buffer");
  "node:crypto": typeof import("node:crypto");
  "node:fs": typeof import("node:fs");
  "node:module": typeof import("node:module");
  "node:os": typeof import("node:os");
  "node:timers": typeof import("node:timers");
  "node:url": typeof import("node:url");
  "node:util/types": typeof import("node:util/types");
  "node:v8": typeof import("node:v8");
  "node:worker_threads": typeof import("node:worker_threads");
}

const loaded: Partial<BuiltIns> = {};

/**
 * Loads a built-in module, at the first call.
 *
 * @param name Its name.
 * @returns What it exports.
 */
export function builtIn<Name extends keyof BuiltIns>(
  name: Name,
): BuiltIns[Name] {
  return loaded[name] ??= Reflect.get(globalThis, "process")
    .getBuiltinModule(name);
}

/**
 * The path of a `file:` URL.
 *
 * @throws {TypeError} If it names no file of this machine.
 */
export function pathOfUrl(url: URL): string {
  return builtIn("node:url").fileURLToPath(url);
}
