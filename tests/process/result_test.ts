import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { unixTest as test } from "../platform.ts";
import {
  CommandError,
  type CommandResult,
  type CommandTimeout,
  pipeline,
  run,
  runSync,
} from "../../process/mod.ts";

const SPEAKS = "echo out; echo err >&2; ";

/** What ends before its end; it must have spoken by then. */
const STUCK = SPEAKS + "exec sleep 60";

/** The error of something that fails. */
async function errorOf<T extends Error>(
  work: () => unknown,
  kind: new (...args: never[]) => T,
): Promise<T> {
  try {
    await work();
  } catch (error) {
    assert(error instanceof kind, String(error));
    return error;
  }
  throw new Error("It did not fail");
}

/** `run` and the like, in all forms. */
function forms(options: Parameters<typeof run>[1] = {}) {
  const { input: _, stdout: __, ...rest } = options;
  return {
    run: (cmd: string | string[]) => run(cmd, options),
    runSync: (cmd: string | string[]) => runSync(cmd, options as never),
    "pipeline.run": (cmd: string | string[]) => pipeline(cmd).with(rest).run(),
    "pipeline.runSync": (cmd: string | string[]) =>
      pipeline(cmd).with(rest).runSync(),
  };
}

function assertFlags(
  result: CommandResult,
  expected: Partial<CommandResult>,
): void {
  const { ok, timedOut, aborted, maxBufferExceeded, killedBy } = result;
  assertEquals({ ok, timedOut, aborted, maxBufferExceeded, killedBy }, {
    ok: false,
    timedOut: false,
    aborted: false,
    maxBufferExceeded: false,
    killedBy: undefined,
    ...expected,
  });
}

test("CommandResult says what ran, how long, and whether all is well", async () => {
  for (const [name, form] of Object.entries(forms())) {
    const result = await form(["sleep", "0.2"]);
    assertEquals(result.command, "sleep 0.2", name);
    assert(result.durationMs >= 190 && result.durationMs < 60_000, name);
    assertFlags(result, { ok: true });
  }
  for (const [name, form] of Object.entries(forms({ check: false }))) {
    const result = await form("exit 3");
    assertEquals([result.command, result.status], ["exit 3", 3], name);
    assertFlags(result, {});
  }
});

test("CommandResult.command is what a shell would take", async () => {
  const both = pipeline("echo b; echo a", ["sort", "-k", "1 2"]);
  const { command } = both.with({ check: false }).runSync();
  assertEquals(command, "sh -c 'echo b; echo a' | sort -k '1 2'");
  const again = await run("echo b; echo a | sort");
  assertEquals(again.command, "echo b; echo a | sort");
});

test("CommandError has the whole result", async () => {
  for (const [name, form] of Object.entries(forms({ cwd: "/tmp" }))) {
    const error = await errorOf(() => form(SPEAKS + "exit 3"), CommandError);
    const { result } = error;
    assertEquals([result.status, result.stdout], [3, "out\n"], name);
    assertEquals([result.stderr, error.stderr], ["err\n", "err"], name);
    assert(result.durationMs > 0, name);
    assertFlags(result, {});
    const [first, second] = error.message.split("\n");
    assertStringIncludes(first, SPEAKS + "exit 3", name);
    assertMatch(first, /exit status 3, in "\/tmp"$/, name);
    assertEquals(second, "err", name);
  }
});

test("CommandError of a stage has the result of all stages", async () => {
  const failing = pipeline(["echo", "in"], {
    cmd: "cat; echo wrong >&2; exit 4",
    cwd: "/tmp",
  }, ["cat"]);
  for (const form of [() => failing.run(), () => failing.runSync()]) {
    const error = await errorOf(form, CommandError);
    assertEquals([error.stage, error.status], [1, 4]);
    assertEquals(error.result.stages.map(({ status }) => status), [0, 4, 0]);
    assertEquals(error.result.stdout, "in\n");
    assertStringIncludes(error.message, "(stage 2 of 3)");
    assertStringIncludes(error.message, 'exit status 4, in "/tmp"\nwrong');
  }
});

test("CommandError names the signal", async () => {
  for (const [name, form] of Object.entries(forms())) {
    const error = await errorOf(() => form("kill -9 $$"), CommandError);
    assertFlags(error.result, { killedBy: "SIGKILL" });
    assertStringIncludes(error.message, "ended by SIGKILL", name);
  }
});

