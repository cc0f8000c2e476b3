// What reaches a child, and what opens files.
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { linuxTest, unixTest as test } from "../platform.ts";
import {
  P_DETACH,
  pipeline,
  popen2Sync,
  popen3Sync,
  popen4Sync,
  run,
  type RunOptions,
  runSync,
  spawnSync,
  Template,
} from "../../process/mod.ts";
import { kernelPipes } from "../../process/_command/descriptors.ts";
import { Thread } from "../../threading/mod.ts";
import { pipes } from "./descriptor_fixture.ts";
import { temporary } from "./temporary.ts";
import { testWays } from "./ways.ts";

const WAIT = 30_000;

/** The descriptors of a shell; it opens the folder itself, always the same. */
const LIST = "echo /proc/self/fd/*";
const LIST_ARRAY = ["sh", "-c", LIST];

const bothWays = testWays({
  limit: 2 * WAIT,
  ways: ["shells", "descriptors"],
});

linuxTest({
  name: "run() and its relatives give a child three streams and nothing else",
  fn: () =>
    temporary(async (folder) => {
      const path = `${folder}/out`;
      const empty = `${folder}/empty`;
      await Deno.writeTextFile(empty, "");
      const written = () => Deno.readTextFileSync(path);
      for (const cmd of [LIST, LIST_ARRAY]) {
        // What this program itself got from the one that started it, too.
        const { stdout: expected } = await run(cmd);
        const see = { cmd, stderr: "merge" } as const;
        const forms: Record<string, () => string | Promise<string>> = {
          first: () => pipeline(cmd, ["cat"]).text(),
          middle: () => pipeline(["true"], cmd, ["cat"]).text(),
          last: () => pipeline(["true"], cmd).text(),
          blocking: () => pipeline(cmd, ["cat"]).textSync(),
          merged: () => pipeline(see, ["cat"]).text(),
          "merged at the end": () => pipeline(see).textSync(),
          "from a file": () => pipeline(cmd).from({ path: empty }).text(),
          "to a file": async () => {
            await run(cmd, { stdout: { path } });
            return written();
          },
          "popen2Sync()": () => {
            using child = popen2Sync(cmd);
            return child.stdout.read();
          },
          "popen3Sync()": () => {
            using child = popen3Sync(cmd);
            return child.stdout.read();
          },
          "popen4Sync()": () => {
            using child = popen4Sync(cmd);
            return child.stdout.read();
          },
          "Template.openSync()": () => {
            const template = new Template();
            // Its own shell has one more while it reads a file for a builtin.
            template.append(`sh -c '${LIST}'`, "--");
            using reader = template.openSync(empty, "r");
            return reader.stdout.read();
          },
        };
        for (const [name, form] of Object.entries(forms)) {
          assertEquals(await form(), expected, name);
        }
      }
    }),
});

linuxTest(
  "pipeline() and popen2Sync() do not wait for a program in the background",
  async () => {
    // It has none of the streams; only a further descriptor could be waited for.
    const script = "sleep 60 </dev/null >/dev/null 2>&1 & echo $!";
    const end = (pid: string) => runSync(`kill ${pid}`);
    const timeout = WAIT;
    end(await pipeline(script, ["cat"]).with({ timeout }).text());
    end(pipeline(script, ["cat"]).with({ timeout }).textSync());
    for (const popen of [popen2Sync, popen4Sync]) {
      const start = Date.now();
      using child = popen(script);
      end(child.stdout.read());
      assert(Date.now() - start < WAIT);
    }
  },
);

linuxTest(
  "pipeline() tells a stage that the next one has closed its input",
  () =>
    temporary(async (folder) => {
      // The first goes on when yes has got SIGPIPE; for that the other waits.
      const first = `yes; : > ${folder}/over`;
      const last =
        `exec <&-; while [ ! -e ${folder}/over ]; do sleep 0.05; done; echo over`;
      const both = pipeline(first, last).with({ timeout: WAIT });
      assertEquals(await both.text(), "over\n");
    }),
);

linuxTest(
  "pipeline() does not wait for a program that another thread starts",
  async () => {
    const threads = [1, 2].map(() => new Thread({ target: pipes }));
    for (const thread of threads) thread.start();
    let running = true;
    const counts = Promise.all(threads.map((thread) => thread.join()))
      .finally(() => running = false);
    const strangers: number[] = [];
    do {
      strangers.push(spawnSync(P_DETACH, ["sleep", "120"]));
      await new Promise((resolve) => setTimeout(resolve, 20));
    } while (running);
    for (const count of await counts) assert(count > 0);
    await run(`kill ${strangers.join(" ")}`);
  },
);

