/**
 * The director: the main thread of an explored heap. It makes the objects of each
 * run, has the threads begin, looks at what came of it, and decides what to try
 * next. While a run is on it sleeps.
 *
 * @module
 */

import { builtIn, seam } from "../_internal/built_in.ts";
import {
  checkHeap,
  classOf,
  discard,
  Header,
  Slot,
  slotOf,
  words,
} from "../threading/_ground.ts";
import { DeadlockError } from "../threading/errors.ts";
import { draftRecord, loadModule, sendableOf } from "../threading/_threads.ts";
import { Thread } from "../threading/mod.ts";
import {
  Exhaustive,
  lastPlan,
  type Plan,
  planOfText,
  randomFrom,
  textOfPlan,
} from "./_search.ts";
import {
  At,
  Fault,
  MAX_PLAN,
  Over,
  type Report,
  type Row,
  type Told,
} from "./_layout.ts";
import { control, role, trace } from "./_steps.ts";
import { describe } from "./_words.ts";
import {
  type Explored,
  exploreThread,
  freeAllBut,
  heldHere,
  turn,
} from "./_thread.ts";

/** A marked function, as it is found in another worker. */
export interface Named {
  url: string;
  name: string;
}

/** What is explored. */
export interface Program {
  setup: Named | undefined;
  threads: Named[];
  check: Named | undefined;
}

/** How it is explored. */
export interface Strategy {
  preemptions: number;
  schedules: number;
  /** If it is a number, random schedules are tried. */
  depth: number | undefined;
  seed: number;
  steps: number;
  /** If it is a text, only this schedule is tried. */
  replay: string | undefined;
  /** Set if orders that can make no difference are tried as well. */
  full?: boolean;
  /** Set if the search goes on behind failures, and tells what came of each run. */
  collects?: boolean;
  /** Set if a thread is killed; the last one of the program buries it. */
  death?: Death;
}

/** How a thread dies. */
export interface Death {
  /** Its index. */
  victim: number;
  /** Whether it is asked to end itself; if not, it is stopped where it is. */
  asks: boolean;
  /** At which of its points; at each of them in turn by default. */
  at?: number;
}

/** A fault that was found. */
export interface Found {
  kind: string;
  schedule: string;
  error: Told;
  /** At which point a thread died. */
  deathAt?: number;
  /** What the threads did, once it was looked at that. */
  rows: Row[] | undefined;
}

/** What came of it. */
export interface Result {
  schedules: number;
  complete: boolean;
  found: Found | undefined;
  /** Whether the workers can be used again. */
  isClean: boolean;
  /** What came of the runs: what the check returned, or how they failed. */
  outcomes: Set<string>;
}

/** What the director is asked for. */
export type Order =
  | { program: Program }
  | { strategy: Strategy; explain: boolean };
/** What it says. */
export type Answer =
  | { worker: Record<string, unknown> }
  | { dead: number }
  | { ready: true }
  | { result: Result }
  | { error: unknown };

const port = builtIn("node:worker_threads").parentPort!;
const say = (answer: Answer) => port.postMessage(answer);

// Whoever asked for all this starts the workers: one that a worker starts takes
// half a second.
seam.createWorker = (data) => {
  say({ worker: data });
  const none = () => {};
  return { on: none, ref: none, unref: none, terminate: none };
};

type Function = (objects: unknown) => unknown;

async function find(named: Named): Promise<Function> {
  if (sendableOf(named.url, named.name) === undefined) {
    await loadModule(named.url);
  }
  const entry = sendableOf(named.url, named.name);
  if (entry === undefined) {
    throw new TypeError(
      `Cannot explore: the module ${named.url} does not mark ${named.name} when a worker loads it`,
    );
  }
  return entry.value as Function;
}

let setup: Function | undefined;
let check: Function | undefined;
let functions: Explored[] = [];
let threads: Thread[] = [];
let kept = new Set<number>();
/** What the check returned. */
let checked: unknown;

async function prepare(program: Program): Promise<void> {
  setup = program.setup && await find(program.setup);
  check = program.check && await find(program.check);
  functions = [];
  for (const named of program.threads) functions.push(await find(named));
  if (threads.length > 0) return;
  control[At.threads] = functions.length;
  threads = functions.map((_, index) => startThread(index));
  kept = heldHere();
}

function startThread(index: number): Thread {
  const thread = new Thread({
    target: exploreThread,
    args: [index, control[At.run]],
    name: `thread ${index + 1}`,
    daemon: true,
  });
  thread.start();
  return thread;
}

