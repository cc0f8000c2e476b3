/**
 * Programs: where they are, whether this one may run them, and why one could not
 * be started.
 *
 * @module
 */

import { checkString } from "../../_internal/check.ts";
import { isText, readOptions, type Stage } from "./options.ts";
import { argvOf } from "./command_line.ts";
import { HERE, isAbsolute } from "../../_internal/built_in.ts";
import { isPath, shellHint } from "../../_internal/platform.ts";
import { granted, mayRun } from "./descriptors.ts";

/** What is known of a command whose program is looked for. */
type Program = Pick<Stage, "cmd" | "cwd" | "env" | "clearEnv" | "uid" | "gid">;

/** What {@linkcode which} takes. */
export interface WhichOptions {
  /**
   * The folders to look in, in the form of the variable `PATH`, which is the
   * default.
   */
  path?: string;
}

const WHICH = "look for a program";

/** The files that would be run by a name, in their order. */
function candidates(name: string, options: WhichOptions): string[] {
  checkName(name, "name");
  if (name === "") {
    throw new TypeError(`Cannot ${WHICH}: name must not be empty, received ""`);
  }
  const { path } = readOptions(options, ["path"], WHICH);
  if (path !== undefined) checkName(path, "path");
  const folders = () => path ?? Deno.env.get("PATH") ?? "";
  return HERE === "windows"
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

function checkName(text: string, name: string): void {
  checkString(text, WHICH, name);
  if (isText(text)) return;
  throw new TypeError(
    `Cannot ${WHICH}: ${name} must be without NUL, received ${
      JSON.stringify(text)
    }`,
  );
}

/** Whether a file can be run by somebody. */
function isRunnable({ isFile, mode }: Deno.FileInfo): boolean {
  return isFile && (mode === null || (mode & 0o111) !== 0);
}

/** Whether an error says that there is nothing to be had. */
function saysMissing(error: unknown): boolean {
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
      if (isRunnable(await Deno.stat(path))) return path;
    } catch (error) {
      if (!saysMissing(error)) throw error;
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
      if (isRunnable(Deno.statSync(path))) return path;
    } catch (error) {
      if (!saysMissing(error)) throw error;
    }
  }
  return undefined;
}

/**
 * The files that a name stands for on Windows: one of those that end as programs
 * do. A name that ends so itself is tried as it is first, as `shutil.which` of
 * Python does.
 *
 * @param name The name.
 * @param path The folders, which may be in quotes; empty ones are none.
 * @param pathext The endings of programs, in their order.
 */
export function windowsPlaces(
  name: string,
  path: () => string,
  pathext = ".COM;.EXE;.BAT;.CMD",
): string[] {
  const endings = pathext.split(";").filter((ending) => ending !== "");
  const whole = endings.some((ending) =>
    name.toLowerCase().endsWith(ending.toLowerCase())
  );
  const names = [
    ...whole ? [name] : [],
    ...endings.map((ending) => name + ending),
  ];
  // `C:prog` is one in the folder where that drive is.
  if (/[\\/:]/.test(name)) return names;
  const folders = (path().match(/(?:"[^"]*"?|[^;"])+/g) ?? [])
    .map((folder) => folder.replaceAll('"', "").replace(/[\\/]+$/, ""))
    .filter((folder) => folder !== "");
  return folders.flatMap((folder) => names.map((name) => `${folder}\\${name}`));
}

/**
 * The same error, saying which command could not be run and why. The system
 * says "no such file" of a program, of its interpreter and of the folder it is
 * to run in.
 */
