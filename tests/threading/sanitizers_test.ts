import { assertEquals, assertStringIncludes } from "@std/assert";
import { fixture, runDeno } from "./run_program.ts";

Deno.test("threading passes under --sanitize-ops --sanitize-resources --parallel", async () => {
  const files = ["lock_test.ts", "event_test.ts", "join_test.ts"].map(fixture);
  const flags = ["--sanitize-ops", "--sanitize-resources", "--parallel"];
  const { code, stdout } = await runDeno(
    ["test", "-P", "--no-check", ...flags, ...files],
    { cwd: fixture("../..") },
  );
  assertStringIncludes(stdout, "0 failed");
  assertEquals(code, 0);
});
