import {
  Cluster,
  type ClusterDelivery,
  type ClusterQueue,
  type Lease,
} from "../../cluster/mod.ts";
import {
  checkCancelled,
  type Event,
  sendable,
  sleepSync,
} from "../../threading/mod.ts";

/** What an operation works with. */
interface Things {
  cluster: Cluster;
  name: string;
  queue: ClusterQueue<number>;
}

type Operations = Record<string, (things: Things) => unknown>;

/** What waits, in a queue with an item, with no room, and a lock that is held. */
export const waiting: Operations = {
  "queue.put": ({ queue }) => queue.put(2),
  "queue.putSync": ({ queue }) => queue.putSync(2),
  "queue.putMany": ({ queue }) => queue.putMany([2]),
  "queue.putManySync": ({ queue }) => queue.putManySync([2]),
  "queue.join": ({ queue }) => queue.join(),
  "queue.joinSync": ({ queue }) => queue.joinSync(),
  "queue.receive": ({ cluster, name }) => empty(cluster, name).receive(),
  "queue.receiveSync": ({ cluster, name }) =>
    empty(cluster, name).receiveSync(),
  "queue.receiveMany": ({ cluster, name }) =>
    empty(cluster, name).receiveMany(2),
  "queue.receiveManySync": ({ cluster, name }) =>
    empty(cluster, name).receiveManySync(2),
  async "for await of queue"({ cluster, name }) {
    for await (const _ of empty(cluster, name));
  },
  "for of queue"({ cluster, name }) {
    for (const _ of empty(cluster, name));
  },
  "lock.acquire": ({ cluster, name }) => cluster.lock(name).acquire(),
  "lock.acquireSync": ({ cluster, name }) => cluster.lock(name).acquireSync(),
  async "map.watch"({ cluster, name }) {
    for await (const _ of cluster.map(name).watch());
  },
};

const empty = (cluster: Cluster, name: string) =>
  cluster.queue<number>(`${name}-empty`);

/** What need not wait, in code that has been cancelled. */
const short: Operations = {
  "queue.qsize": ({ queue }) => queue.qsize(),
  "queue.qsizeSync": ({ queue }) => queue.qsizeSync(),
  "queue.shutdown": ({ queue }) => queue.shutdown(),
  "queue.shutdownSync": ({ queue }) => queue.shutdownSync(),
  "map.get": ({ cluster, name }) => cluster.map(name).get("key"),
  "map.getSync": ({ cluster, name }) => cluster.map(name).getSync("key"),
  "map.set": ({ cluster, name }) => cluster.map(name).set("key", 1),
  "map.setSync": ({ cluster, name }) => cluster.map(name).setSync("key", 1),
  "map.delete": ({ cluster, name }) => cluster.map(name).delete("key"),
  "map.deleteSync": ({ cluster, name }) => cluster.map(name).deleteSync("key"),
  "map.update": ({ cluster, name }) => cluster.map(name).update("key", () => 1),
  "map.updateSync": ({ cluster, name }) =>
    cluster.map(name).updateSync("key", () => 1),
  "map.keys": ({ cluster, name }) => cluster.map(name).keys(),
  "map.keysSync": ({ cluster, name }) => cluster.map(name).keysSync(),
};

const things = (cluster: Cluster, name: string): Things => ({
  cluster,
  name,
  queue: cluster.queue<number>(name, { maxsize: 1 }),
});

/** Connects in the form of an operation. */
const connect = (address: string, operation: string) =>
  operation.endsWith("Sync") || operation === "for of queue"
    ? Cluster.connectSync(address)
    : Cluster.connect(address);

/** Does what waits; tells before. */
export const wait = sendable(
  import.meta,
  async function wait(
    address: string,
    name: string,
    operation: string,
    begun: Event,
  ) {
    using cluster = await connect(address, operation);
    begun.set();
    return await waiting[operation](things(cluster, name));
  },
);

/** Connects where nobody answers. */
export const connectInVain = sendable(
  import.meta,
  async function connectInVain(address: string, sync: boolean, begun: Event) {
    begun.set();
    if (sync) Cluster.connectSync(address);
    else await Cluster.connect(address);
  },
);

