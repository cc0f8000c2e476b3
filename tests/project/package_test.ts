// What is published, and what JSR counts for its score.
import { assert, assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { runDeno } from "../threading/run_program.ts";

const ROOT = new URL("../../", import.meta.url);

/** What the package has at its top: the modules, and the files of a root. */
const TOP = new Set([
  ...Object.values(config.exports).map((path) => path.split("/")[1]),
  "_internal",
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

Deno.test("package: it can be published, with its modules and nothing else", async () => {
  // The types are checked elsewhere; slow ones fail all the same.
  const { code, stderr } = await runDeno(
    ["publish", "--dry-run", "--allow-dirty", "--no-check"],
    { cwd: ROOT },
  );
  assertEquals(code, 0, stderr);
  const files = Array.from(
    stderr.matchAll(/^ +file:\/\/(\S+) \(/gm),
    ([, path]) => decodeURIComponent(path).slice(ROOT.pathname.length),
  );
  assertEquals(new Set(files.map((path) => path.split("/")[0])), TOP);
  const published = new Set(files);
  for (const path of Object.values(config.exports)) {
    assert(published.has(path.slice(2)), path);
  }
  assertEquals(
    files.filter((path) => /test|fixture/.test(path.replace(/^testing\//, ""))),
    [],
  );
});

Deno.test("package: every export has an overview and examples", async () => {
  const { code, stdout, stderr } = await runDeno(
    ["doc", "--json", ...Object.values(config.exports)],
    { cwd: ROOT },
  );
  assertEquals(code, 0, stderr);
  const { nodes } = JSON.parse(stdout);
  for (const path of Object.values(config.exports)) {
    const { module_doc: overview } = nodes[new URL(path, ROOT).href];
    assert(overview.doc.length > 40, path);
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    assert(/^ \* ```/m.test(text), path);
  }
});

Deno.test("package: constructors that nobody may call are not documented", async () => {
  const { code, stdout, stderr } = await runDeno(
    ["doc", ...Object.values(config.exports)],
    { cwd: ROOT },
  );
  assertEquals(code, 0, stderr);
  assertEquals(stdout.match(/^ *private constructor.*$/gm), null);
});

Deno.test("package: the version has a section in the changelog", () => {
  const changelog = Deno.readTextFileSync(new URL("CHANGELOG.md", ROOT));
  const [, newest] = /^## \[(\d[^\]]*)\]/m.exec(changelog) ?? [];
  assertEquals(newest, config.version);
});
