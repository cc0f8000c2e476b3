/**
 * What a pipeline is before it runs: its stages, and from these its processes and
 * the files that they read and write.
 *
 * @module
 */

import type { Stats } from "node:fs";
import { builtIn } from "../../_internal/built_in.ts";
import { descriptorOf, granted } from "./descriptors.ts";
import type { End, FileEnd, Part } from "./launch.ts";
import { sizeOf } from "./streams.ts";
import {
  type CheckedSource,
  type CommandOptions,
  type FilePath,
  pathOf,
  type Sink,
  type Stage,
} from "./options.ts";

/** A command, ready to run. */
export interface Plan {
  readonly stages: readonly Stage[];
  readonly source?: CheckedSource;
  /** Where the output goes: to this program, if it is captured. */
  readonly sink: Sink | "capture";
  readonly options: CommandOptions;
  /** The pipelines that get the output, if it goes to such. */
  readonly branches?: readonly Plan[];
}

/**
 * A plan where both streams of the last stage come together, if that is asked for.
 *
 * @throws {TypeError} If they go elsewhere.
 */
export function withAll(plan: Plan): Plan {
  const { stages, sink, options } = plan;
  if (options.all !== true) return plan;
  const last = stages[stages.length - 1];
  if (last.stderr !== undefined || sink !== "capture" && sink !== "tee") {
    throw new TypeError(
      `Cannot run a command: all captures both streams, so neither can go elsewhere, received ${
        last.stderr !== undefined ? "stderr" : "stdout"
      } for one`,
    );
  }
  return {
    ...plan,
    stages: [...stages.slice(0, -1), { ...last, stderr: "merge" }],
  };
}

/** A plan where an open file may be a number: its descriptor. */
export interface SentPlan
  extends Omit<Plan, "source" | "sink" | "stages" | "branches"> {
  readonly stages: readonly SentStage[];
  readonly source?: Plan["source"] | number;
  readonly sink: Plan["sink"] | number;
  readonly branches?: readonly SentPlan[];
  /** Whether whoever runs it writes to the first stage. */
  readonly written?: boolean;
  /** Whether the output goes into memory that threads share. */
  readonly shared?: boolean;
}

/** A stage where an open file may be a number. */
export interface SentStage extends Omit<Stage, "stderr"> {
  readonly stderr?: Stage["stderr"] | number;
}

/** The files that the processes of one pipeline get. */
export class Files {
  readonly #all: number[] = [];
  /** The bytes of the source, if that is known and asked for. */
  sourceSize?: number;
  /** The output file, if there is one. */
  sink?: FileEnd;

  /** A file to read from. */
  source({ path }: FilePath): FileEnd {
    const { end, stat } = this.#open(path, "r");
    if (stat?.isDirectory()) {
      throw new Deno.errors.IsADirectory(
        `Cannot read a source: it is a directory, received "${path}"`,
      );
    }
    if (stat?.isFile()) this.sourceSize = stat.size;
    return end;
  }

  /** A file to write to. */
  target({ path, append }: FilePath): FileEnd {
    return this.#open(path, append ? "a" : "w").end;
  }

  /**
   * Opens a file, if that cannot take long. Named pipes and devices may take
   * for ever; so they are left to the processes that get them.
   */
  #open(path: string, how: FileEnd["how"]): { end: FileEnd; stat?: Stats } {
    if (mayBlock(path, how)) return { end: { path, how } };
    try {
      // For files that could not be looked at. It says nothing of a regular
      // file.
      const { constants, fstatSync, openSync } = builtIn("node:fs");
      const flags = flagsOf(how) | constants.O_NONBLOCK;
      const fd = openSync(path, flags, 0o666);
      this.#all.push(fd);
      const stat = fstatSync(fd);
      const regular = stat.isFile() || stat.isDirectory();
      return { end: { path, how, fd: regular ? fd : undefined }, stat };
    } catch (error) {
      // A named pipe that nobody reads, or a socket.
      if ((error as { code?: unknown }).code === "ENXIO") {
        return { end: { path, how } };
      }
      throw asDenoError(error, path);
    }
  }

  /**
   * Opens those that were left, for processes that cannot do it themselves. It
   * takes as long as it takes, in a thread of Deno's.
   *
   * @param ends What the processes get.
   * @param until Resolves when it is not to go on; then so does this.
   */
  async openRest(ends: readonly End[], until: Promise<void>): Promise<void> {
    for (const end of ends) {
      if (typeof end !== "object" || end.fd !== undefined) continue;
      const fd = await openSlowly(end, until);
      if (fd === undefined) return;
      this.#all.push(end.fd = fd);
    }
  }

  /** Sees to other descriptors, too. */
  add(...descriptors: number[]): void {
    this.#all.push(...descriptors);
  }

  /** The descriptor of the output file, if any, which the caller must close. */
  keepSink(): number | undefined {
    const fd = this.sink?.fd;
    if (fd !== undefined) this.#all.splice(this.#all.indexOf(fd), 1);
    return fd;
  }

  /** Closes all of them. */
  close(): void {
    for (const fd of this.#all.splice(0)) builtIn("node:fs").closeSync(fd);
  }
}

