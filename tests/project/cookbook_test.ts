import { assertEquals } from "@std/assert";
import { Server, serverTest } from "../cluster/server.ts";
import { runDeno } from "../threading/run_program.ts";
import { codeBlocks, read } from "./_guide.ts";

const ROOT = new URL("../../", import.meta.url);

serverTest("docs/cookbook.md: from one machine to three", async () => {
  const blocks = codeBlocks(read("docs/cookbook.md"));
  const place = blocks.findIndex(({ text }) => text.startsWith("// jobs.ts\n"));
  const [program, , output] = blocks.slice(place);
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    await using server = await Server.start();
    await Deno.writeTextFile(`${folder}/jobs.ts`, program.text);
    const config = `--config=${ROOT.pathname}deno.json`;
    const checked = await runDeno(["check", config, `${folder}/jobs.ts`]);
    assertEquals(checked.code, 0, checked.stderr);
    const start = (part: string) =>
      runDeno([
        "run",
        "--no-prompt",
        config,
        `--allow-read=.,${ROOT.pathname}`,
        "--allow-net=127.0.0.1",
        "jobs.ts",
        part,
        server.address,
      ], { cwd: folder });
    const workers = [start("work"), start("work")];
    const { stdout, stderr } = await start("put");
    assertEquals(stdout, output.text, stderr);
    for (const worker of await Promise.all(workers)) {
      assertEquals(worker.code, 0, worker.stderr);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
