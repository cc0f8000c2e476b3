// What the functions of this module are given: checked, and read once, before
// anything starts. What comes out of it is plain, so neither a getter nor a
// change that the caller makes later can have a say any more.
import { fileURLToPath } from "node:url";
import {
  checkFunction,
  checkOptions,
  checkSignal,
  shown,
} from "../_internal/check.ts";
import { durationOf } from "../_internal/options.ts";
import { numberOf } from "../_internal/signum.ts";
import { argvOf } from "./_argv.ts";
import type {
  CommandOptions,
  FilePath,
  PopenOptions,
  Sink,
  Source,
  Stage,
  StderrSink,
} from "./options.ts";

const WHAT = "run a command";

const PLACE = ["cwd", "env", "clearEnv"];
const STAGE = [...PLACE, "stderr"];
const COMMAND = [
  ...STAGE,
  "timeout",
  "signal",
  "killSignal",
  "killGrace",
  "killTree",
  "maxBuffer",
  "check",
  "stdin",
  "tee",
  "onProgress",
];

function wrong(rule: string, value: unknown): TypeError {
  return new TypeError(`Cannot ${WHAT}: ${rule}, received ${shown(value)}`);
}

/**
 * Reads options, each once.
 *
 * @param names What options there are.
 * @throws {TypeError} If there are others.
 */
export function readOptions<T extends object>(
  options: T,
  names: readonly string[],
  what = WHAT,
): T {
  checkOptions(options, what, names);
  const read: Record<string, unknown> = {};
  for (const name of names) {
    if (name in options) read[name] = options[name as keyof T];
  }
  return read as T;
}

/** Text that a program can be given: without NUL, which ends it there. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

/**
 * Checks a path.
 *
 * @returns The path, also of a URL.
 * @throws {TypeError} If it is none.
 */
export function checkPath(path: unknown, name: string, what = WHAT): string {
  if (isText(path)) return path;
  if (path instanceof URL) {
    try {
      const ofUrl = fileURLToPath(path);
      if (isText(ofUrl)) return ofUrl;
    } catch {
      // It names no file of this machine.
    }
    path = path.href;
  }
  throw new TypeError(
    `Cannot ${what}: ${name} must be a path without NUL or a file: URL, received ${
      shown(path)
    }`,
  );
}

/** The file, if this is a path or a URL. */
function fileOf(place: unknown): FilePath | undefined {
  if (place instanceof URL) return { path: checkPath(place, "a file") };
  if (typeof place !== "object" || place === null) return undefined;
  if (!("path" in place) || typeof place.path !== "string") return undefined;
  const path = checkPath(place.path, "a file");
  const { append } = place as FilePath;
  checkBoolean(append, "append");
  return { path, append };
}

function checkOneOf(
  value: unknown,
  name: string,
  words: readonly string[],
): void {
  if (value === undefined || words.includes(value as string)) return;
  throw wrong(`${name} must be one of ${words.join(", ")}`, value);
}

function checkBoolean(value: unknown, name: string): void {
  if (value === undefined || typeof value === "boolean") return;
  throw wrong(`${name} must be true or false`, value);
}

function placeOf<T extends PopenOptions>(options: T): T {
  const { cwd, env, clearEnv } = options;
  if (cwd !== undefined) options.cwd = checkPath(cwd, "cwd");
  if (env !== undefined) options.env = environmentOf(env);
  checkBoolean(clearEnv, "clearEnv");
  return options;
}

function environmentOf(env: unknown): Record<string, string> {
  if (typeof env !== "object" || env === null || Symbol.iterator in env) {
    throw wrong("env must be an object", env);
  }
  const entries = Object.entries(env);
  for (const [name, value] of entries) {
    // The system would cut the name there, or set another variable.
    if (name === "" || name.includes("=") || !isText(name)) {
      throw wrong(
        "the name of an environment variable must be a text without = and NUL",
        name,
      );
    }
    if (!isText(value)) {
      throw wrong(`env.${name} must be a string without NUL`, value);
    }
  }
  return Object.fromEntries(entries);
}

/**
 * Checks where a program is to run.
 *
 * @throws {TypeError} If an option is of the wrong kind, or unknown.
 */
export function checkPlace(options: PopenOptions): PopenOptions {
  return placeOf(readOptions(options, PLACE));
}

