/**
 * The checks of what commands and pipelines take. Options are read once, before
 * anything starts: what comes out of a check is plain, so neither a getter nor a
 * change that the caller makes later has a say.
 *
 * @module
 */

import { pathOfUrl } from "../../_internal/built_in.ts";
import {
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  checkString,
  shown,
} from "../../_internal/check.ts";
import { durationOf } from "../../_internal/options.ts";
import { numberOf } from "../../_internal/signum.ts";
import { argvOf } from "./command_line.ts";
import type {
  Chunk,
  CommandOptions,
  FilePath,
  PopenOptions,
  Sink,
  Stage,
  StageOptions,
  StderrSink,
  TextOptions,
} from "./options.ts";

const WHAT = "run a command";

const PLACE = ["cwd", "env", "clearEnv"];
const STAGE = [...PLACE, "stderr", "uid", "gid", "umask"] as const;
const COMMAND = [
  ...STAGE,
  "timeout",
  "signal",
  "killSignal",
  "killGrace",
  "killTree",
  "maxBuffer",
  "check",
  "all",
  "verbose",
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
      const ofUrl = pathOfUrl(path);
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

/** The path, if this names a file. */
export function pathOf(place: unknown): FilePath | undefined {
  if (place instanceof URL) return { path: pathOfUrl(place) };
  if (
    typeof place === "object" && place !== null &&
    typeof (place as FilePath).path === "string"
  ) {
    return place as FilePath;
  }
  return undefined;
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
 * Checks the options that say where a program runs.
 *
 * @throws {TypeError} If an option is of the wrong kind, or unknown.
 */
export function checkPlace(options: PopenOptions): PopenOptions {
  return placeOf(readOptions(options, PLACE));
}

function checkOwner({ uid, gid, umask }: StageOptions): void {
  if (uid !== undefined) checkInteger(uid, WHAT, "uid", 0);
  if (gid !== undefined) checkInteger(gid, WHAT, "gid", 0);
  if (umask === undefined) return;
  checkInteger(umask, WHAT, "umask", 0);
  if (umask <= 0o777) return;
  throw new RangeError(
    `Cannot ${WHAT}: umask must be at most 0o777, received ${umask}`,
  );
}

/** The options in two: those of a stage, and those of the whole. */
export function splitOptions<T extends CommandOptions>(
  options: T,
): { stage: StageOptions; rest: Omit<T, keyof StageOptions> } {
  const { cwd, env, clearEnv, stderr, uid, gid, umask, ...rest } = options;
  return { stage: { cwd, env, clearEnv, stderr, uid, gid, umask }, rest };
}

function stderrOf(stderr: unknown): StderrSink | undefined {
  const file = fileOf(stderr);
  if (file !== undefined) return file;
  if (stderr instanceof Deno.FsFile) return checkOpen(stderr);
  if (stderr instanceof WritableStream) return stderr;
  checkOneOf(stderr, "stderr", ["capture", "merge", "inherit", "null", "tee"]);
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
  if (Array.isArray(given)) {
    throw wrong(
      'options must be an object, and arguments stand in the command, as in ["ls", "-l"]',
      given,
    );
  }
  const options = placeOf(readOptions(given, [...COMMAND, ...more]));
  checkOwner(options);
  durationOf(options.timeout, WHAT, "timeout");
  durationOf(options.killGrace, WHAT, "killGrace");
  if (options.killSignal !== undefined) numberOf(options.killSignal, WHAT);
  checkSignal(options.signal, WHAT);
  checkMaxBuffer(options.maxBuffer);
  checkBoolean(options.check, "check");
  if (![undefined, true, false, "attached"].includes(options.killTree)) {
    throw wrong('killTree must be true, false or "attached"', options.killTree);
  }
  checkBoolean(options.all, "all");
  checkBoolean(options.verbose, "verbose");
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
    checkOwner(stage);
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

/** Checks that a file is open. */
function checkOpen(file: Deno.FsFile): Deno.FsFile {
  try {
    file.statSync();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
    throw new Deno.errors.BadResource(
      `Cannot ${WHAT}: a file must be open, received one that was closed`,
      { cause: error },
    );
  }
  return file;
}

/** What runs in the blocking form, and what gives its output piece by piece. */
export const outputsSync = new WeakMap<object, () => Iterable<Uint8Array>>();

/** A source of which bytes in other forms were made a Uint8Array. */
export type CheckedSource =
  | Chunk
  | Blob
  | Response
  | Request
  | URL
  | FilePath
  | Deno.FsFile
  | ReadableStream<Chunk>
  | AsyncIterable<Chunk>
  | Iterable<Chunk>;

/**
 * Checks what a command is to read.
 *
 * @throws {TypeError} If it is nothing that can be read.
 * @throws {Deno.errors.BadResource} If it is a file that was closed.
 */
export function checkSource(source: unknown): CheckedSource {
  const file = fileOf(source);
  if (file !== undefined) return file;
  if (source instanceof Deno.FsFile) return checkOpen(source);
  if (typeof source === "string" || source instanceof Uint8Array) return source;
  if (ArrayBuffer.isView(source)) {
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) {
    return new Uint8Array(source);
  }
  if (source instanceof Blob) return source;
  if (source instanceof Response || source instanceof Request) {
    if (!source.bodyUsed) return source;
    throw wrong("the body of a source must be unread", source);
  }
  if (typeof source === "object" && source !== null) {
    if (Symbol.iterator in source || Symbol.asyncIterator in source) {
      return source as CheckedSource;
    }
    const output = outputsSync.get(source);
    if (output !== undefined) return output();
    // The same one each time.
    const stdout = "stdout" in source ? source.stdout : undefined;
    if (stdout instanceof ReadableStream) return stdout;
  }
  throw wrong(
    "a source must be text, bytes, a file, a stream, iterable, or what runs, as start() and startSync() of a pipeline give it",
    source,
  );
}

/**
 * Checks where output is to go.
 *
 * @throws {TypeError} If it cannot go there.
 * @throws {Deno.errors.BadResource} If it is a file that was closed.
 */
export function checkSink(sink: unknown): Sink {
  if (sink === "inherit" || sink === "null" || sink === "tee") return sink;
  const file = fileOf(sink);
  if (file !== undefined) return file;
  if (sink instanceof Deno.FsFile) return checkOpen(sink);
  if (sink instanceof WritableStream) return sink;
  throw wrong(
    'a sink must be "inherit", "null", "tee", a file or a WritableStream',
    sink,
  );
}

/**
 * Checks how bytes are to become text.
 *
 * @throws {RangeError} If there is no such encoding.
 * @throws {TypeError} If an option is of the wrong kind.
 */
export function checkTextOptions(given: TextOptions): TextOptions {
  const what = "read text";
  const options = readOptions(given, ["trim", "encoding"], what);
  const { trim, encoding } = options;
  if (trim !== undefined && typeof trim !== "boolean") {
    throw new TypeError(
      `Cannot ${what}: trim must be true or false, received ${shown(trim)}`,
    );
  }
  if (encoding === undefined) return options;
  checkString(encoding, what, "encoding");
  try {
    new TextDecoder(encoding);
  } catch (error) {
    throw new RangeError(
      `Cannot ${what}: there is no such encoding, received "${encoding}"`,
      { cause: error },
    );
  }
  return options;
}
