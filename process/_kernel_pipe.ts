// Pipes of the kernel, for neighbours in a pipeline.
//
// Deno has no call for an anonymous pipe, so these are FIFOs: made by mkfifo,
// opened at both ends and unlinked at once, so that no name outlives the call.
// They are as fast as the shell's own pipes (1 GB through `head | wc -c`: 0.82
// to 1.0 s, sh 0.91 to 0.93 s). mkfifo is a process, as costly as a stage; so
// one makes several, and the spare pairs are kept for the next pipelines.
//
// The way that needs no FIFO was not taken: `spawn` of node:child_process can
// give one child's stdin to another as its stdout, a real pipe. But it rewrites
// command lines that mention deno, adding permissions, and wants --allow-env.
import { closeSync, constants, openSync } from "node:fs";

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

/** Whether pipelines use pipes of the kernel; tests turn it off. */
export const kernelPipes = { enabled: Deno.build.os !== "windows" };

/** Whether what the FIFOs need is granted, without asking the user. */
function permitted(): boolean {
  return mayRun("mkfifo") &&
    granted({ name: "read", path: FOLDER }) &&
    granted({ name: "write", path: FOLDER });
}

/** Whether a program may be run, without asking the user. */
export function mayRun(command: string): boolean {
  return granted({ name: "run", command });
}

function granted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
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
    try {
      batch = Math.min(2 * batch, MOST);
      spare.push(...withFifos(Math.max(batch, count), (path) => ({
        reader: openSync(path, "r"),
        writer: openSync(path, "w"),
      })));
    } catch {
      // Streams do the same, only slower; so no reason to fail, now or again.
      kernelPipes.enabled = false;
      return undefined;
    }
  }
  return spare.splice(-count);
}

/** Makes FIFOs, has their ends opened, and unlinks them. */
function withFifos<T>(
  count: number,
  open: (path: string, i: number) => T,
): T[] {
  const folder = Deno.makeTempDirSync({ dir: FOLDER, prefix: "skein-" });
  try {
    const paths = Array.from({ length: count }, (_, i) => `${folder}/${i}`);
    const { success } = new Deno.Command("mkfifo", {
      args: ["-m", "600", ...paths],
      // The current directory may be gone.
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync();
    if (!success) throw new Error("Cannot make pipes: mkfifo failed");
    return paths.map((path, i) => {
      // To open one end waits for the other; an end for both breaks the circle.
      const both = openSync(path, constants.O_RDWR);
      try {
        return open(path, i);
      } finally {
        closeSync(both);
      }
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The two ends of a pipe that this process holds with one child. */
export interface OwnPipe {
  /** The child's end, a descriptor to be closed when the child has it. */
  readonly child: number;
  /** The end of this process. */
  readonly own: Deno.FsFile;
}

/**
 * Makes pipes between this process and a child. An own end reads and writes at
 * once, blocking the thread.
 *
 * @param ends What this process does with its end of each.
 * @returns The pipes.
 * @throws {Deno.errors.NotCapable} Without permission to run mkfifo, and to
 * read and write /tmp.
 */
export function makeOwnPipes(ends: readonly ("read" | "write")[]): OwnPipe[] {
  return withFifos(ends.length, (path, i) => ({
    child: openSync(path, ends[i] === "read" ? "w" : "r"),
    own: Deno.openSync(
      path,
      ends[i] === "read" ? { read: true } : { write: true },
    ),
  }));
}
