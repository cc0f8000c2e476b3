import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  CommandError,
  type CommandResult,
  pipeline,
} from "../../process/mod.ts";
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

  await using killed = pipeline(["yes"])
    .tee(pipeline(["cat"]).to("null"), pipeline(["cat"]).to("null"))
    .with({ check: false }).start();
  killed.kill();
  assertEquals(await killed.status(), -15);
});

Deno.test("Pipeline.tee() says which branch ran out of time", async () => {
  const slow = pipeline(["sleep", "60"]).with({ timeout: 100 });
  const both = pipeline("yes | head -n 3; sleep 1")
    .tee(slow, pipeline(["cat"]));
  const error = await both.run().then(() => undefined, (error) => error);
  assertEquals(error.name, "TimeoutError");
  assert(error.result.timedOut);
  const ended = pipeline(["sleep", "60"]).tee(slow).with({ timeout: 3000 });
  const whole = await ended.run().then(() => undefined, (error) => error);
  assertEquals(
    whole.result.branches.map(({ timedOut }: CommandResult) => timedOut),
    [true],
  );
});

Deno.test("Pipeline.tee() in the blocking form", () => {
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

Deno.test("Pipeline.tee() refuses what is no pipeline without an input", () => {
  const one = pipeline(["cat"]);
  assertThrows(() => one.tee(), TypeError, "none");
  assertThrows(() => one.tee(["cat"] as never), TypeError, "received");
  assertThrows(() => one.tee(one.from("spam")), TypeError, "from()");
  assertThrows(() => one.tee(one).readable(), TypeError, "tee()");
  // The last one counts.
  assert(one.tee(one).to("null") instanceof Object);
});
