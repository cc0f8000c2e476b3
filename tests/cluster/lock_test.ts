import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Cluster } from "../../cluster/mod.ts";
import { ThreadingError } from "../../threading/mod.ts";
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
let other: Cluster;

if (hasServer) {
  Deno.test.beforeAll(async () => {
    server = await Server.start();
    cluster = await Cluster.connect(server.address);
    other = await Cluster.connect(server.address);
  });
  Deno.test.afterAll(async () => {
    await cluster.close();
    await other.close();
    await server[Symbol.asyncDispose]();
  });
}

serverTest(
  "Lease: a thread that does not return to its loop is told",
  async () => {
    const lease = await cluster.lock(uniqueName(), { lease: 1000 }).acquire();
    const end = performance.now() + 1000;
    while (performance.now() < end);
    assert(lease.lost.aborted);
    assertThrows(
      () => lease.lost.throwIfAborted(),
      ThreadingError,
      "Cannot keep",
    );
  },
);

const lockTest = overlapping("ClusterLock and Lease");

lockTest("ClusterLock: tokens rise, whoever takes the lock", async () => {
  const name = uniqueName();
  const tokens: bigint[] = [];
  for (const one of [cluster, cluster, other, cluster]) {
    const lock = one.lock(name);
    for (let i = 0; i < 2; i++) {
      await using lease = await lock.acquire();
      tokens.push(lease.token);
      assert(!lease.lost.aborted);
    }
  }
  assertEquals(tokens, [...new Set(tokens)].sort((a, b) => Number(a - b)));
});

lockTest(
  "ClusterLock: one holds it, the others wait and are woken",
  async () => {
    const name = uniqueName();
    let holders = 0;
    let count = 0;
    await Promise.all([cluster, other, cluster, other].map(async (one) => {
      const lock = one.lock(name);
      for (let i = 0; i < 10; i++) {
        await using lease = await lock.acquire();
        assertEquals(++holders, 1);
        count++;
        await delay(1);
        assert(!lease.lost.aborted);
        holders--;
      }
    }));
    assertEquals(count, 40);
    const lease = await cluster.lock(name).acquire();
    const waiting = other.lock(name).acquire();
    await delay(200);
    const released = performance.now();
    await lease.release();
    await (await waiting).release();
    // Nobody polls: the next look without an event would come after ten seconds.
    assert(performance.now() - released < 9000);
  },
);

lockTest(
  "ClusterLock.acquire() gives up when its time has passed",
  async () => {
    const name = uniqueName();
    const lease = await cluster.lock(name).acquire();
    const lock = other.lock(name);
    for (const timeout of [0, 50]) {
      const error = await assertRejects(
        () => lock.acquire({ timeout }),
        DOMException,
        "Cannot acquire a lock of a cluster",
      );
      assertEquals(error.name, "TimeoutError");
    }
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = assertRejects(
      () => lock.acquire({ signal }),
      Error,
      "stop",
    );
    const second = lock.acquire();
    await delay(20);
    controller.abort(new Error("stop"));
    await aborted;
    await lease.release();
    await (await second).release();
    await (await lock.acquire({ timeout: 0 })).release();
  },
);

lockTest(
  "ClusterLock.acquire() that is aborted leaves nobody with the lock",
  async () => {
    const lock = cluster.lock(uniqueName(), { lease: 20_000 });
    for (let i = 0; i < 20; i++) {
      const controller = new AbortController();
      const { signal } = controller;
      const acquiring = lock.acquire({ signal });
      await delay(i / 8);
      controller.abort();
      await acquiring.then((lease) => lease.release(), () => {});
    }
    const started = performance.now();
    await (await lock.acquire()).release();
    assert(performance.now() - started < 10_000);
  },
);

lockTest(
  "Lease is renewed until it is released, and then not lost",
  async () => {
    const lock = cluster.lock(uniqueName(), { lease: 1000 });
    const lease = await lock.acquire();
    const { lost } = lease;
    await delay(2500);
    assert(!lost.aborted);
    await assertRejects(() => lock.acquire({ timeout: 0 }), DOMException);
    await lease.release();
    await lease.release();
    await delay(1200);
    assert(!lost.aborted && !lease.lost.aborted);
  },
);

lockTest("Lease is lost before another one gets the lock", async () => {
  await using server = await Server.start();
  await using holder = await Cluster.connect(server.address);
  await using waiter = await Cluster.connect(server.address);
  const lease = await holder.lock("a", { lease: 2000 }).acquire();
  const waiting = waiter.lock("a", { lease: 2000 }).acquire();
  let lostAt = 0;
  lease.lost.addEventListener("abort", () => lostAt = performance.now());
  await holder.close();
  const next = await waiting;
  assert(lostAt > 0 && lostAt < performance.now());
  assert(lease.lost.reason instanceof ThreadingError);
  assert(next.token > lease.token);
  await next.release();
  await lease.release();
});

lockTest("Lease ends with its block", async () => {
  const lock = cluster.lock(uniqueName());
  {
    await using _ = await lock.acquire();
  }
  {
    using _ = await lock.acquire({ timeout: 0 });
  }
  await (await lock.acquire({ timeout: 2000 })).release();
});

Deno.test("Cluster.lock() and its methods refuse bad input", async () => {
  if (!hasServer) return;
  for (
    const [name, options] of [
      [1, undefined],
      ["a b", undefined],
      ["a", 1],
      ["a", { lease: 500 }],
      ["a", { lease: "1" }],
      ["a", { leese: 5000 }],
    ]
  ) {
    assertThrows(
      () => cluster.lock(name as string, options as never),
      Error,
      "Cannot open a lock of a cluster: ",
    );
  }
  const lock = cluster.lock(uniqueName());
  await assertRejects(() => lock.acquire({ timeout: -1 }), RangeError);
  await assertRejects(() => lock.acquire(1 as never), TypeError);
  const lease = await lock.acquire();
  await assertRejects(() => lease.release({ time: 1 } as never), TypeError);
  await lease.release();
});
