import { assert, assertEquals, assertThrows } from "@std/assert";
import { Queue, SimpleQueue } from "../../queue/mod.ts";
import { Lock, NotSendableError, Thread } from "../../threading/mod.ts";
import { checkHeap } from "../../threading/_memory/allocator.ts";
import { consumeBatches, produceBatches } from "./batch_fixture.ts";

function allocated(): number {
  return checkHeap().allocatedWords;
}

Deno.test("Queue.putMany() puts small objects into the queue, not a record of each", () => {
  const queue = new Queue<{ id: number; tags: string[] }>(64);
  const items = Array.from({ length: 64 }, (_, id) => ({ id, tags: ["a"] }));
  for (let round = 0; round < 3; round++) {
    queue.putManyNowait(items);
    if (round < 2) queue.getManyNowait(64);
  }
  const before = allocated();
  assertEquals(queue.getManyNowait(64), items);
  // Nothing came back with the items.
  assertEquals(allocated(), before);
});

/** Numbers from 0 to 2 ** 32 that are the same in each run. */
function random(seed: number): () => number {
  return () => seed = Math.imul(seed, 1664525) + 1013904223 >>> 0;
}

for (const make of [() => new Queue<unknown>(40), () => new SimpleQueue()]) {
  Deno.test(`${make().constructor.name}.putMany() keeps the order of whatever is in its batches`, async () => {
    const next = random(7);
    const lock = new Lock();
    const kinds = [
      (n: number) => n,
      (n: number) => ({ n }),
      (n: number) => `text ${n}`,
      () => undefined,
      (n: number) => ({ n, text: "long".repeat(30) }),
      (n: number) => [n, lock],
    ];
    const queue = make();
    const expected: unknown[] = [];
    for (let round = 0; round < 600; round++) {
      const size = next() % 12;
      // Some batches are of one kind, others of all.
      const few = next() % kinds.length + 1;
      const batch = Array.from(
        { length: size },
        (_, i) => kinds[next() % few](round * 100 + i),
      );
      if (queue.qsize() + size <= 40) {
        if (round % 3 === 0) await queue.putMany(batch);
        else if (round % 3 === 1) queue.putManySync(batch);
        else queue.putManyNowait(batch);
        expected.push(...batch);
      }
      const n = next() % 14;
      if (n > 0 && !queue.empty()) {
        const got = queue.getManySync(n);
        assertEquals(got, expected.splice(0, got.length));
      }
    }
    assertEquals(queue.qsize(), expected.length);
    while (expected.length > 0) {
      assertEquals(queue.getNowait(), expected.shift());
    }
    assert(queue.empty());
    queue.free();
  });
}

Deno.test("Queue.putMany() reads each item once, whatever else is in the batch", () => {
  const queue = new Queue<unknown>();
  queue.putManyNowait([0]);
  queue.getNowait();
  for (const last of [1, { small: true }, "long".repeat(100), [new Lock()]]) {
    let reads = 0;
    const counting = {
      get n() {
        return ++reads;
      },
    };
    const large = {
      text: "long".repeat(100),
      get n() {
        return ++reads;
      },
    };
    queue.putManySync([counting, last, large, counting]);
    assertEquals(reads, 3);
    const [first, , second, third] = queue.getManyNowait(4) as { n: number }[];
    assertEquals([first.n, second.n, third.n], [1, 2, 3]);
  }
});

Deno.test("Queue.putMany() lets a getter in a batch put a batch of its own first", () => {
  const queue = new Queue<unknown>();
  queue.putManyNowait([{ first: 0 }]);
  queue.getNowait();
  const outer = {
    get a() {
      queue.putManyNowait([{ inner: 1 }, { inner: 2 }]);
      return 1;
    },
  };
  queue.putManyNowait([{ b: 1 }, outer, { b: 2 }]);
  assertEquals(
    queue.getManyNowait(9),
    [{ inner: 1 }, { inner: 2 }, { b: 1 }, { a: 1 }, { b: 2 }],
  );
});

Deno.test("Queue.putMany() puts nothing of a batch with an item that cannot be sent", () => {
  const queue = new Queue<unknown>();
  queue.putManyNowait([{ n: 0 }]);
  queue.getNowait();
  const before = allocated();
  for (const rest of [[], ["long".repeat(100)]]) {
    const batch = [{ n: 1 }, ...rest, { bad: Symbol("spam") }, { n: 2 }];
    assertThrows(() => queue.putManySync(batch), NotSendableError, ".bad");
    assert(queue.empty());
  }
  assertEquals(allocated(), before);
});

for (const maxsize of [0, 16]) {
  Deno.test(`Queue.putMany() of objects: each arrives once, maxsize ${maxsize}`, async () => {
    const COUNT = 3000;
    const queue = new Queue<never>(maxsize);
    const producers = [1, 2].map((by) =>
      new Thread({ target: produceBatches, args: [queue, by, COUNT] })
    );
    const consumers = [1, 2].map(() =>
      new Thread({ target: consumeBatches, args: [queue] })
    );
    for (const thread of [...producers, ...consumers]) thread.start();
    for (const thread of producers) await thread.join();
    queue.shutdown();
    const got = await Promise.all(consumers.map((thread) => thread.join()));
    for (const by of [1, 2]) {
      const all = got.flat().filter((text) => text.startsWith(`${by} `));
      assertEquals(all.length, COUNT);
      assertEquals(new Set(all).size, COUNT);
      // Each consumer gets them in order.
      for (const list of got) {
        const mine = list.filter((text) => text.startsWith(`${by} `));
        const numbers = mine.map((text) => Number(text.slice(2)));
        assertEquals(numbers, numbers.toSorted((a, b) => a - b));
      }
    }
  });
}
