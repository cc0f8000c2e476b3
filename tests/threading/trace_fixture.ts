import {
  type Event,
  type Lock,
  sendable,
  type SharedNumber,
  sleepSync,
  span,
  startTrace,
} from "../../threading/mod.ts";

/** Holds a lock for a while, in a span. */
export const hold = sendable(
  import.meta,
  function hold(lock: Lock, ready: Event, ms: number) {
    using _ = lock.acquireSync();
    ready.set();
    span("holding", () => sleepSync(ms));
  },
);

/** Waits for a lock. */
export const want = sendable(import.meta, function want(lock: Lock) {
  lock.acquireSync();
  lock.release();
});

export const nothing = sendable(import.meta, function nothing() {});

/** Takes and releases a lock, and makes spans, until it is told to end. */
export const busy = sendable(
  import.meta,
  function busy(lock: Lock, stop: Event) {
    let count = 0;
    do {
      span("step", () => {
        lock.acquireSync();
        count++;
        lock.release();
      });
      if (count % 50 === 0) sleepSync(1);
    } while (!stop.isSet());
    return count;
  },
);

/** Works in a span until it is killed. */
export const spin = sendable(
  import.meta,
  function spin(ready: Event, steps: SharedNumber) {
    for (let i = 0; i < 100; i++) span("short", () => i);
    span("endless", () => {
      ready.set();
      for (;;) steps.add(1);
    });
  },
);

/** Makes so many spans. */
export const makeSpans = sendable(
  import.meta,
  function makeSpans(count: number, pause: number) {
    for (let i = 0; i < count; i++) {
      span("one", () => i);
      if (pause > 0 && i % pause === 0) sleepSync(1);
    }
  },
);

/** Waits for an event that comes when it is over. */
export const block = sendable(
  import.meta,
  function block(ready: Event, event: Event) {
    ready.set();
    event.waitSync();
  },
);

/** Traces from a thread. */
export const traceHere = sendable(
  import.meta,
  function traceHere(path: string) {
    using trace = startTrace({ path });
    span("in a thread", () => sleepSync(5));
    return trace.stop();
  },
);

/** Says why a trace cannot be started. */
export const failHere = sendable(import.meta, function failHere(path: string) {
  try {
    startTrace({ path });
  } catch (error) {
    return String(error);
  }
  return "started";
});
