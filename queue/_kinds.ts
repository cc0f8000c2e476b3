/**
 * How the classes of queues are made known to the ground, and their handles
 * kept.
 *
 * @module
 */

import { checkInteger } from "../_internal/check.ts";
import { doubles, words } from "../threading/_memory/heap.ts";
import { releaseRecord } from "../threading/_memory/record.ts";
import { Field, registerClass } from "../threading/_memory/shared_class.ts";
import {
  ADDRESS,
  createObject,
  releaseReference,
  type SharedObject,
} from "../threading/_memory/shared_object.ts";
import { close } from "./_ends.ts";
import {
  Order,
  PlaceShift,
  QUEUE_WORDS,
  QueueField,
  UNLIMITED,
} from "./_fields.ts";
import { destroyJournal } from "./_custom_list.ts";
import { releaseItems } from "./_take.ts";
import { abandon, getProtocol } from "./_waiting.ts";

// deno-lint-ignore ban-types
const kinds = new Map<Function, number>();

/** Makes a class of queues known. */
export function registerQueue(
  meta: ImportMeta,
  // deno-lint-ignore ban-types
  constructor: Function & { prototype: SharedObject },
): void {
  const kind = registerClass(meta, {
    constructor,
    destroy,
    abandon,
    protocol: getProtocol,
  });
  kinds.set(constructor, kind);
}

/** Makes a queue of the class that `constructor` is or extends. */
// deno-lint-ignore ban-types
export function createQueue(constructor: Function): number {
  let known = constructor;
  while (!kinds.has(known)) known = Object.getPrototypeOf(known);
  const queue = createObject(kinds.get(known)!, QUEUE_WORDS);
  words[queue + QueueField.limit] = UNLIMITED;
  words[queue + QueueField.placeShift] = PlaceShift.cell;
  return queue;
}

/**
 * Checks what a queue is to be limited to.
 *
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is not an integer.
 */
export function checkMaxsize(maxsize: unknown, what: string): number {
  checkInteger(maxsize, `make a ${what}`, "maxsize");
  return maxsize;
}

/** Limits the size of a queue that no other thread knows. */
export function limitQueue(queue: number, maxsize: number): void {
  doubles[queue + QueueField.maxsize >> 1] = maxsize;
  if (maxsize > 0) {
    words[queue + QueueField.limit] = Math.min(maxsize, UNLIMITED);
  }
}

/**
 * What a thread waits for must not be collected meanwhile: its handle is used
 * once more when the wait is over.
 */
export function keepAlive(queue: SharedObject): void {
  void queue[ADDRESS];
}

function destroy(queue: number): void {
  // Of a damaged one nobody knows what it owns.
  if (words[queue + Field.damaged] !== 0) return;
  if (words[queue + QueueField.order] !== Order.custom) {
    close(queue);
    releaseItems(queue);
    return;
  }
  for (const field of [QueueField.list, QueueField.lock]) {
    const part = words[queue + field];
    if (part !== 0) releaseReference(part);
  }
  destroyJournal(queue);
  const compare = words[queue + QueueField.compare];
  if (compare !== 0) releaseRecord(compare);
}
