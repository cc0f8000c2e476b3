import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Cluster } from "../../cluster/mod.ts";
import { Empty, Full, ShutDown, SimpleQueue } from "../../queue/mod.ts";
import { Thread, ThreadingError } from "../../threading/mod.ts";
import {
  configuration,
  delay,
  freePort,
  hasServer,
  Server,
  serverTest,
  uniqueName,
} from "./server.ts";
import { consume, hold, wait } from "./sync_fixture.ts";

let server: Server;
let cluster: Cluster;
/** A program that leaves its cluster open, and takes its time to load. */
let program: Promise<Deno.CommandOutput>;

if (hasServer) {
  Deno.test.beforeAll(async () => {
    server = await Server.start();
    program = leaveOpen(server.address);
    cluster = Cluster.connectSync(server.address);
  });
  Deno.test.afterAll(async () => {
    await cluster.close();
    await server[Symbol.asyncDispose]();
  });
}

function leaveOpen(address: string): Promise<Deno.CommandOutput> {
  const url = new URL("../../cluster/mod.ts", import.meta.url);
  return new Deno.Command("deno", {
    args: [
      "eval",
      `--config=${new URL("../../deno.json", import.meta.url).pathname}`,
      `
      import { Cluster } from "${url}";
      const cluster = Cluster.connectSync("${address}");
      cluster.queue("ended").putSync(1);
    `,
    ],
    signal: AbortSignal.timeout(60_000),
  }).output();
}

Deno.test("Cluster.connectSync() gives up, and says what is wrong", async () => {
  const address = `127.0.0.1:${freePort()}`;
  const error = assertThrows(
    () => Cluster.connectSync(address, { timeout: 300 }),
    DOMException,
    "300 ms have passed",
  );
  assertEquals(error.name, "TimeoutError");
  const signal = AbortSignal.abort();
  assertThrows(
    () => Cluster.connectSync(address, { signal } as never),
    TypeError,
    'received "signal"',
  );
  if (!hasServer) return;
  await using server = await Server.start({
    config: configuration("users.conf"),
  });
  assertThrows(
    () => Cluster.connectSync(server.address, { user: "a", password: "b" }),
    Deno.errors.PermissionDenied,
    "the user a",
  );
});

serverTest(
  "ClusterQueue: the blocking forms do what the others do",
  async () => {
    const name = uniqueName();
    const queue = cluster.queue<unknown>(name, { maxsize: 3 });
    queue.putSync({ n: 1 }, { id: "x" });
    queue.putSync({ n: 1 }, { id: "x" });
    assertEquals(queue.qsizeSync(), 1);
    const delivery = queue.receiveSync();
    assertEquals([delivery.item, delivery.id], [{ n: 1 }, "x"]);
    delivery.extendSync();
    delivery.nakSync();
    const again = queue.receiveSync();
    assertEquals(again.deliveries, 2);
    again.ackSync();
    assertThrows(() => again.ackSync(), ThreadingError, "answered before");
    for (const timeout of [0, 50]) {
      assertThrows(() => queue.receiveSync({ timeout }), Empty);
      assertThrows(() => queue.receiveManySync(2, { timeout }), Empty);
    }
    queue.putManySync([1, 2, 3]);
    assertThrows(() => queue.putSync(4, { timeout: 50 }), Full);
    assertThrows(() => queue.joinSync({ timeout: 50 }), DOMException);
    {
      using _ = queue.receiveSync();
    }
    // The others see the same queue.
    const items = [];
    for (let i = 0; i < 3; i++) {
      const delivery = await queue.receive();
      items.push(delivery.item);
      delivery.ackSync();
    }
    assertEquals(items.sort(), [1, 2, 3]);
    queue.joinSync();
    await queue.put(5);
    await queue.receiveSync().ack();
    queue.shutdownSync();
    assertThrows(() => queue.putSync(6), ShutDown);
    assertEquals([...queue], []);
  },
);

