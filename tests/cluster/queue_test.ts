import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { Cluster, type ClusterDelivery } from "../../cluster/mod.ts";
import { decode } from "../../cluster/_wire/decode.ts";
import { Empty, Full, ShutDown } from "../../queue/mod.ts";
import { NotSendableError, ThreadingError } from "../../threading/mod.ts";
import { connect } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";
import {
  delay,
  hasServer,
  overlapping,
  Server,
  serverTest,
  uniqueName,
} from "./server.ts";

let server: Server;
let cluster: Cluster;

if (hasServer) {
  Deno.test.beforeAll(async () => {
    server = await Server.start();
    cluster = await Cluster.connect(server.address);
  });
  Deno.test.afterAll(async () => {
    await cluster.close();
    await server[Symbol.asyncDispose]();
  });
}

/** Receives and acknowledges. */
async function take<T>(queue: { receive(): Promise<ClusterDelivery<T>> }) {
  const delivery = await queue.receive();
  await delivery.ack();
  return delivery.item;
}

serverTest(
  "ClusterDelivery: a thread that does not return to its loop is told",
  async () => {
    const queue = cluster.queue<string>(uniqueName(), { lease: 1000 });
    await queue.put("spam");
    const { lost } = await queue.receive();
    const end = performance.now() + 1000;
    while (performance.now() < end);
    assert(lost.aborted);
    assertThrows(() => lost.throwIfAborted(), ThreadingError);
  },
);

const queueTest = overlapping("ClusterQueue and ClusterDelivery");

queueTest("ClusterQueue: first in, first out, exactly once", async () => {
  const queue = cluster.queue<unknown>(uniqueName());
  const items = [1, "two", { three: [3n] }, new Map([[4, new Date(4)]])];
  for (const item of items) await queue.put(item);
  assertEquals(await queue.qsize(), 4);
  for (const item of items) assertEquals(await take(queue), item);
  assertEquals(await queue.qsize(), 0);
});

queueTest("ClusterQueue.receive() waits for an item", async () => {
  const queue = cluster.queue<string>(uniqueName());
  const receiving = queue.receive();
  await delay(100);
  await queue.put("spam");
  const delivery = await receiving;
  assertEquals([delivery.item, delivery.deliveries], ["spam", 1]);
  assert(!delivery.lost.aborted);
  await delivery.ack();
});

queueTest(
  "ClusterQueue.receive() throws Empty when its time has passed",
  async () => {
    const queue = cluster.queue<string>(uniqueName());
    for (const timeout of [0, 50]) {
      await assertRejects(() => queue.receive({ timeout }), Empty, "Cannot");
      await assertRejects(() => queue.receiveMany(3, { timeout }), Empty);
    }
    await queue.put("spam");
    assertEquals((await queue.receive({ timeout: 0 })).item, "spam");
  },
);

queueTest("ClusterQueue.receive() that is aborted takes nothing", async () => {
  const queue = cluster.queue<number>(uniqueName());
  for (let i = 0; i < 20; i++) {
    const controller = new AbortController();
    const receiving = queue.receive({ signal: controller.signal });
    const put = queue.put(i);
    await delay(i / 5);
    controller.abort(new Error("stop"));
    try {
      await (await receiving).ack();
    } catch (error) {
      assertEquals((error as Error).message, "stop");
      await put;
      assertEquals(await take(queue), i);
    }
    await put;
  }
  assertEquals(await queue.qsize(), 0);
});

queueTest("ClusterQueue.put() with an id counts once", async () => {
  const queue = cluster.queue<number>(uniqueName());
  await queue.put(1, { id: "a b/é" });
  await queue.put(2, { id: "a b/é" });
  await queue.put(3, { id: "other" });
  await queue.put(4);
  await queue.put(4);
  assertEquals(await queue.qsize(), 4);
  const [first, ...others] = await queue.receiveMany(10);
  assertEquals([first.item, first.id], [1, "a b/é"]);
  assertEquals(others.map(({ id }) => id), ["other", undefined, undefined]);
});

