/**
 * Deliveries: items that are out with the thread that received them, until it
 * acknowledges them or gives them back.
 *
 * The item lies in a parcel (`items.ts`), a node in the list of its thread's
 * nodes that refers to the queue. It gets there in the critical section that
 * takes it out of the queue, and leaves in the one that settles it: at every
 * instant the item is in the queue, in one parcel of one thread, or done. So it
 * is neither lost nor there twice, at whatever point a thread is killed:
 *
 * - killed before the section, it has not received anything; the item is still in
 *   the queue, or in the node of a wait, from where `waiters.ts` puts it back;
 * - killed after it, the parcel is in its list. Whoever cleans up after a thread
 *   goes through the list (`reaper.ts`) and calls {@linkcode abandon}, as is done
 *   for waits, whether the thread was killed, ran out of memory, or ended by
 *   itself. Only one thread cleans up after another;
 * - killed after it was settled, there is nothing to do.
 *
 * A delayed item leaves the list, too, so it has nothing to do with its thread
 * any more. It belongs to the queue, and the first get after it is due puts it
 * back. One that sleeps at the queue wakes up for that (`Protocol.tick`).
 *
 * The queue must not go while an item is out: each delivery has a reference.
 *
 * @module
 */

import {
  add,
  addDraft,
  allocateNode,
  bytes,
  deallocate,
  DeliveryEnd,
  doubles,
  Field,
  firstOf,
  freeNode,
  giveBack,
  load,
  lock,
  Node,
  noteSettled,
  referenceDraft,
  releaseReference,
  self,
  Slot,
  store,
  TRACING,
  unlistNode,
  unlock,
  waitEpoch,
  Wake,
  wakeSlot,
  words,
} from "../../threading/_ground.ts";
import {
  commitRecord,
  decode,
  draftRecord,
  loadModulesOf,
  ModuleNotLoaded,
  readRecord,
} from "../../threading/_threads.ts";
import {
  copyFromNode,
  copyPlace,
  delayParcel,
  nextParcel,
  own,
  Parcel,
  PARCEL_WORDS,
  releasePlace,
  removeNext,
  returnParcel,
  unlinkParcel,
} from "./items.ts";
import {
  bareIn,
  isBare,
  messageLengthIn,
  messageOf,
  NodeItem,
  Order,
  parcelIn,
  QueueField,
  recordIn,
  WaitFlag,
  writeBare,
  writeParcel,
  writeRecord,
} from "./layout.ts";
import { messageOfEntry, SlotField } from "./priority_heap.ts";
import { enter, leave } from "./ring.ts";
import {
  abandon as abandonWait,
  countThrownAway,
  endPatient,
  feedGetters,
  finishOne,
  isDropping,
  releaseHanded,
  releaseJoiners,
  wakeHanded,
} from "./waiters.ts";

/** Parcels of this thread that are empty. They are in its list, so they end with it. */
let spares: number[] = [];
let sparesEpoch = 0;
const MAX_SPARES = 4;

/** Where a receive has its parcel, which changes if an item cannot be read. */
export interface Delivering {
  parcel: number;
}

/** An empty parcel of this thread. */
export function draftParcel(): number {
  if (sparesEpoch !== waitEpoch) {
    // They belonged to a thread that has ended.
    spares = [];
    sparesEpoch = waitEpoch;
  }
  return spares.pop() ?? allocateNode(0, 0, PARCEL_WORDS);
}

/** Gives back a parcel that is empty. */
export function discardParcel(parcel: number): void {
  if (spares.length < MAX_SPARES) spares.push(parcel);
  else freeNode(parcel);
}

/** With an item at this place, which is no longer in the queue: delivers it. */
export function deliver(queue: number, parcel: number, place: number): void {
  copyPlace(queue, parcel + Parcel.place, place);
  words[parcel + Parcel.deliveries] = 1;
  own(queue, parcel);
}

/** Delivers an item of a queue with hooks, whose record is linked now. */
export function deliverRecord(
  queue: number,
  parcel: number,
  record: number,
): void {
  writeRecord(parcel + Parcel.place, record);
  words[parcel + Parcel.deliveries] = 1;
  own(queue, parcel);
}

/** Delivers the item of a parcel that is in no line, and gives that back. */
function redeliver(queue: number, parcel: number, old: number): void {
  deliver(queue, parcel, old + Parcel.place);
  words[parcel + Parcel.deliveries] = words[old + Parcel.deliveries] + 1;
  deallocate(old);
}

/** Under the mutex, with closed ends and an item there: delivers the next one. */
export function deliverNext(queue: number, parcel: number): void {
  const old = nextParcel(queue);
  if (old === 0) {
    deliver(queue, parcel, removeNext(queue));
  } else {
    unlinkParcel(queue, old);
    redeliver(queue, parcel, old);
  }
}

