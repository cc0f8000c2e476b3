// Runs the tests of one file, and tells of each in a line of JSON.
import process from "node:process";
import { pathToFileURL } from "node:url";
import { made } from "./deno.mjs";

const [path, leftOut] = process.argv.slice(2);
process.argv[1] = path;

function tell(line) {
  process.stdout.write(`\u0001${JSON.stringify(line)}\n`);
}

/** Whether a test failed since it needs what only Deno has, or a browser. */
function needsMore(error) {
  return error?.name === "OnlyDeno" || error?.cause?.name === "OnlyDeno" ||
    /OnlyDeno|^(Deno|Worker) is not defined$/.test(error?.message);
}

/** Tells how a test ended that threw. */
function tellFailed(name, error) {
  const state = needsMore(error) ? "left out" : "failed";
  tell({ name, state, why: String(error?.stack ?? error) });
}

/** As much of a test's context as is used. */
const context = (name) => ({
  name,
  step: async (step, fn) => {
    await fn(context(step));
    return true;
  },
});

async function run({ name, fn, ignore }) {
  const left = JSON.parse(leftOut).find(([part]) => name.includes(part));
  if (ignore || left !== undefined) {
    tell({ name, state: "left out", why: left?.[1] ?? "left out in Deno" });
    return;
  }
  tell({ name, state: "begun" });
  try {
    await fn(context(name));
    tell({ name, state: "passed" });
  } catch (error) {
    tellFailed(name, error);
  }
}

// What a test waits for may not hold the event loop open.
const hold = setInterval(() => {}, 1000);
try {
  await import(pathToFileURL(path).href);
  for (const test of made) await run(test);
} catch (error) {
  tellFailed("", error);
}
clearInterval(hold);
process.stdout.write(
  `\u0001${JSON.stringify({ state: "ended" })}\n`,
  () => process.exit(0),
);
