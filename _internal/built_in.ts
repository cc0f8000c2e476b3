/**
 * What comes with Deno: the modules of `node:`, loaded when they are needed (an
 * import of one costs every program between 12 and 60 milliseconds, whether it ever
 * uses it or not), what Deno itself is made of, and how its platform writes paths.
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
  "node:util": typeof import("node:util");
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

/** Deno, or `undefined` in another runtime. */
export const deno: typeof Deno | undefined = Reflect.get(globalThis, "Deno");

type Types = typeof import("node:util/types");

/** What `core` has of it: all that is not of `node:crypto`. */
type CoreTypes = Omit<Types, "isCryptoKey" | "isKeyObject">;

/** What Deno's own modules are made of. Nothing promises that it stays. */
interface Core extends CoreTypes {
  serialize(value: object): Uint8Array;
  deserialize(bytes: Uint8Array): object;
  resources(): Record<string, unknown>;
}

/** It, or `undefined` in a version of Deno that does not show it. */
export const core: Core | undefined = deno && Reflect.get(
  deno,
  Reflect.get(deno, "internal"),
)?.core;

const coreTypes: CoreTypes | undefined = core?.isProxy && core;

/**
 * Tells of which kind a value is, whatever its prototype. These are the functions
 * of `node:util/types`, which costs up to 30 milliseconds to load.
 */
export function types(): CoreTypes {
  return coreTypes ?? builtIn("node:util/types");
}

/** A platform, as Deno names it. */
export type Platform = typeof Deno.build.os;

/** The platform that this program runs on. */
export const HERE: Platform = deno?.build.os ?? nodePlatform();

function nodePlatform(): Platform {
  const platform: string = Reflect.get(globalThis, "process").platform;
  return platform === "win32" ? "windows" : platform as Platform;
}

/**
 * The path of a `file:` URL.
 *
 * @throws {TypeError} If it names no file of this machine.
 */
export function pathOfUrl(url: URL): string {
  return builtIn("node:url").fileURLToPath(url);
}

/** Whether a path names the same file whatever the current directory is. */
export function isAbsolute(path: string, platform = HERE): boolean {
  return platform === "windows"
    ? /^(?:[A-Za-z]:)?[\\/]/.test(path)
    : path.startsWith("/");
}

/** The path that the stacks of V8 may have for the module of a `file:` URL. */
export function modulePath(url: string, platform = HERE): string {
  const path = decodeURIComponent(new URL(url).pathname);
  return platform === "windows"
    ? path.replace(/^\/(?=[A-Za-z]:)/, "").replaceAll("/", "\\")
    : path;
}

/**
 * What `testing` puts in the place of what the shared heap is made of, in a
 * worker of its own, before it loads the heap. Everywhere else it is empty.
 */
export interface Seam {
  /** The atomic operations, each a point where another thread may go on. */
  operations<T extends object>(own: T): T;
  /** The words or doubles, each access to which is such a point. */
  view<T extends Int32Array | Float64Array>(own: T): T;
  /** How threads sleep and wake each other. */
  futex: Pick<Atomics, "wait" | "waitAsync" | "notify">;
  /** A block was allocated, or given back. */
  onBlock(address: number, words: number, used: boolean): void;
  /** Starts the worker of a thread, which is to find `data`. */
  createWorker(data: Record<string, unknown>): unknown;
}

/** See {@linkcode Seam}. Here, since the heap imports nothing else. */
export const seam: Partial<Seam> = {};