test("CommandError of too much output has what fits", async () => {
  for (const [name, form] of Object.entries(forms({ maxBuffer: 100 }))) {
    const { result } = await errorOf(() => form(["yes"]), CommandError);
    assertEquals(result.stdout, "y\n".repeat(50), name);
    assert(result.maxBufferExceeded && !result.ok && !result.timedOut, name);
  }
});

test("a TimeoutError has the result", async () => {
  for (const [name, form] of Object.entries(forms({ timeout: 2000 }))) {
    const error = await errorOf(() => form(STUCK), DOMException);
    assertEquals(error.name, "TimeoutError");
    const { result } = error as CommandTimeout;
    assertEquals([result.stdout, result.stderr], ["out\n", "err\n"], name);
    assertFlags(result, { timedOut: true, killedBy: "SIGTERM" });
    assert(result.durationMs >= 1990, name);
    assertStringIncludes(error.message, "2000 ms have passed", name);
    assertStringIncludes(error.message, "ended by SIGTERM\nerr", name);
  }
});

test("a TimeoutError has a result when files could not be opened", async () => {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  const path = `${folder}/pipe`;
  await run(["mkfifo", path]);
  const reading = () => run(["cat"], { input: { path }, timeout: 300 });
  const error = await errorOf(reading, DOMException) as CommandTimeout;
  assert(error.result.timedOut);
  await Deno.remove(folder, { recursive: true });
});

test("an AbortError has the result, a reason of the caller's is left alone", async () => {
  const abort = async (reason?: unknown) => {
    const controller = new AbortController();
    const { signal } = controller;
    const spoken = new WritableStream({
      write: () => controller.abort(reason),
    });
    return await errorOf(
      () => run(STUCK, { signal, tee: spoken }),
      Error,
    ) as CommandTimeout;
  };
  const error = await abort();
  assertEquals([error.name, error.result.stdout], ["AbortError", "out\n"]);
  assertFlags(error.result, { aborted: true, killedBy: "SIGTERM" });
  const own = new Error("enough");
  assertEquals(await abort(own), own as CommandTimeout);
  assertEquals(Object.keys(own), []);
});

test("CommandResult.killedBy is the last resort where the first signal did not help", async () => {
  const deaf = "trap '' TERM; echo deaf; while :; do sleep 1; done";
  const options = { timeout: 1000, killGrace: 100 };
  const error = await errorOf(() => run(deaf, options), DOMException);
  assertEquals((error as CommandTimeout).result.killedBy, "SIGKILL");
});

test("CommandResult.killedBy does not count a stage whose reader had enough", async () => {
  const result = await pipeline(["yes"], ["head", "-n", "1"]).run();
  assertFlags(result, { ok: true });
});

test("CommandError can be made without a result", () => {
  const stderr = "no such thing";
  const init = { command: "git pull", stage: 1, status: 2, stderr };
  const { result } = new CommandError("Failed", init);
  assertEquals([result.status, result.ok], [2, false]);
  assertEquals([result.stages.length, result.stderr], [2, stderr]);
});

test("a failing source keeps its own error", async () => {
  const wrong = new Error("wrong");
  const source = function* () {
    yield "a";
    throw wrong;
  };
  const error = await assertRejects(() => run(["cat"], { input: source() }));
  assertEquals(error, wrong);
  assertThrows(() => runSync(["cat"], { input: source() }), Error, "wrong");
});

test("the console shows the output as text, and only what says something", async () => {
  const shown = (result: CommandResult) =>
    Deno.inspect(result).replace(/durationMs: [\d.]+/, "durationMs: _");
  assertEquals(
    shown(await run(`${SPEAKS}exit 3`, { check: false })),
    `CommandResult {
  status: 3,
  ok: false,
  command: "echo out; echo err >&2; exit 3",
  stdout: "out\\n",
  stderr: "err\\n",
  durationMs: _
}`,
  );
  const two = shown(await pipeline(["echo", "spam"], ["cat"]).run());
  assertStringIncludes(two, '{ command: "cat", status: 0, stderr: "" }');
  const both = shown(await run(SPEAKS, { all: true }));
  assertStringIncludes(both, 'all: "out\\nerr\\n"');
  const late = await errorOf<CommandTimeout>(
    () => run(STUCK, { timeout: 200 }),
    DOMException as never,
  );
  assertStringIncludes(shown(late.result), "timedOut: true");
  const long = shown(await run(["head", "-c", "10001", "/dev/zero"]));
  assertStringIncludes(long, "bytes: Uint8Array(10001)");
});
