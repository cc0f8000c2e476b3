import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { summarize } from "../../trace/mod.ts";
import { checkTrace, readTrace } from "../threading/trace_format.ts";
import { type Outcome, root, runDeno } from "../threading/run_program.ts";

const folder = Deno.makeTempDirSync({ prefix: "skein_command_" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** Runs the command in a folder of its own. */
function trace(...args: string[]): Promise<Outcome> {
  const command = new URL("trace/mod.ts", root).href;
  const config = new URL("deno.json", root).pathname;
  return runDeno(["run", "-A", "--config", config, command, ...args], {
    cwd: folder,
  });
}

const example = new URL("examples/deadlock.ts", root).pathname;

Deno.test("trace runs a program, writes trace.json, and sums it up", async () => {
  const { code, stdout, stderr } = await trace(example);
  assertEquals(code, 0, stderr);
  // What the program prints is not mixed with the summary.
  assertEquals(stdout.trimEnd().split("\n").at(-1), "meals: 3");
  checkTrace(readTrace(`${folder}/trace.json`));
  const number = String.raw`[\d.]+ m?s`;
  for (
    const line of [
      `^${folder}/trace\\.json: \\d+ events in ${number}$`,
      `^MainThread +${number} +\\d+ % +\\d+ % +\\d+ % +\\d+ %  \\|[#!.~ ]{48}\\|$`,
      `^Kant +${number} `,
      `^The longest waits:$`,
      `^RLock \\d: waited for ${number} in \\d+ waits?$`,
      `^    held by (Plato|Kant|Hegel) \\(`,
    ]
  ) assertMatch(stderr, new RegExp(line, "m"));
});

Deno.test("trace passes arguments and the exit status on, and writes where it is told", async () => {
  const program = `${folder}/program.ts`;
  await Deno.writeTextFile(
    program,
    `import "${new URL("threading/mod.ts", root)}";
    console.log(Deno.args.join());
    Deno.exit(7);`,
  );
  const output = `--output=${folder}/other.json`;
  const { code, stdout } = await trace(output, program, "one", "--two");
  assertEquals([code, stdout.trim()], [7, "one,--two"]);
  checkTrace(readTrace(`${folder}/other.json`));
});

Deno.test("trace says so if the program does not import skein", async () => {
  const program = `${folder}/none.ts`;
  await Deno.writeTextFile(program, `console.log("hello");`);
  const { code, stdout, stderr } = await trace(program);
  assertEquals([code, stdout], [0, "hello\n"]);
  assertMatch(stderr, /does not import/);
  const failing = `${folder}/failing.ts`;
  await Deno.writeTextFile(failing, `import "@no/package";`);
  const failed = await trace(failing);
  assertEquals(failed.code, 1);
  assertMatch(failed.stderr, /failed, perhaps before it could import/);
});

Deno.test("trace without a program says how it is used", async () => {
  for (const args of [[], ["--help"], ["--unknown", "program.ts"]]) {
    const { code, stderr } = await trace(...args);
    assertEquals(code, 2);
    assertMatch(stderr, /^Usage: /);
  }
});

const slice = (name: string, cat: string, ts: number, dur: number, args = {}) =>
  JSON.stringify({ ph: "X", cat, name, pid: 1, tid: 1, ts, dur, args });

Deno.test("summarize() adds up waits, holds, and what is left", async () => {
  const path = `${folder}/made.json`;
  const named = { ph: "M", name: "thread_name", pid: 1, tid: 1 };
  const lock = { cat: "lock", name: "Lock 1", pid: 1, tid: 2, id: "Lock 1" };
  await Deno.writeTextFile(
    path,
    [
      "[",
      JSON.stringify({ ...named, args: { name: "A" } }) + ",",
      JSON.stringify({ ...named, tid: 2, args: { name: "B" } }) + ",",
      JSON.stringify({ ...named, ph: "C", tid: 0, ts: 5, args: {} }) + ",",
      JSON.stringify({ ...lock, ph: "b", ts: 0, args: { by: "B" } }) + ",",
      slice("wait for Lock 1", "wait", 0, 480_000, { by: "B" }) + ",",
      JSON.stringify({ ...lock, ph: "e", ts: 480_000 }) + ",",
      slice("sleep", "wait", 480_000, 240_000) + ",",
      slice("A", "thread", 0, 960_000) + ",",
      // The program was killed while this line was written.
      `{"ph":"X","cat":"wa`,
    ].join("\n"),
  );
  const lines = (await summarize(path)).split("\n");
  assertEquals(
    lines[0],
    `${path}: 8 events in 960.0 ms; the program died before its end was written`,
  );
  assertEquals(lines.filter((line) => line.startsWith("thread ")), []);
  const bar = `${"!".repeat(24)}${".".repeat(12)}${"#".repeat(12)}`;
  assertEquals(
    lines.find((line) => line.startsWith("A ")),
    `A  960.0 ms     25 %   50 %     25 %       0 %  |${bar}|`,
  );
  const at = lines.indexOf("The most contended locks:");
  assertEquals(lines.slice(at + 1, at + 4), [
    "Lock 1: waited for 480.0 ms in 1 wait",
    "    held by B (480.0 ms)",
    "    waited for by A (480.0 ms)",
  ]);
  assertMatch(
    lines.join("\n"),
    /A +480.0 ms +at 0.00 ms +wait for Lock 1, ended by B/,
  );
});

Deno.test("summarize() of a file that is not there fails", async () => {
  await assertRejects(
    () => summarize(`${folder}/no.json`),
    Deno.errors.NotFound,
  );
});
