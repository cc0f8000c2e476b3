/**
 * What skein's own tests ask of the search, beyond what `explore` offers.
 *
 * @module
 */

import type { Strategy } from "./_director.ts";
import { withGroup } from "./_group.ts";
import { type ExploredProgram, programOf } from "./_program.ts";

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
export interface Outcomes {
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
