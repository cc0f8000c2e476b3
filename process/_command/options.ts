/**
 * What commands and pipelines take: sources, sinks and options, and their checks.
 * Options are read once, before anything starts: what comes out of a check is
 * plain, so neither a getter nor a change that the caller makes later has a say.
 *
 * @module
 */

import { numberOf, type Signum } from "../../_internal/platform.ts";
import { argvOf, type Command } from "./command_line.ts";
import { pathOfUrl } from "../../_internal/built_in.ts";
import {
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  checkString,
  durationOf,
  shown,
} from "../../_internal/check.ts";

export type { Command };

/**
 * A file by its path, to be told from a text; a `file:` URL is one too.
 * Descriptors of such files go straight to the program.
 */
export interface FilePath {
  /** The path. */
  path: string;
  /**
   * Whether to write after what the file holds.
   *
   * @default {false}
   */
  append?: boolean;
}

/** A part of what a program reads. */
export type Chunk = string | Uint8Array;

/**
 * Something that runs and whose output can be read, like what `start()` of a
 * pipeline gives, or a `Deno.ChildProcess`.
 */
export interface OutputSource {
  /** Its output. */
  readonly stdout: ReadableStream<Uint8Array>;
}

/**
 * Something that runs in the blocking form and whose output can be read: what
 * `startSync()` of a pipeline gives.
 */
export interface OutputSourceSync {
  /** The numbers of its processes. */
  readonly pids: readonly number[];
  /** Waits for its end, and gives its status. */
  statusSync(): number;
}

/** Bytes in one of the ways in which JavaScript has them. */
export type ByteSource = Uint8Array | ArrayBufferLike | ArrayBufferView;

/**
 * What a program reads: a text, bytes, a file by its path, an open file (read
 * from where it stands, and left open), a stream, a `Blob`, the body of a
 * `Response` or `Request`, the output of what runs, or anything that can be
 * iterated and gives strings or bytes.
 *
 * A program need not read all of it. A stream that is left before its end,
 * because the program wants no more of it or the command fails, is cancelled and
 * unlocked, and an iterator is told to `return()`. What the source itself throws
 * fails the command, and so does the failure of a pipeline that is one. A handle
 * of `startSync()` is read by blocking calls in the promise form, too.
 *
 * An open file is given to the program as it is on Linux with all permissions
 * (`-A`), where its descriptor can be found; else the bytes pass through this
 * program.
 */
export type Source =
  | string
  | ByteSource
  | Blob
  | Response
  | Request
  | OutputSource
  | OutputSourceSync
  | URL
  | FilePath
  | Deno.FsFile
  | ReadableStream<Chunk>
  | AsyncIterable<Chunk>
  | Iterable<Chunk>;

/**
 * What the blocking forms can read: whatever needs no event loop. What can be
 * iterated is read as the program needs it, in this thread, while it blocks.
 */
export type SyncSource =
  | string
  | ByteSource
  | OutputSourceSync
  | URL
  | FilePath
  | Deno.FsFile
  | Iterable<Chunk>;

/**
 * Where output goes: to this program's own stream, nowhere, to a file by its
 * path, to an open file (from where it stands, and left open), or to a stream,
 * which is closed at the end; if the command fails, it is aborted instead. `tee`
 * captures it and shows it on this program's own stream as it comes.
 *
 * An open file is given to the program as it is on Linux with all permissions
 * (`-A`), where its descriptor can be found; else the bytes pass through this
 * program.
 */
export type Sink = SyncSink | WritableStream<Uint8Array>;

/** The sinks that the blocking forms have. */
export type SyncSink =
  | "inherit"
  | "null"
  | "tee"
  | URL
  | FilePath
  | Deno.FsFile;

/**
 * Where the standard error of a stage goes: `capture` keeps it for the result,
 * `merge` sends it wherever standard output goes, and `tee` captures it and shows
 * it on this program's own standard error as it comes. Open files and streams are
 * what they are as a {@linkcode Sink}; several stages may have the same one. A
 * blocking form takes no stream, and may write to an open file at the end only.
 */
export type StderrSink = "capture" | "merge" | Sink;

/** How {@linkcode popen2} and its relatives start a child. */
export interface PopenOptions {
  /** The working directory; by default that of this program. */
  cwd?: string | URL;
  /** Environment variables, added to those of this program. */
  env?: Record<string, string>;
  /**
   * Whether the child gets no environment but `env`.
   *
   * @default {false}
   */
  clearEnv?: boolean;
}

