import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";

function nextMessage(worker: Worker): Promise<string> {
  return new Promise((resolve) => {
    worker.addEventListener("message", ({ data }) => resolve(data), {
      once: true,
    });
  });
}

async function nextMessages(workers: Worker[]): Promise<string[]> {
  return await deadline(Promise.all(workers.map(nextMessage)), 30_000);
}

Deno.test("several Workers of the user's each have threads of their own at once", async () => {
  const url = new URL("./heaps_fixture.ts", import.meta.url);
  const workers = Array.from(
    { length: 3 },
    () => new Worker(url, { type: "module" }),
  );
  try {
    // No thread waits for one of another heap: they all run, and then end.
    assertEquals(await nextMessages(workers), Array(3).fill("running"));
    for (const worker of workers) worker.postMessage("end");
    assertEquals(await nextMessages(workers), Array(3).fill("joined"));
  } finally {
    for (const worker of workers) worker.terminate();
  }
});
