import { assertEquals, assertStringIncludes } from "@std/assert";
import { fixture, runDeno } from "./run_program.ts";

const program = fixture("permissions_fixture.ts");
const library = ["threading", "_internal"].map((folder) =>
  fixture(`../../${folder}`)
).join();

function run(...permissions: string[]) {
  return runDeno(["run", "--no-check", "--no-prompt", ...permissions, program]);
}

Deno.test("Lock works without permissions, Thread.start() says which it needs", async () => {
  const { stdout, stderr, code } = await run();
  const [timeout, notCapable, message] = stdout.split("\n");
  assertEquals(
    [timeout, notCapable, code],
    ["TimeoutError", "true", 0],
    stderr,
  );
  assertStringIncludes(message, "--allow-read");
  assertStringIncludes(message, "_worker.ts");
  assertEquals(stderr, "");
});

Deno.test("Thread.start() needs to read the target's module too", async () => {
  const { stdout, stderr } = await run(`--allow-read=${library}`);
  assertStringIncludes(stdout, "permissions_fixture.ts", stderr);
});

Deno.test("Thread needs no permission but to read what its worker imports", async () => {
  const { stdout, stderr } = await run(`--allow-read=${library},${program}`);
  assertEquals(stdout, "TimeoutError\n3\n", stderr);
  assertEquals(stderr, "");
});
