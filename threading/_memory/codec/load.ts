/**
 * Loading the modules of marked functions and classes.
 *
 * @module
 */

import { NotSendableError, ThreadingError } from "../../errors.ts";
import { misplacement } from "./marks.ts";
import {
  knownSendable,
  ModuleNotLoaded,
  type SendableEntry,
  sendableName,
} from "./registry.ts";

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
  try {
    // Deno loads ES modules with `require` too, as the same instance as
    // `import`, unless they await something. The `process` object and
    // `node:module` take 30 ms to start, which no other thread should pay.
    const process = Reflect.get(globalThis, "process");
    const { createRequire } = process.getBuiltinModule("node:module");
    const { fileURLToPath } = process.getBuiltinModule("node:url");
    createRequire(url)(fileURLToPath(url));
  } catch (error) {
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
  await import(url);
  loaded.add(url);
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
