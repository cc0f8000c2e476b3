import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  Event,
  getIdent,
  Lock,
  Semaphore,
  Thread,
} from "../../threading/mod.ts";
import {
  sleepSync,
  type ThreadState,
  threadStates,
} from "../../threading/current_thread.ts";
import { Field, load } from "../../threading/_memory/heap.ts";
import { addressOf } from "../../threading/_memory/shared_object.ts";
import {
  doze,
  flicker,
  holdAndWait,
  spin,
  statesOfAll,
  waitForLock,
} from "./thread_states_fixture.ts";

function stateOf(thread: Thread): ThreadState | undefined {
  return threadStates().find(({ ident }) => ident === thread.ident);
}

/** The thread's state, as soon as that is what it is looked for. */
function stateWhen(
  thread: Thread,
  isIt: (state: ThreadState) => boolean,
): ThreadState {
  for (let i = 0; i < 2000; i++) {
    const state = stateOf(thread);
    if (state !== undefined && isIt(state)) return state;
    sleepSync(5);
  }
  throw new Error(`${thread.name} is ${Deno.inspect(stateOf(thread))}`);
}

Deno.test("threadStates() has the main thread first", () => {
  const lock = new Lock();
  using _ = lock.acquireSync();
  const [main] = threadStates();
  assertEquals(main, {
    ident: getIdent(),
    name: "MainThread",
    daemon: false,
    state: "running",
    waitsFor: undefined,
    holds: [lock],
  });
});

Deno.test("threadStates() tells what threads hold and wait for", () => {
  const lock = new Lock();
  const event = new Event();
  const holder = new Thread({
    target: holdAndWait,
    args: [lock, event],
    name: "holder",
    daemon: true,
  });
  holder.start();
  const state = stateWhen(holder, ({ state }) => state === "waiting");
  assertEquals([state.name, state.daemon], ["holder", true]);
  assertStrictEquals(state.waitsFor, event);
  assertEquals(state.holds.length, 1);
  assertStrictEquals(state.holds[0], lock);

  const waiter = new Thread({ target: waitForLock, args: [lock] });
  waiter.start();
  const other = stateWhen(waiter, ({ state }) => state === "waiting");
  assertStrictEquals(other.waitsFor, lock);
  assertEquals(other.holds, []);

  event.set();
  holder.joinSync();
  waiter.joinSync();
  assertEquals([stateOf(holder), stateOf(waiter)], [undefined, undefined]);
});

Deno.test("threadStates() tells who computes and who sleeps", () => {
  const ready = new Semaphore(0);
  const spinner = new Thread({ target: spin, args: [ready] });
  const sleeper = new Thread({ target: doze, args: [ready] });
  spinner.start();
  sleeper.start();
  ready.acquireSync();
  ready.acquireSync();
  const asleep = stateWhen(sleeper, ({ state }) => state === "waiting");
  assertEquals([asleep.waitsFor, asleep.holds], [undefined, []]);
  assertEquals(stateOf(spinner)?.state, "running");
  spinner.terminate();
  sleeper.terminate();
});

Deno.test("threadStates() shows the main thread from another", () => {
  const lock = new Lock().acquireSync();
  const thread = new Thread({ target: statesOfAll, args: [] });
  thread.start();
  const states = thread.joinSync();
  lock.release();
  assertEquals(states[0].name, "MainThread");
  assertEquals(states[0].state, "waiting");
  assertStrictEquals(states[0].waitsFor, thread);
  assertEquals(states[0].holds, [lock]);
  const itself = states.find(({ ident }) => ident === thread.ident);
  assertEquals(itself?.state, "running");
});

Deno.test("threadStates() is safe while threads come and go", () => {
  for (let round = 0; round < 50; round++) {
    const lock = new Lock();
    const threads = [1, 2, 3, 4].map(() => {
      const thread = new Thread({ target: flicker, args: [lock, 100] });
      thread.start();
      return thread;
    });
    while (threads.some((thread) => thread.isAlive())) {
      for (const { waitsFor, holds } of threadStates()) {
        assert(waitsFor === undefined || waitsFor === lock);
        for (const held of holds) assertStrictEquals(held, lock);
      }
    }
    for (const thread of threads) thread.joinSync();
  }
});

Deno.test("threadStates() is safe while threads are killed", () => {
  for (let round = 0; round < 20; round++) {
    const locks = new Set<unknown>();
    const threads = [1, 2, 3].map(() => {
      const lock = new Lock();
      locks.add(lock);
      const thread = new Thread({ target: flicker, args: [lock, Infinity] });
      thread.start();
      return thread;
    });
    let looks = 0;
    while (threads.some((thread) => thread.isAlive())) {
      for (const { holds } of threadStates()) {
        for (const held of holds) assert(locks.has(held));
      }
      if (++looks === 5) { for (const thread of threads) thread.terminate(); }
      if (looks > 5) sleepSync(1);
    }
  }
});

Deno.test("threadStates() keeps nothing of what it saw", () => {
  const lock = new Lock();
  const event = new Event();
  const holder = new Thread({ target: holdAndWait, args: [lock, event] });
  holder.start();
  stateWhen(holder, ({ waitsFor }) => waitsFor === event);
  const counts = () =>
    [lock, event, holder].map((object) =>
      load(addressOf(object) + Field.references)
    );
  const before = counts();
  for (let i = 0; i < 100; i++) threadStates();
  assertEquals(counts(), before);
  event.set();
  holder.joinSync();
});
