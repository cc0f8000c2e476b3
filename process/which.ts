/**
 * Where a program is.
 *
 * @module
 */

import { checkString } from "../_internal/check.ts";
import { windowsPlaces } from "./_command/command_line.ts";
import { isText, readOptions } from "./_command/check_options.ts";

/** What {@linkcode which} takes. */
export interface WhichOptions {
  /**
   * The folders to look in, in the form of the variable `PATH`, which is the
   * default.
   */
  path?: string;
}

const WHAT = "look for a program";
const IS_WINDOWS = Deno.build.os === "windows";

/** The files that would be run by a name, in their order. */
function candidates(name: string, options: WhichOptions): string[] {
  checkText(name, "name");
  if (name === "") {
    throw new TypeError(`Cannot ${WHAT}: name must not be empty, received ""`);
  }
  const { path } = readOptions(options, ["path"], WHAT);
  if (path !== undefined) checkText(path, "path");
  const folders = () => path ?? Deno.env.get("PATH") ?? "";
  return IS_WINDOWS
    ? windowsPlaces(name, folders, Deno.env.get("PATHEXT"))
    : places(name, folders);
}

/** The files that a name stands for on a system with `/`. */
function places(name: string, path: () => string): string[] {
  if (name.includes("/")) return [name];
  // An empty one is the current directory.
  return path().split(":").map((folder) =>
    `${folder === "" ? "." : folder.replace(/\/+$/, "")}/${name}`
  );
}

function checkText(text: string, name: string): void {
  checkString(text, WHAT, name);
  if (isText(text)) return;
  throw new TypeError(
    `Cannot ${WHAT}: ${name} must be without NUL, received ${
      JSON.stringify(text)
    }`,
  );
}

/** Whether a file can be run by somebody. */
function isProgram({ isFile, mode }: Deno.FileInfo): boolean {
  return isFile && (mode === null || (mode & 0o111) !== 0);
}

/** Whether an error says that there is nothing to be had. */
function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.FilesystemLoop;
}

/**
 * Says which file is run by a name, as a shell would find it: the first one in
 * the folders of `PATH` that may be executed. A name with a slash is a path,
 * which is only looked at. After `shutil.which` of Python. On Windows a program
 * ends as `PATHEXT` says, and the name may leave that out.
 *
 * Needs `--allow-env=PATH`, unless `path` is given, `--allow-env=PATHEXT` on
 * Windows, and `--allow-read` for the files that it looks at.
 *
 * @param name The name of the program.
 * @param options Where to look.
 * @returns The path, or `undefined` if there is none.
 * @throws {TypeError} If the name or an option is of the wrong kind.
 * @throws {Deno.errors.NotCapable} Without the permission to look.
 *
 * @example
 * ```ts
 * import { which } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const path = "/tmp/skein/none:.";
 * assertEquals(await which("skein-has-no-such-program", { path }), undefined);
 * ```
 */
export async function which(
  name: string,
  options: WhichOptions = {},
): Promise<string | undefined> {
  for (const path of candidates(name, options)) {
    try {
      if (isProgram(await Deno.stat(path))) return path;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return undefined;
}

/**
 * Like {@linkcode which}, blocking the thread. Needs what that needs.
 *
 * @param name The name of the program.
 * @param options Where to look.
 * @returns The path, or `undefined` if there is none.
 * @throws {TypeError} If the name or an option is of the wrong kind.
 * @throws {Deno.errors.NotCapable} Without the permission to look.
 *
 * @example
 * ```ts
 * import { whichSync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const path = "/tmp/skein/none:.";
 * assertEquals(whichSync("skein-has-no-such-program", { path }), undefined);
 * ```
 */
export function whichSync(
  name: string,
  options: WhichOptions = {},
): string | undefined {
  for (const path of candidates(name, options)) {
    try {
      if (isProgram(Deno.statSync(path))) return path;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return undefined;
}
