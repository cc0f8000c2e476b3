import { assert, assertEquals, assertRejects } from "@std/assert";
import { Cluster } from "../../cluster/mod.ts";
import { ThreadingError } from "../../threading/mod.ts";
import { delay, freePort, Server, serverTest, uniqueName } from "./server.ts";

const pem = (name: string) =>
  Deno.readTextFileSync(new URL(`tls/${name}`, import.meta.url));
const path = (name: string) => new URL(`tls/${name}`, import.meta.url).pathname;

/** The next event of a kind. */
function event(cluster: Cluster, type: string): Promise<void> {
  return new Promise((resolve) =>
    cluster.addEventListener(type, () => resolve(), { once: true })
  );
}

Deno.test("Cluster.connect() refuses what it is given wrongly", async () => {
  const calls: Array<[unknown, unknown, typeof TypeError | typeof RangeError]> =
    [
      [undefined, undefined, TypeError],
      [[], undefined, TypeError],
      [[1], undefined, TypeError],
      ["", undefined, TypeError],
      ["a", 1, TypeError],
      ["a", { pasword: "x" }, TypeError],
      ["a", { user: 1 }, TypeError],
      ["a", { tls: "ca" }, TypeError],
      ["a", { tls: { certificate: "" } }, TypeError],
      ["a", { tls: { ca: 1 } }, TypeError],
      ["a", { replicas: 2 }, RangeError],
      ["a", { storage: "tape" }, TypeError],
      ["a", { timeout: -1 }, RangeError],
      ["a", { timeout: "1" }, TypeError],
      ["a", { signal: 1 }, TypeError],
    ];
  for (const [servers, options, expected] of calls) {
    await assertRejects(
      () => Cluster.connect(servers as string, options as never),
      expected,
      "Cannot connect to a cluster: ",
    );
  }
});

Deno.test("Cluster.connect() gives up when its time has passed", async () => {
  const address = `127.0.0.1:${freePort()}`;
  const error = await assertRejects(
    () => Cluster.connect(address, { timeout: 300 }),
    DOMException,
    "300 ms have passed (connection refused)",
  );
  assertEquals(error.name, "TimeoutError");
  const signal = AbortSignal.timeout(100);
  const aborted = await assertRejects(() =>
    Cluster.connect(address, { signal })
  );
  assert(aborted === signal.reason);
});

/** Answers as a server of some version would, which has a JetStream or none. */
function pretend(version: string, jetstream: boolean) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const info = JSON.stringify({
    server_id: "X",
    server_name: "pretended",
    version,
    jetstream,
    headers: true,
    max_payload: 1 << 20,
    proto: 1,
    go: "",
    host: "127.0.0.1",
    port: listener.addr.port,
  });
  (async () => {
    for await (const connection of listener) {
      (async () => {
        await connection.write(new TextEncoder().encode(`INFO ${info}\r\n`));
        const buffer = new Uint8Array(4096);
        for (let n; (n = await connection.read(buffer)) !== null;) {
          const text = new TextDecoder().decode(buffer.subarray(0, n));
          const pings = text.match(/^PING/gm)?.length ?? 0;
          const pong = new TextEncoder().encode("PONG\r\n".repeat(pings));
          if (pings > 0) await connection.write(pong);
        }
        connection.close();
      })().catch(() => {});
    }
  })();
  return {
    address: `127.0.0.1:${listener.addr.port}`,
    [Symbol.dispose]: () => listener.close(),
  };
}

Deno.test("Cluster.connect() refuses servers that are too old", async () => {
  for (const version of ["2.9.25", "2.11.99", "1.20.0"]) {
    using server = pretend(version, true);
    await assertRejects(
      () => Cluster.connect(server.address, { timeout: 10_000 }),
      Deno.errors.NotSupported,
      `it takes nats-server 2.12.0 or later, received ${version}`,
    );
  }
  using server = pretend("2.12.0-RC.1", true);
  await using cluster = await Cluster.connect(server.address);
  assert(cluster.connected());
  using without = pretend("3.0.0", false);
  await assertRejects(
    () => Cluster.connect(without.address),
    Deno.errors.NotSupported,
    "JetStream",
  );
});

serverTest("Cluster.connect() takes the server that is there", async () => {
  await using server = await Server.start();
  const none = `127.0.0.1:${freePort()}`;
  await using cluster = await Cluster.connect([none, server.address]);
  assert(cluster.connected());
  await cluster.close();
  assert(!cluster.connected());
  await assertRejects(
    () => cluster.queue("jobs").put(1),
    Error,
    "Cannot put an item: the cluster has been closed",
  );
});

