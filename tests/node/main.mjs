// Runs the tests of threading, queue and pool on Node, as they are:
//
//     node tests/node/main.mjs [part of a path ...]
//
// What a test reaches for that only Deno has, it is left out for.
import { Buffer } from "node:buffer";
import process from "node:process";
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { nodeArgs } from "./deno.mjs";
import { tryPackage } from "./package.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const runner = fileURLToPath(new URL("file.mjs", import.meta.url));
const isVerbose = process.env.SKEIN_VERBOSE !== undefined;
/** A file that takes longer is ended. */
const FILE_MS = 300_000;
const AT_ONCE = 2;

/** Tests of what Node does not have, by a part of their names. */
const LEFT_OUT = {
  "tests/threading/permissions_test.ts": [["", "Deno's permissions"]],
  "tests/threading/platform_test.ts": [
    ["Blob", "a blob of Node lives in one thread"],
    ["File", "a blob of Node lives in one thread"],
    ["SharedArrayBuffer", "Node sends raw memory by messages alone"],
    ["WebAssembly", "Node sends raw memory by messages alone"],
    ["raw memory", "Node sends raw memory by messages alone"],
    ["what else the platform", "Node has no ImageData"],
  ],
  "tests/threading/thread_test.ts": [
    ["self is there", "Node's main thread has no self"],
  ],
  "tests/threading/trace_test.ts": [
    ["twice is an error", "Deno's classes of errors"],
    ["a file that cannot be written", "Deno's classes of errors"],
    ["traced as a whole", "Deno's classes of errors"],
    ["a full disk", "Deno's text of an error"],
    ["what does not fit", "how much fits depends on the speed"],
  ],
  "tests/threading/interpreter_lock_test.ts": [
    ["the death of waiters", "Node ends a worker a moment after it is asked"],
  ],
  "tests/queue/priority_queue_test.ts": [
    ["an error message that puts", "Deno's way to show an object"],
  ],
};

const given = process.argv.slice(2);
const files = ["threading", "queue", "pool"].flatMap((folder) =>
  readdirSync(`${root}tests/${folder}`)
    .filter((name) => name.endsWith("_test.ts"))
    .map((name) => `tests/${folder}/${name}`)
).filter((path) =>
  given.length === 0 || given.some((part) => path.includes(part))
);

const sums = { passed: 0, failed: 0, "left out": 0 };

async function runFile(file) {
  const child = spawn(process.execPath, [
    ...nodeArgs,
    runner,
    `${root}${file}`,
    JSON.stringify(LEFT_OUT[file] ?? []),
  ], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: FILE_MS,
    killSignal: "SIGKILL",
  });
  const closed = new Promise((resolve) => child.on("close", resolve));
  const noise = [];
  child.stderr.on("data", (part) => noise.push(part));
  const counts = { passed: 0, failed: 0, "left out": 0 };
  const report = [];
  let begun;
  let ended = false;
  for await (const line of createInterface({ input: child.stdout })) {
    const at = line.indexOf("\u0001");
    if (at < 0) continue;
    const { state, name = "", why } = JSON.parse(line.slice(at + 1));
    begun = state === "begun" ? name : undefined;
    if (state === "begun") continue;
    if (state === "ended") {
      ended = true;
      continue;
    }
    counts[state]++;
    if (state === "failed" || (isVerbose && state === "left out")) {
      report.push(`${state}: ${file}: ${name}\n${why}`);
    }
  }
  const code = await closed;
  if (!ended) {
    counts.failed++;
    const last = Buffer.concat(noise).toString().slice(-2000);
    report.push(`failed: ${file}: ended (${code}) in ${begun}\n${last}`);
  }
  for (const state of Object.keys(sums)) sums[state] += counts[state];
  const { passed, failed } = counts;
  report.push(
    `${file}: ${passed} passed, ${failed} failed, ${
      counts["left out"]
    } left out`,
  );
  console.log(report.join("\n"));
}

if (given.length === 0 || given.includes("package")) {
  await tryPackage();
  sums.passed++;
  console.log("a package as npm has it: 1 passed");
}
const waiting = files.values();
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (const file of waiting) await runFile(file);
}));
const { passed, failed } = sums;
// The sum in the words of `deno test`.
console.log(
  `${failed === 0 ? "ok" : "FAILED"} | ${passed} passed | ${failed} failed | ${
    sums["left out"]
  } left out`,
);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
