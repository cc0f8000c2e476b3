/**
 * `$`: commands for the shell as templates, which quote what is put in.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import { pipelineTextOf } from "./_command/command_line.ts";
import {
  checkCommandOptions,
  type CommandOptions,
} from "./_command/options.ts";
import { CommandResult } from "./_command/result.ts";
import { Pipeline, planOf } from "./pipeline.ts";

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

// Where in the text of a shell command a value is put in, and how it is written
// there so that it stays what it is. A value may stand between words or in one, and
// inside `'...'` and `"..."`; also in `$(...)`, whose text is read like any other.
// Elsewhere the shell would take it apart, or shells do not agree on what they
// read. There it is refused.
//
// The scanner reads what `/bin/sh` reads, dash or bash. What it does not follow
// makes it `lost`: from there on it refuses all values, and lets none through on a
// guess.

/** A part of the text that has an end of its own. */
type Frame =
  /** Words; in `(...)` and `$(...)` they end with the parenthesis. */
  | { kind: "words"; nested?: "shell" | "substitution" }
  | { kind: "single" | "double" | "comment" | "parameter" | "backtick" }
  | { kind: "arithmetic"; depth: number };

/** Where a value stands. */
type Place = "words" | "single" | "double";

/** Characters after which a word begins; other white space is none for a shell. */
const BEFORE_WORD = /[ \t\n;&|()<>]/;

