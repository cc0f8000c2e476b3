import { Cluster } from "../../cluster/mod.ts";
import type { SimpleQueue } from "../../queue/mod.ts";
import { sendable } from "../../threading/mod.ts";

/** Receives until the queue is shut down; gives what it received. */
export const consume = sendable(
  import.meta,
  function consume(address: string, name: string): number[] {
    using cluster = Cluster.connectSync(address);
    const items: number[] = [];
    for (const delivery of cluster.queue<number>(name)) {
      items.push(delivery.item);
      delivery.ackSync();
    }
    return items;
  },
);

/** Takes a lock, says so, and never lets it go. */
export const hold = sendable(
  import.meta,
  function hold(address: string, name: string, told: SimpleQueue<bigint>) {
    const cluster = Cluster.connectSync(address);
    const lease = cluster.lock(name, { lease: 2000 }).acquireSync();
    told.putSync(lease.token);
    for (;;);
  },
);

/** Waits for an item that does not come. */
export const wait = sendable(
  import.meta,
  function wait(address: string, name: string, told: SimpleQueue<string>) {
    const cluster = Cluster.connectSync(address);
    const queue = cluster.queue<string>(name);
    told.putSync("waiting");
    const delivery = queue.receiveSync();
    told.putSync(delivery.item);
    for (;;);
  },
);
