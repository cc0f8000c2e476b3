import { assertEquals, assertThrows } from "@std/assert";
import { chart, LINES } from "../../bench/_chart.ts";
import { measure } from "../../bench/_harness.ts";
import { quantity } from "../../bench/_table.ts";
import { rows as pool } from "../../bench/pool.ts";
import { rows as process } from "../../bench/process.ts";
import { rows as queue } from "../../bench/queue.ts";
import { rows as signal } from "../../bench/signal.ts";
import { rows as threading } from "../../bench/threading.ts";
import { rows as whole } from "../../bench/whole.ts";

Deno.test("bench: the picture has rows and peers that there are", () => {
  const rows = [
    ...threading,
    ...queue,
    ...pool,
    ...process,
    ...signal,
    ...whole,
  ];
  for (const { row, peers } of LINES) {
    const names = rows.find(({ name }) => name === row)?.contestants
      .map(({ name }) => name) ?? [];
    const missing = Object.keys(peers).filter((peer) => !names.includes(peer));
    assertEquals([row, names[0], ...missing], [row, "skein"]);
  }
});

Deno.test("bench: the picture says what the tables say", async () => {
  const read = (path: string) =>
    Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
  // The file is formatted.
  const words = (text: string) => text.split(/\s+/);
  const [drawn, tables] = [await read("docs/bench.svg"), "bench/README.md"];
  // `deno task bench --draw` draws it anew.
  assertEquals(words(drawn), words(chart(await read(tables))));
});

Deno.test("bench: the picture leaves out a peer that was skipped", () => {
  const lines = LINES.flatMap(({ row, peers }) =>
    ["skein", ...Object.keys(peers)].map((who, i) => {
      const name = i === 0 ? row.replaceAll("|", "\\|") : "";
      const median = who === "piscina" ? "skipped: no npm" : `${i + 1} ms`;
      return `| ${name} | ${who} | ${median} |  |  |  |  |`;
    })
  );
  const picture = chart(lines.join("\n"));
  assertEquals(picture.includes("piscina"), false);
  assertEquals(picture.includes("execa 3 ×"), true);
  assertThrows(() => chart("no table"), RangeError, 'received "skein"');
});

/** A program that says that it took one number after the other. */
function printing(...values: number[]) {
  return () =>
    Promise.resolve(["printf", `{"ns": ${values.shift()}}%.0s`] as const);
}

Deno.test("bench: a base is subtracted in each round, the difference divided", async () => {
  const [outcome] = await measure({
    name: "row",
    unit: "ns",
    contestants: [{
      name: "skein",
      program: printing(10, 12, 17),
      row: "row",
      beyond: { program: printing(4, 8, 7), row: "row", parts: 2 },
    }],
  }, 3);
  assertEquals(outcome, { median: 3, least: 2, most: 5 });
});

Deno.test("bench: the first round of a rehearsed row does not count", async () => {
  const [outcome] = await measure({
    name: "row",
    unit: "ns",
    rehearsed: true,
    contestants: [{ name: "skein", program: printing(100, 1, 2), row: "row" }],
  }, 2);
  assertEquals(outcome, { median: 1.5, least: 1, most: 2 });
});

Deno.test("bench: a difference may be negative", () => {
  assertEquals(quantity(-3.2e6, "ns"), "-3.2 ms");
  assertEquals(quantity(162, "ns"), "162 ns");
});
