/**
 * What commands and pipelines take: sources, sinks and options.
 *
 * @module
 */

import type { Signum } from "../_internal/signum.ts";
import type { Command } from "./_argv.ts";

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
 * What a program reads: a text, bytes, a file by its path, an open file (read
 * from where it stands, and left open), a stream, or anything that can be
 * iterated and gives strings or bytes.
 *
 * A program need not read all of it. A stream that is left before its end,
 * because the program wants no more of it or the command fails, is cancelled and
 * unlocked, and an iterator is told to `return()`. What the source itself throws
 * fails the command.
 *
 * An open file is given to the program as it is on Linux with all permissions
 * (`-A`), where its descriptor can be found; else the bytes pass through this
 * program.
 */
export type Source =
  | Chunk
  | URL
  | FilePath
  | Deno.FsFile
  | ReadableStream<Chunk>
  | AsyncIterable<Chunk>
  | Iterable<Chunk>;

/** What the blocking forms can read: whatever needs no event loop. */
export type SyncSource = Chunk | URL | FilePath | Deno.FsFile | Iterable<Chunk>;

/**
 * Where output goes: to this program's own stream, nowhere, to a file by its
 * path, to an open file (from where it stands, and left open), or to a stream,
 * which is closed at the end; if the command fails, it is aborted instead.
 *
 * An open file is given to the program as it is on Linux with all permissions
 * (`-A`), where its descriptor can be found; else the bytes pass through this
 * program.
 */
export type Sink =
  | "inherit"
  | "null"
  | URL
  | FilePath
  | Deno.FsFile
  | WritableStream<Uint8Array>;

/** The sinks that the blocking forms have. */
export type SyncSink = "inherit" | "null" | URL | FilePath | Deno.FsFile;

/**
 * Where the standard error of a stage goes: `capture` keeps it for the result,
 * `merge` sends it wherever standard output goes.
 */
export type StderrSink =
  | "capture"
  | "merge"
  | "inherit"
  | "null"
  | URL
  | FilePath;

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
   * Where standard error goes. To merge that of an array command into a stream
   * that this program reads in the order in which it was written, takes
   * `--allow-run=mkfifo,cat` and `--allow-read=/tmp --allow-write=/tmp`;
   * without, what was written at almost the same time may change places.
   *
   * @default {"capture"}
   */
  stderr?: StderrSink;
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
   * Milliseconds after which the processes are ended and the call throws.
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
   * Whether ending a process ends its children too. Each stage then has a
   * session of its own, which also means that ctrl-C on the terminal does not
   * reach it. Needs `--allow-run` without a list.
   *
   * @default {false}
   */
  killTree?: boolean;
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
   * What standard input is when there is no source.
   *
   * @default {"null"}
   */
  stdin?: "inherit" | "null";
}

/** What commands and pipelines take. */
export interface CommandOptions extends CommandSyncOptions {
  /** Ends the processes when it is aborted; the call throws its reason. */
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
