/**
 * Trying every interleaving of a small program: the real code, on real threads,
 * under a scheduler that decides who goes on.
 *
 * {@linkcode explore} runs a program of a few threads again and again, each time
 * in another order, until one fails or all have been tried. All its functions are
 * marked with `sendable`, in a module of their own.
 *
 * @example Two threads that read, add and write
 * ```ts ignore
 * // counter.ts
 * import { sendable, SharedNumber } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * export const setup = sendable(import.meta, () => new SharedNumber(0));
 * export const increment = sendable(import.meta, (n: SharedNumber) => {
 *   n.value = n.value + 1; // n.add(1) is one step
 * });
 * export const check = sendable(import.meta, (n: SharedNumber) => {
 *   assertEquals(n.value, 2);
 * });
 * ```
 *
 * @example Their test, which shows the order that fails
 * ```ts ignore
 * // counter_test.ts
 * import { explore } from "@skein/std/testing";
 * import { assertEquals } from "@std/assert";
 * import { check, increment, setup } from "./counter.ts";
 *
 * Deno.test("nothing is lost", async () => {
 *   const threads = [increment, increment];
 *   const { failure } = await explore({ setup, threads, check });
 *   assertEquals(failure, undefined, failure?.table);
 * });
 * ```
 *
 * @module
 */

export {
  explore,
  type ExploredProgram,
  type ExploreFailure,
  type ExploreOptions,
  type ExploreResult,
  type FailureKind,
} from "./explore.ts";
