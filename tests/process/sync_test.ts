import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { unixTest as test } from "../platform.ts";
import {
  CommandError,
  getStatusOutput,
  P_NOWAIT,
  P_WAIT,
  pipeline,
  popen2,
  popen2Sync,
  run,
  runSync,
  spawn,
  spawnSync,
  system,
  systemSync,
  Template,
  waitpid,
  waitpidSync,
} from "../../process/mod.ts";

/** Ends by a signal that Deno has no name for. */
const REAL_TIME = "echo a; kill -40 $$";

test("run() and its relatives know real-time signals by number", async () => {
  const check = false;
  const timeout = 60_000;
  for (const options of [{ check }, { check, timeout }]) {
    const { status, stdout } = await run(REAL_TIME, options);
    assertEquals([status, stdout], [-40, "a\n"]);
    assertEquals(runSync(REAL_TIME, options).status, -40);
  }
  assertEquals(runSync(REAL_TIME, { check, timeout }).stdout, "a\n");
  const two = pipeline(REAL_TIME, ["cat"]).with({ check });
  for (const { stages, stdout } of [await two.run(), two.runSync()]) {
    assertEquals(stages.map(({ status }) => status), [-40, 0]);
    assertEquals(stdout, "a\n");
  }
  assertEquals(await getStatusOutput(REAL_TIME), { status: -40, output: "a" });
  const error = assertThrows(() => runSync(REAL_TIME), CommandError);
  assert(error.message.includes("ended by signal 40"), error.message);
});

test("popen2(), spawn() and system() know real-time signals by number", async () => {
  const silent = "kill -40 $$";
  await using child = popen2(silent);
  assertEquals(await child.process.wait(), -40);
  using childSync = popen2Sync(silent);
  assertEquals(childSync.process.waitSync(), -40);
  assertEquals(await system(silent), -40);
  assertEquals(systemSync(silent), -40);
  assertEquals(await spawn(P_WAIT, silent), -40);
  assertEquals(spawnSync(P_WAIT, silent), -40);
  assertEquals(await waitpid(await spawn(P_NOWAIT, silent)), -40);
  assertEquals(waitpidSync(spawnSync(P_NOWAIT, silent)), -40);
  const template = new Template();
  template.append(`${silent}; cat`, "--");
  assertEquals(await template.copy("/dev/null", "/dev/null"), -40);
  // The helper thread of this thread has survived all that.
  assertEquals(runSync(["cat"], { input: "spam" }).stdout, "spam");
});

const SIZE = 16 << 20;
const BYTES = Uint8Array.from({ length: SIZE }, (_, i) => i * 7 % 251);

/** What both did, and how long it took, which is about the same. */
async function bothForms<T>(
  promise: () => Promise<T>,
  blocking: () => T,
): Promise<void> {
  const start = performance.now();
  const expected = await promise();
  const half = performance.now();
  assertEquals(blocking(), expected);
  const [one, other] = [half - start, performance.now() - half];
  // Bytes sent element by element take a hundred times as long.
  assert(other < 2000 + 10 * one, `${one} ms and ${other} ms`);
}

test("runSync() takes and gives bytes as fast as run()", async () => {
  const input = BYTES;
  await bothForms(
    async () => (await run(["cat"], { input })).bytes.length,
    () => runSync(["cat"], { input }).bytes.length,
  );
  assertEquals(runSync(["cat"], { input }).bytes, BYTES);
  const text = "spam".repeat(SIZE / 4);
  assertEquals(runSync(["wc", "-c"], { input: text }).stdout.trim(), `${SIZE}`);
});

