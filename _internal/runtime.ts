/**
 * What differs from one runtime to another. skein is made for Deno; on Node the
 * same modules find by other names what they need of it. All the rest is of the
 * language, of the web platform or of `node:`, and the same in both.
 *
 * @module
 */

import { builtIn, core, deno } from "./built_in.ts";

/** As much as is needed of a stream that a worker of Node prints to. */
interface Output {
  _writev?: (
    chunks: { chunk: string | Uint8Array; encoding: "utf8" }[],
    done: (error?: Error | null) => void,
  ) => void;
}

/** As much of `process` as is needed. */
interface Process {
  readonly pid: number;
  readonly env: Record<string, string | undefined>;
  readonly argv: string[];
  readonly execArgv: string[];
  readonly features: { readonly typescript?: unknown };
  readonly stdout: Output;
  readonly stderr: Output;
  cwd(): string;
  exit(code?: number): never;
  kill(pid: number, signal: string): void;
  getActiveResourcesInfo(): string[];
  on(name: string, listener: (value: unknown) => void): void;
  off(name: string, listener: (value: unknown) => void): void;
}

/** The `process` object, which Deno makes when it is first read. */
function node(): Process {
  return Reflect.get(globalThis, "process");
}

/** The number of this process. */
export function processId(): number {
  return deno?.pid ?? node().pid;
}

/** The current folder. */
export function currentFolder(): string {
  return deno?.cwd() ?? node().cwd();
}

/** Ends the process; in a worker, the worker. */
export const exitNow: (code?: number) => never = deno?.exit ??
  node().exit.bind(node());

/** Sends a signal to this process. */
export function signalSelf(name: Deno.Signal): void {
  if (deno !== undefined) deno.kill(deno.pid, name);
  else node().kill(node().pid, name);
}

/** Whether it is certain that something is allowed without a question. */
function isAllowed(permission: Deno.PermissionDescriptor): boolean {
  return deno === undefined ||
    deno.permissions.querySync(permission).state === "granted";
}

/** An environment variable, `undefined` also where it may not be read. */
export function environment(variable: string): string | undefined {
  if (!isAllowed({ name: "env", variable })) return undefined;
  return deno === undefined ? node().env[variable] : deno.env.get(variable);
}

/** Removes an environment variable that may be read. */
export function removeEnvironment(variable: string): void {
  if (deno === undefined) delete node().env[variable];
  else deno.env.delete(variable);
}

/** The URL of the program's main module. */
export function mainModule(): string {
  if (deno !== undefined) return deno.mainModule;
  const path = node().argv[1];
  return path === undefined ? "" : builtIn("node:url").pathToFileURL(path).href;
}

/**
 * Whether modules may have other lines when they run than in their files: Node
 * takes more than types out of them, or a loader of the user's does.
 */
export function isTransformed(): boolean {
  if (deno !== undefined) return false;
  const { features, execArgv, env } = node();
  const flags = [...execArgv, ...(env.NODE_OPTIONS ?? "").split(" ")];
  return features.typescript === "transform" ||
    flags.some((flag) => /^(-r|--(import|require|.*loader))/.test(flag));
}

/** The text of a file. */
export function readTextSync(url: URL): string {
  return deno?.readTextFileSync(url) ??
    builtIn("node:fs").readFileSync(url, "utf8");
}

/** A value as the console shows it, one level deep. */
export function inspect(value: unknown): string {
  return deno?.inspect(value, { depth: 1, strAbbreviateSize: 40 }) ??
    builtIn("node:util").inspect(value, { depth: 1, maxStringLength: 40 });
}

/** Has a timer not hold the process open. */
export function unrefTimer(timer: unknown): void {
  if (deno !== undefined) deno.unrefTimer(timer as number);
  else Reflect.get(Object(timer), "unref").call(timer);
}

/**
 * Tells the main thread of the end of the process.
 *
 * @param onEnd Called when it ends in order.
 * @param onError Called when an error that nothing caught is about to end it.
 */
