// A queue with hooks or a compare does what one without does: random programs,
// run with both, must give the same items to the same callers.
import { assert, assertEquals } from "@std/assert";
import { sleepSync, Thread } from "../../threading/mod.ts";
import { SEED, STRESS } from "../threading/shared_support.ts";
import { block, type Form } from "./orders_fixture.ts";
import { item, type Kind, kinds } from "./kinds_fixture.ts";
import { countWaiting } from "./support.ts";

type Next = (n: number) => number;

function random(seed: number): Next {
  let state = seed;
  return (n) => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0;
    const mixed = Math.imul(state ^ state >>> 12, 0x297a2d39);
    return ((mixed ^ mixed >>> 15) >>> 0) % n;
  };
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

/** The outcome of a call, as text. */
function shown(outcome: unknown): string {
  if (outcome instanceof Error) return outcome.name;
  if (!Array.isArray(outcome)) return String(outcome);
  return Array.isArray(outcome[0])
    ? `[${outcome.map(([n]) => n)}]`
    : String(outcome[0]);
}

/** Runs a random program in the tasks of one thread; returns what happened. */
async function runTasks(kind: Kind, seed: number): Promise<string[]> {
  const next = random(seed);
  const queue = kind.make(next(4));
  const log: string[] = [];
  const controllers: AbortController[] = [];
  let number = 0;
  // Priorities in no order, and never twice the same.
  const fresh = () => item(++number * 7919 % 1000 + number / 1000);
  const many = () => Array.from({ length: 1 + next(3) }, fresh);
  const task = (what: string, promise: Promise<unknown>) => {
    const at = log.push(`${what}: waits`) - 1;
    promise.then(
      (value) => log[at] = `${what}: ${shown(value)}`,
      (error) => log[at] = `${what}: ${shown(error)}`,
    );
    return promise.catch(() => {});
  };
  const now = (what: string, call: () => unknown) => {
    try {
      log.push(`${what}: ${shown(call())}`);
    } catch (error) {
      log.push(`${what}: ${shown(error)}`);
    }
  };
  const options = () => {
    const controller = new AbortController();
    controllers.push(controller);
    return { signal: controller.signal };
  };
  for (let step = 0; step < 60; step++) {
    switch (next(14)) {
      case 0:
      case 1:
        task("get", queue.get(options()));
        break;
      case 2:
        task("getMany", queue.getMany(1 + next(3), options()));
        break;
      case 3:
      case 4:
        task("put", queue.put(fresh(), options()));
        break;
      case 5:
        task("putMany", queue.putMany(many(), options()));
        break;
      case 6:
        now("getNowait", () => queue.getNowait());
        break;
      case 7:
        now("getManyNowait", () => queue.getManyNowait(1 + next(4)));
        break;
      case 8:
        now("putNowait", () => queue.putNowait(fresh()));
        break;
      case 9:
        now("putManyNowait", () => queue.putManyNowait(many()));
        break;
      case 10:
      case 11: {
        const [controller] = controllers.splice(next(controllers.length), 1);
        controller?.abort(new Error("aborted"));
        // The hooks of those that it kept from going on run in their own task.
        await turn();
        break;
      }
      case 12:
        // What a task goes on with must not depend on the order of microtasks.
        await turn();
        if (next(2) === 0) {
          await task("timed get", queue.get({ timeout: 1 }));
        } else {
          await task("timed put", queue.put(fresh(), { timeout: 1 }));
        }
        await turn();
        break;
      default:
        await turn();
    }
    log.push(`qsize: ${queue.qsize()}`);
  }
  await turn();
  const rest = queue.qsize();
  if (rest > 0) now("rest", () => queue.getManyNowait(Infinity));
  queue.shutdown();
  await turn();
  queue.free();
  return log;
}

/** Runs a random program of blocked threads; returns what happened. */
async function runThreads(kind: Kind, seed: number): Promise<string[]> {
  const next = random(seed);
  const queue = kind.make(1 + next(3));
  const log: string[] = [];
  const running = new Map<Thread<number[] | string>, number>();
  let number = 0;
  const fresh = () => ++number * 7919 % 1000 + number / 1000;
  const start = (form: Form, count: number) => {
    const numbers = Array.from({ length: count }, fresh);
    const thread = new Thread({ target: block, args: [queue, form, numbers] });
    running.set(thread, log.push(`${form}: waits`) - 1);
    thread.start();
  };
  /** Until each thread has ended or is in line. */
  const settle = () => {
    const end = performance.now() + 60_000;
    for (;;) {
      const waiting = countWaiting(queue, "getters") +
        countWaiting(queue, "putters");
      const alive = [...running.keys()].filter((t) => t.isAlive()).length;
      if (waiting === alive) break;
      assert(performance.now() < end, `${waiting} of ${alive} wait`);
      sleepSync(0.2);
    }
    for (const [thread, at] of running) {
      if (thread.isAlive()) continue;
      const form = log[at].split(":")[0];
      log[at] = `${form}: ${thread.joinSync()}`;
      running.delete(thread);
      thread.free();
    }
  };
  for (let step = 0; step < 25; step++) {
    switch (running.size < 4 ? next(7) : 4 + next(3)) {
      case 0:
        start("getSync", 1);
        break;
      case 1:
        start("getManySync", 1 + next(3));
        break;
      case 2:
        start("putSync", 1);
        break;
      case 3:
        start("putManySync", 1);
        break;
      case 4:
        try {
          log.push(`getNowait: ${queue.getNowait()[0]}`);
        } catch (error) {
          log.push(`getNowait: ${shown(error)}`);
        }
        break;
      case 5:
        try {
          queue.putNowait(item(fresh()));
          log.push("putNowait");
        } catch (error) {
          log.push(`putNowait: ${shown(error)}`);
        }
        break;
      default: {
        const victim = [...running.keys()][next(running.size + 1)];
        if (victim === undefined) break;
        const at = running.get(victim)!;
        running.delete(victim);
        victim.terminate();
        await victim.join().catch(() => {});
        log[at] = "killed";
      }
    }
    settle();
    log.push(`qsize: ${queue.qsize()}`);
  }
  queue.shutdown();
  settle();
  queue.free();
  return log;
}

const pairs: [string, string][] = [
  ["Queue", "Queue with hooks"],
  ["LifoQueue", "a stack of hooks"],
  ["PriorityQueue", "PriorityQueue with compare"],
  ["PriorityQueue", "PriorityQueue with hooks"],
];

for (const [plainName, hookedName] of pairs) {
  const plain = kinds.find(({ name }) => name === plainName)!;
  const hooked = kinds.find(({ name }) => name === hookedName)!;

  Deno.test(`${hookedName}: tasks get what they get of a ${plainName} (SKEIN_SEED=${SEED})`, async () => {
    for (let i = 0; i < 20 * STRESS; i++) {
      const seed = SEED * 1000 + i;
      assertEquals(
        await runTasks(hooked, seed),
        await runTasks(plain, seed),
        `seed ${seed}`,
      );
    }
  });

  Deno.test(`${hookedName}: threads get what they get of a ${plainName} (SKEIN_SEED=${SEED})`, async () => {
    for (let i = 0; i < 4 * STRESS; i++) {
      const seed = SEED * 1000 + i;
      assertEquals(
        await runThreads(hooked, seed),
        await runThreads(plain, seed),
        `seed ${seed}`,
      );
    }
  });
}
