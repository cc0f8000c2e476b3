/**
 * Who waits at a queue: serving them in order of arrival, and what becomes of
 * what they were given or leave behind. All of it happens under the queue's
 * mutex with the ends closed. A thread that puts an item in, takes one out or
 * gives up a wait serves the others before it releases the mutex, so no wake-up
 * is lost.
 *
 * A put that waits leaves its items in a block with its node. They go in as soon
 * as there is room, even if their thread is busy. In a queue with hooks that
 * takes code of the user's, which cannot run here: see `transaction.ts`.
 *
 * A get that waits is handed the next item as soon as there is one: it goes to
 * the node, and the get reads it from there. So later items go to later gets.
 * In a queue with hooks, taking it out is code of the user's, too: the
 * transaction that puts it in does it.
 *
 * A node of a selection (`threading/_memory/selection.ts`) is claimed before it is
 * given anything. If the selection has been given something else, the next one in
 * line has its turn. Where there is no room, a put needs a get that is sure to
 * take the item, so the get is claimed first.
 *
 * What a node has belongs to the queue. If its thread is killed or gives up, the
 * items of a put go with it, and a handed item goes back to where it was. The
 * same happens while a thread blocks: its own tasks cannot go on, so others get
 * what they were woken for.
 *
 * In a queue with hooks, the thread that makes room or an item may fail to run
 * the hooks of those that wait. Then the first of these is nudged: woken to run
 * them in its own thread. It stays in line, so that nobody overtakes it, and
 * others may serve it meanwhile. As long as some waiter in line could be
 * served, there is one that was nudged; if that one ends or cannot go on, it
 * nudges the next. One of a selection is called instead: it leaves the line,
 * and if it finds nothing, joins it again at the head. Others never run hooks
 * for it, since it may have been given something else by the end.
 *
 * @module
 */

import {
  add,
  claim,
  COUNTED,
  dequeue,
  doubles,
  enqueueFirst,
  Field,
  firstOf,
  firstOther,
  isChosen,
  isOwnCase,
  isOwnTask,
  isSelected,
  load,
  lock,
  Node,
  type Protocol,
  releaseReference,
  removeDraft,
  self,
  Slot,
  tryLock,
  unlock,
  Wake,
  wake,
  wakeAll,
  wakeSlot,
  words,
} from "../../threading/_ground.ts";
import { countOf, insertBlock } from "./blocks.ts";
import {
  moveToNode,
  putBack,
  putBackFromNode,
  releaseFromNode,
  releaseItems,
  releaseParcels,
  returnParcel,
  untilDue,
} from "./items.ts";
import {
  END_SHIFT,
  NO_NUMBER,
  NO_ROOM,
  NodeItem,
  Order,
  parcelIn,
  Put,
  QueueField,
  ShutDownMode,
  taken,
  WaitFlag,
} from "./layout.ts";
import {
  close,
  enter,
  growTo,
  hasPlaces,
  leave,
  open,
  unfinishedIn,
} from "./ring.ts";

function isCustom(queue: number): boolean {
  return words[queue + QueueField.order] === Order.custom;
}

/** Under the mutex: the number of items, with those that came back. */
export function availableIn(queue: number): number {
  return words[queue + QueueField.length] +
    words[queue + QueueField.returnedCount];
}

/**
 * Under the mutex of a queue that was shut down: whether a patient get, which
 * waits for what is out, goes on waiting.
 */
export function mayComeBack(queue: number): boolean {
  return words[queue + QueueField.shutDown] === ShutDownMode.drains &&
    (load(queue + QueueField.out) | availableIn(queue)) !== 0;
}

/**
 * After an item was taken, dropped or acknowledged: wakes the patient gets of a
 * queue that was shut down if nothing can come any more. They look again under
 * the mutex, and end.
 */
export function endPatient(queue: number): void {
  if (words[queue + QueueField.shutDown] === 0 || mayComeBack(queue)) return;
  for (let node; (node = firstOf(queue, QueueField.getters)) !== 0;) {
    dequeue(node);
    rouse(node);
  }
}

