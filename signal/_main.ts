import { isMainThread } from "node:worker_threads";

/** Whether this is the thread that the process began with, and ends with. */
export const isMain: boolean = isMainThread &&
  !("WorkerGlobalScope" in globalThis);
