/**
 * Putting into a queue without hooks.
 *
 * @module
 */

import { load, words } from "../threading/_memory/heap.ts";
import { blockOfOffer } from "./_block.ts";
import { areOpen, enter, leave, sizeOf } from "./_ends.ts";
import { QueueField } from "./_fields.ts";
import { discardOffer, draftOffer, offer } from "./_offer.ts";
import { full, prepare } from "./_prepare.ts";
import { waitSyncToPut, waitToPut } from "./_put_block.ts";
import { Put } from "./_serve.ts";
import { LOOKS, pause } from "./_spin.ts";
import { putOfferAtTail } from "./_tail.ts";
import { tryPut } from "./_try_put.ts";

/**
 * Puts the offer in, or finds that there is no room.
 *
 * @returns Whether it is in; if not it is still a draft.
 */
function putOffer(queue: number): boolean {
  for (;;) {
    const end = tryOffer(queue);
    if (end === Put.done) return true;
    if (end === Put.full) return false;
    // The message of an error shows the item, which may run code of the user's
    // that makes another offer.
    const { item, record, entry } = offer;
    try {
      prepare(queue, end, 1, item);
    } catch (error) {
      discardOffer(record, entry);
      throw error;
    }
  }
}

/**
 * Looks for room for a while, but not if others wait: they come first. It waits
 * for a quarter of the queue, if that comes soon: where there is never room for
 * more than one, each thread waits for the other at every single item.
 *
 * @param queue The queue, which was full.
 * @param count For so many items.
 * @param attempt Puts them if it can.
 * @returns Whether they are in.
 */
export function spinForRoom(
  queue: number,
  count: number,
  attempt: () => boolean,
): boolean {
  const limit = words[queue + QueueField.limit];
  const most = limit - count;
  const enough = Math.min(most, limit - (limit >> 2));
  for (let looks = 0; load(queue + QueueField.putters) === 0;) {
    for (; looks < LOOKS && sizeOf(queue) > enough; looks++) pause();
    if (sizeOf(queue) <= most && attempt()) return true;
    if (looks++ >= LOOKS) break;
  }
  return false;
}

/** Puts the offer in, if that can be done now. */
function tryOffer(queue: number): number {
  if (areOpen(queue)) {
    const end = putOfferAtTail(queue);
    if (end !== Put.closed) return end;
  }
  enter(queue);
  const end = tryPut(queue);
  leave(queue);
  return end;
}

/** Puts an item, and blocks until there is room. */
export function putSync(queue: number, item: unknown, timeout: number): void {
  draftOffer(queue, item);
  if (putOffer(queue) || spinForRoom(queue, 1, () => putOffer(queue))) return;
  waitSyncToPut(queue, blockOfOffer(queue), timeout, item);
}

/** Puts an item if there is room. */
export function putNowait(queue: number, item: unknown): void {
  draftOffer(queue, item);
  if (putOffer(queue)) return;
  discardOffer(offer.record, offer.entry);
  throw full(queue);
}

/** Puts an item; a promise if that must wait. */
export function put(
  queue: number,
  item: unknown,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<void> | undefined {
  draftOffer(queue, item);
  if (putOffer(queue)) return undefined;
  return waitToPut(queue, blockOfOffer(queue), timeout, signal, item);
}
