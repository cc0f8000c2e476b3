import { assert, assertEquals, assertMatch } from "@std/assert";
import { retry } from "@std/async/retry";
import { unixTest as test } from "../platform.ts";
import { runDeno } from "../threading/run_program.ts";

const NO_PROC = ["--allow-run", "--allow-read", "--allow-write"];

/** Runs code of a program; gives what it prints. */
async function print(code: string, rights = ["-A"]): Promise<string> {
  const path = await Deno.makeTempFile({ dir: "/tmp", suffix: ".ts" });
  const module = new URL("../../process/mod.ts", import.meta.url);
  const config = new URL("../../deno.json", import.meta.url).pathname;
  await Deno.writeTextFile(path, `import * as p from "${module}";\n${code}`);
  const args = ["run", "--no-check", "--config", config, ...rights, path];
  const { stdout, stderr } = await runDeno(args);
  await Deno.remove(path);
  assert(stdout !== "", stderr);
  return stdout.trimEnd();
}

/** Whether no process of these numbers lives; an orphan may be a zombie. */
async function areGone(pids: string): Promise<boolean> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "stat=", "-p", pids],
  }).output();
  const states = new TextDecoder().decode(stdout).trim();
  return states === "" || states.split("\n").every((s) => s.startsWith("Z"));
}

/** Starts processes that start others, none of which heeds SIGTERM. */
const DEAF = (path: string) =>
  `trap '' TERM; echo $$ >> ${path}; ` +
  `sh -c 'echo $$ >> ${path}; sleep 61 & echo $! >> ${path}; wait' & ` +
  `sleep 62 & echo $! >> ${path}; while :; do sleep 0.1; done`;

for (const rights of [["-A"], NO_PROC]) {
  for (const form of ["await p.run", "p.runSync"]) {
    test(`killTree: "attached" ends children of children (${form}, ${rights[0]})`, async () => {
      const path = await Deno.makeTempFile({ dir: "/tmp" });
      const name = await print(
        `
        const options = { killTree: "attached", killGrace: 500, timeout: 5000 };
        try {
          ${form}(${JSON.stringify(DEAF(path))}, options);
        } catch (error) {
          console.log(error.name, error.result.killedBy);
        }`,
        rights,
      );
      assertEquals(name, "TimeoutError SIGKILL");
      const pids = (await Deno.readTextFile(path)).trim().split("\n");
      assertEquals(pids.length, 4);
      // SIGKILL is on its way to those that are no children of the program.
      const start = Date.now();
      while (!await areGone(pids.join())) assert(Date.now() - start < 10_000);
      await Deno.remove(path);
    });
  }
}

test('killTree: "attached" ends all stages, those that heed it at once', async () => {
  const text = await print(`
    const options = { killTree: "attached", killGrace: 60_000, timeout: 2000 };
    const stage = "sh -c 'sleep 63' & wait";
    const start = performance.now();
    const error = await p.pipeline(stage, stage, stage).with(options).run()
      .catch((error) => error);
    console.log(error.name, error.result.stages.map(({ status }) => status));
    console.log(performance.now() - start < 30_000);
  `);
  assertEquals(text, "TimeoutError [ -15, -15, -15 ]\ntrue");
});

test("killTree says who gets ctrl-C: its process group", async () => {
  const text = await print(`
    const own = (await p.run("ps -o pgid= -p " + Deno.pid)).stdout.trim();
    for (const killTree of [undefined, true, false, "attached"]) {
      const { stdout } = await p.run("ps -o pgid= -p $$", { killTree });
      console.log(killTree, stdout.trim() === own);
    }
  `);
  assertEquals(
    text,
    "undefined true\ntrue false\nfalse true\nattached true",
  );
});

test('ctrl-C ends what killTree: "attached" runs', async () => {
  const path = await Deno.makeTempFile({ dir: "/tmp" });
  const module = new URL("../../process/mod.ts", import.meta.url);
  const code = `import { run } from "${module}";
    const cmd = "sleep 64 & echo $! > ${path}; wait";
    await run(cmd, { killTree: "attached", timeout: 60_000 });`;
  // A group of its own, as a shell at a terminal would give it.
  const child = new Deno.Command("sh", {
    args: ["-c", 'exec deno eval --no-check --ext=ts "$0"', code],
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const pid = await retry(() => {
    const text = Deno.readTextFileSync(path).trim();
    assertMatch(text, /^\d+$/);
    return text;
  }, { maxAttempts: 300, minTimeout: 100, multiplier: 1, jitter: 0 });
  await new Deno.Command("sh", { args: ["-c", `kill -INT -${child.pid}`] })
    .output();
  assertEquals((await child.status).signal, "SIGINT");
  // What a shell starts in the background ignores SIGINT; its shell does not.
  await new Deno.Command("sh", { args: ["-c", `kill ${pid}`] }).output();
  assert(
    await retry(async () => {
      assert(await areGone(pid));
      return true;
    }),
  );
  await Deno.remove(path);
});
