import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CommandError, pipeline, run, runSync } from "../../process/mod.ts";
import { startTrace } from "../../threading/mod.ts";
import {
  checkTrace,
  readTrace,
  type TraceEvent,
} from "../threading/trace_format.ts";

const path = Deno.makeTempFileSync({ prefix: "skein_trace_" });
addEventListener("unload", () => Deno.removeSync(path));

/** What a trace says of the commands, in the order of their beginnings. */
function commands(): TraceEvent[] {
  const { b, X } = checkTrace(readTrace(path));
  return [...b, ...X].filter(({ cat }) => cat === "process")
    .sort((one, other) => one.ts - other.ts);
}

async function runAll(): Promise<void> {
  await run(["sleep", "0.02"]);
  runSync(["echo", "secret"], { env: { KEY: "secret" } });
  await run("exit 3", { check: false });
  await pipeline(["echo", "secret"], ["sort", "-r"], ["wc", "-c"]).text();
  pipeline(["echo", "secret"], ["wc", "-c"]).textSync();
  pipeline("exit 4", ["wc", "-c"]).with({ check: false }).runSync();
  assertThrows(() => pipeline("exit 5", ["wc", "-c"]).runSync(), CommandError);
  await assertRejects(() => pipeline("exit 6", "cat").run(), CommandError);
}

Deno.test("startTrace() shows commands and pipelines by the names of their programs", async () => {
  const trace = startTrace({ path });
  await runAll();
  trace.stop();
  const found = commands();
  assertEquals(found.map(({ name, args }) => [name, args?.status]), [
    ["sleep", 0],
    ["echo", 0],
    ["sh", 3],
    ["echo | sort | wc", 0],
    ["echo | wc", 0],
    ["sh | wc", 4],
    ["sh | wc", 5],
    ["sh | sh", 6],
  ]);
  assert(!Deno.readTextFileSync(path).includes("secret"));
});

Deno.test("startTrace() shows arguments if it is asked to, and never the environment", async () => {
  const trace = startTrace({ path, events: ["processes"], args: true });
  await run(["echo", "an argument"], { env: { KEY: "secret" } });
  await run("exit 3 # really", { check: false });
  trace.stop();
  assertEquals(commands().map(({ name }) => name), [
    "echo 'an argument'",
    "exit 3 # really",
  ]);
  assert(!Deno.readTextFileSync(path).includes("secret"));
});

Deno.test("startTrace() shows no commands if it is asked for others", async () => {
  const trace = startTrace({ path, events: ["spans"] });
  await run(["true"]);
  trace.stop();
  assertEquals(commands(), []);
});
