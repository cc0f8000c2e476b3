/**
 * A bar that shows on a terminal how far a pipeline has come.
 *
 * @module
 */

import { checkString } from "../_internal/check.ts";
import type { Progress } from "./_command/options.ts";

/**
 * Makes a bar for the option `onProgress`. It is drawn on standard error, while
 * the pipeline runs, if that is a terminal; else nothing is written. Where the
 * total is known it shows the part that is done and the time that is left, and
 * where it is not, the bytes and the time so far.
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
): Promise<(progress: Progress) => void> {
  checkString(label, "make a progress bar", "label");
  // Loaded here: the library is of no use to who wants no bar.
  const { TerminalBar } = await import("./_terminal_bar.ts");
  let bar: InstanceType<typeof TerminalBar> | undefined;
  return ({ bytes, total, done }) => {
    bar ??= new TerminalBar(label, total);
    bar.update(bytes);
    if (!done) return;
    bar.stop();
    bar = undefined;
  };
}
