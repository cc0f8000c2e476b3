/**
 * Trying every interleaving of a small program.
 *
 * @module
 */

import { checkInteger, checkOptions, checkString } from "../_internal/check.ts";
import type { Result, Strategy } from "./_director.ts";
import { withGroup } from "./_group.ts";
import { type ExploredProgram, programOf, WHAT } from "./_program.ts";
import { tableOf } from "./_table.ts";

/** How {@linkcode explore} does it. */
export interface ExploreOptions {
  /**
   * All schedules with up to so many preemptions are tried. A preemption takes a
   * thread off that could have gone on; switches to another one when a thread
   * waits or ends are free.
   *
   * @default {2}
   */
  preemptions?: number;
  /**
   * The most schedules to try.
   *
   * @default {100000}
   */
  schedules?: number;
  /**
   * Tries random schedules instead, of the kind that finds each fault of so many
   * steps that have to come in one order, with a chance that has a lower bound.
   */
  depth?: number;
  /**
   * Where the random numbers begin: the same seed, the same schedules. Alone it
   * means a depth of 3.
   */
  seed?: number;
  /**
   * A thread that has not ended after so many steps of all of them is livelocked.
   *
   * @default {20000}
   */
  steps?: number;
  /** Tries this schedule only, from a failure's `schedule`. */
  replay?: string;
}

/** What can be found. */
export type FailureKind =
  | "error"
  | "deadlock"
  | "lost wake-up"
  | "livelock"
  | "use after free"
  | "damage"
  | "leak";

/** A schedule that failed. */
export interface ExploreFailure {
  /**
   * What is wrong:
   *
   * - `error`: a thread or the check threw an error, of an assertion, say;
   * - `deadlock`: threads wait for one another;
   * - `lost wake-up`: a thread waits, and nobody is left to wake it;
   * - `livelock`: no end after the steps there may be;
   * - `use after free`, `damage`, `leak`: of the shared heap, which the program
   *   uses through skein's objects.
   */
  kind: FailureKind;
  /** The schedule, for `replay`. */
  schedule: string;
  /** The error that was thrown, or that says what was found. */
  error: Error;
  /** What the threads did, a column a thread. */
  table: string;
}

/** What came of it. */
export interface ExploreResult {
  /** How many schedules were tried. */
  schedules: number;
  /** Whether these were all with up to `preemptions` preemptions. */
  complete: boolean;
  /** The first that failed, if one did. */
  failure?: ExploreFailure;
}

const OPTIONS = [
  "preemptions",
  "schedules",
  "depth",
  "seed",
  "steps",
  "replay",
];
const MAX_STEPS = 2 ** 20;
const MAX_DEPTH = 32;

/**
 * Runs a small program of threads again and again, each time in another order of
 * its steps, until one order fails or all have been tried.
 *
 * The code is the real one, on real threads, with a heap of their own. Each access
 * to a shared object is a step before which another thread may go on, one at a
 * time. Wherever two orders could differ, both are tried. Steps between which
 * nothing is shared need no trying, so the number of schedules stays small.
 *
 * Make the program small: two or three threads, a few calls each. The order of
 * what they do is all that may differ from run to run: leave out clocks, random
 * numbers, and what earlier runs have left in variables of the module. Timeouts
 * run on a clock of the scheduler's: they are over when nothing else can go on, or
 * earlier, as one more choice. What is written to the `view` of a SharedArray is
 * no step.
 *
 * @typeParam T What `setup` returns.
 * @param program What to explore.
 * @param options How far.
 * @returns How many schedules were tried, and the first that failed. A failure is
 * not thrown.
 * @throws {TypeError} If an argument is of a wrong type, or an option does not exist.
 * @throws {RangeError} If a number is out of range.
 * @throws {NotSendableError} If one of the functions is not marked.
 *
 * @example The chapter's `getitem`, which may create an item twice
 * ```ts
 * import { explore } from "@skein/std/testing";
 * import { SharedMap, SharedNumber } from "@skein/std/threading";
 * import { sendable } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * class Cache {
 *   static {
 *     sendable(import.meta, this);
 *   }
 *   items = new SharedMap<string, number>();
 *   made = new SharedNumber(0);
 * }
 * const setup = sendable(import.meta, function setup() {
 *   return new Cache();
 * });
 * const getitem = sendable(import.meta, function getitem(cache: Cache) {
 *   if (!cache.items.has("key")) {
 *     cache.items.set("key", cache.made.add(1));
 *   }
 * });
 * const check = sendable(import.meta, function check(cache: Cache) {
 *   assertEquals(cache.made.value, 1);
 * });
 *
 * if (import.meta.main) {
 *   const { failure } = await explore({ setup, threads: [getitem, getitem], check });
 *   assertEquals(failure?.kind, "error");
 *   console.log(failure?.table);
 * }
 * ```
 */
