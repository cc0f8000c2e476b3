// Programs that end while they are traced, or whose trace meets with trouble.
import {
  Event,
  sendable,
  sleepSync,
  span,
  startTrace,
  Thread,
} from "../../threading/mod.ts";

export const work = sendable(import.meta, function work(ready: Event) {
  for (let i = 0; i < 50; i++) span("work", () => sleepSync(1));
  ready.set();
  for (;;) span("work on", () => sleepSync(1));
});

const CASES: Record<string, (path: string) => void> = {
  SIGKILL: (path) => dieBy("SIGKILL", path),
  SIGTERM: (path) => dieBy("SIGTERM", path),
  /** The environment asks for a trace, and so does the program. */
  twice(path) {
    try {
      startTrace({ path });
    } catch (error) {
      console.log(String(error));
    }
  },
  exits(path) {
    startTrace({ path });
    startWork();
    Deno.exit(3);
  },
  fails(path) {
    startTrace({ path });
    startWork();
    throw new Error("as it should");
  },
  /** The disk is full. */
  full() {
    const trace = startTrace({ path: "/dev/full" });
    startWork();
    const { events, lost, error } = trace.stop();
    console.log(JSON.stringify({ isLost: lost > 50, events, error }));
    Deno.exit();
  },
  small(path) {
    const trace = startTrace({ path });
    span("small", () => sleepSync(2));
    console.log(trace.stop().lost);
  },
};

/** A signal that nobody handles, with the main thread blocked. */
function dieBy(signal: Deno.Signal, path: string): void {
  startTrace({ path });
  startWork();
  sleepSync(100);
  Deno.kill(Deno.pid, signal);
  for (;;);
}

function startWork(): void {
  const ready = new Event();
  new Thread({ target: work, args: [ready], daemon: true }).start();
  ready.waitSync();
}

if (import.meta.main) {
  const [name, path] = Deno.args;
  CASES[name](path);
}
