import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { unixTest as test } from "../platform.ts";
import {
  CommandError,
  pipeline,
  run,
  type RunOptions,
  runSync,
} from "../../process/mod.ts";
import { runDeno } from "../threading/run_program.ts";
import { testWays } from "./ways.ts";

const isRoot = runSync("id -u").stdout === "0\n";

const bothWays = testWays({ ways: ["shells", "descriptors"] });

const WHO = "id -u; id -g";

bothWays("run() runs as another user", async () => {
  const options = { uid: 65534, gid: 65533 };
  for (const cmd of [WHO, ["sh", "-c", WHO]]) {
    for (
      const more of [{}, { timeout: 60_000 }, { stderr: "merge" }] as const
    ) {
      const all = { ...options, ...more };
      const expected = "65534\n65533\n";
      assertEquals((await run(cmd, all)).stdout, expected);
      assertEquals(runSync(cmd, all).stdout, expected);
    }
  }
}, !isRoot);

bothWays(
  "pipeline() runs as another user, or as several",
  async () => {
    const common = pipeline(WHO, ["cat"], "cat; id -u").with({ uid: 65534 });
    assertEquals(await common.text(), "65534\n0\n65534\n");
    const each = pipeline(
      { cmd: WHO, uid: 65534, gid: 65534 },
      { cmd: ["cat"], uid: 65533 },
      "cat; id -u",
    );
    assertEquals(await each.text(), "65534\n65534\n0\n");
    assertEquals(each.textSync(), "65534\n65534\n0\n");
  },
  !isRoot,
);

test({
  name: "run() as another user that may not",
  ignore: !isRoot,
  async fn() {
    const folder = await Deno.makeTempDir({ dir: "/tmp" });
    const error = await assertRejects(
      () => run(["true"], { cwd: folder, uid: 65534 }),
      Deno.errors.PermissionDenied,
    );
    assertMatch(error.message, /not as that user or group, received "true"/);
    await Deno.remove(folder);
  },
});

bothWays("run() sets a umask for the program only", async () => {
  const before = runSync("umask").stdout;
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  const make = ["sh", "-c", 'umask; : > "$0"; ls -l "$0"', `${folder}/a`];
  const lines: RunOptions[] = [
    {},
    { timeout: 60_000 },
    { input: "spam" },
    { stderr: "merge" },
    { all: true },
  ];
  for (const more of lines) {
    for (const cmd of [make, `umask; : > ${folder}/a; ls -l ${folder}/a`]) {
      for (const form of [run, runSync]) {
        const result = await form(cmd, { ...more, umask: 0o077 } as never);
        const text = result.all ?? result.stdout;
        assertMatch(text, /^0077\n-rw------- /, JSON.stringify(more));
        await Deno.remove(`${folder}/a`);
      }
    }
  }
  const stages = pipeline({ cmd: ["sh", "-c", "umask"], umask: 0 }, {
    cmd: "cat; umask",
    umask: 0o777,
  });
  assertEquals(await stages.text(), "0000\n0777\n");
  assertEquals(runSync("umask").stdout, before);
  await Deno.remove(folder, { recursive: true });
});

test("run() with a umask says what is missing", async () => {
  const umask = 0o022;
  const code = `
    import { run, runSync } from "./process/mod.ts";
    const umask = 0o022;
    for (const file of ["skein-has-no-such-program", "/tmp/skein/none"]) {
      for (const options of [{ umask }, { umask, stdin: "inherit" }]) {
        for (const form of [run, runSync]) {
          await Promise.resolve().then(() => form([file], options))
            .catch((error) => console.log(error.name, error.message));
        }
      }
    }
  `;
  const args = ["eval", "--no-check", "--ext=ts", code];
  const lines = (await runDeno(args)).stdout.trimEnd().split("\n");
  assertEquals(lines.length, 8);
  for (const line of lines) assertMatch(line, /^NotFound .* no such program/);
  const failing = () => runSync("exit 3", { umask });
  assertEquals(assertThrows(failing, CommandError).status, 3);
  // What this program may not run, a shell does not run for it.
  for (const form of [run, runSync]) {
    const calling = async () => await form(["/bin/ls"], { umask });
    await assertRejects(calling, Deno.errors.NotCapable);
  }
});

test("verbose says what runs and how it ended, without the environment", async () => {
  const code = `
    import { $, pipeline, run, runSync } from "./process/mod.ts";
    const options = { verbose: true, env: { SECRET: "hidden" } };
    await run("echo $SECRET >/dev/null; true", options);
    runSync(["echo", "a b"], { ...options, timeout: 60_000 });
    const failing = { ...options, check: false };
    await pipeline(["true"], { cmd: "exit 3", cwd: "/tmp" }).with(failing).run();
    pipeline(["true"], ["false"]).with(failing).runSync();
    await $.with(options)\`kill -9 $$\`.with({ check: false });
    await run(["true"]);
  `;
  const { stderr, stdout } = await runDeno([
    "eval",
    "--no-check",
    "--ext=ts",
    code,
  ]);
  assertEquals(stdout, "");
  assert(!stderr.includes("hidden"));
  const lines = stderr.trimEnd().split("\n")
    .map((line) => line.replace(/\b\d+ ms/, "N ms"));
  assertEquals(lines, [
    "$ echo $SECRET >/dev/null; true",
    "# N ms, exit status 0: echo $SECRET >/dev/null; true",
    "$ echo 'a b'",
    "# N ms, exit status 0: echo 'a b'",
    "$ true | (cd /tmp && sh -c 'exit 3')",
    "# N ms, exit status 3: true | (cd /tmp && sh -c 'exit 3')",
    "$ true | false",
    "# N ms, exit status 1: true | false",
    "$ kill -9 $$",
    "# N ms, ended by SIGKILL: kill -9 $$",
  ]);
});
