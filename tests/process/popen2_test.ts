import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { unixTest as test } from "../platform.ts";
import {
  type Child,
  type ChildSync,
  type CommandResult,
  popen2,
  popen2Sync,
  popen3,
  popen3Sync,
  popen4,
  popen4Sync,
  run,
  type TextReader,
  type TextReaderSync,
  type TextWriter,
  type TextWriterSync,
} from "../../process/mod.ts";
import { kernelPipes } from "../../process/_command/descriptors.ts";

test("popen2() writes and reads", async () => {
  const { stdin, stdout, process } = popen2(["sort"]);
  await stdin.write("foo\n");
  await stdin.write("bar\n");
  await stdin.close();
  await stdin.close();
  assertEquals(await stdout.readline(), "bar\n");
  assertEquals(await stdout.readline(), "foo\n");
  assertEquals(await stdout.readline(), "");
  assertEquals(await process.wait(), 0);
  assertEquals(process.poll(), 0);
});

test("popen2() answers line by line", async () => {
  const { stdin, stdout, process } = popen2(["cat"]);
  for (let i = 0; i < 100; i++) {
    await stdin.write(`é${i}\n`);
    assertEquals(await stdout.readline(), `é${i}\n`);
  }
  assertEquals(process.poll(), undefined);
  await stdin.close();
  assertEquals(await process.wait(), 0);
});

test("popen2() throws what cannot be started", () => {
  assertThrows(() => popen2(["no-such-program"]), Deno.errors.NotFound);
  assertThrows(() => popen2Sync(["no-such-program"]), Deno.errors.NotFound);
});

test("popen3() has standard error apart", async () => {
  const { stdout, stderr, process } = popen3("echo a; echo b >&2; exit 2");
  assertEquals(await stdout.readlines(), ["a\n"]);
  assertEquals(await stderr.readlines(), ["b\n"]);
  assertEquals(await process.wait(), 2);
});

test("popen4() has both in one", async () => {
  const { stdout } = popen4("echo a; echo b >&2; echo c");
  assertEquals(await stdout.read(), "a\nb\nc\n");
  const array = ["sh", "-c", "echo a; echo b >&2; sleep 0.05; cat"];
  for (const way of ["shells", "descriptors", "streams"]) {
    const before = { ...kernelPipes };
    kernelPipes.enabled = way !== "streams";
    kernelPipes.wrapped = way === "shells" && before.wrapped;
    try {
      const child = popen4(array);
      await child.stdin.write("c\n");
      await child.stdin.close();
      assertEquals((await child.stdout.readlines()).sort(), [
        "a\n",
        "b\n",
        "c\n",
      ]);
      assertEquals(await child.process.wait(), 0);
      const { stdout, process } = popen4(["yes"]);
      assertEquals(await stdout.readline(), "y\n");
      await stdout.close();
      assertEquals(await process.wait(), -13);
      assertThrows(() => popen4(["no-such-program"]), Deno.errors.NotFound);
    } finally {
      Object.assign(kernelPipes, before);
    }
  }
});

test("TextReader.read() counts characters", async () => {
  const { stdout } = popen2("printf 'aé😀b\\nc'");
  assertEquals(await stdout.read(0), "");
  assertEquals(await stdout.read(2), "aé");
  assertEquals(await stdout.read(1), "😀");
  assertEquals(await stdout.readline(), "b\n");
  assertEquals(await stdout.read(), "c");
  assertEquals(await stdout.read(), "");
  await assertRejects(() => stdout.read(-1), RangeError);
});

test("TextReader.readline() called twice at once", async () => {
  const { stdout } = popen2("printf 'a\\n'; sleep 0.05; printf 'b\\nc\\n'");
  const lines = [stdout.readline(), stdout.readline(), stdout.readline()];
  assertEquals(await Promise.all(lines), ["a\n", "b\n", "c\n"]);
});

test("TextReader.readline() reads a line of 100 MB", async () => {
  const cmd = "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end";
  const { stdout } = popen2(cmd);
  assertEquals((await stdout.readline()).length, 100_000_001);
  assertEquals(await stdout.readline(), "end\n");
  using child = popen2Sync(cmd);
  assertEquals(child.stdout.readline().length, 100_000_001);
  assertEquals(child.stdout.readline(), "end\n");
});

