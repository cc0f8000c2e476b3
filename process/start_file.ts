/**
 * Opening a file with the program the desktop has for it.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import { isText } from "./_check.ts";
import { spawn } from "./_spawn.ts";

const OPENERS: Partial<Record<typeof Deno.build.os, readonly string[]>> = {
  darwin: ["open"],
  windows: ["explorer.exe"],
};

/**
 * Opens a file or a web address as a double click would, and does not wait. The
 * program outlives this one. After `os.startfile` of Python, on every system.
 *
 * Needs `--allow-run` for the opener: `xdg-open` on Linux, `open` on macOS,
 * `explorer.exe` on Windows.
 *
 * @param path The path, or an address.
 * @throws {TypeError} If the path is none.
 * @throws {Deno.errors.NotFound} If there is no opener.
 * @throws {Deno.errors.NotCapable} Without the permission to run it.
 *
 * @example
 * ```ts ignore
 * import { startFile } from "@skein/std/process";
 *
 * startFile("chart.svg");
 * ```
 */
export function startFile(path: string | URL): void {
  if (!isText(path) && !(path instanceof URL)) {
    throw new TypeError(
      `Cannot start a file: path must be a path without NUL or a URL, received ${
        shown(path)
      }`,
    );
  }
  const [opener] = OPENERS[Deno.build.os] ?? ["xdg-open"];
  // A path must not be taken for an option.
  const target = String(path).startsWith("-") ? `./${path}` : String(path);
  spawn([opener, target], {
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).unref();
}
