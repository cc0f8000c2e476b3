/**
 * What commands and pipelines take: sources, sinks and options. `check_options.ts`
 * reads them.
 *
 * @module
 */

import type { Signum } from "../../_internal/signum.ts";
import type { Command } from "./command_line.ts";

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