serverTest("ClusterQueue: threads that block share the items", async () => {
  const name = uniqueName();
  const queue = cluster.queue<number>(name);
  const threads = [1, 2].map(() =>
    new Thread({ target: consume, args: [server.address, name] as const })
  );
  for (const thread of threads) thread.start();
  const numbers = Array.from({ length: 40 }, (_, i) => i);
  for (const n of numbers) queue.putSync(n);
  queue.joinSync();
  queue.shutdownSync();
  const got = [...await threads[0].join(), ...await threads[1].join()];
  assertEquals(got.sort((a, b) => a - b), numbers);
});

serverTest("ClusterLock: a lease in a thread that blocks is renewed", () => {
  const lock = cluster.lock(uniqueName(), { lease: 1500 });
  {
    using lease = lock.acquireSync();
    const end = performance.now() + 2200;
    while (performance.now() < end) assert(!lease.lost.aborted);
    assertThrows(() => lock.acquireSync({ timeout: 0 }), DOMException);
  }
  const lease = lock.acquireSync({ timeout: 5000 });
  lease.releaseSync();
  lease.releaseSync();
  lock.acquireSync({ timeout: 0 }).releaseSync();
  return Promise.resolve();
});

serverTest("ClusterLock: one that a form took the other releases", async () => {
  const lock = cluster.lock(uniqueName(), { lease: 10_000 });
  const tokens: bigint[] = [];
  const first = lock.acquireSync();
  tokens.push(first.token);
  await first.release();
  const second = await lock.acquire({ timeout: 2000 });
  tokens.push(second.token);
  second.releaseSync();
  const third = lock.acquireSync({ timeout: 2000 });
  tokens.push(third.token);
  assertEquals([...tokens].sort((a, b) => Number(a - b)), tokens);
  await third.release();
});

serverTest("ClusterLock: the end of a thread ends its leases", async () => {
  const name = uniqueName();
  const told = new SimpleQueue<bigint>();
  const args = [server.address, name, told] as const;
  const thread = new Thread({ target: hold, args });
  thread.start();
  const token = await told.get();
  await assertRejects(
    () => cluster.lock(name).acquire({ timeout: 2500 }),
    DOMException,
  );
  thread.terminate();
  await assertRejects(() => thread.join());
  const lease = await cluster.lock(name).acquire({ timeout: 20_000 });
  assert(lease.token > token);
  await lease.release();
});

serverTest("ClusterQueue: the end of a thread loses no item", async () => {
  const name = uniqueName();
  const queue = cluster.queue<string>(name, { lease: 1500 });
  await queue.qsize();
  const told = new SimpleQueue<string>();
  const args = [server.address, name, told] as const;
  const thread = new Thread({ target: wait, args });
  thread.start();
  assertEquals(await told.get(), "waiting");
  await queue.put("spam");
  assertEquals(await told.get(), "spam");
  thread.terminate();
  await assertRejects(() => thread.join());
  const delivery = await queue.receive({ timeout: 20_000 });
  assertEquals(delivery.item, "spam");
  assert(delivery.deliveries >= 2);
  await delivery.ack();
});

serverTest("ClusterMap: the blocking forms do what the others do", async () => {
  const map = cluster.map<number>(uniqueName());
  const revision = map.setSync("a", 1);
  assertEquals(map.getSync("a"), { value: 1, revision });
  assertEquals(map.setSync("a", 2, { revision: 0 }), undefined);
  assertEquals(map.updateSync("a", (old = 0) => old + 1)?.value, 2);
  assertEquals(map.keysSync(), ["a"]);
  assertEquals((await map.get("a"))?.value, 2);
  assertEquals(map.updateSync("a", (_, remove) => remove), undefined);
  assertEquals([map.getSync("a"), map.deleteSync("a")], [undefined, false]);
});

serverTest(
  "Cluster: the blocking forms go on when the server comes again",
  async () => {
    await using server = await Server.start();
    await using cluster = Cluster.connectSync(server.address);
    assert(cluster.connected());
    const queue = cluster.queue<string>("jobs");
    queue.putSync("before");
    await server.kill();
    while (cluster.connected()) await delay(10);
    const error = assertThrows(() => queue.putSync("late", { timeout: 100 }));
    assertEquals((error as Error).name, "TimeoutError");
    await server.restart();
    assertEquals(queue.receiveSync().item, "before");
  },
);

serverTest(
  "Cluster.connectSync() does not keep the program running",
  async () => assertEquals((await program).code, 0),
);
