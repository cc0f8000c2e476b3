// The package as it is built: what is in it, and that it does what its sources
// do.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { build, buildTree, filesIn } from "../../build.ts";
import config from "../../deno.json" with { type: "json" };
import { pathOfUrl } from "../../_internal/built_in.ts";
import { runDeno } from "../threading/run_program.ts";
import { builtPackage, serveRegistry } from "./_registry.ts";

const ROOT = new URL("../../", import.meta.url);

/** What the package has at its top: the modules, and the files of a root. */
const TOP = new Set([
  ...Object.values(config.exports).map((path) => path.split("/")[1]),
  "_internal",
  // What runs.
  "js",
  // What `links` point at: `deno publish` fails without it.
  "vendor",
  "deno.json",
  "CHANGELOG.md",
  "CODE_OF_CONDUCT.md",
  "CONTRIBUTING.md",
  "LICENSE",
  "README.md",
  "SECURITY.md",
]);

/** Some that see no more of skein than its public modules. */
const TESTS = [
  "tests/examples/",
  "tests/pool/completed_test.ts",
  "tests/pool/help_test.ts",
  "tests/pool/sanitized_test.ts",
  "tests/process/everywhere_test.ts",
  "tests/process/sync_test.ts",
  "tests/process/template_test.ts",
  "tests/project/permission_table_test.ts",
  "tests/queue/queue_test.ts",
  "tests/queue/stalled_test.ts",
  "tests/signal/alarm_test.ts",
  "tests/signal/handler_test.ts",
  "tests/testing/explore_test.ts",
  "tests/threading/flow_test.ts",
  "tests/threading/loading_test.ts",
  "tests/threading/nesting_test.ts",
  "tests/threading/shared_subclass_test.ts",
  "tests/threading/thread_test.ts",
  "tests/threading/url_import_test.ts",
  "tests/trace/recording_test.ts",
];

async function withFolder(use: (folder: URL) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "skein-built-" });
  try {
    await use(new URL(`file://${path}/`));
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

Deno.test("built: the package can be published, with its modules and nothing else", async () => {
  const dist = await builtPackage();
  // The types are checked elsewhere; slow ones fail all the same.
  const { code, stderr } = await runDeno(
    ["publish", "--dry-run", "--allow-dirty", "--no-check"],
    { cwd: dist },
  );
  assertEquals(code, 0, stderr);
  const files = Array.from(
    stderr.matchAll(/^ +file:\/\/(\S+) \(/gm),
    ([, path]) => decodeURIComponent(path).slice(dist.pathname.length),
  );
  assertEquals(new Set(files.map((path) => path.split("/")[0])), TOP);
  const published = new Set(files);
  const { exports } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", dist)),
  );
  assertEquals(Object.keys(exports), Object.keys(config.exports));
  for (const [name, path] of Object.entries<string>(exports)) {
    assert(published.has(path.slice(2)), path);
    const text = await Deno.readTextFile(new URL(path, dist));
    const [, types] = /^\/\* @ts-self-types="(.*)" \*\/\n/.exec(text)!;
    const source = Reflect.get(config.exports, name);
    assertEquals(
      new URL(types, new URL(path, dist)).href,
      new URL(source, dist).href,
    );
  }
  const sources = files.filter((path) => path.endsWith(".ts"));
  assertEquals(sources.filter((path) => /test|fixture/.test(path)), [
    ...sources.filter((path) => path.startsWith("testing/")),
  ]);
  for (const path of sources) {
    assertEquals(
      await Deno.readTextFile(new URL(path, dist)),
      await Deno.readTextFile(new URL(path, ROOT)),
      path,
    );
  }
});

Deno.test("built: every name is there, of the same kind and called the same", async () => {
  const dist = await builtPackage();
  for (const source of Object.values(config.exports)) {
    const built = new URL(source.replace(/ts$/, "js"), new URL("js/", dist));
    const expected: Record<string, unknown> = await import(
      new URL(source, ROOT).href
    );
    const actual: Record<string, unknown> = await import(built.href);
    assertEquals(Object.keys(actual), Object.keys(expected), source);
    for (const [key, value] of Object.entries(expected)) {
      assertEquals(typeof actual[key], typeof value, key);
      if (typeof value !== "function") continue;
      const { name, length } = actual[key] as typeof value;
      assertEquals([name, length], [value.name, value.length]);
    }
  }
});

Deno.test("built: a module with what it needs is a few files", async () => {
  const dist = await builtPackage();
  const files = new Set<string>();
  const visit = (file: URL) => {
    if (files.has(file.href)) return;
    files.add(file.href);
    const text = Deno.readTextFileSync(file);
    for (
      const [, path] of text.matchAll(/^(?:import|\} from) "(\..*)";$/gm)
    ) visit(new URL(path, file));
  };
  const most = { threading: 6, queue: 8, pool: 10, process: 8, signal: 8 };
  for (const [name, count] of Object.entries(most)) {
    files.clear();
    visit(new URL(`js/${name}/mod.js`, dist));
    assert(files.size <= count, `${name} has ${files.size}`);
  }
});