/** Under the mutex: lets a node look again that has been taken out of its line. */
export function rouse(node: number): void {
  const flags = words[node + Node.flags];
  if (flags & WaitFlag.nudged) {
    words[node + Node.flags] = flags & ~WaitFlag.nudged;
    // It was woken before; if its thread is blocked, that is to look again, too.
    wakeSlot(words[node + Node.slot]);
  } else {
    wake(node, Wake.retry);
  }
}

/** Under the mutex: how many items there are that nobody waits for. */
export function spareIn(queue: number): number {
  const available = availableIn(queue);
  return available - waitingIn(queue, available);
}

/** How many gets are in line, at the most so many. */
export function waitingIn(queue: number, most: number): number {
  let count = 0;
  let node = firstOf(queue, QueueField.getters);
  for (; node !== 0 && count < most; node = words[node + Node.next]) count++;
  return count;
}

/**
 * Under the mutex: whether the limit leaves room for so many items. Where there
 * is none, somebody must wait for each; {@linkcode secureGetter} tells for sure.
 */
export function hasRoom(queue: number, count: number): boolean {
  const limit = words[queue + QueueField.limit];
  const available = availableIn(queue);
  if (limit !== NO_ROOM) return available <= limit - count;
  return available + count <= waitingIn(queue, available + count);
}

/**
 * Under the mutex: whether there may be room for a put of so many items that is
 * not in line. It must not overtake those who are. Where there is no room, there
 * are either puts in line or gets, or else both are of one selection, which does
 * not serve itself: then the put is for such a get.
 */
export function mayPut(queue: number, count: number): boolean {
  const inLine = words[queue + QueueField.putters] !== 0 &&
    words[queue + QueueField.limit] !== NO_ROOM;
  return !inLine && hasRoom(queue, count);
}

/**
 * Under the mutex, before an item goes into a queue without room, in the same
 * section: makes sure that the first get in line takes it.
 *
 * @returns Whether there is one.
 */
export function secureGetter(queue: number): boolean {
  if (words[queue + QueueField.limit] !== NO_ROOM) return true;
  for (;;) {
    const node = firstForeign(queue, QueueField.getters);
    if (node === 0 || !isSelected(node)) return node !== 0;
    dequeue(node);
    if (!claim(node)) continue;
    enqueueFirst(queue, QueueField.getters, node);
    return true;
  }
}

/** Lets a get go on that was secured, and for which there is no item after all. */
function releaseSecured(queue: number): void {
  const node = firstOf(queue, QueueField.getters);
  if (node === 0 || !isChosen(node)) return;
  dequeue(node);
  wake(node, Wake.retry);
}

/** The first node of a line that is none of the selection that looks at it. */
function firstForeign(queue: number, line: number): number {
  let node = firstOf(queue, line);
  while (node !== 0 && isOwnCase(node)) node = words[node + Node.next];
  return node;
}

/**
 * With the ends closed: lets the first put of a `SynchronousQueue` go in, whose
 * item is taken in this very section.
 */
export function admitOne(queue: number): void {
  if (words[queue + QueueField.limit] !== NO_ROOM) return;
  // What came back comes first.
  while (availableIn(queue) <= 0) {
    const node = firstForeign(queue, QueueField.putters);
    if (node === 0) return;
    // In line are at most the gets of the put's own selection, see `mayPut`.
    if (admit(queue, node)) feedGetters(queue);
  }
}

/** After items were put in: serves those who wait for one. */
export function feedGetters(queue: number): void {
  while (feed(queue, firstOf(queue, QueueField.getters)));
}

/** Like {@linkcode feedGetters}, but passes over the tasks of this thread. */
function feedOthers(queue: number): void {
  while (feed(queue, firstOther(queue, QueueField.getters)));
}

/** Serves a getter; false if there is none, or no item that needs no hooks. */
function feed(queue: number, node: number): boolean {
  if (node === 0) return false;
  if (isCustom(queue) && words[queue + QueueField.returned] === 0) {
    nudgeGet(queue, node);
    return false;
  }
  if (availableIn(queue) <= 0) return false;
  dequeue(node);
  if (!claim(node)) return true;
  moveToNode(queue, node);
  wakeHanded(queue, node);
  return true;
}

/** Under the mutex: a node that is in no line has an item now. */
export function noteHanded(queue: number, node: number): void {
  words[node + Node.flags] |= WaitFlag.handed;
  // It may come back.
  add(queue + QueueField.out, 1);
}

