/**
 * Looking at this thread's event word from the event loop.
 *
 * @module
 */

import { load, words } from "./heap.ts";
import { checkDying } from "./mutex.ts";
import { self, Slot } from "./slot.ts";
import { drainReady } from "./wait_promise.ts";
import { attendWake } from "./wait_sync.ts";

/** What a thread does each time its event loop turns; set by `host.ts`. */
let onTurn: () => void = () => {};

/** Sets what a thread does when it is woken in its event loop. */
export function setOnTurn(callback: () => void): void {
  onTurn = callback;
}

let listening = false;
let isWanted = () => false;

/**
 * Looks at this thread's event word whenever it changes while the event loop
 * runs. The promise of `waitAsync` does not keep the loop alive, and needs no
 * cancelling: there is never more than one.
 *
 * @param wanted Asked after each event whether to go on. Replaces what was given
 * before: that of an ended thread must not end the listening for the next one.
 */
export async function listen(wanted: () => boolean): Promise<void> {
  isWanted = wanted;
  if (listening) return;
  listening = true;
  while (isWanted()) {
    const event = load(self + Slot.event);
    checkDying();
    drainReady();
    attendWake();
    onTurn();
    const result = Atomics.waitAsync(words, self + Slot.event, event);
    if (result.async) await result.value;
  }
  listening = false;
}