queueTest(
  "ClusterQueue.put() waits for room, and gets it without polling",
  async () => {
    const queue = cluster.queue<number>(uniqueName(), { maxsize: 2 });
    await queue.putMany([1, 2]);
    for (const timeout of [0, 50]) {
      await assertRejects(() => queue.put(3, { timeout }), Full, "no room");
    }
    let done = 0;
    const puts = [3, 4, 5].map((n) => queue.put(n).then(() => done++));
    await delay(200);
    const delivery = await queue.receive();
    await delay(200);
    // What somebody holds takes its place.
    assertEquals(done, 0);
    const acked = performance.now();
    await delivery.ack();
    await puts[0];
    // The next look without an event would come after ten seconds.
    assert(performance.now() - acked < 9000);
    const items: number[] = [];
    while (items.length < 4) items.push(await take(queue));
    await Promise.all(puts);
    assertEquals(items, [2, 3, 4, 5]);
  },
);

queueTest(
  "ClusterQueue.put() that gives up leaves its place in the line",
  async () => {
    const queue = cluster.queue<number>(uniqueName(), { maxsize: 1 });
    await queue.put(1);
    const controller = new AbortController();
    const { signal } = controller;
    const first = assertRejects(() => queue.put(2, { signal }));
    const second = assertRejects(() => queue.put(3, { timeout: 100 }), Full);
    const third = queue.put(4);
    await second;
    controller.abort();
    await first;
    assertEquals(await take(queue), 1);
    await third;
    assertEquals(await take(queue), 4);
  },
);

queueTest("ClusterQueue.putMany() puts all items or none", async () => {
  const queue = cluster.queue<number>(uniqueName(), { maxsize: 3 });
  await queue.putMany([]);
  await queue.putMany([1, 2]);
  await assertRejects(() => queue.putMany([3, 4], { timeout: 100 }), Full);
  assertEquals(await queue.qsize(), 2);
  await assertRejects(
    () => queue.putMany([1, 2, 3, 4]),
    RangeError,
    "room for 3",
  );
  const put = queue.putMany([3, 4]);
  await take(queue);
  await put;
  const items = [await take(queue), await take(queue), await take(queue)];
  assertEquals(items, [2, 3, 4]);
  const all = cluster.queue<number>(uniqueName());
  const numbers = Array.from({ length: 1001 }, (_, i) => i);
  await assertRejects(() => all.putMany(numbers), RangeError, "up to 1000");
  await all.putMany(numbers.slice(0, 1000));
  assertEquals(await all.qsize(), 1000);
  const deliveries = await all.receiveMany(5000);
  assertEquals(deliveries.map(({ item }) => item), numbers.slice(0, 1000));
});

queueTest("ClusterQueue.receiveMany() takes what is there", async () => {
  const queue = cluster.queue<number>(uniqueName());
  const receiving = queue.receiveMany(3);
  await delay(50);
  await queue.put(0);
  assertEquals((await receiving).map(({ item }) => item), [0]);
  await queue.putMany([1, 2, 3, 4]);
  const first = await queue.receiveMany(3);
  assertEquals(first.map(({ item }) => item), [1, 2, 3]);
  assertEquals((await queue.receiveMany(3)).length, 1);
});

queueTest(
  "ClusterDelivery: what is given back is received again",
  async () => {
    const queue = cluster.queue<string>(uniqueName());
    await queue.put("spam");
    const first = await queue.receive();
    await first.nak();
    const second = await queue.receive();
    assertEquals([second.item, second.deliveries], ["spam", 2]);
    const started = performance.now();
    await second.nak({ delay: 500 });
    const third = await queue.receive();
    assert(performance.now() - started >= 450);
    assertEquals(third.deliveries, 3);
    {
      await using _ = third;
    }
    const fourth = await queue.receive();
    {
      using _ = fourth;
    }
    const fifth = await queue.receive();
    assertEquals(fifth.deliveries, 5);
    await fifth.ack();
    await queue.join();
  },
);

queueTest("ClusterDelivery can be answered once", async () => {
  const queue = cluster.queue<string>(uniqueName());
  await queue.putMany(["a", "b"]);
  const [a, b] = await queue.receiveMany(2);
  await a.ack();
  await b.nak();
  for (const delivery of [a, b]) {
    await assertRejects(
      () => delivery.ack(),
      ThreadingError,
      "answered before",
    );
    await assertRejects(
      () => delivery.nak(),
      ThreadingError,
      "answered before",
    );
    await assertRejects(() => delivery.extend(), ThreadingError, "answered");
  }
  await a[Symbol.asyncDispose]();
  a[Symbol.dispose]();
});

