/** The rows of the process suite with Bun: bun process.js ROW. */
import { argv } from "node:process";

// Named by a variable: only Bun has the module.
const BUN = "bun";
const { $, spawn } = await import(BUN);

const RUNS = 200;

async function per(count, work) {
  for (let i = 0; i < count / 10; i++) await work();
  const start = performance.now();
  for (let i = 0; i < count; i++) await work();
  return (performance.now() - start) * 1e6 / count;
}

async function once(work) {
  await spawn(["true"]).exited;
  const start = performance.now();
  await work();
  return (performance.now() - start) * 1e6;
}

const ZEROS = ["head", "-c", "1000000000", "/dev/zero"];

const rows = {
  readable: () =>
    once(async () => {
      let size = 0;
      for await (const chunk of spawn(ZEROS).stdout) size += chunk.length;
      if (size !== 1e9) throw new Error(`${size} bytes`);
    }),
  pipe: () => once(() => $`head -c 1000000000 /dev/zero | wc -c`.text()),
  // Its shell has the command `true` itself, and starts nothing for it.
  "$ true": () => per(RUNS, () => $`true`.quiet()),
  true: () =>
    per(RUNS, async () => {
      const child = spawn(["/bin/true"], { stderr: "pipe" });
      await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ]);
    }),
  bytes: () =>
    once(async () => {
      const child = spawn(["cat"], { stdin: new Uint8Array(64_000_000) });
      const { byteLength } = await new Response(child.stdout).arrayBuffer();
      if (byteLength !== 64_000_000) throw new Error(`${byteLength} bytes`);
    }),
};

const name = argv[2];
console.log(JSON.stringify({ name, ns: await rows[name]() }));
