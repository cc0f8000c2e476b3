import { assert, assertEquals, assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { runDeno } from "../threading/run_program.ts";

const ROOT = new URL("../../", import.meta.url);

/** The source files under a folder of the project, as relative paths. */
function* sources(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
    if (entry.name === "node_modules") continue;
    if (entry.isDirectory) yield* sources(`${folder}${entry.name}/`);
    else if (entry.name.endsWith(".ts")) yield folder + entry.name;
  }
}

/** The folders of the public modules, with a slash at the end. */
const MODULES = Object.keys(config.exports)
  .filter((name) => name !== ".")
  .map((name) => `${name.slice(2)}/`);

/** The exports that `mod.ts` leaves out, since not every program pays for them. */
const APART = new Set(["cluster/", "testing/", "trace/"]);

Deno.test("layout: every export is the face of its folder", () => {
  for (const [name, path] of Object.entries(config.exports)) {
    assertEquals(path, name === "." ? "./mod.ts" : `${name}/mod.ts`);
    assert(Deno.statSync(new URL(path, ROOT)).isFile);
  }
});

Deno.test("layout: mod.ts exports every module that does not stand apart", () => {
  const text = Deno.readTextFileSync(new URL("mod.ts", ROOT));
  for (const folder of MODULES) {
    const line = `\nexport * from "./${folder}mod.ts";\n`;
    assertEquals(text.includes(line), !APART.has(folder), folder);
  }
});

Deno.test("layout: the documentation of every module is checked", () => {
  const tasks = config.tasks;
  for (const folder of MODULES) {
    assertMatch(
      `${tasks["ok:doc"].command} `,
      new RegExp(` ${folder.slice(0, -1)} `),
    );
    assertMatch(
      `${tasks["ok:doc-lint"].command} `,
      new RegExp(` ${folder}mod\\.ts `),
    );
  }
});

Deno.test("layout: only one module says where another lies", () => {
  // In the package they lie elsewhere, see `build.ts`.
  for (const path of library()) {
    if (path === "_internal/worker_module.ts") continue;
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    assert(!/new URL\([^;]*,\s*import\.meta\.url/.test(text), path);
  }
});

Deno.test("layout: only a command asks whether it is the main module", () => {
  // Of the others a bundler knows that they are not, see `build.ts`. Comments
  // and messages say what a program is to write: `if (import.meta.main)`.
  for (const path of library()) {
    if (path === "trace/mod.ts") continue;
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    assert(!/^ *(?:[^ *].*)?\bimport\.meta\.main(?!\))/m.test(text), path);
    assert(!/^ *(?:\} else )?if \(import\.meta\.main\)/m.test(text), path);
  }
});

Deno.test("layout: files are named in snake_case", () => {
  for (const folder of [...MODULES, "tests/", "examples/", "bench/"]) {
    for (const path of sources(folder)) {
      assertMatch(path, /^[a-z_\d/]+\.ts$/);
    }
  }
});

/**
 * What the modules may import of one another. What queue, pool and signal need
 * of threading's inside stands in `_ground.ts` and `_threads.ts`.
 */
const ARROWS: Record<string, RegExp> = {
  _internal: /^$/,
  threading: /^_internal\//,
  queue:
    /^(_internal\/|threading\/(_ground|_threads|errors|(sync|shared)\/[a-z]+)\.ts$)/,
  pool:
    /^(_internal\/|threading\/((_ground|_threads|[a-z][a-z_]*)\.ts$|(sync|shared)\/)|queue\/[a-z]+\.ts$)/,
  process: /^(_internal\/|signal\/signals\.ts$)/,
  cluster: /^(_internal\/|(threading|queue)\/mod\.ts$)/,
  signal: /^(_internal\/|threading\/(_ground|errors)\.ts$)/,
  trace: /^_internal\//,
  testing: /^(_internal\/|threading\/(_ground|_threads|errors|mod)\.ts$)/,
};

Deno.test("layout: arrows run one way, to public faces", () => {
  for (const [folder, allowed] of Object.entries(ARROWS)) {
    for (const path of sources(`${folder}/`)) {
      const text = Deno.readTextFileSync(new URL(path, ROOT));
      for (const [, to] of text.matchAll(/^(?:import|.*from) "(\..*)";$/gm)) {
        const { pathname } = new URL(to, new URL(path, ROOT));
        const target = pathname.slice(ROOT.pathname.length);
        if (target.startsWith(`${folder}/`)) continue;
        assertMatch(target, allowed, path);
      }
    }
  }
});

