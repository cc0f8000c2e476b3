import { assert, assertEquals } from "@std/assert";
import { pooledMap } from "@std/async";
import { runDeno } from "../threading/run_program.ts";
import { read } from "./_guide.ts";

const ROOT = new URL("../../", import.meta.url);

/** A program for each row of the table in docs/security.md, by its first cell. */
const PROGRAMS: Record<string, string> = {
  "locks, shared data, queues": `
    new skein.Lock().acquireSync().release();
    await new skein.Lock().acquire();
    new skein.SharedMap().set("a", 1);
    new skein.Queue().putSync(1);
    skein.sleepSync(1);
  `,
  "threads, timers, pools": `
    const thread = new skein.Thread({ target: nothing });
    thread.start();
    await thread.join();
    await skein.toThread(nothing);
  `,
  "a heap of another size": `
    try {
      new skein.SharedArray(Uint8Array, 64 * 1024 * 1024);
      throw new Error("the usual size");
    } catch (error) {
      if (!(error instanceof skein.HeapExhaustedError)) throw error;
    }
  `,
  "`startTrace`": `
    using trace = skein.startTrace({ path: "trace.json" });
  `,
  "handlers, alarms, `raiseSignal`, `abortOn`, `onShutdown`": `
    skein.signal("SIGALRM", () => {});
    skein.alarm(10);
    skein.raiseSignal("SIGALRM");
    await skein.sleep(10_000);
    skein.alarm(0);
    using _ = skein.abortOn("SIGTERM");
    using __ = skein.onShutdown(() => {});
  `,
  "`kill` another process": `skein.kill(Deno.ppid, 0);`,
  '`run(["sort"])`': `
    await skein.run(["sort"], { input: "b\\na\\n", timeout: 10_000 });
    await skein.popen2(["sort"]).process.kill("SIGKILL");
  `,
  '`run("sort | uniq")`, `` $`…` ``': `
    await skein.run("sort </dev/null | uniq");
    await skein.$\`sort </dev/null\`;
    await skein.getOutput("sort </dev/null");
    skein.systemSync("sort </dev/null");
  `,
  "`pipeline` of arrays": `
    await skein.pipeline(["sort"], ["uniq"]).from("a").text();
  `,
  "the same, joined by the kernel": `
    await skein.pipeline(["sort"], ["uniq"]).from("a").text();
  `,
  "`.from({ path })`, `.to({ path })`": `
    await Deno.writeTextFile("out.txt", "a\\n");
    await skein.pipeline(["sort"]).from({ path: "in.txt" })
      .to({ path: "out.txt" }).run();
  `,
  "blocking forms with input, time limit or streams": `
    skein.runSync(["sort"], { input: "b\\na\\n", timeout: 10_000 });
    skein.pipeline(["sort"]).from("a").textSync();
  `,
  "`umask`": `
    await skein.run(["sort"], { umask: 0o077, input: "a" });
  `,
  "`which`": `
    if (await skein.which("sort") === undefined) throw new Error("no sort");
  `,
  "`Template` with files": `
    const template = new skein.Template();
    template.append("sort $IN >$OUT", "ff");
    template.append("sort $IN >$OUT", "ff");
    if (await template.copy("in.txt", "") !== 0) throw new Error("failed");
  `,
  "`Cluster.connect`": `
    const { Cluster } = await import("@skein/std/cluster");
    await Cluster.connect("127.0.0.1:1", { timeout: 500 }).catch((error) => {
      if (error instanceof Deno.errors.NotCapable) throw error;
    });
  `,
  "`explore`": `
    const { explore } = await import("@skein/std/testing");
    await explore({ setup: nothing, threads: [nothing] });
  `,
};

const HEAD = `
  import * as skein from "@skein/std";
  export const nothing = skein.sendable(import.meta, function nothing() {});
  if (import.meta.main) {
    try {`;
const TAIL = `
      console.log("ok");
    } catch (error) {
      console.log(error instanceof Error ? error.name : error);
      console.error(error);
    }
  }
`;

/** A row of the table. */
interface Row {
  name: string;
  /** The permissions that it says are needed. */
  flags: string[];
  /** What it says happens without them. */
  without: string;
}

function rows(): Row[] {
  const page = read("docs/security.md");
  const table = /^\| to use .*\n\|[- |]+\n((?:\|.*\n)+)/m.exec(page);
  assert(table !== null, "docs/security.md has no table of permissions");
  return table[1].trim().split("\n").map((line) => {
    const [name, takes, without] = line.slice(1, -1)
      .replaceAll("\\|", "\0").split("|")
      .map((cell) => cell.replaceAll("\0", "|").trim());
    return { name, flags: takes.match(/--allow-[^\s\`]+/g) ?? [], without };
  });
}

Deno.test("security: each part runs with exactly the permissions of the table", async () => {
  const table = rows();
  assertEquals(table.map(({ name }) => name), Object.keys(PROGRAMS));
  const wrong: string[] = [];
  const done = pooledMap(2, table, async ({ name, flags, without }) => {
    const outcome = await run(name, flags);
    if (outcome !== "ok") wrong.push(`${name}: ${outcome}`);
    // None of them is too much.
    for (const one of without === "an error" ? flags : []) {
      const outcome = await run(name, flags.filter((flag) => flag !== one));
      if (outcome !== "NotCapable") {
        wrong.push(`${name} without ${one}: ${outcome}`);
      }
    }
  });
  await Array.fromAsync(done);
  assertEquals(wrong.join("\n"), "");
});

/** What a program prints that has these permissions and no others. */
async function run(name: string, flags: string[]): Promise<string> {
  const cwd = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    await Deno.writeTextFile(`${cwd}/main.ts`, HEAD + PROGRAMS[name] + TAIL);
    await Deno.writeTextFile(`${cwd}/in.txt`, "b\na\n");
    const { stdout, stderr } = await runDeno([
      "run",
      "--no-prompt",
      `--config=${new URL("deno.json", ROOT).pathname}`,
      ...flags.map((flag) =>
        // A checkout's own modules are files, too.
        flag === "--allow-read=." ? `${flag},${ROOT.pathname}` : flag
      ),
      "main.ts",
    ], { cwd, env: { SKEIN_HEAP_MIB: "64" } });
    const line = stdout.trim().split("\n").at(-1)!;
    return line === "ok" || line === "NotCapable" ? line : stdout + stderr;
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}
