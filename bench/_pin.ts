/**
 * Keeps the calling thread on one core, where the system can do that (Linux
 * with taskset). Where the scheduler puts two threads changes what they cost
 * each other several times over, from run to run; so in the rows with two
 * threads each gets a core of its own, in every contestant.
 *
 * @param core The number of the core.
 */
export function pin(core: number): void {
  try {
    const thread = Deno.readLinkSync("/proc/thread-self").split("/").at(-1)!;
    new Deno.Command("taskset", {
      args: ["-cp", String(core), thread],
      stdout: "null",
      stderr: "null",
    }).outputSync();
  } catch {
    // Not Linux, or no taskset: then the scheduler decides.
  }
}
