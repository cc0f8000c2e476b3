import { assert, assertEquals, assertRejects } from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";
import { connect } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import { Cluster } from "../../cluster/mod.ts";
import {
  delay,
  freePort,
  overlapping,
  Server,
  Servers,
  STRESS,
  uniqueName,
  Way,
} from "./server.ts";

const PROGRAM = new URL("fault_program.ts", import.meta.url).pathname;

/** A process of `fault_program.ts`. */
class Program implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly done: Promise<void>;
  readonly #child: Deno.ChildProcess;

  constructor(...args: string[]) {
    this.#child = new Deno.Command("deno", {
      args: ["run", "--no-check", "--allow-net", PROGRAM, ...args],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    this.done = this.#read();
  }

  async #read(): Promise<void> {
    const lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) this.lines.push(line);
    await this.#child.status;
  }

  /** Waits for a line that begins so. */
  async line(beginning: string): Promise<string> {
    for (;;) {
      const line = this.lines.find((line) => line.startsWith(beginning));
      if (line !== undefined) return line;
      await delay(10);
    }
  }

  /** The numbers of the lines that begin so. */
  numbers(beginning: string): number[] {
    return this.lines.filter((line) => line.startsWith(beginning))
      .map((line) => Number(line.slice(beginning.length)));
  }

  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.done;
  }
}

/** The server that leads a stream. */
async function leaderOf(
  servers: Servers,
  stream: string,
  among: readonly Server[] = servers.all,
): Promise<Server> {
  const addresses = among.map(({ address }) => address);
  for (;;) {
    try {
      await using connection = await connect({ servers: addresses });
      const manager = await jetstreamManager(connection);
      const { cluster } = await manager.streams.info(stream);
      const number = Number(cluster?.leader?.slice("node-".length));
      const leader = servers.all[number - 1];
      if (among.includes(leader)) return leader;
    } catch {
      // An election is going on.
    }
    await delay(100);
  }
}

/** Which of the numbers below a limit are missing, and how many came again. */
function account(got: readonly number[], limit: number) {
  const seen = new Set(got);
  const lost = Array.from({ length: limit }, (_, n) => n)
    .filter((n) => !seen.has(n));
  return { lost, doubled: got.length - seen.size };
}

const fault = overlapping("faults:");

fault(
  "nothing is lost with consumers, producers and a server",
  async () => {
    const count = 300 * STRESS;
    await using server = await Server.start();
    await using cluster = await Cluster.connect(server.address);
    const name = uniqueName();
    const queue = cluster.queue<number>(name, { lease: 1500 });
    await queue.qsize();
    const all: Program[] = [];
    const start = (...args: string[]) => {
      const program = new Program(
        args[0],
        server.address,
        name,
        ...args.slice(1),
      );
      all.push(program);
      return program;
    };
    let producer = start("produce", "0", String(count));
    let consumers = [start("consume"), start("consume")];
    let producing = true;
    for (let fault = 0; fault < 3 || producing; fault++) {
      await Promise.all([producer, ...consumers].map((p) =>
        Promise.race([
          p.line(p === producer ? "put" : "got"),
          p.done,
          delay(5000),
        ])
      ));
      if (STRESS > 1) await delay(2000);
      if (fault % 3 === 0) {
        consumers[0].signal("SIGKILL");
        consumers = [consumers[1], start("consume")];
      } else if (fault % 3 === 1) {
        await server.kill();
        await server.restart();
      } else {
        producer.signal("SIGKILL");
        await producer.done;
        // What may have been put is put once more, under the same id.
        const next = all.flatMap((p) => p.numbers("put "))
          .reduce((most, n) => Math.max(most, n), -1) + 1;
        producing = next < count;
        producer = start("produce", String(next), String(count));
      }
    }
    await producer.done;
    await queue.join({ timeout: 120_000 * STRESS });
    await Promise.all(consumers.map((c) => c[Symbol.asyncDispose]()));
    await Promise.all(all.map((program) => program[Symbol.asyncDispose]()));
    const { lost, doubled } = account(
      all.flatMap((p) => p.numbers("got ")),
      count,
    );
    console.log(`of ${count} items ${doubled} came twice`);
    assertEquals(lost, []);
  },
);

/**
 * Puts and receives while the leader of the queue's stream is disturbed again and
 * again: every item comes.
 */
