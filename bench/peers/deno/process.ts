// The rows of the process suite with bare Deno.Command, and with the shell.
import { main } from "../../_measure.ts";

const RUNS = 200;
const LINES = 20_000;
const LINE = "a line that goes there and back\n";

async function per(count: number, work: () => Promise<unknown>) {
  for (let i = 0; i < count / 10; i++) await work();
  const start = performance.now();
  for (let i = 0; i < count; i++) await work();
  return (performance.now() - start) * 1e6 / count;
}

function sh(script: string): Promise<Deno.CommandOutput> {
  return new Deno.Command("/bin/sh", { args: ["-c", script] }).output();
}

async function once(script: string): Promise<number> {
  await sh("true");
  const start = performance.now();
  await sh(script);
  return (performance.now() - start) * 1e6;
}

await main({
  "pipe": () => once("head -c 1000000000 /dev/zero | wc -c"),
  "sort": async () => {
    const path = await Deno.makeTempFile();
    try {
      await sh(`seq 100000000 999999999 | head -c 200000000 > ${path}`);
      return await once(
        `export LC_ALL=C; sort < ${path} | uniq > ${path}.out`,
      );
    } finally {
      await Deno.remove(path);
      await Deno.remove(`${path}.out`);
    }
  },
  "gzip": async () => {
    const path = await Deno.makeTempFile();
    try {
      await sh(`seq 100000000 999999999 | head -c 200000000 > ${path}`);
      return await once(`gzip < ${path} > ${path}.out`);
    } finally {
      await Deno.remove(path);
      await Deno.remove(`${path}.out`);
    }
  },
  "readable": async () => {
    await sh("true");
    const start = performance.now();
    const child = new Deno.Command("head", {
      args: ["-c", "1000000000", "/dev/zero"],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    let size = 0;
    const reader = child.stdout.getReader();
    while (true) {
      const { value } = await reader.read();
      if (value === undefined) break;
      size += value.length;
    }
    await child.status;
    if (size !== 1e9) throw new Error("bytes");
    return (performance.now() - start) * 1e6;
  },
  "true": () => per(RUNS, () => new Deno.Command("/bin/true").output()),
  "three": () => per(RUNS, () => sh("echo a | cat | cat")),
  "popen2 promise": async () => {
    const child = new Deno.Command("cat", { stdin: "piped", stdout: "piped" })
      .spawn();
    const writer = child.stdin.getWriter();
    const reader = child.stdout.getReader();
    const encoder = new TextEncoder();
    const decoder = new TextDecoder();
    const start = performance.now();
    for (let i = 0; i < LINES; i++) {
      await writer.write(encoder.encode(LINE));
      let line = "";
      while (!line.endsWith("\n")) {
        const { value } = await reader.read();
        line += decoder.decode(value, { stream: true });
      }
      if (line !== LINE) throw new Error("not the line");
    }
    const took = performance.now() - start;
    await writer.close();
    return took * 1e6 / LINES;
  },
});
