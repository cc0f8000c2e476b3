/**
 * How queues are cases of `select`: to get, to receive, and to put. Each goes the
 * way of the queue's own operation (`_engine/`), without waiting at first, then
 * with a node in the same line.
 *
 * @module
 */

import {
  addressOf,
  AGAIN,
  type CaseKind,
  giveBack,
  Later,
  load,
  NOT_READY,
  type Protocol,
  Restart,
  type SharedObject,
  type WaitingCase,
  Wake,
  words,
} from "../threading/_ground.ts";
import { ModuleNotLoaded } from "../threading/_threads.ts";
import { Delivery } from "./delivery.ts";
import { draftBlock, linkBlock, unlinkBlock } from "./_engine/blocks.ts";
import { hooked, isCustom } from "./_engine/custom_list.ts";
import * as custom from "./_engine/custom_order.ts";
import {
  type Delivering,
  discardParcel,
  draftParcel,
} from "./_engine/deliveries.ts";
import {
  attendDelays,
  finish,
  getProtocol,
  got,
  NOTHING,
  readAtOnce,
  readTaken,
  tryGet,
  unwatch,
  watch,
} from "./_engine/get.ts";
import { discardOffer, draftOffer } from "./_engine/items.ts";
import {
  isBare,
  NO_ROOM,
  NodeItem,
  offer,
  Order,
  Put,
  QueueField,
  UNREAD,
} from "./_engine/layout.ts";
import { failure, prepareBlock, putOffer, tryPutBlock } from "./_engine/put.ts";
import {
  protocolFor,
  readInTask,
  readSync,
  RECEIVE,
  type Received,
  tryReceive,
  undo,
} from "./delivery.ts";
import { close, open, sizeOf } from "./_engine/ring.ts";
import { undoWake, withdraw } from "./_engine/waiters.ts";
import { explained, GET, getShutDown, PUT } from "./errors.ts";

/** The key of what tells how an object is put into, as `[queue, item]`. */
export const PUT_CASE: unique symbol = Symbol("put case");
/**
 * What `select` can put into.
 *
 * @typeParam T The items.
 */
export declare abstract class Puttable<T> {
  /** How it is put into. @ignore */
  readonly [PUT_CASE]: {
    /** Never there: says what the items are. */
    accepts?(item: T): void;
  };
}

/**
 * What `receiving` takes.
 *
 * @typeParam T The items.
 */
export declare abstract class Receivable<T> {
  /** How it is received from. @ignore */
  readonly [RECEIVE_CASE]: {
    /** Never there: says what is received. */
    readonly value?: Delivery<T>;
  };
}

/** The key of what tells how an object is received from. */
export const RECEIVE_CASE: unique symbol = Symbol("receive case");

/** Whether there may be an item, or an end. */
function mayHaveItem(subject: object): boolean {
  const queue = addressOf(subject as SharedObject);
  // Open and closed ends alike; the words of an end may be old while it is open.
  if ((load(queue + QueueField.opening) & 1) !== 0) {
    return load(queue + QueueField.head) !== load(queue + QueueField.tail);
  }
  const some = load(queue + QueueField.length) |
    load(queue + QueueField.returnedCount) |
    load(queue + QueueField.delayed) | load(queue + QueueField.shutDown);
  return some !== 0 ||
    (words[queue + QueueField.limit] === NO_ROOM &&
      load(queue + QueueField.putters) !== 0) ||
    // It may just be opened or closed.
    (load(queue + QueueField.opening) & 3) !== 0;
}

/** Gets an item. */
export const getCase: CaseKind<unknown> = {
  mayBeReady: mayHaveItem,
  attempt(subject, _, blocking) {
    const handle = subject as SharedObject;
    const queue = addressOf(handle);
    if (isCustom(queue)) return attemptHooked(handle, queue, blocking);
    const value = tryGet(queue);
    if (value === NOTHING) return NOT_READY;
    return value === UNREAD ? read(queue, value, blocking) : value;
  },
  wait(subject, _, blocking) {
    const handle = subject as SharedObject;
    const queue = addressOf(handle);
    const wait = isCustom(queue)
      ? waitHooked(handle, queue, blocking)
      : inLine(queue, getProtocol, (end) => {
        if (end !== Wake.granted) throw getShutDown();
        got.fresh = false;
        return got.value === UNREAD
          ? read(queue, got.value, blocking)
          : got.value;
      });
    return blocking ? wait : watching(wait);
  },
};

