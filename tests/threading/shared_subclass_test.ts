import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Event,
  Lock,
  NotSendableError,
  sendable,
  setExcepthook,
  SharedMap,
  Thread,
} from "../../threading/mod.ts";
import { SimpleQueue } from "../../queue/mod.ts";
import {
  changeAndReturn,
  Counting,
  counts,
  depthOf,
  Failing,
  inspect,
  Link,
  meetFirst,
  oneOfEach,
  Repeating,
  stopFromMap,
  stopFromQueue,
  stopIt,
  Working,
} from "./shared_subclass_fixture.ts";

const timeout = 30_000;

Deno.test("Thread's fields arrive with it as an argument, nested, in a queue, in a map", async () => {
  const queue = new SimpleQueue<Repeating>();
  const map = new SharedMap<string, Repeating>();
  const ways: ((it: Repeating) => Thread)[] = [
    (it) => new Thread({ target: stopIt, args: [it] }),
    (it) =>
      new Thread({ target: stopIt, args: [{ deep: new Map([["it", [it]]]) }] }),
    (it) => {
      queue.putSync(it);
      return new Thread({ target: stopFromQueue, args: [queue] });
    },
    (it) => {
      map.set("it", it);
      return new Thread({ target: stopFromMap, args: [map] });
    },
  ];
  for (const way of ways) {
    const repeating = new Repeating();
    repeating.start();
    const stopper = way(repeating);
    stopper.start();
    await stopper.join({ timeout });
    await repeating.join({ timeout });
    assertEquals(repeating.rounds, 1);
  }
});

Deno.test("the fields of subclasses of every shared class arrive", async () => {
  const objects = oneOfEach();
  const thread = new Thread({ target: inspect, args: [objects] });
  thread.start();
  assertEquals(
    await thread.join({ timeout }),
    objects.map((object) => object.constructor.name),
  );
  for (const object of objects) assert(object.bell.isSet());
});

Deno.test("the fields of a shared object are those of its last arrival", async () => {
  const object = new Counting();
  const queue = new SimpleQueue<Counting>();
  const thread = new Thread({ target: counts, args: [object, queue] });
  thread.start();
  for (object.count = 1; object.count <= 2; object.count++) {
    queue.putSync(object);
  }
  assertEquals(await thread.join({ timeout }), [0, 1, 2]);
});

Deno.test("the fields of a shared object stay where it was made", async () => {
  const object = new Counting();
  const thread = new Thread({ target: changeAndReturn, args: [object] });
  thread.start();
  assertStrictEquals(await thread.join({ timeout }), object);
  assertEquals([object.count, object.local], [0, undefined]);
});

Deno.test("Thread's fields in its own thread stay what run made of them", async () => {
  const queue = new SimpleQueue<Working>();
  const working = new Working(queue);
  working.start();
  queue.putSync(working);
  assertEquals(await working.join({ timeout }), ["made", "run", "got"]);
  assertEquals(working.steps, ["made", "run", "got"]);
  assertStrictEquals(working.me, working);
});

Deno.test("Thread's fields arrive where it was met without its class before", async () => {
  const repeating = new Repeating();
  const queue = new SimpleQueue<Repeating>();
  repeating.start();
  const thread = new Thread({ target: meetFirst, args: [queue] });
  thread.start();
  queue.putSync(repeating);
  assertEquals(await thread.join({ timeout }), [false, true]);
  await repeating.join({ timeout });
});

Deno.test("a shared object whose field cannot be sent is refused", () => {
  const queue = new SimpleQueue<unknown>();
  const object = Object.assign(new Counting(), { callback: () => {} });
  const { message } = assertThrows(
    () => queue.putSync({ deep: [object] }),
    NotSendableError,
  );
  assert(message.startsWith("Cannot send value.deep[0].callback: a function"));
  assertEquals(queue.qsize(), 0);
});

Deno.test("an unmarked subclass of a shared class is refused", () => {
  class Unmarked extends Lock {
    more = 1;
  }
  assertThrows(
    () => new SimpleQueue<Lock>().putSync(new Unmarked()),
    NotSendableError,
    "put `static { sendable(import.meta, this); }` into class Unmarked",
  );
});

Deno.test("SharedMap refuses a key whose fields would be lost", () => {
  class Bare extends Event {
    static {
      sendable(import.meta, this);
    }
  }
  const map = new SharedMap<unknown, number>();
  assertThrows(
    () => map.set([new Counting()], 1),
    NotSendableError,
    "cannot travel with it",
  );
  assertEquals(map.size(), 0);
  const bare = new Bare();
  map.set(bare, 1);
  assertEquals(map.get(bare), 1);
});

Deno.test("a chain of shared objects in fields arrives, however long", async () => {
  let link: Link | undefined;
  for (let i = 0; i < 20_000; i++) link = new Link(link);
  const thread = new Thread({ target: depthOf, args: [link!] });
  thread.start();
  assertEquals(await thread.join({ timeout }), 20_000);
});

Deno.test("setExcepthook() is told of a thread whose fields cannot be sent", async () => {
  const told: unknown[] = [];
  setExcepthook(({ error, thread }) => told.push(error, thread));
  const failing = new Failing();
  try {
    failing.start();
    await assertRejects(() => failing.join({ timeout }), RangeError, "in run");
  } finally {
    setExcepthook(undefined);
  }
  assertInstanceOf(told[0], RangeError);
  assertStrictEquals(told[1], failing);
});
