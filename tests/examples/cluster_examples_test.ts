import { assert, assertEquals } from "@std/assert";
import { hasServer, serverTest } from "../cluster/server.ts";
import { parse, runExample } from "./run_example.ts";

serverTest(
  "cluster-queue loses nothing with the consumer that is killed",
  async () => {
    const [killed, ...lines] = await runExample("cluster-queue");
    assertEquals(killed, "consumer 1 is killed");
    assertEquals(lines.pop(), "12 of 12 items");
    const form = /^consumer ([23]): item (\d+), delivery (\d+)$/;
    const items = parse(lines, form);
    const again = items.filter(([, , delivery]) => delivery === "2");
    assert(again.some(([, item]) => item === "0"), lines.join("\n"));
  },
);

serverTest(
  "cluster-lock refuses the write of a holder that was stopped",
  async () => {
    assertEquals(await runExample("cluster-lock"), [
      "first: has the lock",
      "first: is stopped",
      "second: has the lock, with a higher token",
      "second: wrote",
      "first: goes on",
      "first: was refused, for the lease is lost: true",
      "the report is by second",
    ]);
  },
);

Deno.test("cluster-queue and cluster-lock say how to get a server", async () => {
  if (hasServer) return;
  for (const name of ["cluster-queue", "cluster-lock"]) {
    assertEquals(await runExample(name), [
      "There is no server: `deno task cluster:server` fetches one.",
    ]);
  }
});
