/**
 * Puts and gets of queues whose order is code of the user's, which runs in
 * transactions (`transaction.ts`): the attempts, and how they wait.
 *
 * @module
 */

import {
  commitRecord,
  decode,
  draftRecord,
  dropRecord,
  encode,
  loadModule,
  ModuleNotLoaded,
  takeRecord,
} from "../../threading/_threads.ts";
import {
  ADDRESS,
  addressOf,
  allocateNode,
  COUNTED,
  dequeue,
  Field,
  firstOf,
  freeNode,
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
  waitSync,
  Wake,
  words,
} from "../../threading/_ground.ts";
import { GET, getShutDown, PUT, putShutDown } from "../errors.ts";
import { countOf, linkBlock, setTicket, unlinkBlock } from "./blocks.ts";
import { clearList, type Hooked } from "./custom_list.ts";
import { moveToNode, nextSequence, takeFromNode } from "./items.ts";
import {
  deliverHanded,
  type Delivering,
  deliverNext,
  deliverRecord,
  discardParcel,
  draftParcel,
  readDelivery,
  readParcel,
  undoDelivery,
} from "./deliveries.ts";
import {
  isBare,
  NodeItem,
  Put,
  QueueField,
  taken,
  WaitFlag,
} from "./layout.ts";
import { sizeOf } from "./ring.ts";
import {
  admitDue,
  availableIn,
  decline,
  endOf,
  endWoken,
  feedGetters,
  hasRoom,
  isDropping,
  mayComeBack,
  noteHanded,
  nudge,
  nudgeGet,
  releaseHanded,
  shutDown,
  spareIn,
  takeCall,
  takeTurn,
  tick,
  undoWake,
  waitingIn,
  withdraw,
} from "./waiters.ts";
import {
  type OwnGet,
  serve,
  sizeBy,
  transact,
  transactBare,
} from "./transaction.ts";

/**
 * A copy of an item, as it would arrive, with no getters in it: they are the
 * user's code and run once, now.
 *
 * @throws {NotSendableError} If it cannot be sent.
 */
export function copyOf(item: unknown): unknown {
  if (isBare(item) || typeof item === "string") return item;
  const { bytes, length, references } = encode(item);
  // A getter may have freed one of them.
  for (const reference of references) addressOf(reference);
  return decode(bytes, 0, length);
}

/**
 * Puts items together if there is room for all.
 *
 * @param settle Ends the wait of a put that has waited.
 * @returns Whether they are in.
 */
export function tryPut(
  handle: Hooked,
  queue: number,
  items: readonly unknown[],
  settle?: () => void,
): boolean {
  let done = false;
  transact(handle, PUT, () => {
    if (words[queue + QueueField.shutDown] !== 0) throw putShutDown();
    if (words[queue + QueueField.putters] !== 0 && settle === undefined) {
      return {};
    }
    const size = sizeBy(handle) + words[queue + QueueField.returnedCount];
    if (size > words[queue + QueueField.limit] - items.length) return {};
    for (const item of items) handle._put(item);
    done = true;
    return { puts: true, settle };
  });
  return done;
}

/**
 * Gets up to `n` items.
 *
 * @param patient Whether it waits for what may come back after a shutdown.
 * @param into Has an empty parcel for the item, if it goes into a delivery.
 * @param isNext Whether it comes before those in line.
 * @returns The items; none if the queue is empty.
 * @throws {ShutDown} If it is shut down and empty.
 */
export function tryGet(
  handle: Hooked,
  queue: number,
  n: number,
  patient: boolean,
  into: Delivering | undefined,
  isNext = false,
): unknown[] {
  const items = getReturned(handle, queue, into);
  if (items.length > 0) return items;
  let record = 0;
  transact(handle, GET, () => {
    let size = isDropping(queue) ? 0 : sizeBy(handle);
    const most = Math.min(n, isNext ? size : spareOf(queue, size));
    while (items.length < most && size > 0) {
      items.push(handle._get());
      if (items.length < most) size = sizeBy(handle);
    }
    const found = items.length > 0;
    if (!found && hasEnded(queue, patient)) throw getShutDown();
    if (found && into !== undefined) record = ownRecord(items[0]);
    const settle = () => {
      if (record === 0) return;
      removeDraft(record | COUNTED);
      deliverRecord(queue, into!.parcel, record);
    };
    return { taken: items.length, settle };
  }, () => {
    if (record !== 0) dropRecord(record);
  });
  return items;
}

