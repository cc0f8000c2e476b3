// Faults, as patches, and copies of the library that have one.
import { assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);
const MUTANTS = new URL("mutants/", import.meta.url);
/** What a copy consists of. */
const FOLDERS = ["_internal", "pool", "queue", "testing", "threading"];

function copyFolder(from: URL, to: URL): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) {
      copyFolder(new URL(`${name}/`, from), new URL(`${name}/`, to));
    } else if (/\.(?:js|json|ts)$/.test(name)) {
      Deno.copyFileSync(new URL(name, from), new URL(name, to));
    }
  }
}

/** A small change of one file, which must be there exactly once. */
export interface Mutant {
  program: string;
  /** Whether the first thread of the program is killed. */
  kills: boolean;
  file: string;
  before: string;
  after: string;
}

/** Reads a patch. */
export function readMutant(name: string): Mutant {
  const lines = Deno.readTextFileSync(new URL(name, MUTANTS)).split("\n");
  const rest = (mark: string) =>
    lines.filter((line) => line.startsWith(mark) && !line.startsWith("--- "))
      .map((line) => line.slice(mark.length));
  const [killed] = rest("# killed: ");
  return {
    program: killed ?? rest("# explored: ")[0],
    kills: killed !== undefined,
    file: lines.find((line) => line.startsWith("--- "))!.slice(4),
    before: rest("-").map((line) => `${line}\n`).join(""),
    after: rest("+").map((line) => `${line}\n`).join(""),
  };
}

function mutate({ file, before, after }: Mutant, folder: URL): void {
  const url = new URL(file, folder);
  const parts = Deno.readTextFileSync(url).split(before);
  assertEquals(parts.length, 2, `the mutant's lines are not in ${file} once`);
  Deno.writeTextFileSync(url, parts.join(after));
}

/** The names of all patches. */
export const mutantNames: string[] = Array.from(
  Deno.readDirSync(MUTANTS),
  ({ name }) => name,
).sort();

/**
 * Makes a copy of the library that has a fault, for a while.
 *
 * @param mutant The fault, `undefined` for none.
 * @param folders What else is copied.
 * @param use What is done with the copy.
 */
export async function withCopy<T>(
  mutant: Mutant | undefined,
  folders: string[],
  use: (folder: URL) => Promise<T>,
): Promise<T> {
  const path = Deno.makeTempDirSync({ dir: "/tmp", prefix: "skein-mutant-" });
  const folder = new URL(`file://${path}/`);
  try {
    for (const each of [...FOLDERS, ...folders]) {
      copyFolder(new URL(`${each}/`, ROOT), new URL(`${each}/`, folder));
    }
    if (mutant !== undefined) mutate(mutant, folder);
    return await use(folder);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}
