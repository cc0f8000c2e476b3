// What skein promises if a thread dies: it is killed at each of its points in
// turn, and others clean up after it while the rest goes on.
//
// SKEIN_EXPLORE=1 has it end itself as well, if it is asked to between two points,
// and tries as many preemptions as each program names.
import { assert, assertEquals } from "@std/assert";
import { exploreDeaths } from "../../testing/_probe.ts";
import { deaths } from "./programs/deaths.ts";
import { taskDeaths } from "./programs/task_deaths.ts";

const DEPTH = Number(Deno.env.get("SKEIN_EXPLORE") ?? 0);

for (
  const { name, setup, threads, check, preemptions } of [
    ...deaths,
    ...taskDeaths,
  ]
) {
  const program = { setup, threads, check };
  for (const asks of DEPTH > 0 ? [false, true] : [false]) {
    const how = asks ? "asked to end" : "killed";
    Deno.test(`a thread is ${how} at each of its points: ${name}`, async () => {
      const bound = DEPTH > 0 ? preemptions : 0;
      const found = await exploreDeaths(program, bound, asks);
      assertEquals(found.failure, undefined, found.failure);
      assert(found.complete);
      if (DEPTH > 0) console.log(`${found.schedules} schedules`);
    });
  }
}
