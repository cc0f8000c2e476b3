import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { unixTest as test } from "../platform.ts";
import {
  CommandError,
  pipeline,
  popen2,
  popen2Sync,
  type Progress,
  type Stage,
} from "../../process/mod.ts";
import { temporary } from "./temporary.ts";
import { testWays } from "./ways.ts";

const everyWay = testWays();

const BYTES = Uint8Array.from({ length: 256 * 1024 }, (_, i) => i % 256);

everyWay("pipeline() joins stages", async () => {
  const lines = pipeline(["sort"], ["uniq"], "cat").from("b\na\nb\n");
  assertEquals(await lines.text(), "a\nb\n");
  assertEquals(await lines.text(), "a\nb\n");
});

everyWay("pipeline() hands over every byte", async () => {
  const bytes = await pipeline(["cat"], "cat", ["cat"]).from(BYTES).bytes();
  assertEquals(bytes, BYTES);
});

everyWay("pipeline() from a file to a file", () =>
  temporary(async (folder) => {
    const path = `${folder}/in`;
    await Deno.writeFile(path, BYTES);
    const out = `${folder}/out`;
    const copy = pipeline(["cat"], ["cat"]).from({ path }).to({ path: out });
    assertEquals(await copy.status(), 0);
    assertEquals(await Deno.readFile(out), BYTES);
    await pipeline(["cat"]).from("more").to({ path: out, append: true }).run();
    assertEquals((await Deno.readFile(out)).length, BYTES.length + 4);
    const url = new URL(`file://${out}`);
    await pipeline(["cat"], ["cat"]).from(new URL(`file://${path}`)).to(url)
      .run();
    assertEquals(await Deno.readFile(out), BYTES);
  }));

everyWay(
  "pipeline() reads an open file from where it stands",
  () =>
    temporary(async (folder) => {
      const path = `${folder}/in`;
      await Deno.writeTextFile(path, "spam eggs");
      using file = await Deno.open(path);
      await file.seek(5, Deno.SeekMode.Start);
      assertEquals(await pipeline(["cat"], ["cat"]).from(file).text(), "eggs");
      assertEquals(await file.read(new Uint8Array(1)), null);
    }),
);

everyWay("pipeline() reads streams and iterables", async () => {
  const cat = pipeline(["cat"], ["cat"]);
  assertEquals(await cat.from(["a", new Uint8Array([98])]).text(), "ab");
  assertEquals(await cat.from(ReadableStream.from(["é", "b"])).text(), "éb");
  assertEquals(
    await cat.from((async function* () {
      yield "x";
      yield "";
      yield "y";
    })()).text(),
    "xy",
  );
});

everyWay("pipeline() writes to a stream and closes it", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const text = new Response(readable as ReadableStream<Uint8Array<ArrayBuffer>>)
    .text();
  await pipeline("echo spam", ["cat"]).to(writable).status();
  assertEquals(await text, "spam\n");
});

everyWay(
  "pipeline() with a sink that is stuck ends by its timeout",
  async () => {
    const stuck = () =>
      new WritableStream({ write: () => new Promise(() => {}) });
    const yes = pipeline(["yes"], ["cat"]).with({ timeout: 50 });
    for (const run of [yes.to(stuck()), yes.with({ tee: stuck() })]) {
      const error = await assertRejects(() => run.run(), DOMException);
      assertEquals(error.name, "TimeoutError");
    }
  },
);

everyWay(
  "pipeline() writes to an open file from where it stands",
  () =>
    temporary(async (folder) => {
      const path = `${folder}/out`;
      using file = await Deno.open(path, { write: true, create: true });
      await file.write(new TextEncoder().encode("spam "));
      const seen: Progress[] = [];
      await pipeline(["cat"], ["cat"]).from("eggs ").to(file).run();
      await pipeline(["echo", "ham"])
        .with({ onProgress: (progress) => void seen.push(progress) })
        .to(file).run();
      pipeline(["cat"]).from("again\n").to(file).runSync();
      await file.write(new TextEncoder().encode("end"));
      assertEquals(await Deno.readTextFile(path), "spam eggs ham\nagain\nend");
      assertEquals(seen.at(-1)?.bytes, "spam eggs ham\n".length);
    }),
);