/** The reason for which this code has been cancelled. */
function awaitReason(): unknown {
  for (;;) {
    try {
      checkCancelled();
      sleepSync(1);
    } catch (reason) {
      return reason;
    }
  }
}

/** Calls everything when it has been cancelled; gives what did not throw. */
export const callAll = sendable(
  import.meta,
  async function callAll(address: string, name: string, begun: Event) {
    const [cluster, sync] = [
      await Cluster.connect(address),
      Cluster.connectSync(address),
    ];
    const queue = cluster.queue<number>(`${name}-more`);
    await queue.putMany([1, 2]);
    const first = await queue.receive();
    const second = sync.queue<number>(`${name}-more`).receiveSync();
    begun.set();
    const reason = awaitReason();
    const answers: Operations = {
      "delivery.ack": () => first.ack(),
      "delivery.nak": () => first.nak(),
      "delivery.extend": () => first.extend(),
      "delivery.ackSync": () => second.ackSync(),
      "delivery.nakSync": () => second.nakSync(),
      "delivery.extendSync": () => second.extendSync(),
      "Cluster.connect": () => Cluster.connect(address),
      "Cluster.connectSync": () => Cluster.connectSync(address),
    };
    const failures: string[] = [];
    for (
      const [key, call] of Object.entries({ ...waiting, ...short, ...answers })
    ) {
      try {
        await call(things(key.endsWith("Sync") ? sync : cluster, name));
        failures.push(`${key} does not throw`);
      } catch (error) {
        if (error !== reason) failures.push(`${key}: ${error}`);
      }
    }
    first[Symbol.dispose]();
    second[Symbol.dispose]();
    await cluster.close();
    sync.closeSync();
    return failures;
  },
);

/** Receives one item and acknowledges it, whoever cancels it. */
export const receiveOne = sendable(
  import.meta,
  async function receiveOne(
    address: string,
    name: string,
    sync: boolean,
    begun: Event,
  ) {
    await using cluster =
      await (sync ? Cluster.connectSync(address) : Cluster.connect(address));
    const queue = cluster.queue<number>(name);
    begun.set();
    await using delivery = sync ? queue.receiveSync() : await queue.receive();
    if (sync) delivery.ackSync();
    else await delivery.ack();
  },
);

/** Takes a lock. */
export const takeLock = sendable(
  import.meta,
  async function takeLock(
    address: string,
    name: string,
    sync: boolean,
    begun: Event,
  ) {
    await using cluster =
      await (sync ? Cluster.connectSync(address) : Cluster.connect(address));
    const lock = cluster.lock(name);
    begun.set();
    await using _ = sync ? lock.acquireSync() : await lock.acquire();
  },
);

/** Holds an item and a lock, waits, and lets go of them in its end. */
export const holdBoth = sendable(
  import.meta,
  async function holdBoth(
    address: string,
    name: string,
    sync: boolean,
    begun: Event,
  ) {
    await using cluster =
      await (sync ? Cluster.connectSync(address) : Cluster.connect(address));
    const queue = cluster.queue<number>(name);
    let delivery: ClusterDelivery<number> | undefined;
    let lease: Lease | undefined;
    try {
      delivery = sync ? queue.receiveSync() : await queue.receive();
      const lock = cluster.lock(name);
      lease = sync ? lock.acquireSync() : await lock.acquire();
      begun.set();
      const none = empty(cluster, name);
      if (sync) none.receiveSync();
      else await none.receive();
    } finally {
      // What is disposed of, and releasing, is not kept from it.
      if (sync) {
        lease?.releaseSync();
        delivery?.[Symbol.dispose]();
      } else {
        await lease?.release();
        await delivery?.[Symbol.asyncDispose]();
      }
    }
  },
);

/** Receives in a task of a pool, for ever. */
export const receiveInTask = sendable(
  import.meta,
  async function receiveInTask(address: string, name: string, sync: boolean) {
    await using cluster =
      await (sync ? Cluster.connectSync(address) : Cluster.connect(address));
    const queue = cluster.queue<number>(name);
    if (sync) queue.receiveSync();
    else await queue.receive();
  },
);
