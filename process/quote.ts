/**
 * Quoting for the shell.
 *
 * @module
 */

import { checkString } from "../_internal/check.ts";

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
