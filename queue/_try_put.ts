/**
 * Attempts to put, under the queue's mutex with the ends closed.
 *
 * @module
 */

import { words } from "../threading/_memory/heap.ts";
import { releaseReference } from "../threading/_memory/shared_object.ts";
import { countOf, insertBlock, isBlockRight, linkBlock } from "./_block.ts";
import { QueueField } from "./_fields.ts";
import { insertOffer, offer } from "./_offer.ts";
import { hasPlaces, isWide } from "./_places.ts";
import { feedGetters, hasRoom, Put } from "./_serve.ts";
import { countPut } from "./_tasks.ts";

/** Puts the offer in, if that can be done now. */
export function tryPut(queue: number): number {
  if (words[queue + QueueField.shutDown] !== 0) return Put.shutDown;
  if (!hasRoom(queue, 1) || words[queue + QueueField.putters] !== 0) {
    return Put.full;
  }
  if (offer.message !== undefined) {
    if (words[queue + QueueField.getters] !== 0) return Put.record;
    if (!isWide(queue)) return Put.widen;
  }
  if (!hasPlaces(queue, 1)) return Put.grow;
  if (!insertOffer(queue)) return Put.mismatch;
  countPut(queue, 1);
  if (words[queue + QueueField.getters] !== 0) feedGetters(queue);
  return Put.done;
}

/** Puts a block of this thread in, if that can be done now. */
export function tryPutBlock(queue: number, block: number): number {
  if (words[queue + QueueField.shutDown] !== 0) return Put.shutDown;
  if (!isBlockRight(queue, block)) return Put.mismatch;
  const count = countOf(block);
  if (!hasRoom(queue, count) || words[queue + QueueField.putters] !== 0) {
    return Put.full;
  }
  if (!hasPlaces(queue, count)) return Put.grow;
  if (!insertBlock(queue, block)) return Put.mismatch;
  linkBlock(block);
  releaseReference(block);
  countPut(queue, count);
  if (words[queue + QueueField.getters] !== 0) feedGetters(queue);
  return Put.done;
}
