/**
 * A lock between processes, and why its token is needed. A process takes the
 * lock and is stopped, as by a long pause of its machine. Meanwhile its lease
 * ends and another process takes the lock and writes. Then the first one goes
 * on where it was and writes, too: the store sees an old token and refuses it.
 *
 * Prints:
 *
 *     first: has the lock
 *     first: is stopped
 *     second: has the lock, with a higher token
 *     second: wrote
 *     first: goes on
 *     first: was refused, for the lease is lost: true
 *     the report is by second
 *
 * @module
 */

import { Cluster } from "@skein/std/cluster";
import { runPart, startNatsServer } from "./_nats_server.ts";

/** What the store has: a text, and the token of whoever wrote it. */
interface Report {
  by: string;
  token: bigint;
}

/**
 * Writes, unless somebody with a higher token has written before. In SQL it
 * would be `UPDATE report SET by = ?, token = ? WHERE token <= ?`.
 */
async function write(cluster: Cluster, report: Report): Promise<boolean> {
  let isWritten = false;
  await cluster.map<Report>("store").update("report", (old = report) => {
    isWritten = old.token <= report.token;
    return isWritten ? report : old;
  });
  return isWritten;
}

/** Takes the lock, is stopped in the middle, and writes what it had begun. */
async function first(address: string): Promise<void> {
  await using cluster = await Cluster.connect(address);
  const lock = cluster.lock("report", { lease: 1000 });
  await using lease = await lock.acquire();
  console.log("first: has the lock");
  // Nothing here can know that the process is stopped between two lines.
  const stopped = Date.now() + 300;
  while (Date.now() < stopped);
  console.log("first: goes on");
  const { token, lost } = lease;
  if (await write(cluster, { by: "first", token })) {
    console.log("first: wrote");
  } else {
    console.log(`first: was refused, for the lease is lost: ${lost.aborted}`);
  }
}

async function main(address: string): Promise<void> {
  await using cluster = await Cluster.connect(address);
  const held = Promise.withResolvers<void>();
  const process = runPart(import.meta.url, ["first", address], (line) => {
    console.log(line);
    held.resolve();
  });
  await held.promise;
  process.kill("SIGSTOP");
  console.log("first: is stopped");

  {
    await using lease = await cluster.lock("report").acquire();
    console.log("second: has the lock, with a higher token");
    await write(cluster, { by: "second", token: lease.token });
    console.log("second: wrote");
  }

  process.kill("SIGCONT");
  await process.status;
  const report = await cluster.map<Report>("store").get("report");
  console.log(`the report is by ${report?.value.by}`);
}

if (import.meta.main) {
  if (Deno.args[0] === "first") await first(Deno.args[1]);
  else {
    await using server = await startNatsServer();
    if (server !== undefined) await main(server.address);
  }
}
