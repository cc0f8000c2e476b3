// What is left out because it can make no difference makes none: the search with
// and without the reduction comes to the same outcomes.
import { assert, assertEquals } from "@std/assert";
import { findOutcomes } from "../../testing/_probe.ts";
import { type Drawn, numbers, objects } from "./random_fixture.ts";

const DEPTH = Number(Deno.env.get("SKEIN_EXPLORE") ?? 0);
/** A full search that needs more is left out. */
const MOST = DEPTH > 0 ? 20_000 * DEPTH : 4000;

async function compareAll(
  programs: Drawn[],
  preemptions: number,
): Promise<void> {
  const schedules = { reduced: 0, full: 0 };
  let compared = 0;
  for (const { setup, threads, check, name } of programs) {
    const program = { setup, threads, check };
    const full = await findOutcomes(program, preemptions, true, MOST);
    if (!full.complete) continue;
    const reduced = await findOutcomes(program, preemptions, false, MOST);
    assert(reduced.complete, name);
    assertEquals(reduced.outcomes, full.outcomes, name);
    compared++;
    schedules.reduced += reduced.schedules;
    schedules.full += full.schedules;
  }
  console.log(
    `${compared} programs: ${schedules.reduced} schedules instead of ${schedules.full}`,
  );
  assert(compared > programs.length / 3, `${compared} were compared`);
}

for (const preemptions of [1, 2, 20]) {
  Deno.test(`explore finds all that two numbers can come to, ${preemptions} preemptions`, async () => {
    await compareAll(numbers, preemptions);
  });
}

for (const preemptions of [0, 1, 2]) {
  Deno.test(`explore finds all that locks and waits can come to, ${preemptions} preemptions`, async () => {
    await compareAll(objects, preemptions);
  });
}