/** Under the mutex: wakes a node that has left its line with an item. */
export function wakeHanded(queue: number, node: number): void {
  noteHanded(queue, node);
  // Last: a blocked thread looks at the flags of its tasks without the mutex.
  rouse(node);
}

/** Under the mutex: a node has taken what it was handed, or it went back. */
export function releaseHanded(queue: number, node: number): void {
  words[node + Node.flags] &= ~WaitFlag.handed;
  add(queue + QueueField.out, -1);
}

/**
 * Under the mutex: whether a node comes before those in line, since it gave back
 * the item that it had been handed. It does so once.
 */
export function takeTurn(node: number): boolean {
  const isNext = (words[node + Node.flags] & WaitFlag.declined) !== 0;
  words[node + Node.flags] &= ~WaitFlag.declined;
  return isNext;
}

/** After items were taken out: puts in those that wait for room. */
export function admitPutters(queue: number): void {
  for (;;) {
    const node = firstOf(queue, QueueField.putters);
    if (node === 0) break;
    const count = countOf(words[node + NodeItem.block]);
    if (!hasRoom(queue, count) || !hasPlaces(queue, count)) return;
    if (!secureGetter(queue)) return;
    if (!admit(queue, node)) continue;
    if (firstOf(queue, QueueField.getters) !== 0) feedGetters(queue);
  }
  releaseSecured(queue);
}

/**
 * Puts in what a node waits with; false if it cannot be compared, or is of a
 * selection that was given something else.
 */
function admit(queue: number, node: number): boolean {
  const block = words[node + NodeItem.block];
  const count = countOf(block);
  dequeue(node);
  if (!claim(node)) return false;
  const done = insertBlock(queue, block);
  releaseReference(block);
  wake(node, done ? Put.done : Put.mismatch);
  if (done) countPut(queue, count);
  return done;
}

/**
 * Under the mutex of a queue with hooks: if there is room for the first put that
 * waits, wakes the put of a node to run the hooks. The node stays in line, so
 * nobody overtakes it. Another thread may run the hooks first.
 */
export function nudge(queue: number, node: number): void {
  while (node !== 0 && !(words[node + Node.flags] & WaitFlag.nudged)) {
    const first = firstOf(queue, QueueField.putters);
    if (!hasRoom(queue, countOf(words[first + NodeItem.block]))) return;
    const next = words[node + Node.next];
    if (nudgeOne(node)) return;
    node = next;
  }
}

/** Wakes a node to run hooks; false if it is of a selection that does not wait. */
function nudgeOne(node: number): boolean {
  if (isSelected(node)) {
    dequeue(node);
    if (!claim(node)) return false;
    words[node + Node.flags] |= WaitFlag.called;
  } else {
    words[node + Node.flags] |= WaitFlag.nudged;
  }
  wake(node, Wake.retry);
  return true;
}

/**
 * Under the mutex of a queue with hooks: if there is an item, wakes the get of a
 * node in line to run them.
 */
export function nudgeGet(queue: number, node: number): void {
  if (words[queue + QueueField.length] <= 0) return;
  while (node !== 0 && !(words[node + Node.flags] & WaitFlag.nudged)) {
    const next = words[node + Node.next];
    if (nudgeOne(node)) return;
    node = next;
  }
}

/** Under the mutex: whether a node was called, which counts once. */
export function takeCall(node: number): boolean {
  const isCalled = (words[node + Node.flags] & WaitFlag.called) !== 0;
  words[node + Node.flags] &= ~WaitFlag.called;
  return isCalled;
}

/** Under the mutex: ends the wait of a putter that is in line. */
export function endPutter(node: number, end: number): void {
  dequeue(node);
  if (!claim(node)) return;
  releaseReference(words[node + NodeItem.block]);
  if (words[node + Node.flags] & WaitFlag.nudged) endWoken(node, end);
  else wake(node, end);
}

/** Under the mutex: ends the wait of a node that was woken to retry. */
export function endWoken(node: number, end: number): void {
  words[node + Node.flags] |= WaitFlag.ended | end << END_SHIFT;
}

