/**
 * A server that gives its requests to a pool: more than it can do are answered
 * with 503, and SIGTERM lets those that were accepted end, within a deadline.
 *
 * The chapter has no such program. It sends itself more requests than it takes,
 * then the signal, and prints, with some number of refusals:
 *
 *     answers: 4, all right: true
 *     refused with 503: 6
 *     drained
 *
 * @module
 */

import { ThreadPool } from "@skein/std/pool";
import { Full, ShutDown } from "@skein/std/queue";
import { sendable } from "@skein/std/threading";
import { onShutdown, raiseSignal } from "@skein/std/signal";

/** What a request costs: 300 ms of work. */
export const work = sendable(import.meta, function work(n: number): number {
  const end = performance.now() + 300;
  while (performance.now() < end);
  return n * n;
});

if (import.meta.main) {
  const pool = new ThreadPool({ size: 2, maxPending: 2 });
  await Promise.all([1, 2].map((n) => pool.run(work, [n])));

  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const n = Number(new URL(request.url).searchParams.get("n"));
      try {
        const future = pool.submitNowait(work, [n]);
        return new Response(String(await future.result()));
      } catch (error) {
        if (error instanceof Full || error instanceof ShutDown) {
          return new Response("busy", {
            status: 503,
            headers: { "retry-after": "1" },
          });
        }
        throw error;
      }
    },
  );

  onShutdown(async () => {
    // No new requests, and what was accepted is answered.
    await Promise.all([server.shutdown(), pool.shutdown()]);
    console.log("drained");
    Deno.exit(0); // else the status would be 143, that of the signal
  }, { deadline: 10_000 });

  const { port } = server.addr;
  const responses = await Promise.all(
    Array.from({ length: 10 }, async (_, n) => {
      const response = await fetch(`http://127.0.0.1:${port}/?n=${n}`);
      return { n, status: response.status, text: await response.text() };
    }),
  );
  const answers = responses.filter(({ status }) => status === 200);
  const isRight = answers.every(({ n, text }) => text === String(n * n));
  console.log(`answers: ${answers.length}, all right: ${isRight}`);
  console.log(`refused with 503: ${responses.length - answers.length}`);
  raiseSignal("SIGTERM");
}
