import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Cluster, type ClusterChange } from "../../cluster/mod.ts";
import { NotSendableError } from "../../threading/mod.ts";
import { delay, hasServer, Server, serverTest, uniqueName } from "./server.ts";

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

serverTest("ClusterMap: what is set is got, with its revision", async () => {
  const name = uniqueName();
  const map = cluster.map<unknown>(name);
  assertEquals(await map.get("a"), undefined);
  const first = await map.set("a", { n: [1n] });
  const second = await map.set("a", undefined);
  assert(second > first);
  assertEquals(await map.get("a"), { value: undefined, revision: second });
  await other.map(name).set("a", new Map([[1, 2]]));
  assertEquals((await map.get("a"))?.value, new Map([[1, 2]]));
});

serverTest("ClusterMap: any string is a key", async () => {
  const map = cluster.map<number>(uniqueName());
  const keys = ["a", "a.b", "A b", "é\u{1f600}", "*", ">", "=41", "$KV", "\n"];
  for (const [i, key] of keys.entries()) await map.set(key, i);
  for (const [i, key] of keys.entries()) {
    assertEquals((await map.get(key))?.value, i, key);
  }
  assertEquals((await map.keys()).sort(), [...keys].sort());
});

serverTest(
  "ClusterMap: names with dots and underscores stay apart",
  async () => {
    const name = uniqueName();
    const names = [`${name}.a`, `${name}_a`, `${name}_-a`, `${name}-a`];
    for (const [i, name] of names.entries()) {
      await cluster.map(name).set(
        "k",
        i,
      );
    }
    for (const [i, name] of names.entries()) {
      assertEquals((await cluster.map(name).get("k"))?.value, i, name);
    }
  },
);

serverTest(
  "ClusterMap.set() with a revision changes nothing else",
  async () => {
    const map = cluster.map<number>(uniqueName());
    const first = await map.set("a", 1, { revision: 0 });
    assertEquals(await map.set("a", 2, { revision: 0 }), undefined);
    const second = await map.set("a", 2, { revision: first! });
    assertEquals(await map.set("a", 3, { revision: first! }), undefined);
    assertEquals(await map.get("a"), { value: 2, revision: second! });
    // One that was deleted can be made again.
    assert(await map.delete("a"));
    assert(await map.set("a", 4, { revision: 0 }) !== undefined);
  },
);

serverTest("ClusterMap.delete() says whether there was a value", async () => {
  const map = cluster.map<number>(uniqueName());
  assertEquals(await map.delete("a"), false);
  const revision = await map.set("a", 1);
  assertEquals(await map.delete("a", { revision: revision + 1 }), false);
  assertEquals(await map.delete("a", { revision }), true);
  assertEquals(await map.delete("a"), false);
  assertEquals(await map.get("a"), undefined);
  assertEquals(await map.keys(), []);
});

serverTest("ClusterMap.update() loses no change", async () => {
  const name = uniqueName();
  await Promise.all([cluster, other, cluster, other].map(async (one) => {
    const map = one.map<number>(name);
    for (let i = 0; i < 25; i++) {
      await map.update("count", async (old = 0) => {
        await delay(0);
        return old + 1;
      });
    }
  }));
  const map = cluster.map<number>(name);
  assertEquals((await map.get("count"))?.value, 100);
  const gone = await map.update("count", (_, remove) => remove);
  assertEquals([gone, await map.get("count")], [undefined, undefined]);
  assertEquals(await map.update("none", (_, remove) => remove), undefined);
  assertEquals((await map.update("count", (old) => old ?? 7))?.value, 7);
  await assertRejects(
    () =>
      map.update("count", () => {
        throw new Error("no");
      }),
    Error,
    "no",
  );
  assertEquals((await map.get("count"))?.value, 7);
});

serverTest(
  "ClusterMap.watch() tells what there is and each change",
  async () => {
    const map = cluster.map<number>(uniqueName());
    await map.set("a", 1);
    await map.set("b", 2);
    const seen: string[] = [];
    const one: ClusterChange<number>[] = [];
    const controller = new AbortController();
    const { signal } = controller;
    const all = (async () => {
      for await (const { key, deleted, value } of map.watch()) {
        seen.push(`${key} ${deleted ? "deleted" : value}`);
        if (key === "end") break;
      }
    })();
    const only = assertRejects(
      async () => {
        for await (const change of map.watch({ key: "b", signal })) {
          one.push(
            change,
          );
        }
      },
      Error,
      "enough",
    );
    while (seen.length < 2 || one.length < 1) await delay(10);
    await other.map(map.name).set("a", 3);
    await map.delete("b");
    await map.set("end", 0);
    await all;
    assertEquals(seen, ["a 1", "b 2", "a 3", "b deleted", "end 0"]);
    while (one.length < 2) await delay(10);
    controller.abort(new Error("enough"));
    await only;
    assertEquals(one.map(({ value }) => value), [2, undefined]);
  },
);

serverTest("ClusterMap.watch() ends when the cluster is closed", async () => {
  const own = await Cluster.connect(server.address);
  const watching = (async () => {
    for await (const _ of own.map(uniqueName()).watch());
  })();
  await delay(100);
  await own.close();
  await watching;
});

serverTest("ClusterMap refuses bad input", async () => {
  assertThrows(() => cluster.map(1 as never), TypeError, "Cannot open a map");
  assertThrows(() => cluster.map(""), RangeError, "Cannot open a map");
  const map = cluster.map<unknown>(uniqueName());
  const calls: Array<() => Promise<unknown>> = [
    () => map.get(1 as never),
    () => map.get(""),
    () => map.get("\ud800"),
    () => map.get("x".repeat(501)),
    () => map.get("a", { revision: 1 } as never),
    () => map.set("a", 1, { revision: -1 }),
    () => map.set("a", 1, { revision: "1" } as never),
    () => map.set("a", 1, { ttl: 1 } as never),
    () => map.set("a", "x".repeat(1 << 20)),
    () => map.delete("a", { revision: 0.5 }),
    () => map.update("a", 1 as never),
    () => map.keys({ timeout: -1 }),
  ];
  for (const call of calls) {
    await assertRejects(call, Error, "Cannot ", String(call));
  }
  await assertRejects(
    () => map.set("a", () => {}),
    NotSendableError,
    "value is",
  );
  assertThrows(() => map.watch({ keys: "a" } as never), TypeError);
});
