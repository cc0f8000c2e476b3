/**
 * What the other modules may use of values as bytes and of how threads run:
 * encoding and decoding, records on the heap, and marks; starting workers,
 * cancelling scopes, the ends of threads, cleaning up after them, and what they
 * leave. They import nothing else of `_codec/` and `_runtime/`.
 *
 * @module
 */

export { decode } from "./_codec/decode.ts";
export { encode, type Encoded } from "./_codec/encode.ts";
export {
  commitRecord,
  draftEncoded,
  draftRecord,
  draftResult,
  dropRecord,
  glance,
  loadModulesOf,
  missingModuleOf,
  readRecord,
  readShared,
  refersToNothing,
  releaseRecord,
  shareRecord,
  takeRecord,
  UNREAD,
} from "./_codec/record.ts";
export {
  checkMarks,
  loadModule,
  ModuleNotLoaded,
  sendableEntry,
  type SendableFunction,
  sendableOf,
  sendableOwn,
} from "./_codec/sendable.ts";
export { staying } from "./_codec/writer.ts";
export {
  launchThread,
  refuseWhileLoading,
  requirePermissions,
  settleKeepAlive,
  ThreadExit,
  whileLoading,
} from "./_runtime/worker_pool.ts";
export {
  claimDeath,
  draftError,
  reap,
  terminated,
  textOf,
} from "./_runtime/reaper.ts";
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
export { Dying } from "./_memory/heap.ts";
export { freeSlot, ThreadField } from "./_runtime/thread_table.ts";