/**
 * How many items nobody waits for, with so many in the list, and those that
 * came back.
 */
function spareOf(queue: number, size: number): number {
  lock(queue + Field.mutex);
  const available = size + words[queue + QueueField.returnedCount];
  const spare = available - waitingIn(queue, available);
  unlock(queue + Field.mutex);
  return spare;
}

/**
 * After some items were got: gets more, up to `n`, if there are more by now,
 * from puts that waited for room, say. If something keeps it from getting one,
 * the next get finds that out.
 */
export function getMore(
  handle: Hooked,
  queue: number,
  n: number,
  items: unknown[],
): unknown[] {
  while (items.length < n && sizeOf(queue) > 0) {
    try {
      const more = tryGet(handle, queue, n - items.length, false, undefined);
      if (more.length === 0) break;
      for (const item of more) items.push(item);
    } catch {
      break;
    }
  }
  return items;
}

/**
 * A record that this thread owns as if it had taken it over. A draft could still
 * be written to, so it would keep a thread that stays in a hook from being killed.
 */
function ownRecord(item: unknown): number {
  const record = draftRecord(item);
  lock(self + Slot.mutex);
  commitRecord(record);
  takeRecord(record);
  unlock(self + Slot.mutex);
  return record;
}

/** Whether a get ends with `ShutDown` that has found nothing. */
function hasEnded(queue: number, patient: boolean): boolean {
  if (words[queue + QueueField.shutDown] === 0) return false;
  lock(queue + Field.mutex);
  const comes = words[queue + QueueField.returnedCount] !== 0 ||
    (patient && mayComeBack(queue));
  unlock(queue + Field.mutex);
  return !comes;
}

/**
 * Gets an item that came back: those come before what `_get` gives, and need no
 * hooks. It is this thread's delivery until it has been read.
 *
 * @returns The item, or nothing.
 * @throws Why it cannot be read; then it is where it was.
 */
function getReturned(
  handle: Hooked,
  queue: number,
  into: Delivering | undefined,
): unknown[] {
  if (
    (load(queue + QueueField.returned) | load(queue + QueueField.delayed)) === 0
  ) return [];
  const mine = into ?? { parcel: draftParcel() };
  if (takeReturned(queue, mine.parcel)) {
    const item = into === undefined
      ? readParcel(queue, mine.parcel)
      : readInto(queue, into);
    if (load(queue + QueueField.putters) !== 0) serveNext(handle);
    return [item];
  }
  if (into === undefined) discardParcel(mine.parcel);
  return [];
}

/**
 * Reads the item that has come into a parcel.
 *
 * @throws Why it cannot be read. Then the parcel has gone back with the item, and
 * there is another one for the next attempt.
 */
function readInto(queue: number, into: Delivering): unknown {
  const { parcel } = into;
  try {
    return readDelivery(queue, parcel);
  } catch (error) {
    into.parcel = 0;
    undoDelivery(queue, parcel);
    into.parcel = draftParcel();
    throw error;
  }
}

/**
 * After an item was got without hooks: puts in what waits for its room. The first
 * of those has been nudged, and finds out itself what keeps its hooks from it.
 */
function serveNext(handle: Hooked): void {
  try {
    serve(handle, GET);
  } catch {
    // The item must not be lost.
  }
}

/** Delivers an item that came back, if there is one that nobody else waits for. */
function takeReturned(queue: number, parcel: number): boolean {
  lock(queue + Field.mutex);
  admitDue(queue);
  const found = words[queue + QueueField.returned] !== 0 && spareIn(queue) > 0;
  if (found) {
    deliverNext(queue, parcel);
    feedGetters(queue);
    nudge(queue, firstOf(queue, QueueField.putters));
  }
  unlock(queue + Field.mutex);
  return found;
}

/** How a put waits at a queue with hooks. */
export class PutWait implements Protocol {
  /** Whether the block belongs to the node. */
  linked = false;
  /** The error of a hook that ran in this thread. */
  error: unknown;

