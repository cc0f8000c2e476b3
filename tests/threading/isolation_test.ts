import { assert, assertEquals, assertFalse } from "@std/assert";
import { Thread } from "../../threading/mod.ts";
import { echo } from "./thread_fixture.ts";
import { countTicks, failLater, litter, provoke } from "./isolation_fixture.ts";

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

async function run<R>(thread: Thread<R, readonly unknown[]>): Promise<R> {
  thread.start();
  return await thread.join({ timeout: 10_000 });
}

Deno.test("Thread does not see timers and listeners of the one before it", async () => {
  const directory = Deno.makeTempDirSync({ dir: "/tmp" });
  const path = `${directory}/mark`;
  await run(new Thread({ target: litter, args: [`file://${path}`] }) as Thread);
  await run(new Thread({ target: provoke }) as Thread);
  const left = exists(path);
  Deno.removeSync(directory, { recursive: true });
  assertFalse(left);
});

Deno.test("Thread has timers of its own", async () => {
  for (let i = 0; i < 3; i++) {
    const thread = new Thread({ target: countTicks, args: [3] });
    assertEquals(await run(thread as Thread), 3);
  }
});

Deno.test("Thread does not suffer from errors that the one before it left", async () => {
  for (let i = 0; i < 5; i++) {
    await run(new Thread({ target: failLater }) as Thread);
    const thread = new Thread({ target: echo, args: [i] });
    assertEquals(await run(thread as Thread), i);
    const ticking = new Thread({ target: countTicks, args: [2] });
    assertEquals(await run(ticking as Thread), 2);
  }
  assert(true);
});
