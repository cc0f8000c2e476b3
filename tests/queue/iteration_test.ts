// Iterating queues, draining them, and the errors of timeouts.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Empty, Full, Queue, ShutDown } from "../../queue/mod.ts";
import {
  Event,
  isTimeout,
  SharedList,
  SharedMap,
  Thread,
} from "../../threading/mod.ts";
import * as fixture from "./iteration_fixture.ts";
import { type Item, item, kinds } from "./kinds_fixture.ts";
import { untilWaiting } from "./support.ts";

const SOON = { timeout: 20_000 };

for (const { name, order, make } of kinds) {
  const inOrder = order === "lifo" ? [3, 2, 1] : [1, 2, 3];
  const filled = () => {
    const queue = make(0);
    queue.putManyNowait([1, 2, 3].map(item));
    return queue;
  };

  Deno.test(`${name}[Symbol.iterator](): it blocks, and ends at the shutdown`, async () => {
    const queue = make(0);
    const thread = new Thread({ target: fixture.iterate, args: [queue] });
    thread.start();
    untilWaiting(queue, 1);
    for (const n of [1, 2, 3]) queue.putNowait(item(n));
    queue.shutdown();
    assertEquals((await thread.join(SOON)).toSorted(), [1, 2, 3]);
    assertEquals([...queue], []);
  });

  Deno.test(`${name}[Symbol.iterator](): it ends when the last delivery is settled`, async () => {
    const queue = filled();
    const delivery = queue.receiveNowait();
    queue.shutdown();
    const thread = new Thread({ target: fixture.iterate, args: [queue] });
    thread.start();
    untilWaiting(queue, 1);
    delivery.nak();
    assertEquals((await thread.join(SOON)).toSorted(), [1, 2, 3]);
  });

  Deno.test(`${name}[Symbol.asyncIterator](): return() ends the wait, and takes no item`, async () => {
    const queue = make(0);
    const { signal } = new AbortController();
    for (
      const items of [
        () => queue[Symbol.asyncIterator](),
        () => queue.items({ signal, timeout: 20_000 })[Symbol.asyncIterator](),
        () => queue.consumer()[Symbol.asyncIterator](),
      ]
    ) {
      const iterator = items();
      const waiting = iterator.next();
      await new Promise((resolve) => setTimeout(resolve, 1));
      const over = { done: true as const, value: undefined };
      const ending = iterator.return();
      queue.putNowait(item(1));
      assertEquals(await ending, over);
      assertEquals(await waiting, over);
      assertEquals(queue.drain().map(([n]) => n), [1]);
    }
  });

  Deno.test(`${name}.items(): either form, with a timeout for each item`, async () => {
    for (const sync of [true, false]) {
      const queue = filled();
      const got: number[] = [];
      const iterate = async () => {
        const items = queue.items({ timeout: 5 });
        if (sync) { for (const [n] of items) got.push(n); }
        else for await (const [n] of items) got.push(n);
      };
      const error = await assertRejects(iterate, Empty, "5 ms");
      assert(isTimeout(error));
      assertEquals(got, inOrder);
      queue.shutdown();
      await iterate();
    }
  });

  Deno.test(`${name}.items(): a signal ends the promise form, and is refused by the other`, async () => {
    const queue = make(0);
    const controller = new AbortController();
    const items = queue.items({ signal: controller.signal });
    assertThrows(() => [...items], TypeError, "use for await");
    const iterating = (async () => {
      for await (const each of items) assert(each === undefined);
    })();
    const reason = new Error("enough");
    controller.abort(reason);
    assertEquals(await iterating.catch((e) => e), reason);
    queue.putNowait(item(1));
    assertEquals(
      await items[Symbol.asyncIterator]().next().catch((e) => e),
      reason,
    );
    assertEquals(queue.qsize(), 1);
  });

  Deno.test(`${name}.drain(): what is there counts as got`, () => {
    const queue = filled();
    queue.receiveNowait().nak();
    assertEquals(queue.drain().map(([n]) => n), inOrder);
    assertEquals(queue.drain(), []);
    for (let i = 0; i < 3; i++) queue.taskDone();
    queue.joinSync(SOON);
    queue.putNowait(item(1));
    queue.shutdown();
    assertEquals(queue.drain(), [item(1)]);
    assertEquals(queue.drain(), []);
  });
}

Deno.test("Queue: what takes iterables refuses a queue", async () => {
  const queue = new Queue<unknown>();
  const other = new Queue<unknown>();
  const refused = "must not be a queue";
  assertThrows(() => other.putManyNowait(queue), TypeError, refused);
  assertThrows(() => other.putManySync(queue), TypeError, refused);
  await assertRejects(() => other.putMany(queue), TypeError, refused);
  assertThrows(() => new SharedList(queue), TypeError, refused);
  assertThrows(
    () => new SharedMap(queue as Queue<[string, number]>),
    TypeError,
    refused,
  );
});

Deno.test("isTimeout(): of a timeout, in whichever thread it was", async () => {
  const queue = new Queue<Item>(1);
  const caught = (fn: () => unknown): unknown => {
    try {
      return fn();
    } catch (error) {
      return error;
    }
  };
  const timeout = 1;
  assert(isTimeout(caught(() => queue.getSync({ timeout }))));
  assert(isTimeout(caught(() => queue.receiveSync({ timeout }))));
  assert(!isTimeout(caught(() => queue.getNowait())));
  queue.putNowait(item(1));
  const full = caught(() => queue.putSync(item(1), { timeout }));
  assert(full instanceof Full && isTimeout(full));
  assert(!isTimeout(caught(() => queue.putNowait(item(2)))));
  assert(isTimeout(caught(() => queue.joinSync({ timeout }))));
  assert(isTimeout(caught(() => new Event().waitSync({ timeout }))));
  assert(isTimeout(AbortSignal.timeout(0).reason) === false);
  assert(!isTimeout(new ShutDown()) && !isTimeout("TimeoutError"));
  assert(!isTimeout(new Error("x", { cause: full })));
  const thread = new Thread({ target: fixture.timeOut });
  thread.start();
  const error = await assertRejects(() => thread.join(SOON), Empty);
  assert(isTimeout(error));
});
