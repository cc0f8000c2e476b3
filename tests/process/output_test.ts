import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { unixTest as test } from "../platform.ts";
import {
  $,
  CommandError,
  pipeline,
  run,
  runSync,
  type StderrSink,
} from "../../process/mod.ts";
import { runDeno } from "../threading/run_program.ts";
import { testWays } from "./ways.ts";

const everyWay = testWays();

const LINES = 50_000;

/** Writes lines to both streams in turns. */
const BOTH =
  `i=0; while [ $i -lt ${LINES} ]; do echo o$i; echo e$i >&2; i=$((i+1)); done`;

function assertInOrder(all: string | undefined): void {
  const lines = all!.split("\n");
  assertEquals(lines.length, 2 * LINES + 1);
  assert(
    lines.slice(0, -1).every((line, i) =>
      line === `${i % 2 === 0 ? "o" : "e"}${i >> 1}`
    ),
  );
}

test("all keeps 100 000 lines of both streams in their order", async () => {
  const options = { all: true } as const;
  for (const cmd of [BOTH, ["sh", "-c", BOTH]]) {
    for (
      const result of [
        await run(cmd, options),
        runSync(cmd, options),
        await pipeline(["true"], cmd).with(options).run(),
      ]
    ) {
      assertInOrder(result.all);
      assertEquals([result.stdout, result.stderr], ["", ""]);
      assertEquals(result.bytes.length, 0);
    }
  }
  const lines = await Array.fromAsync(
    $.with(options)`${$.raw`${BOTH}`}`.lines(),
  );
  assertInOrder(lines.join("\n") + "\n");
});

test("all is what text(), bytes(), json() and lines() give", async () => {
  const both = pipeline("echo 1; echo 2 >&2").with({ all: true });
  assertEquals(await both.text(), "1\n2\n");
  assertEquals(both.textSync(), "1\n2\n");
  assertEquals((await both.bytes()).length, 4);
  assertEquals(both.bytesSync().length, 4);
  assertEquals([...both.linesSync()], ["1", "2"]);
  const json = pipeline("echo 1 >&2").with({ all: true });
  assertEquals([await json.json(), json.jsonSync()], [1, 1]);
});

test("all is about the last stage, and is in errors too", async () => {
  const failing = pipeline(
    "echo first >&2; echo in",
    "cat; echo last >&2; exit 3",
  ).with({ all: true });
  for (const form of [() => failing.run(), () => failing.runSync()]) {
    const error = await Promise.resolve().then(form).catch((e) => e);
    assert(error instanceof CommandError);
    const { all, stages, stdout } = error.result;
    assertEquals([all, stdout], ["in\nlast\n", ""]);
    assertEquals(stages.map(({ stderr }) => stderr), ["first\n", ""]);
  }
  assertEquals((await run("true")).all, undefined);
  assertEquals((await run("true", { all: true })).all, "");
});

test("all goes with nothing that sends a stream elsewhere", async () => {
  const all = true;
  for (const stderr of ["capture", "null", "merge", "tee"] as const) {
    await assertRejects(() => run("true", { all, stderr }), TypeError);
    assertThrows(() => runSync("true", { all, stderr }), TypeError);
  }
  await assertRejects(() => run("true", { all, stdout: "null" }), TypeError);
  const elsewhere = pipeline("true").with({ all }).to("inherit");
  await assertRejects(() => elsewhere.run(), TypeError);
});

test("tee captures and shows, in all forms", async () => {
  const program = new URL("./tee_program.ts", import.meta.url).pathname;
  const { stdout, stderr } = await runDeno([
    "run",
    "-A",
    "--no-check",
    program,
  ]);
  assertEquals(stdout, "out\n".repeat(4) + "a\n".repeat(4));
  const lines = stderr.trimEnd().split("\n");
  assertEquals(lines.filter((line) => line === "err").length, 4, stderr);
  assertEquals(lines.filter((line) => line === "b").length, 1, stderr);
  assertEquals(lines.length, 5, stderr);
});

/** A stream that keeps what it gets, and how it ended. */
function keeper() {
  const kept = { text: "", ended: "" };
  const decoder = new TextDecoder();
  const stream = new WritableStream<Uint8Array>({
    write: (bytes) => void (kept.text += decoder.decode(bytes)),
    close: () => void (kept.ended = "closed"),
    abort: () => void (kept.ended = "aborted"),
  });
  return { kept, stream };
}

everyWay("run() writes standard error to a stream", async () => {
  const { kept, stream } = keeper();
  const result = await run("echo out; echo err >&2", { stderr: stream });
  assertEquals([result.stdout, result.stderr], ["out\n", ""]);
  assertEquals(kept, { text: "err\n", ended: "closed" });

  const failing = keeper();
  const options = { stderr: failing.stream };
  await assertRejects(() => run("echo err >&2; exit 3", options), CommandError);
  assertEquals(failing.kept, { text: "err\n", ended: "aborted" });

  const missing = keeper();
  await assertRejects(() => run(["skein-none"], { stderr: missing.stream }));
  assertEquals(missing.kept.ended, "aborted");
});

