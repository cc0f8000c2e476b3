import { assert, assertEquals } from "@std/assert";
import { pooledMap } from "@std/async";
import { runDeno } from "../threading/run_program.ts";
import {
  anchors,
  isPrinted,
  links,
  markdownFiles,
  type Program,
  programs,
  read,
  withoutOutput,
} from "./_guide.ts";

const ROOT = new URL("../../", import.meta.url);

/** The pages of the guide, whose programs run. */
const PAGES = [
  "README.md",
  ...markdownFiles().filter((path) => path.startsWith("docs/")),
];

/** Pages with pieces of programs, which need servers of their own. */
const PIECES = new Set(["docs/cluster.md"]);

for (const page of PAGES) {
  const found = programs(page);
  if (found.length > 0) {
    Deno.test(`${page}: its programs print what stands below them`, async () => {
      await runAll(found);
    });
  }
}

Deno.test("guide: no program stands without its output", () => {
  for (const page of PAGES) {
    if (!PIECES.has(page)) assertEquals(withoutOutput(page), [], page);
  }
});

Deno.test("guide: a page says which packages its programs need besides", () => {
  for (const page of PAGES) {
    const text = read(page);
    for (
      const [, name] of text.matchAll(/from "(@(?!skein\/)[\w-]+\/[\w-]+)/g)
    ) {
      assert(text.includes(`deno add jsr:${name}`), `${page}: ${name}`);
    }
  }
});

Deno.test("guide: every relative link leads somewhere", () => {
  const broken: string[] = [];
  for (const page of markdownFiles()) {
    const text = read(page);
    for (const target of links(text)) {
      if (/^[a-z]+:/.test(target)) continue;
      const url = new URL(target, new URL(page, ROOT));
      if (!leadsSomewhere(url, page)) broken.push(`${page}: ${target}`);
    }
  }
  assertEquals(broken, []);
});

Deno.test("guide: what its test goes by", () => {
  assert(isPrinted("a 12 ms\nb\nc\nd\n", "a … ms\n…\nd\n"));
  assert(!isPrinted("a\nb\n", "a\n"));
  assertEquals(
    [...anchors("# A `B` (c)\n## A\n## A\n```\n# no\n```\n")],
    ["a-b-c", "a", "a-1"],
  );
  assertEquals(
    links('[a](b.md#c) `[no](no)` ![d](e.svg "f")\n[g]: h.md\n'),
    ["b.md#c", "e.svg", "h.md"],
  );
});

/** Whether a link of a page has a file, and the file has its heading. */
function leadsSomewhere(url: URL, page: string): boolean {
  const anchor = decodeURIComponent(url.hash.slice(1));
  url.hash = "";
  try {
    if (Deno.statSync(url).isDirectory) return anchor === "";
    if (anchor === "") return true;
    if (!url.pathname.endsWith(".md")) return false;
    return anchors(Deno.readTextFileSync(url)).has(anchor);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new Error(`Cannot follow ${url} of ${page}`, { cause: error });
  }
}

/** Checks the types of programs and runs them, two at a time. */
async function runAll(found: Program[]): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    const places = await Promise.all(
      found.map(async (program) => {
        const place = `${folder}/line-${program.line}`;
        await Deno.mkdir(place);
        for (const [name, text] of program.files) {
          await Deno.writeTextFile(`${place}/${name}`, text);
        }
        return { program, place };
      }),
    );
    // All at once, and not with `deno run --check`, which lets each worker
    // check all of it again.
    const checked = await runDeno([
      "check",
      config(),
      ...places.flatMap(({ program, place }) =>
        [...program.files.keys()].map((name) => `${place}/${name}`)
      ),
    ]);
    assertEquals(checked.code, 0, checked.stderr);
    const failures: string[] = [];
    const ends = pooledMap(
      2,
      places,
      ({ program, place }) => run(program, place),
    );
    for await (const failure of ends) {
      if (failure !== undefined) failures.push(failure);
    }
    assertEquals(failures.join("\n"), "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a program as its reader would; what went wrong, if anything did. */
async function run(
  { page, line, args, output }: Program,
  cwd: string,
): Promise<string | undefined> {
  const [command, ...rest] = args;
  const outcome = await runDeno([
    command,
    "--no-prompt",
    ...(command === "test" ? ["--no-check", "--quiet"] : []),
    config(),
    ...rest.map(withCheckout),
  ], { cwd });
  // A program that fails shows the error below what it printed.
  const fails = /^error:/m.test(output);
  const printed = fails ? outcome.stdout + outcome.stderr : outcome.stdout;
  if (fails === (outcome.code !== 0) && isPrinted(printed, output)) return;
  return `${page}:${line}: exit status ${outcome.code}, and it printed\n` +
    `${printed}\nwhere it should have printed\n${output}\n${outcome.stderr}`;
}

function config(): string {
  return `--config=${new URL("deno.json", ROOT).pathname}`;
}

/** An argument that lets a program read also the modules of a checkout. */
function withCheckout(argument: string): string {
  return argument.startsWith("--allow-read=")
    ? `${argument},${ROOT.pathname}`
    : argument;
}
