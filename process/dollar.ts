/**
 * `$`: commands for the shell as templates, which quote what is put in.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import { pipelineTextOf } from "./_command/command_line.ts";
import { checkCommandOptions } from "./_command/check_options.ts";
import type { CommandOptions } from "./_command/options.ts";
import { CommandResult } from "./_command/result.ts";
import { Pipeline, planOf } from "./pipeline.ts";
import { ShellText, written } from "./_shell/shell_text.ts";

/**
 * What can be put into a command of {@linkcode $}: a text or a number is one
 * word, or a part of one; an array is as many words as it has elements; a
 * command is put in as it is written; the result of one gives what it wrote,
 * without newlines at the end.
 */
export type ShellValue =
  | string
  | number
  | bigint
  | readonly (string | number | bigint)[]
  | Pipeline
  | CommandResult;

/**
 * A command that {@linkcode $} made: a pipeline of one stage, a string for the
 * shell. Unlike other pipelines it can be awaited, which runs it; each `await`
 * runs it once more. So an `async` function cannot return one without running
 * it.
 *
 * @example
 * ```ts
 * import { $ } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const sorted = $`sort | uniq`;
 * assertEquals((await sorted.from("b\na\nb\n")).stdout, "a\nb\n");
 * ```
 */
export class ShellCommand extends Pipeline
  implements PromiseLike<CommandResult> {
  /**
   * Runs the command, as `run()` does. It is there for `await`.
   *
   * @param onfulfilled Gets the result.
   * @param onrejected Gets the error.
   * @returns A promise for what these return.
   *
   * @example
   * ```ts
   * import { $ } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const { status } = await $`exit 3`.with({ check: false });
   * assertEquals(status, 3);
   * ```
   */
  then<Value = CommandResult, Other = never>(
    onfulfilled?:
      | ((result: CommandResult) => Value | PromiseLike<Value>)
      | null,
    onrejected?: ((error: unknown) => Other | PromiseLike<Other>) | null,
  ): Promise<Value | Other> {
    return this.run().then(onfulfilled, onrejected);
  }
}

/** What {@linkcode $} is: a template tag, and two functions. */
export interface Dollar {
  /**
   * Makes a command of a template. What is put in is quoted.
   *
   * @param text The text of the template.
   * @param values What is put in.
   * @returns The command, which runs when it is awaited.
   * @throws {TypeError} If something cannot be put in, or not there.
   */
  (text: TemplateStringsArray, ...values: ShellValue[]): ShellCommand;

  /**
   * Makes a command of a template, or of a text. What is put in is **not** quoted:
   * the shell parses it. Put the command into another one to have a part of that
   * as it is.
   *
   * @param text The template or the text.
   * @param values What is put in.
   * @returns The command, which runs when it is awaited.
   * @throws {TypeError} If something cannot be put in.
   *
   * @example
   * ```ts
   * import { $ } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const options = "-n 1";
   * const head = $`yes | head ${$.raw(options)}`;
   * assertEquals(await head.text(), "y\n");
   * assertEquals(await $.raw`yes | head ${options}`.text(), "y\n");
   * ```
   */
  raw(
    text: TemplateStringsArray | string,
    ...values: ShellValue[]
  ): ShellCommand;

  /**
   * Makes another `$`, whose commands have these options.
   *
   * @param options The options, added to those that are set.
   * @returns The other `$`.
   * @throws {TypeError} If an option is of the wrong kind.
   * @throws {RangeError} If a number is negative, NaN or too large.
   *
   * @example
   * ```ts
   * import { $ } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const $tmp = $.with({ cwd: "/tmp", env: { NAME: "spam" } });
   * assertEquals(await $tmp`pwd; echo $NAME`.text(), "/tmp\nspam\n");
   * ```
   */
  with(options: CommandOptions): Dollar;
}

const WHAT = "make a command";

/** A text or a number as text. */
function wordOf(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint") {
    return String(value);
  }
  if (typeof value !== "string") {
    throw new TypeError(
      `Cannot ${WHAT}: a value must be a string, a number, an array of these, a command or a result, received ${
        shown(value)
      }`,
    );
  }
  if (value.includes("\0")) {
    throw new TypeError(
      `Cannot ${WHAT}: a value must be without NUL, received ${
        JSON.stringify(value.slice(0, 100))
      }`,
    );
  }
  return value;
}

/** The text of a command that is put into another one. */
function textOf(command: Pipeline, options: CommandOptions): string {
  const plan = planOf(command);
  const own = plan.stages.some((stage) => Object.keys(stage).length > 1) ||
    Object.entries(plan.options).some(([name, value]) =>
      options[name as keyof CommandOptions] !== value
    );
  if (own || plan.source !== undefined || plan.sink !== "capture") {
    throw new TypeError(
      `Cannot ${WHAT}: a command that is put in must have no source, sink or options of its own, received ${
        pipelineTextOf(plan.stages.map(({ cmd }) => cmd))
      }`,
    );
  }
  return pipelineTextOf(plan.stages.map(({ cmd }) => cmd));
}

