import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { toBytes } from "@std/streams/to-bytes";
import { toText } from "@std/streams/to-text";
import { unixTest as test } from "../platform.ts";
import { CommandError, pipeline } from "../../process/mod.ts";
import { testWays } from "./ways.ts";

const everyWay = testWays({ limit: 120_000 });

const encoder = new TextEncoder();

/** A source without an end, and what becomes of it. */
function endless(chunk = encoder.encode("x\n".repeat(1000))) {
  const cancelled = Promise.withResolvers<unknown>();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(chunk.slice()),
    cancel: (reason) => cancelled.resolve(reason),
  });
  return { stream, cancelled: cancelled.promise };
}

/** Whether there is a process of this number, a zombie included. */
async function exists(pid: number): Promise<boolean> {
  return await pipeline(["ps", "-p", String(pid), "-o", "pid="])
    .with({ check: false }).status() === 0;
}

everyWay("Pipeline.readable() gives all bytes", async () => {
  const zeros = pipeline(["head", "-c", "3000000", "/dev/zero"], ["cat"]);
  assertEquals((await toBytes(zeros.readable())).length, 3_000_000);
  const body = new Response(pipeline("echo spam", ["cat"]).readable());
  assertEquals(await body.text(), "spam\n");
});

everyWay("Pipeline.readable() fails after the last bytes", async () => {
  const reader = pipeline("echo spam; exit 3").readable().getReader();
  const { value } = await reader.read();
  assertEquals(new TextDecoder().decode(value), "spam\n");
  const error = await assertRejects(() => reader.read(), CommandError);
  assertEquals(error.status, 3);
  await assertRejects(() => reader.closed, CommandError);

  const early = pipeline("exit 3", ["cat"]).readable();
  assertEquals(
    (await assertRejects(() => toText(early), CommandError)).stage,
    0,
  );
  const unchecked = pipeline("echo spam; exit 3").with({ check: false });
  assertEquals(await toText(unchecked.readable()), "spam\n");
});

everyWay("Pipeline.readable() that is cancelled ends the stages", async () => {
  // Nothing between: what stands there passes a cancel on, and does not wait.
  const reader = pipeline("echo $$; exec yes", ["cat"]).readable().getReader();
  const { value } = await reader.read();
  const pid = parseInt(new TextDecoder().decode(value));
  assert(await exists(pid));
  await reader.cancel("enough");
  assert(!await exists(pid));

  for await (const _ of pipeline(["yes"], ["cat"]).readable()) break;
});

test("Pipeline.readable() that is cancelled before it starts leaves the source", async () => {
  const { stream, cancelled } = endless();
  await pipeline(["cat"]).from(stream).readable().cancel("no");
  assertEquals(await cancelled, "no");
});

everyWay(
  "Pipeline.readable() that is cancelled leaves the source",
  async () => {
    const { stream, cancelled } = endless();
    const reader = pipeline(["cat"]).from(stream).readable().getReader();
    await reader.read();
    await reader.cancel();
    await cancelled;
  },
);

everyWay(
  "Pipeline.readable() tells of a program that is not there",
  async () => {
    for (
      const stages of [[["no-such-program"]], [["yes"], ["no-such-program"]]]
    ) {
      await assertRejects(
        () => toText(pipeline(...stages).readable()),
        Deno.errors.NotFound,
      );
    }
  },
);

