/**
 * The list of a queue with hooks, which can take back what a hook did.
 *
 * Each change notes its opposite, with the very record that it took out, so
 * what goes back is what was there, whatever the hook made of its copy.
 *
 * @module
 */

import { COUNTED, removeDraft } from "../threading/_memory/draft.ts";
import { words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import {
  dropRecord,
  releaseRecord,
  shareRecord,
} from "../threading/_memory/record.ts";
import { Field } from "../threading/_memory/shared_class.ts";
import { addressOf } from "../threading/_memory/shared_object.ts";
import {
  insertAt,
  lockWithRoom,
  placeOf,
  removeFrom,
  wordAt,
} from "../threading/_list_ring.ts";
import { sendable } from "../threading/sendable.ts";
import { SharedList } from "../threading/shared_list.ts";

/** A record that was taken out of a list, or one that was put in. */
interface Change {
  list: number;
  place: number;
  /** The record taken out, of which this thread is an owner; else 0. */
  taken: number;
}

/** The changes of the hooks that are running, if any are. */
let changes: Change[] | undefined;

/**
 * Runs hooks, and takes back what they did to their list if one throws.
 *
 * @throws What they throw.
 */
export function undoOnThrow<R>(hooks: () => R): R {
  // A hook may put something into another queue with hooks.
  const outer = changes;
  const own: Change[] = changes = [];
  try {
    return hooks();
  } catch (error) {
    while (own.length > 0) undo(own.pop()!);
    throw error;
  } finally {
    for (const { taken } of own) if (taken !== 0) dropRecord(taken);
    changes = outer;
  }
}

function undo({ list, place, taken }: Change): void {
  if (taken === 0) {
    lock(list + Field.mutex);
    const record = words[wordAt(list, place)];
    removeFrom(list, place);
    releaseRecord(record);
  } else {
    lockWithRoom(list, 1);
    insertAt(list, place, taken);
    removeDraft(taken | COUNTED);
  }
  unlock(list + Field.mutex);
}

/** Runs `remove`, which takes the item at an index out, and notes it. */
function removing<R>(
  handle: HookList<unknown>,
  index: number,
  remove: () => R,
): R {
  const list = addressOf(handle);
  if (changes === undefined || !Number.isSafeInteger(index)) return remove();
  lock(list + Field.mutex);
  const place = placeOf(list, index);
  const taken = place < 0 ? 0 : words[wordAt(list, place)];
  if (taken !== 0) shareRecord(taken);
  unlock(list + Field.mutex);
  let done = false;
  try {
    const result = remove();
    done = true;
    return result;
  } finally {
    if (done && taken !== 0) changes.push({ list, place, taken });
    else if (taken !== 0) dropRecord(taken);
  }
}

/** Notes that items were put in at a place. */
function inserted(handle: HookList<unknown>, place: number, count = 1): void {
  const list = addressOf(handle);
  for (let i = 0; i < count; i++) {
    changes?.push({ list, place: place + i, taken: 0 });
  }
}

/** A list whose changes are taken back if a hook throws. */
export class HookList<T> extends SharedList<T> {
  static {
    sendable(import.meta, this);
  }

  override push(...items: T[]): number {
    const length = super.push(...items);
    inserted(this, length - items.length, items.length);
    return length;
  }

  override insert(index: number, item: T): void {
    const length = this.length();
    super.insert(index, item);
    inserted(
      this,
      index < 0 ? Math.max(index + length, 0) : Math.min(index, length),
    );
  }

  override pop(): T | undefined {
    return removing(this, -1, () => super.pop());
  }

  override shift(): T | undefined {
    return removing(this, 0, () => super.shift());
  }

  override removeAt(index: number): T {
    return removing(this, index, () => super.removeAt(index));
  }

  override set(index: number, item: T): void {
    removing(this, index, () => super.set(index, item));
    inserted(this, index < 0 ? index + this.length() : index);
  }

  override clear(): void {
    if (changes === undefined) super.clear();
    else while (this.length() > 0) removing(this, -1, () => super.pop());
  }
}
