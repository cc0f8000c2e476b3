// The descriptor of an open file, so that a child can be given the file itself.

const FOLDER = "/proc/self/fdinfo";

/** Places where nobody has a file, and which every file system can seek to. */
const FAR = 2 ** 42;

/** Those that were found; a number is its file's as long as that is open. */
const known = new WeakMap<Deno.FsFile, number>();

/**
 * Finds the descriptor of a file that Deno has open. Deno does not tell it; so
 * the file is moved far away for a moment, and the descriptor that moved along
 * is the one. To look at them takes Linux, and all permissions.
 *
 * @param file The file.
 * @returns The descriptor, which stays the file's; `undefined` if it cannot be
 * found, or the file is no regular one.
 * @throws {Deno.errors.BadResource} If the file is closed.
 */
export function descriptorOf(file: Deno.FsFile): number | undefined {
  if (!file.statSync().isFile || !mayReadProc()) return undefined;
  let fd = known.get(file);
  // Only once: a child that has the file moves with it.
  if (fd === undefined && (fd = search(file)) !== undefined) {
    known.set(file, fd);
  }
  return fd;
}

/** Whether all is granted, which is what Deno wants for /proc. */
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
    for (const { name } of Deno.readDirSync(FOLDER)) {
      if (positionOf(name) === mark) return Number(name);
    }
  } catch {
    // Then its bytes pass through this program.
  } finally {
    file.seekSync(place, Deno.SeekMode.Start);
  }
  return undefined;
}

function positionOf(fd: string): number | undefined {
  try {
    const info = Deno.readTextFileSync(`${FOLDER}/${fd}`);
    return Number(/^pos:\s*(\d+)/.exec(info)?.[1]);
  } catch {
    return undefined; // closed meanwhile: the one that reads the folder
  }
}
