// The rows of the testing suite with skein.
// Run: deno run -A testing.ts ROW; prints {"name", "ns"}.
import { explore, type ExploreOptions } from "../../testing/mod.ts";
import { main } from "../_measure.ts";
import * as work from "./testing_programs.ts";

/** Explores a program that must hold; how long that took, and how many schedules. */
async function explored(
  program: Parameters<typeof explore<work.Shared>>[0],
  options: ExploreOptions,
): Promise<{ ns: number; schedules: number; complete: boolean }> {
  const begun = performance.now();
  const { schedules, complete, failure } = await explore(program, options);
  const ns = (performance.now() - begun) * 1e6;
  if (failure !== undefined) throw failure.error;
  return { ns, schedules, complete };
}

async function schedule(): Promise<number> {
  const { setup, count } = work;
  const program = { setup, threads: [count, count] };
  // The workers start, and their code is compiled.
  await explored(program, { schedules: 1000, preemptions: 8 });
  const { ns, schedules } = await explored(program, {
    schedules: 5000,
    preemptions: 8,
  });
  return ns / schedules;
}

async function handOver(): Promise<number> {
  const { setup, wait, notify } = work;
  const { ns, complete } = await explored(
    { setup, threads: [wait, notify] },
    { preemptions: 2 },
  );
  if (!complete) throw new Error("Cannot measure: not all were tried");
  return ns;
}

if (import.meta.main) await main({ schedule, "hand-over": handOver });
