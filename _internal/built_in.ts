/**
 * Modules of `node:`, loaded when they are needed. An import of one costs every
 * program between 12 and 60 milliseconds, whether it ever uses it or not.
 *
 * @module
 */

interface BuiltIns {
  "node:fs": typeof import("node:fs");
  "node:url": typeof import("node:url");
  "node:worker_threads": typeof import("node:worker_threads");
}

/**
 * Loads a built-in module, at the first call.
 *
 * @param name Its name.
 * @returns What it exports.
 */
export function builtIn<Name extends keyof BuiltIns>(
  name: Name,
): BuiltIns[Name] {
  return Reflect.get(globalThis, "process").getBuiltinModule(name);
}

/**
 * The path of a `file:` URL.
 *
 * @throws {TypeError} If it names no file of this machine.
 */
export function pathOfUrl(url: URL): string {
  return builtIn("node:url").fileURLToPath(url);
}
