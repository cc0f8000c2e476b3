import {
  currentThread,
  type Event,
  interruptMain,
  sendable,
} from "../../threading/mod.ts";
import {
  alarm,
  getitimer,
  getSignal,
  ITIMER_REAL,
  onShutdown,
  pause,
  raiseSignal,
  SIG_DFL,
  signal,
  sleep,
} from "../../signal/mod.ts";

/** Handles a signal in a thread. */
export const handle = sendable(import.meta, async function handle() {
  let where = "";
  signal("SIGUSR2", () => where = currentThread().name);
  raiseSignal("SIGUSR2");
  await pause();
  return where;
});

/** Sleeps until a signal comes. */
export const sleeper = sendable(
  import.meta,
  async function sleeper(ready: Event) {
    const asleep = sleep(10_000);
    ready.set();
    return await asleep;
  },
);

/** Pauses until a signal comes. */
export const pauser = sendable(
  import.meta,
  async function pauser(ready: Event) {
    const paused = pause();
    ready.set();
    await paused;
    return "over";
  },
);

/** An alarm of a thread. */
export const ring = sendable(import.meta, async function ring() {
  signal("SIGALRM", () => {});
  alarm(0.02);
  return await sleep(10_000);
});

/** Leaves everything behind that a thread can. */
export const leave = sendable(import.meta, async function leave() {
  signal("SIGUSR2", () => {});
  signal("SIGALRM", () => {});
  alarm(0.05);
  pause();
  await sleep(0);
});

/** Whether nothing is set at the start of a thread. */
export const look = sendable(import.meta, async function look() {
  const clean = getSignal("SIGUSR2") === SIG_DFL &&
    getSignal("SIGALRM") === SIG_DFL &&
    getitimer(ITIMER_REAL).value === 0;
  const left = await sleep(80);
  return clean && left === 0;
});

/** Fails in a handler. */
export const fail = sendable(import.meta, async function fail() {
  signal("SIGUSR2", () => {
    throw new RangeError("thrown in the handler of a thread");
  });
  raiseSignal("SIGUSR2");
  await pause();
  await pause();
});

/** Presses Ctrl+C, so to speak. */
export const interrupt = sendable(import.meta, function interrupt() {
  interruptMain();
});

/** Tries to prepare a shutdown. */
export const shutDown = sendable(import.meta, function shutDown() {
  onShutdown(() => {});
});