/** What each stage of a pipeline may have of its own. */
export interface StageOptions {
  /** The working directory; by default that of this program. */
  cwd?: string | URL;
  /** Environment variables, added to those of this program. */
  env?: Record<string, string>;
  /**
   * Whether the program gets no environment but `env`.
   *
   * @default {false}
   */
  clearEnv?: boolean;
  /**
   * Where standard error goes. For `merge`, if this program reads the stream and
   * the command is an array, the order in which both were written is kept on
   * Linux with `--allow-run=/bin/sh`, and elsewhere with
   * `--allow-run=mkfifo,cat --allow-read=/tmp --allow-write=/tmp`; without, what
   * was written at almost the same time may change places.
   *
   * @default {"capture"}
   */
  stderr?: StderrSink;
  /**
   * The number of the user as which the program runs, where the system has such
   * and lets this program do it; most often only root may. Not on Windows.
   */
  uid?: number;
  /** The number of the group as which the program runs, like `uid`. */
  gid?: number;
  /**
   * The bits that are off in the mode of files which the program makes, as
   * `0o077`; that of this program stays as it is. Takes `--allow-run=/bin/sh`,
   * which sets it and becomes the program. Not on Windows.
   */
  umask?: number;
}

/** A stage of a pipeline with options of its own. */
export interface Stage extends StageOptions {
  /** The command. */
  cmd: Command;
}

/** How far a pipeline has come. */
export interface Progress {
  /**
   * The bytes that were done: those read from a source that passes through
   * this program, or else those that are in the output file.
   */
  bytes: number;
  /** How many bytes the source has, where that is known. */
  total?: number;
  /** Whether this is the last report, because the pipeline has ended. */
  done: boolean;
}

/** What the blocking forms of commands and pipelines take. */
export interface CommandSyncOptions extends StageOptions {
  /**
   * Milliseconds after which the processes are ended and the call throws a
   * `TimeoutError`, a {@linkcode CommandTimeout} with the result until then.
   *
   * @default {Infinity}
   */
  timeout?: number;
  /**
   * The signal, by number or name, that ends the processes when time is up or
   * the call is aborted.
   *
   * @default {"SIGTERM"}
   */
  killSignal?: Signum;
  /**
   * Milliseconds between `killSignal` and SIGKILL.
   *
   * @default {1000}
   */
  killGrace?: number;
  /**
   * Whether ending a process ends its children too, and theirs. What ctrl-C on the
   * terminal does depends on it:
   *
   * - Without, ctrl-C reaches the stages and their children as it reaches this
   *   program.
   * - With `true`, each stage has a session of its own, where the system finds all
   *   of them. Ctrl-C does not reach it, and neither does the end of the terminal.
   *   `signal: abortOn("SIGINT")` of `signal` ends the processes then.
   * - With `"attached"`, there is no session; ctrl-C reaches all, as without. The
   *   children are found by who started whom. One whose parent has ended before
   *   is not found, as a program in the background is of a shell that is over.
   *
   * Needs `--allow-run` without a list.
   *
   * @default {false}
   */
  killTree?: boolean | "attached";
  /**
   * The most bytes that are kept of one captured stream. More ends the
   * processes, with a {@linkcode CommandError}.
   *
   * @default {Infinity}
   */
  maxBuffer?: number;
  /**
   * Whether a failing stage makes the call throw.
   *
   * @default {true}
   */
  check?: boolean;
  /**
   * Whether both streams come together, in the order in which they were written,
   * as `all` of the result: one pipe of the kernel is both. Then `stdout` and
   * `stderr` are empty, and `text()`, `lines()` and the like give both. In a
   * pipeline it is about the last stage; those before it keep their `stderr`. For
   * an array it takes what `merge` does to keep the order.
   *
   * @default {false}
   */
  all?: boolean;
  /**
   * Whether to say on standard error which command runs, as a shell would take
   * it, and how long it took and how it ended. It shows arguments as they are,
   * and nothing of the environment.
   *
   * @default {false}
   */
  verbose?: boolean;
  /**
   * What standard input is when there is no source.
   *
   * @default {"null"}
   */
  stdin?: "inherit" | "null";
}

/** What commands and pipelines take. */
export interface CommandOptions extends CommandSyncOptions {
  /**
   * Ends the processes when it is aborted; the call throws its reason. If that
   * is a `DOMException`, as it is unless another one is given, it gets the
   * `result` of the command that ended last.
   */
  signal?: AbortSignal;
  /** Gets what is captured while it is captured; it is left open. */
  tee?: WritableStream<Uint8Array>;
  /**
   * Is told about ten times a second how far it has come, and once more at the
   * end. What it throws, or rejects with, fails the command.
   * {@linkcode progressBar} makes one that shows it on the terminal.
   */
  onProgress?: (progress: Progress) => void;
}

/** What `text()` takes. */
export interface TextOptions {
  /**
   * Whether the text is without the white space at its two ends.
   *
   * @default {false}
   */
  trim?: boolean;
  /**
   * The encoding of the bytes, one that `TextDecoder` knows.
   *
   * @default {"utf-8"}
   */
  encoding?: string;
}

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
    "a source must be text, bytes, { path }, a URL, an open file, a stream, iterable, or what runs, as start() and startSync() of a pipeline give it",
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
    'a sink must be "inherit", "null", "tee", { path }, a URL, an open file or a WritableStream',
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