Deno.test("built: what its users run passes the tests", async () => {
  await withFolder(async (tree) => {
    await buildTree(tree, ["tests/", "examples/", "docs/"]);
    const { code, stdout, stderr } = await runDeno(
      ["test", "-P", "--no-check", ...TESTS],
      { cwd: tree, signal: AbortSignal.timeout(240_000) },
    );
    assertEquals(code, 0, stdout + stderr);
  });
});

/** Programs that use one module, most of which block the main thread. */
const ALONE: Record<string, string> = {
  threading: `
    import { sendable, Thread } from "@skein/std/threading";
    export const double = sendable(import.meta, function double(n: number) {
      return 2 * n;
    });
    if (import.meta.main) {
      const thread = new Thread({ target: double, args: [21] });
      thread.start();
      console.log(thread.joinSync());
    }`,
  queue: `
    import { Queue } from "@skein/std/queue";
    const queue = new Queue<number>();
    queue.putSync(42);
    console.log(queue.getSync());`,
  pool: `
    import { parallelMapSync } from "@skein/std/pool";
    import { double } from "./double.ts";
    for (const n of parallelMapSync(double, [21])) console.log(n);`,
  process: `
    import { runSync } from "@skein/std/process";
    const options = { input: "42", timeout: 30_000 };
    console.log(runSync(["cat"], options).stdout);`,
  signal: `
    import { abortOn, alarm, raiseSignal, signal, sleep } from "@skein/std/signal";
    signal("SIGALRM", () => console.log(42));
    alarm(0.001);
    await sleep(30_000);
    using _ = abortOn("SIGTERM");`,
  testing: `
    import { explore } from "@skein/std/testing";
    import { sendable, Thread } from "@skein/std/threading";
    import { nothing } from "./double.ts";
    export const look = sendable(import.meta, async function look() {
      const { failure } = await explore({ setup: nothing, threads: [nothing] });
      return failure ?? 42;
    });
    if (import.meta.main) {
      const thread = new Thread({ target: look });
      thread.start();
      console.log(thread.joinSync());
    }`,
  trace: `
    import { summarize } from "@skein/std/trace";
    await summarize("nowhere").catch(() => console.log(42));`,
};

Deno.test("built: each module works alone, from a registry, with nothing in the cache", async () => {
  const registry = await serveRegistry();
  try {
    for (const [name, program] of Object.entries(ALONE)) {
      await withFolder(async (folder) => {
        const write = (path: string, text: string) =>
          Deno.writeTextFile(new URL(path, folder), text);
        await write("deno.json", JSON.stringify({ imports: registry.imports }));
        await write("main.ts", program);
        await write(
          "double.ts",
          `import { sendable } from "@skein/std/threading";
          export const double = sendable(import.meta, (n: number) => 2 * n);
          export const nothing = sendable(import.meta, function nothing() {});`,
        );
        const { code, stdout, stderr } = await runDeno([
          "run",
          "--no-prompt",
          "--allow-read=.",
          `--allow-import=${new URL(registry.origin).host}`,
          "--allow-run=cat",
          "main.ts",
        ], {
          cwd: folder,
          env: { DENO_DIR: pathOfUrl(new URL(".cache", folder)) },
        });
        assertEquals([name, code, stdout.trim()], [name, 0, "42"], stderr);
      });
    }
  } finally {
    await registry.close();
  }
});

