const ROOT = new URL("../../", import.meta.url);

/** The folders whose errors users meet. */
const LIBRARY = [
  "_internal",
  "threading",
  "queue",
  "pool",
  "process",
  "signal",
  "cluster",
  "testing",
  "trace",
];

/** An error that the library makes. */
export interface Made {
  /** Its class, `ThreadingError`, say; empty if it is made elsewhere. */
  error: string;
  /** Its message, with `...` for what varies. */
  message: string;
  /** Where it is made: `queue/queue.ts:12`. */
  place: string;
}

/** What makes an error, if its class or its message is one of an error. */
const MAKES = /\bnew (?:Deno\.errors\.)?([A-Z]\w*)\(/g;

const CLASS =
  /^(\w*Error|DOMException|Empty|Full|ShutDown|SignalInterrupt|Refusal)$/;

/** How messages begin. A text with it is one, also if it is a constant. */
const BEGINS = /["'`](?=Cannot )/g;

/** All errors that the sources of the library make, in the order of the files. */
export function madeErrors(): Made[] {
  const found: Made[] = [];
  const visit = (path: string) => {
    const entries = [...Deno.readDirSync(new URL(path, ROOT))]
      .sort((a, b) => a.name < b.name ? -1 : 1);
    for (const { name, isDirectory } of entries) {
      if (isDirectory) visit(`${path}${name}/`);
      else if (name.endsWith(".ts")) found.push(...madeIn(`${path}${name}`));
    }
  };
  for (const folder of LIBRARY) visit(`${folder}/`);
  return found;
}

function madeIn(path: string): Made[] {
  const source = withoutComments(Deno.readTextFileSync(new URL(path, ROOT)));
  const found: Made[] = [];
  /** The places of texts that have been seen. */
  const seen: { start: number; end: number }[] = [];
  const add = (error: string, start: number) => {
    const { messages, end } = messagesAt(source, start);
    if (!CLASS.test(error) && !/^Cannot /.test(messages[0])) return;
    const place = `${path}:${source.slice(0, start).split("\n").length}`;
    for (const message of messages) found.push({ error, message, place });
    seen.push({ start, end });
  };
  for (const match of source.matchAll(MAKES)) {
    add(match[1], match.index + match[0].length);
  }
  for (const { index } of source.matchAll(BEGINS)) {
    if (seen.some(({ start, end }) => start <= index && index < end)) continue;
    add("", index);
  }
  return found;
}

/** The messages that the first argument of a call can be. */
export function messagesOf(args: string): string[] {
  return messagesAt(args, 0).messages;
}

/** A source whose comments are blank lines. */
function withoutComments(source: string): string {
  return source
    .replaceAll(/\/\*\*.*?\*\//gs, (text) => text.replaceAll(/[^\n]/g, ""))
    .replaceAll(/^\s*\/\/.*$/gm, "");
}

/**
 * An expression as a message, or as two where it is a choice: its literals, and
 * `...` for all else.
 *
 * @param source The source.
 * @param at Where the expression begins.
 */
function messagesAt(
  source: string,
  at: number,
): { messages: string[]; end: number } {
  let message = "";
  const vary = () => {
    if (!message.endsWith("...")) message += "...";
  };
  while (!/[),:;]/.test(source[at])) {
    const char = source[at];
    if (/["'`]/.test(char)) {
      const end = endOfText(source, at);
      const text = source.slice(at + 1, end - 1);
      for (const [place, part] of partsOf(text, char === "`").entries()) {
        if (place > 0) vary();
        message += part;
      }
      at = end;
    } else if (/[\s+]/.test(char)) at++;
    else if (isChoice(source, at)) {
      const first = messagesAt(source, at + 1);
      const second = messagesAt(source, first.end + 1);
      return {
        messages: [...first.messages, ...second.messages],
        end: second.end,
      };
    } else {
      vary();
      at = endOfOperand(source, at);
    }
  }
  return { messages: [message], end: at };
}

/** Whether the `?` of a conditional expression is there. */
function isChoice(source: string, at: number): boolean {
  return source[at] === "?" && source[at - 1] !== "?" &&
    /\s/.test(source[at + 1]);
}

/** Behind an operand that is no literal. */
function endOfOperand(source: string, at: number): number {
  while (!/[),:;+]/.test(source[at]) && !isChoice(source, at)) {
    if (/["'`]/.test(source[at])) at = endOfText(source, at);
    else if (/[([{]/.test(source[at])) at = endOfGroup(source, at);
    else at++;
  }
  return at;
}

/** Behind a group in brackets. */
function endOfGroup(source: string, at: number): number {
  for (at++; !/[)\]}]/.test(source[at]);) {
    if (/["'`]/.test(source[at])) at = endOfText(source, at);
    else if (/[([{]/.test(source[at])) at = endOfGroup(source, at);
    else at++;
  }
  return at + 1;
}

/** Behind a literal text. */
function endOfText(source: string, at: number): number {
  const quote = source[at];
  for (at++; source[at] !== quote;) {
    if (source[at] === "\\") at += 2;
    else if (quote === "`" && source.startsWith("${", at)) {
      at = endOfGroup(source, at + 1);
    } else at++;
  }
  return at + 1;
}

/** What is literal in a text, between what is put in. */
function partsOf(text: string, isTemplate: boolean): string[] {
  const parts = [""];
  for (let at = 0; at < text.length;) {
    if (isTemplate && text.startsWith("${", at)) {
      parts.push("");
      at = endOfGroup(text, at + 1);
    } else if (text[at] === "\\") {
      const { length } = /^\\(?:u[\da-f]{4}|.)/i.exec(text.slice(at))![0];
      parts[parts.length - 1] += JSON.parse(
        `"${text.slice(at, at + length).replace(/^\\(?=[`'$])/, "")}"`,
      );
      at += length;
    } else parts[parts.length - 1] += text[at++];
  }
  return parts;
}
