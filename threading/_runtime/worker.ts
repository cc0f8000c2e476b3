/**
 * The entry module of every worker.
 *
 * @module
 */

import "../mod.ts";
import {
  birth,
  Header,
  load,
  self,
  Slot,
  store,
  wakeSlot,
  words,
} from "../_memory/heap.ts";
import { guardEnds, serve } from "./runner.ts";
import { keepWatch } from "./sentinel.ts";
import { holdWebLock } from "./web_lock.ts";

// The module is also imported, for nothing, by the main thread, see `mod.ts`.
if (birth !== undefined) {
  if (load(Header.sentinelSlot) === self) keepWatch();
  else boot();
}

function boot(): void {
  guardEnds();
  const serial = words[self + Slot.serial];
  // Held until the worker ends. A timer, so that an error or running out of
  // memory strikes in the event loop, where the worker's owner hears of it.
  holdWebLock(self, serial, () => {
    store(self + Slot.guarded, serial);
    const sentinel = load(Header.sentinelSlot);
    if (sentinel !== 0) wakeSlot(sentinel);
    setTimeout(work, 0);
  });
}

async function work(): Promise<void> {
  await serve();
  close();
}
