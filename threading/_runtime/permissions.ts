/**
 * What a worker needs to be allowed to read.
 *
 * @module
 */

import { requireImport } from "../../_internal/worker_module.ts";

const WORKER_URL = new URL("./worker.ts", import.meta.url).href;
const WHAT = "start a thread";

/**
 * Makes sure that a worker can load skein and a module.
 *
 * @param moduleUrl The module, if there is one.
 * @throws {Deno.errors.NotCapable} If it is not allowed.
 */
export function requirePermissions(moduleUrl: string | undefined): void {
  requireImport(WORKER_URL, WHAT);
  if (moduleUrl !== undefined) requireImport(moduleUrl, WHAT);
}
