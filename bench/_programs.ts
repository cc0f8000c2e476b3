// The programs that take part: how each is made ready to run, once, and only
// when a row asks for it.
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { buildTree } from "../build.ts";

/** A peer cannot take part, for a reason that the table names. */
export class Skipped extends Error {
  override name = "Skipped";
}

/**
 * Makes a program ready to run.
 *
 * @returns The command line, to which the name of the row is added.
 * @throws {Skipped} If what the program needs is not on this machine.
 */
export type Program = () => Promise<readonly string[]>;

let directory: string | undefined;

/** The directory for what is built; made when it is first asked for. */
function workspace(): string {
  return directory ??= Deno.makeTempDirSync({ prefix: "skein-bench-" });
}

/** Deletes what was built. */
export async function cleanUp(): Promise<void> {
  if (directory !== undefined) {
    await Deno.remove(directory, { recursive: true });
  }
  directory = undefined;
}

/**
 * Runs a command and gives its output, both streams together.
 *
 * @param cmd The command and its arguments.
 * @param cwd Where it runs.
 * @param limit The milliseconds that it may take.
 * @returns What it wrote.
 * @throws {Skipped} If it is not installed.
 * @throws {Error} If it fails.
 */
export async function output(
  [file, ...args]: readonly string[],
  cwd?: string,
  limit = 60_000,
): Promise<string> {
  const decoder = new TextDecoder();
  try {
    const { success, stdout, stderr } = await new Deno.Command(file, {
      args,
      cwd,
      stdin: "null",
      signal: AbortSignal.timeout(limit),
    }).output();
    const text = decoder.decode(stdout) + decoder.decode(stderr);
    if (success) return text.trim();
    throw new Error(`${file} failed: ${text.trim()}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Skipped(`${file} is not installed`);
  }
}

function once(ready: Program): Program {
  let command: ReturnType<Program> | undefined;
  return () => command ??= ready();
}

/** A TypeScript program that this Deno runs. */
export function deno(url: URL): Program {
  return () =>
    Promise.resolve([Deno.execPath(), "run", "-A", "-q", fileURLToPath(url)]);
}

const built = once(async () => {
  const tree = `${workspace()}/built`;
  await buildTree(new URL(`file://${tree}/`), ["bench/"]);
  for (const name of ["pool", "queue", "threading"]) {
    const file = `${tree}/bench/skein/whole_${name}.ts`;
    const text = await Deno.readTextFile(file);
    // With a registry, the name of the package leads there at once.
    await Deno.writeTextFile(
      file,
      text.replace(/"\.\.\/\.\.\/(\w+)\/mod\.ts"/g, '"../../js/$1/mod.js"'),
    );
  }
  return [tree];
});

/**
 * A program with skein as its package has it.
 *
 * @param path Its path in the repository, or that of the module in the package.
 */
export function published(path: string): Program {
  return async () => {
    const [tree] = await built();
    return [Deno.execPath(), "run", "-A", "-q", `${tree}/${path}`];
  };
}

/** The lines by which `testing` can take the place of the heap's operations. */
const SEAM = [
  ["seam.view === undefined ? own : seam.view(own)", "own"],
  [
    /seam\.operations === undefined\s*\? ownOperations\s*: seam\.operations\(ownOperations\)/,
    "ownOperations",
  ],
  ["seam.futex ?? Atomics", "Atomics"],
  ["seam.futex !== undefined", "false"],
] as const;

/**
 * A TypeScript program with a copy of threading that nobody can explore.
 *
 * @param path Its path in the repository.
 */
export function pointless(path: string): Program {
  return once(async () => {
    const folder = `${workspace()}/pointless`;
    const root = fileURLToPath(new URL("../", import.meta.url));
    await Deno.mkdir(folder);
    for (const each of ["_internal", "threading", "bench"]) {
      await output(["cp", "-r", `${root}${each}`, folder]);
    }
    const heap = `${folder}/threading/_memory/heap.ts`;
    let text = await Deno.readTextFile(heap);
    for (const [seam, instead] of SEAM) {
      const cut = text.replace(seam, instead);
      if (cut === text) {
        throw new Error(`Cannot cut out: no ${seam} in heap.ts`);
      }
      text = cut;
    }
    await Deno.writeTextFile(heap, text);
    const config = `--config=${root}deno.json`;
    const file = `${folder}/${path}`;
    return [Deno.execPath(), "run", "-A", "-q", config, file];
  });
}

/** A C program of one file, with POSIX threads. */
export function c(url: URL): Program {
  return once(async () => {
    const source = fileURLToPath(url);
    const binary = `${workspace()}/${basename(source, ".c")}`;
    await output(["cc", "-O2", "-pthread", source, "-o", binary]);
    return [binary];
  });
}

/** A Go program of one file. */
export function go(url: URL): Program {
  return once(async () => {
    const source = fileURLToPath(url);
    const binary = `${workspace()}/${basename(source, ".go")}-go`;
    await output(["go", "build", "-o", binary, source]);
    return [binary];
  });
}

/** A Java program of one file that holds the class of its name. */
export function java(url: URL): Program {
  return once(async () => {
    const source = fileURLToPath(url);
    await output(["javac", "-d", workspace(), source]);
    return ["java", "-cp", workspace(), basename(source, ".java")];
  });
}

/** A Python program of one file, isolated from its own directory. */
export function python(url: URL): Program {
  return once(async () => {
    // The interpreter itself, not a launcher that looks for it every time.
    const file = await output([
      "python3",
      "-c",
      "import sys; print(sys.executable)",
    ]);
    return [file, "-I", fileURLToPath(url)];
  });
}

async function needNode(): Promise<void> {
  // Where there is no node, Deno takes its place; that is another peer.
  if ((await output(["node", "--version"])).startsWith("v")) return;
  throw new Skipped("node is not installed");
}

/** A Node program that needs no packages. */
export function node(url: URL): Program {
  return once(async () => {
    await needNode();
    return ["node", fileURLToPath(url)];
  });
}

/**
 * A Node program whose directory is copied, with the packages that its
 * package.json names installed in the copy.
 */
export function nodeWithPackages(url: URL): Program {
  return once(async () => {
    await needNode();
    const copy = await copyOf(new URL(".", url));
    return [await nodeFor(copy), `${copy}/${basename(fileURLToPath(url))}`];
  });
}

/** The Node of the packages, if it runs here: some of them need a new one. */
async function nodeFor(copy: string): Promise<string> {
  const node = `${copy}/node_modules/.bin/node`;
  try {
    await output([node, "--version"]);
    return node;
  } catch {
    return "node";
  }
}

/** The same, but Deno runs the program. */
export function denoWithPackages(url: URL): Program {
  return once(async () => {
    const copy = await copyOf(new URL(".", url));
    const file = `${copy}/${basename(fileURLToPath(url))}`;
    return [Deno.execPath(), "run", "-A", "-q", file];
  });
}

/** The same, but the program runs on the Bun that is one of its packages. */
export function bunWithPackages(url: URL): Program {
  return once(async () => {
    await needNode();
    const copy = await copyOf(new URL(".", url));
    const bun = `${copy}/node_modules/.bin/bun`;
    try {
      await output([bun, "--version"]);
    } catch {
      throw new Skipped("bun does not run here");
    }
    return [bun, `${copy}/${basename(fileURLToPath(url))}`];
  });
}

const meter = python(new URL("./_meter.py", import.meta.url));

/**
 * A program measured from outside, from its start to its end.
 *
 * @param what The time that passes, what all its threads compute (user and
 * system), or the most memory that it has at once.
 * @param program The program; what it prints does not count.
 * @returns The program that runs it and prints what it took.
 */
export function whole(
  what: "time" | "cpu" | "memory",
  program: Program,
): Program {
  return async () => [...await meter(), what, ...await program()];
}

/** Copies of folders, each made once, by their URLs. */
const copies = new Map<string, Promise<string>>();

function copyOf(folder: URL): Promise<string> {
  let copy = copies.get(folder.href);
  if (copy === undefined) {
    copy = makeCopy(folder, `${workspace()}/node-${copies.size}`);
    copies.set(folder.href, copy);
  }
  return copy;
}

async function makeCopy(folder: URL, copy: string): Promise<string> {
  await Deno.mkdir(copy);
  for await (const entry of Deno.readDir(folder)) {
    if (!entry.isFile) continue;
    await Deno.copyFile(new URL(entry.name, folder), `${copy}/${entry.name}`);
  }
  await install(copy);
  return copy;
}

async function install(directory: string): Promise<void> {
  const options = ["--no-audit", "--no-fund", "--fetch-retries=1"];
  try {
    // A whole Node and Bun come with it.
    await output(["npm", "install", ...options], directory, 300_000);
  } catch (error) {
    if (error instanceof Skipped) throw error;
    throw new Skipped("npm cannot install it here");
  }
}
