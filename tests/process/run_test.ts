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
  exec,
  execSync,
  P_NOWAIT,
  pipeline,
  popen2,
  popen2Sync,
  popen4,
  run,
  runSync,
  spawn,
  spawnSync,
  system,
  systemSync,
} from "../../process/mod.ts";

const MB = 1_000_000;

test("run() gives status, output and standard error", async () => {
  const result = await run("echo out; echo err >&2");
  assertEquals(result.status, 0);
  assertEquals(result.stdout, "out\n");
  assertEquals(result.stderr, "err\n");
  assertEquals(result.stages.length, 1);
});

test("run() never shows an array to a shell", async () => {
  const { stdout } = await run(["echo", "$HOME", "*", "a;b", "'", ""]);
  assertEquals(stdout, "$HOME * a;b ' \n");
});

test("run() throws what a failing command wrote", async () => {
  const error = await assertRejects(
    () => run(["sh", "-c", "echo oops >&2; exit 3"]),
    CommandError,
  );
  assertEquals(error.status, 3);
  assertEquals(error.signal, undefined);
  assertEquals(error.stderr, "oops");
  assertStringIncludes(error.message, "exit status 3");
  assertEquals((await run("exit 3", { check: false })).status, 3);
});

test("run() gives minus the signal's number", async () => {
  const { status } = await run("kill -TERM $$", { check: false });
  assertEquals(status, -15);
  const error = await assertRejects(() => run("kill -9 $$"), CommandError);
  assertEquals([error.status, error.signal], [-9, "SIGKILL"]);
});

test("run() names what it cannot run", async () => {
  for (const form of [run, asPromise]) {
    const missing = await assertRejects(
      () => form(["no-such-program"]),
      Deno.errors.NotFound,
    );
    assertStringIncludes(missing.message, '"no-such-program"');
    const cwd = await assertRejects(
      () => form(["true"], { cwd: "/no/such" }),
      Deno.errors.NotFound,
    );
    assertStringIncludes(cwd.message, "/no/such");
  }
});

/** What starts an array command, without an answer to read. */
const STARTS: Record<
  string,
  (cmd: string[], options: { cwd?: string | URL }) => unknown
> = {
  run,
  "run with a timeout": (cmd, options) =>
    run(cmd, { ...options, timeout: 60_000 }),
  runSync,
  "runSync with a timeout": (cmd, options) =>
    runSync(cmd, { ...options, timeout: 60_000 }),
  pipeline: (cmd, options) => pipeline({ cmd, ...options }, ["cat"]).run(),
  popen2,
  popen2Sync,
  popen4,
  exec,
  execSync,
  system,
  systemSync,
  spawn: (cmd, options) => spawn(P_NOWAIT, cmd, options),
  spawnSync: (cmd, options) => spawnSync(P_NOWAIT, cmd, options),
};

for (const [name, start] of Object.entries(STARTS)) {
  test(`${name}() says what is missing`, async () => {
    const folder = await Deno.makeTempDir({ dir: "/tmp" });
    const file = `${folder}/file`;
    await Deno.writeTextFile(file, "");
    const { NotFound, NotADirectory } = Deno.errors;
    const messageOf = async (
      cmd: string[],
      cwd: string | URL | undefined,
      type: new () => Error,
    ) =>
      (await assertRejects(async () => await start(cmd, { cwd }), type))
        .message;
    for (const cwd of [`${folder}/none`, new URL(`file://${folder}/none`)]) {
      for (const cmd of [["/bin/sh", "-c", ""], ["true"]]) {
        assertStringIncludes(
          await messageOf(cmd, cwd, NotFound),
          `no such working directory, received "${folder}/none"`,
        );
      }
    }
    assertStringIncludes(
      await messageOf(["true"], file, NotADirectory),
      "the working directory is a file",
    );
    for (const cwd of [undefined, "/", `${folder}/none`]) {
      assertStringIncludes(
        await messageOf(["no-such-program"], cwd, NotFound),
        'no such program, received "no-such-program"',
      );
    }
    await Deno.remove(folder, { recursive: true });
  });
}

test("run() and its relatives throw what a getter of an option throws", async () => {
  const error = new RangeError("of the user");
  const options = {
    get cwd(): string {
      throw error;
    },
  };
  for (const [name, start] of Object.entries(STARTS)) {
    const thrown = await assertRejects(
      async () => await start(["sleep", "60"], options),
    );
    assertEquals(thrown, error, name);
  }
});

