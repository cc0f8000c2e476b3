// What the tests of faults run as processes of their own, to kill or stop them.
import { Cluster } from "../../cluster/mod.ts";

const [role, servers, name, ...rest] = Deno.args;
const replicas = servers.includes(",") ? 3 : 1;
const cluster = await Cluster.connect(servers.split(","), { replicas });

const encoder = new TextEncoder();
/** Whole lines, also if the process is killed in the middle. */
function say(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

const roles: Record<string, () => Promise<void>> = {
  /** Puts the numbers from one to another, and says each that is stored. */
  async produce() {
    const [first, last] = rest.map(Number);
    const queue = cluster.queue<number>(name);
    for (let n = first; n < last; n++) {
      await queue.put(n, { id: `n${n}` });
      say(`put ${n}`);
    }
  },
  /** Receives for ever, and says each item that it has dealt with. */
  async consume() {
    const queue = cluster.queue<number>(name);
    for (;;) {
      for (const delivery of await queue.receiveMany(10)) {
        say(`got ${delivery.item}`);
        await delivery.ack().catch(() => {});
      }
    }
  },
  /** Holds a lock for ever, and says at each moment whether it believes it. */
  async hold() {
    const lock = cluster.lock(name, { lease: Number(rest[0]) });
    const lease = await lock.acquire();
    say(`token ${lease.token}`);
    for (;;) {
      if (lease.lost.aborted) break;
      say(`held ${Date.now()}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    say("lost");
  },
};

await roles[role]();
await cluster.close();
