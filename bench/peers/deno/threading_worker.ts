// The worker of threading.ts: does one task, posts the nanoseconds it took.
/// <reference lib="deno.worker" />
import { pin } from "../../_pin.ts";
import { acquire, release } from "./mutex.ts";

/** What a worker is told to do. */
export interface Task {
  /** Which of the tasks below. */
  kind: "nothing" | "increment" | "round-trip" | "echo";
  /** Which of two workers this is. */
  me: number;
  /** Memory that all workers share. */
  cells: Int32Array;
}

/** Increments in each of the two workers that are timed. */
export const INCREMENTS = 1_000_000;
/** Increments in each before that. */
export const WARM_INCREMENTS = 500_000;
// A function's best code is only entered when it is called anew: many calls.
const CHUNK = 10_000;
/** Round trips that are timed. */
export const TRIPS = 4000;
const WARM_TRIPS = 400;

// Words in cells; 64 bytes apart, so that they do not share a cache line.
const LOCK = 0;
const COUNTER = 1;
const ARRIVED = 16;
const BALLS = [32, 48] as const;

function increments(cells: Int32Array, times: number): void {
  for (let i = 0; i < times; i++) {
    acquire(cells, LOCK);
    cells[COUNTER]++;
    release(cells, LOCK);
  }
}

// Both start together, so the slower one's time is that of the two.
function increment({ cells, me }: Task): number {
  pin(me);
  for (let i = 0; i < WARM_INCREMENTS; i += CHUNK) increments(cells, CHUNK);
  Atomics.add(cells, ARRIVED, 1);
  while (Atomics.load(cells, ARRIVED) < 2);
  const start = performance.now();
  for (let i = 0; i < INCREMENTS; i += CHUNK) increments(cells, CHUNK);
  return (performance.now() - start) * 1e6;
}

function roundTrip({ cells, me }: Task): number {
  pin(me);
  const mine = BALLS[me];
  const other = BALLS[1 - me];
  let start = 0;
  for (let i = 1 - WARM_TRIPS; i <= TRIPS; i++) {
    if (i === 1) start = performance.now();
    if (me === 0) {
      Atomics.add(cells, other, 1);
      Atomics.notify(cells, other, 1);
    }
    while (Atomics.load(cells, mine) === 0) Atomics.wait(cells, mine, 0);
    Atomics.sub(cells, mine, 1);
    if (me === 1) {
      Atomics.add(cells, other, 1);
      Atomics.notify(cells, other, 1);
    }
  }
  return (performance.now() - start) * 1e6;
}

function echo(): number {
  self.onmessage = (event) => self.postMessage(event.data);
  return 0;
}

const TASKS = {
  nothing: () => 0,
  increment,
  "round-trip": roundTrip,
  echo,
};

if (typeof WorkerGlobalScope !== "undefined") {
  self.onmessage = (event: MessageEvent<Task>) => {
    self.postMessage(TASKS[event.data.kind](event.data));
  };
}