/** Under the mutex: delivers what a node was handed. */
export function deliverHanded(
  queue: number,
  parcel: number,
  node: number,
): void {
  const old = parcelIn(node + NodeItem.cell);
  if (old !== 0) {
    redeliver(queue, parcel, old);
  } else {
    copyFromNode(queue, parcel + Parcel.place, node);
    words[parcel + Parcel.deliveries] = 1;
    own(queue, parcel);
  }
  releaseHanded(queue, node);
}

/**
 * An item of a queue with hooks that is about to be handed over, in a parcel that
 * this thread owns until {@linkcode handPrepared} or {@linkcode dropPrepared}.
 *
 * @throws {NotSendableError} If it cannot be sent.
 * @throws {HeapExhaustedError} If there is no room.
 */
export function prepareItem(queue: number, item: unknown): number {
  const parcel = draftParcel();
  let record = 0;
  try {
    if (!isBare(item)) record = draftRecord(item);
  } catch (error) {
    discardParcel(parcel);
    throw error;
  }
  lock(self + Slot.mutex);
  if (record === 0) {
    writeBare(parcel + Parcel.place, item);
  } else {
    commitRecord(record);
    writeRecord(parcel + Parcel.place, record);
  }
  words[parcel + Parcel.deliveries] = 0;
  words[parcel + Node.flags] = WaitFlag.prepared;
  words[parcel + Node.state] = Wake.granted;
  add(queue + Field.references, 1);
  words[parcel + Node.object] = queue;
  unlock(self + Slot.mutex);
  return parcel;
}

/** Gives back an item that is not handed over after all. */
export function dropPrepared(parcel: number): void {
  lock(self + Slot.mutex);
  const queue = words[parcel + Node.object];
  releasePlace(parcel + Parcel.place, false);
  words[parcel + Node.object] = 0;
  releaseReference(queue);
  unlock(self + Slot.mutex);
  discardParcel(parcel);
}

/** Under the mutex: hands it over to a node that has left its line. */
export function handPrepared(
  queue: number,
  parcel: number,
  node: number,
): void {
  unlistNode(parcel);
  words[parcel + Node.flags] = 0;
  words[parcel + Node.object] = 0;
  // It is not the last one: this thread has a handle.
  add(queue + Field.references, -1);
  writeParcel(node + NodeItem.cell, parcel);
  wakeHanded(queue, node);
}

/** How often the item of a delivery was received. */
export function deliveriesOf(parcel: number): number {
  return words[parcel + Parcel.deliveries];
}

/**
 * Reads the item of a delivery of this thread.
 *
 * @throws {ModuleNotLoaded} If a module must be imported first.
 */
export function readDelivery(queue: number, parcel: number): unknown {
  const cell = cellOf(queue, parcel);
  if (cell === 0) return doubles[parcel + Parcel.place >> 1];
  const length = messageLengthIn(cell);
  if (length !== 0) {
    const inSlot = words[queue + QueueField.order] === Order.priority;
    const at = (inSlot ? messageOfEntry(cell) : messageOf(cell)) * 4;
    return decode(bytes, at, at + length);
  }
  const record = recordIn(cell);
  return record === 0 ? bareIn(cell) : readRecord(record);
}

/** The record of a delivery's item, or 0. */
export function recordOf(queue: number, parcel: number): number {
  const cell = cellOf(queue, parcel);
  return cell === 0 ? 0 : recordIn(cell);
}

/** Where the item is; 0 if it is the number in a slot. */
function cellOf(queue: number, parcel: number): number {
  const place = parcel + Parcel.place;
  return words[queue + QueueField.order] === Order.priority
    ? words[place + SlotField.entry]
    : place;
}

/**
 * Settles a delivery of this thread: the item leaves the queue's care.
 *
 * @param done Whether it counts as done; if not, somebody calls `taskDone` for it.
 * @returns Whether it could be counted.
 */
export function settle(queue: number, parcel: number, done: boolean): boolean {
  lock(queue + Field.mutex);
  releasePlace(
    parcel + Parcel.place,
    words[queue + QueueField.order] === Order.priority,
  );
  words[parcel + Node.object] = 0;
  const counted = !done || finishOne(queue);
  add(queue + QueueField.out, -1);
  endPatient(queue);
  const isLast = releaseQueue(queue);
  unlock(queue + Field.mutex);
  if (isLast) giveBack(queue);
  discardParcel(parcel);
  return counted;
}

/**
 * Under the mutex: gives back a delivery's reference to the queue.
 *
 * @returns Whether it was the last one: then this thread has it for the moment,
 * and gives it back behind the section, which still needs the queue.
 */
