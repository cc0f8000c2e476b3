// What skein promises, in every order of the steps of small programs: for each
// program all schedules with as many preemptions as it names.
//
// SKEIN_EXPLORE=1 tries one preemption more as well, up to 100 000 schedules of
// each program, and as many random ones as a tenth of that; SKEIN_EXPLORE=10 ten
// times as many.
import { assert, assertEquals } from "@std/assert";
import { explore, type ExploreOptions } from "../../testing/mod.ts";
import type { Program } from "./programs/program.ts";
import { programs } from "./programs/mod.ts";

const DEPTH = Number(Deno.env.get("SKEIN_EXPLORE") ?? 0);
/** More than any program needs for the preemptions that it names. */
const MOST = 10_000;

async function explored(
  { setup, threads, check }: Program,
  options: ExploreOptions,
): Promise<boolean> {
  const { complete, schedules, failure } = await explore(
    { setup, threads, check },
    options,
  );
  assertEquals(
    failure,
    undefined,
    `${failure?.kind} ${failure?.schedule}\n${failure?.error.stack}\n${failure?.table}`,
  );
  if (DEPTH > 0) {
    const how = complete ? "all" : "not all";
    console.log(JSON.stringify(options), `${schedules} schedules, ${how}`);
  }
  return complete;
}

/** Said of what is left out. */
const LEFT_OUT = DEPTH > 0 ? "" : " (skipped: it takes long, SKEIN_EXPLORE=1)";

for (const program of programs) {
  const { name, preemptions } = program;
  Deno.test(`explored: ${name}`, async () => {
    assert(
      await explored(program, { preemptions, schedules: MOST }),
      `not all schedules with ${preemptions} preemptions were tried`,
    );
  });
  Deno.test({
    name: `explored deeper: ${name}${LEFT_OUT}`,
    ignore: !(DEPTH > 0),
    async fn() {
      const schedules = 100_000 * DEPTH;
      await explored(program, { preemptions: preemptions + 1, schedules });
      await explored(program, { depth: 4, schedules: schedules / 10 });
    },
  });
}