everyWay(
  "pipeline() writes to an open file what comes before a failure",
  () =>
    temporary(async (folder) => {
      const path = `${folder}/out`;
      using file = await Deno.open(path, { write: true, create: true });
      const failing = pipeline("echo spam; exit 3", ["cat"]).to(file);
      assertThrows(() => failing.runSync(), CommandError);
      await assertRejects(() => failing.run(), CommandError);
      const slow = pipeline("echo spam; exec sleep 60").to(file)
        .with({ timeout: 300 });
      assertThrows(() => slow.runSync(), DOMException);
      assertEquals(await Deno.readTextFile(path), "spam\nspam\nspam\n");
      const lines = pipeline("yes | head -n 500000").to(file);
      assertEquals(lines.runSync().stages[0].status, 0);
      assertEquals((await Deno.stat(path)).size, 1_000_015);
    }),
);

everyWay("pipeline() adds no variable to a shell", async () => {
  const namesIn = (text: string) =>
    Array.from(text.matchAll(/^(SKEIN\w*)=/gm), ([, name]) => name);
  // Whoever runs the tests may have set some.
  const options = { args: ["-c", "set"] };
  const { stdout } = await new Deno.Command("sh", options).output();
  const seen = await pipeline(["echo"], "set").text();
  assertEquals(namesIn(seen), namesIn(new TextDecoder().decode(stdout)));
  assertEquals(namesIn("SKEIN_X=1\nY=2\n"), ["SKEIN_X"]);
});

everyWay("pipeline() gives tee the lines, too", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const text = new Response(readable).text();
  const lines = await Array.fromAsync(
    pipeline("echo a; echo b", ["cat"]).with({ tee: writable }).lines(),
  );
  assertEquals(lines, ["a", "b"]);
  assertEquals(writable.locked, false);
  await writable.close();
  assertEquals(await text, "a\nb\n");
});

everyWay("pipeline() ends lines with what tee throws", async () => {
  const failure = new Error("full");
  const full = () =>
    new WritableStream({
      write() {
        throw failure;
      },
    });
  const locked = full();
  locked.getWriter();
  for (
    const [tee, error] of [[full(), failure], [locked, TypeError]] as const
  ) {
    const thrown = await assertRejects(() =>
      Array.fromAsync(pipeline(["yes"], ["cat"]).with({ tee }).lines())
    );
    assert(
      error instanceof Error ? thrown === error : thrown instanceof error,
    );
  }
  const stuck = new WritableStream({ write: () => new Promise(() => {}) });
  const error = await assertRejects(() =>
    Array.fromAsync(
      pipeline(["yes"]).with({ tee: stuck, timeout: 300 }).lines(),
    ), DOMException);
  assertEquals(error.name, "TimeoutError");
});

everyWay("pipeline() with a head that has enough is no failure", async () => {
  const { stdout, stages, status } = await pipeline(["yes"], ["cat"], [
    "head",
    "-n",
    "2",
  ]).run();
  assertEquals(stdout, "y\ny\n");
  assertEquals(status, 0);
  assertEquals(stages.length, 3);
  assertEquals(stages[2].status, 0);
});

everyWay("pipeline() names the first stage that fails", async () => {
  const error = await assertRejects(
    () => pipeline(["cat"], "cat; echo oops >&2; exit 3", ["wc"]).run(),
    CommandError,
  );
  assertEquals([error.stage, error.status], [1, 3]);
  assertEquals(error.stderr, "oops");
  assertStringIncludes(error.message, "stage 2 of 3");
  const unchecked = pipeline("exit 4", ["cat"]).with({ check: false });
  assertEquals(await unchecked.status(), 4);
  const killed = pipeline("kill -9 $$", ["cat"]).with({ check: false });
  assertEquals(await killed.status(), -9);
});

everyWay(
  "pipeline() ends the neighbours of a stage that cannot start",
  async () => {
    for (const place of [0, 1, 2]) {
      const stages = [["sleep", "60"], ["sleep", "60"], ["sleep", "60"]];
      stages[place] = ["no-such-program"];
      const start = performance.now();
      const error = await assertRejects(
        () => pipeline(...stages).run(),
        Deno.errors.NotFound,
      );
      assertStringIncludes(error.message, '"no-such-program"');
      assert(performance.now() - start < 5000);
    }
  },
);

