// The rows of the signal suite with skein.
// Run: deno run -A signal.ts ROW; prints {"name", "ns"}.
import { alarm, raiseSignal, signal } from "../../signal/mod.ts";
import { main, perTurn } from "../_measure.ts";

function raise(): Promise<number> {
  let arrived = () => {};
  signal("SIGUSR2", () => arrived());
  return perTurn(2000, () =>
    new Promise<void>((resolve) => {
      arrived = resolve;
      raiseSignal("SIGUSR2");
    }));
}

async function alarmOf(seconds: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  signal("SIGALRM", () => resolve(performance.now()));
  const start = performance.now();
  alarm(seconds);
  // An alarm does not keep the process alive.
  const alive = setTimeout(() => {}, 5000);
  const end = await promise;
  clearTimeout(alive);
  return Math.abs(end - start - seconds * 1000) * 1e6;
}

async function ring(): Promise<number> {
  // The first signal that Deno delivers takes it some milliseconds.
  await alarmOf(0.1);
  return await alarmOf(1);
}

if (import.meta.main) await main({ raise, alarm: ring });