/** Starts another thread in the place of one that has died. */
async function replaceVictim(): Promise<void> {
  const victim = control[At.victim] - 1;
  const slot = control[At.remains];
  say({ dead: slot });
  if (threads[victim].isAlive()) {
    throw new Error(`thread ${victim + 1} is alive though it has died`);
  }
  threads[victim].free();
  const came = control[At.came];
  threads[victim] = startThread(victim);
  Atomics.wait(control, At.came, came, PATIENCE_MS);
  kept = heldHere();
  // A thread's first run is not like those behind it. What was found is not to
  // be forgotten for it.
  const found = control.slice(At.over, At.came);
  const steps = trace.slice(0, 2 * control[At.step]);
  control[At.deathAt] = 0;
  await run([], false);
  control.set(found, At.over);
  trace.set(steps);
}

/** How a run came out. */
interface Outcome {
  kind: string;
  error: unknown;
  /** Whether all threads have ended. */
  isClean: boolean;
}

/** Without a sign of life for so long, a thread does not come to its next step. */
const PATIENCE_MS = 20_000;

/** Lets the threads run once. */
function runThreads(plan: Plan, explain: boolean): void {
  const n = threads.length;
  const isMortal = control[At.victim] !== 0;
  control.fill(0, At.ready, At.threads);
  control.fill(0, At.step, At.since + 1);
  control.fill(0, At.sleepers, At.sleepers + 1);
  control.fill(0, At.explains, At.faultThread + 1);
  control.fill(0, At.gate, At.priority);
  control.fill(0, At.reported, At.slept);
  control.fill(0, At.clock, At.change);
  control[At.explains] = explain ? 1 : 0;
  control[At.enabled] = (1 << n) - 1;
  control[At.remains] = 0;
  control[At.victimSlot] = 0;
  control[At.cameToPoint] = 0;
  if (isMortal) {
    // The last one goes on when there is somebody to be buried.
    control[At.enabled] &= ~(1 << n - 1);
    control[At.ended] = 1 << n - 1;
  }
  control[At.plans] = Math.min(plan.length / 2, MAX_PLAN);
  control.set(plan.slice(0, 2 * MAX_PLAN), At.plan);
  Atomics.add(control, At.run, 1);
  Atomics.notify(control, At.run);
  let until = performance.now() + PATIENCE_MS;
  let seen = -1;
  for (;;) {
    const left = Atomics.load(control, At.left);
    if (left === n) return;
    Atomics.wait(control, At.left, left, 200);
    const now = Atomics.load(control, At.step);
    if (now !== seen) {
      seen = now;
      until = performance.now() + PATIENCE_MS;
    }
    for (const [index, thread] of threads.entries()) {
      const mayDie = control[At.victim] === index + 1;
      if (!mayDie && !thread.isAlive()) thread.joinSync();
    }
    if (performance.now() > until) {
      control[At.over] = Over.endless;
      return;
    }
  }
}

function reports(): (Report | undefined)[] {
  return threads.map((_, i) => {
    const length = control[At.reported + i];
    if (length === 0) return undefined;
    const bytes = new Uint8Array(role.shared.reports[i]).slice(0, length);
    return JSON.parse(new TextDecoder().decode(bytes)) as Report;
  });
}

/** One run, from the setup to the check. */
async function run(
  plan: Plan,
  explain: boolean,
): Promise<Outcome | undefined> {
  const before = words[Header.allocatedWords];
  const interned = words[Header.internCount];
  let objects = setup?.(undefined);
  if (isThenable(objects)) objects = await objects;
  const record = draftRecord([functions, objects]);
  control[At.objects] = record;
  runThreads(plan, explain);
  let outcome = faultOfRun();
  if (outcome?.isClean === false) return outcome;
  discard(record);
  if (outcome === undefined) {
    try {
      checked = check?.(objects);
      if (isThenable(checked)) checked = await checked;
    } catch (error) {
      outcome = { kind: "error", error, isClean: true };
    }
  }
  objects = undefined;
  freeAllBut(kept);
  if (control[At.remains] !== 0) {
    if (control[At.cameToPoint] !== 0) anyDied = true;
    try {
      await replaceVictim();
    } catch (error) {
      // On a heap that was damaged, nothing starts.
      return { kind: "damage", error, ...outcome, isClean: false };
    }
  }
  if (outcome !== undefined) return outcome;
  try {
    checkHeap();
  } catch (error) {
    return { kind: "damage", error, isClean: false };
  }
  const after = words[Header.allocatedWords];
  if (after !== before && words[Header.internCount] === interned) {
    const error = new Error(
      `${(after - before) * 4} bytes of the shared heap were not given back`,
    );
    return { kind: "leak", error, isClean: true };
  }
  return undefined;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then ===
    "function";
}

