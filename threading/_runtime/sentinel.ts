/**
 * The sentinel: a worker that runs no threads but notices when one dies of
 * what leaves no time for last words (being killed in a busy loop, running out
 * of memory) while the main thread, which would be told of it in its event
 * loop, is blocked. Started when
 * the main thread has been blocked for long (`host.ts`).
 *
 * It asks for the web lock of every worker. The platform grants it when the
 * worker is no more.
 *
 * @module
 */

import { Header, load, self, Slot, slotAt } from "../_memory/heap.ts";
import { addOnWake, listen } from "../_memory/wait.ts";
import { onWorkerEnd } from "./web_lock.ts";

/** The longest interval that a timer takes, in milliseconds. */
const LONG = 2_147_483_647;
/** Serial numbers of the workers whose locks were asked for, by slot. */
const watched = new Map<number, number>();

/** Watches all workers, the present ones and those to come. */
export function keepWatch(): void {
  addOnWake(lookAround);
  // What `listen` awaits does not keep the worker alive.
  setInterval(() => {}, LONG);
  listen(() => true);
}

/** A worker wakes the sentinel when it has got its lock. */
function lookAround(): void {
  const used = load(Header.usedSlots);
  for (let i = 1; i < used; i++) {
    const slot = slotAt(i);
    const serial = load(slot + Slot.guarded);
    if (serial === 0 || slot === self || watched.get(slot) === serial) continue;
    watched.set(slot, serial);
    onWorkerEnd(slot, serial);
  }
}
