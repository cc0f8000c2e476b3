import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { unixTest as test } from "../platform.ts";
import {
  CommandError,
  type CommandResult,
  pipeline,
} from "../../process/mod.ts";
import { kernelPipes } from "../../process/_command/descriptors.ts";
import { testWays } from "./ways.ts";

const LIMIT = 120_000;

const everyWay = testWays({ limit: LIMIT });

everyWay("Pipeline.tee() sends the output to every pipeline", async () => {
  const path = await Deno.makeTempFile({ dir: "/tmp" });
  const zeros = pipeline(["head", "-c", "5000000", "/dev/zero"], ["cat"]);
  const result = await zeros.tee(
    pipeline(["wc", "-c"]),
    pipeline(["cat"], ["cat"]).to({ path }),
    pipeline(["cat"]),
  ).run();
  const { branches, stages, stdout, ok } = result;
  assertEquals([stages.length, stdout, ok], [2, "", true]);
  assertEquals(branches[0].stdout.trim(), "5000000");
  assertEquals((await Deno.stat(path)).size, 5_000_000);
  assertEquals(branches[2].bytes.length, 5_000_000);
  await Deno.remove(path);
});

everyWay(
  "Pipeline.tee() takes an input, options and further tees",
  async () => {
    const sorted = pipeline(["cat"]).from("b\na\nb\n").with({ timeout: LIMIT })
      .tee(
        pipeline(["sort"]).tee(pipeline(["uniq"]), pipeline(["wc", "-l"])),
        pipeline(["head", "-n", "1"]),
      );
    const { branches } = await sorted.run();
    assertEquals(branches[0].branches[0].stdout, "a\nb\n");
    assertEquals(branches[0].branches[1].stdout.trim(), "3");
    assertEquals(branches[1].stdout, "b\n");
    assertEquals(await sorted.status(), 0);
  },
);

everyWay("Pipeline.tee() leaves out who reads no more", async () => {
  const { branches, stages, status } = await pipeline(["yes"]).tee(
    pipeline(["head", "-n", "1"]),
    pipeline(["head", "-n", "100000"], ["wc", "-l"]),
    pipeline(["true"]),
  ).run();
  assertEquals(branches[0].stdout, "y\n");
  assertEquals(branches[1].stdout.trim(), "100000");
  assertEquals([status, stages[0].status], [0, -13]);
});

everyWay(
  "Pipeline.tee() keeps the statuses and errors of all parts",
  async () => {
    const failing = pipeline("echo spam; echo why >&2").tee(
      pipeline("cat; echo no >&2; exit 4"),
      pipeline(["cat"]),
      pipeline("cat >/dev/null; exit 5"),
    );
    const error = await assertRejects(() => failing.run(), CommandError);
    assertEquals([error.status, error.stderr], [4, "no"]);
    const { branches, stderr } = error.result;
    assertEquals(branches.map(({ status }) => status), [4, 0, 5]);
    assertEquals(branches.map(({ stdout }) => stdout), [
      "spam\n",
      "spam\n",
      "",
    ]);
    assertEquals(stderr, "why\n");
    assertInstanceOf(error.cause, AggregateError);
    assertEquals(error.cause.errors.map(({ status }) => status), [4, 5]);

    const unchecked = await pipeline("echo spam; exit 3").with({ check: false })
      .tee(pipeline("cat; exit 4").with({ check: false }), pipeline(["cat"]))
      .run();
    assertEquals([unchecked.status, unchecked.ok], [3, false]);
    assertEquals(unchecked.branches.map(({ status }) => status), [4, 0]);

    const first = await assertRejects(
      () => pipeline("exit 3").tee(pipeline("cat; exit 4")).run(),
      CommandError,
    );
    assertEquals(first.status, 3);
    assertEquals(first.result.branches[0].status, 4);
  },
);

everyWay("Pipeline.tee() ends all parts by timeout", async () => {
  const late = pipeline("echo spam; exec sleep 60").with({ timeout: 300 })
    .tee(pipeline(["cat"]), pipeline("cat; exec sleep 60"));
  const error = await assertRejects(() => late.run(), DOMException);
  assertEquals(error.name, "TimeoutError");
});

everyWay("Pipeline.tee() gives no part an end that is none", async () => {
  // A child that reads the end of its input would take it for complete.
  const path = await Deno.makeTempFile({ dir: "/tmp" });
  const keeps = `trap '' TERM; cat >/dev/null; echo complete >${path}`;
  const late = pipeline("echo spam; exec sleep 60")
    .with({ timeout: 300, killGrace: 100 })
    .tee(pipeline(keeps).with({ killGrace: 500 }));
  await assertRejects(() => late.run(), DOMException);
  assertEquals(await Deno.readTextFile(path), "");
  await Deno.remove(path);
});