test("pipeline() gives bytes and lines as fast in the blocking forms", async () => {
  const zeros = pipeline(["head", "-c", `${SIZE}`, "/dev/zero"], ["cat"]);
  await bothForms(
    async () => (await zeros.bytes()).length,
    () => zeros.bytesSync().length,
  );
  const lines = pipeline(`yes ${"spam-".repeat(8)} | head -c ${SIZE}`);
  await bothForms(
    async () => {
      let n = 0;
      for await (const line of lines.lines()) n += line.length;
      return n;
    },
    () => {
      let n = 0;
      for (const line of lines.linesSync()) n += line.length;
      return n;
    },
  );
});

test("runSync() keeps a large standard error", () => {
  const { stages } = pipeline(["cat"], "cat >&2").from(BYTES).runSync();
  assertEquals(stages[1].stderr.length > SIZE / 4, true);
});

test("runSync() and linesSync() of an input that is not read to its end", () => {
  assertEquals(runSync(["true"], { input: BYTES }).status, 0);
  assertEquals(
    runSync(["head", "-c", "5"], { input: BYTES }).bytes,
    BYTES.subarray(0, 5),
  );
  const text = "spam\n".repeat(SIZE / 4);
  for (let round = 0; round < 3; round++) {
    let count = 0;
    for (const line of pipeline(["cat"]).from(text).linesSync()) {
      assertEquals(line, "spam");
      if (++count === 10) break;
    }
  }
  let length = 0;
  for (const line of pipeline(["cat"]).from(text).linesSync()) {
    length += line.length + 1;
  }
  assertEquals(length, text.length);
});

/** A source without an end, which writes down that it was left. */
function* endless(seen: string[], atEnd?: Error): Generator<string> {
  try {
    while (true) yield "spam\n";
  } finally {
    seen.push("left");
    // deno-lint-ignore no-unsafe-finally
    if (atEnd !== undefined) throw atEnd;
  }
}

test("runSync() and linesSync() read no more of an iterable than is needed", () => {
  const seen: string[] = [];
  const head = ["head", "-n", "2"];
  assertEquals(runSync(head, { input: endless(seen) }).stdout, "spam\nspam\n");
  assertEquals(seen, ["left"]);
  assertEquals([...pipeline(head).from(endless(seen)).linesSync()].length, 2);
  assertEquals(seen, ["left", "left"]);
  for (const _ of pipeline(["cat"]).from(endless(seen)).linesSync()) break;
  assertEquals(seen, ["left", "left", "left"]);
  const failure = new Error("at the end");
  const error = assertThrows(() =>
    runSync(head, { input: endless(seen, failure) })
  );
  assertStrictEquals(error, failure);
  assertThrows(
    () => runSync(["sleep", "60"], { input: endless(seen), timeout: 100 }),
    DOMException,
  );
  assertThrows(
    () => runSync(["no-such-program"], { input: endless(seen) }),
    Deno.errors.NotFound,
  );
});

test("runSync() and linesSync() throw what an iterable throws", () => {
  const failure = new RangeError("broken");
  function* broken() {
    yield "spam\n";
    throw failure;
  }
  assertStrictEquals(
    assertThrows(() => runSync(["cat"], { input: broken() })),
    failure,
  );
  const lines = pipeline(["cat"]).from(broken()).linesSync();
  assertStrictEquals(assertThrows(() => Array.from(lines)), failure);
  const wrong = ["spam", 1] as unknown as string[];
  assertThrows(() => runSync(["cat"], { input: wrong }), TypeError, "strings");
});

test("runSync() and linesSync() read a source that runs commands itself", () => {
  function* upper() {
    for (const line of pipeline("echo a; echo b", ["cat"]).linesSync()) {
      yield runSync(["cat"], { input: `${line}\n` }).stdout.toUpperCase();
    }
  }
  assertEquals(runSync(["cat"], { input: upper() }).stdout, "A\nB\n");
  const lines: string[] = [];
  for (const line of pipeline(["cat"]).from(upper()).linesSync()) {
    lines.push(line + runSync(["cat"], { input: upper() }).stdout);
  }
  assertEquals(lines, ["AA\nB\n", "BA\nB\n"]);
});
