import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async";
import { Worker as NodeWorker } from "node:worker_threads";
import {
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  NotSendableError,
  Queue,
  RLock,
  RwLock,
  setExcepthook,
  SharedMap,
  SharedNumber,
  Thread,
  ThreadingError,
} from "../../mod.ts";
import { checkHeap } from "../../threading/_memory/allocator.ts";
import { Field } from "../../threading/_memory/heap.ts";
import { ADDRESS } from "../../threading/_memory/shared_object.ts";
import { OBJECTS } from "../project/bad_input/freed_table.ts";
import { dieInSection } from "./damage_fixture.ts";
import {
  Door,
  inspectForEver,
  inspectHere,
  takeTurnsUntil,
} from "./looking_fixture.ts";
import { dieHolding, hold } from "./wait_fixture.ts";
import { waitFor } from "./shared_support.ts";

for (const [name, make] of Object.entries(OBJECTS)) {
  Deno.test(`${name} shows its state, also when it was freed`, () => {
    const object = make();
    const states: Record<string, string> = {
      Barrier: "0 of 2 waiting",
      BoundedSemaphore: "1 of 1 permit",
      Event: "not set",
      SharedArray: "Float64Array of 1",
      SharedMap: "1 key",
      Thread: "not started",
    };
    const seen = Deno.inspect(object);
    assert(seen.startsWith(`${name} {`), seen);
    assertStringIncludes(seen, states[name] ?? "");
    object.free();
    assertEquals(Deno.inspect(object).split("\n")[0].includes(name), true);
    assertStringIncludes(Deno.inspect(object), "given back with free()");
  });

  Deno.test(`${name} cannot be cloned, posted or made JSON of`, () => {
    const object = make();
    const { port1, port2 } = new MessageChannel();
    const calls = [
      () => structuredClone(object),
      () => structuredClone({ deep: [new Map([[1, object]])] }),
      () => port1.postMessage([object]),
      () => JSON.stringify({ object }),
    ];
    for (const call of calls) {
      const error = assertThrows(call, NotSendableError);
      assertMatch(error.message, new RegExp(`^Cannot .* a ${name}: it is `));
    }
    port1.close();
    port2.close();
    assertEquals(Object.keys(object).filter((key) => /json/i.test(key)), []);
  });
}

Deno.test("shared objects cannot be posted to a worker that is no thread", async () => {
  const worker = new NodeWorker("", { eval: true });
  assertThrows(() => worker.postMessage(new Lock()), NotSendableError);
  await worker.terminate();
});

Deno.test("Lock shows who holds it and how many wait", async () => {
  const lock = new Lock();
  assertEquals(Deno.inspect(lock), "Lock { free }");
  const [held, go] = [new Event(), new Event()];
  const thread = new Thread({ target: hold, args: [lock, held, go] });
  thread.start();
  await held.wait();
  const waits = [lock.acquire(), lock.acquire()];
  assertEquals(
    Deno.inspect(lock),
    `Lock { held by ${thread.name}, 2 waiting }`,
  );
  assertEquals(Deno.inspect([lock]), `[ ${Deno.inspect(lock)} ]`);
  assertStringIncludes(Deno.inspect(thread), `${thread.name}, alive`);
  go.set();
  await thread.join();
  for (const wait of waits) (await wait).release();
  assertStringIncludes(Deno.inspect(thread), "returned");
});

Deno.test("locks show how they are held", async () => {
  setExcepthook(() => {});
  const rlock = new RLock().acquireSync().acquireSync();
  const condition = new Condition(rlock);
  assertEquals(Deno.inspect(rlock), "RLock { held 2 times by MainThread }");
  assertEquals(
    Deno.inspect(condition),
    "Condition { held 2 times by MainThread }",
  );
  rlock.release();
  rlock.release();

  const rw = new RwLock();
  const reader = rw.acquireReadSync();
  const writing = rw.acquireWrite();
  assertEquals(Deno.inspect(rw), "RwLock { 1 reader, 1 waiting }");
  reader.release();
  const writer = await writing;
  assertEquals(Deno.inspect(rw), "RwLock { written by MainThread }");
  writer.release();

  const semaphore = new BoundedSemaphore(2).acquireSync();
  assertEquals(
    Deno.inspect(semaphore),
    "BoundedSemaphore { 1 of 2 permits }",
  );

  const lock = new Lock();
  const thread = new Thread({ target: dieHolding, args: [lock] });
  thread.start();
  await thread.join().catch(() => {});
  assertEquals(
    Deno.inspect(lock),
    `Lock { poisoned by ${thread.name}, which died }`,
  );
});

Deno.test("queues and maps show how much is in them", async () => {
  const queue = new Queue<number>(2);
  queue.putSync(1);
  queue.putSync(2);
  const putting = queue.put(3);
  assertEquals(
    Deno.inspect(queue),
    "Queue { 2 of 2 items, 1 waiting to put }",
  );
  queue.getSync();
  await putting;
  assertEquals(Deno.inspect(new SharedMap([[1, 2]])), "SharedMap { 1 key }");
});

Deno.test("subclasses show their fields, in every thread", async () => {
  const door = new Door().acquireSync();
  const seen = "Door { held by MainThread, number: 42, self: Door { … } }";
  assertEquals(Deno.inspect(door), seen);
  const thread = new Thread({ target: inspectHere, args: [door] });
  thread.start();
  assertEquals(await thread.join(), seen);

  const odd = new Lock();
  Object.defineProperty(odd, "constructor", {
    get() {
      throw new Error("no class");
    },
  });
  assertEquals(Deno.inspect(odd), "SharedObject {}");
  assertEquals(Deno.inspect(Lock.prototype), "Lock {}");
});

Deno.test("a damaged object shows that it is", () => {
  const lock = new Lock();
  dieInSection(lock[ADDRESS] + Field.mutex);
  assertThrows(() => lock.locked(), ThreadingError);
  assertEquals(Deno.inspect(lock), "Lock { damaged }");
  assertThrows(() => structuredClone(lock), NotSendableError);
});

Deno.test("showing a lock disturbs nobody who takes it", async () => {
  const lock = new Lock();
  const stop = new Event();
  const count = new SharedNumber(0);
  const threads = [1, 2].map(() =>
    new Thread({ target: takeTurnsUntil, args: [lock, stop] })
  );
  const looking = new Thread({ target: inspectForEver, args: [lock, count] });
  for (const thread of [...threads, looking]) thread.start();
  waitFor(() => count.value > 0);
  for (let i = 0; i < 2000; i++) {
    assertMatch(
      Deno.inspect(lock),
      /^Lock \{ (free|held by (Thread-\d+|thread \d+))(, \d waiting)? \}$/,
    );
  }
  // At whatever moment it is killed, it has nothing that others wait for.
  looking.terminate();
  await looking.join().catch(() => {});
  await delay(5);
  stop.set();
  for (const thread of threads) await thread.join({ timeout: 60_000 });
  assertEquals(Deno.inspect(lock), "Lock { free }");
  checkHeap();
});