async function losesNothing(
  servers: Servers,
  faults: number,
  disturb: (leader: Server, fault: number, stream: string) => Promise<void>,
): Promise<void> {
  const count = 200 * STRESS;
  const options = { replicas: 3, timeout: 60_000 };
  await using cluster = await Cluster.connect(servers.addresses, options);
  const name = uniqueName();
  const queue = cluster.queue<number>(name, { lease: 2000 });
  await queue.qsize();
  const got: number[] = [];
  const consuming = (async () => {
    for await (const delivery of queue) {
      got.push(delivery.item);
      await delivery.ack().catch(() => {});
    }
  })();
  const disturbing = (async () => {
    for (let fault = 0; fault < faults; fault++) {
      await delay(300);
      const stream = `skein_queue_${name}`;
      await disturb(await leaderOf(servers, stream), fault, stream);
    }
  })();
  for (let n = 0; n < count; n++) {
    await queue.put(n);
    if (n % 20 === 0) await delay(20);
  }
  await disturbing;
  await queue.shutdown();
  await consuming;
  const { lost, doubled } = account(got, count);
  console.log(`of ${count} items ${doubled} came twice`);
  assertEquals(lost, []);
}

fault(
  "nothing is lost when the leader is killed or stopped",
  async () => {
    await using servers = await Servers.start();
    await losesNothing(servers, 2 * STRESS, async (leader, fault) => {
      if (fault % 2 === 0) {
        await leader.kill();
        await delay(1500);
        await leader.restart();
      } else {
        leader.signal("SIGSTOP");
        await delay(3000);
        leader.signal("SIGCONT");
      }
    });
  },
);

fault(
  "nothing is lost when the leader is cut off from the other servers",
  async () => {
    await using servers = await Servers.start({ separable: true });
    await losesNothing(servers, STRESS, async (leader, _, stream) => {
      servers.isolate(leader);
      // The others elect another one; whoever talks to this one waits.
      const others = servers.all.filter((server) => server !== leader);
      await leaderOf(servers, stream, others);
      await delay(500);
      servers.join();
    });
  },
);

fault(
  "a holder whose server is cut off from the others loses the lock in time",
  async () => {
    await using servers = await Servers.start({ separable: true });
    const options = { replicas: 3, timeout: 60_000 };
    const name = uniqueName();
    await using cluster = await Cluster.connect(servers.addresses, options);
    await (await cluster.lock(name).acquire()).release();
    const minority = servers.all[0];
    const rest = servers.all.slice(1).map(({ address }) => address);
    await using far = await Cluster.connect(minority.address, options);
    await using near = await Cluster.connect(rest, options);
    const lease = await far.lock(name, { lease: 2000 }).acquire();
    let lostAt = Infinity;
    lease.lost.addEventListener("abort", () => lostAt = performance.now());
    servers.isolate(minority);
    const next = await near.lock(name).acquire();
    assert(lostAt <= performance.now());
    assert(next.token > lease.token);
    servers.join();
    await next.release();
    await (await far.lock(name).acquire()).release();
  },
);

fault(
  "a holder that was stopped does not believe that it holds",
  async () => {
    await using server = await Server.start();
    await using cluster = await Cluster.connect(server.address);
    const name = uniqueName();
    await using holder = new Program("hold", server.address, name, "1500");
    const token = BigInt((await holder.line("token")).slice(6));
    await holder.line("held");
    holder.signal("SIGSTOP");
    const lease = await cluster.lock(name, { lease: 5000 }).acquire();
    const taken = Date.now();
    assert(lease.token > token);
    holder.signal("SIGCONT");
    await holder.line("lost");
    const last = holder.numbers("held ").at(-1)!;
    assert(last < taken, `held at ${last}, taken at ${taken}`);
    await lease.release();
  },
);

fault(
  "the lock of a holder that was killed is free when its lease ends",
  async () => {
    await using server = await Server.start();
    await using cluster = await Cluster.connect(server.address);
    const name = uniqueName();
    await using holder = new Program("hold", server.address, name, "2000");
    await holder.line("held");
    const acquiring = cluster.lock(name).acquire();
    holder.signal("SIGKILL");
    const killed = performance.now();
    const lease = await acquiring;
    // The end of the lease is an event; the next look would come later.
    assert(performance.now() - killed < 9000);
    await lease.release();
  },
);