everyWay("pipeline() passes on what its source throws", async () => {
  const source = (async function* () {
    yield "a";
    await Promise.resolve();
    throw new RangeError("no more");
  })();
  await assertRejects(
    () => pipeline(["cat"], ["cat"]).from(source).run(),
    RangeError,
    "no more",
  );
  let returned = false;
  const endless = (async function* () {
    try {
      while (true) yield "y\n".repeat(1000);
    } finally {
      returned = true;
    }
  })();
  const head = pipeline(["head", "-n", "1"]).from(endless);
  assertEquals(await head.text(), "y\n");
  await Promise.resolve();
  assert(returned);
});

everyWay("pipeline() whose child never reads its source ends", async () => {
  const source = new Uint8Array(1_000_000);
  assertEquals(await pipeline(["true"]).from(source).status(), 0);
  assertEquals(await pipeline(["true"], ["cat"]).from(source).text(), "");
  const waiting = (async function* () {
    yield "a";
    await new Promise(() => {});
  })();
  assertEquals(await pipeline(["true"]).from(waiting).status(), 0);
});

everyWay(
  "pipeline() sends standard error where it should",
  () =>
    temporary(async (folder) => {
      const cmd = "echo out; echo err >&2";
      const path = `${folder}/err`;
      const { stdout, stderr } = await pipeline(cmd, ["cat"]).run();
      assertEquals([stdout, stderr], ["out\n", "err\n"]);
      const file = pipeline({ cmd, stderr: { path } }, ["cat"]);
      assertEquals(await file.text(), "out\n");
      assertEquals(await Deno.readTextFile(path), "err\n");
      assertEquals((await pipeline({ cmd, stderr: "null" }).run()).stderr, "");
      const merge = { cmd, stderr: "merge" } as const;
      assertEquals(await pipeline(merge).text(), "out\nerr\n");
      assertEquals(await pipeline(merge, ["cat"]).text(), "out\nerr\n");
      const array = {
        cmd: ["sh", "-c", "echo out; sleep 0.05; echo err >&2"],
        stderr: "merge",
      } as const;
      assertEquals(await pipeline(array).text(), "out\nerr\n");
      assertEquals(await pipeline(array, ["cat"]).text(), "out\nerr\n");
      const lines = pipeline(["cat"], array).lines();
      assertEquals(await Array.fromAsync(lines), ["out", "err"]);
      await pipeline(array).to({ path }).run();
      assertEquals(await Deno.readTextFile(path), "out\nerr\n");
      await pipeline(merge).from("x").to({ path }).run();
      assertEquals(await Deno.readTextFile(path), "out\nerr\n");
    }),
);

everyWay("pipeline() merges standard error without a shell", async () => {
  const missing = { cmd: ["no-such-program"], stderr: "merge" } as const;
  await assertRejects(
    () => pipeline(missing).run(),
    Deno.errors.NotFound,
    '"no-such-program"',
  );
  const failing = { cmd: ["sh", "-c", "exit 3"], stderr: "merge" } as const;
  const error = await assertRejects(
    () => pipeline(["true"], failing).run(),
    CommandError,
  );
  assertEquals([error.stage, error.status], [1, 3]);
  const flood = {
    cmd: ["sh", "-c", "yes >&2 & yes"],
    stderr: "merge",
  } as const;
  await assertRejects(
    () => pipeline(flood).with({ maxBuffer: 1_000_000 }).run(),
    CommandError,
    "maxBuffer",
  );
  for await (const line of pipeline(flood).lines()) {
    assertEquals(line, "y");
    break;
  }
});

test("pipeline() merges standard error in its order", async () => {
  const script = "for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo e$i >&2; done";
  const expected = "123456789".replaceAll(/./g, "$&\ne$&\n");
  const cmd = ["sh", "-c", script];
  const text = await pipeline({ cmd, stderr: "merge" }).text();
  assertEquals(text, expected);
  assertEquals(pipeline({ cmd, stderr: "merge" }).textSync(), expected);
});

