/**
 * Drafts: blocks that belong to this thread alone for the moment, because it
 * has allocated them and not yet linked them anywhere, or has unlinked them
 * and not yet given them back. If the thread is killed, whoever cleans up
 * after it finds them in its slot and gives them back.
 *
 * A block is linked and ceases to be a draft in one critical section of a
 * ground mutex, so that a killer sees both or neither.
 *
 * @module
 */

import { words } from "./heap.ts";
import { MAX_DRAFTS, self, Slot } from "./slot.ts";

/**
 * Marks a draft that is a record whose references have been counted: it must
 * be dropped, not only deallocated. Addresses are even.
 */
export const COUNTED = 1;

/**
 * A negative draft is not a block but a reference to a shared object that this
 * thread has for the moment, see `borrow` and `giveBack` in `shared_object.ts`.
 */
export function referenceDraft(address: number): number {
  return -address;
}

/**
 * Adds a draft. To be called inside a critical section.
 *
 * @param draft The draft.
 * @param slot Whose draft it is.
 */
export function addDraft(draft: number, slot: number = self): void {
  const count = words[slot + Slot.draftCount];
  // What finds no room is lost if the thread is killed, and only then.
  if (count < MAX_DRAFTS) words[slot + Slot.drafts + count] = draft;
  words[slot + Slot.draftCount] = count + 1;
  if (isOpen(draft)) words[slot + Slot.openDrafts]++;
}

/**
 * Removes a draft. To be called inside a critical section.
 *
 * @param draft The draft.
 * @param slot Whose draft it is.
 */
export function removeDraft(draft: number, slot: number = self): void {
  const drafts = slot + Slot.drafts;
  const last = words[slot + Slot.draftCount] - 1;
  // The last ones come first out, nearly always.
  let found = Math.min(last, MAX_DRAFTS - 1);
  while (found >= 0 && words[drafts + found] !== draft) found--;
  if (found >= 0) {
    const moved = drafts + Math.min(last, MAX_DRAFTS - 1);
    words[drafts + found] = words[moved];
    words[moved] = 0;
  }
  words[slot + Slot.draftCount] = last;
  if (isOpen(draft)) words[slot + Slot.openDrafts]--;
}

/** Whether a draft is a block that its thread may still write to. */
function isOpen(draft: number): boolean {
  return draft > 0 && !(draft & COUNTED);
}