/** What may stand in `${...}` for this scanner to follow it. */
const IN_PARAMETER = /[\w@*#?!:=+%/.,~-]/;

/** Reads the text of a command from its start, piece by piece. */
class ShellText {
  /** From the outside in; never empty. */
  readonly #frames: Frame[] = [{ kind: "words" }];
  /** Why no value can be put in any more. */
  #lost?: string;
  /** Whether the next character is quoted by a backslash. */
  #escaped = false;
  /** Whether the last character was a `$` that the shell heeds. */
  #dollar = false;
  /** Whether the next character begins a word. */
  #wordStart = true;
  /** The word so far, to find `case`. */
  #word = "";
  /** The last of the characters between words, if nothing has come since. */
  #last = "";
  /** Whether the last characters were `$(`. */
  #opened = false;
  /** Whether the next word is the file of a redirection. */
  #redirection = false;

  /** Whether a value that is put in here would be the file of a redirection. */
  get redirection(): boolean {
    return this.#redirection;
  }

  /**
   * Where a value that is put in here would stand.
   *
   * @returns The place, or else why there can be none.
   */
  place(): Place | { why: string } {
    if (this.#lost !== undefined) return { why: this.#lost };
    if (this.#escaped) return { why: "right after a backslash" };
    if (this.#dollar) return { why: "right after a $" };
    for (const { kind } of this.#frames) {
      if (kind === "backtick") return { why: "inside `\u2026`, use $(\u2026)" };
      if (kind === "parameter") return { why: "inside ${\u2026}" };
      if (kind === "arithmetic") return { why: "inside $((\u2026))" };
    }
    const { kind } = this.#frames.at(-1)!;
    return kind === "comment" ? { why: "in a comment" } : kind as Place;
  }

  /** Tells it that a value was put in, of at least one word. */
  value(): void {
    this.#opened = false;
    this.#inWord();
  }

  /** Reads on. */
  text(text: string): void {
    for (const char of text) this.#read(char);
  }

  #read(char: string): void {
    const frame = this.#frames.at(-1)!;
    if (this.#escaped) {
      this.#escaped = false;
      // A line that goes on: as if neither were there.
      if (char !== "\n") this.#inWord();
      return;
    }
    const dollar = this.#dollar;
    const opened = this.#opened;
    this.#dollar = this.#opened = false;
    switch (frame.kind) {
      case "single":
        if (char === "'") this.#frames.pop();
        return;
      case "comment":
        if (char !== "\n") return;
        this.#frames.pop();
        return this.#read(char);
      case "backtick":
        if (char === "\\") this.#escaped = true;
        if (char === "`") this.#frames.pop();
        return;
      case "parameter":
        if (char === "}") this.#frames.pop();
        else if (!IN_PARAMETER.test(char)) this.#lose("after such a ${\u2026}");
        return;
      case "arithmetic":
        this.#dollar = char === "$";
        if (char === "(") frame.depth++;
        if (char === ")" && --frame.depth === 0) this.#frames.pop();
        if (/['"\\`#{]/.test(char) || dollar && char === "(") {
          this.#lose("after such a $((\u2026))");
        }
        return;
      case "double":
        if (char === '"') this.#frames.pop();
        else this.#readExpansion(char, dollar);
        return;
      case "words":
        if (opened && char === "(") {
          // Or a shell in a shell, which nobody writes so.
          this.#frames.pop();
          this.#frames.push({ kind: "arithmetic", depth: 2 });
          return;
        }
        if (opened && char === "\\") this.#lose("after $(\\");
        if (!this.#readExpansion(char, dollar)) {
          this.#readWord(char, dollar, frame.nested);
        }
    }
  }

  /** What is the same in words and in double quotes; says whether it was that. */
  #readExpansion(char: string, dollar: boolean): boolean {
    switch (char) {
      case "\\":
        // The line may go on with what belongs to the $.
        if (dollar) this.#lose("after $\\");
        this.#escaped = true;
        return true;
      case "$":
        // `$$` is the number of the shell.
        this.#dollar = !dollar;
        this.#inWord();
        return true;
      case "`":
        this.#inWord();
        this.#frames.push({ kind: "backtick" });
        return true;
    }
    if (!dollar) return false;
    switch (char) {
      case "{":
        this.#frames.push({ kind: "parameter" });
        return true;
      case "(":
        this.#frames.push({ kind: "words", nested: "substitution" });
        this.#startWord();
        this.#opened = true;
        return true;
      case "[":
        // Arithmetic for one shell, text for the other.
        this.#lose("after $[");
        return true;
    }
    return false;
  }

  #readWord(
    char: string,
    dollar: boolean,
    nested?: "shell" | "substitution",
  ): void {
    if (char === "#" && this.#wordStart) {
      this.#frames.push({ kind: "comment" });
      return;
    }
    if (char === "'" || char === '"') {
      // With escapes for one shell, without for the other.
      if (dollar && char === "'") this.#lose("after $'");
      this.#inWord();
      this.#frames.push({ kind: char === "'" ? "single" : "double" });
      return;
    }
    if (!BEFORE_WORD.test(char)) return this.#inWord(char);
    // Its patterns end with parentheses that nobody opened.
    if (this.#word === "case" && nested) this.#lose("after a case in (\u2026)");
    const last = this.#last;
    if (char === "(") {
      if (!this.#wordStart) this.#lose("after a ( in a word");
      // Files of one shell, and arithmetic, where the other has shells.
      if (/[<>(]/.test(last)) this.#lose(`after ${last}(`);
      this.#frames.push({ kind: "words", nested: "shell" });
    }
    if (char === ")" && nested) this.#frames.pop();
    if (char === ")" && nested === "substitution") return this.#inWord();
    if (char === "<" && last === "<") this.#lose("after <<");
    this.#startWord();
    this.#last = char;
    if (char === "<" || char === ">") this.#redirection = true;
    else if (char === "&" || char === "|") {
      this.#redirection = last === "<" || last === ">";
    } else if (char !== " " && char !== "\t") this.#redirection = false;
  }

  #startWord(): void {
    this.#wordStart = true;
    this.#word = "";
    this.#last = "";
  }

  /** Something that belongs to a word; a `?` is what is quoted or expanded. */
  #inWord(char = "?"): void {
    this.#wordStart = false;
    this.#redirection = false;
    this.#last = "";
    this.#word += char;
  }

  #lose(why: string): void {
    this.#lost ??= why;
  }
}

/**
 * Writes a text so that the shell takes it as it is. Also a plain word is quoted:
 * the shell would take `if`, `a=b`, or a number before a `>` for its own.
 *
 * @param text The text, without NUL.
 * @param place Where it stands.
 */
function written(text: string, place: Place): string {
  if (place === "double") return text.replace(/[\\"$`]/g, "\\$&");
  const inside = text.replaceAll("'", `'"'"'`);
  return place === "single" ? inside : `'${inside}'`;
}
