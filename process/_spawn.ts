// Starting one process, with errors that name it.
import { checkPlace, type PopenOptions } from "./_command/options.ts";

/** What a standard stream of a child is; a number is a descriptor. */
export type Stdio = "inherit" | "null" | "piped" | number;

/** How a child is started. */
export interface SpawnOptions {
  cwd?: string | URL;
  env?: Record<string, string>;
  clearEnv?: boolean;
  detached?: boolean;
  stdin: Stdio;
  stdout: Stdio;
  stderr: Stdio;
}

/**
 * Where a child runs, with the standard streams of this program.
 *
 * @throws {TypeError} If an option is of the wrong kind.
 */
export function inheriting(options: PopenOptions): SpawnOptions {
  const inherit = "inherit";
  const streams = { stdin: inherit, stdout: inherit, stderr: inherit } as const;
  return { ...checkPlace(options), ...streams };
}

/**
 * Starts a process.
 *
 * @param argv The program and its arguments.
 * @param options Where, and with which streams.
 * @param name The program as the caller knows it, for messages.
 * @returns The child.
 * @throws {Deno.errors.NotFound} If there is no such program, or no such
 * working directory.
 * @throws {Deno.errors.PermissionDenied} If the program cannot be executed.
 * @throws {Deno.errors.NotCapable} Without permission to run it.
 */
export function spawn(
  argv: readonly string[],
  options: SpawnOptions,
  name = argv[0],
): Deno.ChildProcess {
  const [file, ...args] = argv;
  try {
    // Deno takes descriptors too; only its types do not say so.
    return new Deno.Command(file, {
      ...options as Deno.CommandOptions,
      args,
    }).spawn();
  } catch (error) {
    throw explain(error, name, options.cwd);
  }
}

/**
 * The same error, saying which command could not be run and why. The system
 * says "no such file" of a program, of its interpreter and of the folder it is
 * to run in.
 */
export function explain(
  error: unknown,
  file: string,
  cwd?: string | URL,
): unknown {
  if (error instanceof Deno.errors.PermissionDenied) {
    return new Deno.errors.PermissionDenied(
      `Cannot run a command: the file cannot be executed${
        cwd === undefined ? "" : `, or not in "${cwd}"`
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
  const program = path.includes("/") ? statOf(path) : "missing";
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
    `Cannot run a command: there is ${why.join(", or ")}, received "${file}"`,
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
 * Whether the system can run a program by itself, as far as can be seen: a shell
 * would take a script without `#!` for its own, and has an exit status where
 * Deno has an error when an interpreter is missing.
 */
export function runsByItself(path: string): boolean {
  if (statOf(path) === undefined) return true;
  const line = firstLineOf(path);
  if (line === undefined || line.startsWith("\x7fELF")) return true;
  const [, interpreter] = /^#!\s*(\S+)/.exec(line) ?? [];
  return interpreter !== undefined && statOf(interpreter) !== "missing";
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