everyWay("Pipeline.tee() tells of a program that is not there", async () => {
  for (const bad of [["no-such-program"], ["cat"]]) {
    const rest = bad[0] === "cat" ? [["no-such-program"]] : [];
    const failing = pipeline(["yes"]).tee(
      pipeline(["cat"]).to("null"),
      pipeline(bad, ...rest),
    );
    await assertRejects(() => failing.run(), Deno.errors.NotFound);
  }
  const first = pipeline(["no-such-program"]).tee(pipeline(["cat"]));
  await assertRejects(() => first.run(), Deno.errors.NotFound);
});

everyWay("Pipeline.tee() runs as a handle too", async () => {
  await using running = pipeline(["cat"])
    .tee(pipeline(["sort"]), pipeline(["wc", "-l"])).start();
  await running.stdin.write("b\na\n");
  await running.stdin.close();
  const { branches } = await running.result();
  assertEquals(branches[0].stdout, "a\nb\n");
  assertEquals(branches[1].stdout.trim(), "2");
  assertThrows(() => running.stdout, TypeError, "tee()");

  const cat = pipeline(["cat"]).to("null").with({ check: false });
  await using killed = pipeline(["yes"]).tee(cat, cat)
    .with({ check: false }).start();
  killed.kill();
  assertEquals(await killed.status(), -15);
});

everyWay("Pipeline.tee() waits for who does not read yet", async () => {
  const { branches } = await pipeline(["head", "-c", "1000000", "/dev/zero"])
    .tee(
      pipeline("sleep 0.3; wc -c"),
      pipeline(["wc", "-c"]),
      pipeline(["true"]),
    )
    .run();
  assertEquals(
    branches.map(({ stdout }) => stdout.trim()),
    ["1000000", "1000000", ""],
  );
});

everyWay("Pipeline.tee() with a branch that never reads", async () => {
  const path = await Deno.makeTempFile({ dir: "/tmp" });
  const other = pipeline(`cat >/dev/null; echo complete >${path}`);
  const stuck = pipeline(["yes"]).with({ timeout: 500 })
    .tee(pipeline(["sleep", "60"]), other);
  const error = await assertRejects(() => stuck.run(), DOMException);
  assertEquals(error.name, "TimeoutError");
  assertEquals(await Deno.readTextFile(path), "");

  // It is enough that it ends: the others get everything.
  const late = pipeline(["head", "-c", "1000000", "/dev/zero"])
    .tee(pipeline(["sleep", "0.3"]), pipeline(["wc", "-c"]));
  const { branches } = await late.run();
  assertEquals(branches[1].stdout.trim(), "1000000");
  await Deno.remove(path);
});

everyWay("Pipeline.tee() ends when all branches have", async () => {
  // Without a byte to write, the first stage waits for its input.
  await using running = pipeline(["cat"])
    .tee(pipeline(["true"]), pipeline("exec head -n 1")).start();
  await running.stdin.write("spam\n");
  let written = 0;
  await assertRejects(async () => {
    for (; written < 100_000; written++) await running.stdin.write("more\n");
  }, Deno.errors.BrokenPipe);
  const { branches, stages } = await running.result();
  assertEquals([branches[1].stdout, stages[0].status], ["spam\n", -13]);
});

everyWay("Pipeline.tee() takes many bytes and little memory", async () => {
  const size = 2 ** 30;
  // What passes through this program is freed when V8 comes to it, which may be
  // after 300 MB.
  const limit = kernelPipes.wrapped && kernelPipes.enabled ? 2 ** 26 : 2 ** 29;
  const before = Deno.memoryUsage().rss;
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, Deno.memoryUsage().rss - before);
  }, 20);
  const { branches } = await pipeline(["head", "-c", `${size}`, "/dev/zero"])
    .tee(pipeline(["wc", "-c"]), pipeline(["cat"], ["wc", "-c"])).run();
  clearInterval(timer);
  for (const { stdout } of branches) assertEquals(Number(stdout), size);
  assert(most < limit, `${most}`);
});

test({
  name: "Pipeline.tee() leaves the bytes to the kernel where it can",
  ignore: !kernelPipes.wrapped,
  async fn() {
    const names = async () =>
      (await pipeline(["ps", "-o", "comm=", "--ppid", `${Deno.pid}`]).text())
        .split("\n");
    const cat = pipeline(["cat"]).to("null").with({ check: false });
    const running = pipeline(["yes"]).tee(cat, cat)
      .with({ check: false }).start();
    assertEquals(running.pids.length, 1);
    while (!(await names()).includes("tee"));
    running.kill();
    const { branches, status } = await running.result();
    assertEquals([status, branches.length], [-15, 2]);
    const left = await names();
    assert(!left.some((name) => /tee|cat|yes/.test(name)), left.join());
  },
});