function read(queue: number, value: unknown, blocking: boolean): unknown {
  if (blocking) return readTaken(queue);
  const reading = readAtOnce(queue, value);
  if (reading.failed) throw reading.error;
  return reading.record === undefined && reading.parcel === undefined
    ? reading.value
    : new Later(finish(queue, reading));
}

function inLine<T>(
  queue: number,
  protocol: Protocol,
  finish: WaitingCase<T>["finish"],
  dispose?: () => void,
): WaitingCase<T> {
  return {
    object: queue,
    queue: QueueField.getters,
    protocol,
    finish,
    dispose,
  };
}

/** For a task: sees to items that come back later. */
function watching<T>(wait: WaitingCase<T>): WaitingCase<T> {
  const queue = wait.object;
  watch(queue);
  return {
    ...wait,
    joined: attendDelays,
    dispose() {
      unwatch(queue);
      wait.dispose?.();
    },
  };
}

/** What becomes of an error of hooks. */
function refuse(error: unknown, what: string, blocking: boolean): Restart {
  if (!blocking && error instanceof ModuleNotLoaded) {
    return new Restart(custom.loadModuleOf(error));
  }
  throw explained(error, what);
}

function attemptHooked(
  handle: SharedObject,
  queue: number,
  blocking: boolean,
  into?: Delivering,
): unknown {
  const patient = into !== undefined;
  try {
    const items = custom.tryGet(hooked(handle), queue, 1, patient, into);
    return items.length > 0 ? items[0] : NOT_READY;
  } catch (error) {
    return refuse(error, patient ? RECEIVE : GET, blocking);
  }
}

function waitHooked(
  handle: SharedObject,
  queue: number,
  blocking: boolean,
  into?: Delivering,
): WaitingCase<unknown> {
  const patient = into !== undefined;
  const wait = new custom.GetWait(hooked(handle), patient, into);
  return inLine(queue, wait, (end) => {
    const what = patient ? RECEIVE : GET;
    if (end === Put.failed) return refuse(wait.error, what, blocking);
    if (end === Put.done) {
      try {
        return wait.read(queue);
      } catch (error) {
        return refuse(error, what, blocking);
      }
    }
    if (end !== Put.again) throw getShutDown();
    const value = attemptHooked(handle, queue, blocking, into);
    return value === NOT_READY ? AGAIN : value;
  });
}

/** Receives an item, as a delivery. */
export const receiveCase: CaseKind<unknown> = {
  mayBeReady: mayHaveItem,
  attempt(subject, _, blocking) {
    const handle = subject as SharedObject;
    const queue = addressOf(handle);
    const into: Delivering = { parcel: draftParcel() };
    let value: unknown = NOT_READY;
    try {
      if (isCustom(queue)) {
        value = attemptHooked(handle, queue, blocking, into);
      } else if (tryReceive(queue, into.parcel)) {
        return deliver(queue, into.parcel, blocking);
      }
    } catch (error) {
      undo(queue, into.parcel);
      throw error;
    }
    if (value === NOT_READY) discardParcel(into.parcel);
    else if (value instanceof Restart) undo(queue, into.parcel);
    else return delivery(queue, { item: value, parcel: into.parcel });
    return value;
  },
  wait(subject, _, blocking) {
    const handle = subject as SharedObject;
    const queue = addressOf(handle);
    const into: Delivering = { parcel: draftParcel() };
    const dispose = () => undo(queue, into.parcel);
    let wait: WaitingCase<unknown>;
    if (isCustom(queue)) {
      const inner = waitHooked(handle, queue, blocking, into);
      wait = inLine(queue, inner.protocol, (end) => {
        const item = inner.finish(end);
        if (item === AGAIN || item instanceof Restart) return item;
        const { parcel } = into;
        into.parcel = 0;
        return delivery(queue, { item, parcel });
      }, dispose);
    } else {
      wait = inLine(queue, protocolFor(into.parcel), (end) => {
        if (end !== Wake.granted) throw getShutDown();
        const { parcel } = into;
        into.parcel = 0;
        return deliver(queue, parcel, blocking);
      }, dispose);
    }
    return blocking ? wait : watching(wait);
  },
};

function delivery(queue: number, received: Received): unknown {
  return new Delivery(queue, received);
}

function deliver(queue: number, parcel: number, blocking: boolean): unknown {
  if (blocking) return delivery(queue, readSync(queue, parcel));
  return new Later(
    readInTask(queue, parcel).then((received) => delivery(queue, received)),
  );
}

/** How objects of a class are put into. */
interface PutKind extends CaseKind<undefined> {
  /** Never there: says what the items are. */
  accepts?(item: unknown): void;
}