queueTest(
  "ClusterDelivery: a lease that ends is lost, its item comes again",
  async () => {
    const queue = cluster.queue<string>(uniqueName(), { lease: 1000 });
    await queue.put("spam");
    const delivery = await queue.receive();
    const { lost } = delivery;
    const again = await queue.receive();
    // Known here before the servers gave it to somebody else.
    assert(lost.aborted);
    assert(lost.reason instanceof ThreadingError);
    assertEquals(again.deliveries, 2);
    await assertRejects(
      () => delivery.ack(),
      ThreadingError,
      "1000 ms has ended",
    );
    await assertRejects(() => delivery.extend(), ThreadingError, "has ended");
    // It is still the other one's.
    await again.ack();
    assertEquals(await queue.qsize(), 0);
  },
);

queueTest("ClusterDelivery.extend() begins the lease anew", async () => {
  const queue = cluster.queue<string>(uniqueName(), { lease: 3000 });
  await queue.putMany(["a", "b"]);
  const a = await queue.receive();
  const b = await queue.receive({ autoExtend: true });
  for (let i = 0; i < 3; i++) {
    await delay(1100);
    await a.extend();
  }
  assert(!a.lost.aborted && !b.lost.aborted);
  await assertRejects(() => queue.receive({ timeout: 100 }), Empty);
  await a.ack();
  await b.ack();
});

queueTest(
  "ClusterQueue: after maxDeliveries an item goes to the dead ones",
  async () => {
    const name = uniqueName();
    const queue = cluster.queue<string>(name, {
      maxDeliveries: 2,
      lease: 1000,
    });
    await queue.put("bad", { id: "7" });
    await (await queue.receive()).nak();
    await (await queue.receive()).nak({ error: new RangeError("too far") });
    await queue.put("lost");
    await queue.receive();
    await queue.receive(); // when the first lease has ended; nor is it answered
    await assertRejects(() => queue.receive({ timeout: 2500 }), Empty);
    assertEquals(await queue.qsize(), 0);

    const dead = cluster.queue<string>(`${name}.dead`);
    const [bad, lost] = [await dead.receive(), await dead.receive()];
    assertEquals([bad.item, bad.id, bad.deliveries], ["bad", "7", 1]);
    assertEquals(bad.died, { error: "RangeError: too far", deliveries: 2 });
    assertEquals([lost.item, lost.id], ["lost", undefined]);
    assertMatch(lost.died!.error, /lease ended/);
    // They can be put back.
    await queue.put(bad.item);
    await bad.ack();
    assertEquals((await queue.receive()).deliveries, 1);
  },
);

queueTest("ClusterQueue: the largest item can die, too", async () => {
  const name = uniqueName();
  const queue = cluster.queue<string>(name, { maxDeliveries: 1 });
  const item = "x".repeat(1_044_000);
  const id = "\u{1f600}".repeat(80);
  await queue.put(item, { id });
  await (await queue.receive()).nak({ error: "\u{1f600}".repeat(5000) });
  const delivery = await cluster.queue<string>(`${name}.dead`).receive();
  assertEquals([delivery.item.length, delivery.id], [item.length, id]);
  assert(delivery.died!.error.startsWith("\u{1f600}"));
});

queueTest(
  "ClusterQueue.join() waits until each item is acknowledged",
  async () => {
    const queue = cluster.queue<number>(uniqueName());
    await queue.join();
    await queue.putMany([1, 2]);
    await assertRejects(() => queue.join({ timeout: 50 }), DOMException);
    let joined = false;
    const join = queue.join().then(() => joined = true);
    const [first, second] = await queue.receiveMany(2);
    await first.ack();
    await delay(100);
    assert(!joined);
    const acked = performance.now();
    await second.ack();
    await join;
    assert(performance.now() - acked < 9000);
  },
);

