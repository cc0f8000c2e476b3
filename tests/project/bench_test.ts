import { assertEquals } from "@std/assert";
import { summary } from "../../bench/_summary.ts";
import { rows as process } from "../../bench/process.ts";
import { rows as queue } from "../../bench/queue.ts";
import { rows as signal } from "../../bench/signal.ts";
import { rows as threading } from "../../bench/threading.ts";

Deno.test("bench: the short table names rows and peers that there are", () => {
  const rows = [...threading, ...queue, ...process, ...signal];
  const text = summary(rows.map((row) => [
    row,
    row.contestants.map(() => ({ median: 1, least: 1, most: 1 })),
  ]));
  assertEquals(text.match(/—/g), null);
});
