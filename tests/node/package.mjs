// Runs programs with the package, as it is built, on Node.
import { execFile } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Where `run.ts` has built it. */
const built = fileURLToPath(
  new URL("../../.cache/node/package/", import.meta.url),
);

/** Puts the package into a project, as npm would. */
function install(project) {
  const home = join(project, "node_modules/@skein/std");
  fs.cpSync(join(built, "js"), join(home, "js"), { recursive: true });
  const { name, exports } = JSON.parse(
    fs.readFileSync(join(built, "deno.json"), "utf8"),
  );
  fs.writeFileSync(
    join(home, "package.json"),
    JSON.stringify({ name, type: "module", exports }),
  );
}

const PROGRAM = `
import { Lock, sendable, SharedNumber, Thread } from "@skein/std/threading";
import { Queue } from "@skein/std/queue";
import { parallelMap } from "@skein/std/pool";

export const square = sendable(import.meta, function square(n) {
  return n * n;
});
export const count = sendable(import.meta, function count(queue, number, lock) {
  for (let i = 0; i < 1000; i++) {
    queue.putSync(i);
    lock.runSync(() => number.value++);
  }
  return "counted";
});
export const say = sendable(import.meta, function say() {
  for (const word of ["printed", "by", "a", "thread"]) console.log(word);
  process.stdout.write("x".repeat(100_000) + "\\n");
});

if (import.meta.main) {
  const squares = [];
  for await (const n of parallelMap(square, [1, 2, 3])) squares.push(n);
  console.log(squares.join(" "));
  const queue = new Queue();
  const number = new SharedNumber(0);
  const lock = new Lock();
  const threads = [1, 2].map(() =>
    new Thread({ target: count, args: [queue, number, lock] })
  );
  for (const thread of threads) thread.start();
  let sum = 0;
  for (let i = 0; i < 2000; i++) sum += queue.getSync();
  console.log(threads.map((thread) => thread.joinSync()).join(" "));
  console.log(sum, number.value, lock);
  const last = new Thread({ target: say });
  last.start();
  last.joinSync();
  process.exit();
}
`;
const OUTPUT = "1 4 9\ncounted counted\n999000 2000 Lock { free }\n" +
  `printed\nby\na\nthread\n${"x".repeat(100_000)}\n`;

/** Runs a program in a new project. Throws if it prints anything else. */
export async function tryPackage() {
  const project = fs.mkdtempSync(join(tmpdir(), "skein-"));
  try {
    fs.writeFileSync(join(project, "package.json"), '{"type":"module"}');
    install(project);
    // Of JavaScript and of TypeScript, whose types Node takes out itself.
    for (const name of ["program.js", "program.ts"]) {
      const path = join(project, name);
      fs.writeFileSync(path, PROGRAM);
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        [path],
        { timeout: 60_000, killSignal: "SIGKILL" },
      );
      if (stdout !== OUTPUT) {
        throw new Error(`${name} printed ${stdout}\n${stderr}`);
      }
    }
  } finally {
    fs.rmSync(project, { recursive: true });
  }
}