/** Puts an item. */
export const putCase: PutKind = {
  mayBeReady(subject, item) {
    const queue = addressOf(subject as SharedObject);
    // Others may be refused, whether there is room or not.
    if (!isBare(item) || words[queue + QueueField.order] > Order.lifo) {
      return true;
    }
    if (load(queue + QueueField.shutDown) !== 0) return true;
    const limit = words[queue + QueueField.limit];
    return limit === NO_ROOM
      ? load(queue + QueueField.getters) !== 0
      : sizeOf(queue) < limit;
  },
  attempt(subject, item, blocking) {
    const handle = subject as SharedObject;
    const queue = addressOf(handle);
    if (isCustom(queue)) {
      try {
        const copies = [custom.copyOf(item)];
        const done = custom.tryPut(hooked(handle), queue, copies);
        return done ? undefined : NOT_READY;
      } catch (error) {
        return refuse(error, PUT, blocking);
      }
    }
    draftOffer(queue, item);
    if (putOffer(queue)) return undefined;
    discardOffer(offer.record, offer.entry);
    return NOT_READY;
  },
  wait(subject, item, blocking) {
    const handle = subject as SharedObject;
    const queue = addressOf(handle);
    return isCustom(queue)
      ? new HookedPut(handle, queue, custom.copyOf(item), blocking)
      : new PlainPut(queue, item);
  },
};

/** A put that waits as a case. */
class PlainPut implements Protocol, WaitingCase<undefined> {
  readonly queue = QueueField.putters;
  readonly protocol = this;
  readonly #item: unknown;
  /** The item; of this thread, of the node while it is linked, or 0. */
  #block: number;
  #linked = false;

  constructor(readonly object: number, item: unknown) {
    this.#item = item;
    this.#block = draftBlock(object, [item]);
  }

  take(queue: number, node: number): number {
    close(queue);
    if (this.#linked) unlinkBlock(this.#block);
    this.#linked = false;
    const end = tryPutBlock(queue, this.#block);
    if (end === Put.done) this.#block = 0;
    const isSmall = words[queue + QueueField.capacity] <
      words[queue + QueueField.limit];
    if (end === Put.full && !isSmall) {
      linkBlock(this.#block);
      words[node + NodeItem.block] = this.#block;
      this.#linked = true;
      return Wake.waiting;
    }
    open(queue);
    return end === Put.full ? Put.growToLimit : end;
  }

  withdraw(queue: number, node: number): void {
    this.#linked = false;
    this.#block = 0;
    withdraw(queue, node);
  }

  undo(queue: number, node: number, state: number): boolean {
    if (!undoWake(queue, node, state)) return false;
    this.#linked = false;
    this.#block = 0;
    return true;
  }

  finish(end: number): undefined | typeof AGAIN {
    // It went in from its node.
    if (this.#linked) this.#block = 0;
    this.#linked = false;
    if (end === Put.done) return undefined;
    if (this.#block === 0) throw failure(this.object, end, this.#item);
    const block = this.#block;
    this.#block = 0;
    prepareBlock(this.object, end, block, this.#item);
    this.#block = block;
    return AGAIN;
  }

  dispose(): void {
    if (this.#block !== 0 && !this.#linked) giveBack(this.#block);
  }
}

/** The same at a queue with hooks. */
class HookedPut implements WaitingCase<undefined> {
  readonly queue = QueueField.putters;
  readonly protocol: custom.PutWait;
  readonly #blocking: boolean;
  /** Whether it has been in line: then it comes before those who are. */
  #waited = false;

  constructor(
    handle: SharedObject,
    readonly object: number,
    item: unknown,
    blocking: boolean,
  ) {
    this.#blocking = blocking;
    const block = draftBlock(object, [item]);
    this.protocol = new custom.PutWait(hooked(handle), [item], block);
  }

  finish(end: number): undefined | typeof AGAIN | Restart {
    const { protocol } = this;
    if (end === Put.done) return undefined;
    try {
      if (end !== Put.again) throw custom.putError(end, protocol);
      const done = custom.tryPut(
        protocol.handle,
        this.object,
        protocol.items,
        this.#waited ? () => {} : undefined,
      );
      return done ? undefined : AGAIN;
    } catch (error) {
      return refuse(error, PUT, this.#blocking);
    }
  }

  joined(): void {
    this.#waited = true;
  }

  dispose(): void {
    if (!this.protocol.linked) giveBack(this.protocol.block);
  }
}
