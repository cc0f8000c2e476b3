import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  activeCount,
  Event,
  Lock,
  SharedList,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { sleepFor } from "../../threading/_memory/wait.ts";
import { checkHeap } from "../../threading/_memory/allocator.ts";
import { assertHeapBackTo, settleHeap } from "./heap_words.ts";
import { type Field, kill, labour, randomFrom } from "./storm_fixture.ts";

const stress = Number(Deno.env.get("SKEIN_STRESS") ?? 1);
const seed = Number(Deno.env.get("SKEIN_SEED") ?? 1);
const KILLS = Math.ceil(80 * stress);
const ALIVE = 5;

/** Kills threads at random moments, from here and from other threads. */
async function storm(kills: number, random: (n: number) => number) {
  const field: Field = {
    lock: new Lock(),
    list: new SharedList(),
    never: new Event(),
  };
  const victims: Thread[] = [];
  for (let killed = 0; killed < kills;) {
    while (victims.length < ALIVE) {
      const args: [number, Field] = [random(1e6), field];
      const victim = new Thread({ target: labour, args }) as Thread;
      victim.start();
      victims.push(victim);
    }
    // One in three boots for the first time and has not begun yet.
    if (random(3) > 0) sleepFor(random(60));
    const [victim] = victims.splice(random(victims.length), 1);
    const killer = random(2) === 0
      ? undefined
      : new Thread({ target: kill, args: [victim, random(5)] });
    if (killer === undefined) victim.terminate();
    else killer.start();
    const error = random(2) === 0
      ? joinSync(victim)
      : await victim.join({ timeout: 30_000 }).catch((error) => error);
    assertInstanceOf(error, ThreadingError, String(error));
    assert(error.message.endsWith("was terminated"), error.message);
    killer?.joinSync({ timeout: 30_000 });
    killer?.free();
    victim.free();
    if (++killed % 50 === 0) checkHeap();
  }
  for (const victim of victims) victim.terminate();
  for (const victim of victims) {
    joinSync(victim);
    victim.free();
  }
  // Threads that the victims started end by themselves.
  for (let i = 0; activeCount() > 1 && i < 500; i++) sleepFor(10);
  assertEquals(activeCount(), 1);
  // All of it still works.
  field.lock.recover();
  field.lock.acquireSync({ timeout: 1000 }).release();
  field.list.push("last");
  assertEquals(field.list.pop(), "last");
  // Items that refer to the list itself would keep it for ever.
  field.list.clear();
  field.never.set();
  field.never.waitSync({ timeout: 0 });
  for (const object of Object.values(field)) object.free();
}

function joinSync(thread: Thread): unknown {
  try {
    return thread.joinSync({ timeout: 30_000 });
  } catch (error) {
    return error;
  }
}

Deno.test(`Thread.terminate() leaves nothing broken or lost: ${KILLS} kills under load, seed ${seed}`, async () => {
  const random = randomFrom(seed);
  await storm(10, random);
  const before = await settleHeap();
  await storm(KILLS, random);
  await assertHeapBackTo(before, 100);
});
