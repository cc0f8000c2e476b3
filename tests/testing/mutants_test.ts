// Can exploring fail? Each patch under mutants/ puts a fault into a copy of the
// library, and the program that it names must find it.
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
  file: string;
  before: string;
  after: string;
}

function readMutant(name: string): Mutant {
  const lines = Deno.readTextFileSync(new URL(name, MUTANTS)).split("\n");
  const rest = (mark: string) =>
    lines.filter((line) => line.startsWith(mark) && !line.startsWith("--- "))
      .map((line) => line.slice(mark.length));
  return {
    program: rest("# explored: ")[0],
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
      const { explore } = await import(`${folder}testing/mod.ts`);
      const { programs } = await import(
        `${folder}tests/testing/programs/mod.ts`
      ) as { programs: Program[] };
      const program = programs.find(({ name }) => name === mutant.program);
      assert(program, `no program ${mutant.program}`);
      const { setup, threads, check, preemptions } = program;
      const begun = performance.now();
      const { schedules, failure } = await explore(
        { setup, threads, check },
        { preemptions, schedules: 20_000 },
      );
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      assert(failure !== undefined, `not found in ${schedules} schedules`);
      console.log(`${failure.kind}, schedule ${schedules}, ${seconds} s`);
    } finally {
      Deno.removeSync(path, { recursive: true });
    }
  });
}
