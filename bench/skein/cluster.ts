// The rows of the cluster suite with skein.
// Run: deno run -A cluster.ts ROW; prints {"name", "ns"}.
import { Cluster } from "../../cluster/mod.ts";
import { medianOf } from "../_distance.ts";
import { main, perTurn } from "../_measure.ts";
import { startServer } from "../_nats.ts";

const ITEM = { id: 1, name: "spam", priority: 3, tags: ["a", "b"] };

const address = await startServer();
const cluster = await Cluster.connect(address);
const other = await Cluster.connect(address);

await main({
  put: () => {
    const queue = cluster.queue<unknown>("put");
    return perTurn(200, () => queue.put(ITEM));
  },
  receive: async () => {
    const queue = cluster.queue<unknown>("receive");
    for (let i = 0; i < 25; i++) await queue.putMany(Array(100).fill(ITEM));
    return await perTurn(200, async () => {
      const delivery = await queue.receive();
      await delivery.ack();
    });
  },
  "hand-over": async () => {
    const to = other.queue<unknown>("hand-over");
    const from = cluster.queue<unknown>("hand-over");
    await to.qsize();
    return await medianOf({
      receive: async () => {
        const delivery = await to.receive();
        return () => delivery.ack();
      },
      put: () => from.put(ITEM),
    });
  },
  batch: () => {
    const queue = cluster.queue<unknown>("batch");
    const items = Array(100).fill(ITEM);
    return perTurn(10, () => queue.putMany(items));
  },
  lock: () => {
    const lock = cluster.lock("lock");
    return perTurn(100, async () => {
      const lease = await lock.acquire();
      await lease.release();
    });
  },
});
