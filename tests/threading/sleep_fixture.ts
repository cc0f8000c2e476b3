import { type Semaphore, sendable } from "../../threading/mod.ts";
import { sleepSync } from "../../threading/current_thread.ts";

export const sleeper = sendable(
  import.meta,
  function sleeper(ms: number, awake?: Semaphore) {
    awake?.release();
    sleepSync(ms);
  },
);
