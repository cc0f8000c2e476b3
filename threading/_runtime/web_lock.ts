/**
 * The web lock that a worker holds while it lives. The platform grants it to
 * others when the worker has stopped for good; `terminate` only asks for that.
 *
 * @module
 */

import { setLifeLock } from "../../_internal/worker_module.ts";
import { slotIndex } from "../_memory/heap.ts";
import { bury } from "./reaper.ts";

/** As much of `LockManager` as is needed; Deno's own types do not have it. */
interface WebLocks {
  request(
    name: string,
    options: { mode: "exclusive" | "shared" },
    callback: () => Promise<void>,
  ): Promise<void>;
}

const webLocks: WebLocks = Reflect.get(navigator, "locks");

function webLockName(slot: number, serial: number): string {
  return `@skein/std ${Deno.pid} ${slotIndex(slot)} ${serial}`;
}

/** Takes the web lock of this worker until its end, then calls back. */
export function holdWebLock(
  slot: number,
  serial: number,
  callback: () => void,
): void {
  const name = webLockName(slot, serial);
  setLifeLock(name);
  webLocks.request(name, { mode: "exclusive" }, () => {
    callback();
    return new Promise(() => {});
  });
}

/**
 * Cleans up after a worker when it has stopped. Shared, so that the main
 * thread, should it be blocked, does not keep the sentinel from it.
 */
export function onWorkerEnd(slot: number, serial: number): void {
  webLocks.request(webLockName(slot, serial), { mode: "shared" }, () => {
    bury(slot, serial);
    return Promise.resolve();
  });
}