queueTest(
  "ClusterQueue.shutdown() ends puts at once and gets at the end",
  async () => {
    const name = uniqueName();
    const queue = cluster.queue<number>(name, { maxsize: 2 });
    await queue.putMany([1, 2]);
    const blocked = assertRejects(() => queue.put(3), ShutDown);
    await delay(50);
    await queue.shutdown();
    await queue.shutdown();
    await blocked;
    await assertRejects(() => queue.put(3), ShutDown, "was shut down");
    await assertRejects(() => queue.putMany([3, 4]), ShutDown);
    await assertRejects(() => queue.putMany([]), ShutDown);
    const another = cluster.queue<number>(name);
    await assertRejects(() => another.put(3), ShutDown);
    const first = await another.receive();
    const second = await queue.receive();
    await first.ack();
    await second.nak();
    const third = await queue.receive();
    assertEquals(third.item, 2);
    // It might come back, so the others still wait for it.
    const waiting = assertRejects(() => another.receive(), ShutDown);
    await delay(50);
    await third.ack();
    await waiting;
    await assertRejects(() => queue.receive(), ShutDown);
    await queue.join();
  },
);

queueTest("ClusterQueue.shutdown() tells a receiver that waits", async () => {
  const queue = cluster.queue<number>(uniqueName());
  const waiting = assertRejects(() => queue.receive(), ShutDown);
  await delay(100);
  const started = performance.now();
  await queue.shutdown();
  await waiting;
  assert(performance.now() - started < 4500);
});

queueTest(
  "ClusterQueue.shutdown({ immediate }) throws the items away",
  async () => {
    const queue = cluster.queue<number>(uniqueName());
    await queue.putMany([1, 2, 3]);
    const held = await queue.receive();
    const joining = queue.join();
    await queue.shutdown({ immediate: true });
    await joining;
    await assertRejects(() => queue.receive(), ShutDown);
    await held.nak();
    await assertRejects(() => queue.receive({ timeout: 100 }), ShutDown);
  },
);

queueTest("ClusterQueue is iterated until it is shut down", async () => {
  const queue = cluster.queue<number>(uniqueName());
  await queue.putMany([1, 2, 3]);
  const items: number[] = [];
  for await (const delivery of queue) {
    items.push(delivery.item);
    await delivery.ack();
    if (items.length === 3) await queue.shutdown();
  }
  assertEquals(items, [1, 2, 3]);
});

queueTest("ClusterQueue: several receivers share the items", async () => {
  const queue = cluster.queue<number>(uniqueName());
  const seen: number[] = [];
  const receivers = Array.from({ length: 8 }, async () => {
    for await (const delivery of queue) {
      seen.push(delivery.item);
      await delivery.ack();
    }
  });
  const numbers = Array.from({ length: 200 }, (_, i) => i);
  for (let i = 0; i < 200; i += 50) {
    await queue.putMany(numbers.slice(i, i + 50));
  }
  await queue.shutdown();
  await Promise.all(receivers);
  assertEquals(seen.sort((a, b) => a - b), numbers);
});

queueTest(
  "ClusterQueue refuses items that are too large or cannot be sent",
  async () => {
    const queue = cluster.queue<unknown>(uniqueName());
    const large = "x".repeat(1 << 20);
    await assertRejects(
      () => queue.put(large),
      RangeError,
      "up to 1044480 bytes",
    );
    await assertRejects(() => queue.putMany([1, large]), RangeError);
    await assertRejects(() => queue.put(() => {}), NotSendableError);
    await assertRejects(
      () => queue.putMany([1, () => {}]),
      NotSendableError,
      "item 1",
    );
    assertEquals(await queue.qsize(), 0);
    await queue.put("x".repeat(1_044_000));
  },
);

queueTest("ClusterQueue: an item is copied when it is put", async () => {
  const queue = cluster.queue<number[]>(uniqueName());
  const item = [1];
  const put = queue.put(item);
  item.push(2);
  await put;
  assertEquals(await take(queue), [1]);
});