/** Under the mutex: how the wait of a woken node ended, if it did. */
export function endOf(node: number): number | undefined {
  const flags = words[node + Node.flags];
  return flags & WaitFlag.ended ? flags >> END_SHIFT : undefined;
}

/** Under the mutex: cleans up after a wait that gave up. */
export function withdraw(queue: number, node: number): void {
  if (words[node + Node.queue] !== QueueField.putters) return;
  releaseReference(words[node + NodeItem.block]);
  passTurn(queue);
}

/** A put that gave up may have kept smaller ones behind it from going in. */
function passTurn(queue: number): void {
  if (isCustom(queue)) {
    nudge(queue, firstOf(queue, QueueField.putters));
  } else {
    admitPutters(queue);
    open(queue);
  }
}

/**
 * This thread blocks, so its tasks cannot go on: gives others what one of them
 * was woken for.
 */
export function decline(queue: number, node: number): void {
  if (words[node + Node.state] !== Wake.retry) return;
  const flags = words[node + Node.flags];
  if (flags & WaitFlag.handed) {
    returnHanded(queue, self, feedOthers, true);
  } else if (flags & (WaitFlag.nudged | WaitFlag.called)) {
    lock(queue + Field.mutex);
    nudge(queue, firstOther(queue, QueueField.putters));
    nudgeGet(queue, firstOther(queue, QueueField.getters));
    unlock(queue + Field.mutex);
  }
}

/**
 * Lets others have what a node was woken for, whose wait has been cancelled.
 *
 * @returns Whether that was possible. An item that is in stays in, and so does
 * one that the full heap has no room to take back.
 */
export function undoWake(queue: number, node: number, state: number): boolean {
  if (state !== Wake.retry) return false;
  if (words[node + Node.queue] === QueueField.putters) {
    return abandonPut(queue, node);
  }
  lock(queue + Field.mutex);
  const isOver = endOf(node) !== undefined;
  const isHanded = (words[node + Node.flags] & WaitFlag.handed) !== 0;
  if (!isHanded) leaveNudged(queue, node);
  unlock(queue + Field.mutex);
  return isHanded ? returnHandedTo(queue, node) : !isOver;
}

/** Under the mutex: a get that may have been nudged leaves that to the next. */
function leaveNudged(queue: number, node: number): void {
  const flags = words[node + Node.flags];
  if (!(flags & (WaitFlag.nudged | WaitFlag.called))) return;
  words[node + Node.flags] = flags & ~(WaitFlag.nudged | WaitFlag.called);
  if (flags & WaitFlag.nudged) dequeue(node);
  feedGetters(queue);
}

/** Puts the item back that a node of this thread was handed; whether it could. */
function returnHandedTo(queue: number, node: number): boolean {
  for (;;) {
    enter(queue);
    // A task of this thread's may have given it back while the thread blocked.
    const isHanded = (words[node + Node.flags] & WaitFlag.handed) !== 0;
    const isParcel = parcelIn(node + NodeItem.cell) !== 0;
    if (!isHanded || isParcel || isDropping(queue) || hasPlaces(queue, 1)) {
      if (isHanded) {
        (isDropping(queue) ? dropHanded : putBackHanded)(queue, node);
      }
      feedGetters(queue);
      leave(queue);
      return true;
    }
    const needed = words[queue + QueueField.length] + 1;
    leave(queue);
    try {
      growTo(queue, needed);
    } catch {
      return false;
    }
  }
}

/** Passes on what a dead thread's node was given and did not take. */
export function abandon(queue: number, node: number, state: number): void {
  if (state !== Wake.retry) return;
  if (words[node + Node.queue] === QueueField.putters) {
    abandonPut(queue, node);
    return;
  }
  // As long as it is in line, others may hand it an item.
  lock(queue + Field.mutex);
  leaveNudged(queue, node);
  unlock(queue + Field.mutex);
  if (words[node + Node.flags] & WaitFlag.handed) {
    const slot = words[node + Node.slot];
    if (!returnHanded(queue, slot, feedGetters)) loseHanded(queue, slot);
  }
}

