/**
 * A queue between processes, which could be on several machines: a producer,
 * and three consumers of which one is killed in the middle of an item. Its item
 * is received by another one when its lease has ended; nothing is lost.
 *
 * Prints, with the consumers in any order:
 *
 *     consumer 1 is killed
 *     consumer 2: item 0, delivery 2
 *     consumer 3: item 1, delivery 1
 *     ...
 *     12 of 12 items
 *
 * @module
 */

import { Cluster } from "@skein/std/cluster";
import { runPart, startNatsServer } from "./_nats_server.ts";

const ITEMS = 12;

/** Deals with items until the queue is shut down. */
async function consume(address: string, consumer: string): Promise<void> {
  await using cluster = await Cluster.connect(address);
  const queue = cluster.queue<number>("jobs");
  for await (const delivery of queue) {
    if (consumer === "1") {
      console.log("stuck"); // and never acknowledges it
      await new Promise(() => setInterval(() => {}, 1000));
    }
    console.log(
      `consumer ${consumer}: item ${delivery.item}, delivery ${delivery.deliveries}`,
    );
    await delivery.ack();
  }
}

/** Puts the items, and waits until all of them have been dealt with. */
async function produce(address: string): Promise<void> {
  await using cluster = await Cluster.connect(address);
  const queue = cluster.queue<number>("jobs", { lease: 2000 });
  for (let item = 0; item < ITEMS; item++) await queue.put(item);

  const done = new Set<string>();
  const first = Promise.withResolvers<void>();
  const tell = (line: string) => {
    if (line === "stuck") return first.resolve();
    console.log(line);
    done.add(/item (\d+)/.exec(line)![1]);
  };
  const start = (n: number) =>
    runPart(import.meta.url, ["consume", address, String(n)], tell);

  const victim = start(1);
  await first.promise;
  victim.kill("SIGKILL");
  console.log("consumer 1 is killed");

  const others = [start(2), start(3)];
  await queue.join();
  await queue.shutdown();
  for (const other of others) await other.status;
  console.log(`${done.size} of ${ITEMS} items`);
}

if (import.meta.main) {
  if (Deno.args[0] === "consume") {
    await consume(Deno.args[1], Deno.args[2]);
  } else {
    await using server = await startNatsServer();
    if (server !== undefined) await produce(server.address);
  }
}