function stderrOf(stderr: unknown): StderrSink | undefined {
  const file = fileOf(stderr);
  if (file !== undefined) return file;
  checkOneOf(stderr, "stderr", ["capture", "merge", "inherit", "null"]);
  return stderr as StderrSink;
}

/**
 * Checks the options of commands and pipelines.
 *
 * @param more The names of options that are checked by the caller.
 * @throws {TypeError} If one is of the wrong kind, or unknown.
 * @throws {RangeError} If a number is negative, NaN or too large, or there is no
 * such signal.
 */
export function checkCommandOptions<T extends CommandOptions>(
  given: T,
  more: readonly string[] = [],
): T {
  const options = placeOf(readOptions(given, [...COMMAND, ...more]));
  durationOf(options.timeout, WHAT, "timeout");
  durationOf(options.killGrace, WHAT, "killGrace");
  if (options.killSignal !== undefined) numberOf(options.killSignal, WHAT);
  checkSignal(options.signal, WHAT);
  checkMaxBuffer(options.maxBuffer);
  checkBoolean(options.check, "check");
  checkBoolean(options.killTree, "killTree");
  checkOneOf(options.stdin, "stdin", ["inherit", "null"]);
  if (options.stderr !== undefined) options.stderr = stderrOf(options.stderr);
  if (options.tee !== undefined && !(options.tee instanceof WritableStream)) {
    throw wrong("tee must be a WritableStream", options.tee);
  }
  if (options.onProgress !== undefined) {
    checkFunction(options.onProgress, WHAT, "onProgress");
  }
  return options;
}

/**
 * Checks the stages of a pipeline.
 *
 * @throws {TypeError} If there is none, or one is none.
 */
export function checkStages(stages: readonly Stage[]): Stage[] {
  const what = "make a pipeline";
  if (!Array.isArray(stages)) {
    throw new TypeError(
      `Cannot ${what}: stages must be an array, received ${shown(stages)}`,
    );
  }
  if (stages.length === 0) {
    throw new TypeError(
      `Cannot ${what}: it needs a command, received none`,
    );
  }
  return stages.map((given: Stage) => {
    const stage = placeOf(readOptions(given, ["cmd", ...STAGE]));
    if (stage.stderr !== undefined) stage.stderr = stderrOf(stage.stderr);
    const argv = argvOf(stage.cmd);
    if (typeof stage.cmd !== "string") stage.cmd = argv;
    return stage;
  });
}

function checkMaxBuffer(bytes: unknown): void {
  if (bytes === undefined) return;
  if (typeof bytes !== "number") {
    throw wrong("maxBuffer must be a number of bytes", bytes);
  }
  if (bytes >= 0) return;
  throw new RangeError(
    `Cannot ${WHAT}: maxBuffer must be from 0, received ${bytes}`,
  );
}

/**
 * Checks what a command is to read.
 *
 * @throws {TypeError} If it is nothing that can be read.
 */
export function checkSource(source: unknown): Source {
  const file = fileOf(source);
  if (file !== undefined) return file;
  if (
    typeof source === "string" || source instanceof Uint8Array ||
    source instanceof Deno.FsFile
  ) return source;
  if (
    typeof source === "object" && source !== null &&
    (Symbol.iterator in source || Symbol.asyncIterator in source)
  ) return source as Source;
  throw wrong(
    "a source must be text, bytes, a file, a stream or iterable",
    source,
  );
}

/**
 * Checks where output is to go.
 *
 * @throws {TypeError} If it can go there not.
 */
export function checkSink(sink: unknown): Sink {
  if (sink === "inherit" || sink === "null") return sink;
  const file = fileOf(sink);
  if (file !== undefined) return file;
  if (sink instanceof WritableStream || sink instanceof Deno.FsFile) {
    return sink;
  }
  throw wrong(
    'a sink must be "inherit", "null", a file or a WritableStream',
    sink,
  );
}

/**
 * Checks what is to be written to a child.
 *
 * @param closed Whether the stream has been closed.
 * @throws {TypeError} If it is neither text nor bytes, or the stream is closed.
 */
export function checkWrite(data: unknown, closed: boolean): void {
  const what = "write to a child";
  if (typeof data !== "string" && !(data instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot ${what}: data must be text or bytes, received ${shown(data)}`,
    );
  }
  if (closed) {
    throw new TypeError(
      `Cannot ${what}: the stream was closed, received ${data.length} more`,
    );
  }
}
