/**
 * Trying every interleaving of a small program: the real code, on real threads,
 * under a scheduler that decides who goes on.
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
