import { assertEquals } from "@std/assert";
import { fixture, runDeno } from "./run_program.ts";

const directory = Deno.makeTempDirSync({ dir: "/tmp" });
const binary = `${directory}/program`;
// `deno compile` downloads a runtime the first time.
const compiled = await runDeno([
  "compile",
  "--no-check",
  "--allow-all",
  "--quiet",
  "--output",
  binary,
  fixture("permissions_fixture.ts"),
]);
const isOffline = compiled.code !== 0 &&
  /denort|dl\.deno\.land|error sending request/i.test(compiled.stderr);

Deno.test({
  name: isOffline
    ? "Thread starts in a compiled program (skipped: the runtime that `deno compile` needs cannot be downloaded)"
    : "Thread starts in a compiled program",
  ignore: isOffline,
  async fn() {
    assertEquals(compiled.code, 0, compiled.stderr);
    // The tests may run nothing but deno.
    const command = JSON.stringify(binary);
    const { stdout, stderr } = await runDeno([
      "eval",
      `const { stdout } = await new Deno.Command(${command}).output();
      await Deno.stdout.write(stdout);`,
    ]);
    assertEquals(stdout, "TimeoutError\n3\n", stderr);
    Deno.removeSync(directory, { recursive: true });
  },
});

if (isOffline) Deno.removeSync(directory, { recursive: true });
