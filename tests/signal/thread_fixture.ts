import {
  currentThread,
  type Event,
  interruptMain,
  sendable,
  sleepSync,
} from "../../threading/mod.ts";
import {
  abortOn,
  alarm,
  getSignal,
  onShutdown,
  pause,
  raiseSignal,
  SIG_DFL,
  SIG_IGN,
  signal,
  sigwait,
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

/** Handles a signal until it is killed. */
export const handleForEver = sendable(
  import.meta,
  async function handleForEver(ready: Event) {
    signal("SIGUSR2", () => {});
    ready.set();
    for (;;) await pause();
  },
);

/** Waits for a signal in the place of a thread that is blocked. */
export const waitForSignal = sendable(
  import.meta,
  async function waitForSignal(ready: Event) {
    const got = sigwait(["SIGTERM"]);
    ready.set();
    return await got;
  },
);

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

/** Sets the alarm of the process, and ends. */
export const setAlarm = sendable(
  import.meta,
  function setAlarm(seconds: number): number {
    return alarm(seconds);
  },
);

/** An alarm that its thread handles. */
export const ring = sendable(import.meta, async function ring() {
  signal("SIGALRM", () => {});
  alarm(0.02);
  return await sleep(10_000);
});

/** Leaves everything behind that a thread can. */
export const leave = sendable(import.meta, async function leave() {
  signal("SIGUSR2", () => {});
  signal("SIGALRM", () => {});
  pause();
  await sleep(0);
});

/** Whether nothing is set at the start of a thread. */
export const look = sendable(import.meta, async function look() {
  const clean = getSignal("SIGUSR2") === SIG_DFL &&
    getSignal("SIGALRM") === SIG_DFL;
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

/** Computes for so many milliseconds. */
export function compute(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** Asks for an abort, and then blocks for ever. */
export const askAndBlock = sendable(
  import.meta,
  function askAndBlock(ready: Event) {
    abortOn("SIGINT");
    ready.set();
    sleepSync(60_000);
  },
);

/** Is busy while a signal comes, and then no longer handles it. */
export const handleTooLate = sendable(
  import.meta,
  async function handleTooLate(how: string): Promise<void> {
    signal("SIGTERM", () => console.log("handled"));
    raiseSignal("SIGTERM");
    compute(100);
    if (how === "ends") return;
    signal("SIGTERM", SIG_DFL);
    await sleep(60_000);
  },
);

/** Asks for an abort, and ends before it can be told of the signal. */
export const askTooLate = sendable(import.meta, function askTooLate() {
  abortOn("SIGTERM");
  raiseSignal("SIGTERM");
  compute(100);
});

/** Handles SIGPIPE, which the process ignored, and ends. */
export const handlePipe = sendable(import.meta, function handlePipe() {
  const before = signal("SIGPIPE", () => {});
  signal("SIGPIPE", before);
  return getSignal("SIGPIPE") === SIG_IGN;
});

/** Waits for a signal of the main thread's, in a handler of the same signal. */
export const sleepInHandler = sendable(
  import.meta,
  async function sleepInHandler(ready: Event) {
    const { promise, resolve } = Promise.withResolvers<number>();
    signal("SIGUSR2", async () => {
      await null;
      resolve(await sleep(300));
    });
    ready.set();
    return await promise;
  },
);

/** Sets an alarm that nobody handles, and is busy. */
export const alarmAndCompute = sendable(
  import.meta,
  function alarmAndCompute() {
    alarm(0.3);
    compute(60_000);
  },
);

/** Fails in a handler, later. */
export const failLater = sendable(import.meta, async function failLater() {
  signal("SIGUSR2", async () => {
    await null;
    throw new RangeError("rejected in the handler of a thread");
  });
  raiseSignal("SIGUSR2");
  await sleep(5000);
  await sleep(5000);
});