queueTest(
  "ClusterQueue: what cannot be read is an error, and others come",
  async () => {
    const name = uniqueName();
    const queue = cluster.queue<string>(name, { maxDeliveries: 1 });
    await queue.qsize(); // makes it
    await using connection = await connect({ servers: server.address });
    const publish = (bytes: Uint8Array) =>
      jetstream(connection).publish(`skein.queue.${name}`, bytes);
    await publish(new Uint8Array([1, 2, 3]));
    await publish(new Uint8Array([0x53, 2, 0]));
    await queue.put("good");
    await assertRejects(
      () => queue.receive(),
      Deno.errors.InvalidData,
      "format",
    );
    await assertRejects(
      () => queue.receive(),
      Deno.errors.NotSupported,
      "version 2",
    );
    assertEquals(await take(queue), "good");
    const dead = cluster.queue(`${name}.dead`);
    await assertRejects(() => dead.receive(), Deno.errors.InvalidData);
    await assertRejects(() => dead.receive(), Deno.errors.NotSupported);
  },
);

queueTest("ClusterQueue: the items are in the wire format", async () => {
  const name = uniqueName();
  await cluster.queue(name).put({ a: 1 });
  await using connection = await connect({ servers: server.address });
  const manager = await jetstream(connection).jetstreamManager();
  const message = await manager.streams.getMessage(`skein_queue_${name}`, {
    seq: 1,
  });
  assertEquals(decode(message!.data, "item"), { a: 1 });
});

queueTest("ClusterQueue: one that is there keeps its options", async () => {
  const name = uniqueName();
  const options = { maxsize: 5, lease: 2000, maxDeliveries: 3 };
  await cluster.queue(name, options).put(1);
  await cluster.queue(name, options).put(1);
  await cluster.queue(name).put(1);
  for (const other of [{ maxsize: 6 }, { lease: 3000 }, { maxDeliveries: 1 }]) {
    const [[key, value]] = Object.entries(other);
    await assertRejects(
      () => cluster.queue(name, other).put(1),
      RangeError,
      `received ${value}`,
      key,
    );
  }
});

Deno.test("Cluster.queue() and its methods refuse bad input", async () => {
  if (!hasServer) return;
  const refused: Array<[unknown, unknown]> = [
    [1, undefined],
    ["", undefined],
    ["a b", undefined],
    ["a.", undefined],
    ["a*", undefined],
    ["x".repeat(101), undefined],
    ["a", 1],
    ["a", { size: 1 }],
    ["a", { maxsize: -1 }],
    ["a", { maxsize: 1.5 }],
    ["a", { maxsize: "1" }],
    ["a", { lease: 999 }],
    ["a", { lease: NaN }],
    ["a", { lease: "1s" }],
    ["a", { maxDeliveries: 0 }],
  ];
  for (const [name, options] of refused) {
    assertThrows(
      () => cluster.queue(name as string, options as never),
      Error,
      "Cannot open a queue of a cluster: ",
    );
  }
  const queue = cluster.queue<unknown>(uniqueName());
  const calls = [
    () => queue.put(1, 1 as never),
    () => queue.put(1, { Id: "x" } as never),
    () => queue.put(1, { id: 1 } as never),
    () => queue.put(1, { id: "" }),
    () => queue.put(1, { id: "\ud800" }),
    () => queue.put(1, { id: "x".repeat(1001) }),
    () => queue.put(1, { id: "\u{1f600}".repeat(100) }),
    () => queue.put(1, { timeout: -1 }),
    () => queue.put(1, { signal: 1 } as never),
    () => queue.putMany(1 as never),
    () => queue.putMany([1], { id: "x" } as never),
    () => queue.receive({ timeout: NaN }),
    () => queue.receive({ autoextend: true } as never),
    () => queue.receive({ autoExtend: 1 } as never),
    () => queue.receiveMany(0),
    () => queue.receiveMany("1" as never),
    () => queue.qsize(1 as never),
    () => queue.join({ immediate: true } as never),
    () => queue.shutdown({ now: true } as never),
  ];
  for (const call of calls) {
    await assertRejects(call, Error, "Cannot ", String(call));
  }
  await queue.put(1);
  const delivery = await queue.receive();
  await assertRejects(() => delivery.nak({ delay: -1 }), RangeError);
  await assertRejects(() => delivery.nak({ why: "" } as never), TypeError);
  await assertRejects(() => delivery.ack(1 as never), TypeError);
  await delivery.ack();
});
