/**
 * Putting several items at once into a queue without hooks.
 *
 * @module
 */

import { giveBack } from "../threading/_memory/shared_object.ts";
import { draftBlock } from "./_block.ts";
import { areOpen } from "./_ends.ts";
import { full } from "./_prepare.ts";
import { spinForRoom } from "./_put.ts";
import { putBlock, waitSyncToPut, waitToPut } from "./_put_block.ts";
import { Put } from "./_serve.ts";
import { areBare, putBareAtTail } from "./_tail.ts";

/** Puts items together that need nothing but room; a `Put`. */
function putAsTheyAre(queue: number, items: readonly unknown[]): number {
  return areOpen(queue) && areBare(items)
    ? putBareAtTail(queue, items)
    : Put.closed;
}

/** Puts items together, and blocks until there is room for all. */
export function putManySync(
  queue: number,
  items: readonly unknown[],
  timeout: number,
): void {
  const count = items.length;
  const end = putAsTheyAre(queue, items);
  if (end === Put.done) return;
  if (end === Put.full) {
    const attempt = () => putBareAtTail(queue, items) === Put.done;
    if (spinForRoom(queue, count, attempt)) return;
  }
  const block = draftBlock(queue, items);
  if (putBlock(queue, block, items)) return;
  waitSyncToPut(queue, block, timeout, items);
}

/** Puts items together if there is room for all. */
export function putManyNowait(queue: number, items: readonly unknown[]): void {
  if (putAsTheyAre(queue, items) === Put.done) return;
  const block = draftBlock(queue, items);
  if (putBlock(queue, block, items)) return;
  giveBack(block);
  throw full(queue);
}

/** Puts items together; a promise if that must wait. */
export function putMany(
  queue: number,
  items: readonly unknown[],
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<void> | undefined {
  if (putAsTheyAre(queue, items) === Put.done) return undefined;
  const block = draftBlock(queue, items);
  if (putBlock(queue, block, items)) return undefined;
  return waitToPut(queue, block, timeout, signal, items);
}