serverTest("Cluster.close() ends the calls that wait", async () => {
  await using server = await Server.start();
  const cluster = await Cluster.connect(server.address);
  const queue = cluster.queue<number>("jobs", { maxsize: 1 });
  await queue.put(1);
  await queue.receive();
  const lease = await cluster.lock("a").acquire();
  const waiting = [
    queue.receive(),
    queue.put(2),
    queue.join(),
    cluster.lock("a").acquire(),
  ].map((promise) => assertRejects(() => promise, ThreadingError, "closed"));
  await delay(100);
  await cluster.close();
  await Promise.all(waiting);
  await assertRejects(() => lease.release(), ThreadingError, "closed");
});

serverTest(
  "Cluster.connect() waits for a server that starts later",
  async () => {
    const port = freePort();
    const connecting = Cluster.connect(`127.0.0.1:${port}`, {
      timeout: 60_000,
    });
    await delay(300);
    await using _server = await Server.start({ port });
    await using cluster = await connecting;
    assert(cluster.connected());
  },
);

serverTest(
  "Cluster says when it is disconnected and connected again",
  async () => {
    await using server = await Server.start();
    await using cluster = await Cluster.connect(server.address);
    const queue = cluster.queue<string>(uniqueName());
    await queue.put("before");
    const lost = event(cluster, "disconnected");
    await server.kill();
    await lost;
    assert(!cluster.connected());
    const again = event(cluster, "connected");
    const put = queue.put("meanwhile");
    await assertRejects(() => queue.qsize({ timeout: 100 }), DOMException);
    await server.restart();
    await again;
    await put;
    assert(cluster.connected());
    // The store was kept.
    assertEquals(await queue.qsize(), 2);
  },
);

serverTest("Cluster.connect() says that the password is wrong", async () => {
  await using server = await Server.start({ config: "users.conf" });
  const { address } = server;
  await assertRejects(
    () => Cluster.connect(address, { user: "admin", password: "wrong" }),
    Deno.errors.PermissionDenied,
    "received the user admin",
  );
  await assertRejects(
    () => Cluster.connect(address),
    Deno.errors.PermissionDenied,
    "received neither user nor token",
  );
  await assertRejects(
    () => Cluster.connect(address, { token: "wrong" }),
    Deno.errors.PermissionDenied,
    "received a token",
  );
});

serverTest("Cluster: a user may do what the servers let him", async () => {
  await using server = await Server.start({ config: "users.conf" });
  const { address } = server;
  await using admin = await Cluster.connect(address, {
    user: "admin",
    password: "change-me",
  });
  await using worker = await Cluster.connect(address, {
    user: "worker",
    password: "change-me-too",
  });
  await admin.queue("jobs").put("spam");
  const queue = worker.queue("jobs");
  const delivery = await queue.receive();
  assertEquals(delivery.item, "spam");
  await delivery.ack();
  await queue.join();
  await assertRejects(
    () => queue.put("eggs"),
    Deno.errors.PermissionDenied,
    "Cannot put an item: the server does not let this user publish to a subject, received skein.queue.jobs",
  );
  await assertRejects(
    () => worker.queue("other").put("eggs"),
    Deno.errors.PermissionDenied,
    "$JS.API.STREAM.INFO.skein_queue_other",
  );
});

const DOCS = new URL("../../docs/cluster.md", import.meta.url);

/** What the table of permissions grants for a task, to a name. */
function grants(task: string, name: string): [string[], string[]] {
  const line = Deno.readTextFileSync(DOCS).split("\n")
    .find((line) => line.startsWith(`| ${task} `))!;
  const [, , publish, subscribe] = line.split("|").map((cell) =>
    [...cell.matchAll(/`(.*?)`/g)].map(([, subject]) =>
      subject.replace("NAME", name)
    )
  );
  return [publish, subscribe];
}

function user(name: string, tasks: string[]): string {
  const all = tasks.map((task) => grants(task, "jobs"));
  const list = (n: 0 | 1) => JSON.stringify(all.flatMap((both) => both[n]));
  return `{ user: ${name}, password: x, permissions: { publish: ${
    list(0)
  }, subscribe: ${list(1)} } }`;
}

