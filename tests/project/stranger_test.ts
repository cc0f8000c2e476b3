import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { compile, type Outcome, runDeno } from "../threading/run_program.ts";
import { isPrinted, programs } from "./_guide.ts";
import { serveRegistry } from "./_registry.ts";

/** What somebody writes who has only read the README. */
const PROGRAM = `
import {
  alarm,
  pipeline,
  Queue,
  runSync,
  sendable,
  signal,
  sleep,
  Thread,
} from "@skein/std";
import { Lock } from "@skein/std/threading";

export const double = sendable(
  import.meta,
  function double(numbers: Queue<number>, doubled: Queue<number>): string {
    for (let n; (n = numbers.getSync()) > 0;) doubled.putSync(2 * n);
    return "done";
  },
);

if (import.meta.main) {
  using _ = new Lock().acquireSync();
  const numbers = new Queue<number>();
  const doubled = new Queue<number>();
  const thread = new Thread({ target: double, args: [numbers, doubled] });
  thread.start();
  await numbers.putMany([20, 21, 0]);
  console.log(await doubled.get(), doubled.getSync(), await thread.join());

  const text = await pipeline(["printf", "b\\\\na\\\\n"], ["sort"]).text();
  console.log(text.trim().split("\\n"));
  console.log(runSync(["sort"], { input: "d\\nc\\n" }).stdout.split("\\n"));

  signal("SIGALRM", (number, name) => console.log(number, name));
  alarm(0.1);
  console.log(await sleep(200_000) > 199_000);
}
`;

const OUTPUT = `40 42 done
[ "a", "b" ]
[ "c", "d", "" ]
14 SIGALRM
true
`;

/** Does something in an empty project that has only the program. */
async function inProject<T>(
  program: string,
  work: (
    run: (...args: string[]) => Promise<Outcome>,
    folder: string,
    host: string,
  ) => Promise<T>,
): Promise<T> {
  const registry = await serveRegistry();
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    const config = JSON.stringify({ imports: registry.imports });
    await Deno.writeTextFile(`${folder}/deno.json`, config);
    await Deno.writeTextFile(`${folder}/main.ts`, program);
    const { host } = new URL(registry.origin);
    const run = (...args: string[]) =>
      runDeno(args, {
        cwd: folder,
        env: { DENO_DIR: `${folder}/.cache` },
      });
    return await work(run, folder, host);
  } finally {
    await registry.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("stranger: the package runs in a project of its own", async () => {
  await inProject(PROGRAM, async (run, _, host) => {
    const { stdout, stderr } = await run(
      "run",
      "--no-prompt",
      `--allow-import=${host}`,
      "--allow-read=main.ts,/tmp",
      "--allow-write=/tmp",
      "--allow-run=printf,sort,mkfifo",
      "main.ts",
    );
    assertEquals(stdout, OUTPUT, stderr);
  });
});

for (const page of ["README.md", "docs/processes.md"]) {
  Deno.test(`stranger: the programs of ${page} run in a project of their own`, async () => {
    for (const { args, files, line, output } of programs(page)) {
      assertEquals(files.size, 1);
      await inProject([...files.values()][0], async (run, _, host) => {
        const [command, ...rest] = args;
        const permissions = ["--no-prompt", `--allow-import=${host}`];
        const { stdout, stderr } = await run(command, ...permissions, ...rest);
        assert(
          isPrinted(stdout, output),
          `${page}:${line}: ${stdout}${stderr}`,
        );
      });
    }
  });
}

Deno.test("stranger: the types come with the package", async () => {
  await inProject(PROGRAM, async (run, folder, host) => {
    const check = ["check", `--allow-import=${host}`, "main.ts"];
    const good = await run(...check);
    assertEquals(good.code, 0, good.stderr);
    const wrong = PROGRAM.replace("Many([20,", 'Many(["20",');
    await Deno.writeTextFile(`${folder}/main.ts`, wrong);
    const bad = await run(...check);
    assertEquals(bad.code, 1);
    assertStringIncludes(
      bad.stderr,
      "Type 'string' is not assignable to type 'number'",
    );
  });
});

Deno.test("stranger: a project uses a checkout as the README says", async () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const readme = await Deno.readTextFile(`${root}README.md`);
  const [, config] = /^```json\n(.*?)^```$/ms.exec(readme) ?? [];
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    await Deno.writeTextFile(
      `${folder}/deno.json`,
      config.replaceAll("../skein/", root).replaceAll("../skein", root),
    );
    await Deno.writeTextFile(`${folder}/main.ts`, PROGRAM);
    const check = await runDeno(["check", "main.ts"], { cwd: folder });
    assertEquals(check.code, 0, check.stderr);
    const { stdout, stderr } = await runDeno([
      "run",
      "--no-prompt",
      `--allow-read=.,${root},/tmp`,
      "--allow-write=/tmp",
      "--allow-run=printf,sort,mkfifo",
      "main.ts",
    ], { cwd: folder });
    assertEquals(stdout, OUTPUT, stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const compiled = await inProject(
  PROGRAM,
  (run, folder, host) =>
    compile(run, `${folder}/program`, [
      `--allow-import=${host}`,
      "--allow-read=/tmp",
      "--allow-write=/tmp",
      "--allow-run=printf,sort,mkfifo",
      "main.ts",
    ]),
);

Deno.test({
  name: `stranger: the program can be compiled${compiled.reason}`,
  ignore: compiled.ignore,
  fn() {
    assertEquals(compiled.stdout, OUTPUT, compiled.stderr);
  },
});
