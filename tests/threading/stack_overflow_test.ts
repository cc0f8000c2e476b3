import { assertEquals } from "@std/assert";
import { fixture, runDeno } from "./run_program.ts";

// Compiled code has larger frames, so that all of a change is checked at once.
for (const flags of ["--no-opt,--no-maglev", "--opt"]) {
  Deno.test(`a stack overflow leaves no change half-made (${flags})`, async () => {
    const { code, stdout, stderr } = await runDeno([
      "run",
      "--no-check",
      `--v8-flags=${flags}`,
      fixture("stack_overflow_program.ts"),
    ]);
    assertEquals([stdout.trim(), stderr, code], ["72", "", 0]);
  });
}