Deno.test("built: stacks name functions as they are called", async () => {
  await withFolder(async (dist) => {
    await build(dist);
    const program = new URL("program.ts", dist);
    await Deno.writeTextFile(
      program,
      `import { sendable, Thread } from "./js/threading/mod.js";
      import { ThreadPool } from "./js/pool/mod.js";
      export const fail = sendable(import.meta, async function fail() {
        await Promise.resolve();
        console.log(new Error().stack);
      });
      if (import.meta.main) {
        const thread = new Thread({ target: fail });
        thread.start();
        await thread.join();
        await new ThreadPool({ size: 1 }).run(fail);
      }`,
    );
    const { code, stdout, stderr } = await runDeno(
      ["run", `--allow-read=${pathOfUrl(dist)}`, pathOfUrl(program)],
    );
    assertEquals(code, 0, stderr);
    const names = Array.from(
      stdout.matchAll(/^ *at (?:async )?(\S+) \(/gm),
      ([, name]) => name,
    );
    assert(names.includes("runThreads"), stdout);
    assertEquals(names.filter((name) => /\d$/.test(name)), []);
  });
});

Deno.test("built: the trace command runs a program and ends as it does", async () => {
  await withFolder(async (dist) => {
    await build(dist);
    const write = (path: string, text: string) =>
      Deno.writeTextFile(new URL(path, dist), text);
    await write(
      "program.ts",
      `import { Lock } from "./js/threading/mod.js";
      new Lock().acquireSync().release();
      Deno.exit(7);`,
    );
    const { code, stderr } = await runDeno([
      "run",
      "-A",
      "js/trace/mod.js",
      "program.ts",
    ], { cwd: dist });
    assertEquals(code, 7, stderr);
    assertStringIncludes(stderr, "MainThread");
  });
});

Deno.test("built: two copies in one program keep apart, and say so", async () => {
  await withFolder(async (folder) => {
    await build(new URL("one/", folder));
    await build(new URL("two/", folder));
    const program = new URL("program.ts", folder);
    await Deno.writeTextFile(
      program,
      `import { sendable, Thread } from "./one/js/threading/mod.js";
      import { Queue } from "./one/js/queue/mod.js";
      import * as two from "./two/js/queue/mod.js";
      import { Thread as Thread2 } from "./two/js/threading/mod.js";
      export const put = sendable(import.meta, function put(queue: Queue<unknown>) {
        queue.putSync("put");
      });
      if (import.meta.main) {
        const queue = new Queue<unknown>();
        const thread = new Thread({ target: put, args: [queue] });
        thread.start();
        console.log(queue.getSync());
        try {
          queue.putSync(new two.Queue());
        } catch (error) {
          console.log(String(error));
        }
        try {
          new Thread2({ target: put as () => void }).start();
        } catch (error) {
          console.log(String(error));
        }
      }`,
    );
    const { code, stdout, stderr } = await runDeno(
      ["run", `--allow-read=${pathOfUrl(folder)}`, pathOfUrl(program)],
    );
    assertEquals(code, 0, stderr);
    const [first, ...others] = stdout.trim().split("\n");
    assertEquals(first, "put");
    assertEquals(others.length, 2);
    for (const [i, line] of others.entries()) {
      const url = new URL(`${["two", "one"][i]}/js/threading.js`, folder);
      assertStringIncludes(
        line,
        `it belongs to another copy of @skein/std, ${url},`,
      );
    }
  });
});

Deno.test("built: a bundle without it works, and one with it says what is missing", async () => {
  await withFolder(async (folder) => {
    await build(new URL("package/", folder));
    const { exports } = JSON.parse(
      await Deno.readTextFile(new URL("package/deno.json", folder)),
    );
    const imports = Object.entries<string>(exports).map(([name, path]) => [
      `@skein/std${name.slice(1)}`,
      `./package/${path.slice(2)}`,
    ]);
    const write = (path: string, text: string) =>
      Deno.writeTextFile(new URL(path, folder), text);
    await write(
      "deno.json",
      JSON.stringify({ imports: Object.fromEntries(imports) }),
    );
    await write("main.ts", ALONE.threading);
    const bundle = async (...args: string[]) => {
      const made = await runDeno(
        ["bundle", ...args, "--quiet", "-o", "main.js", "main.ts"],
        { cwd: folder },
      );
      assertEquals(made.code, 0, made.stderr);
      return await runDeno(
        ["run", "--no-prompt", "--allow-read=.", "main.js"],
        { cwd: folder },
      );
    };
    const without = await bundle("--external", "@skein/std*");
    assertEquals(without.stdout, "42\n", without.stderr);
    const all = await bundle();
    assertEquals(all.code, 1);
    assertStringIncludes(
      all.stderr,
      `Cannot start a thread: its worker imports ${new URL(
        "threading.js",
        folder,
      )}, which is not there; a bundler must leave @skein/std out of the bundle`,
    );
  });
});

Deno.test("built: twice is the same, wherever it is built", async () => {
  await withFolder(async (folder) => {
    const [one, two] = ["one/", "an other/"].map((name) =>
      new URL(name, folder)
    );
    await build(one);
    await build(two);
    const paths = filesIn("", one);
    assertEquals(filesIn("", two), paths);
    for (const path of paths) {
      const text = await Deno.readTextFile(new URL(path, one));
      assert(text === await Deno.readTextFile(new URL(path, two)), path);
    }
  });
});
