// Telling how far a pipeline has come.
import { fstatSync } from "node:fs";
import type { Progress } from "./options.ts";

const INTERVAL = 100;

/** What is told about, and to whom. */
export interface Reports {
  onProgress: (progress: Progress) => void;
  /** How many bytes there will be, if that is known. */
  total?: number;
  /** How many there are. */
  bytes: () => number;
  /** Is told what `onProgress` throws. */
  fail: (error: unknown) => void;
}

/**
 * Reports now and then, until it is told to stop.
 *
 * @param reports What is told about, and to whom.
 * @returns Stops it, with a last report.
 */
export function startReports(
  { onProgress, total, bytes, fail }: Reports,
): () => void {
  const timer = setInterval(() => {
    try {
      onProgress({ bytes: bytes(), total, done: false });
    } catch (error) {
      fail(error);
    }
  }, INTERVAL);
  return () => {
    clearInterval(timer);
    onProgress({ bytes: bytes(), total, done: true });
  };
}

/** Tells how long a file is. */
export function lengthOf(file: Deno.FsFile | number): () => number {
  return typeof file === "number"
    ? () => fstatSync(file).size
    : () => file.statSync().size;
}
