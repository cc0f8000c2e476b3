import { assert, assertEquals } from "@std/assert";
import { ThreadPool } from "../../pool/mod.ts";
import { Event, startTrace } from "../../threading/mod.ts";
import {
  checkTrace,
  readTrace,
  type TraceEvent,
} from "../threading/trace_format.ts";
import { fails, hold, inner, later, outer } from "./trace_fixture.ts";

const path = Deno.makeTempFileSync({ prefix: "skein_trace_" });
addEventListener("unload", () => Deno.removeSync(path));

const COUNT = 3;

Deno.test("startTrace() shows the tasks of a pool, and helping", async () => {
  const trace = startTrace({ path });
  {
    await using pool = new ThreadPool({ size: 1, name: "traced" });
    for (let i = 0; i < COUNT; i++) await pool.run(outer, [pool]);
    await pool.run(later);
    await pool.run(fails).catch(() => {});
    const gate = new Event();
    await pool.submit(hold, [gate]);
    const futures = [];
    for (let i = 0; i < 30; i++) futures.push(await pool.submit(inner, [i]));
    while (!Deno.readTextFileSync(path).includes(`"pending":30`)) await later();
    gate.set();
    for (const future of futures) await future.result();
  }
  trace.stop();
  const by = checkTrace(readTrace(path));
  const tasks = (events: TraceEvent[], name: string) =>
    events.filter((event) => event.cat === "task" && event.name === name);
  assertEquals(tasks(by.X, "outer").length, COUNT);
  assertEquals(tasks(by.X, "inner").length, COUNT + 30);
  assertEquals(tasks(by.X, "fails").length, 1);
  assertEquals(tasks(by.b, "later").length, 1);
  const helped = by.X.filter(({ args }) => args?.helping === true);
  assertEquals(helped.map(({ name }) => name), Array(COUNT).fill("inner"));
  const workers = by.M.filter(({ args }) => args?.name === "traced-1");
  assertEquals(
    new Set(by.X.filter(({ cat }) => cat === "task").map(({ tid }) => tid)),
    new Set(workers.map(({ tid }) => tid)),
  );
  const pending = by.C.map(({ args }) => args!.pending as number);
  assert(pending.includes(30) && Math.max(...pending) <= 31, `${pending}`);
  assertEquals(
    new Set(by.C.map(({ name }) => name)),
    new Set(["ThreadPool 1"]),
  );
});