/** What was wrong, as far as the threads themselves tell. */
function faultOfRun(): Outcome | undefined {
  const isClean = control[At.over] === Over.done;
  const thrown = reports().flatMap((report) => report?.thrown ?? []);
  if (control[At.fault] !== Fault.none) {
    const what = control[At.fault] === Fault.freed ? "gives back" : "writes to";
    const error = new Error(
      `thread ${
        control[At.faultThread] + 1
      } ${what} a block of the shared heap that was given back before`,
    );
    return { kind: "use after free", error, isClean: false };
  }
  if (control[At.over] === Over.endless) {
    const error = new Error(
      `no end after ${control[At.step]} steps`,
    );
    return { kind: "livelock", error, isClean };
  }
  // A thread that failed leaves others waiting.
  if (thrown.length > 0) {
    const kind = thrown[0].name === DeadlockError.name ? "deadlock" : "error";
    return { kind, error: thrown[0], isClean };
  }
  return control[At.over] === Over.stuck ? stuck() : undefined;
}

/** All that have not ended sleep, and nothing will wake them. */
function stuck(): Outcome {
  const lines: string[] = [];
  let isHeld = false;
  for (const [i, thread] of threads.entries()) {
    if (control[At.ended] & 1 << i) continue;
    const slot = slotOf(thread.ident!);
    const object = words[slot + Slot.waitsFor];
    const shared = object === 0 ? undefined : classOf(object);
    const node = slot + Slot.node;
    const isMutex = control[At.sleepsAt + i] !== slot + Slot.event;
    if (isMutex || (shared?.holders?.(object, node) ?? []).length > 0) {
      isHeld = true;
    }
    const what = isMutex
      ? "an internal mutex"
      : `a ${shared?.constructor.name ?? "promise"}`;
    lines.push(`thread ${i + 1} waits for ${what}`);
  }
  return {
    kind: isHeld ? "deadlock" : "lost wake-up",
    error: new Error(`nobody is left to wake anybody: ${lines.join(", ")}`),
    isClean: false,
  };
}

function toldOf(error: unknown): Told {
  const told = error as Told;
  return error instanceof Error || typeof told?.message !== "string"
    ? describe(error)
    : told;
}

/** Runs by a plan, and once more if it left something: some things come once. */
async function tryPlan(
  plan: Plan,
  explain: boolean,
): Promise<Outcome | undefined> {
  const outcome = await run(plan, explain);
  if (outcome?.kind !== "leak") return outcome;
  await turn();
  const again = lastPlan();
  const random = control[At.random];
  control[At.random] = 0;
  let last = await run(again, explain);
  if (last?.isClean !== false) last = await run(again, explain);
  control[At.random] = random;
  return last;
}

function textOfOutcome(outcome: Outcome | undefined): string {
  if (outcome === undefined) return JSON.stringify(checked) ?? "";
  return `${outcome.kind}: ${toldOf(outcome.error).message}`;
}

/** Tries one schedule after the other until one fails. */
async function search(strategy: Strategy, explain: boolean): Promise<Result> {
  const { depth, replay, seed } = strategy;
  control[At.limit] = strategy.steps;
  control[At.turn] = Math.max(100, Math.min(2000, strategy.steps >> 2));
  control[At.random] = 0;
  control[At.seed] = seed;
  control[At.victim] = 0;
  const result: Result = {
    schedules: 0,
    complete: false,
    found: undefined,
    isClean: true,
    outcomes: new Set(),
  };
  /** Whether the search goes on. */
  const attempt = async (plan: Plan): Promise<boolean> => {
    result.schedules++;
    const outcome = await tryPlan(plan, explain);
    if (strategy.collects) result.outcomes.add(textOfOutcome(outcome));
    if (outcome === undefined) return true;
    if (strategy.collects && outcome.isClean) return true;
    control[At.random] = 0;
    await tell(result, outcome, explain);
    return false;
  };
  const { death } = strategy;
  if (death !== undefined) {
    control[At.victim] = death.victim + 1;
    control[At.asks] = death.asks ? 1 : 0;
    control[At.deathAt] = 0;
  }
  // What comes once comes here: tables grow, names are learned.
  if (!explain) {
    for (let i = 0; i < 2; i++) {
      const outcome = await run([], false);
      if (outcome === undefined || outcome.kind === "leak") continue;
      result.schedules++;
      await tell(result, outcome, explain);
      return result;
    }
  }
  control[At.deathAt] = death?.at ?? 1;
  if (replay !== undefined) {
    await attempt(planOfText(replay)!);
  } else if (depth !== undefined) {
    await searchRandomly(strategy, attempt);
  } else {
    result.complete = await searchAll(strategy, attempt);
    // Until there is no such point.
    while (result.complete && death !== undefined && anyDied) {
      control[At.deathAt]++;
      anyDied = false;
      result.complete = await searchAll(strategy, attempt);
    }
  }
  return result;
}

