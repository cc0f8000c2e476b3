/**
 * What a command is, and how it is written for a shell.
 *
 * @module
 */

import { checkString } from "../../_internal/check.ts";
import { shellOf } from "../../_internal/platform.ts";

/**
 * A command: a string goes to `/bin/sh -c`, an array of the program and its
 * arguments never meets a shell.
 *
 * **The shell parses a string.** Quote with {@linkcode quote} whatever is put
 * into it, or use an array, which needs no quoting.
 */
export type Command = string | readonly string[];

let found: string | undefined;

/** The program of the strings. */
export function shell(): string {
  return found ??= shellOf((path) => {
    const { state } = Deno.permissions.querySync({ name: "read", path });
    if (state !== "granted") return undefined;
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

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
    ? isLong(command) ? longArgvOf(command) : [shell(), "-c", command]
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

/** How many bytes the system takes as one argument, with some to spare. */
const LONGEST = 120_000;
/** Of that many characters none has more bytes. */
const PIECE = LONGEST / 3;

/** Whether a command for the shell is too long for one argument. */
export function isLong(command: string): boolean {
  return command.length > PIECE &&
    new TextEncoder().encode(command).length > LONGEST;
}

/** Puts the pieces together again, and leaves no trace of it. */
const TOGETHER =
  "for SKEIN_PIECE do SKEIN_COMMAND=$SKEIN_COMMAND$SKEIN_PIECE; " +
  'done; set --; unset SKEIN_PIECE; eval "unset SKEIN_COMMAND; $SKEIN_COMMAND"';

/** The arguments of a long command, in pieces. */
function longArgvOf(command: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < command.length;) {
    let end = at + PIECE;
    // Not between the two halves of a character.
    if (/[\uD800-\uDBFF]/.test(command[end - 1])) end++;
    pieces.push(command.slice(at, end));
    at = end;
  }
  return [shell(), "-c", `SKEIN_COMMAND=; ${TOGETHER}`, shell(), ...pieces];
}

/** The arguments of a command for the shell, which joins stderr to stdout. */
export function mergedArgvOf(command: string): string[] {
  // In a shell of its own: so the joined stream also gets its syntax errors.
  return [shell(), "-c", 'exec "$0" "$@" 2>&1', ...argvOf(command)];
}

/** A command as messages show it. */
export function textOf(command: Command): string {
  const text = typeof command === "string"
    ? command
    : command.map(quote).join(" ");
  return text.length > 200 ? `${text.slice(0, 200)}\u2026` : text;
}

/** The commands of a pipeline as one for a shell. */
export function pipelineTextOf(commands: readonly Command[]): string {
  if (commands.length === 1 && typeof commands[0] === "string") {
    return commands[0];
  }
  return commands.map((command) =>
    typeof command === "string"
      ? `sh -c ${quote(command)}`
      : command.map(quote).join(" ")
  ).join(" | ");
}

/** Text that a shell takes as it is. */
const SAFE = /^[\w@%+=:,./-]+$/;

/**
 * Writes a text as one word of a shell command, whatever it contains. After
 * `shlex.quote` of Python.
 *
 * It is for `/bin/sh` and its relatives. A word that starts with a dash may
 * still be taken for an option by the program that gets it. Needs no
 * permission.
 *
 * @param text The text.
 * @returns The word, in single quotes if it needs any.
 * @throws {TypeError} If it is no text, or contains a NUL, which no argument
 * can.
 *
 * @example
 * ```ts
 * import { quote } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(quote("it's"), `'it'"'"'s'`);
 * assertEquals(quote("file.txt"), "file.txt");
 * ```
 */
export function quote(text: string): string {
  checkString(text, "quote a text", "it");
  if (text.includes("\0")) {
    throw new TypeError(
      `Cannot quote a text: it contains a NUL, received ${
        JSON.stringify(text.slice(0, 100))
      }`,
    );
  }
  return SAFE.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

/**
 * Writes a text as an argument to be added to a shell command: like
 * {@linkcode quote}, always quoted, and with a space before it. After
 * `commands.mkarg` of Python 2. Needs no permission.
 *
 * @param text The text.
 * @returns A space and the quoted text.
 * @throws {TypeError} If it is no text, or contains a NUL, which no argument
 * can.
 *
 * @example
 * ```ts
 * import { getOutput, mkarg } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await getOutput("printf %s" + mkarg("$HOME *")), "$HOME *");
 * ```
 */
export function mkarg(text: string): string {
  const word = quote(text);
  return word === text ? ` '${text}'` : ` ${word}`;
}
