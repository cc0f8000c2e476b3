// What a command is: a string for the shell, or an array that never meets one.
import { quote } from "./quote.ts";

/**
 * A command: a string goes to `/bin/sh -c`, an array of the program and its
 * arguments never meets a shell.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 */
export type Command = string | readonly string[];

/** The program of the strings. By its path, so that PATH cannot change it. */
export const SHELL = "/bin/sh";

/**
 * The program and the arguments of a command.
 *
 * @param command The command.
 * @returns At least one string.
 * @throws {TypeError} If it is neither a string nor an array of strings, is
 * empty, or contains a NUL.
 */
export function argvOf(command: Command): string[] {
  const argv = typeof command === "string"
    ? [SHELL, "-c", command]
    : Array.isArray(command)
    ? [...command]
    : [];
  if (argv.length === 0 || argv[0] === "") {
    throw new TypeError(
      `Cannot run a command: it must be a string or a non-empty array of strings, received ${
        JSON.stringify(command)
      }`,
    );
  }
  for (const part of argv) {
    if (typeof part !== "string" || part.includes("\0")) {
      throw new TypeError(
        `Cannot run a command: its parts must be strings without NUL, received ${
          JSON.stringify(part)
        }`,
      );
    }
  }
  return argv;
}

/** The arguments of a command for the shell, which joins stderr to stdout. */
export function mergedArgvOf(command: string): string[] {
  // In a shell of its own: so the joined stream also gets its syntax errors.
  return [SHELL, "-c", 'exec "$0" "$@" 2>&1', ...argvOf(command)];
}

/** A command as messages show it. */
export function textOf(command: Command): string {
  const text = typeof command === "string"
    ? command
    : command.map(quote).join(" ");
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