test("TextReader can be iterated", async () => {
  const { stdout } = popen2("printf 'a\\n\\nb'");
  assertEquals(await Array.fromAsync(stdout), ["a\n", "\n", "b"]);
});

test("TextWriter.write() to a child that is gone", async () => {
  const { stdin, process } = popen2(["true"]);
  await process.wait();
  await assertRejects(
    () => stdin.write("x".repeat(1_000_000)),
    Deno.errors.BrokenPipe,
  );
});

test("Child.wait() gives up, the process does not", async () => {
  const { process } = popen2(["sleep", "60"]);
  const error = await assertRejects(
    () => process.wait({ timeout: 20 }),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  const reason = new Error("enough");
  await assertRejects(() =>
    process.wait({ signal: AbortSignal.abort(reason) })
  );
  assertEquals(process.poll(), undefined);
  process.kill("SIGKILL");
  assertEquals(await process.wait(), -9);
  process.kill();
});

test("popen2(), popen3(), popen4() close their streams with await using", async () => {
  for (const start of [popen2, popen3, popen4]) {
    let reading;
    let writing;
    {
      await using child = start(["cat"]);
      reading = child.process;
    }
    assertEquals(await reading.wait(), 0);
    {
      await using child = start(["yes"]);
      writing = child.process;
      assertEquals(await child.stdout.readline(), "y\n");
    }
    assertEquals(await writing.wait(), -13);
  }
});

test("popen2() is closed while both pipes are full", async () => {
  let process;
  {
    await using child = popen2(["cat"]);
    process = child.process;
    child.stdin.write("x".repeat(10_000_000));
  }
  assertEquals(await process.wait(), -13);
});

test("popen3() closes standard error with await using", async () => {
  let process;
  {
    await using child = popen3("exec yes >&2");
    process = child.process;
    assertEquals(await child.stderr.readline(), "y\n");
  }
  assertEquals(await process.wait(), -13);
});

test("popen2Sync() closes its streams with using", () => {
  let reading;
  {
    using child = popen2Sync(["cat"]);
    reading = child.process;
  }
  assertEquals(reading.waitSync(), 0);
  let writing;
  {
    using child = popen2Sync(["yes"]);
    writing = child.process;
  }
  assertEquals(writing.waitSync(), -13);
});

test("popen2() is closed twice without harm", async () => {
  await using child = popen2(["cat"]);
  await child.stdin.close();
  await child.stdout.close();
  assertEquals(await child.process.wait(), 0);
  await child[Symbol.asyncDispose]();
});

test("Child.kill() takes numbers too", async () => {
  const { process } = popen2(["sleep", "60"]);
  process.kill(9);
  assertEquals(await process.wait(), -9);
  using child = popen2Sync(["sleep", "60"]);
  child.process.kill(9);
  assertEquals(child.process.waitSync(), -9);
});

test("popen2Sync() writes and reads, blocking", () => {
  const { stdin, stdout, process } = popen2Sync(["sort"]);
  stdin.write("foo\n");
  stdin.write(new TextEncoder().encode("bar\n"));
  stdin.flush();
  stdin.close();
  stdin.close();
  assertEquals(stdout.readline(), "bar\n");
  assertEquals([...stdout], ["foo\n"]);
  stdout.close();
  assertEquals(process.waitSync(), 0);
  assertEquals(process.poll(), 0);
});

test("popen2Sync() answers line by line", () => {
  using child = popen2Sync(["cat"]);
  for (let i = 0; i < 100; i++) {
    child.stdin.write(`€${i}\n`);
    assertEquals(child.stdout.readline(), `€${i}\n`);
  }
  assertEquals(child.process.poll(), undefined);
  const error = assertThrows(
    () => child.process.waitSync({ timeout: 20 }),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  child.process.kill("SIGKILL");
  assertEquals(child.process.waitSync(), -9);
});

test("popen3Sync(), popen4Sync() read standard error", () => {
  using apart = popen3Sync("echo a; echo b >&2; exit 2");
  assertEquals(apart.stdout.read(), "a\n");
  assertEquals(apart.stderr.readlines(), ["b\n"]);
  assertEquals(apart.process.waitSync(), 2);
  using one = popen4Sync(["sh", "-c", "echo a; echo b >&2"]);
  assertEquals(one.stdout.readlines(), ["a\n", "b\n"]);
});

/** Calls with a child, in both forms; `await` does no harm to the blocking one. */
const FORMS = {
  popen2: (cmd: string[]) => popen2(cmd),
  popen3: (cmd: string[]) => popen3(cmd),
  popen4: (cmd: string[]) => popen4(cmd),
  popen2Sync: (cmd: string[]) => popen2Sync(cmd),
  popen3Sync: (cmd: string[]) => popen3Sync(cmd),
  popen4Sync: (cmd: string[]) => popen4Sync(cmd),
};

/** Waits for the end of a child. */
async function endOf(
  { process }: ReturnType<typeof popen2 | typeof popen2Sync>,
): Promise<number> {
  return "wait" in process ? await process.wait() : process.waitSync();
}

/** Closes a child as the end of a block would. */
async function dispose(
  child: ReturnType<typeof popen2 | typeof popen2Sync>,
): Promise<void> {
  if (Symbol.asyncDispose in child) await child[Symbol.asyncDispose]();
  else child[Symbol.dispose]();
}

for (const [name, start] of Object.entries(FORMS)) {
  test(`${name}() closes quietly what is broken already`, async () => {
    for (const closed of [false, true]) {
      const child = start(["true"]);
      await endOf(child);
      await assertRejects(
        async () => await child.stdin.write("spam"),
        Deno.errors.BrokenPipe,
      );
      if (closed) {
        await child.stdin.close();
        await child.stdout.close();
      }
      await dispose(child);
      await child.stdin.close();
      await child.stdout.close();
    }
  });

  test(`${name}() kills a process that is just ending`, async () => {
    for (let i = 0; i < 60; i++) {
      const child = start(["true"]);
      if (i % 3 > 0) await new Promise((resolve) => setTimeout(resolve, i % 5));
      child.process.kill();
      const status = await endOf(child);
      assert(status === 0 || status === -15, `${status}`);
      child.process.kill();
      await dispose(child);
    }
  });

  test(`${name}() reads nothing after close()`, async () => {
    const child = start(["printf", "one\\ntwo\\nthree"]);
    assertEquals(await child.stdout.read(1), "o");
    await child.stdout.close();
    assertEquals(await child.stdout.read(), "");
    assertEquals(await child.stdout.read(3), "");
    assertEquals(await child.stdout.readline(), "");
    assertEquals(await child.stdout.readlines(), []);
    for await (const line of child.stdout) throw new Error(line);
    await dispose(child);
  });
}

test("TextReader.close() ends the reads that wait", async () => {
  await using child = popen2("printf spam; exec sleep 60");
  const reads = [child.stdout.read(), child.stdout.readline()];
  await new Promise((resolve) => setTimeout(resolve, 100));
  await child.stdout.close();
  assertEquals(await Promise.all(reads), ["", ""]);
  child.process.kill();
});

test("TextWriter.close() tells of a write that is under way", async () => {
  await using child = popen2(["sleep", "60"]);
  child.stdin.write("x".repeat(1_000_000));
  const closed = child.stdin.close();
  child.process.kill();
  await assertRejects(() => closed, Deno.errors.BrokenPipe);
  await assertRejects(() => child.stdin.flush(), Deno.errors.BrokenPipe);
});

test("popen4() that cannot start leaves no child", async () => {
  const children = async () =>
    (await run(["ps", "-o", "comm=", "--ppid", `${Deno.pid}`])).stdout;
  const before = await children();
  assertThrows(() => popen4(["no-such-program"]), Deno.errors.NotFound);
  for (let i = 0; i < 100 && await children() !== before; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertEquals(await children(), before);
});

// Checked by the compiler: what only skein makes cannot be made by others.
export type Made = [
  // @ts-expect-error The constructor is private.
  ConstructorParameters<typeof Child>,
  // @ts-expect-error The constructor is private.
  ConstructorParameters<typeof ChildSync>,
  // @ts-expect-error The constructor is private.
  ConstructorParameters<typeof CommandResult>,
  // @ts-expect-error The constructor is private.
  ConstructorParameters<typeof TextReader>,
  // @ts-expect-error The constructor is private.
  ConstructorParameters<typeof TextReaderSync>,
  // @ts-expect-error The constructor is private.
  ConstructorParameters<typeof TextWriter>,
  // @ts-expect-error The constructor is private.
  ConstructorParameters<typeof TextWriterSync>,
];
