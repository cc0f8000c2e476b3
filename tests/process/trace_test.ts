import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { unixTest as test } from "../platform.ts";
import {
  CommandError,
  P_NOWAIT,
  pipeline,
  popen2,
  popen2Sync,
  run,
  runSync,
  spawn,
  spawnSync,
  Template,
  waitpid,
  waitpidSync,
} from "../../process/mod.ts";
import { startTrace } from "../../threading/mod.ts";
import {
  checkTrace,
  readTrace,
  type TraceEvent,
} from "../threading/trace_format.ts";

const path = Deno.makeTempFileSync({ prefix: "skein_trace_" });
addEventListener("unload", () => Deno.removeSync(path));

/** What a trace says of processes, in the order of their beginnings. */
function processes(): TraceEvent[] {
  const { b, e, X } = checkTrace(readTrace(path));
  const begun = b.map((begin): TraceEvent => {
    const end = e.find(({ id, cat }) => id === begin.id && cat === begin.cat)!;
    return { ...begin, args: { ...begin.args, ...end.args } };
  });
  return [...begun, ...X].filter(({ cat }) => cat === "process")
    .sort((one, other) => one.ts - other.ts);
}

/** Those that were waited for as a whole. */
function commands(): TraceEvent[] {
  // The single ones of a pipeline, and those beside the program, are numbered.
  return processes().filter(({ id }) => !String(id).includes(", "));
}

/** Those that ran beside others. */
function children(): TraceEvent[] {
  return processes().filter(({ id }) => String(id).includes(", "));
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

test("startTrace() shows commands and pipelines by the names of their programs", async () => {
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

test("startTrace() shows arguments if it is asked to, and never the environment", async () => {
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

test("startTrace() shows no commands if it is asked for others", async () => {
  const trace = startTrace({ path, events: ["spans"] });
  await run(["true"]);
  trace.stop();
  assertEquals(commands(), []);
});

test("startTrace() shows the single stages of a pipeline", async () => {
  const trace = startTrace({ path, args: true });
  await pipeline(["sleep", "0.05"], "exit 3", ["wc", "-c"])
    .with({ check: false }).text();
  trace.stop();
  const stages = children();
  assertEquals(stages.map(({ name, args }) => [name, args?.status]), [
    ["sleep 0.05", 0],
    ["exit 3", 3],
    ["wc -c", 0],
  ]);
});

test("startTrace() shows the processes of popen2() and spawn()", async () => {
  const trace = startTrace({ path });
  const { process, stdin, stdout } = popen2(["cat"]);
  await stdin.close();
  await stdout.close();
  await process.wait();
  assertEquals(await waitpid(await spawn(P_NOWAIT, "exit 3")), 3);
  const template = new Template();
  template.append("cat", "--");
  const reader = template.open("/dev/null", "r");
  await reader.close();
  trace.stop();
  assertEquals(children().map(({ name, args }) => [name, args?.status]), [
    ["cat", 0],
    ["sh", 3],
    ["sh", 0],
  ]);
});

test("startTrace() shows the processes of popen2Sync() and spawnSync()", () => {
  const trace = startTrace({ path });
  {
    using child = popen2Sync(["cat"]);
    child.stdin.close();
    assertEquals(child.process.waitSync(), 0);
  }
  assertEquals(waitpidSync(spawnSync(P_NOWAIT, "exit 3")), 3);
  trace.stop();
  assertEquals(children().map(({ name, args }) => [name, args?.status]), [
    ["cat", 0],
    ["sh", 3],
  ]);
});

test("startTrace() shows a process that runs on when it stops", async () => {
  const trace = startTrace({ path });
  const { process, stdin } = popen2(["cat"]);
  trace.stop();
  assertEquals(children().map(({ name, args }) => [name, args?.status]), [
    ["cat", undefined],
  ]);
  await stdin.close();
  await process.wait();
});