export async function explore<T = undefined>(
  program: ExploredProgram<T>,
  options?: ExploreOptions,
): Promise<ExploreResult> {
  const named = programOf(program as ExploredProgram<unknown>);
  const strategy = strategyOf(options);
  let result: Result | undefined;
  await withGroup(named, strategy.steps, async (group) => {
    result = await group.explore(strategy, false);
    return result.isClean;
  });
  const { schedules, complete, found } = result!;
  if (found === undefined) return { schedules, complete };
  let { rows, error } = found;
  if (rows === undefined) {
    // The threads of the run that failed cannot go on: others look at it again.
    const replay = { ...strategy, depth: undefined, replay: found.schedule };
    await withGroup(named, strategy.steps, async (group) => {
      const again = await group.explore(replay, true);
      if (again.found?.kind === found.kind) ({ rows, error } = again.found);
      return again.isClean;
    });
  }
  const failure: ExploreFailure = {
    kind: found.kind as FailureKind,
    schedule: found.schedule,
    error: Object.assign(new Error(error.message), {
      name: error.name,
      stack: error.stack ?? `${error.name}: ${error.message}`,
    }),
    table: tableOf(rows ?? [], named.threads.length),
  };
  return { schedules, complete, failure };
}

function strategyOf(options: ExploreOptions | undefined): Strategy {
  if (options !== undefined) checkOptions(options, WHAT, OPTIONS);
  const {
    preemptions = 2,
    schedules = 100_000,
    depth,
    seed,
    steps = 20_000,
    replay,
  } = options ?? {};
  checkRange(preemptions, "preemptions", 0, Number.MAX_SAFE_INTEGER);
  checkRange(schedules, "schedules", 1, Number.MAX_SAFE_INTEGER);
  checkRange(steps, "steps", 1, MAX_STEPS);
  if (depth !== undefined) checkRange(depth, "depth", 1, MAX_DEPTH);
  if (seed !== undefined) checkInteger(seed, WHAT, "seed");
  if (replay !== undefined) checkReplay(replay);
  const isRandom = depth !== undefined || seed !== undefined;
  return {
    preemptions,
    schedules,
    depth: isRandom ? depth ?? 3 : undefined,
    seed: seed ?? 1,
    steps,
    replay,
  };
}

function checkRange(
  value: unknown,
  name: string,
  least: number,
  most: number,
): void {
  checkInteger(value, WHAT, name, least);
  if (value <= most) return;
  throw new RangeError(
    `Cannot ${WHAT}: ${name} must be at most ${most}, received ${value}`,
  );
}

function checkReplay(replay: unknown): void {
  checkString(replay, WHAT, "replay");
  if (SCHEDULE.test(replay)) return;
  throw new RangeError(
    `Cannot ${WHAT}: replay must be a schedule of a failure, like "12>2 30>1", received ${
      JSON.stringify(replay)
    }`,
  );
}

const SCHEDULE = /^\d+>[1-8](?: \d+>[1-8])*$/;
