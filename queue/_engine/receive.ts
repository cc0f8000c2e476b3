/**
 * Receiving items, in all forms: getting them as deliveries (`deliveries.ts`).
 *
 * It waits and is served as a get is. The parcel that the item goes into is made
 * before the critical section that takes the item.
 *
 * @module
 */

import {
  load,
  Node,
  type Protocol,
  type SharedObject,
  store,
  unlock,
  waitSync,
  Wake,
  words,
} from "../../threading/_ground.ts";
import { loadModulesOf, ModuleNotLoaded } from "../../threading/_values.ts";
import { empty, explained, getShutDown } from "../errors.ts";
import { hooked, isCustom } from "./custom_list.ts";
import {
  deliver,
  deliverHanded,
  type Delivering,
  deliverNext,
  discardParcel,
  draftParcel,
  readDelivery,
  recordOf,
  undoDelivery,
} from "./deliveries.ts";
import {
  afterTaking,
  enterClosed,
  enterHead,
  getCustom,
  getCustomNowait,
  getCustomSync,
  hasEnded,
  takeForWaiter,
  waitToGet,
} from "./get.ts";
import { QueueField } from "./layout.ts";
import {
  cellOf,
  isEmptyAtHead,
  isWasteful,
  isWastefulAtHead,
  leave,
  LOOKS,
  pause,
  shrink,
  sizeOf,
} from "./ring.ts";
import { decline, spareIn, tick, undoWake, withdraw } from "./waiters.ts";

/** What is done, for messages. */
export const RECEIVE = "receive an item";

/** A delivery of this thread, and its item. */
export interface Received {
  item: unknown;
  parcel: number;
}

/** Receives the next item if there is one; whether it is in the parcel. */
export function tryReceive(queue: number, parcel: number): boolean {
  if (!enterHead(queue)) return tryReceiveClosed(queue, parcel);
  const found = !isEmptyAtHead(queue);
  if (found) {
    const head = words[queue + QueueField.head];
    deliver(queue, parcel, cellOf(queue, head));
    store(queue + QueueField.head, head + 1);
  }
  const wasteful = found && isWastefulAtHead(queue);
  unlock(queue + QueueField.headMutex);
  if (wasteful) shrink(queue);
  return found;
}

function tryReceiveClosed(queue: number, parcel: number): boolean {
  enterClosed(queue);
  if (spareIn(queue) <= 0) {
    const ended = hasEnded(queue, true);
    leave(queue);
    if (ended) throw getShutDown();
    return false;
  }
  deliverNext(queue, parcel);
  afterTaking(queue);
  const wasteful = isWasteful(queue);
  leave(queue);
  if (wasteful) shrink(queue);
  return true;
}

/** How a receive waits; the item goes into its parcel. */
export function protocolFor(parcel: number): Protocol {
  const take = (queue: number) => deliverNext(queue, parcel);
  const takeHanded = (queue: number, node: number) =>
    deliverHanded(queue, parcel, node);
  return {
    take: (queue, node) => takeForWaiter(queue, node, true, take, takeHanded),
    withdraw,
    undo: undoWake,
    decline,
    tick,
  };
}

/** Gives the parcel back, with the item if one has come into it. */
export function undo(queue: number, parcel: number): void {
  if (parcel === 0) return;
  if (words[parcel + Node.object] === queue) undoDelivery(queue, parcel);
  else discardParcel(parcel);
}

/** Receives an item, and blocks until there is one. */
export function receiveSync(
  handle: SharedObject,
  queue: number,
  timeout: number,
): Received {
  const into: Delivering = { parcel: draftParcel() };
  const { parcel } = into;
  try {
    if (isCustom(queue)) {
      const [item] = getCustomSync(
        hooked(handle),
        queue,
        1,
        timeout,
        true,
        into,
      );
      return { item, parcel: into.parcel };
    }
    if (!tryReceive(queue, parcel) && !spin(queue, parcel)) {
      const { getters } = QueueField;
      const protocol = protocolFor(parcel);
      const end = waitSync(protocol, queue, getters, timeout, RECEIVE);
      if (end === Wake.waiting) throw empty(timeout);
      if (end !== Wake.granted) throw getShutDown();
    }
  } catch (error) {
    undo(queue, into.parcel);
    throw error;
  }
  return readSync(queue, parcel);
}

/** As a get does: not if others wait, who come first. */
function spin(queue: number, parcel: number): boolean {
  for (let looks = 0; looks < LOOKS; looks++) {
    if (load(queue + QueueField.getters) !== 0) break;
    if (sizeOf(queue) === 0) pause();
    else if (tryReceive(queue, parcel)) return true;
  }
  return false;
}

/** Receives an item if there is one. */
export function receiveNowait(handle: SharedObject, queue: number): Received {
  const into: Delivering = { parcel: draftParcel() };
  const { parcel } = into;
  try {
    if (isCustom(queue)) {
      const [item] = getCustomNowait(hooked(handle), queue, 1, true, into);
      return { item, parcel: into.parcel };
    }
    if (!tryReceive(queue, parcel)) throw empty();
  } catch (error) {
    undo(queue, into.parcel);
    throw error;
  }
  return readSync(queue, parcel);
}

/** Receives an item without blocking the thread. */
export async function receive(
  handle: SharedObject,
  queue: number,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<Received> {
  const into: Delivering = { parcel: draftParcel() };
  const { parcel } = into;
  try {
    if (isCustom(queue)) {
      const [item] = await getCustom(
        hooked(handle),
        queue,
        1,
        timeout,
        signal,
        true,
        into,
      );
      return { item, parcel: into.parcel };
    }
    if (!tryReceive(queue, parcel)) {
      const end = await waitToGet(protocolFor(parcel), queue, {
        timeout,
        signal,
        timeoutError: () => empty(timeout),
      });
      if (end !== Wake.granted) throw getShutDown();
    }
  } catch (error) {
    undo(queue, into.parcel);
    throw error;
  }
  return await readInTask(queue, parcel);
}

/** Reads a delivery, and loads the modules that takes. */
export async function readInTask(
  queue: number,
  parcel: number,
): Promise<Received> {
  try {
    return { item: readDelivery(queue, parcel), parcel };
  } catch (error) {
    if (!(error instanceof ModuleNotLoaded)) {
      throw refused(queue, parcel, error);
    }
  }
  try {
    // It stays this thread's delivery meanwhile.
    await loadModulesOf(recordOf(queue, parcel));
    return { item: readDelivery(queue, parcel), parcel };
  } catch (error) {
    throw refused(queue, parcel, error);
  }
}

/** Reads a delivery, or puts it back if its module must be awaited. */
export function readSync(queue: number, parcel: number): Received {
  try {
    return { item: readDelivery(queue, parcel), parcel };
  } catch (error) {
    if (!(error instanceof ModuleNotLoaded)) {
      throw refused(queue, parcel, error);
    }
    undoDelivery(queue, parcel);
    throw explained(error, RECEIVE);
  }
}

/** What cannot be read stays: another thread may be able to. */
function refused(queue: number, parcel: number, error: unknown): unknown {
  undoDelivery(queue, parcel);
  return explained(error, RECEIVE);
}
