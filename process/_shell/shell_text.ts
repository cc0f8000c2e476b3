/**
 * Where in the text of a shell command a value is put in, and how it is written
 * there so that it stays what it is.
 *
 * A value may stand between words or in one, and inside `'...'` and `"..."`; also in
 * `$(...)`, whose text is read like any other. Elsewhere the shell would take it
 * apart, or shells do not agree on what they read. There it is refused.
 *
 * The scanner reads what `/bin/sh` reads, dash or bash. What it does not follow
 * makes it `lost`: from there on it refuses all values, and lets none through on
 * a guess.
 *
 * @module
 */

/** A part of the text that has an end of its own. */
type Frame =
  /** Words; in `(...)` and `$(...)` they end with the parenthesis. */
  | { kind: "words"; nested?: "shell" | "substitution" }
  | { kind: "single" | "double" | "comment" | "parameter" | "backtick" }
  | { kind: "arithmetic"; depth: number };

/** Where a value stands. */
export type Place = "words" | "single" | "double";

/** Characters after which a word begins; other white space is none for a shell. */
const BEFORE_WORD = /[ \t\n;&|()<>]/;

/** What may stand in `${...}` for this scanner to follow it. */
const IN_PARAMETER = /[\w@*#?!:=+%/.,~-]/;

/** Reads the text of a command from its start, piece by piece. */
export class ShellText {
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
export function written(text: string, place: Place): string {
  if (place === "double") return text.replace(/[\\"$`]/g, "\\$&");
  const inside = text.replaceAll("'", `'"'"'`);
  return place === "single" ? inside : `'${inside}'`;
}
