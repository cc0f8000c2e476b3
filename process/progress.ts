/**
 * How far a pipeline, or a map over many items, has come: reports of it, and a bar
 * that shows it on a terminal.
 *
 * @module
 */

import { checkString } from "../_internal/check.ts";
import type { Progress } from "./_command/options.ts";
import { builtIn } from "../_internal/built_in.ts";

/** How far something has come that does items, such as `map` of a ThreadPool. */
export interface ItemProgress {
  /** The items that were done. */
  items: number;
  /** How many there are, where that is known. */
  total?: number;
  /** Whether this is the last report. */
  done: boolean;
}

/**
 * Makes a bar for the option `onProgress` of pipelines, and of `map` of a
 * ThreadPool. It is drawn on standard error, while that runs, if that is a
 * terminal; else nothing is written. Where the total is known it shows the part
 * that is done and the time that is left, and where it is not, the bytes or items
 * and the time so far.
 *
 * Needs no permission.
 *
 * @param label What stands before the bar.
 * @returns What draws it. One pipeline after the other can use it.
 * @throws {TypeError} If the label is not a string.
 *
 * @example
 * ```ts
 * import { pipeline, progressBar } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile({ dir: "/tmp" });
 * const status = await pipeline(["head", "-c", "1000000", "/dev/zero"])
 *   .to({ path })
 *   .with({ onProgress: await progressBar("writing") })
 *   .status();
 * assertEquals(status, 0);
 * await Deno.remove(path);
 * ```
 */
export async function progressBar(
  label = "",
): Promise<(progress: Progress | ItemProgress) => void> {
  checkString(label, "make a progress bar", "label");
  // Loaded here: a program without a bar does not need it.
  const { default: library } = await import("cli-progress");
  let bar: Bar | undefined;
  return (progress) => {
    const areItems = "items" in progress;
    const textOf = areItems ? String : sizeText;
    bar ??= draw(library as Library, label, progress.total, textOf);
    bar.update(areItems ? progress.items : progress.bytes);
    if (!progress.done) return;
    bar.stop();
    bar = undefined;
  };
}

/** What is used of the library, which has no types of its own. */
interface Bar {
  start(total: number, value: number, payload: Record<string, string>): void;
  update(value: number): void;
  stop(): void;
}

interface BarOptions {
  format: string;
  formatValue(value: number, options: unknown, type: string): string;
}

interface Library {
  SingleBar: new (options: BarOptions, preset: unknown) => Bar;
  Presets: { legacy: unknown };
}

const KNOWN =
  "{label}{bar} {percentage}% | {value} of {total} | {eta_formatted}";
const UNKNOWN = "{label}{value} | {duration_formatted}";

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** A number of bytes to be read by people. */
function sizeText(bytes: number): string {
  let unit = 0;
  while (bytes >= 1000 && unit < UNITS.length - 1) {
    bytes /= 1000;
    unit++;
  }
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${UNITS[unit]}`;
}

/** Draws an empty bar. Without a terminal this and all that follows do nothing. */
function draw(
  { SingleBar, Presets }: Library,
  label: string,
  total: number | undefined,
  textOf: (value: number) => string,
): Bar {
  const bar = new SingleBar({
    format: total === undefined ? UNKNOWN : KNOWN,
    // The library has it format percentages too.
    formatValue: (value, _, type) =>
      type === "value" || type === "total" ? textOf(value) : `${value}`,
  }, Presets.legacy);
  bar.start(total ?? 0, 0, { label: label && `${label} ` });
  return bar;
}

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
