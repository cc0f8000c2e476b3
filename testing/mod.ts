/**
 * Trying every interleaving of a small program: the real code, on real threads,
 * under a scheduler that decides who goes on.
 *
 * {@linkcode explore} runs a program of a few threads again and again, each time
 * in another order, until one fails or all have been tried. All its functions are
 * marked with `sendable`; those of a test stand in a module beside it.
 *
 * @example Two threads that read, add and write
 * ```ts
 * import { explore } from "@skein/std/testing";
 * import { sendable, SharedNumber } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const setup = sendable(import.meta, () => new SharedNumber(0));
 * const increment = sendable(import.meta, (n: SharedNumber) => {
 *   n.value = n.value + 1; // n.add(1) is one step
 * });
 * const check = sendable(import.meta, (n: SharedNumber) => {
 *   assertEquals(n.value, 2);
 * });
 *
 * if (import.meta.main) {
 *   const threads = [increment, increment];
 *   const { failure } = await explore({ setup, threads, check });
 *   console.log(failure?.table); // the order in which one is lost
 * }
 * ```
 *
 * @module
 */

export {
  explore,
  type ExploreFailure,
  type ExploreOptions,
  type ExploreResult,
  type FailureKind,
} from "./explore.ts";
export type { ExploredProgram } from "./_program.ts";
