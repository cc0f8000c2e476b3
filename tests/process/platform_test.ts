import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { unixTest as test } from "../platform.ts";
import { runDeno } from "../threading/run_program.ts";
import { temporary } from "./temporary.ts";

const PROGRAM = new URL("./platform_program.ts", import.meta.url).href;
/** Where the programs are on all systems that come from Unix. */
const PATH = "/usr/bin:/bin";
const ROOT = new URL("../../", import.meta.url).pathname;

/** What the program prints when nothing is missing. */
const ALL = [
  'pipeline: "a\\nb\\n"',
  'sync: "a\\nb\\n"',
  'merged: "b\\na\\n"',
  'tee: ["a\\nb\\n","b\\na\\n"]',
  'popen2Sync: "spam"',
  'template: ["hello\\n",0]',
];

/**
 * Runs the program, with a file to read, and gives the lines that it prints.
 *
 * @param path Where it finds programs.
 * @param temporaryFolder Its TMPDIR.
 */
async function linesOf(
  flags: string[],
  args: string[],
  path = PATH,
  temporaryFolder = "",
): Promise<string[]> {
  let lines: string[] = [];
  await temporary(async (folder) => {
    const input = `${folder}/input`;
    await Deno.writeTextFile(input, "hello\n");
    // A shell, since Deno would look for itself in that PATH.
    const { stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: [
        "-c",
        'PATH=$0 TMPDIR=$1; export PATH TMPDIR; shift; exec "$@"',
        path,
        temporaryFolder,
        Deno.execPath(),
        ...["run", "--no-check", "--no-prompt", ...flags, PROGRAM, input],
        ...args,
      ],
      env: { NO_COLOR: "1" },
      stdin: "null",
      signal: AbortSignal.timeout(60_000),
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals(text(stderr), "");
    lines = text(stdout).trimEnd().split("\n");
  });
  return lines;
}

test("process works where /proc cannot be read", async () => {
  assertEquals(await linesOf(["-A"], ["no-proc"]), ALL);
  const lines = await linesOf(["-A"], ["no-proc", "tree"]);
  assertEquals(lines, [...ALL, 'tree: "ended"']);
});

test("process works where only some permissions are given, and no /proc", async () => {
  const flags = [
    "--allow-run=/bin/sh,cat,sort,mkfifo",
    "--allow-env=PATH",
    "--allow-write=/tmp",
    `--allow-read=/tmp,${ROOT}`,
  ];
  assertEquals(await linesOf(flags, ["no-proc"]), ALL);
  assertEquals(await linesOf(flags, []), ALL);
});

test("process puts its files where TMPDIR says, with a space in it", async () => {
  await temporary(async (folder) => {
    const place = `${folder}/a folder`;
    await Deno.mkdir(place);
    const flags = (write: string) => [
      "--allow-run=/bin/sh,cat,sort,mkfifo",
      "--allow-env=PATH,TMPDIR",
      `--allow-write=${write}`,
      `--allow-read=/tmp,${ROOT}`,
    ];
    assertEquals(
      await linesOf(flags(place), ["no-shells"], PATH, `${place}/`),
      ALL,
    );
    assertEquals(Array.from(Deno.readDirSync(place)), []);
    const [, , , , popen2, template] = await linesOf(
      flags("/nowhere"),
      ["no-shells"],
      PATH,
      `${place}/`,
    );
    assertStringIncludes(popen2, "NotCapable");
    assertStringIncludes(template, "NotCapable");
  });
});

test("process says which folder for temporary files is not there", async () => {
  const lines = await linesOf(
    ["-A"],
    ["no-shells", "no-proc"],
    PATH,
    "/no/such folder",
  );
  const missing = lines.filter((line) => line.includes("NotFound"));
  assertEquals(missing.map((line) => line.split(":")[0]), [
    "popen2Sync",
    "template",
  ]);
  for (const line of missing) {
    assertStringIncludes(line, "there is no folder /no/such folder");
  }
  const isMissing = (line: string) => missing.includes(line);
  assertEquals(
    lines.filter((line) => !isMissing(line)),
    ALL.filter((line) => !/^(popen2Sync|template):/.test(line)),
  );
});

test("process works without mkfifo, but for popen2Sync, which says so", async () => {
  await temporary(async (folder) => {
    for (const program of ["cat", "sort", "cp"]) {
      const script = `#!/bin/sh\nPATH=${PATH} exec ${program} "$@"\n`;
      await Deno.writeTextFile(`${folder}/${program}`, script, {
        mode: 0o755,
      });
    }
    const lines = await linesOf(["-A"], ["no-shells", "no-proc"], folder);
    const missing = lines.findIndex((line) => line.startsWith("popen2Sync"));
    assert(lines[missing].includes("NotFound: Cannot make named pipes"));
    assertStringIncludes(lines[missing], "no program mkfifo in PATH");
    assertEquals(lines.toSpliced(missing, 1), ALL.toSpliced(missing, 1));
  });
});

for (const platform of ["darwin", "windows"]) {
  test(`process does what it does everywhere, also as if on ${platform}`, async () => {
    const file = (name: string) => new URL(name, import.meta.url).href;
    const { code, stdout, stderr } = await runDeno([
      "test",
      "--no-check",
      "--no-prompt",
      "--allow-read",
      "--allow-run=deno,cat,mkfifo",
      "--allow-write=/tmp",
      "--allow-env=PATH",
      `--preload=${file(`pretend_${platform}.ts`)}`,
      file("everywhere_test.ts"),
    ]);
    assertEquals(code, 0, stdout + stderr);
    assert(/ [1-9]\d* passed \| 0 failed \(/.test(stdout), stdout);
  });
}