test({
  name: "Pipeline.tee() does without tee where there is none",
  ignore: !kernelPipes.wrapped,
  async fn() {
    const { stdout, stderr } = await new Deno.Command("deno", {
      args: [
        "eval",
        "--no-check",
        `
        import { pipeline } from "${new URL(
          "../../process/mod.ts",
          import.meta.url,
        )}";
        Deno.env.set("PATH", "/no/such/folder");
        const cat = pipeline(["/bin/cat"]);
        const { branches } = await pipeline(["/bin/echo", "spam"])
          .tee(cat, cat).run();
        console.log(branches.map(({ stdout }) => stdout.trim()).join());
      `,
      ],
    }).output();
    const decoder = new TextDecoder();
    assertEquals(decoder.decode(stdout), "spam,spam\n", decoder.decode(stderr));
  },
});

test({
  name: "Pipeline.tee() fails if what is between the pipelines is killed",
  ignore: !kernelPipes.wrapped,
  async fn() {
    const path = await Deno.makeTempFile({ dir: "/tmp" });
    const { stdout, stderr } = await new Deno.Command("deno", {
      args: [
        "eval",
        "--no-check",
        `
        import { pipeline, run } from "${new URL(
          "../../process/mod.ts",
          import.meta.url,
        )}";
        const other = pipeline("cat >/dev/null; echo complete >${path}");
        const running = pipeline(["yes"]).tee(other, pipeline(["cat"]).to("null")).start();
        running.result().catch(({ message }) => console.log(message));
        const find = ["ps", "-o", "pid=,comm=", "--ppid", String(Deno.pid)];
        while (true) {
          const { stdout } = await run(find);
          const [, pid] = /(\\d+) tee/.exec(stdout) ?? [];
          if (pid === undefined) continue;
          Deno.kill(Number(pid), "SIGKILL");
          break;
        }
      `,
      ],
    }).output();
    const decoder = new TextDecoder();
    const text = decoder.decode(stdout);
    assert(/the tee between them failed, received signal 9/.test(text), text);
    assertEquals(decoder.decode(stderr), "");
    // It has not taken the end for complete.
    assertEquals(await Deno.readTextFile(path), "");
    await Deno.remove(path);
  },
});

test("Pipeline.tee() says which branch ran out of time", async () => {
  const slow = pipeline(["sleep", "60"]).with({ timeout: 100 });
  const both = pipeline("yes | head -n 3; sleep 1")
    .tee(slow, pipeline(["cat"]));
  const error = await both.run().then(() => undefined, (error) => error);
  assertEquals(error.name, "TimeoutError");
  const { branches, stages, timedOut } = error.result as CommandResult;
  assertEquals(branches.map(({ timedOut }) => timedOut), [true, false]);
  assertEquals([stages.length, timedOut], [1, false]);
  assertEquals(branches[1].stdout, "y\ny\ny\n");
  const ended = pipeline(["sleep", "60"]).tee(slow).with({ timeout: 3000 });
  const whole = await ended.run().then(() => undefined, (error) => error);
  assertEquals(
    whole.result.branches.map(({ timedOut }: CommandResult) => timedOut),
    [true],
  );
});

test("Pipeline.tee() in the blocking form", () => {
  const sorted = pipeline(["cat"]).from(["b\n", "a\n"]).tee(
    pipeline(["sort"]).tee(pipeline(["cat"])),
    pipeline({ cmd: ["wc", "-l"], cwd: new URL("file:///tmp") }),
  );
  const { branches } = sorted.runSync();
  assertEquals(branches[0].branches[0].stdout, "a\nb\n");
  assertEquals(branches[1].stdout.trim(), "2");
  const error = assertThrows(
    () => pipeline("echo spam").tee(pipeline("cat; exit 4")).runSync(),
    CommandError,
  );
  assertEquals(error.result.branches[0].stdout, "spam\n");
});

test("Pipeline.tee() refuses what is no pipeline without an input", () => {
  const one = pipeline(["cat"]);
  assertThrows(() => one.tee(), TypeError, "none");
  assertThrows(() => one.tee(["cat"] as never), TypeError, "received");
  assertThrows(() => one.tee(one.from("spam")), TypeError, "from()");
  assertThrows(() => one.tee(one).readable(), TypeError, "tee()");
  // The last one counts.
  assert(one.tee(one).to("null") instanceof Object);
});
