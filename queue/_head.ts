/**
 * Getting at the open end of a ring, see `_ends.ts`.
 *
 * @module
 */

import { load, store, words } from "../threading/_memory/heap.ts";
import { QueueField } from "./_fields.ts";
import { cellOf, messageOf, wastefulLength } from "./_places.ts";
import { takeCell } from "./_take.ts";

/** Under the head's mutex, with open ends: whether there is no item. */
export function isEmptyAtHead(queue: number): boolean {
  const head = words[queue + QueueField.head];
  return head === words[queue + QueueField.seenTail] &&
    head === lookAtTail(queue);
}

/** Under the head's mutex: looks how far the tail is. */
export function lookAtTail(queue: number): number {
  const tail = load(queue + QueueField.tail);
  words[queue + QueueField.seenTail] = tail;
  return tail;
}

/** The same where there is an item: takes it, like `takeOut`. */
export function takeAtHead(queue: number): unknown {
  const head = words[queue + QueueField.head];
  const cell = cellOf(queue, head);
  const value = takeCell(cell, messageOf(cell), 0);
  // From here on the cell belongs to who puts.
  store(queue + QueueField.head, head + 1);
  return value;
}

/** The same: whether there are far more places than items. */
export function isWastefulAtHead(queue: number): boolean {
  const most = wastefulLength(queue) + words[queue + QueueField.head];
  return words[queue + QueueField.seenTail] <= most &&
    lookAtTail(queue) <= most;
}