/** The same for a put that was woken to run hooks; whether it had not ended. */
function abandonPut(queue: number, node: number): boolean {
  lock(queue + Field.mutex);
  const isOpen = endOf(node) === undefined;
  if (isOpen) {
    if (words[node + Node.flags] & WaitFlag.nudged) dequeue(node);
    releaseReference(words[node + NodeItem.block]);
    passTurn(queue);
  }
  unlock(queue + Field.mutex);
  return isOpen;
}

/**
 * Puts all items back that a thread's nodes were handed, in the order they had.
 *
 * @param queue The queue.
 * @param slot The slot of the thread: this one's, or that of a dead one.
 * @param feed Serves others with them, under the mutex.
 * @param tasksOnly Whether the blocking waits are left out: those of a thread that
 * goes on take their items themselves.
 * @returns `false` if the heap is full; the nodes still have the items.
 */
function returnHanded(
  queue: number,
  slot: number,
  feed: (queue: number) => void,
  tasksOnly = false,
): boolean {
  for (;;) {
    enter(queue);
    const count = countHanded(queue, slot, tasksOnly);
    if (count === 0 || isDropping(queue) || hasPlaces(queue, count)) break;
    const needed = words[queue + QueueField.length] + count;
    leave(queue);
    try {
      growTo(queue, needed);
    } catch {
      return false;
    }
  }
  const undo = isDropping(queue) ? dropHanded : putBackHanded;
  eachHanded(queue, slot, tasksOnly, undo);
  feed(queue);
  leave(queue);
  return true;
}

/** When the heap is full: what a dead thread's nodes were handed is lost. */
function loseHanded(queue: number, slot: number): void {
  lock(queue + Field.mutex);
  eachHanded(queue, slot, false, dropHanded);
  unlock(queue + Field.mutex);
}

/** How many of them need a place; a parcel needs none. */
function countHanded(
  queue: number,
  slot: number,
  tasksOnly: boolean,
): number {
  let count = 0;
  eachHanded(queue, slot, tasksOnly, (_queue, node) => {
    if (parcelIn(node + NodeItem.cell) === 0) count++;
  });
  return count;
}

/**
 * Under the mutex: visits each node of a thread that was handed an item, in the
 * order in which the items go back: the last one first into a ring, whose front
 * they join, the first one first onto a stack. A thread lists its nodes with the
 * last one first. The node of its blocking wait came after them all.
 */
function eachHanded(
  queue: number,
  slot: number,
  tasksOnly: boolean,
  visit: (queue: number, node: number) => void,
): void {
  const visitHanded = (node: number) => {
    const isHanded = words[node + Node.object] === queue &&
      words[node + Node.queue] === QueueField.getters &&
      words[node + Node.state] === Wake.retry &&
      words[node + Node.flags] & WaitFlag.handed;
    if (isHanded && !(tasksOnly && !isOwnTask(node))) visit(queue, node);
  };
  const own = slot + Slot.node;
  const first = words[slot + Slot.nodes];
  if (words[queue + QueueField.order] === Order.fifo || isCustom(queue)) {
    visitHanded(own);
    for (let node = first; node !== 0; node = words[node + Node.listNext]) {
      visitHanded(node);
    }
    return;
  }
  let last = first;
  while (last !== 0 && words[last + Node.listNext] !== 0) {
    last = words[last + Node.listNext];
  }
  for (let node = last; node !== 0; node = words[node + Node.listPrevious]) {
    visitHanded(node);
    if (node === first) break;
  }
  visitHanded(own);
}

function putBackHanded(queue: number, node: number): void {
  releaseHanded(queue, node);
  const parcel = parcelIn(node + NodeItem.cell);
  if (parcel !== 0) returnParcel(queue, parcel);
  else putBackFromNode(queue, node);
}

function dropHanded(queue: number, node: number): void {
  releaseHanded(queue, node);
  releaseFromNode(queue, node);
  countThrownAway(queue, 1);
  releaseJoiners(queue);
  endPatient(queue);
}

/** Under the mutex: whether what comes back is thrown away. */
export function isDropping(queue: number): boolean {
  return words[queue + QueueField.shutDown] === ShutDownMode.immediate;
}

/**
 * Puts the item in {@linkcode taken} back, which could not be read. Not under
 * the mutex.
 *
 * @returns Whether it is back. If not, the heap is full or the queue has ended,
 * and the item is still this thread's.
 */
