/**
 * What the other modules may use of the shared heap: its words, the internal
 * mutex, blocks, shared objects, waiting, scopes, and the end of a thread. They
 * import nothing else of `_memory/` and `_runtime/`.
 *
 * Whoever uses it keeps the rules of the memory layer: CONTRIBUTING has them, and
 * the head of each file in `_memory/` in full. A queue is a further kind of object
 * on the heap, as a lock is, and changes under the same rules.
 *
 * @module
 */

export {
  addDraft,
  allocate,
  allocateZeroed,
  checkHeap,
  COUNTED,
  deallocate,
  discard,
  referenceDraft,
  removeDraft,
} from "./_memory/allocator.ts";
export {
  add,
  birth,
  bytes,
  clockOffset,
  clockPair,
  compareExchange,
  doubles,
  Field,
  Header,
  heapName,
  isExplored,
  isMain,
  load,
  MAIN_SLOT,
  MAX_SLOTS,
  or,
  requestHost,
  self,
  Slot,
  SLOT_WORDS,
  slotAt,
  slotOf,
  store,
  TABLES,
  tid,
  wakeAllSlots,
  wakeSlot,
  words,
} from "./_memory/heap.ts";
export {
  checkDying,
  damagedError,
  doWholly,
  lock,
  lockInner,
  requireStack,
  tryLock,
  unlock,
  unlockInner,
} from "./_memory/mutex.ts";
export {
  admitScope,
  checkInterrupted,
  currentScope,
  isScopeCancelled,
  ownerOfCode,
  runInScope,
  runSheltered,
  runShielded,
  type Scope,
  SCOPE_WORDS,
  ScopeField,
  type ScopeLimit,
} from "./_memory/scope.ts";
export {
  AGAIN,
  CASE,
  type CaseKind,
  type GivenCase,
  Later,
  NOT_READY,
  type Outcome,
  Restart,
  type Selectable,
  selectBlocked,
  selectInTask,
  settlingCase,
  type WaitingCase,
} from "./_memory/selection.ts";
export {
  classOf,
  counted,
  lookAtWaiters,
  registerClass,
} from "./_memory/shared_class.ts";
export {
  ADDRESS,
  addressOf,
  borrow,
  createObject,
  finishSection,
  giveBack,
  holdObject,
  objectAt,
  objectAtAs,
  pinUntil,
  releaseHold,
  releaseReference,
  SharedObject,
} from "./_memory/shared_object.ts";
export {
  closeSpan,
  CountedThings,
  DeliveryEnd,
  isTracing,
  noteDone,
  noteReceived,
  noteSettled,
  type OpenSpan,
  openSpan,
  SpanKind,
  TraceBit,
  TraceNote,
  TRACING,
} from "./_memory/trace.ts";
export {
  addOnWake,
  finishSync,
  onThreadEnd,
  OWN_NODE,
  prepareOwnNode,
  sleepUntilWoken,
  type Surrender,
  waitEpoch,
  waitPromise,
  waitSync,
  waitSyncTimeout,
  waitTimeout,
} from "./_memory/wait.ts";
export {
  allocateNode,
  claim,
  dequeue,
  enqueue,
  enqueueFirst,
  firstOf,
  firstOther,
  freeNode,
  isChosen,
  isOwnCase,
  isOwnTask,
  isSelected,
  listNode,
  MAIN_QUEUE,
  Node,
  NODE_WORDS,
  type Protocol,
  unlistNode,
  Wake,
  wake,
  wakeAll,
  wakeFirst,
} from "./_memory/wait_queue.ts";
export { linger } from "./_runtime/leftovers.ts";
