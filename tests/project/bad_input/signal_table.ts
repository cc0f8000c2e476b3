import {
  abortOn,
  alarm,
  getitimer,
  getSignal,
  ITIMER_REAL,
  kill,
  onShutdown,
  pause,
  raiseSignal,
  setitimer,
  SIG_IGN,
  signal,
  sigwait,
  sleep,
  strsignal,
} from "../../../mod.ts";
import { bad, badAsyncWait, join, type Row, type Table } from "./table.ts";

const nothing = () => {};

/** What is no signal at all. */
const noSignal = (call: (signum: never) => unknown): Row => ({
  TypeError: [
    () => call(bad.null),
    () => call(bad.none),
    () => call(bad.object),
    () => call(bad.symbol),
    () => call(15n as never),
  ],
  RangeError: [-1, 1000, 1.5, NaN, "SIGFOO", "sigterm", "", "toString"].map(
    (signum) => () => call(signum as never),
  ),
});

/** What is no signal, or one that cannot be caught. */
const notCatchable = (call: (signum: never) => unknown): Row =>
  join(noSignal(call), {
    TypeError: ["SIGKILL", "SIGSTOP", 9].map((signum) => () =>
      call(signum as never)
    ),
    RangeError: [() => call(0 as never)],
  });

/** What `signal` refuses. */
export const signalTable: Table = {
  abortOn: join(notCatchable((signum) => abortOn(signum)), {
    RangeError: [() => abortOn()],
  }),
  alarm: {
    TypeError: [bad.text, bad.none, bad.null].map((time) => () => alarm(time)),
    RangeError: [-1, NaN, Infinity].map((time) => () => alarm(time)),
  },
  getSignal: noSignal((signum) => getSignal(signum)),
  getitimer: {
    TypeError: [() => getitimer(bad.text), () => getitimer(bad.none)],
    RangeError: [() => getitimer(1 as never), () => getitimer(NaN as never)],
  },
  kill: join(noSignal((signum) => kill(Deno.pid, signum ?? null)), {
    TypeError: [bad.text, bad.none, 1.5 as never, NaN as never].map(
      (pid) => () => kill(pid, 0),
    ),
  }),
  onShutdown: join(
    notCatchable((signum) => onShutdown(nothing, { signals: [signum] })),
    {
      TypeError: [
        () => onShutdown(bad.text),
        () => onShutdown(nothing, { deadline: bad.text }),
        () => onShutdown(nothing, { signals: bad.number }),
        () => onShutdown(nothing, bad.number),
        () => onShutdown(nothing, bad.null),
      ],
      RangeError: [
        () => onShutdown(nothing, { deadline: -1 }),
        () => onShutdown(nothing, { signals: [] }),
      ],
    },
  ),
  pause: badAsyncWait((options) => pause(options)),
  raiseSignal: join(noSignal((signum) => raiseSignal(signum)), {
    RangeError: [() => raiseSignal(0)],
  }),
  setitimer: {
    TypeError: [
      () => setitimer(ITIMER_REAL, bad.text),
      () => setitimer(ITIMER_REAL, 1, bad.text),
      () => setitimer(bad.text, 1),
    ],
    RangeError: [
      () => setitimer(1 as never, 1),
      () => setitimer(ITIMER_REAL, -1),
      () => setitimer(ITIMER_REAL, 1, NaN),
    ],
  },
  signal: join(notCatchable((signum) => signal(signum, SIG_IGN)), {
    TypeError: [bad.none, bad.null, bad.text, bad.symbol].map((handler) => () =>
      signal("SIGUSR2", handler)
    ),
  }),
  sigwait: join(
    join(
      notCatchable((signum) => sigwait([signum])),
      badAsyncWait((options) => sigwait(["SIGUSR2"], options)),
    ),
    {
      TypeError: [() => sigwait(bad.number), () => sigwait(bad.none)],
      RangeError: [() => sigwait([])],
    },
  ),
  sleep: {
    TypeError: [
      () => sleep(bad.text),
      () => sleep(bad.none),
      () => sleep(1, bad.number),
      () => sleep(1, { signal: bad.text }),
    ],
    RangeError: [-1, NaN, Infinity].map((ms) => () => sleep(ms)),
  },
  strsignal: join(noSignal((signum) => strsignal(signum)), {
    RangeError: [() => strsignal(0)],
  }),
};
