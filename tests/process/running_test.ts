import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async/delay";
import { toText } from "@std/streams/to-text";
import { unixTest as test } from "../platform.ts";
import { CommandError, pipeline, runSync } from "../../process/mod.ts";
import { testWays } from "./ways.ts";

const everyWay = testWays({ limit: 120_000 });

/** Whether there are processes of these numbers, zombies included. */
async function exist(pids: readonly number[]): Promise<boolean> {
  return await pipeline(["ps", "-p", pids.join(), "-o", "pid="])
    .with({ check: false }).status() === 0;
}

everyWay("Pipeline.start() gives a handle of what runs, at once", async () => {
  const running = pipeline(["cat"], ["sort"], ["uniq"]).start();
  const { pids } = running;
  assertEquals(pids.length, 3);
  assert(await exist(pids));
  await running.stdin.write("b\na\n");
  await running.stdin.write(new TextEncoder().encode("b\n"));
  await running.stdin.close();
  const result = await running.result();
  assertEquals(result.stdout, "a\nb\n");
  assertEquals(result.stages.map(({ status }) => status), [0, 0, 0]);
  assertEquals(await running.status(), 0);
  assertStrictEquals(await running.result(), result);
  assertEquals(running.pids, pids);
  assert(!await exist(pids));
});

everyWay("RunningPipeline.stages resolve as the stages end", async () => {
  const running = pipeline("echo no >&2; exit 3", ["cat"], ["sleep", "0.2"])
    .with({ check: false }).start();
  const [first] = running.stages;
  const { command, status, stderr } = await first;
  assertEquals([command, status, stderr], ["echo no >&2; exit 3", 3, "no\n"]);
  const statuses: number[] = [];
  for await (const { status } of running.stages) statuses.push(status);
  assertEquals(statuses, [3, 0, 0]);
  assertEquals(await running.status(), 3);
});

everyWay("RunningPipeline.stdin is closed if nobody takes it", async () => {
  const running = pipeline(["cat"], ["wc", "-c"]).start();
  assertEquals((await running.result()).stdout.trim(), "0");
  assertThrows(() => running.stdin, TypeError, "closed");
  assertEquals((await pipeline(["cat"]).start().stages[0]).status, 0);
});

test("RunningPipeline.stdin is refused if the input comes from elsewhere", async () => {
  const fed = pipeline(["cat"]).from("spam").start();
  assertThrows(() => fed.stdin, TypeError, "from()");
  assertEquals((await fed.result()).stdout, "spam");
  const closed = pipeline(["cat"]).with({ stdin: "null" }).start();
  assertThrows(() => closed.stdin, TypeError, "null");
  assertEquals(await closed.status(), 0);
});

everyWay("RunningPipeline.stdin fails when nobody reads it", async () => {
  const running = pipeline("exec <&-; exec sleep 60").start();
  const spam = "spam".repeat(1000);
  await assertRejects(async () => {
    while (true) await running.stdin.write(spam);
  }, Deno.errors.BrokenPipe);
  await running[Symbol.asyncDispose]();
});

everyWay(
  "RunningPipeline.stdout gives the output from its beginning",
  async () => {
    const running = pipeline("echo spam; sleep 0.1; echo eggs", ["cat"])
      .start();
    await delay(50);
    assertEquals(await toText(running.stdout), "spam\neggs\n");
    const { stdout, status } = await running.result();
    assertEquals([stdout, status], ["", 0]);

    // What was kept is still there after the end.
    const ended = pipeline("echo spam").start();
    await ended.result();
    assertEquals(await toText(ended.stdout), "spam\n");
  },
);

everyWay(
  "RunningPipeline.stdout may be read while the result is waited for",
  async () => {
    const running = pipeline(["head", "-c", "3000000", "/dev/zero"]).start();
    const [result, text] = await Promise.all([
      running.result(),
      toText(running.stdout),
    ]);
    assertEquals(result.bytes.length + text.length, 3_000_000);
  },
);

everyWay("RunningPipeline.stdout fails after the last bytes", async () => {
  const running = pipeline("echo spam; echo why >&2; exit 3").start();
  const reader = running.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "spam\n");
  const error = await assertRejects(() => reader.read(), CommandError);
  assertEquals([error.status, error.stderr], [3, "why"]);
});

