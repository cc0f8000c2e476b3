/** Code of the user's that runs while a value is being sent. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  LifoQueue,
  PriorityQueue,
  Queue,
  SimpleQueue,
} from "../../queue/mod.ts";
import {
  Event,
  Lock,
  NotSendableError,
  SharedList,
  SharedMap,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { assertKeepsHeap } from "./heap_words.ts";
import { echo } from "./thread_fixture.ts";

class Hooked extends Queue<unknown> {
  protected override _get(): unknown {
    return super._get();
  }
}

/** A place that values are put into, and how many are there. */
interface Place {
  put(value: unknown): unknown;
  take(): unknown;
  size(): number;
}

function places(): Record<string, Place> {
  const list = new SharedList<unknown>();
  const map = new SharedMap<unknown, unknown>();
  const keys = new SharedMap<unknown, unknown>();
  const queue = (queue: Queue<unknown> | SimpleQueue<unknown>): Place => ({
    put: (value) => queue.putSync(value),
    take: () => queue.getSync(),
    size: () => queue.qsize(),
  });
  const many = new Queue<unknown>();
  const priority = new PriorityQueue<[number, unknown]>();
  let next = 0;
  return {
    SimpleQueue: queue(new SimpleQueue()),
    Queue: queue(new Queue()),
    "Queue with a maxsize": queue(new Queue(10)),
    LifoQueue: queue(new LifoQueue()),
    "Queue with hooks": queue(new Hooked()),
    "Queue.putMany": {
      ...queue(many),
      put: (value) => many.putManySync([value]),
    },
    PriorityQueue: {
      put: (value) => priority.putSync([next++, value]),
      take: () => priority.getSync()[1],
      size: () => priority.qsize(),
    },
    "SharedList.push": {
      put: (value) => list.push(value),
      take: () => list.shift(),
      size: () => list.length(),
    },
    "SharedList.insert": {
      put: (value) => list.insert(0, value),
      take: () => list.shift(),
      size: () => list.length(),
    },
    "SharedMap's value": {
      put: (value) => map.set(next++, value),
      take: () => {
        const [key, value] = [...map.entries()][0];
        map.delete(key);
        return value;
      },
      size: () => map.size(),
    },
    "SharedMap's key": {
      put: (value) => keys.set(value, new Event()),
      take: () => {
        const [key] = [...keys.keys()];
        keys.delete(key);
        return key;
      },
      size: () => keys.size(),
    },
  };
}

/** A value that does something when it is read, between other things. */
function reading(run: () => unknown): unknown {
  return {
    before: [new Lock(), "x".repeat(200)],
    get value() {
      return run();
    },
    after: "after",
  };
}

for (const [name, place] of Object.entries(places())) {
  Deno.test(`${name}: a getter may put something itself`, () => {
    place.put(reading(() => {
      place.put([
        "inner",
        reading(() => {
          assertThrows(() => place.put(Symbol()), NotSendableError);
          return 1;
        }),
      ]);
      return "outer";
    }));
    assertEquals(place.size(), 2);
    const taken = [place.take(), place.take()] as never[];
    const isInner = (value: unknown) => Array.isArray(value);
    const [inner] = taken.filter(isInner) as [string, { value: number }][];
    const [outer] = taken.filter((value) => !isInner(value)) as {
      before: [Lock];
      value: string;
      after: string;
    }[];
    assertEquals([inner[0], inner[1].value], ["inner", 1]);
    assertEquals([outer.value, outer.after], ["outer", "after"]);
    assertEquals(outer.before[0].locked(), false);
  });
}

Deno.test("a getter that throws leaves nothing behind, wherever the value is put", async () => {
  const boom = new RangeError("boom");
  const thrower = () => {
    throw boom;
  };
  const proxy = new Proxy({}, { get: thrower });
  const all = Object.entries(places());
  await assertKeepsHeap(() => {
    for (const [name, place] of all) {
      const calls: string[] = [];
      const value = [
        { toJSON: 1 },
        reading(() => {
          calls.push(name);
          thrower();
        }),
      ];
      assertStrictEquals(assertThrows(() => place.put(value)), boom);
      assertThrows(() => place.put([new Lock(), proxy]), NotSendableError);
      assertEquals([calls, place.size()], [[name], 0]);
    }
    const thread = new Thread({ target: echo, args: [reading(thrower)] });
    assertStrictEquals(assertThrows(() => thread.start()), boom);
    assertEquals(thread.isAlive(), false);
  }, { times: 20 });
  for (const [, place] of all) {
    place.put({ fine: 1 });
    assertEquals(place.take(), { fine: 1 });
  }
});

Deno.test("a getter may free what is being sent", async () => {
  const all = Object.values(places());
  const map = new SharedMap<unknown, unknown>();
  await assertKeepsHeap(() => {
    for (const place of all) {
      const event = new Event();
      const value = { event, last: reading(() => event.free()) };
      assertThrows(() => place.put(value), ThreadingError, "given back");
      assertEquals(place.size(), 0);
    }
    // The value is encoded before the key.
    const event = new Event();
    map.set({ key: reading(() => event.free()) }, event);
    const [[, arrived]] = [...map.entries()] as [unknown, Event][];
    assertEquals(arrived.isSet(), false);
    map.clear();
    arrived.free();
  }, { times: 20 });
});
