/**
 * Numbers of processes.
 *
 * @module
 */

/**
 * The number of this process. After `os.getpid` of Python. Needs no permission.
 *
 * @returns The number.
 *
 * @example
 * ```ts
 * import { getpid } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getpid(), Deno.pid);
 * ```
 */
export function getpid(): number {
  return Deno.pid;
}

/**
 * The number of the process that started this one. After `os.getppid` of
 * Python. Needs no permission.
 *
 * @returns The number.
 *
 * @example
 * ```ts
 * import { getppid } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getppid(), Deno.ppid);
 * ```
 */
export function getppid(): number {
  return Deno.ppid;
}