everyWay(
  "pipeline() writes all standard errors to one stream",
  async () => {
    const { kept, stream } = keeper();
    await pipeline("echo a >&2", "cat; echo b >&2", ["cat"])
      .with({ stderr: stream }).run();
    assertEquals(kept.text.split("\n").sort(), ["", "a", "b"]);
    assertEquals(kept.ended, "closed");
    // Also both streams.
    const both = keeper();
    await run("echo out; echo err >&2", {
      stdout: both.stream,
      stderr: both.stream,
    });
    assertEquals(both.kept.text.split("\n").sort(), ["", "err", "out"]);
  },
);

everyWay("run() writes standard error to an open file", async () => {
  for (const form of [run, runSync]) {
    const path = await Deno.makeTempFile({ dir: "/tmp" });
    using file = await Deno.open(path, { write: true });
    file.writeSync(new TextEncoder().encode("head\n"));
    const cmd = "echo err >&2; echo out";
    const { stdout, stderr } = await form(cmd, { stderr: file });
    assertEquals([stdout, stderr], ["out\n", ""]);
    try {
      await form("echo late >&2; exit 3", { stderr: file });
      throw new Error("It did not fail");
    } catch (error) {
      assert(error instanceof CommandError, String(error));
    }
    assertEquals(await Deno.readTextFile(path), "head\nerr\nlate\n");
    await Deno.remove(path);
  }
});

test("the blocking forms refuse a stream for standard error", () => {
  const options = { stderr: keeper().stream as StderrSink };
  assertThrows(() => runSync("true", options), TypeError, "a stream");
});

/** What can be read, and "spam" of it. */
const BYTES = new TextEncoder().encode("spam");
const SOURCES: Record<string, () => Parameters<typeof run>[1]> = {
  ArrayBuffer: () => ({ input: BYTES.buffer }),
  DataView: () => ({
    input: new DataView(new TextEncoder().encode("xspamx").buffer, 1, 4),
  }),
  Uint16Array: () => ({ input: new Uint16Array(BYTES.buffer) }),
  SharedArrayBuffer: () => {
    const shared = new SharedArrayBuffer(4);
    new Uint8Array(shared).set(BYTES);
    return { input: shared };
  },
};
const STREAMS: typeof SOURCES = {
  Blob: () => ({ input: new Blob(["sp", "am"]) }),
  Response: () => ({ input: new Response("spam") }),
  Request: () => ({
    input: new Request("http://localhost", { method: "POST", body: "spam" }),
  }),
};

test("run() reads bytes in all forms, in the blocking form too", async () => {
  for (const [name, options] of Object.entries(SOURCES)) {
    assertEquals((await run(["cat"], options())).stdout, "spam", name);
    assertEquals(runSync(["cat"], options() as never).stdout, "spam", name);
    const { input } = options()!;
    assertEquals(await pipeline(["cat"]).from(input!).text(), "spam", name);
  }
  for (const [name, options] of Object.entries(STREAMS)) {
    assertEquals((await run(["cat"], options())).stdout, "spam", name);
    const { input } = options()!;
    assertEquals(await pipeline(["cat"]).from(input!).text(), "spam", name);
    assertThrows(
      () => runSync(["cat"], options() as never),
      TypeError,
      "a stream",
      name,
    );
  }
});

test("run() reads bodies that are not there, and none that was read", async () => {
  assertEquals((await run(["cat"], { input: new Response() })).stdout, "");
  const used = new Response("spam");
  await used.text();
  await assertRejects(() => run(["cat"], { input: used }), TypeError, "unread");
  // Nor by the run before.
  const once = pipeline(["cat"]).from(new Response("spam"));
  assertEquals(await once.text(), "spam");
  await assertRejects(() => once.text(), TypeError, "unread");
  // A Blob can be read again and again.
  const twice = pipeline(["cat"]).from(new Blob(["spam"]));
  assertEquals(await twice.text() + await twice.text(), "spamspam");
  // What is not read is cancelled.
  let cancelled = false;
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(BYTES),
    cancel: () => void (cancelled = true),
  });
  await run(["true"], { input: new Response(endless) });
  assert(cancelled);
});

test("run() reads what runs", async () => {
  const running = pipeline("echo spam; exit 3").start();
  const input = { input: running };
  // Its failure is that of its output, after the last bytes.
  await assertRejects(() => run(["cat"], input), CommandError);
  const good = pipeline(["echo", "spam"]).start();
  assertEquals((await run(["cat"], { input: good })).stdout, "spam\n");
  assertEquals((await good.result()).status, 0);
  const child = new Deno.Command("echo", {
    args: ["eggs"],
    stdout: "piped",
  }).spawn();
  assertEquals(await pipeline(["cat"]).from(child).text(), "eggs\n");
  await child.status;
  assertThrows(
    () => runSync(["cat"], { input: pipeline("true").start() as never }),
    TypeError,
  );
});

test("a source and progress: how large a Blob is", async () => {
  const totals = new Set<number | undefined>();
  await run(["cat"], {
    input: new Blob(["spam"]),
    onProgress: ({ total }) => void totals.add(total),
  });
  assertEquals([...totals], [4]);
});

test("text() trims, and decodes other encodings", async () => {
  const latin = pipeline("printf ' caf\\351 \\n'");
  const encoding = "latin1";
  assertEquals(await latin.text({ encoding }), " café \n");
  assertEquals(latin.textSync({ encoding, trim: true }), "café");
  assertEquals(await latin.with({ all: true }).text({ encoding }), " café \n");
  assertEquals(await pipeline("echo ' a b'").text({ trim: true }), "a b");
  assertEquals(pipeline("echo a").textSync({}), "a\n");
});