/** Whether one of the runs since it was reset had a death. */
let anyDied = false;

/** All schedules with up to so many preemptions; whether that came to its end. */
async function searchAll(
  { preemptions, schedules, full }: Strategy,
  attempt: (plan: Plan) => Promise<boolean>,
): Promise<boolean> {
  let count = 0;
  let strayed = false;
  for (let bound = full ? preemptions : 0; bound <= preemptions; bound++) {
    const tree = new Exhaustive(bound, threads.length, full);
    for (;;) {
      const plan = tree.next();
      if (plan === undefined) break;
      if (count++ >= schedules) return false;
      if (!await attempt(plan)) return false;
      tree.learn();
    }
    strayed ||= tree.strayed;
    if (!tree.skipped) break;
  }
  return !strayed;
}

/**
 * Random schedules: the thread with the highest of random priorities goes on, and
 * at `depth - 1` random steps the one that goes on gets the lowest. A fault that
 * needs that many steps in a certain order is found in one of n k^(depth - 1) runs
 * at least, n the threads and k the steps (Burckhardt and others, 2010).
 */
async function searchRandomly(
  { schedules, depth, seed }: Strategy,
  attempt: (plan: Plan) => Promise<boolean>,
): Promise<void> {
  const random = randomFrom(seed);
  let steps = 100;
  const n = threads.length;
  for (let count = 0; count < schedules; count++) {
    control[At.random] = 1;
    control[At.changes] = 0;
    control[At.lowest] = 0;
    for (let i = 0; i < n; i++) control[At.priority + i] = i + 1;
    for (let i = n - 1; i > 0; i--) {
      const other = Math.floor(random() * (i + 1));
      const mine = control[At.priority + i];
      control[At.priority + i] = control[At.priority + other];
      control[At.priority + other] = mine;
    }
    const changes = Array.from(
      { length: depth! - 1 },
      () => Math.floor(random() * steps),
    ).sort((a, b) => a - b);
    control.set([...changes, 2 ** 31 - 1], At.change);
    if (!await attempt([])) break;
    steps = Math.max(steps, control[At.step]);
  }
  control[At.random] = 0;
}

/** Makes the plan shorter as long as it fails in the same way. */
async function shrink(plan: Plan, kind: string): Promise<Plan> {
  let best = plan;
  let tries = 0;
  for (let at = 0; at < best.length && tries < 200;) {
    const shorter = [...best.slice(0, at), ...best.slice(at + 2)];
    tries++;
    const outcome = await run(shorter, false);
    const now = lastPlan();
    if (outcome?.isClean === false) return best;
    if (outcome?.kind === kind && now.length < best.length) {
      best = now;
      at = 0;
    } else {
      at += 2;
    }
  }
  return best;
}

/** Tells of a fault, and of what the threads did if that can be seen now. */
async function tell(
  result: Result,
  outcome: Outcome,
  explain: boolean,
): Promise<void> {
  let plan = lastPlan();
  const { kind } = outcome;
  result.isClean = outcome.isClean;
  let told = toldOf(outcome.error);
  let rows: Row[] | undefined;
  if (explain) {
    rows = lastRows();
  } else if (outcome.isClean) {
    plan = await shrink(plan, kind);
    const again = await run(plan, true);
    if (again?.kind === kind) {
      told = toldOf(again.error);
      rows = lastRows();
    }
    result.isClean = again?.isClean ?? true;
  }
  const deathAt = control[At.victim] ? control[At.deathAt] : undefined;
  const schedule = textOfPlan(plan);
  result.found = { kind, schedule, error: told, deathAt, rows };
}

function lastRows(): Row[] {
  return reports().flatMap((report) => report?.rows ?? [])
    .sort((a, b) => a.step - b.step);
}

port.on("message", async (order: Order) => {
  try {
    if ("program" in order) {
      await prepare(order.program);
      say({ ready: true });
    } else {
      say({ result: await search(order.strategy, order.explain) });
    }
  } catch (error) {
    say({ error: error instanceof Error ? error : new Error(String(error)) });
  }
});
say({ ready: true });