test("run() reads every option once, at the call", async () => {
  const reads: string[] = [];
  const options = new Proxy({ env: { SKEIN_A: "1" }, timeout: 60_000 }, {
    get: (target, name) => {
      reads.push(String(name));
      return Reflect.get(target, name);
    },
  });
  const cmd = ["sh", "-c", "echo $SKEIN_A"];
  const running = run(cmd, options);
  options.env.SKEIN_A = "2";
  cmd[2] = "echo no";
  assertEquals((await running).stdout, "1\n");
  assertEquals(reads.filter((name) => name === "timeout").length, 1);
  const stage = { cmd: ["sh", "-c", "echo $SKEIN_A"], env: { SKEIN_A: "1" } };
  const pipe = pipeline(stage);
  stage.env.SKEIN_A = "2";
  stage.cmd[2] = "echo no";
  assertEquals(await pipe.text(), "1\n");
});

// deno-lint-ignore require-await
async function asPromise(...args: Parameters<typeof runSync>) {
  return runSync(...args);
}

test("run() refuses what is no command", async () => {
  for (const cmd of [[], [""], ["a\0b"], "a\0b", 3, [3]]) {
    await assertRejects(() => run(cmd as string), TypeError);
    assertThrows(() => runSync(cmd as string), TypeError);
  }
});

test("run() with 100 MB on one stream and little on the other", async () => {
  const flood = "head -c 100000000 /dev/zero";
  const err = await run(`echo a; ${flood} >&2; echo b`);
  assertEquals(err.stdout, "a\nb\n");
  assertEquals(err.stderr.length, 100 * MB);
  const out = await run(`echo a >&2; ${flood}; echo b >&2`);
  assertEquals(out.bytes.length, 100 * MB);
  assertEquals(out.stderr, "a\nb\n");
});

test("run() writes its input while it reads the output", async () => {
  const input = new Uint8Array(5 * MB).fill(65);
  const { bytes } = await run(["cat"], { input });
  assertEquals(bytes.length, input.length);
  assertEquals(runSync(["cat"], { input }).bytes.length, input.length);
});

test("run() passes an argument of 100 KB", async () => {
  const argument = "é'\n $".repeat(17_000);
  assertEquals((await run(["printf", "%s", argument])).stdout, argument);
});

test("run() ends what exceeds maxBuffer", async () => {
  for (const cmd of ["yes", "yes >&2"]) {
    const error = await assertRejects(
      () => run(cmd, { maxBuffer: 1000 }),
      CommandError,
    );
    const name = cmd === "yes" ? "stdout" : "stderr";
    assertStringIncludes(
      error.message,
      `${name} is larger than maxBuffer, 1000 bytes`,
    );
    const both = await assertRejects(
      () => run(cmd, { maxBuffer: 1000, all: true }),
      CommandError,
    );
    assertStringIncludes(both.message, "all is larger than maxBuffer, 1000");
    assertEquals(both.result.all?.length, 1000);
  }
  assertThrows(() => runSync(["yes"], { maxBuffer: 10 }), CommandError);
  assertEquals((await run("printf 123", { maxBuffer: 3 })).stdout, "123");
});

test("run() ends by its timeout", async () => {
  const start = performance.now();
  const error = await assertRejects(
    () => run(["sleep", "60"], { timeout: 50 }),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  assert(performance.now() - start < 5000);
  await assertRejects(() => run("true", { timeout: -1 }), RangeError);
  await assertRejects(
    () => run("true", { timeout: "1" as unknown as number }),
    TypeError,
  );
  assertEquals((await run("true", { timeout: 60_000 })).status, 0);
});

test("run() ends by its signal", async () => {
  const controller = new AbortController();
  const running = run(["sleep", "60"], { signal: controller.signal });
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason), 30);
  assertEquals(await assertRejects(() => running), reason);
  const { signal } = controller;
  assertEquals(await assertRejects(() => run("true", { signal })), reason);
});

