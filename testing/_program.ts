/**
 * What is explored, as its functions are found in other workers.
 *
 * @module
 */

import { checkArray, checkFunction, checkOptions } from "../_internal/check.ts";
import { NotSendableError } from "../threading/errors.ts";
import { sendableEntry } from "../threading/_threads.ts";
import type { Named, Program } from "./_director.ts";
import { MAX_THREADS } from "./_layout.ts";

/** For messages. */
export const WHAT = "explore";

/** What {@linkcode explore} explores. All of its functions are sendable. */
export interface ExploredProgram<T = undefined> {
  /** Makes what the threads and the check share, anew for each schedule. */
  setup?: () => T | PromiseLike<T>;
  /** What each thread does: from two to eight functions. */
  threads: readonly ((objects: T) => unknown)[];
  /** Looks at the objects when all threads have ended; throws if one is wrong. */
  check?: (objects: T) => unknown;
}

/**
 * Checks a program.
 *
 * @param program What the user gave.
 * @throws {TypeError} If it is none.
 * @throws {RangeError} If it has too few or too many threads.
 * @throws {NotSendableError} If one of its functions is not marked.
 */
export function programOf(program: ExploredProgram<unknown>): Program {
  checkOptions(program, WHAT, ["setup", "threads", "check"]);
  const { setup, threads, check } = program;
  checkArray(threads, WHAT, "threads");
  if (threads.length < 1 || threads.length > MAX_THREADS) {
    throw new RangeError(
      `Cannot ${WHAT}: threads must be from 1 to ${MAX_THREADS} functions, received ${threads.length}`,
    );
  }
  return {
    setup: setup && nameOf(setup, "setup"),
    threads: threads.map((fn) => nameOf(fn, "threads")),
    check: check && nameOf(check, "check"),
  };
}

// deno-lint-ignore ban-types
function nameOf(fn: Function, name: string): Named {
  checkFunction(fn, WHAT, name);
  const entry = sendableEntry(fn);
  if (entry !== undefined) return { url: entry.url, name: entry.name };
  throw new NotSendableError(
    `Cannot ${WHAT}: a function of ${name} is not marked, write sendable(import.meta, function name() {...}), received ${
      fn.name || "a function without a name"
    }`,
  );
}
