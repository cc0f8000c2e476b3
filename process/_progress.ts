// Telling how far a pipeline has come.
import { fstatSync } from "node:fs";
import type { Progress } from "./_command/options.ts";

const INTERVAL = 100;

/** What is told about, and to whom. */
export interface Reports {
  onProgress: (progress: Progress) => unknown;
  /** How many bytes there will be, if that is known. */
  total?: number;
  /** How many there are. */
  bytes: () => number;
  /** Is told what `onProgress` throws. */
  fail: (error: unknown) => void;
}

/**
 * Reports now and then, until it is told to stop. After an error there are no
 * more reports.
 *
 * @param reports What is told about, and to whom.
 * @returns Stops it, with a last report, and waits for what that began.
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
    ? () => fstatSync(file).size
    : () => file.statSync().size;
}
