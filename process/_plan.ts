// A pipeline that is to be run, with its descriptors.
import { closeSync, fstatSync, openSync } from "node:fs";
import { argvOf, merged } from "./_argv.ts";
import type { KernelPipe } from "./_kernel_pipe.ts";
import { pathOf } from "./_source.ts";
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

/** A process that is to be started. */
export interface Job {
  readonly argv: readonly string[];
  readonly options: SpawnOptions;
}

/**
 * The descriptors that the children of one pipeline get. They belong to this
 * process until all children are started, and are closed then.
 */
export class Descriptors {
  readonly #all: number[] = [];
  /** The bytes of the source file, if the source is one. */
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
 * The processes of a plan, with the descriptors that join them.
 *
 * @param plan The plan.
 * @param pipes A pipe for each two neighbours, or `undefined` if this program
 * carries the bytes between them.
 * @param descriptors What is opened goes in here.
 * @returns The processes, in the order of the stages.
 */
export function jobsOf(
  { stages, source, sink, options }: Plan,
  pipes: readonly KernelPipe[] | undefined,
  descriptors: Descriptors,
): Job[] {
  const sourcePath = pathOf(source);
  const sinkPath = pathOf(sink);
  const first: Stdio = sourcePath !== undefined
    ? descriptors.source(sourcePath)
    : source !== undefined
    ? "piped"
    : options.stdin ?? "null";
  const last: Stdio = sinkPath !== undefined
    ? descriptors.sink = descriptors.target(sinkPath)
    : sink === "inherit" || sink === "null"
    ? sink
    : "piped";
  return stages.map((stage, i) => {
    const stdin = i === 0 ? first : pipes?.[i - 1].reader ?? "piped";
    const stdout = i === stages.length - 1
      ? last
      : pipes?.[i].writer ?? "piped";
    const { argv, stderr } = stderrOf(stage, stdout, descriptors);
    const { cwd, env, clearEnv } = stage;
    return {
      argv,
      options: {
        cwd,
        env,
        clearEnv,
        stdin,
        stdout,
        stderr,
        detached: options.killTree === true,
      },
    };
  });
}

function stderrOf(
  stage: Stage,
  stdout: Stdio,
  descriptors: Descriptors,
): { argv: readonly string[]; stderr: Stdio } {
  const argv = argvOf(stage.cmd);
  const stderr = stage.stderr ?? "capture";
  const path = pathOf(stderr);
  if (path !== undefined) return { argv, stderr: descriptors.target(path) };
  switch (stderr) {
    case "capture":
      return { argv, stderr: "piped" };
    case "inherit":
    case "null":
      return { argv, stderr };
    case "merge":
      // Only the kernel's pipes and files can be given to a child twice.
      if (stdout === "piped") return { argv: merged(argv), stderr: "null" };
      return { argv, stderr: stdout === "inherit" ? 1 : stdout };
  }
  throw new TypeError(
    `Cannot run a command: stderr must be capture, merge, inherit, null or a file, received ${
      JSON.stringify(stderr)
    }`,
  );
}