everyWay("pipeline() gives each stage its folder and environment", async () => {
  const stages: Stage[] = [
    { cmd: "pwd; echo $SKEIN_A$SKEIN_B", cwd: "/", env: { SKEIN_A: "1" } },
    { cmd: "cat; pwd; echo $SKEIN_A$SKEIN_B", env: { SKEIN_B: "2" } },
  ];
  const text = await pipeline(...stages).with({ cwd: "/tmp" }).text();
  assertEquals(text, "/\n1\n/tmp\n2\n");
});

everyWay("Pipeline.lines() reads on demand and ends early", async () => {
  const seen: string[] = [];
  for await (const line of pipeline(["yes"], ["cat", "-n"]).lines()) {
    seen.push(line.trim());
    if (seen.length === 3) break;
  }
  assertEquals(seen, ["1\ty", "2\ty", "3\ty"]);
  const lines = pipeline("printf 'a\\n\\nb'", ["cat"]).lines();
  assertEquals(await Array.fromAsync(lines), ["a", "", "b"]);
  const failing = pipeline("echo a; exit 3").lines();
  assertEquals((await failing.next()).value, "a");
  await assertRejects(() => failing.next(), CommandError);
});

test("Pipeline.lines() takes both ends of a line away", async () => {
  // One write for each part, so that ends are cut in two.
  const parts = ["a\\r\\n\\r\\nb", "\\r", "\\nc\\rd\\n\\n", "e\\r"];
  const cmd = parts.map((part) => `printf '${part}'; sleep 0.05`).join(";");
  const expected = ["a", "", "b", "c\rd", "", "e\r"];
  assertEquals(await Array.fromAsync(pipeline(cmd).lines()), expected);
  assertEquals([...pipeline(cmd).linesSync()], expected);
  using sync = popen2Sync("printf 'a\\r\\nb'");
  assertEquals(sync.stdout.readlines(), ["a\r\n", "b"]);
  const { stdout } = popen2("printf 'a\\r\\nb'");
  assertEquals(await stdout.readlines(), ["a\r\n", "b"]);
});

test("Pipeline.lines() holds the program back", () =>
  temporary(async (folder) => {
    const path = `${folder}/written`;
    const lines = pipeline(`yes | head -c 2000000; echo > ${path}`).lines();
    await lines.next();
    await new Promise((resolve) => setTimeout(resolve, 150));
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
    let count = 1;
    for await (const _ of lines) count++;
    assertEquals(count, 1_000_000);
    assert((await Deno.stat(path)).isFile);
  }));

test("Pipeline.lines() never splits a character", async () => {
  const text = "aé€😀\n".repeat(20_000);
  let count = 0;
  for await (const line of pipeline(["cat"]).from(text).lines()) {
    if (line !== "aé€😀") throw new Error(line);
    count++;
  }
  assertEquals(count, 20_000);
});

test("Pipeline.lines() reads a line of 100 MB", async () => {
  const cmd = "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end";
  const lengths: number[] = [];
  for await (const line of pipeline(cmd).lines()) lengths.push(line.length);
  assertEquals(lengths, [100_000_000, 3]);
});

test("Pipeline.linesSync() reads on demand and ends early", () =>
  temporary(async (folder) => {
    const path = `${folder}/written`;
    const cmd = `yes | head -c 2000000; echo > ${path}`;
    const lines = pipeline(cmd).linesSync();
    assertEquals(lines.next().value, "y");
    await new Promise((resolve) => setTimeout(resolve, 150));
    assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
    assertEquals([...lines].length, 999_999);
    assert(Deno.statSync(path).isFile);
    const seen: string[] = [];
    for (const line of pipeline(["yes"], ["cat", "-n"]).linesSync()) {
      seen.push(line.trim());
      if (seen.length === 3) break;
    }
    assertEquals(seen, ["1\ty", "2\ty", "3\ty"]);
    const failing = pipeline("echo a; printf é; exit 3").linesSync();
    assertEquals([failing.next().value, failing.next().value], ["a", "é"]);
    assertThrows(() => failing.next(), CommandError);
    const missing = pipeline(["no-such-program"]).linesSync();
    assertThrows(() => missing.next(), Deno.errors.NotFound);
    // Long enough for a busy machine to get to the echo.
    const slow = pipeline("echo a; exec sleep 60").with({ timeout: 1500 })
      .linesSync();
    assertEquals(slow.next().value, "a");
    assertThrows(() => slow.next(), DOMException, "1500 ms");
    const source = pipeline(["cat"]).from(ReadableStream.from(["a"]));
    assertThrows(() => source.linesSync(), TypeError, "event loop");
  }));

