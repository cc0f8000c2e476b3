import { assertEquals, assertNotEquals } from "@std/assert";
import { setExcepthook, SharedNumber, Thread } from "../../threading/mod.ts";
import { echo } from "./thread_fixture.ts";
import {
  cleared,
  countTicks,
  ending,
  failLater,
  litter,
  provoke,
  tidyUses,
  use,
} from "./isolation_fixture.ts";
import { beat } from "./isolation_timer_fixture.ts";

async function run<R>(thread: Thread<R, readonly unknown[]>): Promise<R> {
  thread.start();
  return await thread.join({ timeout: 20_000 });
}

/** Leaves something behind; returns the workers of this thread and the next. */
async function leave(kind: string): Promise<[number, number]> {
  const marks = new SharedNumber(0);
  const first = await run(
    new Thread({ target: litter, args: [kind, marks] }) as Thread,
  ) as number;
  const second = await run(new Thread({ target: provoke }) as Thread) as number;
  assertEquals(marks.value, 0);
  return [first, second];
}

for (const kind of cleared) {
  Deno.test(`Thread does not see what the one before it left: ${kind}`, async () => {
    const [first, second] = await leave(kind);
    assertEquals(first, second);
  });
}

for (const kind of ending) {
  Deno.test(`Thread does not share a worker with what the one before it left: ${kind}`, async () => {
    const [first, second] = await leave(kind);
    assertNotEquals(first, second);
  });
}

for (const kind of tidyUses) {
  Deno.test(`Thread that leaves nothing has its worker used again: ${kind}`, async () => {
    const make = () => new Thread({ target: use, args: [kind] }) as Thread;
    const first = await run(make());
    assertEquals(await run(make()), first);
    assertEquals(await run(make()), first);
  });
}

Deno.test("Thread has the timers and listeners of its modules, whoever loaded them first", async () => {
  for (let i = 0; i < 3; i++) {
    assertEquals(await run(new Thread({ target: beat }) as Thread), "alive");
  }
});

Deno.test("Thread has timers of its own", async () => {
  for (let i = 0; i < 3; i++) {
    const thread = new Thread({ target: countTicks, args: [3] });
    assertEquals(await run(thread as Thread), 3);
  }
});

Deno.test("Thread does not suffer from errors that the one before it left", async () => {
  const told: string[] = [];
  setExcepthook(({ error, thread }) => told.push(`${thread.name} ${error}`));
  try {
    for (let i = 0; i < 5; i++) {
      const failing = new Thread({ target: failLater, name: `failing ${i}` });
      await run(failing as Thread);
      const thread = new Thread({ target: echo, args: [i] });
      assertEquals(await run(thread as Thread), i);
      const ticking = new Thread({ target: countTicks, args: [2] });
      assertEquals(await run(ticking as Thread), 2);
    }
  } finally {
    setExcepthook(undefined);
  }
  // Each is told once, of the thread that it belongs to.
  const expected = [0, 1, 2, 3, 4].flatMap((i) =>
    ["a rejection", "an error"].map((what) => `failing ${i} Error: ${what}`)
  );
  assertEquals(told.sort(), expected.sort());
});
