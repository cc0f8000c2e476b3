// Can exploring fail? Each patch under mutants/ puts a fault into a copy of the
// library, and the program that it names must find it: in the orders of its steps,
// or when its first thread is killed.
import { assert } from "@std/assert";
import { type Mutant, mutantNames, readMutant, withCopy } from "./mutant.ts";
import type { Program } from "./programs/program.ts";

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

for (const name of mutantNames) {
  Deno.test(`mutant: ${name.replace(/\.patch$/, "")} is found`, async () => {
    const mutant = readMutant(name);
    await withCopy(mutant, ["tests/testing/programs"], async (folder) => {
      const begun = performance.now();
      const found = await (mutant.kills ? findByDeath : find)(mutant, folder);
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      console.log(`${found}, ${seconds} s`);
    });
  });
}
