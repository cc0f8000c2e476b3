// Named pipes (FIFOs): between this thread and a child, and between the stages of
// a pipeline where no shells can be put before the programs (see `_launch.ts`).
//
// Deno has no call for an anonymous pipe. mkfifo is a process, as costly as a
// stage; so for pipelines one makes several, which are opened at both ends and
// unlinked at once, and the spare pairs are kept for the next ones.
import { closeSync, constants, openSync } from "node:fs";
import { granted, mayRun } from "./_permission.ts";

/** A pipe of the kernel: the descriptors of its two ends. */
export interface KernelPipe {
  /** The end to read from. */
  readonly reader: number;
  /** The end to write to. */
  readonly writer: number;
}

/** Where the FIFOs are for the moment between being made and unlinked. */
const FOLDER = "/tmp";

/** How many are made at once: more each time, for a program that needs many. */
let batch = 4;
const MOST = 64;

/**
 * The program that passes on what it reads. A pipe of Deno's cannot be given to
 * a child twice, so what a child writes to both its streams gets to this process
 * by way of one of these and cat.
 */
export const CAT = "cat";

/** Open at both ends, nothing in them, never given to a child. */
const spare: KernelPipe[] = [];

/**
 * Whether pipelines use pipes of the kernel, and whether the processes become
 * shells first (see `_launch.ts`); tests turn them off.
 */
export const kernelPipes = {
  enabled: Deno.build.os !== "windows",
  wrapped: Deno.build.os === "linux",
};

/** Whether what the FIFOs need is granted, without asking the user. */
function permitted(): boolean {
  return mayRun("mkfifo") &&
    granted({ name: "read", path: FOLDER }) &&
    granted({ name: "write", path: FOLDER });
}

/**
 * Takes pipes, which the caller must close. It blocks the thread for about a
 * millisecond when there is none to spare.
 *
 * @param count How many.
 * @returns As many pipes, or `undefined` if there can be none here: no
 * permission, no mkfifo, no place.
 */
export function takePipes(count: number): KernelPipe[] | undefined {
  if (count === 0) return [];
  if (!kernelPipes.enabled) return undefined;
  if (spare.length < count) {
    if (!permitted()) return undefined;
    const many = Math.min(2 * batch, MOST);
    try {
      makePipes(Math.max(many, count));
    } catch {
      // Streams do the same, only slower; so no reason to fail. Another time
      // there may be descriptors again, or room for one more process.
      return undefined;
    }
    batch = many;
  }
  return spare.splice(-count);
}

/** Adds pipes to the spare ones, as many as can be opened. */
function makePipes(count: number): void {
  const { paths, remove } = makeFifos(count);
  try {
    for (const path of paths) {
      // To open one end waits for the other; an end for both breaks the circle.
      const both = openSync(path, constants.O_RDWR);
      let reader: number | undefined;
      try {
        reader = openSync(path, "r");
        spare.push({ reader, writer: openSync(path, "w") });
      } catch (error) {
        if (reader !== undefined) closeSync(reader);
        throw error;
      } finally {
        closeSync(both);
      }
    }
  } finally {
    remove();
  }
}

/** Named pipes, and what removes them. */
export interface Fifos {
  readonly paths: readonly string[];
  readonly remove: () => void;
}

/**
 * Makes named pipes.
 *
 * @param count How many.
 * @throws {Deno.errors.NotCapable} Without permission to run mkfifo, and to
 * read and write /tmp.
 */
export function makeFifos(count: number): Fifos {
  const folder = Deno.makeTempDirSync({ dir: FOLDER, prefix: "skein-" });
  const remove = () => Deno.removeSync(folder, { recursive: true });
  const paths = Array.from({ length: count }, (_, i) => `${folder}/${i}`);
  try {
    const { success } = new Deno.Command("mkfifo", {
      args: ["-m", "600", ...paths],
      // The current directory may be gone.
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync();
    if (!success) throw new Error("Cannot make pipes: mkfifo failed");
    return { paths, remove };
  } catch (error) {
    remove();
    throw error;
  }
}