const QUEUE = ["do anything", "open a queue"];
const TASKS: Record<string, string[]> = {
  maker: [...QUEUE, "make a queue"],
  producer: [...QUEUE, "put"],
  consumer: [...QUEUE, "receive"],
  ender: [...QUEUE, "shut down a queue"],
  locker: ["do anything", "use a lock", "make the first lock"],
  mapper: ["do anything", "use a map", "make a map", "read all keys, watch"],
};

serverTest("Cluster: the permissions of docs/cluster.md suffice", async () => {
  const config = await Deno.makeTempFile({ dir: "/tmp", suffix: ".conf" });
  await Deno.writeTextFile(
    config,
    `jetstream { store_dir: $NATS_STORE }\nauthorization { users: [${
      Object.entries(TASKS).map(([name, tasks]) => user(name, tasks))
    }] }`,
  );
  try {
    await using server = await Server.start({ config });
    const { address } = server;
    const as = (user: string) =>
      Cluster.connect(address, { user, password: "x" });
    await using maker = await as("maker");
    await maker.queue("jobs", { maxsize: 1 }).qsize();
    await using producer = await as("producer");
    const put = producer.queue<number>("jobs");
    await put.put(1);
    const second = put.put(2);
    await using consumer = await as("consumer");
    for (const n of [1, 2]) {
      const delivery = await consumer.queue<number>("jobs").receive();
      assertEquals(delivery.item, n);
      await delivery.extend();
      await delivery.ack();
      if (n === 1) await second;
    }
    await put.join();
    await using ender = await as("ender");
    await ender.queue("jobs").shutdown({ immediate: true });
    await using locker = await as("locker");
    const lease = await locker.lock("jobs").acquire();
    const waiting = locker.lock("jobs").acquire();
    await delay(50);
    await lease.release();
    await (await waiting).release();
    await using mapper = await as("mapper");
    const map = mapper.map<number>("jobs");
    await map.update("a", (old = 0) => old + 1);
    assertEquals(await map.keys(), ["a"]);
    for await (const change of map.watch()) {
      assertEquals(change.value, 1);
      break;
    }
    await map.delete("a");
    await assertRejects(
      () => locker.queue("jobs").put(1),
      Deno.errors.PermissionDenied,
    );
  } finally {
    await Deno.remove(config);
  }
});

const TLS = [
  "--tls",
  "--tlscert",
  path("server.pem"),
  "--tlskey",
  path("server.key"),
];

serverTest("Cluster.connect() over TLS, with a CA of one's own", async () => {
  await using server = await Server.start({ args: TLS });
  const { address } = server;
  await using cluster = await Cluster.connect(address, {
    tls: { ca: pem("ca.pem") },
  });
  const queue = cluster.queue("jobs");
  await queue.put("spam");
  assertEquals((await queue.receive()).item, "spam");
  for (const tls of [true, undefined, { ca: pem("other_ca.pem") }]) {
    await assertRejects(
      () => Cluster.connect(address, { tls, timeout: 20_000 }),
      Deno.errors.InvalidData,
      "TLS",
    );
  }
});

serverTest(
  "Cluster.connect() over TLS, with a certificate of the client",
  async () => {
    await using server = await Server.start({
      args: [...TLS, "--tlsverify", "--tlscacert", path("ca.pem")],
    });
    const { address } = server;
    const ca = pem("ca.pem");
    const tls = { ca, cert: pem("client.pem"), key: pem("client.key") };
    await using cluster = await Cluster.connect(address, { tls });
    assert(cluster.connected());
    await assertRejects(
      () => Cluster.connect(address, { tls: { ca }, timeout: 20_000 }),
      Deno.errors.InvalidData,
    );
  },
);

serverTest(
  "Cluster.connect() refuses TLS that a server does not have",
  async () => {
    await using server = await Server.start();
    await assertRejects(
      () => Cluster.connect(server.address, { tls: true, timeout: 20_000 }),
      Deno.errors.InvalidData,
      "TLS",
    );
  },
);

serverTest("Cluster: replicas need several servers", async () => {
  await using server = await Server.start();
  await using cluster = await Cluster.connect(server.address, { replicas: 3 });
  await assertRejects(
    () => cluster.queue("jobs").put(1),
    RangeError,
    "several servers",
  );
  await assertRejects(
    () => cluster.map("counts").get("a"),
    RangeError,
    "several servers",
  );
  await assertRejects(
    () => cluster.lock("a").acquire(),
    RangeError,
    "several servers",
  );
});
