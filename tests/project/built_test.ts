// The package as it is built: what is in it, and that it does what its sources
// do.
import { assert, assertEquals } from "@std/assert";
import { build, buildTree } from "../../build.ts";
import config from "../../deno.json" with { type: "json" };
import { pathOfUrl } from "../../_internal/built_in.ts";
import { runDeno } from "../threading/run_program.ts";

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
  "tests/process/sync_test.ts",
  "tests/process/template_test.ts",
  "tests/queue/queue_test.ts",
  "tests/signal/alarm_test.ts",
  "tests/testing/explore_test.ts",
  "tests/threading/flow_test.ts",
  "tests/threading/shared_subclass_test.ts",
  "tests/threading/thread_test.ts",
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
  await withFolder(async (dist) => {
    await build(dist);
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
});

Deno.test("built: every name is there, of the same kind and called the same", async () => {
  await withFolder(async (dist) => {
    await build(dist);
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
});

Deno.test("built: a module with what it needs is a few files", async () => {
  await withFolder(async (dist) => {
    await build(dist);
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
});

Deno.test("built: what its users run passes the tests", async () => {
  await withFolder(async (tree) => {
    await buildTree(tree, ["tests/", "examples/"]);
    const { code, stdout, stderr } = await runDeno(
      ["test", "-P", "--no-check", ...TESTS],
      { cwd: tree, signal: AbortSignal.timeout(240_000) },
    );
    assertEquals(code, 0, stdout + stderr);
  });
});

Deno.test("built: its threads start from a registry, too", async () => {
  await withFolder(async (dist) => {
    await build(dist);
    const types = { js: "text/javascript", ts: "application/typescript" };
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const { pathname } = new URL(request.url);
        const type = Reflect.get(types, pathname.slice(-2));
        const text = await Deno.readTextFile(new URL(`.${pathname}`, dist));
        return new Response(text, { headers: { "content-type": type } });
      },
    );
    const { hostname, port } = server.addr;
    const program = new URL("program.ts", dist);
    await Deno.writeTextFile(
      program,
      `import { sendable, Thread } from "http://${hostname}:${port}/js/threading/mod.js";
      import { parallelMap } from "http://${hostname}:${port}/js/pool/mod.js";
      import { runSync } from "http://${hostname}:${port}/js/process/mod.js";
      export const double = sendable(import.meta, function double(n: number) {
        return 2 * n;
      });
      if (import.meta.main) {
        const thread = new Thread({ target: double, args: [21] });
        thread.start();
        console.log(thread.joinSync());
        for await (const n of parallelMap(double, [1, 2, 3])) console.log(n);
        console.log(runSync(["echo", "here"]).stdout.trim());
      }
      `,
    );
    const { code, stdout, stderr } = await runDeno([
      "run",
      `--allow-read=${pathOfUrl(dist)}`,
      `--allow-import=${hostname}:${port}`,
      "--allow-run=echo",
      "--no-lock",
      pathOfUrl(program),
    ]);
    assertEquals(code, 0, stderr);
    assertEquals(stdout, "42\n2\n4\n6\nhere\n");
  });
});