function refuse(why: string, what: string): never {
  throw new TypeError(
    `Cannot ${WHAT}: a value cannot stand ${why}, received ${what}`,
  );
}

/** Puts a value in, so that it stays what it is; gives the text of it. */
function quoted(
  value: ShellValue,
  shell: ShellText,
  options: CommandOptions,
): string {
  const place = shell.place();
  if (typeof place === "object") refuse(place.why, shown(value));
  if (value instanceof Pipeline) {
    const text = textOf(value, options);
    if (place !== "words") refuse("inside quotes, use $(\u2026)", text);
    shell.text(text);
    return text;
  }
  if (value instanceof CommandResult) value = outputOf(value);
  if (!Array.isArray(value)) {
    shell.value();
    return written(wordOf(value), place);
  }
  if (place !== "words") refuse("inside quotes as several words", "an array");
  if (shell.redirection && value.length !== 1) {
    refuse("after < or > as several words", "an array");
  }
  if (value.length > 0) shell.value();
  return value.map((word) => written(wordOf(word), place)).join(" ");
}

/** A value as it is. */
function unquoted(value: ShellValue, options: CommandOptions): string {
  if (value instanceof Pipeline) return textOf(value, options);
  if (value instanceof CommandResult) return wordOf(outputOf(value));
  return Array.isArray(value) ? value.map(wordOf).join(" ") : wordOf(value);
}

/** What a command wrote, as `$(...)` would have it. */
function outputOf({ stdout }: CommandResult): string {
  return stdout.replace(/\n+$/, "");
}

/** The text of a template, whose values are put in by a function. */
function fill(
  text: TemplateStringsArray,
  values: readonly ShellValue[],
  put: (value: ShellValue) => string,
  read?: (text: string) => void,
): string {
  if (!Array.isArray(text) || !Array.isArray(text.raw)) {
    throw new TypeError(
      `Cannot ${WHAT}: it must be a template, as in $\`ls\`, and options go to $.with(), received ${
        shown(text)
      }`,
    );
  }
  return text.map((piece, i) => {
    // With an escape that there is not, as in `\u`.
    if (typeof piece !== "string") {
      throw new TypeError(
        `Cannot ${WHAT}: the template has a wrong escape, received ${
          text.raw[i]
        }`,
      );
    }
    read?.(piece);
    return i < values.length ? piece + put(values[i]) : piece;
  }).join("");
}

function dollarOf(options: CommandOptions): Dollar {
  const commandOf = (cmd: string) =>
    new ShellCommand([{ cmd }], undefined, "capture", options);
  const tag = (text: TemplateStringsArray, ...values: ShellValue[]) => {
    const shell = new ShellText();
    return commandOf(
      fill(
        text,
        values,
        (value) => quoted(value, shell, options),
        (piece) => shell.text(piece),
      ),
    );
  };
  return Object.assign(tag, {
    raw: (text: TemplateStringsArray | string, ...values: ShellValue[]) =>
      commandOf(
        typeof text === "string"
          ? wordOf(text)
          : fill(text, values, (value) => unquoted(value, options)),
      ),
    with: (more: CommandOptions) =>
      dollarOf({ ...options, ...checkCommandOptions(more) }),
  });
}

/**
 * Makes a command for `/bin/sh` of a template. What is put in is quoted: it is
 * one word, or a part of one, whatever it contains. An array is as many words as
 * it has elements. The command is a {@linkcode Pipeline} that can be awaited.
 *
 * - Also inside `'...'` and `"..."` of the template a value stays what it is, and in
 *   `$(...)`. In places where shells would take it apart, as in a comment, in
 *   backticks, in `${...}` and `$((...))`, or after `<<`, it is refused.
 * - A value that starts with a dash goes as it is, and the program may take it
 *   for an option; most know `--` for the end of them: `` $`rm -- ${file}` ``.
 * - What a program itself parses is not safe: `` $`sh -c ${text}` `` runs the
 *   text.
 * - Backslashes are those of a template: `\n` is a newline, `\\` a backslash.
 *
 * Needs `--allow-run=/bin/sh`.
 *
 * @param text The text of the template.
 * @param values What is put in.
 * @returns The command, which runs when it is awaited.
 * @throws {TypeError} If something cannot be put in, or not there.
 *
 * @example
 * ```ts
 * import { $ } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const word = "it's $HOME; rm *";
 * assertEquals(await $`printf %s ${word} | cat`.text(), word);
 *
 * const { stdout } = await $`echo ${["a b", "c"]} ${1}`;
 * assertEquals(stdout, "a b c 1\n");
 * ```
 */
export const $: Dollar = dollarOf({});