/** What a file of the project imports, types included. */
function importsOf(path: string): string[] {
  const text = Deno.readTextFileSync(new URL(path, ROOT));
  const found = text.matchAll(/^(?:import|.*from) "(\..*)";$/gm);
  return Array.from(found, ([, to]) => {
    const { pathname } = new URL(to, new URL(path, ROOT));
    return pathname.slice(ROOT.pathname.length);
  });
}

/** All files of the library but its face, as relative paths. */
function* library(): Generator<string> {
  for (const folder of Object.keys(ARROWS)) yield* sources(`${folder}/`);
}

Deno.test("layout: no two files import each other", () => {
  const done = new Set<string>();
  const visit = (path: string, from: string[]) => {
    assert(!from.includes(path), [...from, path].join(" > "));
    if (done.has(path)) return;
    for (const to of importsOf(path)) visit(to, [...from, path]);
    done.add(path);
  };
  for (const path of library()) visit(path, []);
});

Deno.test("layout: the rooms of threading stand on each other", () => {
  const below: Record<string, RegExp> = {
    _memory: /^$/,
    _codec: /^_memory\//,
    sync: /^(_memory|_codec)\//,
    shared: /^(_memory|_codec)\//,
    _runtime: /^(_memory|_codec|sync\/lock_word)/,
    _trace: /^(_memory|_runtime)\//,
  };
  for (const [room, allowed] of Object.entries(below)) {
    for (const path of sources(`threading/${room}/`)) {
      for (const to of importsOf(path)) {
        const inside = to.replace(/^threading\//, "");
        if (inside === to || inside === "errors.ts") continue;
        if (inside.startsWith(`${room}/`)) continue;
        assertMatch(inside, allowed, path);
      }
    }
  }
});

Deno.test("layout: the rooms of a command stand on each other", () => {
  const rooms = [
    "command_line",
    "options",
    "result",
    "descriptors",
    "program",
    "streams",
    "child_process",
    "launch",
    "plan",
    "quick",
    "output",
    "processes",
    "execution",
  ];
  const folder = "process/_command/";
  const files = rooms.map((room) => `${folder}${room}.ts`);
  assertEquals([...sources(folder)].sort(), [...files].sort());
  for (const [i, path] of files.entries()) {
    for (const to of importsOf(path)) {
      if (!to.startsWith("process/") || to === "process/progress.ts") continue;
      assert(files.indexOf(to) < i && files.includes(to), `${path}: ${to}`);
    }
  }
});

Deno.test("layout: no folder of the library has more than fifteen files", () => {
  const counts = new Map<string, number>();
  for (const path of library()) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  for (const [folder, count] of counts) assert(count <= 15, folder);
});

Deno.test("layout: the maps in CONTRIBUTING.md name files that are there", () => {
  const text = Deno.readTextFileSync(new URL("CONTRIBUTING.md", ROOT));
  const there = [...library(), "mod.ts"].map((path) => `/${path}`);
  const folders = Object.keys(ARROWS).join("|");
  const prose = text.replaceAll(/^```.*?^```/gms, "");
  for (const [, name] of prose.matchAll(/`([\w/]+\.ts)`/g)) {
    if (/^(tests|examples|bench|docs)\//.test(name)) {
      assert(Deno.statSync(new URL(name, ROOT)).isFile, name);
    } else if (name.includes("_") || new RegExp(`^(${folders})/`).test(name)) {
      assert(there.some((path) => path.endsWith(`/${name}`)), name);
    }
  }
});

Deno.test("layout: signal/signals.ts imports nothing of threading", () => {
  for (const to of importsOf("signal/signals.ts")) {
    assertMatch(to, /^_internal\//);
  }
});

Deno.test("layout: the library is written in ASCII", () => {
  // V8 keeps any other text twice as wide, and as a copy in each worker.
  for (const path of library()) {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    assert(/^[\0-\x7f]*$/.test(text), path);
  }
});

Deno.test("layout: importing skein, and a queue, load nothing of node:", async () => {
  for (const path of library()) {
    // Its packages are made for Node.
    if (path.startsWith("cluster/")) continue;
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    // `[^;]*?` spans the lines of one import.
    const loads = /^(?:import|export) (?!type )(?:[^;]*?from )?"node:[^"]*";$/m;
    assert(!loads.test(text), path);
  }
  const { pathname } = new URL("./import_program.ts", import.meta.url);
  const { stdout, stderr } = await runDeno(["run", "-A", pathname]);
  assertEquals([stdout.trim(), stderr], ["[]", ""]);
});
