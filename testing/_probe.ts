/**
 * What skein's own tests ask of the search, beyond what `explore` offers.
 *
 * @module
 */

import { moduleUrl } from "../_internal/worker_module.ts";
import type { Result, Strategy } from "./_director.ts";
import { withGroup } from "./_group.ts";
import { type ExploredProgram, programOf } from "./_program.ts";
import { tableOf } from "./_table.ts";

/** What is tried unless it is said otherwise. */
const STRATEGY: Strategy = {
  preemptions: 2,
  schedules: 100_000,
  depth: undefined,
  seed: 1,
  steps: 20_000,
  replay: undefined,
};

/** What came of all schedules. */
interface Outcomes {
  /** How many schedules there were. */
  schedules: number;
  /** Whether these were all. */
  complete: boolean;
  /** What the check returned in one of them, or how it failed, in order. */
  outcomes: string[];
}

/**
 * Finds what can come of a program, whose check returns what came of a run.
 *
 * @param program The program.
 * @param preemptions All schedules with up to so many are tried.
 * @param full Whether orders are tried as well that can make no difference.
 * @param schedules The most schedules to try.
 */
export async function findOutcomes<T>(
  program: ExploredProgram<T>,
  preemptions: number,
  full: boolean,
  schedules: number,
): Promise<Outcomes> {
  const named = programOf(program as ExploredProgram<unknown>);
  const strategy = {
    ...STRATEGY,
    preemptions,
    schedules,
    full,
    collects: true,
  };
  let found: Outcomes | undefined;
  await withGroup(named, strategy.steps, async (group) => {
    const result = await group.explore(strategy, false);
    const { schedules, complete } = result;
    found = { schedules, complete, outcomes: [...result.outcomes].sort() };
    return result.isClean;
  });
  return found!;
}

/** What the last thread does, see there. */
const BURY = {
  url: moduleUrl("testing/_thread").href,
  name: "bury",
};

/** What came of killing a thread. */
export interface Deaths {
  schedules: number;
  complete: boolean;
  /** What is wrong, and how it came to be; `undefined` if nothing is. */
  failure: string | undefined;
}

/**
 * Has the first thread of a program die, at each of its points in turn, with all
 * orders of the steps of the others, and of those that clean up after it.
 *
 * @param program The program.
 * @param preemptions All schedules with up to so many are tried.
 * @param asks Whether the thread is asked to end itself, as it can when it next
 * enters the ground; if not, it is stopped where it is.
 */
export async function exploreDeaths<T>(
  program: ExploredProgram<T>,
  preemptions: number,
  asks: boolean,
): Promise<Deaths> {
  const named = programOf(program as ExploredProgram<unknown>);
  const threads = named.threads.push(BURY);
  const strategy: Strategy = {
    ...STRATEGY,
    preemptions,
    death: { victim: 0, asks },
  };
  let result: Result | undefined;
  await withGroup(named, strategy.steps, async (group) => {
    result = await group.explore(strategy, false);
    return result.isClean;
  });
  const { schedules, complete, found } = result!;
  if (found === undefined) return { schedules, complete, failure: undefined };
  let { rows } = found;
  if (rows === undefined) {
    const death = { victim: 0, asks, at: found.deathAt };
    const replay = { ...strategy, death, replay: found.schedule };
    await withGroup(named, strategy.steps, async (group) => {
      const again = await group.explore(replay, true);
      rows = again.found?.rows;
      return again.isClean;
    });
  }
  const { kind, deathAt, schedule, error } = found;
  const table = tableOf(rows ?? [], threads);
  const failure =
    `${kind}, death at ${deathAt}, ${schedule}\n${error.stack}\n${table}`;
  return { schedules, complete, failure };
}
