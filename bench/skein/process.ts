// The rows of the process suite in skein: deno run -A process.ts ROW.
import { $, pipeline, popen2, popen2Sync, run } from "../../process/mod.ts";
import { main } from "../_measure.ts";

const RUNS = 200;
const LINES = 20_000;
const MB = 1_000_000;
const LINE = "a line that goes there and back\n";

async function per(count: number, work: () => Promise<unknown>) {
  for (let i = 0; i < count / 10; i++) await work();
  const start = performance.now();
  for (let i = 0; i < count; i++) await work();
  return (performance.now() - start) * 1e6 / count;
}

async function once(work: () => Promise<unknown>): Promise<number> {
  await run(["true"]);
  const start = performance.now();
  await work();
  return (performance.now() - start) * 1e6;
}

/** A file of so many bytes, deleted after the work. */
async function withFile<T>(
  bytes: number,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const path = await Deno.makeTempFile();
  try {
    const cmd = `seq 100000000 999999999 | head -c ${bytes}`;
    await pipeline(cmd).to({ path }).run();
    return await work(path);
  } finally {
    for (const suffix of ["", ".out"]) {
      await Deno.remove(path + suffix).catch(() => {});
    }
  }
}

/** Reads a stream to its end; gives how many bytes there were. */
async function drain(stream: ReadableStream<Uint8Array>): Promise<number> {
  let size = 0;
  const reader = stream.getReader();
  while (true) {
    const { value } = await reader.read();
    if (value === undefined) return size;
    size += value.length;
  }
}

/** Lines of numbers, as `seq` writes them, in chunks of 64 KB. */
function numbers(bytes: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let next = 100_000_000;
  let left = bytes;
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close();
      const lines: string[] = [];
      for (let i = 0; i < 6553; i++) lines.push(`${next++}\n`);
      const chunk = encoder.encode(lines.join("")).subarray(0, left);
      left -= chunk.length;
      controller.enqueue(chunk);
    },
  });
}

const LARGE = new Uint8Array(64 * MB);

await main({
  "readable": () =>
    once(async () => {
      const zeros = pipeline(["head", "-c", `${1000 * MB}`, "/dev/zero"]);
      if (await drain(zeros.readable()) !== 1000 * MB) throw new Error("bytes");
    }),
  "gzip files": () =>
    withFile(200 * MB, (path) =>
      once(async () => {
        const input = await Deno.open(path);
        const output = await Deno.create(`${path}.out`);
        await input.readable.pipeThrough(pipeline(["gzip"]).transform())
          .pipeTo(output.writable);
      })),
  "gzip streams": () =>
    once(() =>
      drain(numbers(200 * MB).pipeThrough(pipeline(["gzip"]).transform()))
    ),
  "bytes promise": () => once(() => pipeline(["cat"]).from(LARGE).bytes()),
  "bytes blocking": () =>
    once(() => Promise.resolve(pipeline(["cat"]).from(LARGE).bytesSync())),
  "pipe": () =>
    once(() =>
      pipeline(["head", "-c", `${1000 * MB}`, "/dev/zero"], ["wc", "-c"]).text()
    ),
  "sort": () =>
    withFile(
      200 * MB,
      (path) =>
        once(() =>
          pipeline(["sort"], ["uniq"]).with({ env: { LC_ALL: "C" } })
            .from({ path }).to({ path: `${path}.out` }).status()
        ),
    ),
  "true": () => per(RUNS, () => run(["/bin/true"])),
  "$ true": () => per(RUNS, async () => await $`true`),
  "sh true": () => per(RUNS, () => run("true")),
  "three": () =>
    per(RUNS, () => pipeline(["echo", "a"], ["cat"], ["cat"]).text()),
  "popen2 blocking": () => {
    using child = popen2Sync(["cat"]);
    const start = performance.now();
    for (let i = 0; i < LINES; i++) {
      child.stdin.write(LINE);
      if (child.stdout.readline() !== LINE) throw new Error("not the line");
    }
    return (performance.now() - start) * 1e6 / LINES;
  },
  "popen2 promise": async () => {
    const { stdin, stdout } = popen2(["cat"]);
    const start = performance.now();
    for (let i = 0; i < LINES; i++) {
      await stdin.write(LINE);
      if (await stdout.readline() !== LINE) throw new Error("not the line");
    }
    const took = performance.now() - start;
    await stdin.close();
    return took * 1e6 / LINES;
  },
  "lines": () =>
    withFile(200 * MB, (path) =>
      once(async () => {
        let count = 0;
        for await (const _ of pipeline(["cat", path]).lines()) count++;
        if (count !== 20 * MB) throw new Error(`${count} lines`);
      })),
});
