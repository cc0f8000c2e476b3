/**
 * Descriptors: what may be opened, the number of an open file, and named pipes.
 *
 * Deno has no call for an anonymous pipe. So there are named pipes (FIFOs) between
 * this thread and a child, and between the stages of a pipeline where no shells can
 * be put before the programs (see `launch.ts`). mkfifo is a process, as costly as a
 * stage; so for pipelines one makes several, which are opened at both ends and
 * unlinked at once, and the spare pairs are kept for the next ones.
 *
 * @module
 */

import { builtIn, HERE, type Platform } from "../../_internal/built_in.ts";
import { temporaryFolder } from "../../_internal/platform.ts";

/** Whether it is granted. */
export function granted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}

/** Whether a program may be run. */
export function mayRun(command: string): boolean {
  return granted({ name: "run", command });
}

/** Positions beyond any real file, which every file system can seek to. */
const FAR = 2 ** 42;

/** The descriptors found so far. They are valid as long as their files are open. */
const known = new WeakMap<Deno.FsFile, number>();

/**
 * Finds the descriptor of a file that Deno has open, so that a child can be given
 * the file itself. Deno does not tell it. So the position of the file is set to a
 * random number for a moment; the descriptor that has this position is the one.
 * Reading the positions takes Linux and all permissions.
 *
 * @param file The file.
 * @returns The descriptor, which stays the file's; `undefined` if it cannot be
 * found, or the file is no regular one.
 * @throws {Deno.errors.BadResource} If the file is closed.
 */
export function descriptorOf(file: Deno.FsFile): number | undefined {
  if (!file.statSync().isFile || !mayReadProc()) return undefined;
  let fd = known.get(file);
  // Only once: a child that has the file shares its position.
  if (fd === undefined && (fd = search(file)) !== undefined) {
    known.set(file, fd);
  }
  return fd;
}

/** Whether everything is granted, which Deno asks for before it reads /proc. */
export function mayReadProc(): boolean {
  return Deno.build.os === "linux" &&
    (["read", "write", "run", "env", "net", "sys", "ffi"] as const).every(
      (name) => Deno.permissions.querySync({ name }).state === "granted",
    );
}

function search(file: Deno.FsFile): number | undefined {
  const place = file.seekSync(0, Deno.SeekMode.Current);
  try {
    const mark = FAR + Math.floor(Math.random() * FAR);
    file.seekSync(mark, Deno.SeekMode.Start);
    for (
      const { name } of Deno.readDirSync(`${kernelPipes.proc}/self/fdinfo`)
    ) {
      if (positionOf(name) === mark) return Number(name);
    }
  } catch {
    // Then the bytes pass through this program.
  } finally {
    file.seekSync(place, Deno.SeekMode.Start);
  }
  return undefined;
}

function positionOf(fd: string): number | undefined {
  try {
    const info = Deno.readTextFileSync(
      `${kernelPipes.proc}/self/fdinfo/${fd}`,
    );
    return Number(/^pos:\s*(\d+)/.exec(info)?.[1]);
  } catch {
    return undefined; // It was closed meanwhile, as the one of this folder is.
  }
}

/** A pipe of the kernel: the descriptors of its two ends. */
interface KernelPipe {
  /** The end to read from. */
  readonly reader: number;
  /** The end to write to. */
  readonly writer: number;
}

/**
 * The folder for temporary files, for the FIFOs too between being made and
 * unlinked.
 */
function temporaryPlace(): string {
  return temporaryFolder((variable) =>
    granted({ name: "env", variable }) ? Deno.env.get(variable) : undefined
  );
}

/**
 * Makes a folder among the temporary files, of this user alone.
 *
 * @throws {Deno.errors.NotFound} If the folder for such files is not there.
 * @throws {Deno.errors.NotCapable} Without permission to write there.
 */
export function makeTemporaryFolder(): string {
  const dir = temporaryPlace();
  try {
    return Deno.makeTempDirSync({ dir, prefix: "skein-" });
  } catch (error) {
    // Deno does not name the folder.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Deno.errors.NotFound(
      `Cannot make temporary files: there is no folder ${dir}, which TMPDIR names, or TMP on Windows`,
      { cause: error },
    );
  }
}

/** How many are made at once: more each time, for a program that needs many. */
let batch = 4;
const MOST = 64;

/**
 * The program that copies its input to its output. A pipe of Deno's cannot be
 * both streams of a child. So a child that is to write both to one pipe writes to
 * a named one, and cat copies from there to a pipe of Deno's.
 */
export const CAT = "cat";

/** Pipes that are open at both ends and empty, and were never given to a child. */
const spare: KernelPipe[] = [];

/**
 * Whether pipelines use pipes of the kernel, and whether the processes become
 * shells first (see `launch.ts`); tests turn them off.
 */
export const kernelPipes = {
  enabled: Deno.build.os !== "windows",
  wrapped: Deno.build.os === "linux",
  /** Where the kernel shows its processes, with their descriptors. */
  proc: "/proc",
};

/** Whether what the FIFOs need is granted, without asking the user. */
function permitted(): boolean {
  const path = temporaryPlace();
  return mayRun("mkfifo") && granted({ name: "read", path }) &&
    granted({ name: "write", path });
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
      // No reason to fail: streams do the same, only slower. Next time there may
      // be descriptors again, or room for one more process.
      return undefined;
    }
    batch = many;
  }
  return spare.splice(-count);
}

/** Adds pipes to the spare ones, as many as can be opened. */
function makePipes(count: number): void {
  const { closeSync, constants, openSync } = builtIn("node:fs");
  const { paths, remove } = makeFifos(count);
  try {
    for (const path of paths) {
      // Opening one end waits for the other, unless one descriptor has both.
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

/** Named pipes, and the function that removes them. */
interface Fifos {
  readonly paths: readonly string[];
  readonly remove: () => void;
}

/**
 * Makes named pipes.
 *
 * @param count How many.
 * @throws {Deno.errors.NotCapable} Without permission to run mkfifo, and to
 * read and write the folder for temporary files.
 * @throws {Deno.errors.NotFound} If there is no mkfifo.
 * @throws {Deno.errors.NotSupported} On Windows, which has no such files.
 */
export function makeFifos(count: number, platform: Platform = HERE): Fifos {
  if (platform === "windows") {
    throw new Deno.errors.NotSupported(
      "Cannot make named pipes: Windows has none among its files, so no process can be talked to blocking; use the promise form",
    );
  }
  const folder = makeTemporaryFolder();
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
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Deno.errors.NotFound(
      "Cannot make named pipes: there is no program mkfifo in PATH, which a process that is talked to blocking needs",
      { cause: error },
    );
  }
}
