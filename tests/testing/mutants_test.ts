// Can exploring fail? Each patch under mutants/ puts a fault into a copy of the
// library, and the program that it names must find it: in the orders of its steps,
// or when its first thread is killed.
import { assert, assertEquals } from "@std/assert";
import type { Program } from "./programs/program.ts";

const ROOT = new URL("../../", import.meta.url);
const MUTANTS = new URL("mutants/", import.meta.url);
/** What a copy consists of. */
const FOLDERS = [
  "_internal",
  "queue",
  "testing",
  "tests/testing/programs",
  "threading",
];

function copyFolder(from: URL, to: URL): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) {
      copyFolder(new URL(`${name}/`, from), new URL(`${name}/`, to));
    } else if (name.endsWith(".ts")) {
      Deno.copyFileSync(new URL(name, from), new URL(name, to));
    }
  }
}

/** A small change of one file, which must be there exactly once. */
interface Mutant {
  program: string;
  /** Whether the first thread of the program is killed. */
  kills: boolean;
  file: string;
  before: string;
  after: string;
}

function readMutant(name: string): Mutant {
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

function load(folder: URL, path: string) {
  return import(`${folder}${path}`);
}

/** What there is of a list of programs in the copy. */
async function programIn(
  folder: URL,
  file: string,
  list: string,
  name: string,
): Promise<Program> {
  const module = await load(folder, `tests/testing/programs/${file}`);
  const program = (module[list] as Program[]).find((each) =>
    each.name === name
  );
  assert(program, `no program ${name}`);
  return program;
}

/** Explores the program of a mutant; what was found. */
async function find(mutant: Mutant, folder: URL): Promise<string> {
  const { program: name } = mutant;
  const program = await programIn(folder, "mod.ts", "programs", name);
  const { setup, threads, check, preemptions } = program;
  const { explore } = await load(folder, "testing/mod.ts");
  const { schedules, failure } = await explore(
    { setup, threads, check },
    { preemptions, schedules: 20_000 },
  );
  assert(failure !== undefined, `not found in ${schedules} schedules`);
  return `${failure.kind}, schedule ${schedules}`;
}

/** Kills its first thread; what was found. */
async function findByDeath(mutant: Mutant, folder: URL): Promise<string> {
  const { program: name } = mutant;
  const program = await programIn(folder, "deaths.ts", "deaths", name);
  const { setup, threads, check } = program;
  const { exploreDeaths } = await load(folder, "testing/_probe.ts");
  const { schedules, failure } = await exploreDeaths(
    { setup, threads, check },
    0,
    false,
  );
  assert(failure !== undefined, `not found in ${schedules} schedules`);
  return `${failure.split(",")[0]}, schedule ${schedules}`;
}

const names = Array.from(Deno.readDirSync(MUTANTS), ({ name }) => name).sort();

for (const name of names) {
  Deno.test(`mutant: ${name.replace(/\.patch$/, "")} is found`, async () => {
    const mutant = readMutant(name);
    const path = Deno.makeTempDirSync({ dir: "/tmp", prefix: "skein-mutant-" });
    const folder = new URL(`file://${path}/`);
    try {
      for (const each of FOLDERS) {
        copyFolder(new URL(`${each}/`, ROOT), new URL(`${each}/`, folder));
      }
      mutate(mutant, folder);
      const begun = performance.now();
      const found = await (mutant.kills ? findByDeath : find)(mutant, folder);
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      console.log(`${found}, ${seconds} s`);
    } finally {
      Deno.removeSync(path, { recursive: true });
    }
  });
}
