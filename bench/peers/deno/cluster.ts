// The rows of the cluster suite with the packages of NATS alone.
// Run: deno run -A cluster.ts ROW; prints {"name", "ns"}.
import { connect, headers, nuid } from "@nats-io/transport-node";
import {
  AckPolicy,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
} from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { medianOf } from "../../_distance.ts";
import { main, perTurn } from "../../_measure.ts";
import { startServer } from "../../_nats.ts";

const ITEM = JSON.stringify({
  id: 1,
  name: "spam",
  priority: 3,
  tags: ["a", "b"],
});

const address = await startServer();
const connection = await connect({ servers: address });
const other = await connect({ servers: address });
const client = jetstream(connection);
const manager = await jetstreamManager(connection);

async function queue(name: string): Promise<string> {
  await manager.streams.add({
    name,
    subjects: [name],
    retention: RetentionPolicy.Workqueue,
    allow_atomic: true,
  });
  await manager.consumers.add(name, {
    durable_name: "all",
    ack_policy: AckPolicy.Explicit,
  });
  return name;
}

function put(name: string): Promise<unknown> {
  return client.publish(name, ITEM, { msgID: nuid.next() });
}

async function putMany(name: string): Promise<void> {
  const options = () => {
    const h = headers();
    h.set("Nats-Msg-Id", nuid.next());
    return { headers: h };
  };
  const batch = await client.startBatch(name, ITEM, options());
  for (let i = 1; i < 99; i++) batch.add(name, ITEM, options());
  await batch.commit(name, ITEM, options());
}

await main({
  put: async () => {
    const name = await queue("put");
    return await perTurn(200, async () => {
      await put(name);
    });
  },
  receive: async () => {
    const name = await queue("receive");
    for (let i = 0; i < 25; i++) await putMany(name);
    const consumer = await client.consumers.get(name, "all");
    return await perTurn(200, async () => {
      const message = await consumer.next();
      message!.json();
      await message!.ackAck();
    });
  },
  "hand-over": async () => {
    const name = await queue("hand-over");
    const consumer = await jetstream(other).consumers.get(name, "all");
    return await medianOf({
      receive: async () => {
        const message = await consumer.next();
        message!.json();
        return async () => void await message!.ackAck();
      },
      put: async () => void await put(name),
    });
  },
  batch: async () => {
    const name = await queue("batch");
    return await perTurn(10, () => putMany(name));
  },
  lock: async () => {
    const locks = await new Kvm(client).create("locks");
    return await perTurn(100, async () => {
      await locks.create("lock", "me");
      await locks.delete("lock");
    });
  },
});