fault(
  "a holder that is cut off loses the lock in time",
  async () => {
    await using server = await Server.start();
    using way = new Way(server.port);
    await using near = await Cluster.connect(server.address);
    await using far = await Cluster.connect(way.address);
    const name = uniqueName();
    const lease = await far.lock(name, { lease: 1500 }).acquire();
    await delay(800); // it has been renewed
    let lostAt = 0;
    lease.lost.addEventListener("abort", () => lostAt = performance.now());
    const waiting = near.lock(name).acquire();
    way.cut();
    const next = await waiting;
    assert(lostAt > 0 && lostAt <= performance.now());
    assert(next.token > lease.token);
    way.mend();
    await next.release();
    await (await far.lock(name).acquire()).release();
  },
);

fault(
  "calls go on when the way to the server is mended",
  async () => {
    await using server = await Server.start();
    using way = new Way(server.port);
    await using near = await Cluster.connect(server.address);
    await using far = await Cluster.connect(way.address);
    const name = uniqueName();
    const queue = far.queue<number>(name);
    await queue.put(0);
    const received: number[] = [];
    const receiving = (async () => {
      while (received.length < 40) {
        const delivery = await queue.receive();
        received.push(delivery.item);
        await delivery.ack();
      }
    })();
    const putting = (async () => {
      for (let n = 1; n < 40; n++) {
        await queue.put(n);
        await delay(10);
      }
    })();
    for (let i = 0; i < 3; i++) {
      await delay(100);
      way.cut();
      await delay(100);
      way.mend();
    }
    await putting;
    await receiving;
    assertEquals(
      received.sort((a, b) => a - b),
      Array.from({ length: 40 }, (_, n) => n),
    );
    assertEquals(await near.queue(name).qsize(), 0);
  },
);

fault("a full disk is an error, and nothing is lost", async () => {
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "skein-nats-" });
  const config = `${folder}/small.conf`;
  await Deno.writeTextFile(
    config,
    `jetstream { store_dir: "${folder}", max_file_store: 3MB }`,
  );
  try {
    await using server = await Server.start({ config });
    await using cluster = await Cluster.connect(server.address);
    const queue = cluster.queue<string>("jobs");
    let stored = 0;
    const error = await assertRejects(async () => {
      for (; stored < 100; stored++) await queue.put("x".repeat(100_000));
    }, DOMException);
    assertEquals(error.name, "QuotaExceededError");
    assert(
      error.message.startsWith("Cannot put an item: a limit"),
      error.message,
    );
    const many = await assertRejects(
      () => queue.putMany(Array(20).fill("x".repeat(100_000))),
      DOMException,
    );
    assertEquals(many.name, "QuotaExceededError");
    assert(stored > 10);
    assertEquals(await queue.qsize(), stored);
    for (let n = 0; n < stored; n++) await (await queue.receive()).ack();
    await queue.put("room again");
    assertEquals((await queue.receive()).item, "room again");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

fault("a queue survives the restart of its server", async () => {
  const store = await Deno.makeTempDir({ dir: "/tmp", prefix: "skein-nats-" });
  try {
    const port = freePort();
    await using server = await Server.start({ store, port });
    await using cluster = await Cluster.connect(server.address);
    const queue = cluster.queue<number>("jobs", {
      lease: 2000,
      maxDeliveries: 5,
    });
    await queue.putMany([1, 2, 3]);
    const held = await queue.receive();
    const waiting = cluster.queue<number>("other").receive();
    const lease = await cluster.lock("a", { lease: 10_000 }).acquire();
    await server.kill();
    await server.restart();
    await cluster.queue<number>("other").put(7);
    assertEquals((await waiting).item, 7);
    const again = await cluster.lock("a").acquire({ timeout: 100 })
      .catch(() => undefined);
    assertEquals(again, undefined);
    await lease.release();
    await held.ack().catch(() => {});
    const rest = new Set<number>();
    while (rest.size < 2) {
      const delivery = await queue.receive();
      if (delivery.item !== 1) rest.add(delivery.item);
      await delivery.ack();
    }
    assertEquals(rest, new Set([2, 3]));
  } finally {
    await Deno.remove(store, { recursive: true });
  }
});
