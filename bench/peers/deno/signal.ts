// The rows of the signal suite with what Deno itself has.
// Run: deno run -A signal.ts ROW; prints {"name", "ns"}.
import { main, perTurn } from "../../_measure.ts";

function raise(): Promise<number> {
  let arrived = () => {};
  Deno.addSignalListener("SIGUSR2", () => arrived());
  return perTurn(2000, () =>
    new Promise<void>((resolve) => {
      arrived = resolve;
      Deno.kill(Deno.pid, "SIGUSR2");
    }));
}

async function timerOf(ms: number): Promise<number> {
  const start = performance.now();
  const end = await new Promise<number>((resolve) => {
    setTimeout(() => resolve(performance.now()), ms);
  });
  return Math.abs(end - start - ms) * 1e6;
}

async function ring(): Promise<number> {
  await timerOf(100);
  return await timerOf(1000);
}

if (import.meta.main) await main({ raise, alarm: ring });