export function returnTaken(queue: number): boolean {
  const { record, entry, beginning, sequence } = taken;
  for (;;) {
    enter(queue);
    if (hasPlaces(queue, 1) || isDropping(queue)) break;
    const needed = words[queue + QueueField.length] + 1;
    leave(queue);
    try {
      growTo(queue, needed);
    } catch {
      Object.assign(taken, { record, entry, beginning, sequence });
      return false;
    }
  }
  if (isDropping(queue)) {
    countThrownAway(queue, 1);
    releaseJoiners(queue);
    leave(queue);
    return false;
  }
  Object.assign(taken, { entry, beginning, sequence });
  putBack(queue, record, NO_NUMBER);
  removeDraft(record | COUNTED);
  if (entry !== 0) removeDraft(entry);
  feedGetters(queue);
  leave(queue);
  return true;
}

/** Under the mutex: ends a queue. */
export function shutDown(queue: number, immediate: boolean): void {
  const mode = immediate ? ShutDownMode.immediate : ShutDownMode.drains;
  words[queue + QueueField.shutDown] = Math.max(
    mode,
    words[queue + QueueField.shutDown],
  );
  if (immediate) {
    countThrownAway(queue, releaseParcels(queue));
    if (!isCustom(queue)) {
      countThrownAway(queue, words[queue + QueueField.length]);
      releaseItems(queue);
    }
    releaseJoiners(queue);
  }
  for (;;) {
    const node = firstOf(queue, QueueField.putters);
    if (node === 0) break;
    endPutter(node, Wake.refused);
  }
  // Patient ones stay in line, in their order, while something may come back.
  const stay = mayComeBack(queue);
  for (let node = firstOf(queue, QueueField.getters); node !== 0;) {
    const next = words[node + Node.next];
    if (!stay || !(words[node + Node.flags] & WaitFlag.patient)) {
      dequeue(node);
      rouse(node);
    }
    node = next;
  }
}

/**
 * With the ends closed: puts back the items whose delay is over.
 *
 * @returns In how many milliseconds the next one comes back, or `Infinity`.
 */
export function admitDue(queue: number): number {
  for (;;) {
    const wait = untilDue(queue);
    if (wait > 0) return wait;
    const parcel = firstOf(queue, QueueField.delayed);
    dequeue(parcel);
    returnParcel(queue, parcel);
    add(queue + QueueField.out, -1);
    feedGetters(queue);
  }
}

/**
 * Outside of critical sections, while something is delayed: puts back what is
 * due.
 *
 * @returns When to look again, by `performance.now()`; `Infinity` for never.
 */
export function tick(queue: number): number {
  if (load(queue + QueueField.delayed) === 0) return Infinity;
  // If the queue is damaged, those who wait are told elsewhere.
  if (!tryLock(queue + Field.mutex)) return Infinity;
  close(queue);
  const wait = admitDue(queue);
  leave(queue);
  return performance.now() + wait;
}

/** How `join` waits. */
export const joinProtocol: Protocol = {
  take(queue) {
    return unfinished(queue) <= 0 ? Wake.granted : Wake.waiting;
  },
  undo: () => true,
  news: true,
};

/** Counts items that were put into a queue without hooks whose ends are closed. */
export function countPut(queue: number, count: number): void {
  doubles[queue + QueueField.unfinished >> 1] += count;
}

/** Counts items as done that are thrown away. */
export function countThrownAway(queue: number, count: number): void {
  const at = queue + QueueField.unfinished >> 1;
  doubles[at] = Math.max(0, doubles[at] - count);
}

/** How many items were put and not yet reported as done. */
function unfinished(queue: number): number {
  const count = unfinishedIn(queue);
  return isCustom(queue) ? count + words[queue + QueueField.length] : count;
}

/** Reports an item as done; false if there is none left. */
export function finishOne(queue: number): boolean {
  if (unfinished(queue) <= 0) return false;
  doubles[queue + QueueField.unfinished >> 1]--;
  releaseJoiners(queue);
  return true;
}

/** Wakes those in join() if all items are done. */
export function releaseJoiners(queue: number): void {
  if (unfinished(queue) <= 0) {
    wakeAll(queue, QueueField.joiners, Wake.granted);
  }
}
