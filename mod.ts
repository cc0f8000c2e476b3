/**
 * Threads that share memory, for TypeScript on Deno.
 *
 * This module exports everything; each part also stands alone, as
 * `@skein/std/threading`.
 *
 * @example Two threads that take turns
 * ```ts
 * import { Lock } from "@skein/std";
 *
 * const lock = new Lock();
 * {
 *   using _ = lock.acquireSync();
 *   // Only one thread at a time is here.
 * }
 * ```
 *
 * @module
 */

export * from "./threading/mod.ts";
export * from "./queue/mod.ts";
export * from "./signal/mod.ts";
export * from "./process/mod.ts";
