/**
 * Reports of how far a pipeline has come.
 *
 * @module
 */

import { builtIn } from "../../_internal/built_in.ts";
import type { Progress } from "./options.ts";

/** Milliseconds from one report to the next. */
const INTERVAL = 100;

/** What the reports say, and where they go. */
export interface Reports {
  onProgress: (progress: Progress) => unknown;
  /** How many bytes there will be, if that is known. */
  total?: number;
  /** How many there are. */
  bytes: () => number;
  /** Gets what `onProgress` throws. */
  fail: (error: unknown) => void;
}

/**
 * Reports now and then, until it is told to stop. After an error there are no
 * more reports.
 *
 * @param reports What the reports say, and where they go.
 * @returns A function that stops it with a last report, and waits for that one.
 */
export function startReports(
  { onProgress, total, bytes, fail }: Reports,
): () => Promise<void> {
  let failed = false;
  const report = async (done: boolean) => {
    if (failed) return;
    try {
      // It may be an async function, whose errors nobody else would hear.
      await onProgress({ bytes: bytes(), total, done });
    } catch (error) {
      failed = true;
      fail(error);
    }
  };
  const timer = setInterval(() => void report(false), INTERVAL);
  return async () => {
    clearInterval(timer);
    await report(true);
  };
}

/** Tells how long a file is. */
export function lengthOf(file: Deno.FsFile | number): () => number {
  return typeof file === "number"
    ? () => builtIn("node:fs").fstatSync(file).size
    : () => file.statSync().size;
}
