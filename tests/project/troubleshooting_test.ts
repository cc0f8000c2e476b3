import { assert, assertEquals } from "@std/assert";
import { read } from "./_guide.ts";
import { type Made, madeErrors, messagesOf } from "./_messages.ts";

const page = read("docs/troubleshooting.md");

/** The messages that the page explains: headings, and the lists below them. */
const explained = [...page.matchAll(/^(?:### |- )`([^\n]+)`$/gm)]
  .map(([, message]) => message);

/** The reasons of the table of what cannot be sent. */
const reasons = new Set(
  [...page.matchAll(/^\| (?:`` ?(.+?) ?``|`(.+?)`) +\|/gm)]
    .map(([, quoted, plain]) => quoted ?? plain),
);

/** Errors that never reach a user, or only if skein has a bug. */
const INNER =
  /^(|Cannot decode .*|Cannot load a module without waiting .*|No room for an error|A clock has no queue|a worker that explores has ended|The source failed|thread ... is alive though it has died)$/;

/** Messages that are put together elsewhere than where the error is made. */
const ELSEWHERE = new Set([
  "... was received",
]);

const made = madeErrors();
const errors = made.filter(({ error }) => error !== "Refusal");

/** Whether an error is one of those that the section on arguments explains. */
function isOfArguments({ error, message }: Made): boolean {
  return /^(TypeError|RangeError)$/.test(error) &&
    /^Cannot .*, received /.test(message);
}

/** Whether the page means this message, or a kind of it. */
function isExplainedBy(message: string, known: string): boolean {
  const [line] = message.split("\n");
  if (known === line) return true;
  const parts = line.split("...").map(RegExp.escape);
  return new RegExp(`^${parts.join(".+")}$`).test(known);
}

Deno.test("troubleshooting: every error of the library is on the page", () => {
  const missing = errors
    .filter((error) => !INNER.test(error.message) && !isOfArguments(error))
    // It comes from another thread, and was made there.
    .filter(({ message }) => message !== "...")
    .filter(({ message }) =>
      !explained.some((known) => isExplainedBy(message, known))
    );
  assertEquals(missing, [], "Explain them in docs/troubleshooting.md");
});

Deno.test("troubleshooting: every reason why something cannot be sent is on the page", () => {
  const missing = made
    .filter(({ error, message }) => error === "Refusal" && message !== "...")
    .filter(({ message }) => !reasons.has(message));
  assertEquals(missing, []);
});

Deno.test("troubleshooting: the page explains no error that there is not", () => {
  const dead = explained
    .filter((known) => !ELSEWHERE.has(known))
    .filter((known) =>
      !errors.some(({ message }) =>
        message !== "..." && isExplainedBy(message, known)
      )
    );
  assertEquals(dead, []);
  assertEquals(new Set(explained).size, explained.length);
});

Deno.test("troubleshooting: what its test reads of a call", () => {
  const of = (call: string) => messagesOf(call + ")");
  assertEquals(of('"a, b" + c + `d${e(`f`)}g`, h'), ["a, b...d...g"]);
  assertEquals(of("a?.b ?? c"), ["..."]);
  assertEquals(of("a ? `b${c}` : d ? 'e' : f"), ["b...", "e", "..."]);
  assertEquals(of("`\\`a\\u2026\\n`"), ["`a\u2026\n"]);
  assert(errors.length > 200);
});