everyWay("Pipeline.readable() ends by timeout and by signal", async () => {
  const late = pipeline("echo spam; exec sleep 60").with({ timeout: 500 });
  const error = await assertRejects(
    () => toText(late.readable()),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  const reason = new Error("stop");
  const abort = new AbortController();
  const reader = pipeline(["yes"], ["cat"]).with({ signal: abort.signal })
    .readable().getReader();
  await reader.read();
  abort.abort(reason);
  const failing = async () => {
    while (true) await reader.read();
  };
  assertStrictEquals(await assertRejects(failing), reason);
});

test("Pipeline.readable() starts with the first read, each time anew", async () => {
  const path = await Deno.makeTempFile({ dir: "/tmp" });
  const counting = pipeline(`echo run >>${path}; echo spam`);
  const streams = [counting.readable(), counting.readable()];
  assertEquals(await Deno.readTextFile(path), "");
  for (const stream of streams) assertEquals(await toText(stream), "spam\n");
  assertEquals(await Deno.readTextFile(path), "run\nrun\n");
  await Deno.remove(path);
});

test("Pipeline.readable() is locked by one reader, and so is its source", async () => {
  const stream = pipeline("echo spam").readable();
  stream.getReader();
  assertThrows(() => stream.getReader(), TypeError);
  const fed = pipeline(["cat"]).from(endless().stream);
  const first = fed.readable().getReader();
  await first.read();
  await assertRejects(() => toText(fed.readable()), TypeError);
  await first.cancel();
});

everyWay("Pipeline.readable() fills buffers of its reader", async () => {
  const reader = pipeline("printf spam; sleep 0.1; printf eggs").readable()
    .getReader({ mode: "byob" });
  let text = "";
  let buffer: Uint8Array<ArrayBuffer> = new Uint8Array(3);
  while (true) {
    const { value, done } = await reader.read(buffer);
    if (done) {
      assertEquals(value?.byteLength, 0);
      break;
    }
    text += new TextDecoder().decode(value);
    buffer = new Uint8Array(value.buffer);
    assertEquals(buffer.length, 3);
  }
  assertEquals(text, "spameggs");
});

everyWay("Pipeline.readable() copies what tee gets", async () => {
  const chunks: Uint8Array[] = [];
  const tee = new WritableStream<Uint8Array>({
    write: (chunk) => void chunks.push(chunk),
  });
  const stream = pipeline("echo spam").with({ tee }).readable();
  assertEquals(await toText(stream), "spam\n");
  assertEquals(await new Blob(chunks as BlobPart[]).text(), "spam\n");
});

everyWay(
  "Pipeline.readable() gives the error outputs of all stages",
  async () => {
    const noisy = pipeline("echo a >&2; echo out", "cat; echo b >&2");
    const text = await toText(noisy.readable({ from: "stderr" }));
    assertEquals(text.trim().split("\n").toSorted(), ["a", "b"]);
    const failing = pipeline("echo a >&2; exit 3").readable({ from: "stderr" });
    const reader = failing.getReader();
    await reader.read();
    const error = await assertRejects(() => reader.read(), CommandError);
    assertEquals(error.stderr, "a");
  },
);

test("Pipeline.readable() refuses an output that goes elsewhere", () => {
  assertThrows(() => pipeline("x").to("null").readable(), TypeError, "to()");
  assertThrows(
    () => pipeline("x").tee(pipeline("y")).readable(),
    TypeError,
    "tee()",
  );
});

test("Pipeline.readableSync() gives the bytes and then the failure", () => {
  const zeros = pipeline(["head", "-c", "3000000", "/dev/zero"], ["cat"]);
  let size = 0;
  for (const bytes of zeros.readableSync()) size += bytes.length;
  assertEquals(size, 3_000_000);
  const pieces: Uint8Array[] = [];
  assertThrows(() => {
    const failing = pipeline("echo spam; exit 3");
    for (const bytes of failing.readableSync()) pieces.push(bytes);
  }, CommandError);
  assertEquals(new TextDecoder().decode(pieces[0]), "spam\n");
  for (const _ of pipeline(["yes"], ["cat"]).readableSync()) break;
  // The blocking form of a transform.
  const sorted = pipeline(["sort"]).from(["b\n", "a\n"]).readableSync();
  assertEquals(
    Array.from(sorted, (bytes) => new TextDecoder().decode(bytes)).join(""),
    "a\nb\n",
  );
});

everyWay("Pipeline.transform() sends a stream through", async () => {
  const body = new Response("b\na\nb\n").body!;
  const sorted = body.pipeThrough(pipeline(["sort"], ["uniq"]).transform());
  assertEquals(await toText(sorted), "a\nb\n");

  const empty = new Response("").body!;
  assertEquals(
    await toText(empty.pipeThrough(pipeline(["cat"]).transform())),
    "",
  );
});

everyWay("Pipeline.transform() takes texts and views", async () => {
  const { readable, writable } = pipeline(["cat"]).transform();
  const text = toText(readable);
  const writer = writable.getWriter();
  await writer.write("spam ");
  await writer.write(encoder.encode("no eggs").subarray(3));
  await writer.write("");
  await writer.close();
  assertEquals(await text, "spam eggs");
});

everyWay("Pipeline.transform() fails at its readable", async () => {
  const { stream, cancelled } = endless();
  const failing = pipeline("head -c 4; exit 3").transform();
  const error = await assertRejects(
    () => toText(stream.pipeThrough(failing)),
    CommandError,
  );
  assertEquals(error.status, 3);
  assertInstanceOf(await cancelled, Deno.errors.BrokenPipe);
});

everyWay("Pipeline.transform() of a program that is not there", async () => {
  const { stream, cancelled } = endless();
  const missing = pipeline(["no-such-program"]).transform();
  await assertRejects(
    () => toText(stream.pipeThrough(missing)),
    Deno.errors.NotFound,
  );
  assertInstanceOf(await cancelled, Deno.errors.NotFound);
});

everyWay("Pipeline.transform() leaves a source that is not read", async () => {
  const { stream, cancelled } = endless();
  const first = pipeline(["head", "-n", "1"]).transform();
  assertEquals(await toText(stream.pipeThrough(first)), "x\n");
  assertInstanceOf(await cancelled, Deno.errors.BrokenPipe);

  // A source that waits for something learns of it too.
  const silent = Promise.withResolvers<unknown>();
  const waiting = new ReadableStream<Uint8Array>({
    cancel: (reason) => silent.resolve(reason),
  });
  const none = pipeline(["true"]).transform();
  const out = waiting.pipeThrough(none);
  assertEquals(await toText(out), "");
  assertInstanceOf(await silent.promise, Deno.errors.BrokenPipe);
});

everyWay("Pipeline.transform() that is cancelled ends both ends", async () => {
  const { stream, cancelled } = endless();
  const out = stream.pipeThrough(pipeline(["cat"], ["cat"]).transform());
  const reader = out.getReader();
  await reader.read();
  await reader.cancel("enough");
  assertEquals(await cancelled, "enough");
});

everyWay(
  "Pipeline.transform() fails with what its source fails with",
  async () => {
    const error = new Error("no more");
    const failing = (start: string) =>
      new ReadableStream<string>({
        start(controller) {
          if (start !== "") controller.enqueue(start);
          else controller.error(error);
        },
        pull: (controller) => controller.error(error),
      });
    for (const start of ["spam\n", ""]) {
      const out = failing(start).pipeThrough(pipeline(["cat"]).transform());
      assertStrictEquals(await assertRejects(() => toText(out)), error);
    }
  },
);

test("Pipeline.transform() refuses ends that go elsewhere", () => {
  assertThrows(() => pipeline("x").from("y").transform(), TypeError, "from()");
  assertThrows(() => pipeline("x").to("null").transform(), TypeError, "to()");
  const inheriting = pipeline("x").with({ stdin: "inherit" });
  assertThrows(() => inheriting.transform(), TypeError, "inherit");
});

everyWay("Pipeline.transform() of many at once", async () => {
  const texts = await Promise.all(Array.from({ length: 30 }, async (_, i) => {
    const body = new Response(`${i}\n`.repeat(20_000)).body!;
    const out = body.pipeThrough(pipeline(["cat"], ["cat"]).transform());
    return [await toText(out), `${i}\n`.repeat(20_000)];
  }));
  for (const [text, expected] of texts) assert(text === expected);
});

const MOD = new URL("../../process/mod.ts", import.meta.url).href;

/** What a program with all permissions prints. */
async function inProgram(code: string): Promise<string> {
  const { stdout, stderr, success } = await new Deno.Command("deno", {
    args: ["eval", "--no-check", `import * as p from "${MOD}";${code}`],
  }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return decoder.decode(stdout).trim();
}

const GROWTH = `
  globalThis.gc?.();
  const before = Deno.memoryUsage().rss;
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, Deno.memoryUsage().rss - before);
  }, 20);
  Deno.unrefTimer(timer);
`;

test("Pipeline.readable() holds nothing for a reader that does not read", async () => {
  const growth = await inProgram(`
    const path = "/tmp/skein-written-" + Deno.pid;
    const writer = "head -c 1073741824 /dev/zero; echo >" + path;
    const reader = p.pipeline(writer).readable().getReader();
    await reader.read();
    ${GROWTH}
    await new Promise((resolve) => setTimeout(resolve, 1000));
    let size = 0;
    // It has not written more than a pipe holds.
    const waits = await Deno.stat(path).then(() => false, () => true);
    while (true) {
      const { value, done } = await reader.read();
      if (done) break;
      size += value.length;
    }
    await Deno.remove(path);
    console.log(waits, size > 1e9, Math.round(most / 1e6));
  `);
  const [waits, all, megabytes] = growth.split(" ");
  assertEquals([waits, all], ["true", "true"]);
  assert(Number(megabytes) < 300, growth);
});

test("Pipeline.transform() sends 1 GB through at flat memory", async () => {
  const growth = await inProgram(`
    ${GROWTH}
    const chunk = new Uint8Array(65536);
    let left = 16384;
    const body = new ReadableStream({
      pull(controller) {
        if (left-- === 0) controller.close();
        else controller.enqueue(chunk.slice());
      },
    });
    let size = 0;
    const out = body.pipeThrough(p.pipeline(["cat"]).transform());
    for await (const bytes of out) size += bytes.length;
    console.log(size === 2 ** 30, Math.round(most / 1e6));
  `);
  const [all, megabytes] = growth.split(" ");
  assertEquals(all, "true");
  assert(Number(megabytes) < 300, growth);
});