function releaseQueue(queue: number): boolean {
  if (add(queue + Field.references, -1) !== 1) return false;
  // Nobody else can get one any more.
  store(queue + Field.references, 1);
  addDraft(referenceDraft(queue));
  return true;
}

/** Gives a delivery of this thread back to its queue, now or in `delay` ms. */
export function bringBack(queue: number, parcel: number, delay: number): void {
  enter(queue);
  sendBack(queue, parcel, delay);
  const isLast = releaseQueue(queue);
  leave(queue);
  if (isLast) giveBack(queue);
}

/** As if it had never been received: the reading of it failed. */
export function undoDelivery(queue: number, parcel: number): void {
  words[parcel + Parcel.deliveries]--;
  bringBack(queue, parcel, 0);
}

/**
 * Reads a parcel that a get has taken, and settles it.
 *
 * @throws Why it cannot be read. Then it is where it was if its module must be
 * awaited, or if the queue has hooks, whose items stay if `_get` throws.
 */
export function readParcel(queue: number, parcel: number): unknown {
  let item: unknown;
  try {
    item = readDelivery(queue, parcel);
  } catch (error) {
    const stays = error instanceof ModuleNotLoaded ||
      words[queue + QueueField.order] === Order.custom;
    if (stays) undoDelivery(queue, parcel);
    else settle(queue, parcel, false);
    throw error;
  }
  settle(queue, parcel, false);
  return item;
}

/** Loads the modules that a parcel needs which a get has taken, and reads it. */
export async function loadParcel(
  queue: number,
  parcel: number,
): Promise<unknown> {
  const epoch = waitEpoch;
  try {
    await loadModulesOf(recordOf(queue, parcel));
  } catch (error) {
    if (epoch === waitEpoch) settle(queue, parcel, false);
    throw error;
  }
  // If its thread has ended, others have given it back.
  if (epoch !== waitEpoch) return new Promise(() => {});
  return readParcel(queue, parcel);
}

/**
 * Under the mutex, with closed ends: puts the item of a delivery back, of this
 * thread or of a dead one.
 */
function sendBack(queue: number, parcel: number, delay: number): void {
  unlistNode(parcel);
  words[parcel + Node.flags] = 0;
  if (isDropping(queue)) {
    releasePlace(
      parcel + Parcel.place,
      words[queue + QueueField.order] === Order.priority,
    );
    deallocate(parcel);
    countThrownAway(queue, 1);
    releaseJoiners(queue);
  } else if (delay > 0) {
    delayParcel(queue, parcel, delay);
    wakeSleepers(queue);
    return;
  } else {
    returnParcel(queue, parcel);
    feedGetters(queue);
  }
  add(queue + QueueField.out, -1);
  endPatient(queue);
}

/** Makes those who wait for an item look when the next one comes back. */
function wakeSleepers(queue: number): void {
  let node = firstOf(queue, QueueField.getters);
  for (; node !== 0; node = words[node + Node.next]) {
    wakeSlot(words[node + Node.slot]);
  }
}

/**
 * Passes on what a dead thread's node has: what a wait was given, or a delivery.
 *
 * @returns Whether the node belongs to the queue now.
 */
export function abandon(queue: number, node: number, state: number): boolean {
  const flags = words[node + Node.flags];
  if (flags & WaitFlag.prepared) {
    abandonPrepared(queue, node);
    return false;
  }
  if (!(flags & WaitFlag.delivered)) {
    abandonWait(queue, node, state);
    return false;
  }
  // All of that thread at once, the last one first, so they keep their order.
  const parcels: number[] = [];
  const slot = words[node + Node.slot];
  let each = words[slot + Slot.nodes];
  for (; each !== 0; each = words[each + Node.listNext]) {
    const isOfQueue = words[each + Node.object] === queue &&
      words[each + Node.flags] & WaitFlag.delivered;
    if (isOfQueue) parcels.push(each);
  }
  parcels.sort((a, b) =>
    words[b + Parcel.serial] - words[a + Parcel.serial] | 0
  );
  enter(queue);
  let isLast = false;
  for (const parcel of parcels) {
    if (words[TRACING] !== 0) {
      noteSettled(parcel, words[parcel + Node.tid], DeliveryEnd.death);
    }
    sendBack(queue, parcel, 0);
    isLast = releaseQueue(queue);
  }
  leave(queue);
  if (isLast) giveBack(queue);
  return true;
}

function abandonPrepared(queue: number, parcel: number): void {
  lock(queue + Field.mutex);
  releasePlace(parcel + Parcel.place, false);
  words[parcel + Node.flags] = 0;
  const isLast = releaseQueue(queue);
  unlock(queue + Field.mutex);
  if (isLast) giveBack(queue);
}

/** Whether this thread is about to end: others give everything back then. */
export function isEnding(): boolean {
  return load(self + Slot.dying) !== 0;
}
