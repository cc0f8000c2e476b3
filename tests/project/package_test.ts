// What the registry counts for the score of a package.
import { assert, assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { runDeno } from "../threading/run_program.ts";

const ROOT = new URL("../../", import.meta.url);

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