export function explain(
  error: unknown,
  file: string,
  { cwd, uid, gid }: Pick<Program, "uid" | "gid"> & { cwd?: string | URL },
): unknown {
  if ((error as { code?: unknown }).code === "E2BIG") {
    return new RangeError(
      `Cannot run a command: its arguments and environment are too long for the system, received "${file}" with them`,
      { cause: error },
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new Deno.errors.PermissionDenied(
      `Cannot run a command: the file cannot be executed${
        cwd === undefined ? "" : `, or not in "${cwd}"`
      }${
        (uid ?? gid) === undefined ? "" : ", or not as that user or group"
      }, received "${file}"`,
      { cause: error },
    );
  }
  if (
    !(error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory)
  ) return error;
  const { NotFound, NotADirectory } = Deno.errors;
  const { message } = error;
  if (message.includes("failed resolving cwd")) {
    return new NotFound(
      `Cannot run "${file}": the current directory is gone, received ${
        cwd === undefined ? "no cwd" : `cwd "${cwd}"`
      }`,
      { cause: error },
    );
  }
  const folder = cwd === undefined ? "there" : lookAtFolder(message, cwd);
  if (folder === "missing") {
    return new NotFound(
      `Cannot run "${file}": there is no such working directory, received "${cwd}"`,
      { cause: error },
    );
  }
  if (folder === "a file") {
    return new NotADirectory(
      `Cannot run "${file}": the working directory is a file, received "${cwd}"`,
      { cause: error },
    );
  }
  // The whole path, also of a program that was looked for in PATH.
  const path = /^Failed to spawn '(.*)': /s.exec(message)?.[1] ?? file;
  const program = isPath(path) ? statOf(path) : "missing";
  if (program !== undefined && program !== "missing") {
    return new NotFound(
      `Cannot run "${file}": its interpreter is missing, received ${
        interpreterOf(path)
      }`,
      { cause: error },
    );
  }
  const why = [
    "no such program",
    ...program === undefined ? ["no interpreter for it"] : [],
    ...folder === "unknown" ? [`no such working directory as "${cwd}"`] : [],
  ];
  return new NotFound(
    `Cannot run a command: there is ${why.join(", or ")}${
      shellHint(file)
    }, received "${file}"`,
    { cause: error },
  );
}

type Look = "there" | "missing" | "a file" | "unknown";

/** What is the matter with the working directory of a child. */
function lookAtFolder(message: string, cwd: string | URL): Look {
  // Some ways to start a child say it. A program that is not found in PATH gets
  // a message of its own, before anybody looks at the folder.
  if (message.includes("No such cwd")) return "missing";
  if (message.includes("cwd is not a directory")) return "a file";
  if (message.includes("entity not found")) return "there";
  const stat = statOf(cwd);
  if (stat === undefined || stat === "missing") return stat ?? "unknown";
  return stat.isDirectory ? "there" : "a file";
}

/** The interpreter that a program names, as it is shown in a message. */
function interpreterOf(path: string): string {
  const line = firstLineOf(path);
  return line?.startsWith("#!")
    ? JSON.stringify(line.slice(2).trim())
    : "a program without #!";
}

/** What is at a path; `undefined` if this program may not look. */
function statOf(path: string | URL): Deno.FileInfo | "missing" | undefined {
  const { state } = Deno.permissions.querySync({ name: "read", path });
  if (state !== "granted") return undefined;
  try {
    return Deno.statSync(path);
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "missing" : undefined;
  }
}

/**
 * Whether the system seems able to run a program by itself: a shell would take
 * a script without `#!` for its own, and has an exit status where Deno has an
 * error when an interpreter is missing.
 */
export function runsByItself(path: string): boolean {
  if (statOf(path) === undefined) return true;
  const line = firstLineOf(path);
  if (line === undefined || line.startsWith("\x7fELF")) return true;
  const [, interpreter] = /^#!\s*(\S+)/.exec(line) ?? [];
  if (interpreter === undefined) return false;
  const stat = statOf(interpreter);
  return stat !== undefined && stat !== "missing";
}

function firstLineOf(path: string): string | undefined {
  try {
    using file = Deno.openSync(path);
    const bytes = new Uint8Array(256);
    const length = file.readSync(bytes) ?? 0;
    return new TextDecoder().decode(bytes.subarray(0, length)).split("\n")[0];
  } catch {
    return undefined; // It may be executed, but not read.
  }
}

/**
 * Whether this program may run another one in a given folder and environment.
 * In another PATH or folder the name may find another program than the allowed
 * one; so Deno is asked, which knows.
 */
export function mayRunIn(
  file: string,
  { cwd, env, clearEnv }: Program,
): boolean {
  if (granted({ name: "run" })) return true;
  const elsewhere = isPath(file)
    ? !isAbsolute(file) && cwd !== undefined
    : env?.PATH !== undefined || clearEnv === true;
  return !elsewhere && mayRun(file);
}

/**
 * Whether the program of a command is known to exist, so that it need not be
 * reported. Without permission to look it is not known.
 */
export function exists({ cmd, cwd, env, clearEnv }: Program): boolean {
  const [file] = argvOf(cmd);
  if (file.includes("/")) {
    return (isAbsolute(file) || cwd === undefined) && isProgram(file);
  }
  const path = env?.PATH ?? (clearEnv ||
      !granted({ name: "env", variable: "PATH" })
    ? ""
    : Deno.env.get("PATH") ?? "");
  return path.split(":").some((folder) => isProgram(`${folder}/${file}`));
}

/**
 * Sees that the program of a command is not missing, before a shell is started that
 * would become it and has nowhere to report to. What may not be looked at is left
 * to the shell, whose status is 127 then.
 *
 * @throws {Deno.errors.NotFound} If it is.
 */
export function requireFound(stage: Program): void {
  const { cwd, env, clearEnv } = stage;
  const [file] = argvOf(stage.cmd);
  let folders = [""];
  if (!file.includes("/")) {
    // A shell has a PATH of its own where there is none.
    const path = env?.PATH ?? (clearEnv ||
        !granted({ name: "env", variable: "PATH" })
      ? undefined
      : Deno.env.get("PATH"));
    if (path === undefined) return;
    folders = path.split(":").map((folder) => `${folder || "."}/`);
  }
  const paths = folders.map((folder) => folder + file).map((path) =>
    isAbsolute(path) || cwd === undefined ? path : `${cwd}/${path}`
  );
  if (!paths.every(isMissing)) return;
  const error = new Deno.errors.NotFound("entity not found");
  throw explain(error, file, stage);
}

/** Whether it can be seen that there is no such file. */
function isMissing(path: string): boolean {
  if (!granted({ name: "read", path })) return false;
  try {
    Deno.statSync(path);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
  }
}

function isProgram(path: string): boolean {
  if (!granted({ name: "read", path })) return false;
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && (mode ?? 0) % 2 === 1;
  } catch {
    return false;
  }
}