test("Pipeline.json() parses the output", async () => {
  assertEquals(await pipeline(["echo", '{"a":[1]}']).json(), { a: [1] });
  await assertRejects(() => pipeline(["echo", "no"]).json(), SyntaxError);
});

test("Pipeline.to() leaves nothing to be had as text", async () => {
  await assertRejects(() => pipeline(["true"]).to("null").text(), TypeError);
  assertThrows(() => pipeline(["true"]).to("null").lines(), TypeError);
});

test("Pipeline.with() tees what is captured", async () => {
  const chunks: Uint8Array[] = [];
  const tee = new WritableStream<Uint8Array>({
    write: (chunk) => void chunks.push(chunk),
    close: () => {
      throw new Error("closed");
    },
  });
  const text = await pipeline("echo spam").with({ tee }).text();
  assertEquals(text, "spam\n");
  assertEquals(new TextDecoder().decode(chunks[0]), "spam\n");
  assert(!tee.locked);
});

everyWay("Pipeline.with() reports progress", () =>
  temporary(async (folder) => {
    const path = `${folder}/in`;
    await Deno.writeFile(path, BYTES);
    const seen: Progress[] = [];
    const options = {
      onProgress: (progress: Progress) => void seen.push(progress),
    };
    const cat = pipeline(["cat"], "cat; sleep 0.25").with(options);
    await cat.from({ path }).to({ path: `${folder}/out` }).status();
    assert(seen.length >= 2);
    const end = { bytes: BYTES.length, total: BYTES.length, done: true };
    assertEquals(seen.at(-1), end);
    await cat.from(BYTES).status();
    assertEquals(seen.at(-1), end);
  }));

test("pipeline() with a locked stream ends what it started", async () => {
  const locked = new ReadableStream();
  locked.getReader();
  await assertRejects(() => pipeline(["cat"]).from(locked).run(), TypeError);
});

test("pipeline() without a command throws", () => {
  assertThrows(() => pipeline(), TypeError);
});

everyWay("pipeline() with no source file says so", async () => {
  const missing = pipeline(["cat"], ["cat"]).from({ path: "/tmp/no/such" });
  await assertRejects(
    () => missing.run(),
    Deno.errors.NotFound,
    "/tmp/no/such",
  );
  const folder = pipeline(["cat"]).from({ path: "/tmp" });
  await assertRejects(() => folder.run(), Deno.errors.IsADirectory);
});

test("Pipeline.runSync() blocks for the same", () => {
  const sort = pipeline(["sort"], ["uniq"]);
  assertEquals(sort.from("b\na\nb\n").textSync(), "a\nb\n");
  assertEquals([...sort.from(["b\n", "a"]).linesSync()], ["a", "b"]);
  assertEquals(pipeline(["cat"], ["cat"]).from(BYTES).bytesSync(), BYTES);
  assertEquals(pipeline(["echo", "[1]"], ["cat"]).jsonSync(), [1]);
  const error = assertThrows(
    () => pipeline("echo oops >&2; exit 3", ["cat"]).statusSync(),
    CommandError,
  );
  assertEquals([error.stage, error.status, error.stderr], [0, 3, "oops"]);
  assertThrows(
    () => pipeline(["nonexistent-program"], ["cat"]).runSync(),
    Deno.errors.NotFound,
    '"nonexistent-program"',
  );
  const slow = pipeline(["sleep", "60"]).with({ timeout: 50 });
  assertEquals(
    assertThrows(() => slow.runSync(), DOMException).name,
    "TimeoutError",
  );
});
