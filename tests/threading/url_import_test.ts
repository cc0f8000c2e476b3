import { assertEquals } from "@std/assert";
import { root, runDeno, serveRoot } from "./run_program.ts";

const program = (origin: string) => `
import { Lock, sendable, Thread } from "${origin}/threading/mod.ts";

export const release = sendable(import.meta, function release(lock: Lock) {
  lock.release();
  return "released";
});

if (import.meta.main) {
  const lock = new Lock().acquireSync();
  const thread = new Thread({ target: release, args: [lock] });
  thread.start();
  lock.acquireSync();
  console.log(thread.joinSync());
}
`;

async function runServed(
  makeArgs: (origin: string, directory: string) => string[],
): Promise<void> {
  const server = serveRoot();
  const directory = await Deno.makeTempDir({ dir: "/tmp" });
  const origin = `http://127.0.0.1:${server.addr.port}`;
  await Deno.writeTextFile(`${directory}/main.ts`, program(origin));
  const { stdout, stderr } = await runDeno(makeArgs(origin, directory), {
    cwd: directory,
    env: { DENO_DIR: `${directory}/cache` },
  });
  await server.shutdown();
  await Deno.remove(directory, { recursive: true });
  assertEquals(stdout, "released\n", stderr);
}

Deno.test("Thread starts when skein is imported from a URL", async () => {
  await runServed((origin, directory) => [
    "run",
    "--no-check",
    "--no-config",
    "--no-prompt",
    `--allow-import=${new URL(origin).host}`,
    `--allow-read=${directory}/main.ts`,
    "main.ts",
  ]);
});

Deno.test("Thread starts in a program that is itself imported from a URL", async () => {
  const server = serveRoot();
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const url = origin +
    new URL("nesting_fixture.ts", import.meta.url)
      .pathname.slice(root.pathname.length - 1);
  const directory = await Deno.makeTempDir({ dir: "/tmp" });
  const { stdout, stderr } = await runDeno([
    "run",
    "--no-check",
    "--no-config",
    "--no-prompt",
    `--allow-import=${new URL(origin).host}`,
    url,
  ], { cwd: directory, env: { DENO_DIR: `${directory}/cache` } });
  await server.shutdown();
  await Deno.remove(directory, { recursive: true });
  assertEquals(stdout, "logged\nimported b 42\ntrue false\n", stderr);
});
