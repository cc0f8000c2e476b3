// What the threads of descriptor_test.ts run.
import { pipeline } from "../../process/mod.ts";
import { sendable } from "../../threading/mod.ts";

/** Runs pipelines for two seconds; says how many. */
export const pipes = sendable(import.meta, function pipes(): number {
  const two = pipeline(["echo", "a"], ["cat"]).with({ timeout: 30_000 });
  let count = 0;
  for (const end = Date.now() + 2000; Date.now() < end; count++) two.textSync();
  return count;
});
