import { assertEquals } from "@std/assert";
import { explore } from "../../testing/mod.ts";
import { programs as data } from "./programs/data.ts";
import type { Program } from "./programs/program.ts";
import { programs as sync } from "./programs/sync.ts";

/** Set to explore one preemption more, without a bound on the schedules. */
const DEEP = Deno.env.get("SKEIN_EXPLORE") !== undefined;

async function holds(program: Program): Promise<void> {
  const { preemptions = 2 } = program;
  const { failure } = await explore(functionsOf(program), {
    preemptions: DEEP ? preemptions + 1 : preemptions,
    schedules: DEEP ? 10_000_000 : 3000,
  });
  assertEquals(
    failure,
    undefined,
    `${failure?.kind} ${failure?.schedule}\n${failure?.error.stack}\n${failure?.table}`,
  );
}

function functionsOf({ setup, threads, check }: Program) {
  return { setup, threads, check };
}

for (const program of [...sync, ...data]) {
  Deno.test(`explored: ${program.name}`, () => holds(program));
}
