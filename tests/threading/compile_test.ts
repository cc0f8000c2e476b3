import { assertEquals } from "@std/assert";
import { compile, fixture, runDeno } from "./run_program.ts";

const directory = Deno.makeTempDirSync({ dir: "/tmp" });
const compiled = await compile(
  (...args) => runDeno(args),
  `${directory}/program`,
  ["--no-check", "--allow-all", fixture("permissions_fixture.ts")],
);
Deno.removeSync(directory, { recursive: true });

Deno.test({
  name: `Thread starts in a compiled program${compiled.reason}`,
  ignore: compiled.ignore,
  fn() {
    assertEquals(compiled.stdout, "TimeoutError\n3\n", compiled.stderr);
  },
});
