// Text from the standard output of a child, in both forms. The rules are
// those of Python's files: a line keeps its newline, "" is the end.
import { checkInteger } from "../_internal/check.ts";

/** Text that has been decoded and not yet read. */
export class TextBuffer {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #parts: string[] = [];
  #length = 0;

  /** How many characters (UTF-16 units) there are. */
  get length(): number {
    return this.#length;
  }

  /** Adds bytes; none means the end. Says whether a newline is among them. */
  push(bytes: Uint8Array | undefined): boolean {
    const text = bytes === undefined
      ? this.#decoder.decode()
      : this.#decoder.decode(bytes, { stream: true });
    this.#parts.push(text);
    this.#length += text.length;
    return text.includes("\n");
  }

  /** Drops all text. */
  clear(): void {
    this.#parts = [];
    this.#length = 0;
  }

  #joined(): string {
    if (this.#parts.length !== 1) this.#parts = [this.#parts.join("")];
    return this.#parts[0];
  }

  /** Takes a line with its newline, if there is one. */
  takeLine(): string | undefined {
    if (this.#length === 0) return undefined;
    const end = this.#joined().indexOf("\n");
    return end < 0 ? undefined : this.take(end + 1);
  }

  /** Takes so many characters, or what there is. */
  take(count: number): string {
    const text = this.#joined();
    if (count >= text.length) {
      this.clear();
      return text;
    }
    // A character beyond the first 65536 is two units, never cut in two.
    const last = text.charCodeAt(count - 1);
    const end = last >= 0xd800 && last < 0xdc00 ? count + 1 : count;
    this.#parts = [text.slice(end)];
    this.#length = text.length - end;
    return text.slice(0, end);
  }
}

/** Cuts text into lines that keep their newlines. */
export function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Checks how many characters are asked for. */
export function countOf(count: number | undefined): number {
  if (count === undefined || count === Infinity) return Infinity;
  checkInteger(count, "read text", "the number of characters", 0);
  return count;
}
