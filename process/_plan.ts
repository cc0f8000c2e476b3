// A pipeline that is to be run, with its descriptors.
import { closeSync, fstatSync, openSync } from "node:fs";
import { argvOf, mergedArgvOf } from "./_argv.ts";
import { CAT, type KernelPipe, mayRun } from "./_kernel_pipe.ts";
import { descriptorOf } from "./_file_descriptor.ts";
import { pathOf, sizeOf } from "./_source.ts";
import type { SpawnOptions, Stdio } from "./_spawn.ts";
import type {
  CommandOptions,
  FilePath,
  Sink,
  Source,
  Stage,
} from "./options.ts";

/** What is to be run. */
export interface Plan {
  readonly stages: readonly Stage[];
  readonly source?: Source;
  /** Where the output goes: to this program, if it is captured. */
  readonly sink: Sink | "capture";
  readonly options: CommandOptions;
}

/** A plan where an open file may be a number: its descriptor. */
export interface SentPlan extends Omit<Plan, "source" | "sink"> {
  readonly source?: Plan["source"] | number;
  readonly sink: Plan["sink"] | number;
}

/** A process that is to be started. */
export interface Job {
  readonly argv: readonly string[];
  readonly options: SpawnOptions;
  /** Whether this program makes one stream of its output and its error. */
  readonly joins?: boolean;
}

/**
 * The descriptors that the children of one pipeline get. They belong to this
 * process until all children are started, and are closed then.
 */
export class Descriptors {
  readonly #all: number[] = [];
  /** The bytes of the source, if that is known and asked for. */
  sourceSize?: number;
  /** The output file, if there is one. */
  sink?: number;

  /** Makes a set with the ends of these pipes in it. */
  constructor(pipes: readonly KernelPipe[] = []) {
    for (const { reader, writer } of pipes) this.#all.push(reader, writer);
  }

  /** Opens a file to read from. */
  source({ path }: FilePath): number {
    const fd = this.#open(path, "r");
    const stat = fstatSync(fd);
    if (stat.isDirectory()) {
      throw new Deno.errors.IsADirectory(
        `Cannot read a source: it is a directory, received "${path}"`,
      );
    }
    if (stat.isFile()) this.sourceSize = stat.size;
    return fd;
  }

  /** Opens a file to write to. */
  target({ path, append }: FilePath): number {
    return this.#open(path, append ? "a" : "w");
  }

  #open(path: string, flags: string): number {
    try {
      const fd = openSync(path, flags);
      this.#all.push(fd);
      return fd;
    } catch (error) {
      throw asDenoError(error, path);
    }
  }

  /** The output file, if there is one, which the caller must close. */
  keepSink(): number | undefined {
    const fd = this.sink;
    if (fd !== undefined) this.#all.splice(this.#all.indexOf(fd), 1);
    return fd;
  }

  /** Closes all of them. */
  close(): void {
    for (const fd of this.#all.splice(0)) closeSync(fd);
  }
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
 * How many pipes join the processes of a plan: one for each two neighbours, and
 * one to cat if the last is an array command whose streams this program gets as
 * one.
 */
export function pipesFor({ stages, sink }: SentPlan): number {
  const { cmd, stderr } = stages[stages.length - 1];
  const tail = stderr === "merge" && typeof cmd !== "string" &&
    sink !== "inherit" && sink !== "null" && pathOf(sink) === undefined &&
    openFileOf(sink) === undefined &&
    mayRun(CAT);
  return stages.length - 1 + (tail ? 1 : 0);
}

/**
 * The processes of a plan, with the descriptors that join them.
 *
 * @param plan The plan.
 * @param pipes As many as `pipesFor` says, or `undefined` if this program
 * carries the bytes.
 * @param descriptors What is opened goes in here.
 * @returns The processes, in the order of the stages, and cat after them if
 * there is a pipe to it.
 */
export function jobsOf(
  { stages, source, sink, options }: SentPlan,
  pipes: readonly KernelPipe[] | undefined,
  descriptors: Descriptors,
): Job[] {
  if (options.onProgress) descriptors.sourceSize = sizeOf(source);
  const sourcePath = pathOf(source);
  const sinkPath = pathOf(sink);
  const first: Stdio = sourcePath !== undefined
    ? descriptors.source(sourcePath)
    : openFileOf(source) ??
      (source !== undefined ? "piped" : options.stdin ?? "null");
  const last: Stdio = sinkPath !== undefined
    ? descriptors.sink = descriptors.target(sinkPath)
    : openFileOf(sink) ??
      (sink === "inherit" || sink === "null" ? sink : "piped");
  const detached = options.killTree === true;
  const jobs = stages.map((stage, i): Job => {
    const stdin = i === 0 ? first : pipes?.[i - 1].reader ?? "piped";
    const stdout = pipes?.[i]?.writer ??
      (i === stages.length - 1 ? last : "piped");
    const { argv, stderr, joins } = stderrOf(stage, stdout, descriptors);
    const { cwd, env, clearEnv } = stage;
    return {
      argv,
      options: { cwd, env, clearEnv, stdin, stdout, stderr, detached },
      joins,
    };
  });
  if (pipes?.length === stages.length) {
    const stdin = pipes[stages.length - 1].reader;
    jobs.push({
      argv: [CAT],
      options: { cwd: "/", stdin, stdout: last, stderr: "null", detached },
    });
  }
  return jobs;
}

/** The descriptor of an open file, which its owner closes. */
function openFileOf(place: unknown): number | undefined {
  if (typeof place === "number") return place;
  return place instanceof Deno.FsFile ? descriptorOf(place) : undefined;
}

function stderrOf(
  stage: Stage,
  stdout: Stdio,
  descriptors: Descriptors,
): { argv: readonly string[]; stderr: Stdio; joins?: boolean } {
  const argv = argvOf(stage.cmd);
  const stderr = stage.stderr ?? "capture";
  const path = pathOf(stderr);
  if (path !== undefined) return { argv, stderr: descriptors.target(path) };
  switch (stderr) {
    case "capture":
      return { argv, stderr: "piped" };
    case "merge":
      if (stdout !== "piped") {
        return { argv, stderr: stdout === "inherit" ? 1 : stdout };
      }
      return typeof stage.cmd === "string"
        ? { argv: mergedArgvOf(stage.cmd), stderr: "null" }
        : { argv, stderr: "piped", joins: true };
    default:
      return { argv, stderr: stderr as "inherit" | "null" };
  }
}