export function onProcessEnd(onEnd: () => void, onError: () => void): void {
  if (deno === undefined) {
    // Node has it behind such an error, too.
    node().on("exit", onEnd);
    return;
  }
  addEventListener("unload", onEnd);
  addEventListener("error", onError);
  addEventListener("unhandledrejection", onError);
}

/** What a worker wants to know of its own end. */
interface WorkerEnds {
  /** Called with an error, or the reason of a rejection, that nothing caught. */
  onUncaught(error: unknown): void;
  /** Called when the worker is about to end, whoever asked for it. */
  onExit(): void;
}

/**
 * Tells what ends this worker, and has its code find `self` and `close`, which
 * are there in a web worker.
 *
 * @returns What ends it without telling `onExit`.
 */
export function guardWorker({ onUncaught, onExit }: WorkerEnds): () => void {
  // Deno's main thread and its web workers have it; node workers do not.
  Object.defineProperty(globalThis, "self", {
    value: globalThis,
    writable: true,
    enumerable: true,
    configurable: true,
  });
  const { close, forget } = deno === undefined
    ? guardNodeWorker(onUncaught, onExit)
    : guardDenoWorker(onUncaught, onExit);
  Object.defineProperty(globalThis, "close", {
    value: () => {
      onExit();
      close();
    },
    writable: true,
    configurable: deno === undefined,
  });
  return () => {
    forget();
    close();
  };
}

interface Guarded {
  close(): void;
  forget(): void;
}

function guardDenoWorker(
  onUncaught: WorkerEnds["onUncaught"],
  onExit: WorkerEnds["onExit"],
): Guarded {
  addEventListener("error", (event) => {
    event.preventDefault();
    onUncaught(event.error);
  });
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    onUncaught(event.reason);
  });
  const { close } = globalThis;
  addEventListener("unload", onExit);
  return { close, forget: () => removeEventListener("unload", onExit) };
}

function guardNodeWorker(
  onUncaught: WorkerEnds["onUncaught"],
  onExit: WorkerEnds["onExit"],
): Guarded {
  const process = node();
  printAtOnce(process.stdout, 1);
  printAtOnce(process.stderr, 2);
  process.on("uncaughtException", onUncaught);
  process.on("unhandledRejection", onUncaught);
  process.on("exit", onExit);
  return { close: exitNow, forget: () => process.off("exit", onExit) };
}

/**
 * Has what this worker prints appear at once, as in Deno. Node hands it to the
 * main thread, which prints it when it gets to its event loop, and never if the
 * process ends before.
 */
function printAtOnce(stream: Output, file: number): void {
  const { Buffer } = builtIn("node:buffer");
  stream._writev = (chunks, done) => {
    try {
      for (const { chunk, encoding } of chunks) {
        const bytes = typeof chunk === "string"
          ? Buffer.from(chunk, encoding)
          : chunk;
        writeAllSync(file, bytes);
      }
      done();
    } catch (error) {
      done(error as Error);
    }
  };
}

/** Writes to a file that may be a pipe which is full, and does not block. */
function writeAllSync(file: number, bytes: Uint8Array): void {
  const fs = builtIn("node:fs");
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let done = 0; done < bytes.length;) {
    try {
      done += fs.writeSync(file, bytes, done);
    } catch (error) {
      if (Reflect.get(Object(error), "code") !== "EAGAIN") throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

/** Of these there is a better account. */
const TIMERS = new Set(["Timeout", "Immediate"]);

/**
 * What this worker has open and what keeps it busy: sockets, ports, files,
 * children. By numbers in Deno; in Node, which shows only of which kind they
 * are, by kind and place.
 */
export function openResources(): Record<string, unknown> {
  if (core !== undefined) return core.resources();
  const counts: Record<string, number> = {};
  const open: Record<string, unknown> = {};
  for (const kind of node().getActiveResourcesInfo()) {
    if (TIMERS.has(kind)) continue;
    counts[kind] = (counts[kind] ?? 0) + 1;
    open[`${kind} ${counts[kind]}`] = kind;
  }
  return open;
}