  constructor(
    readonly handle: Hooked,
    readonly items: readonly unknown[],
    readonly block: number,
  ) {}

  take(queue: number, node: number): number {
    const end = endOf(node);
    if (end !== undefined) return end;
    if (words[node + Node.flags] & WaitFlag.nudged) {
      dequeue(node);
      words[node + Node.flags] &= ~WaitFlag.nudged;
    }
    takeCall(node);
    if (words[queue + QueueField.shutDown] !== 0) {
      if (this.linked) unlinkBlock(this.block);
      this.linked = false;
      return Put.shutDown;
    }
    // Between the attempt and here, or between two looks, there may be room.
    const isFirst = words[queue + QueueField.putters] === 0 || this.linked;
    if (isFirst && hasRoom(queue, countOf(this.block))) {
      if (this.linked) unlinkBlock(this.block);
      this.linked = false;
      return Put.again;
    }
    if (!this.linked) {
      linkBlock(this.block);
      setTicket(this.block, nextSequence(queue));
      words[node + NodeItem.block] = this.block;
      this.linked = true;
    }
    return Wake.waiting;
  }

  /** The put was nudged, or its hooks threw in another thread. */
  attend(queue: number, node: number): void {
    try {
      if (endOf(node) !== undefined) return;
      if (words[node + Node.flags] & WaitFlag.nudged) serve(this.handle, PUT);
      const flags = words[node + Node.flags];
      // It is put in, or still in line.
      if (flags & (WaitFlag.ended | WaitFlag.nudged)) return;
      if (words[queue + QueueField.shutDown] !== 0) throw putShutDown();
      tryPut(this.handle, queue, this.items, () => this.#end(node, Put.done));
    } catch (error) {
      this.error = error;
      // If the queue is damaged, the wait throws that.
      if (!tryLock(queue + Field.mutex)) return;
      if (endOf(node) === undefined) {
        if (words[node + Node.flags] & WaitFlag.nudged) dequeue(node);
        takeCall(node);
        this.#end(node, Put.failed);
      }
      // There may be room for the next one, whoever was woken for it.
      nudge(queue, firstOf(queue, QueueField.putters));
      unlock(queue + Field.mutex);
    }
  }

  #end(node: number, end: number): void {
    releaseReference(this.block);
    endWoken(node, end);
  }

  withdraw = withdraw;
  undo = undoWake;
  decline = decline;
}

/** How a get waits at a queue with hooks. */
export class GetWait implements Protocol, OwnGet {
  node = 0;
  item: unknown;
  error: unknown;
  /** The parcel that the get was handed, or 0. */
  #parcel = 0;

  constructor(
    readonly handle: Hooked,
    readonly patient: boolean,
    readonly into: Delivering | undefined,
  ) {}

  take(queue: number, node: number): number {
    const end = endOf(node);
    if (end !== undefined) return end;
    if (words[node + Node.flags] & WaitFlag.handed) {
      this.#takeHanded(queue, node);
      return Put.done;
    }
    if (words[node + Node.flags] & WaitFlag.nudged) {
      dequeue(node);
      words[node + Node.flags] &= ~WaitFlag.nudged;
    }
    if (this.patient) words[node + Node.flags] |= WaitFlag.patient;
    if (words[queue + QueueField.delayed] !== 0) admitDue(queue);
    if (takeTurn(node) && words[queue + QueueField.returned] !== 0) {
      moveToNode(queue, node);
      noteHanded(queue, node);
      this.#takeHanded(queue, node);
      return Put.done;
    }
    if (spareIn(queue) > 0) return Put.again;
    // Somebody in line has given something back that nobody else could take, or
    // this was the one that was nudged for all.
    if (availableIn(queue) > 0) feedGetters(queue);
    if (words[queue + QueueField.shutDown] === 0) return Wake.waiting;
    if (!this.patient || !mayComeBack(queue)) return Wake.refused;
    return Wake.waiting;
  }

  tick = tick;