/** How a file is opened. */
function flagsOf(how: FileEnd["how"]): number {
  const { O_APPEND, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } =
    builtIn("node:fs").constants;
  if (how === "r") return O_RDONLY;
  return O_WRONLY | O_CREAT | (how === "w" ? O_TRUNC : O_APPEND);
}

/**
 * Whether opening a file may wait for somebody else.
 *
 * @throws {Deno.errors.NotCapable} If it may, and is not allowed.
 */
function mayBlock(path: string, how: FileEnd["how"]): boolean {
  // Looking at a file takes the permission to read it.
  if (how !== "r" && !granted({ name: "read", path })) return false;
  try {
    const { isFile, isDirectory } = Deno.statSync(path);
    if (isFile || isDirectory) return false;
  } catch {
    return false; // Opening it says why.
  }
  if (how === "r") return true;
  const { state } = Deno.permissions.requestSync({ name: "write", path });
  if (state === "granted") return true;
  throw new Deno.errors.NotCapable(
    `Cannot open a file: it needs the --allow-write flag, received "${path}"`,
  );
}

/** Opens a file in a thread of Deno's. */
async function openSlowly(
  { path, how }: FileEnd,
  until: Promise<void>,
): Promise<number | undefined> {
  const { closeSync, constants, open, openSync } = builtIn("node:fs");
  const opening = new Promise<number>((resolve, reject) =>
    open(
      path,
      flagsOf(how),
      0o666,
      (error, fd) => error ? reject(asDenoError(error, path)) : resolve(fd),
    )
  );
  const fd = await Promise.race([opening, until]);
  if (fd !== undefined) return fd;
  // It opens as soon as somebody has the other end of the pipe.
  const other = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  await opening.then(closeSync, () => {}).finally(() => closeSync(other));
  return undefined;
}

/** Errors of files as the rest of Deno's world knows them. */
function asDenoError(error: unknown, path: string): unknown {
  const code = (error as { code?: unknown }).code;
  const message = `Cannot open a file: ${
    (error as Error).message
  }, received "${path}"`;
  if (code === "ENOENT") {
    return new Deno.errors.NotFound(message, { cause: error });
  }
  if (code === "EACCES") {
    return new Deno.errors.PermissionDenied(message, { cause: error });
  }
  if (code === "EISDIR") {
    return new Deno.errors.IsADirectory(message, { cause: error });
  }
  return error;
}

/**
 * The processes of a plan.
 *
 * @param plan The plan.
 * @param files What is opened goes in here.
 * @returns The processes, in the order of the stages.
 */
export function partsOf(
  { stages, source, sink, options, written }: SentPlan,
  files: Files,
): Part[] {
  if (options.onProgress) files.sourceSize = sizeOf(source);
  const sourcePath = pathOf(source);
  const first: End = sourcePath !== undefined
    ? files.source(sourcePath)
    : openFileOf(source) ??
      (source !== undefined || written ? "piped" : options.stdin ?? "null");
  const sinkPath = pathOf(sink);
  const last: End = sinkPath !== undefined
    ? files.sink = files.target(sinkPath)
    : openFileOf(sink) ??
      (sink === "inherit" || sink === "null" ? sink : "piped");
  return stages.map((stage, i): Part => {
    const errorPath = pathOf(stage.stderr);
    return {
      stage,
      stdin: i === 0 ? first : "joint",
      stdout: i === stages.length - 1 ? last : "joint",
      stderr: errorPath !== undefined
        ? files.target(errorPath)
        : isWord(stage.stderr)
        ? stage.stderr
        : openFileOf(stage.stderr) ?? "piped",
      detached: options.killTree === true,
    };
  });
}

/** Whether standard error goes where this program has nothing to do. */
function isWord(stderr: unknown): stderr is "merge" | "inherit" | "null" {
  return stderr === "merge" || stderr === "inherit" || stderr === "null";
}

/** The descriptor of an open file, which its owner closes. */
function openFileOf(place: unknown): number | undefined {
  if (typeof place === "number") return place;
  return place instanceof Deno.FsFile ? descriptorOf(place) : undefined;
}
