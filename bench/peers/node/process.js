/** The rows of the process suite with execa, zx and dax: node process.js ROW. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { argv } from "node:process";

// Named by variables: the packages are only installed for the run.
const [EXECA, ZX, DAX] = ["execa", "zx", "dax"];
const { execa } = await import(EXECA);
const { $ } = await import(ZX);

$.verbose = false;
const RUNS = 50;

async function per(count, work) {
  await work();
  const start = performance.now();
  for (let i = 0; i < count; i++) await work();
  return (performance.now() - start) * 1e6 / count;
}

async function once(work) {
  await execa`true`;
  const start = performance.now();
  await work();
  return (performance.now() - start) * 1e6;
}

async function lines() {
  const folder = await mkdtemp(`${tmpdir()}/skein-bench-`);
  try {
    const path = `${folder}/lines`;
    await execa({
      shell: true,
    })`seq 100000000 999999999 | head -c 200000000 > ${path}`;
    const start = performance.now();
    let count = 0;
    for await (const _ of execa({ buffer: false })`cat ${path}`) count++;
    if (count !== 20e6) throw new Error(`${count} lines`);
    return (performance.now() - start) * 1e6;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Reads what can be iterated to its end. */
async function drain(chunks) {
  let size = 0;
  for await (const chunk of chunks) size += chunk.length;
  if (size !== 1e9) throw new Error(`${size} bytes`);
}

const ZEROS = ["-c", "1000000000", "/dev/zero"];

const rows = {
  "readable (execa)": () =>
    once(() => {
      const child = execa("head", ZEROS, { buffer: false, encoding: "buffer" });
      return drain(child.readable());
    }),
  "readable (dax)": async () => {
    const dax = await import(DAX);
    return await once(async () => {
      const child = dax.default`head ${ZEROS}`.stdout("piped").spawn();
      await drain(child.stdout());
      await child;
    });
  },
  "pipe (execa)": () =>
    once(() =>
      execa({ buffer: false })`head -c 1000000000 /dev/zero`.pipe`wc -c`
    ),
  "true (execa)": () => per(RUNS, () => execa`/bin/true`),
  "true (zx)": () => per(RUNS, () => $`/bin/true`),
  "true (dax)": async () => {
    const dax = await import(DAX);
    return await per(RUNS, () => dax.default`/bin/true`.quiet());
  },
  // A shell has `true` itself; so has that of dax, which is no process.
  "$ true (execa)": () => per(RUNS, () => execa({ shell: true })`true`),
  "$ true (zx)": () => per(RUNS, () => $`true`),
  "$ true (dax)": async () => {
    const dax = await import(DAX);
    return await per(RUNS, () => dax.default`true`.quiet());
  },
  "bytes (execa)": () =>
    once(() =>
      execa("cat", { input: new Uint8Array(64e6), encoding: "buffer" })
    ),
  "lines (execa)": lines,
};

const name = argv[2];
const value = await rows[name]();
console.log(JSON.stringify({ name, ns: value }));