test("run() kills who ignores the signal, after a grace", async () => {
  const start = performance.now();
  await assertRejects(
    () =>
      run("trap '' TERM; while :; do sleep 0.05; done", {
        timeout: 50,
        killGrace: 200,
      }),
    DOMException,
  );
  const took = performance.now() - start;
  assert(took >= 240 && took < 5000, `${took} ms`);
  const { stderr } = await assertRejects(
    () =>
      run("trap 'echo caught >&2; exit 7' INT; echo; sleep 1 & wait", {
        killSignal: "SIGINT",
        timeout: 100,
        stderr: "inherit",
      }),
    DOMException,
  ) as { stderr?: string };
  assertEquals(stderr, undefined);
  await assertRejects(
    () => run("true", { killSignal: "SIGNONE" as Deno.Signal, timeout: 1 }),
    RangeError,
  );
});

test("run() takes killSignal by its number too", async () => {
  const options = { check: false, killSignal: 2, maxBuffer: 0 } as const;
  const trap = "trap 'exit 7' INT; echo; while :; do sleep 0.05; done";
  const error = await assertRejects(() => run(trap, options), CommandError);
  assertEquals(error.status, 7);
  const sync = assertThrows(() => runSync(trap, options), CommandError);
  assertEquals(sync.status, 7);
});

test("run() does not wait for children of a killed child", async () => {
  const start = performance.now();
  const path = await Deno.makeTempFile({ dir: "/tmp" });
  // The sleep has the pipes still open.
  await assertRejects(
    () => run(`sleep 3 & echo $! > ${path}; wait`, { timeout: 100 }),
    DOMException,
  );
  assert(performance.now() - start < 2500);
  await Deno.remove(path);
});

test("runSync() gives the same in the blocking form", () => {
  assertEquals(runSync(["echo", "spam"]).stdout, "spam\n");
  assertEquals(runSync(["sort"], { input: "b\na\n" }).stdout, "a\nb\n");
  const input = new Set(["b\n", "a\n"]);
  assertEquals(runSync(["sort"], { input }).stdout, "a\nb\n");
  const error = assertThrows(
    () => runSync("echo oops >&2; exit 3"),
    CommandError,
  );
  assertEquals([error.status, error.stderr], [3, "oops"]);
  const slow = assertThrows(
    () => runSync("exec sleep 60", { timeout: 50 }),
    DOMException,
  );
  assertEquals(slow.name, "TimeoutError");
  assertEquals(runSync("kill -9 $$", { check: false }).status, -9);
});

test("run() and its relatives say that arguments are too long", async () => {
  const command = ["true", "x".repeat(1 << 22)];
  const says = "Cannot run a command: its arguments and environment";
  await assertRejects(() => run(command), RangeError, says);
  await assertRejects(() => run(command, { input: "" }), RangeError, says);
  await assertRejects(
    () => pipeline(["true"], command).run(),
    RangeError,
    says,
  );
  assertThrows(() => runSync(command), RangeError, says);
  assertThrows(() => runSync(command, { input: "" }), RangeError, says);
  assertThrows(() => popen2(command), RangeError, says);
  assertThrows(() => popen2Sync(command), RangeError, says);
});

test("run() ends cleanly if a child may not be signalled", async () => {
  // A setuid program may not; here Deno says so of every child.
  const { kill } = Deno.ChildProcess.prototype;
  Deno.ChildProcess.prototype.kill = () => {
    throw new Deno.errors.PermissionDenied("Operation not permitted");
  };
  try {
    let reports = 0;
    const error = await assertRejects(() =>
      run("echo a; sleep 0.3; exec yes", {
        timeout: 50,
        onProgress: () => void reports++,
      }), DOMException);
    assertEquals(error.name, "TimeoutError");
    const then = reports;
    await new Promise((resolve) => setTimeout(resolve, 300));
    assertEquals(reports, then);
  } finally {
    Deno.ChildProcess.prototype.kill = kill;
  }
});

test("run() and its relatives refuse a file that was closed", async () => {
  const file = await Deno.open(new URL(import.meta.url));
  file.close();
  const { BadResource } = Deno.errors;
  const says = "a file must be open";
  await assertRejects(() => run(["cat"], { input: file }), BadResource, says);
  await assertRejects(() => run(["cat"], { stdout: file }), BadResource, says);
  assertThrows(() => runSync(["cat"], { input: file }), BadResource, says);
  assertThrows(() => runSync(["cat"], { stdout: file }), BadResource, says);
  assertThrows(() => pipeline(["cat"]).from(file), BadResource, says);
  assertThrows(() => pipeline(["cat"]).to(file), BadResource, says);
});
