import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { Cluster } from "../../cluster/mod.ts";
import { ThreadPool } from "../../pool/mod.ts";
import { Event, Thread, ThreadingError } from "../../threading/mod.ts";
import { SEED } from "../threading/shared_support.ts";
import { randomFrom } from "../threading/shared_support.ts";
import {
  delay,
  freePort,
  hasServer,
  Server,
  serverTest,
  STRESS,
  uniqueName,
} from "./server.ts";
import {
  callAll,
  connectInVain,
  holdBoth,
  receiveInTask,
  receiveOne,
  takeLock,
  wait,
  waiting,
} from "./cancel_fixture.ts";

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

/** So long nobody waits for what was not given back: leases are longer. */
const SOON = { timeout: 10_000 };
const JOIN = { timeout: 60_000 };
const FORMS = [true, false];

/** A reason that looks like the end of a timeout, as that of a pool's task does. */
const reasonOf = (text: string) => new DOMException(text, "TimeoutError");

/** Asserts that a thread ends with a reason. */
async function assertCancelled(
  thread: Thread<unknown>,
  text: string,
): Promise<void> {
  const error = await assertRejects(() => thread.join(JOIN), DOMException);
  assertEquals([error.name, error.message], ["TimeoutError", text]);
}

for (const operation of Object.keys(waiting)) {
  serverTest(
    `cluster: ${operation} ends when its thread is cancelled`,
    async () => {
      const name = uniqueName();
      await cluster.queue<number>(name, { maxsize: 1 }).put(1);
      await using _ = await cluster.lock(name).acquire();
      const begun = new Event();
      const thread = new Thread({
        target: wait,
        args: [server.address, name, operation, begun],
      });
      thread.start();
      await begun.wait(JOIN);
      await delay(200);
      thread.cancel(reasonOf(operation));
      await assertCancelled(thread, operation);
      assertEquals(await cluster.queue(name).qsize(), 1);
    },
  );
}

for (const sync of FORMS) {
  const form = sync ? "connectSync" : "connect";
  Deno.test(`Cluster.${form}() ends when its thread is cancelled`, async () => {
    const address = `127.0.0.1:${freePort()}`;
    for (const ms of [0, 300]) {
      const begun = new Event();
      const thread = new Thread({
        target: connectInVain,
        args: [address, sync, begun],
      });
      thread.start();
      await begun.wait(JOIN);
      await delay(ms);
      thread.cancel(reasonOf("authorization"));
      await assertCancelled(thread, "authorization");
    }
  });
}

serverTest(
  "cluster: every call throws in a thread that has been cancelled",
  async () => {
    const name = uniqueName();
    await cluster.queue<number>(name, { maxsize: 1 }).put(1);
    const begun = new Event();
    const thread = new Thread({
      target: callAll,
      args: [server.address, name, begun],
    });
    thread.start();
    await begun.wait(JOIN);
    thread.cancel("enough");
    assertEquals(await thread.join(JOIN), []);
    assertEquals(await cluster.map(name).keys(), []);
    const items: number[] = [];
    while (items.length < 2) {
      const delivery = await cluster.queue<number>(`${name}-more`).receive(
        SOON,
      );
      items.push(delivery.item);
      await delivery.ack();
    }
    assertEquals(items.sort(), [1, 2]);
  },
);

for (const sync of FORMS) {
  const form = sync ? "blocking" : "promise";
  serverTest(
    `cluster: what comes as its receiver is cancelled is given back, ${form} form (SKEIN_SEED=${SEED})`,
    async () => {
      const random = randomFrom(SEED);
      const name = uniqueName();
      const queue = cluster.queue<number>(name);
      let done = 0;
      for (let i = 0; i < 8 * STRESS; i++) {
        const begun = new Event();
        const thread = new Thread({
          target: receiveOne,
          args: [server.address, name, sync, begun],
        });
        thread.start();
        await begun.wait(JOIN);
        await delay(random(20));
        await queue.put(i);
        await delay(random(4));
        thread.cancel("enough");
        const end = await thread.join(JOIN).catch((reason) => reason);
        if (end === undefined) {
          done++;
          continue;
        }
        assertStrictEquals(end, "enough");
        // Acknowledged, without the thread having heard of it.
        if (await queue.qsize() === 0) continue;
        const delivery = await queue.receive(SOON);
        assertEquals(delivery.item, i);
        await delivery.ack();
      }
      assertEquals(await queue.qsize(), 0, `${done} done`);
    },
  );

  serverTest(
    `cluster: a lock that comes as its taker is cancelled goes on, ${form} form (SKEIN_SEED=${SEED})`,
    async () => {
      const random = randomFrom(SEED);
      const lock = cluster.lock(uniqueName());
      for (let i = 0; i < 8 * STRESS; i++) {
        const lease = await lock.acquire(SOON);
        const begun = new Event();
        const thread = new Thread({
          target: takeLock,
          args: [server.address, lock.name, sync, begun],
        });
        thread.start();
        await begun.wait(JOIN);
        await delay(random(20));
        const released = lease.release();
        await delay(random(4));
        thread.cancel("enough");
        await released;
        const end = await thread.join(JOIN).catch((reason) => reason);
        if (end !== undefined) assertStrictEquals(end, "enough");
      }
      await (await lock.acquire(SOON)).release();
    },
  );

  serverTest(
    `cluster: what a cancelled thread holds can be let go of, ${form} form`,
    async () => {
      const name = uniqueName();
      const queue = cluster.queue<number>(name);
      await queue.put(1);
      const begun = new Event();
      const thread = new Thread({
        target: holdBoth,
        args: [server.address, name, sync, begun],
      });
      thread.start();
      await begun.wait(JOIN);
      thread.cancel(reasonOf("enough"));
      await assertCancelled(thread, "enough");
      await (await queue.receive(SOON)).ack();
      await (await cluster.lock(name).acquire(SOON)).release();
    },
  );

  serverTest(
    `cluster: a task of a pool is cancelled alone, ${form} form`,
    async () => {
      await using pool = new ThreadPool({ size: 1 });
      const name = uniqueName();
      const args = [server.address, name, sync] as const;
      const error = await assertRejects(
        () => pool.run(receiveInTask, [...args], { timeout: 1000 }),
        DOMException,
      );
      assertEquals(error.message, "Cannot run a task: 1000 ms have passed");
      const next = await pool.submit(receiveInTask, [...args]);
      await cluster.queue<number>(name).put(1);
      await next.result(JOIN);
    },
  );
}

serverTest(
  "cluster: the reason of a signal is no end of a timeout",
  async () => {
    const queue = cluster.queue<number>(uniqueName(), { maxsize: 1 });
    await queue.put(1);
    const calls = [
      (signal: AbortSignal) => queue.put(2, { signal }),
      (signal: AbortSignal) => queue.putMany([2], { signal }),
      (signal: AbortSignal) => cluster.queue(uniqueName()).receive({ signal }),
    ];
    for (const call of calls) {
      const signal = AbortSignal.timeout(200);
      const error = await assertRejects(() => call(signal));
      assertStrictEquals(error, signal.reason);
    }
    // What one caller had begun goes on for the others.
    const fresh = cluster.map<number>(uniqueName());
    const aborted = new AbortController();
    const first = fresh.set("key", 1, { signal: aborted.signal });
    const second = fresh.set("key", 2);
    aborted.abort(new ThreadingError("gone"));
    await assertRejects(() => first, ThreadingError, "gone");
    await second;
  },
);
