/**
 * What a pool needs of how threads run: starting workers, cancelling scopes, the
 * ends of threads, and what they leave. It imports nothing else of `_runtime/`.
 *
 * @module
 */

export {
  launchThread,
  refuseWhileLoading,
  requirePermissions,
  settleKeepAlive,
  whileLoading,
} from "./_runtime/worker_pool.ts";
export { draftError, textOf } from "./_runtime/reaper.ts";
export {
  cancelScope,
  draftReason,
  graceTime,
  releaseScope,
  setGrace,
  signalOfScope,
  terminateAfter,
} from "./_runtime/cancelling.ts";
export {
  hasOpenEnds,
  needsTurn,
  noteBroken,
  noteLoaded,
} from "./_runtime/leftovers.ts";
export { ThreadField } from "./_runtime/thread_table.ts";