  #takeHanded(queue: number, node: number): void {
    if (this.into !== undefined) {
      deliverHanded(queue, this.into.parcel, node);
      return;
    }
    takeFromNode(queue, node);
    this.#parcel = taken.parcel;
    releaseHanded(queue, node);
  }

  /** The get was nudged, or called. */
  attend(queue: number, node: number): void {
    if (words[node + Node.flags] & WaitFlag.called) {
      this.#answer(queue, node);
      return;
    }
    if (!(words[node + Node.flags] & WaitFlag.nudged)) return;
    this.node = node;
    try {
      serve(this.handle, GET, this);
    } catch (error) {
      // If the queue is damaged, the wait throws that.
      if (!tryLock(queue + Field.mutex)) return;
      if (words[node + Node.flags] & WaitFlag.nudged) {
        this.error = error;
        dequeue(node);
        words[node + Node.flags] &= ~WaitFlag.nudged;
        endWoken(node, Put.failed);
      }
      nudgeGet(queue, firstOf(queue, QueueField.getters));
      unlock(queue + Field.mutex);
    }
  }

  /** It is one of a selection: gets an item itself, before those in line. */
  #answer(queue: number, node: number): void {
    let end: number = Wake.waiting;
    try {
      const { handle, patient, into } = this;
      const items = tryGet(handle, queue, 1, patient, into, true);
      if (items.length > 0) end = Put.done;
      this.item = items[0];
    } catch (error) {
      this.error = error;
      end = Put.failed;
    }
    // If the queue is damaged, the wait throws that.
    if (!tryLock(queue + Field.mutex)) return;
    takeCall(node);
    if (end !== Wake.waiting) endWoken(node, end);
    feedGetters(queue);
    unlock(queue + Field.mutex);
  }

  /**
   * What it got, once the wait has ended with that.
   *
   * @throws Why it cannot be read; then it is where it was.
   */
  read(queue: number): unknown {
    if (this.#parcel !== 0) return readParcel(queue, this.#parcel);
    return this.into === undefined ? this.item : readInto(queue, this.into);
  }

  withdraw = withdraw;
  undo = undoWake;
  decline = decline;
}

/** Waits in the blocking form; with a node of its own, since hooks may wait. */
export function waitBlocked(
  protocol: Protocol,
  queue: number,
  line: number,
  end: number,
  what: string,
): number {
  const node = allocateNode(0);
  try {
    return waitSync(protocol, queue, line, leftUntil(end), what, node);
  } finally {
    freeNode(node);
  }
}

export function deadlineOf(timeout: number): number {
  return timeout === Infinity ? Infinity : performance.now() + timeout;
}

export function leftUntil(end: number): number {
  return end === Infinity ? Infinity : Math.max(0, end - performance.now());
}

/** The error of a put that waited and failed. */
export function putError(end: number, wait: PutWait): unknown {
  return end === Put.failed ? wait.error : putShutDown();
}

/**
 * Loads the module of an item that a hook could not read.
 *
 * @throws The error, if it is another one.
 */
export async function loadModuleOf(error: unknown): Promise<void> {
  if (!(error instanceof ModuleNotLoaded)) throw error;
  await loadModule(error.url);
}

/**
 * Ends a queue with hooks. `_get` takes out the items to throw away, unless it
 * throws.
 *
 * @throws What a hook throws: then the queue has ended without it.
 */
export function endCustom(handle: Hooked, immediate: boolean): void {
  const queue = addressOf(handle);
  let ran = false;
  try {
    transact(handle, "shut down a queue", () => {
      ran = true;
      if (immediate) takeAll(handle);
      return { ends: true, settle: () => end(queue, immediate) };
    });
  } catch (error) {
    // A hook may have freed the handle, and with it the queue.
    if (!ran || handle[ADDRESS] !== queue) throw error;
    transactBare(queue, () => end(queue, immediate));
    if (immediate) clearList(queue);
    throw error;
  }
  if (immediate) clearList(queue);
}

/** Runs `_get` until the queue is empty, or it does not get any emptier. */
function takeAll(handle: Hooked): void {
  for (let left = sizeBy(handle); left > 0;) {
    handle._get();
    const size = sizeBy(handle);
    if (size >= left) return;
    left = size;
  }
}

/** Under the mutex: what is left in the list, whatever hooks say, counts as done. */
function end(queue: number, immediate: boolean): void {
  if (immediate) words[queue + QueueField.length] = 0;
  shutDown(queue, immediate);
}
