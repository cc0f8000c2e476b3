import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { getOutput, mkarg, quote, run } from "../../process/mod.ts";

const SEED = Number(Deno.env.get("SKEIN_SEED") ?? Date.now() % 1_000_000);

/** A generator of numbers below 1 that can be repeated (mulberry32). */
function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const SPECIAL = [
  " ",
  "'",
  '"',
  "\\",
  "\n",
  "\t",
  "$",
  "`",
  ";",
  "&",
  "|",
  "<",
  ">",
  "(",
  ")",
  "{",
  "}",
  "*",
  "?",
  "[",
  "]",
  "~",
  "!",
  "#",
  "-",
  "=",
  "%",
  "é",
  "€",
  "😀",
  "\x01",
  "\x7f",
  "\r",
  "$(id)",
  "${HOME}",
  "-n",
  "--",
  "a",
  "Z",
  "0",
];

function words(random: () => number): string[] {
  return Array.from({ length: 200 }, () => {
    const length = Math.floor(random() * random() * 40);
    return Array.from(
      { length },
      () => SPECIAL[Math.floor(random() * SPECIAL.length)],
    ).join("");
  });
}

Deno.test(`quote() survives a real shell (SKEIN_SEED=${SEED})`, async () => {
  const all = [...words(randomFrom(SEED)), "", "-", "x".repeat(100_000)];
  const script = `printf '%s\\0' ${all.map(quote).join(" ")}`;
  const { stdout } = await run(["sh"], { input: script });
  assertEquals(stdout.split("\0").slice(0, -1), all);
});

Deno.test(`mkarg() survives a real shell (SKEIN_SEED=${SEED})`, async () => {
  const all = [...words(randomFrom(SEED + 1)), ""];
  const script = `printf '%s\\0'${all.map(mkarg).join("")}`;
  const { stdout } = await run(["sh"], { input: script });
  assertEquals(stdout.split("\0").slice(0, -1), all);
});

Deno.test("run() hands arguments over byte for byte", async () => {
  const all = words(randomFrom(SEED + 2));
  const { stdout } = await run(["printf", "%s\\0", ...all]);
  assertEquals(stdout.split("\0").slice(0, -1), all);
});

Deno.test("quote() leaves plain words alone", () => {
  assertEquals(quote("file-1.txt"), "file-1.txt");
  assertEquals(quote(""), "''");
  assertEquals(quote("a b"), "'a b'");
  assertEquals(quote("é"), "'é'");
  assertThrows(() => quote("a\0b"), TypeError);
});

Deno.test("mkarg() adds a space and always quotes", async () => {
  assertEquals(mkarg("a"), " 'a'");
  assertEquals(mkarg("it's"), ` 'it'"'"'s'`);
  assertEquals(await getOutput("printf %s" + mkarg("$HOME")), "$HOME");
});

Deno.test("quote() is named wherever a shell parses a command", async () => {
  const folder = new URL("../../process/", import.meta.url);
  const seen: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".ts") || name.startsWith("_")) continue;
    const text = await Deno.readTextFile(new URL(name, folder));
    // A doc comment, and the head of what stands under it.
    for (
      const [, doc, head] of text.matchAll(
        /\/\*\*((?:(?!\*\/)[^])*)\*\/\s+([^{]*?\()/g,
      )
    ) {
      if (!/@param (cmd|commands|stages) /.test(doc)) continue;
      if (!/^export |^(append|prepend|constructor)\b/.test(head)) continue;
      seen.push(head);
      const said = doc.replace(/\s+\* /g, " ");
      assertMatch(said, /The shell parses .*\{@linkcode quote\}/, head);
    }
  }
  assert(seen.length >= 22, seen.join("\n"));
});
