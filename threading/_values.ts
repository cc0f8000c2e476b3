/**
 * What the other modules may use of values as bytes: encoding and decoding them,
 * records on the heap, and marks. They import nothing else of `_codec/`.
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
  sendable,
  sendableEntry,
  type SendableFunction,
  sendableOf,
} from "./_codec/sendable.ts";
export { staying } from "./_codec/writer.ts";