test("pipeline() gives a program its environment as run() does", async () => {
  const cmd = ["sh", "-c", "tr '\\0' '\\n' </proc/$$/environ"];
  const PATH = "/usr/bin:/bin";
  const all: RunOptions[] = [
    {},
    { env: { A: "1", PWD: "/no/such/folder" } },
    { env: { PATH }, clearEnv: true },
    { env: { PATH, "a.b": "1", IFS: "x" }, clearEnv: true },
    { env: { PATH, PWD: "/spam" }, clearEnv: true },
  ];
  for (const { env, clearEnv } of all) {
    const options = { env, clearEnv };
    const { stdout } = await run(cmd, options);
    const text = await pipeline({ cmd, ...options }, ["cat"]).text();
    const lines = (text: string) => text.trim().split("\n").sort();
    assertEquals(lines(text), lines(stdout));
  }
});

bothWays("pipeline() says at once that there is no such program", async () => {
  // A program with all permissions may try to run what does not exist.
  const code = `
    import * as p from "${new URL("../../process/mod.ts", import.meta.url)}";
    import { kernelPipes } from "${new URL(
    "../../process/_command/descriptors.ts",
    import.meta.url,
  )}";
    kernelPipes.wrapped = ${kernelPipes.wrapped};
    const seen = new Set();
    const see = async (form) => {
      try { seen.add(await form()); } catch (error) { seen.add(error.name); }
    };
    for (const cmd of [["no-such-program"], ["cd", "/"], ["/no/such"]]) {
      for (const both of [p.pipeline(cmd, ["cat"]), p.pipeline(["cat"], cmd)]) {
        await see(() => both.text());
        await see(() => both.textSync());
      }
      await see(() => p.popen2Sync(cmd));
      await see(() => p.popen4(cmd));
      await see(() => p.getOutputSync(cmd));
    }
    console.log([...seen].join());
    Deno.exit(0);`;
  const { stdout, stderr } = await run(["deno", "eval", "--no-check", code]);
  assertEquals([stdout, stderr], ["NotFound\n", ""]);
});

test("popen2Sync() of what the shell does not like gives its status", () => {
  using child = popen2Sync("exec 2>/dev/null; exit 3");
  assertEquals(child.stdout.read(), "");
  assertEquals(child.process.waitSync(), 3);
  using broken = popen3Sync("((");
  assertEquals(broken.stdout.read(), "");
  assertNotEquals(broken.stderr.read(), "");
  assertEquals(broken.process.waitSync(), 2);
});

bothWays(
  "pipeline() reads a named pipe, and the event loop turns",
  () =>
    temporary(async (folder) => {
      const path = `${folder}/fifo`;
      await run(["mkfifo", path]);
      for (const cmd of [["cat"], "cat"]) {
        const text = pipeline(cmd, ["cat"]).from({ path }).text();
        await run(`echo spam > ${path}`);
        assertEquals(await text, "spam\n");
      }
      const writer = run(`echo eggs > ${path}`);
      assertEquals(runSync(["cat"], { input: { path } }).stdout, "eggs\n");
      await writer;
    }),
);

bothWays("pipeline() writes to named pipes", () =>
  temporary(async (folder) => {
    const path = `${folder}/fifo`;
    await run(["mkfifo", path]);
    const cat = run(["cat", path]);
    await run(["echo", "spam"], { stdout: { path } });
    assertEquals((await cat).stdout, "spam\n");
    const other = run(["cat", path]);
    await run("echo eggs >&2", { stderr: { path, append: true } });
    assertEquals((await other).stdout, "eggs\n");
  }));

bothWays(
  "run() and pipeline() give up a named pipe that nobody opens",
  () =>
    temporary(async (folder) => {
      const path = `${folder}/fifo`;
      await run(["mkfifo", path]);
      const timeout = 100;
      const forms = [
        { input: { path } },
        { stdout: { path } },
        { stderr: { path } },
      ];
      for (const form of forms) {
        for (const cmd of [["cat"], "cat"]) {
          const late = await assertRejects(
            () => run(cmd, { ...form, timeout }),
            DOMException,
          );
          assertEquals(late.name, "TimeoutError");
          const lateSync = assertThrows(
            () => runSync(cmd, { ...form, timeout }),
            DOMException,
          );
          assertEquals(lateSync.name, "TimeoutError");
          const controller = new AbortController();
          setTimeout(() => controller.abort(), 50);
          const aborted = await assertRejects(
            () => run(cmd, { ...form, signal: controller.signal }),
            DOMException,
          );
          assertEquals(aborted.name, "AbortError");
        }
      }
      // Nothing of that has the pipe still open.
      const writer = run(`echo spam > ${path}`);
      assertEquals(await pipeline(["cat"]).from({ path }).text(), "spam\n");
      await writer;
    }),
);