everyWay(
  "RunningPipeline.stdout that is cancelled leaves the pipeline alone",
  async () => {
    const running = pipeline("sleep 0.1; echo done >&2").start();
    await running.stdout.cancel();
    assertEquals((await running.result()).stderr, "done\n");
    // SIGPIPE is no failure of a stage whose reader had read enough.
    const endless = pipeline(["yes"]).start();
    for await (const _ of endless.stdout) break;
    const { status, stages } = await endless.result();
    assertEquals([status, stages[0].status], [0, -13]);
  },
);

everyWay(
  "RunningPipeline.stdout and stderr can be read one after the other",
  async () => {
    const both = "head -c 100000 /dev/zero >&2; head -c 100000 /dev/zero";
    const running = pipeline(both).start();
    const [errors, output] = [running.stderr, running.stdout];
    const reading = toText(errors);
    assertEquals((await toText(output)).length, 100_000);
    assertEquals((await reading).length, 100_000);
    await running.result();

    const small = pipeline("echo a >&2; echo b").start();
    const { stdout, stderr } = small;
    assertEquals(await toText(stdout), "b\n");
    assertEquals(await toText(stderr), "a\n");
    // The end of it is known all the same.
    assertEquals((await small.result()).stderr, "a\n");
  },
);

test("RunningPipeline.stdin says that nobody reads, also when all is over", async () => {
  const over = pipeline(["true"]).start();
  while (over.pids.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  await assertRejects(() => over.stdin.write("spam"), Deno.errors.BrokenPipe);
  await over.result();
});

test("RunningPipeline.stdout is locked by one reader", async () => {
  await using running = pipeline(["yes"]).start();
  assertStrictEquals(running.stdout, running.stdout);
  assertStrictEquals(running.stderr, running.stderr);
  const reader = running.stdout.getReader();
  assertThrows(() => running.stdout.getReader(), TypeError);
  assertThrows(() => running.lines(), TypeError);
  await reader.read();
  reader.releaseLock();
  assertEquals((await running.lines().next()).value, "y");
});

everyWay("RunningPipeline.lines() leaves the pipeline running", async () => {
  const running = pipeline("echo a; echo b; echo c; sleep 0.1; echo d; exit 3")
    .start();
  const lines: string[] = [];
  for await (const line of running.lines()) {
    lines.push(line);
    if (line === "b") break;
  }
  for await (const line of running.lines()) {
    lines.push(line);
    break;
  }
  const error = await assertRejects(async () => {
    for await (const line of running.lines()) lines.push(line);
  }, CommandError);
  assertEquals(error.status, 3);
  assertEquals(lines, ["a", "b", "c", "d"]);
});

everyWay(
  "RunningPipeline.lines() that is left gives the rest to the result",
  async () => {
    const running = pipeline("echo a; read -r go; echo b; echo c").start();
    for await (const line of running.lines()) {
      assertEquals(line, "a");
      break;
    }
    await running.stdin.write("go\n");
    await running.stdin.close();
    assertEquals((await running.result()).stdout, "b\nc\n");
  },
);

everyWay("RunningPipeline.kill() sends a signal to all processes", async () => {
  const running = pipeline(["sleep", "60"], ["cat"]).start();
  await delay(50);
  running.kill("SIGINT");
  const error = await assertRejects(() => running.result(), CommandError);
  assertEquals(error.status, -2);
  running.kill();

  const asked = pipeline(
    "trap 'echo spam; exit 0' USR2; echo; while :; do sleep 0.05; done",
  ).start();
  for await (const _ of asked.lines()) break;
  asked.kill("SIGUSR2");
  assertEquals((await asked.result()).stdout, "spam\n");
});

everyWay("RunningPipeline.kill() during the start", async () => {
  for (let i = 0; i < 20; i++) {
    const running = pipeline(["sleep", "60"], ["cat"], ["cat"])
      .with({ check: false }).start();
    running.kill();
    const { killedBy, stages } = await running.result();
    assertEquals(killedBy, "SIGTERM");
    assertEquals(stages[0].status, -15);
  }
});

everyWay(
  "RunningPipeline that waits for a named pipe can be ended",
  async () => {
    const folder = await Deno.makeTempDir({ dir: "/tmp" });
    const path = `${folder}/pipe`;
    await pipeline(["mkfifo", path]).status();
    const waiting = pipeline(["cat"], ["cat"]).from({ path }).start();
    await waiting[Symbol.asyncDispose]();
    const killed = pipeline(["cat"]).from({ path }).start();
    await killed[Symbol.asyncDispose]();
    await killed.result();
    await Deno.remove(folder, { recursive: true });
  },
);

everyWay("RunningPipeline ends at the end of its block", async () => {
  let pids: readonly number[];
  {
    await using running = pipeline(["yes"], ["cat"]).start();
    pids = running.pids;
    assert(await exist(pids));
  }
  assert(!await exist(pids));
  {
    await using running = pipeline("trap '' TERM; echo; sleep 60 & wait")
      .with({ killGrace: 100, killTree: false }).start();
    for await (const _ of running.lines()) break;
    pids = running.pids;
  }
  assert(!await exist(pids));
});

everyWay("RunningPipeline throws at its end what nobody heard", async () => {
  const unhandled: unknown[] = [];
  const hear = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  addEventListener("unhandledrejection", hear);
  try {
    const failing = pipeline("exit 3").start();
    while (unhandled.length === 0) await delay(10);
    assertInstanceOf(unhandled[0], CommandError);
    await assertRejects(() => failing[Symbol.asyncDispose](), CommandError);
    for (const stages of [[["no-such-program"]], [["cat"], ["no-such"]]]) {
      unhandled.length = 0;
      pipeline(...stages).start();
      while (unhandled.length === 0) await delay(10);
      assertInstanceOf(unhandled[0], Deno.errors.NotFound);
    }
    unhandled.length = 0;
    // Somebody hears of these.
    const heard = pipeline("exit 3").start();
    await assertRejects(() => toText(heard.stdout), CommandError);
    const killed = pipeline(["sleep", "60"]).start();
    killed.kill();
    await killed.stages[0];
    await assertRejects(() => pipeline("exit 3").start().status());
    await delay(50);
    assertEquals(unhandled, []);
  } finally {
    removeEventListener("unhandledrejection", hear);
  }
});

everyWay("Pipeline.start() of 100 at once", async () => {
  const all = Array.from(
    { length: 100 },
    (_, i) => pipeline(["cat"], ["cat"]).from(`${i}`).start(),
  );
  const results = await Promise.all(all.map((one) => one.result()));
  assertEquals(results.map(({ stdout }) => Number(stdout)), [...all.keys()]);
  const rest = Array.from(
    { length: 100 },
    () => pipeline(["sleep", "60"]).start(),
  );
  const pids = rest.flatMap(({ pids }) => pids);
  assertEquals(pids.length, 100);
  await Promise.all(rest.map((one) => one[Symbol.asyncDispose]()));
  assert(!await exist(pids));
});

everyWay("Pipeline.start() holds to timeout and maxBuffer", async () => {
  const late = pipeline(["sleep", "60"], ["cat"]).with({ timeout: 100 })
    .start();
  const error = await assertRejects(() => late.result(), DOMException);
  assertEquals(error.name, "TimeoutError");
  const large = pipeline(["yes"]).with({ maxBuffer: 1000 }).start();
  const { result } = await assertRejects(() => large.result(), CommandError);
  assertEquals([result.maxBufferExceeded, result.bytes.length], [true, 1000]);
  // What is taken counts for nothing.
  const taken = pipeline(["head", "-c", "100000", "/dev/zero"])
    .with({ maxBuffer: 1000 });
  const running = taken.start();
  assertEquals((await toText(running.stdout)).length, 100_000);
});

test("RunningPipeline.stdout is refused if the output goes elsewhere", async () => {
  const running = pipeline(["true"]).to("null").start();
  assertThrows(() => running.stdout, TypeError, "to()");
  assertThrows(() => running.lines(), TypeError, "to()");
  assertEquals(await running.status(), 0);
});

test("Pipeline.startSync() gives a handle of what runs", () => {
  using running = pipeline(["cat"], ["sort"], ["uniq"]).startSync();
  assertEquals(running.pids.length, 3);
  running.stdin.write("b\na\n");
  running.stdin.write(new TextEncoder().encode("b\n"));
  running.stdin.close();
  const result = running.resultSync();
  assertEquals(result.stdout, "a\nb\n");
  assertStrictEquals(running.resultSync(), result);
  assertEquals(running.statusSync(), 0);
  assertEquals(running.stdout.read(), "a\nb\n");
  assertThrows(() => running.stdin.write("c"), TypeError);
});

test("RunningPipelineSync closes an input that nobody takes", () => {
  using running = pipeline(["cat"], ["wc", "-c"]).startSync();
  assertEquals(running.resultSync().stdout.trim(), "0");
  assertThrows(() => running.stdin, TypeError, "closed");
});

test("RunningPipelineSync reads both outputs as they come", () => {
  using running = pipeline("read x; echo $x; echo err >&2; read y; echo $y")
    .startSync();
  running.stdin.write("spam\n");
  assertEquals(running.stdout.readline(), "spam\n");
  assertEquals(running.stderr.readline(), "err\n");
  running.stdin.write("eggs\n");
  assertEquals(running.stdout.readline(), "eggs\n");
  assertEquals(running.stdout.readline(), "");
  assertEquals(running.statusSync(), 0);
});

test("RunningPipelineSync.linesSync() leaves the pipeline running", () => {
  using running = pipeline("echo a; echo b; read -r go; echo c; echo d")
    .startSync();
  for (const line of running.linesSync()) {
    if (line === "a") break;
  }
  for (const line of running.linesSync()) {
    assertEquals(line, "b");
    break;
  }
  running.stdin.write("go\n");
  running.stdin.close();
  assertEquals(running.resultSync().stdout, "c\nd\n");

  using failing = pipeline("echo a; exit 3").startSync();
  const lines: string[] = [];
  assertThrows(() => {
    for (const line of failing.linesSync()) lines.push(line);
  }, CommandError);
  assertEquals(lines, ["a"]);
});

test("RunningPipelineSync.kill() and using end it", () => {
  using running = pipeline(["sleep", "60"], ["cat"]).with({ check: false })
    .startSync();
  running.kill();
  assertEquals(running.statusSync(), -15);
  running.kill();
  const open = pipeline(["yes"], ["cat"]).startSync();
  open[Symbol.dispose]();
  assertEquals(open.resultSync().stages.length, 2);
  using reading = pipeline(["yes"]).startSync();
  reading.stdout.readline();
});

test("RunningPipelineSync tells of a failure when it is asked", () => {
  using missing = pipeline(["no-such-program"]).startSync();
  assertThrows(() => missing.resultSync(), Deno.errors.NotFound);
  assertThrows(() => missing.resultSync(), Deno.errors.NotFound);
  using failing = pipeline("exit 3").startSync();
  const error = assertThrows(() => failing.statusSync(), CommandError);
  assertEquals(error.status, 3);
});

test("Pipeline.startSync() feeds an iterable while it waits", () => {
  using running = pipeline(["sort"]).from(["b\n", "a\n"]).startSync();
  assertEquals([...running.linesSync()], ["a", "b"]);
  assertThrows(
    () => pipeline(["cat"]).from(new Blob([]).stream()).startSync(),
    TypeError,
    "event loop",
  );
});

test("RunningPipelineSync is a source of other commands", async () => {
  const bytes = new Uint8Array(300_000).map((_, i) => i * 7);
  const source = () => pipeline(["cat"]).from(bytes).startSync();
  {
    using running = source();
    assertEquals(pipeline(["cat"], ["cat"]).from(running).bytesSync(), bytes);
    assertEquals(running.statusSync(), 0);
    assertThrows(() => running.stdout, TypeError, "after from()");
    assertThrows(() => running.linesSync(), TypeError, "after from()");
  }
  {
    using running = source();
    assertEquals(runSync(["wc", "-c"], { input: running }).stdout, "300000\n");
  }
  {
    using running = source();
    assertEquals(await pipeline(["cat"]).from(running).bytes(), bytes);
  }
  {
    using first = pipeline("echo b; echo a").startSync();
    using second = pipeline(["sort"]).from(first).startSync();
    assertEquals([...second.linesSync()], ["a", "b"]);
  }
  {
    // Whoever reads no more of it leaves it.
    using running = pipeline(["yes"]).startSync();
    assertEquals(pipeline(["head", "-n", "1"]).from(running).textSync(), "y\n");
    assertEquals(running.resultSync().stages[0].status, -13);
  }
  const failing = pipeline("echo spam; exit 3").startSync();
  const error = assertThrows(
    () => pipeline(["cat"]).from(failing).textSync(),
    CommandError,
  );
  assertEquals([error.status, error.command], [3, "echo spam; exit 3"]);

  using read = pipeline("echo a; echo b").startSync();
  read.stdout.readline();
  assertThrows(() => pipeline(["cat"]).from(read), TypeError, "read already");
  using elsewhere = pipeline(["true"]).to("null").startSync();
  assertThrows(() => pipeline(["cat"]).from(elsewhere), TypeError, "to()");
});
